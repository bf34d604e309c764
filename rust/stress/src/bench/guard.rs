// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What makes figures worthless is looked for before any is taken.

use crate::latency;
use anyhow::{Context, ensure};
use core::hint::black_box;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A mounted directory
    dir: PathBuf,
    /// Its file system's type, as in /proc/mounts
    #[arg(long)]
    fs: String,
    /// Also demand that the clock counts instructions
    #[arg(long)]
    icount: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    mounted(&args.dir, &args.fs)?;
    open_files()?;
    if args.icount {
        fast_checksums()?;
        no_string_instructions()?;
        steady_clock()?;
    }
    Ok(())
}

/// A mount that failed leaves the workload on the file system below.
fn mounted(dir: &Path, expected: &str) -> anyhow::Result<()> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    let dir = dir.to_string_lossy();
    let found = mounts
        .lines()
        .rev()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .find_map(|fields| match fields.as_slice() {
            [_, at, kind, ..] if *at == dir => Some((*kind).to_owned()),
            _ => None,
        });
    let found = found.with_context(|| format!("nothing is mounted at {dir}"))?;
    ensure!(found == expected, "{dir} is {found}, not {expected}");
    Ok(())
}

/// File systems in user space may keep a file open for each inode.
fn open_files() -> anyhow::Result<()> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    ensure!(
        limit.current.is_none_or(|n| n >= 100_000),
        "the limit of open files is {:?}; raise it by ulimit -n",
        limit.current
    );
    Ok(())
}

/// Without the driver for the processor's crc32 instruction, ext4 looks twice as dear as it is.
fn fast_checksums() -> anyhow::Result<()> {
    let drivers = fs::read_to_string("/proc/crypto")?;
    // From 6.14 on it is part of the kernel, and ext4 calls it without this list.
    let version = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let major = version
        .split('.')
        .next()
        .and_then(|n| n.parse::<u32>().ok());
    ensure!(
        drivers.contains("crc32c-intel") || major.is_some_and(|n| n >= 7),
        "crc32c-intel is not loaded: ext4's checksums would be slow"
    );
    Ok(())
}

/// `rep movsb` counts as one instruction for each byte, which hides what software costs.
fn no_string_instructions() -> anyhow::Result<()> {
    let processor = fs::read_to_string("/proc/cpuinfo")?;
    let flags = processor.lines().find(|line| line.starts_with("flags"));
    let flags = flags.context("/proc/cpuinfo names no flags")?;
    for flag in ["erms", "fsrm"] {
        ensure!(
            !flags.split(' ').any(|f| f == flag),
            "this processor has {flag}"
        );
    }
    Ok(())
}

/// The same loop must take the same time, again and again: on a shared host only a clock that
/// counts instructions passes.
fn steady_clock() -> anyhow::Result<()> {
    let mut times: Vec<_> = (0..9)
        .map(|_| {
            let start = latency::now();
            (0..100_000_u64).for_each(|i| {
                black_box(i);
            });
            latency::now() - start
        })
        .collect();
    times.sort_unstable();
    // The longest ones hold a tick of the timer.
    ensure!(
        times[4] - times[0] <= times[0] / 100,
        "nine equal loops took {times:?} ns: this clock does not count instructions"
    );
    Ok(())
}
