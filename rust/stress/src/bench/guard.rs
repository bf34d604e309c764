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
    let read = |path: &str| fs::read_to_string(path).with_context(|| format!("cannot read {path}"));
    mounted(&read("/proc/mounts")?, &args.dir, &args.fs)?;
    open_files(rustix::process::getrlimit(rustix::process::Resource::Nofile).current)?;
    if args.icount {
        let processor = read("/proc/cpuinfo")?;
        let release = read("/proc/sys/kernel/osrelease")?;
        fast_checksums(&read("/proc/crypto")?, &release, &processor)?;
        no_string_instructions(&processor)?;
        steady_clock(&loops())?;
    }
    Ok(())
}

/// A mount that failed leaves the workload on the file system below.
fn mounted(mounts: &str, dir: &Path, expected: &str) -> anyhow::Result<()> {
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
fn open_files(limit: Option<u64>) -> anyhow::Result<()> {
    ensure!(
        limit.is_none_or(|n| n >= 100_000),
        "the limit of open files is {limit:?}; raise it by ulimit -n"
    );
    Ok(())
}

/// Without the driver for the processor's crc32 instruction, ext4 looks twice as dear as it is.
fn fast_checksums(drivers: &str, release: &str, processor: &str) -> anyhow::Result<()> {
    ensure!(
        flags(processor)?.any(|flag| flag == "sse4_2"),
        "this processor has no crc32 instruction: ext4's checksums would be slow"
    );
    // From 6.14 on it is part of the kernel, and ext4 calls it without this list.
    let major = release
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
fn no_string_instructions(processor: &str) -> anyhow::Result<()> {
    let found = flags(processor)?.find(|flag| ["erms", "fsrm"].contains(flag));
    ensure!(
        found.is_none(),
        "this processor has {}: the kernel would copy with one instruction for each byte",
        found.unwrap_or_default()
    );
    Ok(())
}

/// The features of the first processor in the text of /proc/cpuinfo.
fn flags(processor: &str) -> anyhow::Result<impl Iterator<Item = &str>> {
    let line = processor.lines().find(|line| line.starts_with("flags"));
    let line = line.context("/proc/cpuinfo names no flags")?;
    Ok(line.split(' '))
}

/// How long nine equal loops take.
fn loops() -> Vec<u64> {
    let once = |_| {
        let start = latency::now();
        (0..100_000_u64).for_each(|i| {
            black_box(i);
        });
        latency::now() - start
    };
    (0..9).map(once).collect()
}

/// The same loop must take the same time, again and again: on a shared host only a clock that
/// counts instructions passes.
fn steady_clock(times: &[u64]) -> anyhow::Result<()> {
    let mut times = times.to_vec();
    times.sort_unstable();
    // The longest ones hold a tick of the timer.
    ensure!(
        times[4] - times[0] <= times[0] / 100,
        "nine equal loops took {times:?} ns: this clock does not count instructions"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(result: anyhow::Result<()>) -> String {
        result.expect_err("a refusal").to_string()
    }

    #[test]
    fn a_mount_that_is_not_there_is_refused() {
        let mounts = "none /bench tmpfs rw 0 0\n/dev/ram0 /bench ext4 rw 0 0\n";
        let check = |dir: &str, kind| mounted(mounts, Path::new(dir), kind);
        check("/bench", "ext4").expect("the upper one counts");
        assert_eq!(
            refusal(check("/bench", "tmpfs")),
            "/bench is ext4, not tmpfs"
        );
        assert!(refusal(check("/other", "ext4")).contains("nothing is mounted"));
    }

    #[test]
    fn too_few_open_files_are_refused() {
        open_files(None).expect("no limit");
        open_files(Some(500_000)).expect("a high limit");
        assert!(refusal(open_files(Some(1024))).contains("ulimit -n"));
    }

    const FLAGS: &str = "model\t: 1\nflags\t\t: fpu sse4_2 avx\n";

    #[test]
    fn slow_checksums_are_refused() {
        let intel = "name : crc32c\ndriver : crc32c-intel\n";
        let generic = "name : crc32c\ndriver : crc32c-generic\n";
        fast_checksums(intel, "6.12.95+deb12-amd64\n", FLAGS).expect("the driver is there");
        fast_checksums(generic, "7.3.4+deb13-amd64\n", FLAGS).expect("no driver is needed");
        let refused = refusal(fast_checksums(generic, "6.12.95+deb12-amd64\n", FLAGS));
        assert!(refused.contains("crc32c-intel is not loaded"), "{refused}");
        let refused = refusal(fast_checksums(intel, "7.3.4\n", "flags\t: fpu avx\n"));
        assert!(refused.contains("no crc32 instruction"), "{refused}");
    }

    #[test]
    fn string_instructions_are_refused() {
        no_string_instructions(FLAGS).expect("neither is there");
        for flag in ["erms", "fsrm"] {
            let refused = refusal(no_string_instructions(&format!(
                "flags\t: fpu {flag} avx\n"
            )));
            assert!(refused.contains(&format!("has {flag}:")), "{refused}");
        }
        assert!(refusal(no_string_instructions("")).contains("no flags"));
    }

    #[test]
    fn a_clock_of_the_wall_is_refused() {
        let mut times = [
            400_000, 400_010, 400_000, 400_000, 400_020, 400_000, 400_000, 900_000, 400_000,
        ];
        steady_clock(&times).expect("one loop with a tick");
        times[..5].copy_from_slice(&[410_000, 420_000, 430_000, 440_000, 450_000]);
        assert!(refusal(steady_clock(&times)).contains("does not count"));
    }
}
