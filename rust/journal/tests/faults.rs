// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A disk that fails: the journal stops, and what was promised is there after the next open.

mod toy;

use bento::{BlockNo, Errno};
use bento_sim::{Caching, Fault, FaultDisk, MemDisk, Rng};
use toy::{BLOCKS, LOG_START, Model, Store};

fn fresh() -> MemDisk {
    let disk = MemDisk::new(usize::try_from(BLOCKS).expect("small"));
    toy::format(&disk).expect("a fresh disk");
    MemDisk::from_image(disk.image(), Caching::Short)
}

/// Runs until the fault strikes; returns the states, and how many operations were promised.
fn run(disk: &FaultDisk<MemDisk>, seed: u64) -> (Vec<Model>, u64, bool) {
    let mut store = Store::open(disk.clone()).expect("the fault comes later");
    let mut rng = Rng::new(seed);
    let (mut states, mut promised) = (vec![store.model.clone()], 0);
    for step in 0..30 {
        let result = match step % 5 {
            4 if step % 10 == 9 => store.journal.sync(),
            4 => store.journal.commit(),
            _ => store.operate(&mut rng),
        };
        if states.last() != Some(&store.model) {
            states.push(store.model.clone());
        }
        match result {
            Ok(()) if step % 5 == 4 => promised = store.model.operations,
            Ok(()) => {}
            Err(e) => {
                assert_eq!(e, Errno::EIO);
                return (states, promised, store.journal.commit().is_err());
            }
        }
    }
    (states, promised, false)
}

#[test]
fn every_single_fault_stops_the_journal_and_loses_nothing_promised() {
    let mut struck = 0;
    for fault in [Fault::Write, Fault::Flush, Fault::Read] {
        for nth in 1.. {
            let disk = FaultDisk::new(fresh());
            // Opening an empty log reads its header and the place of the first record; the toy
            // reads its table.
            let before = disk.count(fault) + u64::from(fault == Fault::Read) * 3;
            disk.fail(fault, nth + before);
            let (states, promised, stopped) = run(&disk, 3);
            let total = disk.count(fault);
            // A failed read undoes one operation; a failed write or flush ends them all, except
            // that of data, which is the business of whoever wrote it.
            let rebooted = MemDisk::from_image(disk.inner().image(), Caching::Short);
            let model = Store::open(rebooted).expect("the fault is over").model;
            assert!(model.operations >= promised, "{fault:?} {nth}");
            assert!(
                states.contains(&model),
                "{fault:?} {nth}: a state of the past"
            );
            assert!(
                fault == Fault::Write
                    || stopped == (fault == Fault::Flush && nth + before <= total)
            );
            if nth + before > total {
                break;
            }
            struck += 1;
        }
    }
    assert!(struck > 60, "only {struck} faults struck");
}

#[test]
fn after_an_abort_reading_works_and_nothing_else() {
    let disk = FaultDisk::new(fresh());
    let mut store = Store::open(disk.clone()).expect("healthy");
    let mut rng = Rng::new(1);
    while store.model.operations == 0 {
        store.operate(&mut rng).expect("healthy");
    }
    disk.fail(Fault::Write, 1);
    let journal = &store.journal;
    assert_eq!(journal.commit(), Err(Errno::EIO));
    assert_eq!(journal.begin(1).err(), Some(Errno::EIO));
    assert_eq!(journal.commit(), Err(Errno::EIO));
    assert_eq!(journal.close(), Err(Errno::EIO));
    assert_eq!(journal.sequence(), Err(Errno::EIO));
    assert!(journal.read(LOG_START, |_| ()).is_ok());
    assert!(journal.read(BlockNo(BLOCKS), |_| ()).is_err());
}
