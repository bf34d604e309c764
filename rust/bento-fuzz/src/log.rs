// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Damaged logs.
//!
//! What is promised: recovery ends; what it accepts is recovered for good, so that a second
//! recovery writes nothing; the log is no door to damage that the repair cannot mend.

use crate::base::{CRASHED, superblock};
use crate::image::try_out;
use crate::meter::{Disk, disk};
use crate::script::Script;
use bento::{Result, crc32c};
use bento_sim::{Caching, Image};
use journal::Journal;
use std::sync::LazyLock;
use xv6::superblock::Super;

const BLOCK: usize = 4096;
const MAGIC: &[u8] = b"BLogTxn2";
/// Where a header and a record hold their checksums.
const HEADER_SUM: core::ops::Range<usize> = 60..64;
const RECORD_SUM: core::ops::Range<usize> = 32..36;

static SUPER: LazyLock<Super> = LazyLock::new(|| superblock(&CRASHED).expect("valid"));

/// The blocks of the log that hold anything, as a crash left them.
static USED: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let (start, blocks) = SUPER.geometry.log();
    let is_used = |block: &u64| {
        CRASHED
            .block(*block)
            .is_ok_and(|b| b.iter().any(|x| *x != 0))
    };
    (start.0..start.0 + blocks).filter(is_used).collect()
});

/// Damage of the log.
pub fn journal(input: &[u8]) {
    let mut script = Script::new(input);
    let mut image = CRASHED.clone();
    let sealed = script.coin();
    for _ in 0..=script.byte() % 8 {
        let index = script.index(USED.len()).expect("there is a log");
        // The head of a block matters more than the rest.
        let at = match script.byte() {
            near @ 0..0xf0 => usize::from(near),
            _ => script.short() % BLOCK,
        };
        let room = (usize::from(script.byte() % 16) + 1).min(BLOCK - at);
        let bytes = script.bytes(room);
        image.write(USED[index], at, bytes).expect("inside");
    }
    if sealed {
        seal(&mut image);
    }
    let first = disk(image, Caching::Short);
    if recover(first.clone()).is_err() {
        return;
    }
    let recovered = first.inner().image();
    let second = disk(recovered.clone(), Caching::Short);
    recover(second.clone()).expect("what was recovered can be opened");
    let changed = second.inner().image().differences(&recovered);
    assert!(changed.is_empty(), "a second recovery writes {changed:?}");
    try_out(&recovered, script);
}

fn recover(disk: Disk) -> Result {
    let (start, blocks) = SUPER.geometry.log();
    Journal::open(disk, start, blocks, false).map(drop)
}

/// Makes the checksums of the header and of all transactions right.
fn seal(image: &mut Image) {
    let (start, blocks) = SUPER.geometry.log();
    let sum = |bytes: &[u8], from| crc32c(from, bytes).to_le_bytes();
    let header = image.block(start.0).expect("inside")[..HEADER_SUM.start].to_vec();
    image
        .write(start.0, HEADER_SUM.start, &sum(&header, 0))
        .expect("inside");
    let mut at = start.0 + 1;
    while at < start.0 + blocks {
        let whole = transaction(image, at, start.0 + 1..start.0 + blocks);
        let Some((record, contents)) = whole else {
            at += 1;
            continue;
        };
        let of_contents = crc32c(0, &contents);
        let mut blank = record;
        blank[RECORD_SUM].fill(0);
        image
            .write(at, RECORD_SUM.start, &sum(&blank, of_contents))
            .expect("inside");
        at += 1;
    }
}

/// The record that begins in block `at`, and its contents. The ring is `ring`.
fn transaction(image: &Image, at: u64, ring: core::ops::Range<u64>) -> Option<(Vec<u8>, Vec<u8>)> {
    let head = image.block(at).ok()?;
    let number = |at: usize| {
        head.get(at..)?
            .first_chunk()
            .map(|b| u32::from_le_bytes(*b))
    };
    if !head.starts_with(MAGIC) {
        return None;
    }
    let (count, revoked) = (u64::from(number(24)?), u64::from(number(28)?));
    let record = (64 + 8 * (count + revoked)).div_ceil(4096);
    let length = ring.end - ring.start;
    if record + count > length {
        return None;
    }
    let wrapped = |n: u64| ring.start + (at - ring.start + n) % length;
    let bytes = |part: core::ops::Range<u64>| {
        let blocks = part.map(|n| image.block(wrapped(n)).expect("in the ring"));
        blocks.flat_map(|block| block.iter().copied()).collect()
    };
    Some((bytes(0..record), bytes(record..record + count)))
}

#[cfg(test)]
mod tests {
    use super::{CRASHED, SUPER, recover, seal, transaction};
    use crate::meter::disk;
    use bento_sim::Caching;

    #[test]
    fn the_log_of_the_base_has_transactions_to_replay_and_their_checksums_are_right() {
        let mut sealed = CRASHED.clone();
        seal(&mut sealed);
        assert_eq!(sealed.differences(&CRASHED), [0; 0]);
        let (start, blocks) = SUPER.geometry.log();
        let ring = start.0 + 1..start.0 + blocks;
        let found = ring
            .clone()
            .filter(|at| transaction(&CRASHED, *at, ring.clone()).is_some());
        assert!(found.count() > 3);
        let disk = disk(CRASHED.clone(), Caching::Short);
        recover(disk.clone()).expect("whole");
        assert!(
            disk.inner().image().differences(&CRASHED).len() > 5,
            "nothing is replayed"
        );
    }
}
