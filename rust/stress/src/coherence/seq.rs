// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Random operations on one file, one after the other, compared with a copy in memory.
//!
//! In the spirit of fsx, with what fsx lacks: `O_DIRECT`, stores behind the end of the file
//! through a mapping (they must never become visible), and `SEEK_HOLE`/`SEEK_DATA`.

use super::{PAGE, create};
use crate::falloc::{MODES, Mode};
use crate::mmap::{AlignedBuf, SharedMap};
use crate::rng::Rng;
use crate::stamp::{Stamp, difference};
use anyhow::{Context, bail, ensure};
use rustix::fs::{Advice, SeekFrom, fadvise, seek};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// The longest file, and the longest single access.
const MAX: usize = 512 * 1024;
const MAX_LEN: usize = 64 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file to work on; it is made anew, and removed when all went well
    file: PathBuf,
    /// Seeds; each is one run
    #[arg(long, value_delimiter = ',', default_value = "1")]
    seeds: Vec<u64>,
    /// Operations per seed
    #[arg(long, default_value_t = 2000)]
    ops: u32,
    /// Offsets and lengths of direct I/O are multiples of this: the logical block size of the
    /// device or more
    #[arg(long, default_value_t = 4096)]
    align: usize,
    /// No stores behind the end of the file through a mapping: not every file system (of the host
    /// on which this is tested) hides them from a later direct write
    #[arg(long)]
    no_tail: bool,
    /// Also fallocate(2): allocate, punch, zero, collapse and insert ranges
    #[arg(long)]
    falloc: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Write,
    Read,
    DirectWrite,
    DirectRead,
    MapWrite,
    MapRead,
    MapTail,
    Truncate,
    Fsync,
    Drop,
    Seek,
    Falloc(Mode),
}

const KINDS: [Kind; 16] = [
    Kind::Write,
    Kind::Write,
    Kind::Read,
    Kind::Read,
    Kind::DirectWrite,
    Kind::DirectWrite,
    Kind::DirectRead,
    Kind::DirectRead,
    Kind::MapWrite,
    Kind::MapWrite,
    Kind::MapRead,
    Kind::MapTail,
    Kind::Truncate,
    Kind::Fsync,
    Kind::Drop,
    Kind::Seek,
];

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(
        args.align.is_power_of_two() && (512..=PAGE).contains(&args.align),
        "--align is a power of two from 512 to 4096"
    );
    for &seed in &args.seeds {
        let (file, direct) = create(&args.file)
            .with_context(|| format!("cannot open {} twice, once O_DIRECT", args.file.display()))?;
        let mut run = Run {
            file,
            direct,
            rng: Rng::new(seed),
            align: args.align,
            no_tail: args.no_tail,
            falloc: args.falloc,
            data: Vec::new(),
            number: 0,
            history: VecDeque::new(),
        };
        run.all(args.ops).with_context(|| {
            let steps: Vec<String> = run.history.iter().cloned().collect();
            format!(
                "seed {seed}, align {}, last operations:\n  {}",
                args.align,
                steps.join("\n  ")
            )
        })?;
        println!(
            "coherence: seed {seed}: {} operations, size {}: same",
            args.ops,
            run.data.len()
        );
    }
    fs::remove_file(&args.file)?;
    Ok(())
}

struct Run {
    file: File,
    direct: File,
    rng: Rng,
    align: usize,
    no_tail: bool,
    falloc: bool,
    /// What the file should contain.
    data: Vec<u8>,
    number: u16,
    history: VecDeque<String>,
}

impl Run {
    fn all(&mut self, ops: u32) -> anyhow::Result<()> {
        for _ in 0..ops {
            let kind = if self.falloc && self.rng.one_in(4) {
                Kind::Falloc(MODES[self.rng.index(MODES.len())])
            } else {
                KINDS[self.rng.index(KINDS.len())]
            };
            if self.no_tail && kind == Kind::MapTail {
                continue;
            }
            self.number = self.number % 0xfff0 + 1;
            self.step(kind)?;
            let size = self.file.metadata()?.len();
            ensure!(
                size == self.data.len() as u64,
                "stat says {size} bytes, expected {}",
                self.data.len()
            );
        }
        self.compare(false, 0, self.data.len() + 1)?;
        self.file.sync_all().context("the last fsync")
    }

    fn step(&mut self, kind: Kind) -> anyhow::Result<()> {
        let (offset, len) = self.range(kind);
        self.history.push_back(format!(
            "{kind:?} {offset} +{len}, size {}",
            self.data.len()
        ));
        if self.history.len() > 24 {
            self.history.pop_front();
        }
        match kind {
            Kind::Write | Kind::DirectWrite => {
                self.write(matches!(kind, Kind::DirectWrite), offset, len)
            }
            Kind::Read | Kind::DirectRead => {
                self.compare(matches!(kind, Kind::DirectRead), offset, len)
            }
            Kind::MapWrite | Kind::MapRead | Kind::MapTail => self.mapped(kind, offset, len),
            Kind::Truncate => self.truncate(offset),
            Kind::Fsync => {
                let data_only = self.rng.one_in(2);
                if data_only {
                    self.file.sync_data()
                } else {
                    self.file.sync_all()
                }
                .context("fsync")
            }
            Kind::Drop => fadvise(&self.file, 0, None, Advice::DontNeed).context("posix_fadvise"),
            Kind::Seek => check_holes(&self.file, &self.data),
            Kind::Falloc(mode) => self.fallocate(mode, offset, len),
        }
    }

    /// A random range, aligned where the operation needs it; `offset + len` <= [`MAX`].
    fn range(&mut self, kind: Kind) -> (usize, usize) {
        let mut offset = self.rng.index(MAX);
        let mut len = 1 + self.rng.index(MAX_LEN);
        if self.rng.one_in(3) {
            len = len % 5000 + 1;
        }
        if matches!(kind, Kind::DirectWrite | Kind::DirectRead) {
            offset &= !(self.align - 1);
            len = len.next_multiple_of(self.align);
        }
        (offset, len.min(MAX - offset))
    }

    fn write(&mut self, direct: bool, offset: usize, len: usize) -> anyhow::Result<()> {
        let mut buf = AlignedBuf::new(len);
        Stamp {
            id: 1,
            generation: self.number,
        }
        .fill(offset as u64, buf.bytes_mut());
        let file = if direct { &self.direct } else { &self.file };
        let n = file.write_at(buf.bytes(), offset as u64).context("write")?;
        ensure!(n == len, "wrote {n} of {len} bytes");
        self.put(offset, buf.bytes());
        Ok(())
    }

    fn put(&mut self, offset: usize, piece: &[u8]) {
        let end = offset + piece.len();
        if self.data.len() < end {
            self.data.resize(end, 0);
        }
        self.data[offset..end].copy_from_slice(piece);
    }

    fn compare(&self, direct: bool, offset: usize, len: usize) -> anyhow::Result<()> {
        let mut buf = AlignedBuf::new(len);
        buf.bytes_mut().fill(0xee);
        let file = if direct { &self.direct } else { &self.file };
        let n = file
            .read_at(buf.bytes_mut(), offset as u64)
            .context("read")?;
        let start = offset.min(self.data.len());
        let want = &self.data[start..self.data.len().min(offset + len)];
        same(&buf.bytes()[..n], want, offset)
    }

    fn mapped(&mut self, kind: Kind, offset: usize, len: usize) -> anyhow::Result<()> {
        let size = self.data.len();
        if size == 0 {
            return Ok(());
        }
        let tail = matches!(kind, Kind::MapTail);
        let offset = if tail { size - 1 } else { offset % size };
        let len = len.min(size - offset);
        let page = offset & !(PAGE - 1);
        let map = SharedMap::new(
            &self.file,
            page as u64,
            (offset + len - page).next_multiple_of(PAGE),
        )
        .context("mmap")?;
        match kind {
            Kind::MapRead => {
                let mut got = vec![0; len];
                map.read(offset - page, &mut got);
                same(&got, &self.data[offset..offset + len], offset)?;
            }
            Kind::MapWrite => {
                let piece = Stamp {
                    id: 1,
                    generation: self.number,
                }
                .bytes(offset as u64, len);
                map.write(offset - page, &piece);
                self.put(offset, &piece);
                if self.rng.one_in(2) {
                    map.sync().context("msync")?;
                }
            }
            // Behind the end of the file but in its last page: lost, and never visible.
            _ => map.write(size - page, &vec![0xa5; size.next_multiple_of(PAGE) - size]),
        }
        Ok(())
    }

    fn truncate(&mut self, offset: usize) -> anyhow::Result<()> {
        // Two of three near the present end, so that partial pages matter.
        let near = self.data.len() + self.rng.index(PAGE * 2);
        let size = if self.rng.one_in(3) {
            offset
        } else {
            near.saturating_sub(PAGE).min(MAX)
        };
        self.file.set_len(size as u64).context("ftruncate")?;
        self.data.resize(size, 0);
        Ok(())
    }

    /// What the mode cannot do there (a cut at the end of the file, a longer file than [`MAX`]) is
    /// left out.
    fn fallocate(&mut self, mode: Mode, at: usize, len: usize) -> anyhow::Result<()> {
        let Some((at, len)) = mode.fit(at, len, self.data.len(), MAX) else {
            return Ok(());
        };
        mode.perform(&self.file, &mut self.data, at, len)
            .context("fallocate")
    }
}

/// Walks data and holes of `file`, whose content is `content`: what is called a hole must be zero,
/// and the walk must end.
pub(crate) fn check_holes(file: &File, content: &[u8]) -> anyhow::Result<()> {
    let size = content.len() as u64;
    let mut at = 0;
    while at < size {
        let data = match seek(file, SeekFrom::Data(at)) {
            Ok(data) => data,
            Err(Errno::NXIO) => size,
            Err(error) => return Err(io::Error::from(error)).context("SEEK_DATA"),
        };
        ensure!(data >= at, "SEEK_DATA from {at} went back to {data}");
        let hole = &content[at as usize..data.min(size) as usize];
        if let Some(byte) = hole.iter().position(|&byte| byte != 0) {
            bail!(
                "byte {} is data, but SEEK_DATA calls it a hole",
                at + byte as u64
            );
        }
        if data >= size {
            break;
        }
        let end = seek(file, SeekFrom::Hole(data)).context("SEEK_HOLE")?;
        ensure!(
            end >= data && end <= size,
            "SEEK_HOLE from {data} gave {end}"
        );
        // Where data is a hole at once (legal, seen with blocks smaller than a page), go on.
        at = end.max(at + 1);
    }
    Ok(())
}

fn same(got: &[u8], want: &[u8], offset: usize) -> anyhow::Result<()> {
    match difference(got, want, offset as u64) {
        Some(text) => bail!("{text}"),
        None => Ok(()),
    }
}
