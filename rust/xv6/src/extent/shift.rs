// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Moving everything behind a place of a file: ranges that are cut out, holes that are put in.
//!
//! Only keys change, in all nodes that hold one behind the place, and all of that is one
//! transaction. So it is counted first ([`survey`]), and refused where it would be too much.

use super::cut::{PUNCH_CREDITS, punch, split};
use super::edit::{set_tail, tail};
use super::{FileBlock, Mapping, Place, view};
use crate::inode::Inode;
use crate::layout::{BITS_PER_BLOCK, MAX_FILE_BLOCKS, RawExtent};
use crate::txn::Txn;
use crate::volume::ReadBlock;
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, Errno, Result};
use core::ops::Range;

/// The most blocks that a shift may change, wherever the log could take more: copies of all of
/// them are held in memory at once.
const MOST: usize = 1024;

/// What a shift may change beside what [`survey`] counts.
pub(crate) const SHIFT_CREDITS: usize = PUNCH_CREDITS;

/// How keys move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shift {
    /// The range is gone.
    Collapse { start: FileBlock, end: FileBlock },
    /// A hole of `len` blocks appears at `at`.
    Insert { at: FileBlock, len: u32 },
}

impl Shift {
    /// The range of the file whose blocks go; empty for an insertion.
    fn gone(&self) -> Range<FileBlock> {
        match *self {
            Self::Collapse { start, end } => start..end,
            Self::Insert { at, .. } => at..at,
        }
    }

    /// Where `key` goes. Lower bounds of inner nodes can lie in the range that is gone.
    fn key(&self, key: u32) -> Result<u32> {
        match *self {
            Self::Collapse { start, end } if key > start.0 => {
                Ok(key.max(end.0) - (end.0 - start.0))
            }
            Self::Insert { at, len } if key >= at.0 => key
                .checked_add(len)
                .filter(|key| *key <= MAX_FILE_BLOCKS)
                .ok_or(Errno::EFBIG),
            _ => Ok(key),
        }
    }
}

/// A node that is still to be looked at: its keys lie below `end`.
#[derive(Clone, Copy, Debug)]
struct Todo {
    place: Place,
    depth: u16,
    end: u32,
}

impl Todo {
    fn root(inode: &Inode) -> Self {
        Self {
            place: Place::Root,
            depth: inode.area.depth,
            end: u32::MAX,
        }
    }

    /// The children of the node that hold keys at or behind `start`.
    fn children(self, entries: &[RawExtent], start: FileBlock) -> impl Iterator<Item = Self> {
        let depth = self.depth.checked_sub(1);
        let ends = entries.iter().skip(1).map(|next| next.first.get());
        let all = entries.iter().zip(ends.chain([self.end]));
        let behind = all.filter(move |(_, end)| *end > start.0);
        behind.filter_map(move |(entry, end)| {
            let place = Place::Block(BlockNo(entry.block.get()));
            depth.map(|depth| Self { place, depth, end })
        })
    }
}

/// The blocks that a shift may change, [`SHIFT_CREDITS`] and the inode apart, at most `most`.
///
/// # Errors
/// `EFBIG`: more than that.
pub(crate) fn survey(
    from: &impl ReadBlock,
    inode: &Inode,
    shift: &Shift,
    most: usize,
) -> Result<usize> {
    let gone = shift.gone();
    let mut nodes = 0usize;
    let mut maps = Maps::default();
    let mut todo = Vec::new();
    push(&mut todo, Todo::root(inode))?;
    while let Some(node) = todo.pop() {
        let entries = view(from, inode, node.place, node.depth, copy)??;
        if node.depth == 0 {
            for raw in &entries {
                maps.add_run(from, raw, &gone)?;
            }
        }
        for child in node.children(&entries, gone.start) {
            nodes += 1;
            if let (false, Place::Block(block)) = (gone.is_empty(), child.place) {
                // It may become empty.
                maps.add(block.0..block.0 + 1)?;
            }
            if nodes + maps.count() > most.min(MOST) {
                return Err(Errno::EFBIG);
            }
            push(&mut todo, child)?;
        }
    }
    let count = nodes + maps.count();
    if count > most.min(MOST) {
        return Err(Errno::EFBIG);
    }
    Ok(count)
}

/// Carries out a shift.
///
/// # Errors
/// `EFBIG`: an insertion would move blocks behind the largest file.
pub(crate) fn shift<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    shift: &Shift,
) -> Result {
    let gone = shift.gone();
    let mut at = gone.start;
    while at < gone.end {
        at = punch(txn, inode, at, gone.end)?;
    }
    if gone.is_empty() {
        split(txn, inode, gone.start)?;
    }
    let mut todo = Vec::new();
    push(&mut todo, Todo::root(inode))?;
    while let Some(node) = todo.pop() {
        let mut entries = tail(txn, inode, (node.place, node.depth), 0)?;
        for child in node.children(&entries, gone.start) {
            push(&mut todo, child)?;
        }
        let same = move_keys(&mut entries, shift, node.depth == 0)?;
        if let Some(changed) = entries.get(same..).filter(|rest| !rest.is_empty()) {
            set_tail(txn, inode, node.place, same, changed)?;
        }
    }
    Ok(())
}

/// Changes the keys of a node; returns how many entries at its start stay as they are.
fn move_keys(entries: &mut [RawExtent], shift: &Shift, leaf: bool) -> Result<usize> {
    let mut same = 0;
    for entry in entries {
        let key = shift.key(entry.first.get())?;
        if key == entry.first.get() {
            same += 1;
        } else if leaf {
            // The end of the run must have a place, too.
            let len = entry.len.get() & !crate::layout::UNWRITTEN;
            let fits = key.checked_add(len).filter(|end| *end <= MAX_FILE_BLOCKS);
            fits.ok_or(Errno::EFBIG)?;
        }
        entry.first = key.into();
    }
    Ok(same)
}

/// Blocks of the bitmap, by their index; each once.
#[derive(Debug, Default)]
struct Maps(Vec<u64>);

impl Maps {
    fn count(&self) -> usize {
        self.0.len()
    }

    /// Adds those that hold the bits of `blocks`.
    fn add(&mut self, blocks: Range<u64>) -> Result {
        let per_block = u64::from(BITS_PER_BLOCK);
        for index in blocks.start / per_block..blocks.end.div_ceil(per_block) {
            if self.count() > MOST {
                return Err(Errno::EFBIG);
            }
            if let Err(at) = self.0.binary_search(&index) {
                self.0.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                self.0.insert(at, index);
            }
        }
        Ok(())
    }

    /// Adds those of the part of a run that lies in `range` of the file.
    fn add_run(
        &mut self,
        from: &impl ReadBlock,
        raw: &RawExtent,
        range: &Range<FileBlock>,
    ) -> Result {
        // A damaged run is reported once it is looked up.
        let Ok(run) = Mapping::parse(raw, from.geometry()) else {
            return Ok(());
        };
        let (start, end) = (run.first.max(range.start), run.end().min(range.end));
        if start < end {
            let part = run.part(start, end);
            self.add(part.block..part.block_end())?;
        }
        Ok(())
    }
}

fn copy(entries: &[RawExtent]) -> Result<Vec<RawExtent>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(entries.len())
        .map_err(|_| Errno::ENOMEM)?;
    copy.extend_from_slice(entries);
    Ok(copy)
}

fn push(todo: &mut Vec<Todo>, node: Todo) -> Result {
    todo.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    todo.push(node);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FileBlock, Shift};
    use alloc::vec::Vec;
    use bento::Errno;

    #[test]
    fn keys_go_where_they_belong() {
        let collapse = Shift::Collapse {
            start: FileBlock(10),
            end: FileBlock(15),
        };
        let moved: Vec<_> = [0, 9, 10, 11, 15, 16, 100]
            .map(|key| collapse.key(key))
            .to_vec();
        assert_eq!(moved, [0, 9, 10, 10, 10, 11, 95].map(Ok));
        let insert = Shift::Insert {
            at: FileBlock(10),
            len: 5,
        };
        assert_eq!(
            [0, 9, 10, 11].map(|key| insert.key(key)),
            [0, 9, 15, 16].map(Ok)
        );
        assert_eq!(insert.key((1 << 31) - 5), Ok(1 << 31));
        assert_eq!(insert.key((1 << 31) - 4), Err(Errno::EFBIG));
        assert_eq!(insert.key(u32::MAX), Err(Errno::EFBIG));
    }
}
