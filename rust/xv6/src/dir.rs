// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Directories: blocks full of entries, without order.
//!
//! An entry never moves while it exists, so its position is a stable cookie for `readdir`. The
//! entries of a block cover it: removing one adds its bytes to the one before.
//!
//! A directory of one block is searched from start to end. With its second block it gets an
//! index, which tells where the names of a given hash lie, and which block has room (`index`,
//! `gaps`). A file system made without that feature has none, and all its directories are
//! searched from start to end.

mod entry;
mod gaps;
mod hash;
mod index;
mod room;
#[cfg(test)]
mod tests;

pub(crate) use entry::{Dirent, check_head, check_name, encode, entries, skim};
pub(crate) use entry::{free as free_entry, size as entry_size};
pub(crate) use gaps::{gaps, tables};
pub(crate) use hash::NameHash;
pub(crate) use index::{Item, Node, Pair, Top, items};
pub(crate) use room::{insert, largest_gap};

use crate::corrupt::CorruptKind;
use crate::extent::{self, FileBlock};
use crate::inode::{Ino, Inode};
use crate::layout::{self, BLOCK_SIZE, MAX_INDEX_DEPTH};
use crate::txn::Txn;
use crate::volume::ReadBlock;
use bento::{BlockDevice, BlockNo, DirBuf, Errno, FileKind, Result};
use core::ops::ControlFlow;
use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

/// Blocks of the index that one insertion may change: at each level below the root a node, its
/// new sibling and the bitmap of that; the root, and a new one with its bitmap; the top; a gap
/// table with its bitmap.
const INDEX_INSERT_CREDITS: usize = 3 * 3 + 3 + 1 + 2;
/// Blocks of the index that one removal may change: at each level below the root a node, a
/// neighbour that it is merged with, the bitmap of the one that goes, and that of a root that is
/// needed no more; the root, the top, a gap table.
const INDEX_REMOVE_CREDITS: usize = 3 * 4 + 3;
const _: () = assert!(MAX_INDEX_DEPTH == 3);

/// Blocks that [`insert`] may change, the inode of the directory apart: the entry's block and its
/// bitmap, the extent tree, the index.
pub(crate) fn insert_credits(dir: &Inode) -> usize {
    // Without an index the last block may be full: the index comes with the next block.
    let indexed = dir.index != 0 || dir.size == u64::from(BLOCK_SIZE);
    let index = if indexed { INDEX_INSERT_CREDITS } else { 0 };
    2 + extent::insert_credits(dir) + index
}

/// The most that [`insert_credits`] and [`remove_credits`] ask for together.
pub(crate) const MOST_CREDITS: usize =
    3 + extent::TREE_CREDITS + INDEX_INSERT_CREDITS + INDEX_REMOVE_CREDITS;

/// Blocks that [`remove`] may change: the entry's block, the index.
pub(crate) fn remove_credits(dir: &Inode) -> usize {
    let index = if dir.index != 0 {
        INDEX_REMOVE_CREDITS
    } else {
        0
    };
    1 + index
}

/// An entry that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) ino: Ino,
    pub(crate) kind: FileKind,
    /// Which block of the directory.
    number: FileBlock,
    block: BlockNo,
    at: u16,
    /// What the index has for it, where there is one.
    pair: Option<Pair>,
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

/// Blocks of a directory that are asked for at once.
const AHEAD: u32 = 15;

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
        let run = extent::metadata_run(from, dir, at)?;
        let (block, ahead) = (BlockNo(run.block), AHEAD.min(run.len.saturating_sub(1)));
        let step = from.read_ahead(block, ahead, |bytes| {
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
    if dir.index != 0 {
        return find_indexed(from, dir, name);
    }
    let found = walk(from, dir, FileBlock(0), |number, block, bytes| {
        for entry in skim(bytes) {
            let entry = entry?;
            if entry.is(name) {
                let found = found(from, &entry, (number, block), None)?;
                return Ok(ControlFlow::Break(found));
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

fn find_indexed(from: &impl ReadBlock, dir: &Inode, name: &[u8]) -> Result<Option<Found>> {
    let hash = from.name_hash().of(name);
    let mut key = Some(Pair { hash, at: 0 });
    while let Some(least) = key {
        let Some(pair) = index::next(from, dir, least)? else {
            break;
        };
        if let Some(found) = find_at(from, dir, name, pair)? {
            return Ok(Some(found));
        }
        key = pair.next_position();
    }
    Ok(None)
}

/// The entry of a pair of the index, where its name is `name`.
fn find_at(from: &impl ReadBlock, dir: &Inode, name: &[u8], pair: Pair) -> Result<Option<Found>> {
    let (number, at) = pair.place();
    if number >= FileBlock::behind_byte(dir.size) {
        return Err(CorruptKind::IndexStale.at(BlockNo(dir.index)));
    }
    let block = extent::metadata_block(from, dir, number)?;
    let found = from.read(block, |bytes| {
        check_head(bytes, dir.ino)?;
        let entry = Dirent::parse(bytes, at).ok();
        let entry = entry.filter(|entry| entry.kind.is_some());
        let entry = entry.ok_or(CorruptKind::IndexStale)?;
        if entry.name == name {
            return found(from, &entry, (number, block), Some(pair)).map(Some);
        }
        if from.name_hash().of(entry.name) != pair.hash {
            return Err(CorruptKind::IndexStale);
        }
        Ok(None)
    })?;
    found.map_err(|kind| kind.at(block))
}

fn found(
    from: &impl ReadBlock,
    entry: &Dirent<'_>,
    (number, block): (FileBlock, BlockNo),
    pair: Option<Pair>,
) -> core::result::Result<Found, CorruptKind> {
    let ino = from.geometry().ino(entry.ino.into());
    Ok(Found {
        ino: ino.ok_or(CorruptKind::DirEntryInode)?,
        kind: entry.kind.ok_or(CorruptKind::DirEntryKind)?,
        number,
        block,
        at: entry.at,
        pair,
    })
}

/// The directory has no entries.
pub(crate) fn is_empty(from: &impl ReadBlock, dir: &Inode) -> Result<bool> {
    if dir.index != 0 {
        return index::is_empty(from, dir);
    }
    let used = walk(from, dir, FileBlock(0), |_, _, bytes| {
        for entry in skim(bytes) {
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

/// Removes an entry that [`find`] has found in this transaction.
#[inline(never)]
pub(crate) fn remove<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &mut Inode,
    found: &Found,
) -> Result {
    let (before, rec_len) = txn
        .read(found.block, |bytes| neighbour(bytes, found.at))?
        .map_err(|kind| kind.at(found.block))?;
    let gap = match before {
        Some(before) => {
            let len = before.rec_len + rec_len;
            room::set_rec_len(txn, found.block, before.at, len)?;
            before.gap + rec_len
        }
        None => {
            txn.write(found.block, found.at, entry::free(rec_len).as_bytes())?;
            rec_len
        }
    };
    let Some(pair) = found.pair else {
        return Ok(());
    };
    index::remove(txn, dir, pair)?;
    // All other gaps of the block are what they were.
    gaps::raise(txn, dir, found.number, gap)
}

/// The entry before another one.
#[derive(Clone, Copy, Debug)]
struct Neighbour {
    at: u16,
    rec_len: u16,
    gap: u16,
}

/// The entry before that at byte `at`, and the length of that itself.
fn neighbour(bytes: &[u8], at: u16) -> core::result::Result<(Option<Neighbour>, u16), CorruptKind> {
    let mut before = None;
    for entry in skim(bytes) {
        let entry = entry?;
        if entry.at == at {
            return Ok((before, entry.rec_len));
        }
        before = Some(Neighbour {
            at: entry.at,
            rec_len: entry.rec_len,
            gap: entry.gap(),
        });
    }
    Err(CorruptKind::IndexStale)
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

/// Credits that one step of [`drop_index`] may need: two blocks and their bitmaps.
const DROP_CREDITS: usize = 4;
/// Blocks that one call of [`drop_index`] frees at most, so that others are not kept waiting.
const DROP_BLOCKS: usize = 64;

/// Frees the index of a directory that is going away, as far as `txn` goes with `kept` credits
/// left over; returns whether some of it is left.
pub(crate) fn drop_index<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &mut Inode,
    kept: usize,
) -> Result<bool> {
    for _ in 0..DROP_BLOCKS {
        if dir.index == 0 || txn.credits_left() < DROP_CREDITS + kept {
            break;
        }
        if !gaps::drop_table(txn, dir)? && !index::drop_node(txn, dir)? {
            let top = BlockNo(dir.index);
            dir.index = 0;
            index::give_back(txn, dir, top)?;
        }
    }
    Ok(dir.index != 0)
}
