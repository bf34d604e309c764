// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is written is what FORMAT.md says; and logs that nobody should replay.

#[expect(dead_code, reason = "other tests use the rest")]
mod book;

use bento::{BlockDevice, BlockNo, BlockWrite, Errno, WriteOrder};
use bento_sim::{Caching, MemDisk};
use book::{ESCAPED, Log, MAGIC, Tail, Transaction};
use journal::Journal;

const LOG: Log = Log {
    start: 4,
    blocks: 16,
    seed: 0x1234_5678_9abc_def0,
};

fn put(disk: &MemDisk, block: u64, head: &[u8]) {
    let mut data = head.to_vec();
    data.resize(4096, 0);
    let write = BlockWrite {
        target: BlockNo(block),
        data: &data,
    };
    disk.write(&[write], WriteOrder::Any).expect("inside");
}

/// A transaction that fills `targets` with the byte `first`, and what follows it.
fn filling(sequence: u64, first: u8, targets: &[u64], revoked: &[u64]) -> Transaction {
    let contents = (first..).take(targets.len()).map(|n| vec![n; 4096]);
    Transaction {
        sequence,
        targets: targets.to_vec(),
        revoked: revoked.to_vec(),
        contents: contents.collect(),
    }
}

/// A disk whose log has these transactions, one behind the other.
fn logged(tail: Tail, transactions: &[Transaction]) -> MemDisk {
    let disk = MemDisk::new(64);
    put(&disk, LOG.start, &LOG.header(tail));
    let blocks = transactions.iter().flat_map(|tx| LOG.transaction(tx));
    for (position, block) in (tail.1..).zip(blocks) {
        put(&disk, LOG.block(position), &block);
    }
    MemDisk::from_image(disk.image(), Caching::Short)
}

fn one(targets: &[u64]) -> MemDisk {
    logged((7, 1), &[filling(7, 1, targets, &[])])
}

fn open(disk: &MemDisk) -> bento::Result<Journal<MemDisk>> {
    Journal::open(disk.clone(), BlockNo(LOG.start), LOG.blocks, false)
}

fn first_byte(disk: &MemDisk, block: u64) -> u8 {
    disk.image().block(block).expect("inside")[0]
}

#[test]
fn a_log_written_by_the_book_is_replayed_once() {
    let disk = one(&[30, 40, 63]);
    let journal = open(&disk).expect("a good log");
    assert_eq!([30, 40, 63].map(|b| first_byte(&disk, b)), [1, 2, 3]);
    let rest = disk.image();
    // Number 8 may be there in part: it is left out.
    assert_eq!((LOG.tail(&rest), journal.sequence()), ((9, 5), Ok(9)));
    drop(journal);
    drop(open(&disk).expect("an empty log"));
    assert_eq!(disk.image(), rest);
}

#[test]
fn transactions_are_replayed_in_order_and_round_the_end_of_the_ring() {
    let transactions = [
        filling(7, 10, &[30, 40, 50], &[]),
        filling(8, 20, &[30, 41], &[]),
        filling(9, 30, &[40, 63], &[50]),
        filling(11, 40, &[30], &[]),
    ];
    for position in 1..16 {
        let disk = logged((7, position), &transactions);
        let journal = open(&disk).expect("a good log");
        let found = [30, 40, 41, 50, 63].map(|b| first_byte(&disk, b));
        assert_eq!(found, [20, 30, 21, 0, 31], "10 is missing, so 11 is old");
        assert_eq!(journal.sequence(), Ok(11));
        let behind = (position + 9) % 15 + 1;
        assert_eq!(LOG.tail(&disk.image()), (11, behind));
    }
}

#[test]
fn a_revoked_block_is_not_replayed_from_older_transactions_only() {
    let transactions = [
        filling(7, 10, &[30, 40], &[]),
        filling(8, 20, &[], &[30, 40]),
        filling(9, 30, &[40], &[]),
    ];
    let disk = logged((7, 1), &transactions);
    open(&disk).expect("a good log");
    assert_eq!([30, 40].map(|b| first_byte(&disk, b)), [0, 30]);
}

#[test]
fn what_the_journal_writes_is_what_the_book_says() {
    let disk = MemDisk::new(64);
    let start = BlockNo(LOG.start);
    Journal::format(&disk, start, LOG.blocks, LOG.seed).expect("a possible place");
    let head = |disk: &MemDisk| disk.image().block(LOG.start).expect("inside")[..64].to_vec();
    assert_eq!(head(&disk), LOG.header((1, 1)));
    let journal = open(&disk).expect("a new log");
    let mut tx = journal.begin(3).expect("room");
    tx.write(BlockNo(63), 0, &[2; 4096]).expect("inside");
    tx.write(BlockNo(30), 0, &[1; 4096]).expect("inside");
    let mut like_a_record = MAGIC.to_vec();
    like_a_record.resize(4096, 3);
    tx.write(BlockNo(40), 0, &like_a_record).expect("inside");
    tx.commit().expect("healthy");
    journal.commit().expect("healthy");
    let mut tx = journal.begin(1).expect("room");
    tx.free_later(60..64).expect("inside");
    tx.write(BlockNo(30), 0, &[9; 4096]).expect("inside");
    tx.commit().expect("healthy");
    journal.commit().expect("healthy");
    let mut first = filling(2, 1, &[30, 40 | ESCAPED, 63], &[]);
    first.contents[1] = [[0; 8].as_slice(), &[3; 4088]].concat();
    first.contents[2] = vec![2; 4096];
    let second = filling(3, 9, &[30], &[63]);
    let expected = logged((2, 1), &[first, second]);
    let blocks = LOG.start..LOG.start + LOG.blocks;
    for block in blocks {
        let (image, want) = (disk.image(), expected.image());
        assert!(image.block(block) == want.block(block), "block {block}");
    }
    assert_eq!(first_byte(&disk, 30), 0, "not at home yet");
    drop(journal);
    let rebooted = MemDisk::from_image(disk.image(), Caching::Short);
    let journal = open(&rebooted).expect("a good log");
    assert_eq!(
        rebooted.image().block(40).expect("inside")[..],
        like_a_record
    );
    assert_eq!(([30, 63].map(|b| first_byte(&rebooted, b))), [9, 0]);
    assert_eq!(journal.sequence(), Ok(5));
}

#[test]
fn numbers_that_a_cut_commit_may_have_used_are_not_used_again() {
    let disk = one(&[30]);
    disk.damage(LOG.block(2), 9, &[0xee]).expect("inside");
    let journal = open(&disk).expect("an unfinished commit");
    assert_eq!(LOG.tail(&disk.image()), (7, 1), "nothing is written yet");
    let mut tx = journal.begin(1).expect("room");
    tx.write(BlockNo(31), 0, &[1]).expect("inside");
    tx.commit().expect("healthy");
    journal.commit().expect("healthy");
    assert_eq!(LOG.tail(&disk.image()), (8, 1));
}

#[test]
fn logs_that_would_do_harm_are_refused_and_change_nothing() {
    let cases: [(&str, &[u64], &[u64]); 8] = [
        ("behind the end", &[64], &[]),
        ("far behind the end", &[30, !ESCAPED], &[]),
        ("far behind the end, escaped", &[30, u64::MAX], &[]),
        ("over the log itself", &[LOG.start + 3], &[]),
        ("twice the same block", &[30, 30], &[]),
        ("not in order", &[40, 30], &[]),
        ("revoked behind the end", &[30], &[64]),
        ("revoked not in order", &[30], &[41, 40]),
    ];
    for (case, targets, revoked) in cases {
        let good = filling(7, 1, &[50], &[]);
        let disk = logged((7, 1), &[good, filling(8, 1, targets, revoked)]);
        let before = disk.image();
        assert_eq!(open(&disk).err(), Some(Errno::EUCLEAN), "{case}");
        assert_eq!(disk.image(), before, "{case}");
    }
}

#[test]
fn lengths_that_do_not_fit_the_ring_end_the_log() {
    for (at, length) in [(24, u32::MAX), (24, 15), (28, 449), (28, u32::MAX)] {
        let disk = one(&[30]);
        let place = LOG.block(1);
        disk.damage(place, at, &length.to_le_bytes())
            .expect("inside");
        drop(open(&disk).expect("opens"));
        assert_eq!(first_byte(&disk, 30), 0);
    }
    // The ring is full of transactions, and behind the last comes the first again.
    let seven: Vec<_> = (0..7).map(|n| filling(7 + n, 1, &[30 + n], &[])).collect();
    let disk = logged((7, 1), &seven);
    let last = filling(14, 1, &[], &[]);
    put(&disk, LOG.block(15), &LOG.transaction(&last)[0]);
    let disk = MemDisk::from_image(disk.image(), Caching::Short);
    assert_eq!(open(&disk).expect("opens").sequence(), Ok(16));
}

#[test]
fn a_damaged_header_is_refused_and_a_damaged_body_is_an_unfinished_commit() {
    for offset in [0, 4, 8, 16, 24, 32, 40, 50, 60] {
        let disk = one(&[30]);
        disk.damage(LOG.start, offset, &[0xee]).expect("inside");
        let before = disk.image();
        assert_eq!(open(&disk).err(), Some(Errno::EUCLEAN), "byte {offset}");
        assert_eq!(disk.image(), before, "byte {offset}");
    }
    for (block, offset) in [
        (1, 0),
        (1, 8),
        (1, 16),
        (1, 32),
        (1, 100),
        (1, 4095),
        (2, 100),
    ] {
        let disk = one(&[30]);
        disk.damage(LOG.block(block), offset, &[0xee])
            .expect("inside");
        assert_eq!(open(&disk).expect("opens").sequence(), Ok(8));
        assert_eq!(first_byte(&disk, 30), 0);
    }
}

#[test]
fn transactions_of_an_older_log_in_the_same_place_are_none() {
    let disk = one(&[30]);
    let start = BlockNo(LOG.start);
    let other = Log { seed: 1, ..LOG };
    put(&disk, LOG.start, &other.header((7, 1)));
    let disk = MemDisk::from_image(disk.image(), Caching::Short);
    drop(Journal::open(disk.clone(), start, LOG.blocks, false).expect("opens"));
    assert_eq!(first_byte(&disk, 30), 0);
}

#[test]
fn a_read_only_disk_opens_only_where_nothing_is_to_be_replayed() {
    let disk = one(&[30]).into_read_only();
    assert_eq!(open(&disk).err(), Some(Errno::EROFS));
    let unfinished = one(&[30]);
    unfinished.damage(LOG.block(2), 0, &[0xee]).expect("inside");
    let journal = open(&unfinished.into_read_only()).expect("nothing to replay");
    assert_eq!(journal.begin(1).err(), Some(Errno::EROFS));
    assert_eq!(journal.commit(), Ok(()));
    assert_eq!(journal.sync(), Ok(()));
    assert_eq!(journal.close(), Ok(()));
}

#[test]
fn a_read_only_journal_still_recovers_a_writable_disk() {
    let disk = one(&[30]);
    let journal = Journal::open(disk.clone(), BlockNo(LOG.start), LOG.blocks, true);
    let journal = journal.expect("a good log");
    assert_eq!(first_byte(&disk, 30), 1);
    assert_eq!(journal.begin(1).err(), Some(Errno::EROFS));
}

#[test]
fn a_log_that_is_not_to_be_replayed_is_left_alone() {
    for disk in [one(&[30]), one(&[30]).into_read_only()] {
        disk.damage(LOG.start, 60, &[0xee]).expect("inside");
        let before = disk.image();
        let journal = Journal::open_unrecovered(disk.clone(), BlockNo(LOG.start), LOG.blocks);
        let journal = journal.expect("nothing is looked at");
        assert_eq!(journal.read(BlockNo(30), |bytes| bytes[0]), Ok(0));
        assert_eq!(journal.begin(1).err(), Some(Errno::EROFS));
        assert_eq!((journal.commit(), journal.close()), (Ok(()), Ok(())));
        assert_eq!(disk.image(), before);
    }
    let outside = Journal::open_unrecovered(MemDisk::new(16), BlockNo(4), 16);
    assert_eq!(outside.err(), Some(Errno::EINVAL));
}

#[test]
fn recovery_is_seen_by_who_read_the_block_before() {
    let disk = one(&[30]);
    let early = disk.read(BlockNo(30)).expect("inside");
    drop(open(&disk).expect("a good log"));
    assert_eq!(bento::BlockBuf::bytes(&early).expect("healthy")[0], 1);
}

#[test]
fn impossible_places_are_refused() {
    let disk = MemDisk::new(64);
    let places = [(4, 15), (50, 16), (u64::MAX, 16), (0, 65), (0, u64::MAX)];
    for (start, blocks) in places {
        let got = Journal::format(&disk, BlockNo(start), blocks, 7);
        assert_eq!(got, Err(Errno::EINVAL), "{start}+{blocks}");
    }
    assert_eq!(disk.image(), MemDisk::new(64).image());
}
