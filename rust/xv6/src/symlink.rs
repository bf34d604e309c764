// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Symbolic links: the target lies in the inode where it fits, else in one block. The last bytes
//! of the longest ones, for which the block has no room behind its head, lie in the inode again.

use crate::corrupt::CorruptKind;
use crate::extent::{self, FileBlock};
use crate::inode::{Ino, Inode, LINK_TARGET_MAX};
use crate::layout::{self, BLOCK_HEAD, BLOCK_PAYLOAD, RawHead};
use crate::space::Purpose;
use crate::txn::Txn;
use crate::volume::ReadBlock;
use bento::{BlockDevice, BlockNo, Errno, FileKind, Result};
use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

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
    let block = BlockNo(run.block);
    let in_block = target.len().min(BLOCK_PAYLOAD.into());
    let (target, rest) = target.split_at(in_block);
    txn.zero(block)?;
    txn.write(block, 0, head(inode.ino).as_bytes())?;
    txn.write(block, BLOCK_HEAD, target)?;
    let place = inode.area.bytes.get_mut(layout::LINK_REST_AT..);
    let place = place.and_then(|place| place.get_mut(..rest.len()));
    place.ok_or(Errno::ENAMETOOLONG)?.copy_from_slice(rest);
    Ok(())
}

/// The head of the block of a link.
fn head(ino: Ino) -> RawHead {
    RawHead {
        magic: layout::LINK_MAGIC,
        checksum: U32::ZERO,
        owner: ino.0.into(),
        extra: U32::ZERO,
    }
}

/// The part of the target of the link `inode` that its block holds.
pub(crate) fn target_in<'b>(
    inode: &Inode,
    block: &'b [u8],
) -> core::result::Result<&'b [u8], CorruptKind> {
    let found: RawHead = layout::get(block, 0).ok_or(CorruptKind::LinkHead)?;
    let blank = RawHead {
        checksum: U32::ZERO,
        ..found
    };
    if blank != head(inode.ino) {
        return Err(CorruptKind::LinkHead);
    }
    let len = usize::try_from(inode.size).unwrap_or(usize::MAX);
    let target = layout::payload(block).get(..len.min(BLOCK_PAYLOAD.into()));
    let target = target.filter(|target| !target.contains(&0));
    target.ok_or(CorruptKind::LinkTarget)
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
    let rest = len.saturating_sub(BLOCK_PAYLOAD.into());
    let (start, end) = out.split_at_mut(len - rest);
    let valid = from.read(block, |bytes| {
        start.copy_from_slice(target_in(inode, bytes)?);
        Ok(())
    })?;
    valid.map_err(|kind: CorruptKind| kind.at(block))?;
    let area = inode.area.bytes.get(layout::LINK_REST_AT..);
    let area = area.and_then(|area| area.get(..rest)).ok_or(Errno::EIO)?;
    end.copy_from_slice(area);
    Ok(len)
}
