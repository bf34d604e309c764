// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Orphans: inodes for which work is left to do after a crash.
//!
//! The orphan map has a bit for each inode that has lost its last name but may still be open, or
//! whose truncation is unfinished. A mount finishes that work before anything else happens.

use crate::bitmap;
use crate::corrupt::CorruptKind;
use crate::inode::{Ino, Inode, Node};
use crate::layout::{self, BITS_PER_BLOCK};
use crate::superblock::Geometry;
use crate::txn::Txn;
use crate::volume::{ReadBlock, Volume};
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, Errno, InodeNo, Result};

/// Where the bit of an inode lies: block, and bit in it.
fn place(geometry: &Geometry, ino: Ino) -> (BlockNo, u32) {
    let block = geometry.orphan_map() + u64::from(ino.0 / BITS_PER_BLOCK);
    (BlockNo(block), ino.0 % BITS_PER_BLOCK)
}

/// Enters an inode into the map, or takes it out.
pub(crate) fn mark<D: BlockDevice>(txn: &mut Txn<'_, D>, ino: Ino, orphan: bool) -> Result {
    let (block, bit) = place(txn.geometry(), ino);
    txn.change_bits(block, bit..bit + 1, orphan, CorruptKind::OrphanMismatch)
}

/// Finishes what a crash or a panic has left undone. With `keep_unlinked`, inodes without a name
/// stay: the host still uses them and will `forget` them.
#[inline(never)]
pub(crate) fn recover<D: BlockDevice>(volume: &Volume<D>, keep_unlinked: bool) -> Result {
    let mut number = 0;
    while let Some(ino) = next(volume, number)? {
        number = ino.0 + 1;
        finish(volume, ino, keep_unlinked)?;
    }
    Ok(())
}

/// All orphans. A read-only mount leaves them alone; where it becomes writable they are finished
/// later, but no others: by then, inodes without a name can be in use.
pub(crate) fn list<D: BlockDevice>(volume: &Volume<D>) -> Result<Vec<Ino>> {
    let mut all = Vec::new();
    while let Some(ino) = next(volume, all.last().map_or(0, |ino: &Ino| ino.0 + 1))? {
        all.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        all.push(ino);
    }
    Ok(all)
}

/// Finishes the orphans that a read-only mount had to leave alone.
pub(crate) fn finish_left<D: BlockDevice>(volume: &Volume<D>) -> Result {
    let left = core::mem::take(&mut *volume.orphans_left.lock()?);
    left.into_iter()
        .try_for_each(|ino| finish(volume, ino, false))
}

/// The first inode from `from` on that has no name: one that [`recover`] has kept.
///
/// # Errors
/// `ENOENT`: there is none.
pub(crate) fn next_unlinked<D: BlockDevice>(volume: &Volume<D>, from: InodeNo) -> Result<InodeNo> {
    let mut number = u32::try_from(from.0).map_err(|_| Errno::ENOENT)?;
    while let Some(ino) = next(volume, number)? {
        if Inode::load(volume, ino)?.is_some_and(|inode| inode.nlink == 0) {
            return Ok(ino.number());
        }
        number = ino.0.saturating_add(1);
    }
    Err(Errno::ENOENT)
}

/// The first orphan whose number is at least `from`.
fn next<D: BlockDevice>(volume: &Volume<D>, from: u32) -> Result<Option<Ino>> {
    let geometry = volume.geometry();
    let mut number = from;
    while number < geometry.inodes() {
        let (block, bit) = place(geometry, Ino(number));
        let ahead = bitmap::ahead(u64::from((geometry.inodes() - 1 - number) / BITS_PER_BLOCK));
        let found = volume.read_ahead(block, ahead, |bytes| {
            bitmap::first_set(layout::payload(bytes), bit..BITS_PER_BLOCK)
        })?;
        let base = number - bit;
        if let Some(found) = found {
            let ino = geometry.ino(u64::from(base) + u64::from(found));
            return ino
                .map(Some)
                .ok_or_else(|| CorruptKind::OrphanMismatch.at(block));
        }
        number = base.saturating_add(BITS_PER_BLOCK);
    }
    Ok(None)
}

fn finish<D: BlockDevice>(volume: &Volume<D>, ino: Ino, keep_unlinked: bool) -> Result {
    let (block, _) = place(volume.geometry(), ino);
    let inode = Inode::load(volume, ino)?.filter(Inode::is_orphan);
    let inode = inode.ok_or_else(|| CorruptKind::OrphanMismatch.at(block))?;
    if inode.nlink == 0 && keep_unlinked {
        return Ok(());
    }
    log::info!("inode {ino}: finishing what was interrupted");
    let node = Node::new(inode, 0);
    loop {
        let step = if inode.nlink == 0 {
            volume.forget(&node)
        } else {
            volume.finish_cut(&node)
        };
        if step != Err(Errno::EAGAIN) {
            return step;
        }
    }
}
