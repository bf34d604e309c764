// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! First pass, a part of it: the block of extended attributes of an inode.

use super::Checker;
use crate::corrupt::CorruptKind;
use crate::inode::Inode;
use crate::xattr::Attributes;
use bento::{BlockDevice, BlockNo, Result};

impl<D: BlockDevice> Checker<'_, D> {
    /// Checks the extended attributes of an inode; returns how many blocks they use.
    pub(super) fn check_xattrs(&mut self, inode: &Inode) -> Result<u64> {
        let block = BlockNo(inode.xattr);
        if inode.xattr == 0 {
            return Ok(0);
        }
        if self.used.take(block.0..block.0 + 1).is_some() {
            self.find(CorruptKind::BlockShared, Some(inode.ino), block);
            return Ok(1);
        }
        let bytes = self.sealed_copy(block, Some(inode.ino))?;
        if let Err(kind) = Attributes::parse(&bytes, inode.ino) {
            self.find(kind, Some(inode.ino), block);
        }
        Ok(1)
    }
}
