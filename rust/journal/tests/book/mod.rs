// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The bytes of FORMAT.md, written here a second time.

use bento::crc32c;
use bento_sim::Image;

pub(crate) const BLOCK: usize = 4096;
pub(crate) const MAGIC: &[u8; 8] = b"BLogTxn2";
pub(crate) const ESCAPED: u64 = 1 << 63;

/// A log: where it lies, and its seed.
#[derive(Clone, Copy)]
pub(crate) struct Log {
    pub(crate) start: u64,
    pub(crate) blocks: u64,
    pub(crate) seed: u64,
}

/// A transaction: sequence number, targets, revoked blocks, contents.
pub(crate) struct Transaction {
    pub(crate) sequence: u64,
    pub(crate) targets: Vec<u64>,
    pub(crate) revoked: Vec<u64>,
    pub(crate) contents: Vec<Vec<u8>>,
}

/// What the header says of a transaction's place: sequence and position.
pub(crate) type Tail = (u64, u64);

impl Log {
    /// A header.
    pub(crate) fn header(self, (sequence, position): Tail) -> Vec<u8> {
        let mut bytes = b"BLog".to_vec();
        bytes.extend(2u32.to_le_bytes());
        for number in [sequence, self.start, self.blocks, position, self.seed] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.resize(60, 0);
        bytes.extend(crc32c(0, &bytes).to_le_bytes());
        bytes
    }

    /// The blocks of a transaction, as they follow each other in the ring.
    pub(crate) fn transaction(self, tx: &Transaction) -> Vec<Vec<u8>> {
        let mut record = MAGIC.to_vec();
        record.extend(self.seed.to_le_bytes());
        record.extend(tx.sequence.to_le_bytes());
        for length in [tx.targets.len(), tx.revoked.len()] {
            record.extend(u32::try_from(length).expect("small").to_le_bytes());
        }
        record.resize(64, 0);
        for number in tx.targets.iter().chain(&tx.revoked) {
            record.extend(number.to_le_bytes());
        }
        record.resize(record.len().next_multiple_of(BLOCK), 0);
        let contents = tx.contents.iter().fold(0, |sum, block| crc32c(sum, block));
        let sum = crc32c(contents, &record);
        record[32..36].copy_from_slice(&sum.to_le_bytes());
        let blocks = record.chunks(BLOCK).map(<[u8]>::to_vec);
        blocks.chain(tx.contents.iter().cloned()).collect()
    }

    /// The block of the device at a place of the ring.
    pub(crate) fn block(self, position: u64) -> u64 {
        self.start + (position - 1) % (self.blocks - 1) + 1
    }

    /// The tail that the header on `image` names.
    pub(crate) fn tail(self, image: &Image) -> Tail {
        let header = image.block(self.start).expect("inside");
        (number(header, 8), number(header, 32))
    }

    /// Calls `change` with what looks like the next transaction, complete or not, from the tail on;
    /// what it returns takes that one's place. Stops where there is none, or `change` says so.
    pub(crate) fn doctor(
        self,
        image: &mut Image,
        mut change: impl FnMut(&Transaction, bool) -> Option<Transaction>,
    ) -> usize {
        let (mut sequence, mut position) = self.tail(image);
        let mut changed = 0;
        while let Some(found) = self.transaction_at(image, sequence, position) {
            let blocks = self.transaction(&found);
            let stored = |n: usize| {
                let at = self.block(position + u64::try_from(n).expect("small"));
                image.block(at).expect("inside").to_vec()
            };
            let complete = (0..blocks.len()).all(|n| stored(n) == blocks[n]);
            let Some(instead) = change(&found, complete) else {
                break;
            };
            let place = (position..).zip(self.transaction(&instead));
            for (at, block) in place.map(|(at, block)| (self.block(at), block)) {
                image.write(at, 0, &block).expect("inside");
            }
            changed += 1;
            sequence += 1;
            position += u64::try_from(blocks.len()).expect("small");
        }
        changed
    }

    /// The transaction at a place, whether or not its checksum is right.
    fn transaction_at(self, image: &Image, sequence: u64, position: u64) -> Option<Transaction> {
        let block = |n: u64| image.block(self.block(position + n)).expect("inside");
        let record = block(0);
        let right = record[..8] == MAGIC[..]
            && number(record, 8) == self.seed
            && number(record, 16) == sequence;
        let short =
            |at: usize| u64::from(u32::from_le_bytes(*record[at..].first_chunk().expect("4")));
        let (count, revoked) = (short(24), short(28));
        // The logs of the tests are so small that a record has one block.
        if !right || count + revoked > 500 || count + 1 >= self.blocks {
            return None;
        }
        let numbers = |from: u64, len: u64| {
            let at = |n| 64 + 8 * usize::try_from(n).expect("small");
            (from..from + len).map(|n| number(record, at(n))).collect()
        };
        Some(Transaction {
            sequence,
            targets: numbers(0, count),
            revoked: numbers(count, revoked),
            contents: (1..=count).map(|n| block(n).to_vec()).collect(),
        })
    }
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("8 bytes"))
}
