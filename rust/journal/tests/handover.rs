// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Live upgrade: at every step another journal takes over.

mod toy;

use bento::{BlockNo, Errno, StateReader, StateWriter};
use bento_sim::{Caching, MemDisk, Rng};
use journal::Journal;
use std::sync::Arc;
use toy::{BLOCKS, LOG_BLOCKS, LOG_START, Store};

const TAG: u32 = 42;

fn fresh() -> MemDisk {
    let disk = MemDisk::new(usize::try_from(BLOCKS).expect("small"));
    toy::format(&disk).expect("a fresh disk");
    disk
}

fn import(disk: &MemDisk, state: &[u8]) -> bento::Result<Journal<MemDisk>> {
    let state = StateReader::new(state)?;
    Journal::import(disk.clone(), LOG_START, LOG_BLOCKS, false, &state, TAG)
}

fn export(journal: &Journal<MemDisk>) -> Vec<u8> {
    let mut out = StateWriter::new();
    journal.export(&mut out, TAG).expect("healthy");
    out.as_bytes().to_vec()
}

#[test]
fn an_upgrade_after_every_operation_changes_nothing() {
    for seed in 1..20 {
        let disk = fresh();
        let mut store = Store::open(disk.clone()).expect("an empty store");
        let mut rng = Rng::new(seed);
        for step in 0..60 {
            store.operate(&mut rng).expect("healthy");
            let state = export(&store.journal);
            let before = disk.image();
            let next = import(&disk, &state).expect("a good state");
            assert_eq!(disk.image(), before, "an import writes nothing");
            assert_eq!(next.sequence(), store.journal.sequence());
            assert_eq!(next.pending_blocks(), store.journal.pending_blocks());
            assert_eq!(export(&next), state);
            // The old one goes; the cache forgets what nobody holds.
            store.journal = Arc::new(next);
            assert_eq!(
                store.load(),
                Ok(store.model.clone()),
                "seed {seed} step {step}"
            );
        }
        store.journal.close().expect("healthy");
        let rebooted = MemDisk::from_image(disk.image(), Caching::Short);
        let model = Store::open(rebooted.into_read_only())
            .expect("closed")
            .model;
        assert_eq!(model, store.model, "seed {seed}");
    }
}

#[test]
fn a_refused_upgrade_leaves_the_old_one_whole() {
    let disk = fresh();
    let mut store = Store::open(disk.clone()).expect("an empty store");
    let mut rng = Rng::new(5);
    for _ in 0..20 {
        store.operate(&mut rng).expect("healthy");
        drop(import(&disk, &export(&store.journal)).expect("a good state"));
        assert_eq!(store.load(), Ok(store.model.clone()));
    }
    store.journal.commit().expect("healthy");
}

/// What is in the log and has changed since goes home as it was logged, by the next journal.
#[test]
fn contents_that_only_memory_has_cross() {
    let disk = fresh();
    let store = Store::open(disk.clone()).expect("an empty store");
    let change = |journal: &Journal<MemDisk>, value: u8| {
        let mut tx = journal.begin(1).expect("room");
        tx.write(BlockNo(50), 0, &[value; 10]).expect("inside");
        tx.commit().expect("healthy");
    };
    change(&store.journal, 1);
    store.journal.commit().expect("healthy");
    change(&store.journal, 2);
    let next = import(&disk, &export(&store.journal)).expect("a good state");
    drop(store);
    // Room for this needs an empty log, and with it the logged contents at home.
    drop(next.begin(next.max_credits() - 1).expect("waits"));
    assert_eq!(disk.image().block(50).expect("inside")[..2], [1, 1]);
    assert_eq!(next.read(BlockNo(50), |b| b[0]), Ok(2));
    next.sync().expect("healthy");
    assert_eq!(disk.image().block(50).expect("inside")[..2], [2, 2]);
}

#[test]
fn damaged_states_are_refused() {
    let disk = fresh();
    let store = Store::open(disk.clone()).expect("an empty store");
    let change = |block| {
        let mut tx = store.journal.begin(4).expect("room");
        tx.write(BlockNo(40), 0, &[1]).expect("inside");
        tx.write(BlockNo(block), 0, &[1]).expect("inside");
        tx.commit().expect("healthy");
        store.journal.commit().expect("healthy");
    };
    change(46);
    change(41);
    let mut tx = store.journal.begin(2).expect("room");
    tx.write(BlockNo(40), 0, &[1]).expect("inside");
    tx.write(BlockNo(41), 0, &[1]).expect("inside");
    tx.free_later(50..52).expect("inside");
    tx.forget(BlockNo(46)).expect("inside");
    tx.commit().expect("healthy");
    let good = export(&store.journal);
    assert!(import(&disk, &good).is_ok());
    // Each number in turn made impossible. Head: version, start, blocks; sequence (below what is
    // in the log), head, used; tail: sequence, place; flags; four lengths. Any seed is possible.
    let (last, none) = (LOG_BLOCKS, u64::MAX);
    let head = [3, 3, 21, none, 2, 0, last, none, last, 4, 3, 2, 2, 9];
    let lists = [BLOCKS, BLOCKS, BLOCKS, none, BLOCKS + 1];
    // Block, sequence, place, flags; of 40, 41 and 46.
    let live = [BLOCKS, 4, 0, 4, BLOCKS, 1, last, 2, BLOCKS, 4, 0, 4];
    let impossible = head.into_iter().chain(lists).chain(live);
    let mut tried = 0;
    for (n, value) in impossible.enumerate().filter(|(n, _)| *n != 3) {
        let mut bad = good.clone();
        let at = 8 + n * 8;
        bad[at..at + 8].copy_from_slice(&u64::to_le_bytes(value));
        assert_eq!(import(&disk, &bad).err(), Some(Errno::EINVAL), "number {n}");
        tried += 1;
    }
    assert_eq!(good.len(), 8 + (tried + 1) * 8 + 2 * 4096, "two are frozen");
    assert_eq!(import(&disk, &[]).err(), Some(Errno::EINVAL), "no record");
    let mut swapped = good;
    let second = 8 + 15 * 8;
    swapped[second..second + 8].copy_from_slice(&40u64.to_le_bytes());
    assert_eq!(
        import(&disk, &swapped).err(),
        Some(Errno::EINVAL),
        "a block twice"
    );
}
