// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Several tasks on one journal, and a task that panics in the middle of an operation.

use bento::{BlockDevice, BlockNo, BlockWrite, Errno, Result, WriteOrder};
use bento_sim::{Caching, MemBuf, MemDisk};
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use journal::Journal;
use std::panic::catch_unwind;
use std::sync::{Arc, Condvar, Mutex};

const LOG: (BlockNo, u64) = (BlockNo(4), 32);
const SHARED: BlockNo = BlockNo(40);

fn open<D: BlockDevice + Clone>(disk: &D) -> Journal<D> {
    Journal::open(disk.clone(), LOG.0, LOG.1, false).expect("a good log")
}

fn fresh() -> MemDisk {
    let disk = MemDisk::new(64);
    Journal::format(&disk, LOG.0, LOG.1, 7).expect("a possible place");
    disk
}

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Well,
    /// It waits until the disk is well.
    Stuck,
    /// The task that writes panics.
    Panic,
}

/// A disk whose writes can be held up, and are counted.
#[derive(Clone, Debug)]
struct MoodyDisk {
    disk: MemDisk,
    state: Arc<(Mutex<(Mood, u64)>, Condvar)>,
}

impl MoodyDisk {
    fn new(disk: MemDisk) -> Self {
        let state = Arc::new((Mutex::new((Mood::Well, 0)), Condvar::new()));
        Self { disk, state }
    }

    fn set(&self, mood: Mood) {
        self.state.0.lock().expect("no panic inside").0 = mood;
        self.state.1.notify_all();
    }

    fn writes(&self) -> u64 {
        self.state.0.lock().expect("no panic inside").1
    }
}

impl BlockDevice for MoodyDisk {
    type Buf = MemBuf;

    fn blocks(&self) -> u64 {
        self.disk.blocks()
    }

    fn read_only(&self) -> bool {
        false
    }

    fn read(&self, block: BlockNo) -> Result<MemBuf> {
        self.disk.read(block)
    }

    fn zeroed(&self, block: BlockNo) -> Result<MemBuf> {
        self.disk.zeroed(block)
    }

    fn write(&self, writes: &[BlockWrite<'_>], order: WriteOrder) -> Result {
        let mut state = self.state.0.lock().expect("no panic inside");
        state.1 += 1;
        let stuck = |state: &mut (Mood, u64)| state.0 == Mood::Stuck;
        let waited = self.state.1.wait_while(state, stuck);
        let mood = waited.expect("no panic inside").0;
        assert_ne!(mood, Mood::Panic, "a mistake below the journal");
        self.disk.write(writes, order)
    }

    fn flush(&self) -> Result {
        self.disk.flush()
    }
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().expect("a whole block"))
}

/// Adds one to the number in each of the blocks, as one operation.
fn increment<D: BlockDevice>(journal: &Journal<D>, blocks: &[BlockNo]) -> Result {
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

/// While a commit waits for the disk, operations go on; all who then want theirs to be durable
/// share one write.
#[test]
fn one_log_write_serves_all_who_came_during_the_one_before() {
    let disk = MoodyDisk::new(fresh());
    let journal = open(&disk);
    increment(&journal, &[SHARED]).expect("healthy");
    journal.commit().expect("healthy");
    let before = disk.writes();
    increment(&journal, &[SHARED]).expect("healthy");
    disk.set(Mood::Stuck);
    let operations = std::sync::Barrier::new(9);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| journal.commit());
        while disk.writes() == before {
            std::thread::yield_now();
        }
        let others: Vec<_> = (41..49)
            .map(|own| {
                let (journal, operations) = (&journal, &operations);
                scope.spawn(move || {
                    let mut tx = journal.begin(1).expect("healthy");
                    let sequence = tx.sequence();
                    tx.write(BlockNo(own), 0, &[1]).expect("room");
                    tx.commit().expect("healthy");
                    assert_eq!(journal.read(BlockNo(own), |b| b[0]), Ok(1));
                    operations.wait();
                    journal.commit_through(sequence)
                })
            })
            .collect();
        operations.wait();
        assert!(!first.is_finished(), "it is still writing");
        disk.set(Mood::Well);
        assert_eq!(first.join().expect("no panic"), Ok(()));
        for other in others {
            assert_eq!(other.join().expect("no panic"), Ok(()));
        }
    });
    assert_eq!(
        disk.writes(),
        before + 2,
        "one for the first, one for all others"
    );
    drop(journal);
    let rebooted = open(&MemDisk::from_image(disk.disk.image(), Caching::Short));
    assert_eq!(rebooted.read(SHARED, number), Ok(2));
    assert!((41..49).all(|own| rebooted.read(BlockNo(own), |b| b[0]) == Ok(1)));
}

#[test]
fn a_panic_in_a_commit_stops_the_journal_and_loses_nothing_durable() {
    let disk = MoodyDisk::new(fresh());
    let journal = open(&disk);
    increment(&journal, &[SHARED]).expect("healthy");
    journal.commit().expect("healthy");
    increment(&journal, &[SHARED]).expect("healthy");
    disk.set(Mood::Panic);
    let panicked = catch_unwind(AssertUnwindSafe(|| journal.commit()));
    assert!(panicked.is_err());
    disk.set(Mood::Well);
    assert_eq!(journal.commit(), Err(Errno::EIO));
    assert_eq!(increment(&journal, &[SHARED]), Err(Errno::EIO));
    assert_eq!(journal.sync(), Err(Errno::EIO));
    assert_eq!(journal.close(), Err(Errno::EIO));
    assert_eq!(journal.read(SHARED, number), Ok(2), "what was published");
    drop(journal);
    let repaired = open(&MemDisk::from_image(disk.disk.image(), Caching::Short));
    assert_eq!(repaired.read(SHARED, number), Ok(1), "what was durable");
}

/// A checkpoint of many blocks lets a commit in between two of its writes. Whether the commit
/// came in time is up to the scheduler, so there are several attempts.
#[test]
fn a_commit_does_not_wait_for_a_whole_checkpoint() {
    let attempts = (1..=20).map(Duration::from_millis);
    let writes = attempts.map(|patience| commit_amid_checkpoint(patience * 4));
    let in_time = writes.filter(|(until_the_commit, all)| *until_the_commit < 6 && *all >= 10);
    assert_eq!(in_time.take(10).count(), 10);
}

/// Commits while a checkpoint of 1000 blocks waits for the disk, which is well again after
/// `patience`. Returns how many writes there were until the commit returned, and in all.
fn commit_amid_checkpoint(patience: Duration) -> (u64, u64) {
    let disk = MoodyDisk::new(MemDisk::new(3000));
    Journal::format(&disk, BlockNo(1), 1500, 7).expect("a possible place");
    let journal = Journal::open(disk.clone(), BlockNo(1), 1500, false).expect("a new log");
    let mut tx = journal.begin(1000).expect("room");
    for block in 1600..2600 {
        tx.write(BlockNo(block), 0, &[1]).expect("inside");
    }
    tx.commit().expect("healthy");
    journal.commit().expect("healthy");
    disk.set(Mood::Stuck);
    let before = disk.writes();
    let after = std::thread::scope(|scope| {
        let sync = scope.spawn(|| journal.sync());
        while disk.writes() == before {
            std::thread::yield_now();
        }
        increment(&journal, &[BlockNo(2600)]).expect("healthy");
        let commit = scope.spawn(|| {
            journal.commit().expect("healthy");
            disk.writes()
        });
        std::thread::sleep(patience);
        disk.set(Mood::Well);
        assert_eq!(sync.join().expect("no panic"), Ok(()));
        commit.join().expect("no panic")
    });
    (after - before, disk.writes() - before)
}
