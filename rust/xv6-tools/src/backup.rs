// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The copy of the superblock in the last block of a file system.

use anyhow::{Result, bail};
use bento::{BlockBuf, BlockDevice, BlockNo, BlockWrite, WriteOrder};
use bento_fuse::FileDisk;
use xv6::layout::{self, RawSuper, SUPER_BLOCK};
use xv6::superblock::Super;

/// Where the device holds an intact copy: at its end, which a file system usually fills, or where
/// the damaged superblock says.
pub(crate) fn find(disk: &FileDisk) -> Result<Option<BlockNo>> {
    let first = raw(disk, BlockNo(SUPER_BLOCK))?;
    let named = first.and_then(|raw| raw.blocks.get().checked_sub(1));
    let last = disk.blocks().checked_sub(1);
    for block in [last, named].into_iter().flatten().map(BlockNo) {
        if block.0 < disk.blocks() && is_backup(disk, block)? {
            return Ok(Some(block));
        }
    }
    Ok(None)
}

/// The block that the user has named.
pub(crate) fn at(disk: &FileDisk, block: u64) -> Result<BlockNo> {
    let block = BlockNo(block);
    if block.0 >= disk.blocks() || !is_backup(disk, block)? {
        bail!("block {block} holds no superblock of a file system that ends there");
    }
    Ok(block)
}

/// Copies the superblock from its backup.
pub(crate) fn restore(disk: &FileDisk, backup: BlockNo) -> Result<()> {
    // A copy, for the lock of one block is let go before the next is taken.
    let data = disk.read(backup)?.bytes()?.to_vec();
    let write = BlockWrite {
        target: BlockNo(SUPER_BLOCK),
        data: &data,
    };
    disk.write(&[write], WriteOrder::Barrier)?;
    // The cache still holds the damaged block: it only ever changes through its handle.
    let cached = disk.read(BlockNo(SUPER_BLOCK))?;
    cached.bytes_mut()?.copy_from_slice(&data);
    Ok(())
}

fn is_backup(disk: &FileDisk, block: BlockNo) -> Result<bool> {
    let found = raw(disk, block)?.and_then(|raw| Super::try_from(&raw).ok());
    Ok(found.is_some_and(|found| found.geometry.backup() == block))
}

fn raw(disk: &FileDisk, block: BlockNo) -> Result<Option<RawSuper>> {
    Ok(layout::get(&disk.read(block)?.bytes()?, 0))
}
