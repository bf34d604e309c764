// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Live upgrade: at every step another journal takes over.

mod toy;

use bento::{BlockNo, Errno, StateReader, StateWriter};
use bento_sim::{Caching, MemDisk, Rng};
use journal::Journal;
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
            store.journal = next;
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

#[test]
fn damaged_states_are_refused() {
    let disk = fresh();
    let store = Store::open(disk.clone()).expect("an empty store");
    let mut tx = store.journal.begin(2).expect("room");
    tx.write(BlockNo(30), 0, &[1]).expect("inside");
    tx.write(BlockNo(31), 0, &[1]).expect("inside");
    tx.free_later(40..42).expect("inside");
    tx.commit().expect("healthy");
    let good = export(&store.journal);
    assert!(import(&disk, &good).is_ok());
    // Version, sequence, start, blocks, flags, counts, members, pending; each made impossible.
    let impossible = [2, 0, 3, 21, 4, 3, 2, BLOCKS, BLOCKS, 42, BLOCKS + 1];
    for (n, value) in impossible.into_iter().enumerate() {
        let mut bad = good.clone();
        let at = 8 + n * 8;
        bad[at..at + 8].copy_from_slice(&u64::to_le_bytes(value));
        assert_eq!(import(&disk, &bad).err(), Some(Errno::EINVAL), "number {n}");
    }
    assert_eq!(import(&disk, &[]).err(), Some(Errno::EINVAL), "no record");
    let mut swapped = good;
    swapped[64..72].copy_from_slice(&31u64.to_le_bytes());
    assert_eq!(
        import(&disk, &swapped).err(),
        Some(Errno::EINVAL),
        "a block twice"
    );
}
