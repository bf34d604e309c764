// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Several tasks on one journal, and a task that panics in the middle of an operation.

use bento::{BlockNo, Errno};
use bento_sim::{Caching, MemDisk};
use core::panic::AssertUnwindSafe;
use journal::Journal;
use std::panic::catch_unwind;

const LOG: (BlockNo, u64) = (BlockNo(4), 24);
const SHARED: BlockNo = BlockNo(40);

fn open(disk: &MemDisk) -> Journal<MemDisk> {
    Journal::open(disk.clone(), LOG.0, LOG.1, false).expect("a good log")
}

fn fresh() -> MemDisk {
    let disk = MemDisk::new(64);
    Journal::format(&disk, LOG.0, LOG.1).expect("a possible place");
    disk
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().expect("a whole block"))
}

/// Adds one to the number in each of the blocks, as one operation.
fn increment(journal: &Journal<MemDisk>, blocks: &[BlockNo]) -> bento::Result {
    let mut tx = journal.begin(blocks.len())?;
    for block in blocks {
        let next = tx.read(*block, number)? + 1;
        tx.write(*block, 0, &next.to_le_bytes())?;
    }
    tx.commit()
}

#[test]
fn tasks_that_change_read_and_commit_at_once_lose_nothing() {
    let disk = fresh();
    let journal = open(&disk);
    std::thread::scope(|scope| {
        for own in 41..45 {
            let journal = &journal;
            scope.spawn(move || {
                for round in 0..200 {
                    increment(journal, &[SHARED, BlockNo(own)]).expect("healthy");
                    let mine = journal.read(BlockNo(own), number).expect("healthy");
                    assert_eq!(mine, round + 1, "nobody else changes it");
                    if round % 16 == own % 16 {
                        journal.commit().expect("healthy");
                    }
                }
            });
        }
    });
    journal.commit().expect("healthy");
    let rebooted = open(&MemDisk::from_image(disk.image(), Caching::Short));
    assert_eq!(rebooted.read(SHARED, number), Ok(800));
    assert!((41..45).all(|own| rebooted.read(BlockNo(own), number) == Ok(200)));
}

#[test]
fn a_panic_in_an_operation_leaves_no_trace_and_stops_the_journal() {
    let disk = fresh();
    let journal = open(&disk);
    increment(&journal, &[SHARED]).expect("healthy");
    journal.commit().expect("healthy");
    increment(&journal, &[SHARED]).expect("healthy");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut tx = journal.begin(2).expect("healthy");
        tx.write(SHARED, 0, &99u64.to_le_bytes()).expect("room");
        tx.read(SHARED, |_| panic!("a mistake in the file system"))
    }));
    assert!(panicked.is_err());
    assert_eq!(increment(&journal, &[SHARED]), Err(Errno::EIO));
    assert_eq!(journal.commit(), Err(Errno::EIO));
    assert_eq!(journal.close(), Err(Errno::EIO));
    assert_eq!(journal.read(SHARED, number), Ok(2), "what was published");
    drop(journal);
    let repaired = open(&MemDisk::from_image(disk.image(), Caching::Short));
    assert_eq!(repaired.read(SHARED, number), Ok(1), "what was durable");
    increment(&repaired, &[SHARED]).expect("works again");
}
