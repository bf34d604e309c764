// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A log that fills: the host hears of it in time, and then no operation waits for the device.

use bento::{BlockNo, Pressure};
use bento_sim::MemDisk;
use journal::Journal;
use std::sync::{Condvar, Mutex, PoisonError};

const LOG: (BlockNo, u64) = (BlockNo(4), 128);

fn fresh() -> Journal<MemDisk> {
    let disk = MemDisk::new(400);
    Journal::format(&disk, LOG.0, LOG.1, 7).expect("a possible place");
    Journal::open(disk, LOG.0, LOG.1, false).expect("a good log")
}

/// Changes four blocks, other ones with each `round`.
fn change(journal: &Journal<MemDisk>, round: u64) {
    let mut tx = journal.begin(4).expect("room");
    for block in 0..4 {
        let block = BlockNo(140 + (4 * round + block) % 256);
        tx.write(block, 0, &round.to_le_bytes()).expect("a credit");
    }
    tx.commit().expect("healthy");
}

#[test]
fn pressure_rises_with_what_the_log_holds_and_falls_with_a_sync() {
    let journal = fresh();
    let mut seen = Vec::new();
    for round in 0..26 {
        seen.push(journal.pressure());
        change(&journal, round);
    }
    assert_eq!(journal.waits(), 0);
    let of = |pressure| seen.iter().filter(|p| **p == pressure).count();
    let counts = (of(Pressure::None), of(Pressure::Soon), of(Pressure::Wait));
    // Half of the ring of 127 blocks, and three quarters of it, in steps of 4.
    assert_eq!(counts, (16, 8, 2));
    assert!(seen.is_sorted());
    journal.commit().expect("healthy");
    assert_eq!(journal.pressure(), Pressure::Wait, "it is still in the log");
    journal.sync().expect("healthy");
    assert_eq!(journal.pressure(), Pressure::None);
}

#[test]
fn who_never_syncs_waits_inside_and_is_counted() {
    let journal = fresh();
    for round in 0..200 {
        change(&journal, round);
    }
    assert!(journal.waits() > 0);
}

/// A host with a thread that syncs: operations tell it, and where the file system says so they
/// wait for it before they begin, as `bentofs` lets them wait outside of its gate.
#[test]
fn with_a_host_that_listens_no_operation_waits_for_the_device() {
    let journal = fresh();
    // Whether a sync is wanted (and waited for), and whether all is over.
    let (state, changed) = (Mutex::new((false, false)), Condvar::new());
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                let idle = |state: &mut (bool, bool)| *state == (false, false);
                let asked = changed.wait_while(lock(), idle);
                if asked.unwrap_or_else(PoisonError::into_inner).1 {
                    return;
                }
                journal.sync().expect("healthy");
                lock().0 = false;
                changed.notify_all();
            }
        });
        let workers = [0, 100_000].map(|from| {
            let (journal, changed) = (&journal, &changed);
            scope.spawn(move || {
                for round in from..from + 3000 {
                    change(journal, round);
                    let pressure = journal.pressure();
                    if pressure == Pressure::None {
                        continue;
                    }
                    let mut state = lock();
                    state.0 = true;
                    changed.notify_all();
                    if pressure == Pressure::Wait {
                        let wanted = |state: &mut (bool, bool)| state.0;
                        drop(changed.wait_while(state, wanted));
                    }
                }
            })
        });
        for worker in workers {
            worker.join().expect("no panic");
        }
        lock().1 = true;
        changed.notify_all();
    });
    assert_eq!(
        journal.waits(),
        0,
        "of 6000 operations in a log of 127 blocks"
    );
}
