// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The bitmaps, from what was found.

use super::{Mender, zeros};
use crate::bitmap::head;
use crate::inode::Ino;
use crate::layout::{self, BITS_PER_BLOCK, BLOCK_HEAD};
use alloc::collections::BTreeSet;
use bento::{BlockDevice, BlockNo, Result};
use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

impl<D: BlockDevice> Mender<'_, D> {
    pub(super) fn write_maps(&self) -> Result {
        let geometry = self.geometry();
        let slots = u64::from(geometry.inodes());
        let used: BTreeSet<u64> = self.items.iter().map(|item| item.ino.0.into()).collect();
        let orphans = self.items.iter().filter(|item| item.nlink == 0 || item.cut);
        let orphans: BTreeSet<u64> = orphans.map(|item| item.ino.0.into()).collect();
        self.write_map(
            (layout::BLOCK_MAP_MAGIC, geometry.block_map()),
            geometry.block_map_blocks(),
            |bit| bit >= geometry.blocks() || self.claims.has(bit),
        )?;
        self.write_map(
            (layout::INODE_MAP_MAGIC, geometry.inode_map()),
            geometry.inode_map_blocks(),
            |bit| bit == 0 || bit >= slots || used.contains(&bit),
        )?;
        self.write_map(
            (layout::ORPHAN_MAP_MAGIC, geometry.orphan_map()),
            geometry.inode_map_blocks(),
            |bit| orphans.contains(&bit),
        )
    }

    fn write_map(
        &self,
        (magic, first): (U32, u64),
        blocks: u64,
        is_set: impl Fn(u64) -> bool,
    ) -> Result {
        for index in 0..blocks {
            let mut bytes = zeros();
            let (start, bits) = bytes.split_at_mut(BLOCK_HEAD.into());
            start.copy_from_slice(head(magic, index).as_bytes());
            let mut bit = index * u64::from(BITS_PER_BLOCK);
            for byte in bits {
                for shift in 0..8 {
                    *byte |= u8::from(is_set(bit)) << shift;
                    bit += 1;
                }
            }
            self.write(BlockNo(first + index), &mut bytes)?;
        }
        Ok(())
    }

    /// Marks inodes as used that only directories know about.
    pub(super) fn mark_used(&self, inodes: &[Ino]) -> Result {
        for ino in inodes {
            let index = u64::from(ino.0 / BITS_PER_BLOCK);
            let block = BlockNo(self.geometry().inode_map() + index);
            let mut bytes = self.read(block)?;
            let bit = ino.0 % BITS_PER_BLOCK;
            let at = usize::from(BLOCK_HEAD) + usize::try_from(bit / 8).unwrap_or(0);
            if let Some(byte) = bytes.get_mut(at) {
                *byte |= 1 << (bit % 8);
            }
            self.write(block, &mut bytes)?;
        }
        Ok(())
    }
}
