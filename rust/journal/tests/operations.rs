// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a handle promises to the file system that uses it.

use bento::mapped::DataDevice;
use bento::{BlockNo, Errno};
use bento_sim::{CrashDisk, Fault, FaultDisk, Image, MemDisk};
use journal::{Journal, Seal};

fn journal() -> (MemDisk, Journal<MemDisk>) {
    let disk = MemDisk::new(600);
    Journal::format(&disk, BlockNo(4), 20, 7).expect("a possible place");
    let journal = Journal::open(disk.clone(), BlockNo(4), 20, false).expect("a new log");
    (disk, journal)
}

fn byte(journal: &Journal<MemDisk>, block: u64) -> u8 {
    journal.read(BlockNo(block), |b| b[0]).expect("inside")
}

#[test]
fn nobody_sees_an_operation_before_its_commit_and_a_dropped_one_never() {
    let (_, journal) = journal();
    let mut tx = journal.begin(2).expect("room");
    tx.write(BlockNo(30), 0, &[1]).expect("inside");
    tx.zero(BlockNo(31)).expect("inside");
    tx.free_later(40..50).expect("inside");
    assert_eq!(tx.read(BlockNo(30), |b| b[0]), Ok(1));
    assert_eq!(byte(&journal, 30), 0);
    drop(tx);
    assert_eq!(byte(&journal, 30), 0);
    assert_eq!(journal.pending_blocks(), Ok(0));
    let mut tx = journal.begin(1).expect("room");
    tx.write(BlockNo(30), 0, &[2]).expect("inside");
    tx.commit().expect("healthy");
    assert_eq!(byte(&journal, 30), 2);
}

#[test]
fn only_the_bytes_that_were_written_change() {
    let (disk, journal) = journal();
    for (at, value) in [(0, 1), (4095, 2), (100, 3)] {
        let mut tx = journal.begin(1).expect("room");
        tx.write(BlockNo(30), at, &[value]).expect("inside");
        tx.commit().expect("healthy");
    }
    journal.sync().expect("healthy");
    let image = disk.image();
    let block = image.block(30).expect("inside");
    let changed = (0..).zip(&block[..]).filter(|(_, b)| **b != 0);
    let changed: Vec<(usize, u8)> = changed.map(|(i, b)| (i, *b)).collect();
    assert_eq!(changed, [(0, 1), (100, 3), (4095, 2)]);
}

/// Operations on a few blocks, each with some writes, looks in between and now and then a seal;
/// a copy in memory tells what must come out.
#[test]
fn staged_bytes_are_those_of_a_copy_in_memory() {
    let (disk, journal) = journal();
    let mut model = vec![vec![0u8; 4096]; 4];
    let mut seed = 1u64;
    let mut random = move |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(99);
        usize::try_from(seed >> 33).expect("31 bits") % below
    };
    let place = |index: usize| BlockNo(30 + u64::try_from(index).expect("small"));
    for round in 0..2000 {
        let mut wanted = model.clone();
        let mut tx = journal.begin(4).expect("room");
        for _ in 0..=random(5) {
            let index = random(4);
            match random(10) {
                0 => {
                    tx.zero(place(index)).expect("inside");
                    wanted[index].fill(0);
                }
                1 | 2 => {
                    let same = tx.read(place(index), |bytes| bytes == wanted[index]);
                    assert_eq!(same, Ok(true), "round {round}");
                }
                8 | 9 => {
                    let (from, to) = (random(4096), random(4096));
                    let len = random(4097 - from.max(to));
                    tx.copy_within(place(index), from..from + len, to)
                        .expect("inside");
                    wanted[index].copy_within(from..from + len, to);
                }
                kind => {
                    let at = random(4096);
                    let most = if kind == 3 { 4096 } else { 40 };
                    let bytes = vec![u8::try_from(random(256)).expect("a byte"); random(most)];
                    let bytes = &bytes[..bytes.len().min(4096 - at)];
                    tx.write(place(index), at, bytes).expect("inside");
                    wanted[index][at..at + bytes.len()].copy_from_slice(bytes);
                }
            }
        }
        let sealed = tx.seal(|sealing| {
            let index = usize::try_from(sealing.block.0 - 30).expect("small");
            assert_eq!(sealing.parts()?.concat(), wanted[index], "round {round}");
            let at = 4 * random(1024);
            let bytes = [1, 2, 3, 4];
            wanted[index][at..at + 4].copy_from_slice(&bytes);
            Ok(Some(Seal { at, bytes }))
        });
        sealed.expect("healthy");
        if random(4) > 0 {
            tx.commit().expect("healthy");
            model = wanted;
        } else {
            drop(tx);
        }
        for (index, bytes) in model.iter().enumerate() {
            let same = journal.read(place(index), |cached| cached == bytes);
            assert_eq!(same, Ok(true), "round {round}, block {index}");
        }
        match random(20) {
            0 => journal.sync().expect("healthy"),
            1..4 => journal.commit().expect("healthy"),
            _ => {}
        }
    }
    journal.sync().expect("healthy");
    for (index, bytes) in model.iter().enumerate() {
        assert!(disk.image().block(place(index).0).expect("inside")[..] == bytes[..]);
    }
}

#[test]
fn an_operation_searches_the_cache_once_for_a_block() {
    let disk = FaultDisk::new(MemDisk::new(600));
    Journal::format(&disk, BlockNo(4), 20, 7).expect("a possible place");
    let journal = Journal::open(disk.clone(), BlockNo(4), 20, false).expect("a new log");
    for _ in 0..2 {
        let before = disk.count(Fault::Read);
        let mut tx = journal.begin(2).expect("room");
        for _ in 0..3 {
            for block in 30..36 {
                assert_eq!(tx.read(BlockNo(block), |bytes| bytes.len()), Ok(4096));
            }
        }
        tx.write(BlockNo(30), 0, &[1]).expect("inside");
        assert_eq!(tx.read(BlockNo(30), |bytes| bytes[0]), Ok(1));
        tx.commit().expect("healthy");
        assert_eq!(
            disk.count(Fault::Read) - before,
            6,
            "the next one begins anew"
        );
    }
}

#[test]
fn mistakes_of_the_file_system_are_refused() {
    let (_, journal) = journal();
    let max = journal.max_credits();
    assert_eq!(max, 18, "20 blocks without header and descriptor");
    assert_eq!(journal.begin(max + 1).err(), Some(Errno::E2BIG));
    let mut tx = journal.begin(1).expect("room");
    assert_eq!(tx.write(BlockNo(30), 4090, &[0; 7]), Err(Errno::EINVAL));
    assert_eq!(tx.copy_within(BlockNo(30), 0..7, 4090), Err(Errno::EINVAL));
    assert_eq!(
        tx.copy_within(BlockNo(30), 4090..4097, 0),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        tx.write(BlockNo(30), usize::MAX, &[0; 7]),
        Err(Errno::EINVAL)
    );
    assert_eq!(tx.write(BlockNo(600), 0, &[1]), Err(Errno::EUCLEAN));
    assert_eq!(tx.zero(BlockNo(5)), Err(Errno::EUCLEAN), "in the log");
    assert_eq!(tx.free_later(590..601), Err(Errno::EUCLEAN));
    assert_eq!(tx.free_later(0..5), Err(Errno::EUCLEAN), "into the log");
    tx.write(BlockNo(30), 0, &[1]).expect("the one credit");
    assert_eq!(tx.credits_left(), 0);
    tx.write(BlockNo(30), 9, &[1]).expect("the same block");
    assert_eq!(tx.write(BlockNo(31), 0, &[1]), Err(Errno::E2BIG));
}

#[test]
fn freed_blocks_are_pending_until_the_commit() {
    let (_, journal) = journal();
    let mut tx = journal.begin(1).expect("room");
    tx.free_later(100..110).expect("inside");
    tx.free_later(110..120).expect("inside");
    assert!(tx.is_pending(BlockNo(119)) && !tx.is_pending(BlockNo(120)));
    tx.commit().expect("healthy");
    let mut tx = journal.begin(1).expect("room");
    assert_eq!(tx.pending_in(0..105), Some(100..105));
    assert_eq!(tx.pending_in(115..600), Some(115..120));
    assert_eq!(tx.pending_in(120..600), None);
    assert_eq!(tx.zero(BlockNo(100)), Err(Errno::EINVAL));
    assert_eq!(tx.write(BlockNo(100), 0, &[1]), Err(Errno::EINVAL));
    drop(tx);
    assert_eq!(journal.pending_blocks(), Ok(20));
    journal.commit().expect("healthy");
    assert_eq!(journal.pending_blocks(), Ok(0));
    let mut tx = journal.begin(1).expect("room");
    assert_eq!(tx.zero(BlockNo(100)), Ok(()));
}

#[test]
fn a_full_log_is_emptied_by_the_next_operation_that_needs_room() {
    let (disk, journal) = journal();
    for n in 0..10u8 {
        assert_eq!(journal.has_room(4), Ok(n % 4 != 0 || n == 0), "{n}");
        let mut tx = journal.begin(4).expect("room");
        for block in 0..4 {
            let block = BlockNo(100 + u64::from(n) * 4 + block);
            tx.write(block, 0, &[n + 1]).expect("inside");
        }
        tx.commit().expect("healthy");
    }
    assert_eq!(
        journal.sequence(),
        Ok(4),
        "4 operations of 4 blocks fit 18 blocks"
    );
    let on_disk = |block| disk.image().block(block).expect("inside")[0];
    assert_eq!((on_disk(100), on_disk(131), on_disk(132)), (1, 8, 0));
}

/// Many small transactions stay in the log; blocks go home once.
#[test]
fn blocks_go_home_with_the_next_sync_and_only_the_newest_contents() {
    let disk = CrashDisk::new(Image::new(64), bento_sim::Caching::Short);
    Journal::format(&disk, BlockNo(4), 40, 7).expect("a possible place");
    let journal = Journal::open(disk.clone(), BlockNo(4), 40, false).expect("a new log");
    let writes = disk.trace().writes();
    for round in 1..=10u8 {
        let mut tx = journal.begin(2).expect("room");
        tx.write(BlockNo(50), 0, &[round]).expect("inside");
        tx.write(BlockNo(51 + u64::from(round)), 0, &[round])
            .expect("inside");
        tx.commit().expect("healthy");
        journal.commit().expect("healthy");
        assert_eq!(disk.image().block(50).expect("inside")[0], 0);
    }
    let logged = 1 + 10 * 3;
    assert_eq!(
        disk.trace().writes(),
        writes + logged,
        "header, transactions"
    );
    // Changed again, but not durable: what is durable goes home.
    let mut tx = journal.begin(1).expect("room");
    tx.write(BlockNo(50), 0, &[99]).expect("inside");
    tx.commit().expect("healthy");
    assert_eq!(journal.has_room(18), Ok(false));
    drop(journal.begin(18).expect("waits"));
    assert_eq!(
        disk.trace().writes(),
        writes + logged + 12,
        "11 blocks, header"
    );
    assert_eq!(disk.image().block(50).expect("inside")[0], 10);
    journal.sync().expect("healthy");
    assert_eq!(disk.image().block(50).expect("inside")[0], 99);
    let writes = disk.trace().writes();
    journal.sync().expect("healthy");
    journal.close().expect("healthy");
    assert_eq!(disk.trace().writes(), writes, "nothing was left to do");
}

#[test]
fn durable_changes_cost_no_log_write() {
    let disk = CrashDisk::new(Image::new(64), bento_sim::Caching::Short);
    Journal::format(&disk, BlockNo(4), 20, 7).expect("a possible place");
    let journal = Journal::open(disk.clone(), BlockNo(4), 20, false).expect("a new log");
    let change = |value| {
        let mut tx = journal.begin(1).expect("room");
        tx.write(BlockNo(30), 0, &[value]).expect("inside");
        let sequence = tx.sequence();
        tx.commit().expect("healthy");
        sequence
    };
    let first = change(1);
    journal.commit().expect("healthy");
    let second = change(2);
    let (writes, events) = (disk.trace().writes(), disk.now());
    journal.commit_through(first).expect("healthy");
    assert_eq!(disk.trace().writes(), writes, "durable already");
    assert_eq!(disk.now(), events, "nor a flush: there is no data");
    DataDevice::write_at(&disk, 40 * 4096, &[1]).expect("inside");
    journal.commit_through(first).expect("healthy");
    assert_eq!(disk.now(), events + 2, "the data, and a flush of it");
    let (writes, events) = (writes + 1, events + 1);
    journal.commit_through(second).expect("healthy");
    assert_eq!(disk.trace().writes(), writes + 2, "record, contents");
    assert_eq!(disk.now(), events + 1 + 4, "between two flushes");
    journal.commit_through(second).expect("healthy");
    assert_eq!(disk.now(), events + 1 + 4, "no I/O at all");
    journal.commit().expect("healthy");
    assert_eq!(disk.trace().writes(), writes + 2, "nothing left");
}

/// What was metadata goes neither home nor back after a crash once it holds something else.
#[test]
fn a_freed_block_that_is_data_now_stays_as_it_is() {
    let disk = MemDisk::new(64);
    Journal::format(&disk, BlockNo(4), 40, 7).expect("a possible place");
    let journal = Journal::open(disk.clone(), BlockNo(4), 40, false).expect("a new log");
    let mut tx = journal.begin(2).expect("room");
    tx.write(BlockNo(50), 0, &[1]).expect("inside");
    tx.write(BlockNo(51), 0, &[1]).expect("inside");
    tx.commit().expect("healthy");
    journal.commit().expect("healthy");
    let mut tx = journal.begin(1).expect("room");
    tx.write(BlockNo(52), 0, &[1]).expect("inside");
    tx.free_later(50..51).expect("inside");
    tx.commit().expect("healthy");
    journal.commit().expect("healthy");
    disk.write_at(50 * 4096, &[7; 4096]).expect("inside");
    let crashed = MemDisk::from_image(disk.image(), bento_sim::Caching::Short);
    drop(Journal::open(crashed.clone(), BlockNo(4), 40, false).expect("a good log"));
    journal.sync().expect("healthy");
    for disk in [disk, crashed] {
        let found = [50, 51, 52].map(|b| disk.image().block(b).expect("inside")[0]);
        assert_eq!(found, [7, 1, 1]);
    }
}

/// More revoked blocks than a record names: the log is emptied instead.
#[test]
fn any_number_of_logged_blocks_can_be_freed_at_once() {
    let image = Image::new(2000);
    let disk = CrashDisk::new(image, bento_sim::Caching::Short);
    Journal::format(&disk, BlockNo(1), 1200, 7).expect("a possible place");
    let journal = Journal::open(disk.clone(), BlockNo(1), 1200, false).expect("a new log");
    let mut tx = journal.begin(500).expect("room");
    for block in 1400..1900u64 {
        tx.write(BlockNo(block), 0, &[1]).expect("inside");
    }
    tx.commit().expect("healthy");
    journal.commit().expect("healthy");
    for freed in [1400..1800u64, 1800..1900] {
        let mut tx = journal.begin(1).expect("room");
        tx.write(BlockNo(1300), 0, &[1]).expect("inside");
        tx.free_later(freed).expect("inside");
        tx.commit().expect("healthy");
    }
    journal.commit().expect("healthy");
    for block in 1400..1900 {
        let write = bento::BlockWrite {
            target: BlockNo(block),
            data: &[7; 4096],
        };
        bento::BlockDevice::write(&disk, &[write], bento::WriteOrder::Any).expect("inside");
    }
    let rebooted = MemDisk::from_image(disk.image(), bento_sim::Caching::Short);
    drop(Journal::open(rebooted.clone(), BlockNo(1), 1200, false).expect("a good log"));
    let image = rebooted.image();
    assert!((1400..1900).all(|block| image.block(block).expect("inside")[0] == 7));
    assert_eq!(image.block(1300).expect("inside")[0], 1);
}

#[test]
fn a_transaction_larger_than_one_write_is_whole_after_recovery() {
    let disk = MemDisk::new(2000);
    Journal::format(&disk, BlockNo(1), 900, 7).expect("a possible place");
    let faulty = FaultDisk::new(disk.clone());
    let journal = Journal::open(faulty.clone(), BlockNo(1), 900, false).expect("a new log");
    let mut tx = journal.begin(700).expect("room");
    for block in 1000..1700u64 {
        tx.write(BlockNo(block), 0, &block.to_le_bytes())
            .expect("inside");
    }
    tx.commit().expect("healthy");
    // The header, then six writes of at most 128 blocks for the log; the eighth goes home.
    faulty.fail(Fault::Write, 8);
    assert_eq!(journal.commit(), Ok(()));
    assert_eq!(journal.sync(), Err(Errno::EIO));
    drop(journal);
    let rebooted = MemDisk::from_image(disk.image(), bento_sim::Caching::Short);
    drop(Journal::open(rebooted.clone(), BlockNo(1), 900, false).expect("a good log"));
    let image = rebooted.image();
    for block in 1000..1700u64 {
        let bytes = image.block(block).expect("inside");
        assert_eq!(bytes[..8], block.to_le_bytes());
    }
}
