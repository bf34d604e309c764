// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Third pass: the bitmaps against what is in use.

use super::{Checker, MAPS};
use crate::bitmap::check_head;
use crate::corrupt::CorruptKind;
use crate::inode::Ino;
use crate::layout;
use bento::{BlockDevice, BlockNo, Result};
use zerocopy::little_endian::U32;

impl<D: BlockDevice> Checker<'_, D> {
    pub(super) fn check_maps(&mut self) -> Result {
        let geometry = self.geometry();
        let slots = u64::from(geometry.inodes());
        self.check_map(
            (layout::BLOCK_MAP_MAGIC, geometry.block_map()),
            |checker, bit, set, at| {
                let tail = bit >= geometry.blocks();
                match (tail, set, checker.used.has(bit)) {
                    (true, false, _) => checker.find(CorruptKind::MapTail, None, at),
                    (false, false, true) => {
                        checker.find(CorruptKind::BlockMarkedFree, None, BlockNo(bit));
                    }
                    (false, true, false) => {
                        checker.find(CorruptKind::BlockMarkedUsed, None, BlockNo(bit));
                    }
                    _ => {}
                }
            },
            geometry.block_map_blocks(),
        )?;
        // Its other bits have been compared with the inodes themselves.
        self.check_map(
            (layout::INODE_MAP_MAGIC, geometry.inode_map()),
            |checker, bit, set, at| {
                if bit >= slots && !set {
                    checker.find(CorruptKind::MapTail, None, at);
                }
            },
            geometry.inode_map_blocks(),
        )?;
        self.check_map(
            (layout::ORPHAN_MAP_MAGIC, geometry.orphan_map()),
            |checker, bit, set, at| {
                if bit >= slots {
                    if set {
                        checker.find(CorruptKind::MapTail, None, at);
                    }
                    return;
                }
                let number = u32::try_from(bit).unwrap_or(0);
                let orphan = checker.seen(number).is_some_and(|seen| seen.orphan);
                if orphan != set {
                    checker.find(CorruptKind::OrphanMismatch, Some(Ino(number)), at);
                }
            },
            geometry.inode_map_blocks(),
        )
    }

    /// Calls `look` with the number and the value of every bit of a bitmap.
    fn check_map(
        &mut self,
        (magic, first): (U32, u64),
        mut look: impl FnMut(&mut Self, u64, bool, BlockNo),
        blocks: u64,
    ) -> Result {
        let mut bit = 0;
        for index in 0..blocks {
            self.advance(&MAPS, index, blocks);
            let at = BlockNo(first + index);
            let bytes = self.sealed_copy(at, None)?;
            if let Err(kind) = check_head(&bytes, magic, index) {
                self.find(kind, None, at);
            }
            for byte in layout::payload(&bytes) {
                for shift in 0..8 {
                    look(self, bit, byte & (1 << shift) != 0, at);
                    bit += 1;
                }
            }
        }
        Ok(())
    }
}
