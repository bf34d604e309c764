// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Giving back blocks of a file: at its end, and in the middle.

use super::edit::{TREE_CREDITS, free, insert, parse, set, set_tail, tail};
use super::{Around, FileBlock, Found, Mapping, Place, lookup, view};
use crate::inode::Inode;
use crate::layout::{BITS_PER_BLOCK, MAX_DEPTH};
use crate::txn::Txn;
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, Errno, Result};

/// What one [`punch`] may change: a bitmap, a leaf, and what an insertion needs. (Where an entry
/// goes instead, each node of its path and their bitmaps, which is less.)
pub(crate) const PUNCH_CREDITS: usize = 2 + TREE_CREDITS;

/// A node on the way to a leaf, and the entry of it that was followed.
#[derive(Clone, Copy, Debug)]
struct Step {
    place: Place,
    count: usize,
    index: usize,
}

/// The way from the root to the last entry that starts at or before `key`, and that entry.
fn path_to<D: BlockDevice>(
    txn: &Txn<'_, D>,
    inode: &Inode,
    key: FileBlock,
) -> Result<(Vec<Step>, Option<Mapping>)> {
    let mut path = Vec::with_capacity(usize::from(MAX_DEPTH) + 1);
    let mut place = Place::Root;
    let mut depth = inode.area.depth;
    loop {
        let around = view(txn, inode, place, depth, |entries| Around::of(entries, key))?;
        let (Some(raw), Some(index)) = (around.this, around.index.checked_sub(1)) else {
            return Ok((path, None));
        };
        let count = around.count;
        path.push(Step {
            place,
            count,
            index,
        });
        match depth.checked_sub(1) {
            None => return Ok((path, Some(parse(txn, inode, place, &raw)?))),
            Some(below) => {
                place = Place::Block(BlockNo(raw.block.get()));
                depth = below;
            }
        }
    }
}

/// Frees blocks of the file at or behind `from`, from the end on: those of its last run that lie
/// in one block of the bitmap. Returns `false` where nothing is left to free.
pub(crate) fn cut_tail<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    from: FileBlock,
) -> Result<bool> {
    let (path, run) = path_to(txn, inode, FileBlock(u32::MAX))?;
    let Some(run) = run.filter(|run| run.end() > from) else {
        return Ok(false);
    };
    let kept = u64::from(from.0.saturating_sub(run.first.0));
    let last = run.block_end() - 1;
    let edge = last - last % u64::from(BITS_PER_BLOCK);
    let start = edge.max(run.block + kept);
    free(txn, inode, start, run.block_end())?;
    let len = u32::try_from(start - run.block).map_err(|_| Errno::EIO)?;
    let rest = run.part(run.first, FileBlock(run.first.0 + len));
    replace(txn, inode, &path, (rest, run.part(run.end(), run.end())))?;
    Ok(true)
}

/// Frees blocks of the file from `at` on, before `end`: those of the first run that lie in one
/// block of the bitmap. Returns how far it came; holes count.
pub(crate) fn punch<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    at: FileBlock,
    end: FileBlock,
) -> Result<FileBlock> {
    let run = match lookup(txn, inode, at)? {
        Found::Hole { end: behind } => return Ok(behind.min(end)),
        Found::Run(run) => run,
    };
    let part = run.part(at, run.end().min(end));
    let per_block = u64::from(BITS_PER_BLOCK);
    let edge = (part.block / per_block + 1) * per_block;
    let stop = part.block_end().min(edge);
    free(txn, inode, part.block, stop)?;
    let len = u32::try_from(stop - part.block).map_err(|_| Errno::EIO)?;
    let stop = FileBlock(at.0 + len);
    let (path, _) = path_to(txn, inode, at)?;
    let rest = (run.part(run.first, at), run.part(stop, run.end()));
    replace(txn, inode, &path, rest)?;
    Ok(stop)
}

/// Makes two runs of the run around `at`, so that one of them starts there.
pub(super) fn split<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    at: FileBlock,
) -> Result {
    let (path, run) = path_to(txn, inode, at)?;
    match run {
        Some(run) if run.first < at && at < run.end() => {
            let parts = (run.part(run.first, at), run.part(at, run.end()));
            replace(txn, inode, &path, parts)
        }
        _ => Ok(()),
    }
}

/// Replaces the entry at the end of `path` by those of the two runs that are not empty.
fn replace<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    path: &[Step],
    (left, right): (Mapping, Mapping),
) -> Result {
    let leaf = path.last().ok_or(Errno::EIO)?;
    match (left.len > 0, right.len > 0) {
        (false, false) => drop_entry(txn, inode, path),
        (true, false) => set(txn, inode, leaf.place, leaf.index, &left.raw()),
        (false, true) => set(txn, inode, leaf.place, leaf.index, &right.raw()),
        (true, true) => {
            set(txn, inode, leaf.place, leaf.index, &left.raw())?;
            insert(txn, inode, &right.raw())
        }
    }
}

/// Removes the entry at the end of `path`, and nodes that become empty by that.
fn drop_entry<D: BlockDevice>(txn: &mut Txn<'_, D>, inode: &mut Inode, path: &[Step]) -> Result {
    for (step, depth) in path.iter().rev().zip(0u16..) {
        match step.place {
            Place::Block(block) if step.count == 1 => free(txn, inode, block.0, block.0 + 1)?,
            place => {
                let rest = tail(txn, inode, (place, depth), step.index + 1)?;
                set_tail(txn, inode, place, step.index, &rest)?;
                if step.count == 1 {
                    inode.area.depth = 0;
                }
                break;
            }
        }
    }
    Ok(())
}
