// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Many threads at once: no deadlock, no torn view, and a clean disk afterwards.

mod host;

use bento::prelude::*;
use bento_sim::{MemDisk, Rng};
use core::sync::atomic::{AtomicBool, Ordering};
use host::{Host, PLAIN, formatted, repeat};
use std::sync::Arc;
use std::thread;
use xv6::{Node, Xv6};

const BLOCK: u64 = 4096;

fn request(n: u64) -> Request {
    let sec = i64::try_from(n).expect("small");
    Request {
        now: Timespec { sec, nsec: 0 },
        ..Request::default()
    }
}

/// Makes, fills, moves and removes files in a directory of its own. (A host holds a directory
/// exclusively for that.)
fn churn(fs: &Xv6<MemDisk>, dir: &Node, seed: u64) {
    let mut rng = Rng::new(seed);
    for round in 0..150 {
        let req = request(round);
        let file = fs
            .create(&req, dir, b"f", &NewInode::plain(0o100_644))
            .expect("create")
            .node;
        for _ in 0..rng.below(6) {
            let at = rng.below(64) * BLOCK;
            let got = fs
                .allocate(&req, &file, at, BLOCK * (1 + rng.below(8)))
                .expect("allocate");
            let end = got.end().expect("small");
            fs.commit(&req, &file, got.offset, got.len, end)
                .expect("commit");
        }
        if rng.below(4) == 0 {
            fs.fsync(&req, &file, false).expect("fsync");
        }
        let moved = fs.rename(
            &req,
            (dir, b"f"),
            (dir, b"g"),
            &file,
            None,
            RenameFlags::empty(),
        );
        moved.expect("rename");
        fs.unlink(&req, dir, b"g", &file).expect("unlink");
        repeat(|| fs.forget(&req, &file)).expect("forget");
    }
}

/// Maps a file again and again while others change it: every answer contains the block asked for.
fn watch(fs: &Xv6<MemDisk>, file: &Node, done: &AtomicBool) {
    let mut rng = Rng::new(9);
    while !done.load(Ordering::Relaxed) {
        let at = rng.below(600) * BLOCK;
        let got = fs.map(file, at, BLOCK).expect("map");
        assert!(
            got.offset <= at && got.end().is_some_and(|end| end > at),
            "{got:?}"
        );
        fs.getattr(file).expect("getattr");
        let stat = fs.statfs().expect("statfs");
        assert!(stat.blocks_free <= stat.blocks);
    }
}

#[test]
fn operations_of_many_threads_leave_a_clean_disk() {
    let disk = formatted(2048);
    let fs = Arc::new(Xv6::mount(disk.clone(), &PLAIN).expect("mount"));
    let root = fs.load(Xv6::<MemDisk>::ROOT).expect("root").node;
    let mut dirs: Vec<_> = (0..4u8)
        .map(|n| {
            fs.mkdir(&request(0), &root, &[b'a' + n], &NewInode::plain(0o040_755))
                .expect("mkdir")
                .node
        })
        .collect();
    let shared = fs
        .create(&request(0), &root, b"shared", &NewInode::plain(0o100_644))
        .expect("create")
        .node;
    let before = fs.statfs().expect("statfs");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (fs, done, shared) = (&fs, &done, &shared);
        let workers: Vec<_> = dirs
            .drain(..)
            .zip(1..)
            .map(|(dir, seed)| scope.spawn(move || churn(fs, &dir, seed)))
            .collect();
        scope.spawn(move || watch(fs, shared, done));
        scope.spawn(move || {
            let mut rng = Rng::new(5);
            while !done.load(Ordering::Relaxed) {
                let at = rng.below(300) * 2 * BLOCK;
                let req = request(1);
                let _ = fs.allocate(&req, shared, at, BLOCK).expect("allocate");
                fs.commit(&req, shared, at, BLOCK, 0).expect("commit");
                fs.sync(&req).expect("sync");
            }
        });
        for worker in workers {
            worker.join().expect("no panic");
        }
        done.store(true, Ordering::Relaxed);
    });
    fs.unlink(&request(2), &root, b"shared", &shared)
        .expect("unlink");
    repeat(|| fs.forget(&request(2), &shared)).expect("forget");
    let after = fs.statfs().expect("statfs");
    // Each directory keeps the block of its first entry.
    assert_eq!(after.blocks_free, before.blocks_free - 4);
    assert_eq!(after.files_free, before.files_free + 1);
    fs.unmount().expect("unmount");
    drop(fs);
    host::assert_clean(&disk);
    Host::mount(disk).expect("mount").unmount();
}
