// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Area`]: the blocks of the log and how they are divided.

use crate::header::TARGET_SIZE;
use bento::{BlockDevice, BlockNo, Errno, Result};

/// The fewest blocks of a log: header, one descriptor block, and room for a small operation.
pub(crate) const MIN_BLOCKS: u64 = 16;
/// The most blocks of a log: 128 MiB of 4 KiB blocks. It bounds recovery.
pub(crate) const MAX_BLOCKS: u64 = 32768;

/// The blocks of the log: the header, then descriptor blocks, then contents.
///
/// # Invariants
/// Once made by [`Area::new`] the area lies within the device and within the limits above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) start: u64,
    pub(crate) blocks: u64,
}

impl Area {
    /// Targets in one descriptor block of 4 KiB.
    pub(crate) const TARGETS_PER_BLOCK: u64 = 512;

    /// Checks the area of a log on `dev`.
    ///
    /// # Errors
    /// `EINVAL`, logged.
    pub(crate) fn new<D: BlockDevice>(dev: &D, start: BlockNo, blocks: u64) -> Result<Self> {
        const { assert!(D::BLOCK_SIZE == 512 * TARGET_SIZE) };
        let start = start.0;
        let inside = start
            .checked_add(blocks)
            .is_some_and(|end| end <= dev.blocks());
        if !inside || !(MIN_BLOCKS..=MAX_BLOCKS).contains(&blocks) {
            log::error!(
                "journal: a log of {blocks} blocks at block {start} is impossible on a device of \
                 {} blocks (allowed: {MIN_BLOCKS} to {MAX_BLOCKS} blocks)",
                dev.blocks()
            );
            return Err(Errno::EINVAL);
        }
        Ok(Self { start, blocks })
    }

    /// The most blocks that one transaction can change.
    pub(crate) fn capacity(self) -> u64 {
        // n contents need ceil(n / 512) descriptors: of 513 blocks one is a descriptor.
        let body = self.blocks.saturating_sub(1);
        body - body.div_ceil(Self::TARGETS_PER_BLOCK + 1)
    }

    /// Descriptor blocks of a transaction of `count` blocks.
    pub(crate) fn descriptors(count: u64) -> u64 {
        count.div_ceil(Self::TARGETS_PER_BLOCK)
    }

    /// The `index`th block of the log (0 is the header).
    pub(crate) fn block(self, index: u64) -> BlockNo {
        BlockNo(self.start + index)
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
            let used = |n| 1 + Area::descriptors(n) + n;
            assert!(used(area.capacity()) <= blocks, "{blocks}");
            assert!(used(area.capacity() + 1) > blocks, "{blocks}");
        }
    }
}
