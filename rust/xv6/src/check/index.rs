// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The indexes of directories: their blocks in the first pass, what they say in the second.

use super::{Checker, push};
use crate::corrupt::CorruptKind;
use crate::dir::{Item, Node, Pair, Top, gaps, items, tables};
use crate::inode::Inode;
use crate::layout::{BLOCK_SIZE, RawChild, RawPair, RawTable, TABLE_GAPS};
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, Result};
use core::ops::Range;

/// The least pair, and one behind all.
const ALL: Range<Pair> = Pair { hash: 0, at: 0 }..Pair {
    hash: u32::MAX,
    at: u32::MAX,
};

/// What the index of a directory says.
#[derive(Default)]
pub(super) struct Index {
    /// Its blocks.
    pub(super) blocks: u64,
    pairs: Vec<Pair>,
    /// The largest gap of each block of entries.
    gaps: Vec<u16>,
}

/// What the blocks of entries of a directory say.
#[derive(Default)]
pub(super) struct Entries {
    /// For each entry: its pair, and its block.
    pub(super) pairs: Vec<(Pair, BlockNo)>,
    /// The largest gap of each block.
    pub(super) gaps: Vec<u16>,
}

/// A node that is still to be looked at.
struct Todo {
    node: Node,
    /// The pairs that may occur in it.
    bounds: Range<Pair>,
}

impl<D: BlockDevice> Checker<'_, D> {
    /// First pass: walks the blocks of an index.
    pub(super) fn check_index(&mut self, dir: &Inode) -> Result<Index> {
        let mut index = Index::default();
        if dir.index == 0 {
            return Ok(index);
        }
        let block = BlockNo(dir.index);
        if !self.take_index_block(dir, block, &mut index) {
            return Ok(index);
        }
        let bytes = self.index_copy(block, dir)?;
        let top = Top::parse(&bytes, dir.ino).and_then(|top| Ok((top, tables(&bytes, &top)?)));
        match top {
            Err(kind) => self.find(kind, Some(dir.ino), block),
            Ok((top, tables)) => {
                self.check_nodes(dir, top.root, &mut index)?;
                for (number, table) in tables.iter().enumerate() {
                    let last = number + 1 == tables.len();
                    self.check_table(dir, (table, last), &mut index)?;
                }
            }
        }
        Ok(index)
    }

    /// As `sealed_copy`; but a block of an index holds nothing that the entries do not.
    fn index_copy(&mut self, block: BlockNo, dir: &Inode) -> Result<Vec<u8>> {
        self.copy_and_verify(block, CorruptKind::IndexChecksum, Some(dir.ino))
    }

    /// Counts a block of an index; returns whether it can be looked at.
    fn take_index_block(&mut self, dir: &Inode, block: BlockNo, index: &mut Index) -> bool {
        if !self.geometry().is_data(block.0, 1) {
            self.find(CorruptKind::IndexRange, Some(dir.ino), block);
            return false;
        }
        index.blocks += 1;
        // A block that is in use already is not walked again: cycles end here.
        if self.used.take(block.0..block.0 + 1).is_some() {
            self.find(CorruptKind::BlockShared, Some(dir.ino), block);
            return false;
        }
        true
    }

    fn check_nodes(&mut self, dir: &Inode, root: Node, index: &mut Index) -> Result {
        let mut todo = Vec::new();
        push(
            &mut todo,
            Todo {
                node: root,
                bounds: ALL,
            },
        )?;
        while let Some(Todo { mut node, bounds }) = todo.pop() {
            if !self.take_index_block(dir, node.block, index) {
                continue;
            }
            // The index of a removed directory may be half freed.
            node.may_be_empty |= dir.nlink == 0;
            let bytes = self.index_copy(node.block, dir)?;
            let checked = if node.depth > 0 {
                match items::<RawChild>(&bytes, dir.ino, &node) {
                    Ok(children) => add_children(&node, children, bounds, &mut todo)?,
                    Err(kind) => Err(kind),
                }
            } else {
                match items::<RawPair>(&bytes, dir.ino, &node) {
                    Ok(pairs) => add_pairs(pairs, bounds, index)?,
                    Err(kind) => Err(kind),
                }
            };
            if let Err(kind) = checked {
                self.find(kind, Some(dir.ino), node.block);
            }
        }
        // Children wait on a stack, so leaves do not come in order.
        index.pairs.sort_unstable();
        Ok(())
    }

    fn check_table(
        &mut self,
        dir: &Inode,
        (table, last): (&RawTable, bool),
        index: &mut Index,
    ) -> Result {
        let block = BlockNo(table.block.get());
        if table.reserved != [0; 6] {
            self.find(
                CorruptKind::IndexReserved,
                Some(dir.ino),
                BlockNo(dir.index),
            );
        }
        if !self.take_index_block(dir, block, index) {
            return Ok(());
        }
        let bytes = self.index_copy(block, dir)?;
        match gaps(&bytes, dir.ino) {
            Err(kind) => self.find(kind, Some(dir.ino), block),
            Ok(gaps) => {
                let largest = gaps.iter().map(|gap| gap.get()).max();
                let full = gaps.len() == usize::from(TABLE_GAPS);
                if largest != Some(table.largest.get()) || !(full || last) {
                    self.find(CorruptKind::GapWrong, Some(dir.ino), block);
                }
                for gap in gaps {
                    push(&mut index.gaps, gap.get())?;
                }
            }
        }
        Ok(())
    }

    /// Second pass: compares an index with the entries of its directory.
    pub(super) fn compare_index(&mut self, dir: &Inode, index: &Index, entries: &mut Entries) {
        if dir.nlink == 0 {
            return;
        }
        let wanted = self.sup.indexes_directories() && dir.size > u64::from(BLOCK_SIZE);
        if wanted != (dir.index != 0) {
            self.find_inode(CorruptKind::IndexAbsent, dir.ino);
        }
        if dir.index == 0 {
            return;
        }
        let top = BlockNo(dir.index);
        if index.gaps != entries.gaps {
            self.find(CorruptKind::GapWrong, Some(dir.ino), top);
        }
        entries.pairs.sort_unstable_by_key(|(pair, _)| *pair);
        let mut pairs = index.pairs.iter().peekable();
        for (pair, block) in &entries.pairs {
            while pairs.next_if(|indexed| *indexed < pair).is_some() {
                self.find(CorruptKind::IndexStale, Some(dir.ino), top);
            }
            if pairs.next_if_eq(&pair).is_none() {
                self.find(CorruptKind::IndexMissing, Some(dir.ino), *block);
            }
        }
        for _ in pairs {
            self.find(CorruptKind::IndexStale, Some(dir.ino), top);
        }
    }
}

/// Puts the children of a node on the stack.
fn add_children(
    node: &Node,
    children: &[RawChild],
    bounds: Range<Pair>,
    todo: &mut Vec<Todo>,
) -> Result<core::result::Result<(), CorruptKind>> {
    let ends = children.iter().skip(1).map(Item::pair);
    let mut start = bounds.start;
    for (child, end) in children.iter().zip(ends.chain([bounds.end])) {
        let first = child.pair();
        if first < start || first >= end || end > bounds.end {
            return Ok(Err(CorruptKind::IndexOrder));
        }
        // What lies before the bound of the first child belongs to it all the same.
        push(
            todo,
            Todo {
                node: node.child(child),
                bounds: start..end,
            },
        )?;
        start = end;
    }
    Ok(Ok(()))
}

/// Takes over the pairs of a leaf.
fn add_pairs(
    pairs: &[RawPair],
    bounds: Range<Pair>,
    index: &mut Index,
) -> Result<core::result::Result<(), CorruptKind>> {
    let mut checked = Ok(());
    let mut before = None;
    for pair in pairs.iter().map(Item::pair) {
        if !bounds.contains(&pair) || before.is_some_and(|before| before >= pair) {
            checked = Err(CorruptKind::IndexOrder);
        }
        before = Some(pair);
        push(&mut index.pairs, pair)?;
    }
    Ok(checked)
}
