// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The bytes of FORMAT.md, written here a second time; and logs that nobody should replay.

use bento::{BlockDevice, BlockNo, BlockWrite, Errno, WriteOrder};
use bento_sim::{Caching, MemDisk};
use journal::{Journal, crc32c};

const START: u64 = 4;
const BLOCKS: u64 = 16;

fn put(disk: &MemDisk, block: u64, head: &[u8]) {
    let mut data = head.to_vec();
    data.resize(4096, 0);
    let write = BlockWrite {
        target: BlockNo(block),
        data: &data,
    };
    disk.write(&[write], WriteOrder::Any).expect("inside");
}

/// A header by FORMAT.md.
fn header(sequence: u64, count: u64, body: u32) -> Vec<u8> {
    let mut bytes = b"BLog".to_vec();
    bytes.extend(1u32.to_le_bytes());
    for number in [sequence, START, BLOCKS, count] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(body.to_le_bytes());
    bytes.resize(60, 0);
    bytes.extend(crc32c(0, &bytes).to_le_bytes());
    bytes
}

/// A disk whose log holds one transaction that fills `targets` with 1, 2, 3 ...
fn logged(targets: &[u64]) -> MemDisk {
    let disk = MemDisk::new(64);
    let mut descriptor: Vec<u8> = targets.iter().flat_map(|t| t.to_le_bytes()).collect();
    descriptor.resize(4096, 0);
    let mut body = crc32c(crc32c(0, &7u64.to_le_bytes()), &descriptor);
    put(&disk, START + 1, &descriptor);
    for (n, place) in (1..).zip(START + 2..).take(targets.len()) {
        put(&disk, place, &[n; 4096]);
        body = crc32c(body, &[n; 4096]);
    }
    let count = u64::try_from(targets.len()).expect("few");
    put(&disk, START, &header(7, count, body));
    MemDisk::from_image(disk.image(), Caching::Short)
}

fn open(disk: &MemDisk) -> bento::Result<Journal<MemDisk>> {
    Journal::open(disk.clone(), BlockNo(START), BLOCKS, false)
}

fn first_byte(disk: &MemDisk, block: u64) -> u8 {
    disk.image().block(block).expect("inside")[0]
}

#[test]
fn a_log_written_by_the_book_is_replayed_once() {
    let disk = logged(&[30, 40, 63]);
    let journal = open(&disk).expect("a good log");
    assert_eq!([30, 40, 63].map(|b| first_byte(&disk, b)), [1, 2, 3]);
    assert_eq!(journal.sequence(), Ok(8));
    let rest = disk.image();
    assert_eq!(rest.block(START).expect("inside")[32..40], [0; 8], "empty");
    drop(journal);
    drop(open(&disk).expect("an empty log"));
    assert_eq!(disk.image(), rest);
}

#[test]
fn what_the_journal_writes_is_what_the_book_says() {
    let disk = MemDisk::new(64);
    Journal::format(&disk, BlockNo(START), BLOCKS).expect("a possible place");
    let journal = open(&disk).expect("a new log");
    let mut tx = journal.begin(2).expect("room");
    tx.write(BlockNo(63), 0, &[2; 4096]).expect("inside");
    tx.write(BlockNo(30), 0, &[1; 4096]).expect("inside");
    tx.commit().expect("healthy");
    journal.commit().expect("healthy");
    let mut descriptor = [30u64, 63].map(u64::to_le_bytes).concat();
    descriptor.resize(4096, 0);
    let parts: [&[u8]; 4] = [&1u64.to_le_bytes(), &descriptor, &[1; 4096], &[2; 4096]];
    let body = parts.into_iter().fold(0, crc32c);
    let image = disk.image();
    let block = |b: u64| image.block(b).expect("inside");
    assert_eq!(block(START)[..64], header(1, 2, body));
    assert_eq!(block(START + 1)[..], descriptor);
    assert_eq!((block(START + 2)[0], block(START + 3)[0]), (1, 2));
    assert_eq!((block(30)[4095], block(63)[4095]), (1, 2));
}

#[test]
fn logs_that_would_do_harm_are_refused_and_change_nothing() {
    let cases: [(&str, &[u64]); 5] = [
        ("behind the end", &[64]),
        ("far behind the end", &[30, u64::MAX]),
        ("over the log itself", &[START + 3]),
        ("twice the same block", &[30, 30]),
        ("not in order", &[40, 30]),
    ];
    for (case, targets) in cases {
        let disk = logged(targets);
        let before = disk.image();
        assert_eq!(open(&disk).err(), Some(Errno::EUCLEAN), "{case}");
        assert_eq!(disk.image(), before, "{case}");
    }
}

#[test]
fn a_damaged_header_is_refused_and_a_damaged_body_is_an_unfinished_commit() {
    for offset in [0, 4, 8, 16, 24, 32, 40, 50, 60] {
        let disk = logged(&[30]);
        disk.damage(START, offset, &[0xee]).expect("inside");
        let before = disk.image();
        assert_eq!(open(&disk).err(), Some(Errno::EUCLEAN), "byte {offset}");
        assert_eq!(disk.image(), before, "byte {offset}");
    }
    for block in [START + 1, START + 2] {
        let disk = logged(&[30]);
        disk.damage(block, 100, &[0xee]).expect("inside");
        assert_eq!(open(&disk).expect("opens").sequence(), Ok(8));
        assert_eq!(first_byte(&disk, 30), 0);
    }
}

#[test]
fn a_read_only_disk_opens_only_where_nothing_is_to_be_replayed() {
    let disk = logged(&[30]).into_read_only();
    assert_eq!(open(&disk).err(), Some(Errno::EROFS));
    let unfinished = logged(&[30]);
    unfinished.damage(START + 2, 0, &[0xee]).expect("inside");
    let journal = open(&unfinished.into_read_only()).expect("nothing to replay");
    assert_eq!(journal.begin(1).err(), Some(Errno::EROFS));
    assert_eq!(journal.commit(), Ok(()));
    assert_eq!(journal.close(), Ok(()));
}

#[test]
fn a_read_only_journal_still_recovers_a_writable_disk() {
    let disk = logged(&[30]);
    let journal = Journal::open(disk.clone(), BlockNo(START), BLOCKS, true).expect("a good log");
    assert_eq!(first_byte(&disk, 30), 1);
    assert_eq!(journal.begin(1).err(), Some(Errno::EROFS));
}

#[test]
fn a_log_that_is_not_to_be_replayed_is_left_alone() {
    for disk in [logged(&[30]), logged(&[30]).into_read_only()] {
        disk.damage(START, 60, &[0xee]).expect("inside");
        let before = disk.image();
        let journal = Journal::open_unrecovered(disk.clone(), BlockNo(START), BLOCKS);
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
    let disk = logged(&[30]);
    let early = disk.read(BlockNo(30)).expect("inside");
    drop(open(&disk).expect("a good log"));
    assert_eq!(bento::BlockBuf::bytes(&early).expect("healthy")[0], 1);
}

#[test]
fn impossible_places_are_refused() {
    let disk = MemDisk::new(64);
    let places = [(4, 15), (50, 16), (u64::MAX, 16), (0, 65), (0, u64::MAX)];
    for (start, blocks) in places {
        let got = Journal::format(&disk, BlockNo(start), blocks);
        assert_eq!(got, Err(Errno::EINVAL), "{start}+{blocks}");
    }
    assert_eq!(disk.image(), MemDisk::new(64).image());
}
