// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Area`]: the blocks of the log and how they are divided.

use crate::record::{ESCAPED, NUMBER_SIZE};
use bento::{BlockDevice, BlockNo, Errno, Result};

/// The fewest blocks of a log: header, one record, and room for a small operation.
pub(crate) const MIN_BLOCKS: u64 = 16;
/// The most blocks of a log: 128 MiB of 4 KiB blocks. It bounds recovery.
pub(crate) const MAX_BLOCKS: u64 = 32768;

/// The blocks of the log: the header, then a ring of transactions. Places in the ring are counted
/// from 1 (0 is the header).
///
/// # Invariants
/// Once made by [`Area::new`] the area lies within the device and within the limits above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) start: u64,
    pub(crate) blocks: u64,
}

/// Where a transaction begins, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) sequence: u64,
    /// Of its first block in the ring.
    pub(crate) position: u64,
}

impl Area {
    /// Numbers in one block of a record.
    const NUMBERS_PER_BLOCK: u64 = 512;
    /// The head of a record takes the room of so many numbers.
    const HEAD_NUMBERS: u64 = 8;
    /// The most revoked blocks of one transaction: what fits beside the targets of a small one.
    pub(crate) const REVOKED: u64 = 448;

    /// Checks the area of a log on `dev`.
    ///
    /// # Errors
    /// `EINVAL`, logged.
    pub(crate) fn new<D: BlockDevice>(dev: &D, start: BlockNo, blocks: u64) -> Result<Self> {
        const { assert!(D::BLOCK_SIZE == 512 * NUMBER_SIZE) };
        let start = start.0;
        let inside = start
            .checked_add(blocks)
            .is_some_and(|end| end <= dev.blocks());
        let numbers = dev.blocks() < ESCAPED;
        if !inside || !numbers || !(MIN_BLOCKS..=MAX_BLOCKS).contains(&blocks) {
            log::error!(
                "journal: a log of {blocks} blocks at block {start} is impossible on a device of \
                 {} blocks (allowed: {MIN_BLOCKS} to {MAX_BLOCKS} blocks)",
                dev.blocks()
            );
            return Err(Errno::EINVAL);
        }
        Ok(Self { start, blocks })
    }

    /// The blocks of the ring.
    pub(crate) fn ring(self) -> u64 {
        self.blocks.saturating_sub(1)
    }

    /// The most blocks that one transaction can change.
    pub(crate) fn capacity(self) -> u64 {
        // Of 513 blocks one is a record's; its head and what is revoked count like contents.
        let fixed = Self::HEAD_NUMBERS + Self::REVOKED;
        let total = self.ring() + fixed;
        total - total.div_ceil(Self::NUMBERS_PER_BLOCK + 1) - fixed
    }

    /// Blocks of a record with `numbers` targets and revoked blocks.
    pub(crate) fn record_blocks(numbers: u64) -> u64 {
        (numbers + Self::HEAD_NUMBERS).div_ceil(Self::NUMBERS_PER_BLOCK)
    }

    /// The most blocks of the ring that a transaction of `count` blocks takes.
    pub(crate) fn need(count: u64) -> u64 {
        count + Self::record_blocks(count + Self::REVOKED)
    }

    /// The block of the device at place `position` of the log.
    pub(crate) fn block(self, position: u64) -> BlockNo {
        BlockNo(self.start + position)
    }

    /// The place `count` blocks behind `position`; behind the last comes the first.
    pub(crate) fn after(self, position: u64, count: u64) -> u64 {
        (position.saturating_sub(1) + count) % self.ring() + 1
    }

    /// Blocks from `from` up to `to`, going round; 0 where they are the same place.
    pub(crate) fn distance(self, from: u64, to: u64) -> u64 {
        (to + self.ring() - from) % self.ring()
    }

    /// Blocks of the ring behind `position`, up to where it goes round.
    pub(crate) fn behind(self, position: u64) -> u64 {
        self.ring().saturating_sub(position)
    }

    /// `position` is a place in the ring.
    pub(crate) fn is_place(self, position: u64) -> bool {
        (1..self.blocks).contains(&position)
    }

    /// `block` is one of the log.
    pub(crate) fn contains(self, block: u64) -> bool {
        (self.start..self.start + self.blocks).contains(&block)
    }
}

#[cfg(test)]
mod tests {
    use super::{Area, MAX_BLOCKS, MIN_BLOCKS};

    #[test]
    fn a_full_transaction_fits_and_one_block_more_does_not() {
        for blocks in MIN_BLOCKS..=MAX_BLOCKS {
            let area = Area { start: 0, blocks };
            assert!(Area::need(area.capacity()) <= area.ring(), "{blocks}");
            assert!(Area::need(area.capacity() + 1) > area.ring(), "{blocks}");
        }
    }

    #[test]
    fn places_go_round() {
        let area = Area {
            start: 7,
            blocks: 16,
        };
        assert_eq!([1, 14, 15].map(|p| area.after(p, 1)), [2, 15, 1]);
        assert_eq!(area.after(3, 15), 3, "once around");
        for from in 1..16 {
            for count in 0..15 {
                let to = area.after(from, count);
                assert!(area.is_place(to));
                assert_eq!(area.distance(from, to), count);
            }
        }
        assert!(!area.is_place(0) && !area.is_place(16));
        assert_eq!([1, 14, 15].map(|p| area.behind(p)), [14, 1, 0]);
    }
}
