// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A full file system: it says `ENOSPC`, loses nothing, and can be emptied again.

use crate::op;
use crate::stamp::{Stamp, difference};
use anyhow::{Context, bail, ensure};
use core::time::Duration;
use rustix::fs::{StatVfs, statvfs};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A directory of the file system; nobody else may write to that file system
    dir: PathBuf,
    /// Bytes that may stay free when the file system says that it is full
    #[arg(long, default_value_t = 256 * 1024)]
    slack: u64,
    /// Fill the inode table with empty files instead of the blocks with data
    #[arg(long)]
    inodes: bool,
}

/// A file that was written, and how much of it.
struct Filled {
    path: PathBuf,
    stamp: Stamp,
    len: usize,
}

/// Sizes of the files that fill the disk, in turn: big ones first, then what still fits.
const SIZES: [usize; 4] = [4 << 20, 256 << 10, 16 << 10, 4 << 10];

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let work = args.dir.join("full");
    // Once before anything is measured: the parent directory may grow by a block.
    fs::create_dir(&work).with_context(|| format!("cannot make {}", work.display()))?;
    fs::remove_dir(&work)?;
    let before = settled(&args.dir)?;
    let kept = keep(args)?;
    let with_kept = settled(&args.dir)?;
    fs::create_dir(&work)?;
    let files = if args.inodes {
        fill_inodes(&work)?
    } else {
        fill(&work)?
    };
    let full = statvfs(&args.dir)?;
    let free = full.f_bavail * full.f_frsize;
    if !args.inodes {
        ensure!(
            free <= args.slack,
            "ENOSPC although {free} bytes are free ({} allowed)",
            args.slack
        );
    }
    verify(&files)?;
    overwrite(&kept)?;
    sync(&args.dir)?;
    verify(&files).context("after sync")?;
    verify(core::slice::from_ref(&kept)).context("the file from before")?;
    let (count, bytes) = (files.len(), files.iter().map(|f| f.len).sum::<usize>());
    for file in &files {
        fs::remove_file(&file.path).context("unlink on a full file system")?;
    }
    fs::remove_dir(&work)?;
    returned(&args.dir, &with_kept)?;
    fs::remove_file(&kept.path)?;
    returned(&args.dir, &before)?;
    println!(
        "enospc: {count} files, {bytes} bytes until ENOSPC, {free} bytes left; all verified; all space back"
    );
    Ok(())
}

/// A file that is there before the disk is full and must survive it.
fn keep(args: &Args) -> anyhow::Result<Filled> {
    let stamp = Stamp {
        id: 1,
        generation: 1,
    };
    let kept = Filled {
        path: args.dir.join("kept"),
        stamp,
        len: 1 << 20,
    };
    fs::write(&kept.path, stamp.bytes(0, kept.len))?;
    Ok(kept)
}

/// Writes files until even a small one does not fit.
fn fill(dir: &Path) -> anyhow::Result<Vec<Filled>> {
    let mut files = Vec::new();
    for size in SIZES {
        loop {
            let id =
                u16::try_from(files.len() + 2).context("too many files: use a smaller disk")?;
            let stamp = Stamp { id, generation: 1 };
            let path = dir.join(format!("fill-{id}"));
            let (len, full) = write_until_full(&path, stamp, size)?;
            // No length: not even the directory had room for the name.
            files.extend(len.map(|len| Filled { path, stamp, len }));
            if full {
                break;
            }
        }
    }
    Ok(files)
}

/// Returns how many bytes were written (`None`: there is no file), and whether the disk was full.
/// Only `ENOSPC` may stop it.
fn write_until_full(
    path: &Path,
    stamp: Stamp,
    size: usize,
) -> anyhow::Result<(Option<usize>, bool)> {
    let file = match File::create_new(path) {
        Ok(file) => file,
        Err(error) => {
            expect_full(&error, "create")?;
            return Ok((None, true));
        }
    };
    let mut done = 0;
    while done < size {
        let piece = stamp.bytes(done as u64, (size - done).min(128 * 1024));
        match file.write_at(&piece, done as u64) {
            Ok(0) => bail!("write returned 0 without an error"),
            Ok(n) => done += n,
            Err(error) => {
                expect_full(&error, "write")?;
                // What was written before must reach the disk even now.
                file.sync_all().context("fsync on a full file system")?;
                return Ok((Some(done), true));
            }
        }
    }
    Ok((Some(done), false))
}

fn fill_inodes(dir: &Path) -> anyhow::Result<Vec<Filled>> {
    let mut files = Vec::new();
    loop {
        let path = dir.join(format!("empty-{}", files.len()));
        match File::create_new(&path) {
            Ok(_) => files.push(Filled {
                path,
                stamp: Stamp {
                    id: 2,
                    generation: 1,
                },
                len: 0,
            }),
            Err(error) => {
                expect_full(&error, "create")?;
                return Ok(files);
            }
        }
    }
}

fn expect_full(error: &io::Error, what: &str) -> anyhow::Result<()> {
    ensure!(
        error.kind() == io::ErrorKind::StorageFull,
        "{what} on a full file system gave {}, expected ENOSPC",
        op::name(error)
    );
    Ok(())
}

/// Writing again where blocks are allocated must work on a full disk.
fn overwrite(kept: &Filled) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).open(&kept.path)?;
    file.write_all_at(&kept.stamp.bytes(0, kept.len), 0)
        .context("overwriting allocated blocks on a full file system")?;
    file.sync_all()
        .context("fsync of overwritten blocks on a full file system")
}

fn verify(files: &[Filled]) -> anyhow::Result<()> {
    for file in files {
        let got = fs::read(&file.path)?;
        if let Some(text) = difference(&got, &file.stamp.bytes(0, file.len), 0) {
            bail!("{}: {text}", file.path.display());
        }
    }
    Ok(())
}

fn sync(dir: &Path) -> anyhow::Result<()> {
    rustix::fs::syncfs(File::open(dir)?).context("syncfs")
}

fn settled(dir: &Path) -> anyhow::Result<StatVfs> {
    sync(dir)?;
    Ok(statvfs(dir)?)
}

/// Free blocks and inodes are exactly what they were. Freed blocks may need a commit to be
/// counted, so this syncs and looks again for some seconds.
fn returned(dir: &Path, before: &StatVfs) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let now = settled(dir)?;
        let same = (now.f_bfree, now.f_bavail, now.f_ffree)
            == (before.f_bfree, before.f_bavail, before.f_ffree);
        if same {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "free now: {} blocks, {} inodes; before: {} blocks, {} inodes",
            now.f_bfree,
            now.f_ffree,
            before.f_bfree,
            before.f_ffree
        );
        thread::sleep(Duration::from_millis(200));
    }
}
