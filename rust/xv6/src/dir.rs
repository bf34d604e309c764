// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Directories: blocks full of entries, without order.
//!
//! An entry never moves while it exists, so its position is a stable cookie for `readdir`. The
//! entries of a block cover it: removing one adds its bytes to the one before.

mod entry;

pub(crate) use entry::{Dirent, check_head, check_name, encode, entries};
pub(crate) use entry::{free as free_entry, size as entry_size};

use crate::corrupt::CorruptKind;
use crate::extent::{self, FileBlock, TREE_CREDITS};
use crate::inode::{Ino, Inode};
use crate::layout::{self, BLOCK_SIZE, DIR_START, RawDirHead};
use crate::space::Purpose;
use crate::txn::Txn;
use crate::volume::ReadBlock;
use bento::{BlockDevice, BlockNo, DirBuf, Errno, FileKind, Result};
use core::ops::ControlFlow;
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32};

/// Blocks that one insertion may change, the inode of the directory apart: the entry's block,
/// its bitmap, the tree.
pub(crate) const INSERT_CREDITS: usize = 2 + TREE_CREDITS;

/// An entry that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) ino: Ino,
    pub(crate) kind: FileKind,
    block: BlockNo,
    at: u16,
    rec_len: u16,
    /// The entry before it in its block.
    before: Option<(u16, u16)>,
}

impl Found {
    /// The entry names `inode`.
    ///
    /// # Errors
    /// `ENOENT`: it names another.
    pub(crate) fn leads_to(&self, inode: &Inode) -> Result {
        if self.ino != inode.ino {
            return Err(Errno::ENOENT);
        }
        if self.kind != inode.kind {
            return Err(CorruptKind::DirEntryKindDiffers.at(self.block));
        }
        Ok(())
    }
}

/// Where a new entry goes.
#[derive(Clone, Copy, Debug)]
struct Room {
    block: BlockNo,
    at: u16,
    rec_len: u16,
    /// The entry that gives away its tail, and what it keeps.
    shrink: Option<(u16, u16)>,
}

/// Runs `look` on the blocks of a directory from `start` on, until it breaks.
fn walk<B>(
    from: &impl ReadBlock,
    dir: &Inode,
    start: FileBlock,
    mut look: impl FnMut(FileBlock, BlockNo, &[u8]) -> core::result::Result<ControlFlow<B>, CorruptKind>,
) -> Result<Option<B>> {
    let end = FileBlock::behind_byte(dir.size);
    for number in start.0..end.0 {
        let at = FileBlock(number);
        let block = extent::metadata_block(from, dir, at)?;
        let step = from.read(block, |bytes| {
            check_head(bytes, dir.ino)?;
            look(at, block, bytes)
        })?;
        match step.map_err(|kind| kind.at(block))? {
            ControlFlow::Break(found) => return Ok(Some(found)),
            ControlFlow::Continue(()) => {}
        }
    }
    Ok(None)
}

/// The entry `name`.
pub(crate) fn find(from: &impl ReadBlock, dir: &Inode, name: &[u8]) -> Result<Option<Found>> {
    let geometry = *from.geometry();
    walk(from, dir, FileBlock(0), |_, block, bytes| {
        let mut before = None;
        for entry in entries(bytes) {
            let entry = entry?;
            if let Some(kind) = entry.kind.filter(|_| entry.name == name) {
                let ino = geometry.ino(entry.ino.into());
                return Ok(ControlFlow::Break(Found {
                    ino: ino.ok_or(CorruptKind::DirEntryInode)?,
                    kind,
                    block,
                    at: entry.at,
                    rec_len: entry.rec_len,
                    before,
                }));
            }
            before = Some((entry.at, entry.rec_len));
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// The directory has no entries.
pub(crate) fn is_empty(from: &impl ReadBlock, dir: &Inode) -> Result<bool> {
    let used = walk(from, dir, FileBlock(0), |_, _, bytes| {
        for entry in entries(bytes) {
            if entry?.kind.is_some() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(used.is_none())
}

/// Puts the entries behind `cookie` into `out`.
pub(crate) fn read(
    from: &impl ReadBlock,
    dir: &Inode,
    cookie: u64,
    out: &mut DirBuf<'_>,
) -> Result {
    let last = cookie.checked_sub(2);
    let start = last.unwrap_or(0) / u64::from(BLOCK_SIZE);
    let Some(start) = u32::try_from(start).ok().map(FileBlock) else {
        return Ok(());
    };
    let geometry = *from.geometry();
    walk(from, dir, start, |at, _, bytes| {
        for entry in entries(bytes) {
            let entry = entry?;
            let position = at.byte() + u64::from(entry.at);
            let Some(kind) = entry.kind.filter(|_| last.is_none_or(|l| position > l)) else {
                continue;
            };
            let ino = geometry.ino(entry.ino.into());
            let ino = ino.ok_or(CorruptKind::DirEntryInode)?.number();
            if !out.push(ino, position + 2, kind, entry.name) {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(())
}

/// Adds an entry.
///
/// # Errors
/// `EEXIST`, `ENOSPC`; `EINVAL`, `ENAMETOOLONG`: not a name.
#[inline(never)]
pub(crate) fn insert<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &mut Inode,
    name: &[u8],
    ino: Ino,
    kind: FileKind,
) -> Result {
    let need = entry::size(check_name(name)?);
    let mut room = None;
    let exists = walk(txn, dir, FileBlock(0), |_, block, bytes| {
        for entry in entries(bytes) {
            let entry = entry?;
            if entry.kind.is_some() && entry.name == name {
                return Ok(ControlFlow::Break(()));
            }
            let kept = entry.needed();
            if room.is_none() && entry.rec_len - kept >= need {
                room = Some(Room {
                    block,
                    at: entry.at + kept,
                    rec_len: entry.rec_len - kept,
                    shrink: (kept > 0).then_some((entry.at, kept)),
                });
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if exists.is_some() {
        return Err(Errno::EEXIST);
    }
    let room = match room {
        Some(room) => room,
        None => grow(txn, dir)?,
    };
    if let Some((at, kept)) = room.shrink {
        set_rec_len(txn, room.block, at, kept)?;
    }
    let bytes = encode(ino, kind, name, room.rec_len)?;
    txn.write(room.block, room.at, &bytes)
}

/// Removes an entry that [`find`] has found in this transaction.
pub(crate) fn remove<D: BlockDevice>(txn: &mut Txn<'_, D>, found: &Found) -> Result {
    match found.before {
        Some((at, rec_len)) => set_rec_len(txn, found.block, at, rec_len + found.rec_len),
        None => {
            let free = entry::free(found.rec_len);
            txn.write(found.block, found.at, free.as_bytes())
        }
    }
}

/// Lets an entry name another inode.
pub(crate) fn replace<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    found: &Found,
    ino: Ino,
    kind: FileKind,
) -> Result {
    txn.write(found.block, found.at, U32::new(ino.0).as_bytes())?;
    txn.write(
        found.block,
        found.at + layout::DIRENT_KIND_AT,
        &[kind.dirent_type()],
    )
}

/// Adds a block to the directory: one free entry.
fn grow<D: BlockDevice>(txn: &mut Txn<'_, D>, dir: &mut Inode) -> Result<Room> {
    let at = FileBlock::of_byte(dir.size).ok_or(Errno::ENOSPC)?;
    let run = extent::fill(txn, dir, at, 1, Purpose::Meta)?;
    let block = BlockNo(run.block);
    let head = RawDirHead {
        magic: layout::DIR_MAGIC,
        checksum: U32::ZERO,
        owner: dir.ino.0.into(),
        reserved: U32::ZERO,
    };
    txn.zero(block)?;
    txn.write(block, 0, head.as_bytes())?;
    dir.size += u64::from(BLOCK_SIZE);
    Ok(Room {
        block,
        at: DIR_START,
        rec_len: BLOCK_SIZE - DIR_START,
        shrink: None,
    })
}

fn set_rec_len<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    block: BlockNo,
    at: u16,
    rec_len: u16,
) -> Result {
    txn.write(
        block,
        at + layout::DIRENT_LEN_AT,
        U16::new(rec_len).as_bytes(),
    )
}
