// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Symbolic links: the target lies in the inode where it fits, else in one block.

use crate::corrupt::CorruptKind;
use crate::extent::{self, FileBlock};
use crate::inode::{Inode, LINK_TARGET_MAX};
use crate::space::Purpose;
use crate::txn::Txn;
use crate::volume::ReadBlock;
use bento::{BlockDevice, BlockNo, Errno, FileKind, Result};

/// Gives the new symbolic link `inode` its target.
///
/// # Errors
/// `EINVAL`: empty or with a NUL. `ENAMETOOLONG`: more than 4095 bytes. `ENOSPC`.
pub(crate) fn write<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    target: &[u8],
) -> Result {
    if target.is_empty() || target.contains(&0) {
        return Err(Errno::EINVAL);
    }
    inode.size = u64::try_from(target.len()).map_err(|_| Errno::ENAMETOOLONG)?;
    if inode.size > LINK_TARGET_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    if let Some(place) = inode.area.bytes.get_mut(..target.len()) {
        place.copy_from_slice(target);
        return Ok(());
    }
    let run = extent::fill(txn, inode, FileBlock(0), 1, Purpose::Meta)?;
    txn.zero(BlockNo(run.block))?;
    txn.write(BlockNo(run.block), 0, target)
}

/// Copies the target of a symbolic link into `out`; returns its length.
///
/// # Errors
/// `EINVAL`: no symbolic link. `ERANGE`: `out` is too small.
pub(crate) fn read(from: &impl ReadBlock, inode: &Inode, out: &mut [u8]) -> Result<usize> {
    if inode.kind != FileKind::Symlink {
        return Err(Errno::EINVAL);
    }
    let len = usize::try_from(inode.size).map_err(|_| Errno::EIO)?;
    let out = out.get_mut(..len).ok_or(Errno::ERANGE)?;
    if inode.is_inline_link() {
        out.copy_from_slice(inode.area.bytes.get(..len).ok_or(Errno::EIO)?);
        return Ok(len);
    }
    let block = extent::metadata_block(from, inode, FileBlock(0))?;
    let valid = from.read(block, |bytes| {
        let target = bytes.get(..len).filter(|target| !target.contains(&0))?;
        out.copy_from_slice(target);
        Some(len)
    })?;
    valid.ok_or_else(|| CorruptKind::LinkTarget.at(block))
}
