// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! All kinds of access to two files at the same time.
//!
//! The files keep their size, so that mappings stay valid. Each byte that is read is zero (not
//! written yet) or belongs to its file and place; copies are not atomic, so a word may be torn.
//! The kernel cannot always drop cached pages under a direct write while they are mapped; it then
//! logs "Page cache invalidation failure" and the next fsync gives EIO. That one case is counted
//! and not an error, because it happens on every file system.

use super::{create, open_direct};
use crate::latency::now;
use crate::mmap::{AlignedBuf, SharedMap};
use crate::rng::Rng;
use crate::stamp::{Stamp, foreign};
use anyhow::{Context, bail, ensure};
use core::sync::atomic::{AtomicU64, Ordering};
use rustix::fs::{Advice, fadvise};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::thread;

/// The size of each file, and the longest access.
const SIZE: usize = 1024 * 1024;
const MAX_LEN: usize = 64 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory for the two files; they are removed when all went well
    dir: PathBuf,
    /// Run for this long
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

const KINDS: [&str; 8] = [
    "write",
    "read",
    "direct write",
    "direct read",
    "map write",
    "map read",
    "fsync",
    "drop",
];

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let paths = [args.dir.join("par-a"), args.dir.join("par-b")];
    for path in &paths {
        let (file, _) = create(path).with_context(|| format!("cannot make {}", path.display()))?;
        file.set_len(SIZE as u64)?;
    }
    let end = now() + args.seconds * 1_000_000_000;
    let counts: [AtomicU64; KINDS.len()] = Default::default();
    let lost = AtomicU64::new(0);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..KINDS.len())
            .map(|kind| {
                let (paths, counts, lost) = (&paths, &counts, &lost);
                let rng = Rng::new(args.seed * 100 + kind as u64);
                scope.spawn(move || worker(paths, kind, rng, end, &counts[kind], lost))
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("a thread does not panic"))
    })?;
    let mut text = String::new();
    for (kind, count) in KINDS.iter().zip(&counts) {
        let count = count.load(Ordering::Relaxed);
        ensure!(count > 0, "not one {kind} in {} seconds", args.seconds);
        text += &format!(" {kind} {count}");
    }
    let lost = lost.load(Ordering::Relaxed);
    println!("coherence: no foreign byte;{text}; failed invalidations {lost}");
    for path in &paths {
        fs::remove_file(path)?;
    }
    Ok(())
}

fn worker(
    paths: &[PathBuf; 2],
    kind: usize,
    mut rng: Rng,
    end: u64,
    count: &AtomicU64,
    lost: &AtomicU64,
) -> anyhow::Result<()> {
    let mut generation = 0;
    while now() < end {
        let which = rng.index(2);
        let path = &paths[which];
        let direct = matches!(kind, 2 | 3);
        let file = if direct {
            open_direct(path)
        } else {
            fs::OpenOptions::new().read(true).write(true).open(path)
        }?;
        generation = generation % 0xfff0 + 1;
        let stamp = Stamp {
            id: which as u16 + 1,
            generation,
        };
        let (mut offset, mut len) = (rng.index(SIZE), 1 + rng.index(MAX_LEN));
        if direct {
            offset &= !4095;
            len = len.next_multiple_of(4096);
        }
        len = len.min(SIZE - offset);
        let result = access(&file, kind, stamp, offset, len)?;
        match result {
            Err(error) if kind == 6 && error.raw_os_error() == Some(5) => {
                lost.fetch_add(1, Ordering::Relaxed);
            }
            other => other.with_context(|| format!("{} at {offset} +{len}", KINDS[kind]))?,
        }
        count.fetch_add(1, Ordering::Relaxed);
        if kind >= 6 {
            thread::sleep(core::time::Duration::from_millis(3));
        }
    }
    Ok(())
}

/// One access. The outer result is a foreign byte, the inner one an error of the system call.
fn access(
    file: &File,
    kind: usize,
    stamp: Stamp,
    offset: usize,
    len: usize,
) -> anyhow::Result<io::Result<()>> {
    let at = offset as u64;
    let mut buf = AlignedBuf::new(len);
    let page = offset & !4095;
    match kind {
        0 | 2 => {
            stamp.fill(at, buf.bytes_mut());
            return Ok(file.write_all_at(buf.bytes(), at));
        }
        1 | 3 => {
            if let Err(error) = file.read_exact_at(buf.bytes_mut(), at) {
                return Ok(Err(error));
            }
        }
        4 | 5 => {
            let map = match SharedMap::new(file, page as u64, offset + len - page) {
                Ok(map) => map,
                Err(error) => return Ok(Err(error)),
            };
            if kind == 4 {
                map.write(offset - page, &stamp.bytes(at, len.min(8192)));
                return Ok(Ok(()));
            }
            map.read(offset - page, buf.bytes_mut());
        }
        6 => return Ok(file.sync_all()),
        _ => return Ok(fadvise(file, 0, None, Advice::DontNeed).map_err(io::Error::from)),
    }
    if let Some(text) = foreign(buf.bytes(), at, stamp.id, &[], true) {
        bail!("{}: {text}", KINDS[kind]);
    }
    Ok(Ok(()))
}
