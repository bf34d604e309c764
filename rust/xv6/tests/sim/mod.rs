// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! xv6 as a target of the simulator, and the operations that the workloads are made of.
#![allow(dead_code, reason = "each test file uses its own part of it")]

use bento::mapped::DataDevice;
use bento::{FallocateMode, InodeFlags, RenameFlags, XattrFlags};
use bento_sim::op::LAST_OPENED;
use bento_sim::{Caching, Limits, MemDisk, Nodes, Op, Rng, Setting, Target, Workload};
use std::io::Write;
use xv6::{FormatOptions, Xv6, check};

pub(crate) struct SimXv6;

impl Target for SimXv6 {
    type Fs<D: DataDevice + Clone> = Xv6<D>;

    fn format(disk: &MemDisk) {
        let options = FormatOptions {
            inodes: Some(32),
            log_blocks: Some(64),
            ..FormatOptions::default()
        };
        xv6::format(disk, &options).expect("a fresh disk");
    }

    fn check(disk: &MemDisk, unmounted: bool) -> Result<(), String> {
        check::replay(disk.clone()).map_err(|e| format!("replay: {e}"))?;
        let report = check::check(disk).map_err(|e| e.to_string())?;
        if report.is_clean() && !(unmounted && report.orphans > 0) {
            return Ok(());
        }
        let findings = report.findings.iter().map(ToString::to_string);
        let findings: Vec<_> = findings.collect();
        Err(format!(
            "{} orphans; {}",
            report.orphans,
            findings.join("; ")
        ))
    }
}

/// Tells the user, past the test harness, which hides what tests that pass print.
pub(crate) fn tell(what: &str) {
    // Where nobody listens nothing is lost.
    let _told = writeln!(std::io::stderr(), "xv6: {what}");
}

/// A small disk, so that space is reused soon.
pub(crate) fn setting() -> Setting {
    Setting {
        blocks: 192,
        caching: Caching::Short,
        nodes: Nodes::Keep,
        limits: Limits::default(),
        recovery: false,
        upgrade: false,
        tight: false,
    }
}

/// Two files, a directory with one of them, durable at the start.
pub(crate) fn setup() -> Vec<Op> {
    vec![
        Op::Create("f".into()),
        Op::write("f", 0, 9000, 1),
        Op::Mkdir("d".into()),
        Op::Create("d/g".into()),
        Op::write("d/g", 0, 100, 2),
    ]
}

/// Every kind of operation on them.
pub(crate) fn operations() -> Vec<Op> {
    let rename = |from: &str, to: &str, flags| Op::Rename(from.into(), to.into(), flags);
    vec![
        Op::Create("a".into()),
        Op::Create("d/h".into()),
        Op::Mkdir("e".into()),
        Op::Symlink("d/g".into(), "s".into()),
        Op::Symlink("t".repeat(300), "d/s".into()),
        Op::Link("f".into(), "d/h".into()),
        Op::Unlink("f".into()),
        Op::Unlink("d/g".into()),
        Op::Rmdir("d".into()),
        Op::rename("f", "a"),
        Op::rename("f", "d/g"),
        Op::rename("d", "e"),
        Op::rename("d/g", "a"),
        rename("f", "d/g", RenameFlags::EXCHANGE),
        rename("d", "f", RenameFlags::EXCHANGE),
        rename("f", "a", RenameFlags::NOREPLACE),
        Op::write("f", 4000, 300, 3),
        Op::write("f", 9000, 9000, 4),
        Op::write("f", 40960, 10, 5),
        Op::write("d/g", 0, 4096, 6),
        Op::Allocate("f".into(), 12288, 16384),
        Op::Truncate("f".into(), 0),
        Op::Truncate("f".into(), 5000),
        Op::Truncate("d/g".into(), 20000),
        Op::Open("f".into()),
        Op::Close,
        Op::Fsync("f".into()),
        Op::Fsync("d".into()),
        Op::Sync,
    ]
}

/// What goes beyond names and data.
pub(crate) fn more_operations() -> Vec<Op> {
    let range = |path: &str, mode, offset, len| fallocate(path, mode, offset, len, false);
    let xattr = |path: &str, name: &str, len| {
        Op::SetXattr(path.into(), name.into(), value(len, 7), XattrFlags::empty())
    };
    let whiteout = RenameFlags::WHITEOUT;
    vec![
        range("f", FallocateMode::Allocate, 5000, 30_000),
        range("f", FallocateMode::Punch, 1000, 8000),
        range("f", FallocateMode::Zero, 3000, 20_000),
        range("f", FallocateMode::Collapse, 4096, 4096),
        range("f", FallocateMode::Insert, 4096, 8192),
        fallocate("d/g", FallocateMode::Allocate, 0, 20_000, true),
        xattr("f", "user.a", 10),
        xattr("f", "user.large", 3000),
        xattr("d", "trusted.b", 300),
        Op::RemoveXattr("f".into(), "user.a".into()),
        Op::CreateWith("d/x".into(), vec![("system.acl".into(), value(44, 3))]),
        Op::SetFlags("f".into(), InodeFlags::NODUMP | InodeFlags::NOATIME),
        Op::Tmpfile("d".into()),
        Op::Link(LAST_OPENED.into(), "d/t".into()),
        Op::write(LAST_OPENED, 0, 5000, 8),
        Op::Rename("f".into(), "d/g".into(), whiteout),
        Op::Rename("d".into(), "e".into(), whiteout),
    ]
}

fn fallocate(path: &str, mode: FallocateMode, offset: u64, len: u64, keep_size: bool) -> Op {
    Op::Fallocate {
        path: path.into(),
        mode,
        offset,
        len,
        keep_size,
    }
}

fn value(len: usize, fill: u8) -> Vec<u8> {
    vec![fill; len]
}

/// `count` random operations on a few names; they often fail, which is a part of the test.
pub(crate) fn random(seed: u64, count: usize) -> Workload {
    let mut rng = Rng::new(seed);
    let ops = (0..count).map(|_| random_op(&mut rng)).collect();
    Workload {
        setup: setup(),
        ops,
    }
}

fn random_op(rng: &mut Rng) -> Op {
    const PATHS: [&str; 8] = ["f", "a", "d", "e", "d/g", "d/h", "e/x", "d/e"];
    let path = (*rng.pick(&PATHS)).to_owned();
    let other = (*rng.pick(&PATHS)).to_owned();
    let flags = [
        RenameFlags::empty(),
        RenameFlags::empty(),
        RenameFlags::EXCHANGE,
        RenameFlags::NOREPLACE,
    ];
    let whiteout = RenameFlags::WHITEOUT;
    match rng.below(30) {
        0..3 => Op::Create(path),
        3 => Op::Mkdir(path),
        4 => Op::Symlink(
            "x".repeat(usize::try_from(rng.below(400)).expect("small") + 1),
            path,
        ),
        5 => Op::Link(path, other),
        6..8 => Op::Unlink(path),
        8 => Op::Rmdir(path),
        9..12 => Op::Rename(path, other, *rng.pick(&flags)),
        12..16 => Op::Write {
            path,
            offset: rng.below(5) * 4096 + rng.below(2) * 700,
            len: usize::try_from(rng.below(9000) + 1).expect("small"),
            fill: u8::try_from(rng.below(256)).expect("a byte"),
        },
        16 => Op::Allocate(path, rng.below(8) * 4096, 4096 * (1 + rng.below(3))),
        17 => Op::Truncate(path, rng.below(30000)),
        18 => Op::Open(path),
        19 => Op::Close,
        20 => Op::Fsync(path),
        21 | 22 => random_fallocate(rng, path),
        23 => Op::SetXattr(
            path,
            (*rng.pick(&XATTRS)).into(),
            value(usize::try_from(rng.below(1500)).expect("small"), 5),
            *rng.pick(&[XattrFlags::empty(), XattrFlags::CREATE, XattrFlags::REPLACE]),
        ),
        24 => Op::RemoveXattr(path, (*rng.pick(&XATTRS)).into()),
        25 => Op::Tmpfile(path),
        26 => Op::Link(LAST_OPENED.into(), path),
        27 => Op::Rename(path, other, whiteout),
        28 => Op::SetFlags(path, *rng.pick(&[InodeFlags::NODUMP, InodeFlags::empty()])),
        _ => Op::Sync,
    }
}

const XATTRS: [&str; 3] = ["user.a", "user.b", "trusted.c"];

fn random_fallocate(rng: &mut Rng, path: String) -> Op {
    let mode = *rng.pick(&[
        FallocateMode::Allocate,
        FallocateMode::Punch,
        FallocateMode::Zero,
        FallocateMode::Collapse,
        FallocateMode::Insert,
    ]);
    let whole = matches!(mode, FallocateMode::Collapse | FallocateMode::Insert);
    let (offset, len) = match whole {
        true => (rng.below(4) * 4096, 4096 * (1 + rng.below(2))),
        false => (rng.below(20_000), 1 + rng.below(12_000)),
    };
    fallocate(&path, mode, offset, len, rng.below(2) == 0)
}
