// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Record`]: the commit record of a transaction, which begins it in the ring (see `FORMAT.md`).

use crate::area::Area;
use bento::{Errno, Result, crc32c};

/// Bytes per target and per revoked block.
pub(crate) const NUMBER_SIZE: usize = 8;
/// In the number of a target: its contents begin with [`MAGIC`] and are stored with zeros there.
/// So no contents in the ring, whoever chose them, can be taken for a record.
pub(crate) const ESCAPED: u64 = 1 << 63;
/// The first bytes of a record.
pub(crate) const MAGIC: [u8; 8] = *b"BLogTxn2";

/// Where the numbers begin.
const HEAD_SIZE: usize = 64;
/// Offset of the checksum.
const CHECKSUM_AT: usize = 32;

/// The head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) seed: u64,
    pub(crate) sequence: u64,
    /// How many blocks the transaction changes.
    pub(crate) count: u64,
    /// How many blocks it revokes: older transactions in the log must not be replayed on them.
    pub(crate) revoked: u64,
}

impl Record {
    /// Blocks of the record itself.
    pub(crate) fn blocks(&self) -> u64 {
        Area::record_blocks(self.count + self.revoked)
    }

    /// Blocks of the transaction in the ring.
    pub(crate) fn total(&self) -> u64 {
        self.blocks() + self.count
    }

    /// Fills `out`, the blocks of the record. `numbers` are the targets, then what is revoked;
    /// `contents` is the checksum of the contents.
    ///
    /// # Errors
    /// `E2BIG`: `out` is too small.
    pub(crate) fn encode(
        &self,
        numbers: impl Iterator<Item = u64>,
        contents: u32,
        out: &mut [u8],
    ) -> Result {
        out.fill(0);
        let (head, rest) = out.split_at_mut_checked(HEAD_SIZE).ok_or(Errno::E2BIG)?;
        let small = |n: u64| u32::try_from(n).map_err(|_| Errno::E2BIG);
        let fields = [
            &MAGIC[..],
            &self.seed.to_le_bytes(),
            &self.sequence.to_le_bytes(),
            &small(self.count)?.to_le_bytes(),
            &small(self.revoked)?.to_le_bytes(),
        ];
        for (to, from) in head.iter_mut().zip(fields.into_iter().flatten()) {
            *to = *from;
        }
        let (slots, _) = rest.as_chunks_mut::<NUMBER_SIZE>();
        for (slot, number) in slots.iter_mut().zip(numbers) {
            *slot = number.to_le_bytes();
        }
        let sum = crc32c(contents, out);
        let place = out.get_mut(CHECKSUM_AT..).ok_or(Errno::E2BIG)?;
        let (place, _) = place.split_first_chunk_mut().ok_or(Errno::E2BIG)?;
        *place = sum.to_le_bytes();
        Ok(())
    }

    /// The record that begins in `block`, and its checksum; `None` where none of this log with
    /// number `sequence` does.
    pub(crate) fn decode(block: &[u8], seed: u64, sequence: u64) -> Option<(Self, u32)> {
        let (magic, rest) = block.split_first_chunk::<8>()?;
        let (found_seed, rest) = rest.split_first_chunk::<8>()?;
        let (found_sequence, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let (revoked, rest) = rest.split_first_chunk::<4>()?;
        let (sum, _) = rest.split_first_chunk::<4>()?;
        let record = Self {
            seed: u64::from_le_bytes(*found_seed),
            sequence: u64::from_le_bytes(*found_sequence),
            count: u32::from_le_bytes(*count).into(),
            revoked: u32::from_le_bytes(*revoked).into(),
        };
        let mine = *magic == MAGIC && record.seed == seed && record.sequence == sequence;
        mine.then_some((record, u32::from_le_bytes(*sum)))
    }
}

/// Continues the checksum `sum` over a block of a record, the stored checksum itself left out of
/// the `first`.
pub(crate) fn add_block(sum: u32, block: &[u8], first: bool) -> u32 {
    match block.split_at_checked(CHECKSUM_AT) {
        Some((head, rest)) if first => {
            let tail = rest.get(4..).unwrap_or_default();
            crc32c(crc32c(crc32c(sum, head), &[0; 4]), tail)
        }
        _ => crc32c(sum, block),
    }
}

/// The numbers in a block of a record.
pub(crate) fn numbers(block: &[u8], first: bool) -> impl Iterator<Item = u64> {
    let skip = if first { HEAD_SIZE } else { 0 };
    let (slots, _) = block.get(skip..).unwrap_or_default().as_chunks();
    slots.iter().map(|slot| u64::from_le_bytes(*slot))
}

#[cfg(test)]
mod tests {
    use super::{Record, add_block, numbers};
    use alloc::vec;
    use alloc::vec::Vec;

    const RECORD: Record = Record {
        seed: 7,
        sequence: 9,
        count: 2,
        revoked: 1,
    };

    #[test]
    fn a_record_comes_back_and_any_changed_byte_is_noticed() {
        let mut block = vec![0; 4096];
        let targets = [30, 40, 50];
        let done = RECORD.encode(targets.into_iter(), 0x1234, &mut block);
        assert_eq!(done, Ok(()));
        let (found, sum) = Record::decode(&block, 7, 9).expect("it is one");
        assert_eq!(found, RECORD);
        assert_eq!(add_block(0x1234, &block, true), sum);
        assert_eq!(
            numbers(&block, true).take(4).collect::<Vec<_>>(),
            [30, 40, 50, 0]
        );
        for at in 0..block.len() {
            let mut bad = block.clone();
            if let Some(byte) = bad.get_mut(at) {
                *byte ^= 0x10;
            }
            let found = Record::decode(&bad, 7, 9);
            let right = found.is_some_and(|(_, sum)| add_block(0x1234, &bad, true) == sum);
            assert!(!right, "byte {at}");
        }
    }

    #[test]
    fn records_of_other_logs_and_times_are_none() {
        let mut block = vec![0; 4096];
        assert_eq!(RECORD.encode([].into_iter(), 0, &mut block), Ok(()));
        assert_eq!(Record::decode(&block, 8, 9), None);
        assert_eq!(Record::decode(&block, 7, 10), None);
        assert_eq!(Record::decode(&[0; 4096], 0, 0), None);
        assert_eq!(Record::decode(&[], 0, 0), None);
    }
}
