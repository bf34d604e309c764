// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The indexes of directories. All that one says follows from the entries, so an index that is
//! damaged, or says something else, is made anew.

use super::{Dir, Mender, count, push, zeros};
use crate::corrupt::CorruptKind;
use crate::dir::{Item, NameHash, Node, Pair, Top, entries, gaps, items, largest_gap, tables};
use crate::extent::FileBlock;
use crate::inode::{Ino, Inode};
use crate::layout::{self, RawChild, RawNode, RawPair, RawTable, RawTop, TABLE_GAPS};
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, Errno, Result};
use core::ops::Range;
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32, U64};

/// Pairs of a new leaf: some room is left for new names.
const PAIRS: usize = 400;
/// Children of a new inner node.
const CHILDREN: usize = 200;

/// An index; all of its blocks are claimed.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) blocks: Vec<u64>,
    says: Says,
}

/// What an index says, or should say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Says {
    /// Ascending.
    pairs: Vec<Pair>,
    /// The largest gap of each block.
    gaps: Vec<u16>,
}

/// A node that is still to be read.
struct Todo {
    node: Node,
    /// The pairs that may occur in it.
    bounds: Range<Pair>,
}

impl<D: BlockDevice> Mender<'_, D> {
    /// Claims the index of a directory, where all of it is in order.
    pub(super) fn salvage_index(&mut self, inode: &Inode) -> Result<Option<Index>> {
        let mut index = Index::default();
        if inode.index == 0 {
            return Ok(None);
        }
        if self.read_index(inode, &mut index)? {
            index.says.pairs.sort_unstable();
            return Ok(Some(index));
        }
        self.drop_blocks(&index.blocks);
        Ok(None)
    }

    fn drop_blocks(&mut self, blocks: &[u64]) {
        blocks.iter().for_each(|block| self.claims.give(*block));
    }

    /// Reads an index and claims its blocks; returns whether it is in order.
    fn read_index(&mut self, inode: &Inode, index: &mut Index) -> Result<bool> {
        let Some(bytes) = self.index_block(inode.index, index)? else {
            return Ok(false);
        };
        let top = Top::parse(&bytes, inode.ino);
        let Ok((top, tables)) = top.and_then(|top| Ok((top, tables(&bytes, &top)?))) else {
            return Ok(false);
        };
        let least = Pair { hash: 0, at: 0 };
        let last = Pair {
            hash: u32::MAX,
            at: u32::MAX,
        };
        let mut todo = Vec::new();
        push(
            &mut todo,
            Todo {
                node: top.root,
                bounds: least..last,
            },
        )?;
        while let Some(next) = todo.pop() {
            if !self.read_node(inode.ino, &next, &mut todo, index)? {
                return Ok(false);
            }
        }
        for (number, table) in (1..).zip(tables) {
            let whole = number < top.tables;
            if !self.read_table(inode.ino, table, whole, index)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The bytes of a block of an index, unless it is damaged or has an owner already.
    fn index_block(&mut self, block: u64, index: &mut Index) -> Result<Option<Vec<u8>>> {
        if !self.geometry().is_data(block, 1) || self.claims.has(block) {
            return Ok(None);
        }
        let bytes = self.read(BlockNo(block))?;
        if !self.is_sealed(BlockNo(block), &bytes) {
            return Ok(None);
        }
        self.claims.claim(block);
        push(&mut index.blocks, block)?;
        Ok(Some(bytes))
    }

    fn read_node(
        &mut self,
        owner: Ino,
        Todo { node, bounds }: &Todo,
        todo: &mut Vec<Todo>,
        index: &mut Index,
    ) -> Result<bool> {
        let Some(bytes) = self.index_block(node.block.0, index)? else {
            return Ok(false);
        };
        if node.depth == 0 {
            let Ok(pairs) = items::<RawPair>(&bytes, owner, node) else {
                return Ok(false);
            };
            for pair in pairs {
                push(&mut index.says.pairs, pair.pair())?;
            }
            return Ok(ascend(pairs, bounds));
        }
        let Ok(children) = items::<RawChild>(&bytes, owner, node) else {
            return Ok(false);
        };
        let ends = children.iter().skip(1).map(Item::pair);
        let mut start = bounds.start;
        for (child, end) in children.iter().zip(ends.chain([bounds.end])) {
            let node = node.child(child);
            let bounds = start..end;
            push(todo, Todo { node, bounds })?;
            start = end;
        }
        Ok(ascend(children, bounds))
    }

    fn read_table(
        &mut self,
        owner: Ino,
        table: &RawTable,
        whole: bool,
        index: &mut Index,
    ) -> Result<bool> {
        let Some(bytes) = self.index_block(table.block.get(), index)? else {
            return Ok(false);
        };
        let Ok(gaps) = gaps(&bytes, owner) else {
            return Ok(false);
        };
        for gap in gaps {
            push(&mut index.says.gaps, gap.get())?;
        }
        let largest = gaps.iter().map(|gap| gap.get()).max();
        let full = gaps.len() == usize::from(TABLE_GAPS);
        let zeros = table.reserved == [0; 6];
        Ok(zeros && largest == Some(table.largest.get()) && (full || !whole))
    }

    /// Gives a directory the index that it should have, unless it has that.
    pub(super) fn mend_index(&mut self, dir: &mut Dir, inode: &mut Inode) -> Result {
        let wanted = self.sup.indexes_directories() && dir.blocks.len() > 1;
        let mut says = Says::default();
        if wanted {
            says = self.what_to_say(dir)?;
        }
        if let Some(old) = dir.index.take() {
            if wanted && old.says == says {
                dir.index = Some(old);
                return Ok(());
            }
            self.drop_blocks(&old.blocks);
        }
        inode.index = 0;
        if !wanted {
            return Ok(());
        }
        let mut blocks = Vec::new();
        match self.build_index(dir.ino, &says, &mut blocks) {
            Ok(top) => inode.index = top,
            Err(Errno::ENOSPC) => {
                log::error!("no space for the index of directory {}", dir.ino);
                self.drop_blocks(&blocks);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        dir.index = Some(Index { blocks, says });
        Ok(())
    }

    /// What the index of a directory with these blocks has to say.
    fn what_to_say(&self, dir: &Dir) -> Result<Says> {
        let hash = NameHash::new(&self.sup.uuid);
        let mut says = Says::default();
        for (number, block) in (0..).zip(&dir.blocks) {
            let block = BlockNo(*block);
            let bytes = self.read(block)?;
            let damaged = |kind: CorruptKind| kind.at(block);
            push(&mut says.gaps, largest_gap(&bytes).map_err(damaged)?)?;
            for entry in entries(&bytes) {
                let entry = entry.map_err(damaged)?;
                if entry.kind.is_some() {
                    let pair = Pair::new(hash.of(entry.name), FileBlock(number), entry.at);
                    push(&mut says.pairs, pair)?;
                }
            }
        }
        says.pairs.sort_unstable();
        Ok(says)
    }

    /// Writes a new index in free blocks; returns its top.
    fn build_index(&mut self, owner: Ino, says: &Says, blocks: &mut Vec<u64>) -> Result<u64> {
        let pairs: Vec<RawPair> = says.pairs.iter().map(|pair| pair.raw()).collect();
        let mut level = Vec::new();
        for chunk in pairs.chunks(PAIRS) {
            push(&mut level, self.new_node(owner, 0, chunk, blocks)?)?;
        }
        if level.is_empty() {
            push(&mut level, self.new_node::<RawPair>(owner, 0, &[], blocks)?)?;
        }
        let mut depth = 0;
        while level.len() > 1 {
            depth += 1;
            let mut above = Vec::new();
            for chunk in level.chunks(CHILDREN) {
                push(&mut above, self.new_node(owner, depth, chunk, blocks)?)?;
            }
            level = above;
        }
        let mut tables = Vec::new();
        for chunk in says.gaps.chunks(TABLE_GAPS.into()) {
            let gaps: Vec<U16> = chunk.iter().map(|gap| U16::new(*gap)).collect();
            let head = head(layout::GAP_MAGIC, owner, gaps.len(), 0)?;
            let block = self.new_block(&[head.as_bytes(), gaps.as_bytes()], blocks)?;
            let table = RawTable {
                block: block.into(),
                largest: chunk.iter().copied().max().unwrap_or(0).into(),
                reserved: [0; 6],
            };
            push(&mut tables, table)?;
        }
        if depth > layout::MAX_INDEX_DEPTH || tables.len() > usize::from(layout::TOP_TABLES) {
            return Err(Errno::ENOSPC);
        }
        let top = RawTop {
            head: head(layout::TOP_MAGIC, owner, tables.len(), depth)?,
            root: level.first().map_or(U64::ZERO, |root| root.block),
            reserved: [0; 8],
        };
        self.new_block(&[top.as_bytes(), tables.as_bytes()], blocks)
    }

    /// Writes a node; returns what leads to it.
    fn new_node<T: Item>(
        &mut self,
        owner: Ino,
        depth: u16,
        items: &[T],
        blocks: &mut Vec<u64>,
    ) -> Result<RawChild> {
        let head = head(layout::INDEX_MAGIC, owner, items.len(), depth)?;
        let block = self.new_block(&[head.as_bytes(), items.as_bytes()], blocks)?;
        let first = items.first().map_or(Pair { hash: 0, at: 0 }, Item::pair);
        Ok(RawChild {
            first: first.raw(),
            block: block.into(),
        })
    }

    fn new_block(&mut self, parts: &[&[u8]], blocks: &mut Vec<u64>) -> Result<u64> {
        let block = self.take_block()?;
        push(blocks, block)?;
        let mut bytes = zeros();
        let contents = parts.iter().copied().flatten();
        for (to, from) in bytes.iter_mut().zip(contents) {
            *to = *from;
        }
        self.write(BlockNo(block), &mut bytes)?;
        Ok(block)
    }
}

impl Index {
    /// Its blocks.
    pub(super) fn size(&self) -> u64 {
        count(&self.blocks)
    }
}

/// The items ascend and stay within the bounds.
fn ascend<T: Item>(items: &[T], bounds: &Range<Pair>) -> bool {
    let pairs = items.iter().map(Item::pair);
    let next = items.iter().skip(1).map(Item::pair);
    pairs.clone().all(|pair| bounds.contains(&pair)) && pairs.zip(next).all(|(a, b)| a < b)
}

fn head(magic: U32, owner: Ino, count: usize, depth: u16) -> Result<RawNode> {
    Ok(RawNode {
        magic,
        checksum: U32::ZERO,
        owner: owner.0.into(),
        count: u16::try_from(count).map_err(|_| Errno::EIO)?.into(),
        depth: depth.into(),
    })
}
