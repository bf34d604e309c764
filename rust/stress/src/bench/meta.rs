// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Many small files and directories in one directory.

use super::Size;
use super::meter::Meter;
use crate::latency;
use anyhow::Context;
use rustix::fs::{Mode, OFlags};
use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const EMPTY: [&str; 8] = [
    "create_empty",
    "stat_warm",
    "stat_cold",
    "statfs",
    "open_close",
    "readdir_ent",
    "rename",
    "unlink_empty",
];
const SMALL: [&str; 4] = [
    "create_4k",
    "openread_4k_warm",
    "openread_4k_cold",
    "unlink_4k",
];
const SYNCED: [&str; 1] = ["create_4k_fsync"];
const DIRS: [&str; 2] = ["mkdir", "rmdir"];

pub(super) fn run(meter: &Meter, dir: &Path, size: Size) -> anyhow::Result<()> {
    let count = size.pick(300, 500, 1000);
    if meter.wants(&EMPTY) {
        empty_files(meter, dir, count)?;
    }
    if meter.wants(&SMALL) {
        small_files(meter, dir, count)?;
    }
    if meter.wants(&SYNCED) {
        synced_files(meter, dir, size.pick(50, 100, 500))?;
    }
    if meter.wants(&DIRS) {
        let names = fresh(&dir.join("dirs"), "d", count)?;
        let mode = Mode::from(0o755);
        meter.warm("mkdir", count, || {
            each(&names, |n| Ok(rustix::fs::mkdir(n, mode)?))
        })?;
        meter.warm("rmdir", count, || {
            each(&names, |n| Ok(rustix::fs::rmdir(n)?))
        })?;
    }
    Ok(())
}

/// Makes the directory `dir` and thinks of `count` names in it.
fn fresh(dir: &Path, prefix: &str, count: usize) -> anyhow::Result<Vec<CString>> {
    fs::create_dir(dir)?;
    let name = |i| {
        Ok(CString::new(
            dir.join(format!("{prefix}{i:06}")).as_os_str().as_bytes(),
        )?)
    };
    (0..count).map(name).collect()
}

fn each(
    names: &[CString],
    mut work: impl FnMut(&CString) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    names.iter().try_for_each(&mut work)
}

fn create(name: &CString) -> anyhow::Result<OwnedFd> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
    Ok(rustix::fs::open(name, flags, Mode::from(0o644))?)
}

fn open(name: &CString) -> anyhow::Result<OwnedFd> {
    Ok(rustix::fs::open(name, OFlags::RDONLY, Mode::empty())?)
}

fn stat(name: &CString) -> anyhow::Result<()> {
    rustix::fs::lstat(name)?;
    Ok(())
}

fn unlink(name: &CString) -> anyhow::Result<()> {
    Ok(rustix::fs::unlink(name)?)
}

fn empty_files(meter: &Meter, dir: &Path, count: usize) -> anyhow::Result<()> {
    let inside = dir.join("empty");
    let names = fresh(&inside, "f", count)?;
    let renamed: Vec<_> = (0..count)
        .map(|i| inside.join(format!("g{i:06}")))
        .collect();
    meter.warm("create_empty", count, || {
        each(&names, |n| create(n).map(drop))
    })?;
    meter.warm("stat_warm", count, || each(&names, stat))?;
    meter.warm("open_close", count, || each(&names, |n| open(n).map(drop)))?;
    meter.warm("statfs", count, || {
        each(&names, |n| Ok(rustix::fs::statfs(n).map(drop)?))
    })?;
    meter.warm("readdir_ent", count, || {
        let found = fs::read_dir(&inside)?.count();
        anyhow::ensure!(found == count, "{found} of {count} entries");
        Ok(())
    })?;
    meter.cold("stat_cold", count, || each(&names, stat))?;
    meter.warm("rename", count, || {
        let mut to = renamed.iter();
        each(&names, |n| {
            Ok(rustix::fs::rename(n, to.next().expect("as many names"))?)
        })
    })?;
    meter.warm("unlink_empty", count, || {
        renamed.iter().try_for_each(|n| Ok(rustix::fs::unlink(n)?))
    })
}

fn small_files(meter: &Meter, dir: &Path, count: usize) -> anyhow::Result<()> {
    let names = fresh(&dir.join("small"), "f", count)?;
    let data = [0x33; 4096];
    let read = |name: &CString| {
        let mut buf = [0; 4096];
        let len = rustix::io::read(open(name)?, &mut buf)?;
        anyhow::ensure!(len == 4096, "read {len} bytes of 4096");
        Ok(())
    };
    meter.warm("create_4k", count, || {
        each(&names, |n| write_all(&create(n)?, &data))
    })?;
    meter.warm("openread_4k_warm", count, || each(&names, read))?;
    meter.cold("openread_4k_cold", count, || each(&names, read))?;
    meter.warm("unlink_4k", count, || each(&names, unlink))
}

fn write_all(fd: &OwnedFd, data: &[u8]) -> anyhow::Result<()> {
    let len = rustix::io::write(fd, data)?;
    anyhow::ensure!(len == data.len(), "wrote {len} bytes of {}", data.len());
    Ok(())
}

fn synced_files(meter: &Meter, dir: &Path, count: usize) -> anyhow::Result<()> {
    let names = fresh(&dir.join("synced"), "f", count)?;
    let data = [0x44; 4096];
    meter.warm("create_4k_fsync", count, || {
        each(&names, |n| {
            let fd = create(n)?;
            write_all(&fd, &data)?;
            Ok(File::from(fd).sync_all()?)
        })
    })?;
    each(&names, unlink)
}

/// How many times the two are asked, and how often each time.
const TAX_ROUNDS: u32 = 20;
const TAX_CALLS: u32 = 500;

/// The least of many rounds each, for a timer of the kernel may interrupt some.
pub(super) fn tax(hello: &Path, ramfs: &Path) -> anyhow::Result<()> {
    let round = |dir: &CString| {
        let start = latency::now();
        for _ in 0..TAX_CALLS {
            rustix::fs::statfs(dir)?;
        }
        anyhow::Ok(latency::now() - start)
    };
    let least = |dir: &Path| {
        let dir = CString::new(dir.as_os_str().as_bytes())?;
        let rounds: anyhow::Result<Vec<u64>> = (0..TAX_ROUNDS).map(|_| round(&dir)).collect();
        rounds?.into_iter().min().context("no rounds")
    };
    let total = least(hello)?.saturating_sub(least(ramfs)?);
    println!(r#"{{"workload":"leaf_call","ops":{TAX_CALLS},"total":{total}}}"#);
    Ok(())
}
