// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The blocks of each inode: what can be read of its extent tree, and a new tree where that is
//! not all.

use super::{Dir, Mender, count, push, zeros};
use crate::extent::{FileBlock, Mapping, node_entries};
use crate::inode::{Area, Ino, Inode};
use crate::layout::{self, BLOCK_EXTENTS, BLOCK_SIZE, RawDirHead, RawExtent, RawNode};
use crate::symlink::target_in;
use crate::xattr::Attributes;
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, Errno, FileKind, Result};
use core::ops::Range;
use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

/// What was read of a tree. All of its blocks are claimed.
struct Salvage {
    /// Ascending, disjoint.
    runs: Vec<Mapping>,
    /// The extent blocks.
    nodes: Vec<u64>,
    /// That was all, and it is as it should be.
    intact: bool,
}

/// A part of a tree that is still to be read.
struct Todo {
    entries: Vec<RawExtent>,
    depth: u16,
    keys: Range<u32>,
}

impl<D: BlockDevice> Mender<'_, D> {
    pub(super) fn mend_trees(&mut self) -> Result {
        let inos: Vec<(Ino, FileKind)> = self.items.iter().map(|i| (i.ino, i.kind)).collect();
        for files in [false, true] {
            for (ino, kind) in &inos {
                if files == (*kind == FileKind::Regular) {
                    self.mend_blocks(*ino)?;
                }
            }
        }
        Ok(())
    }

    fn mend_blocks(&mut self, ino: Ino) -> Result {
        let mut inode = self.load(ino)?;
        let attributes = self.mend_attributes(&mut inode)?;
        if inode.is_inline_link() {
            inode.blocks = attributes;
            return self.store(&inode);
        }
        let mut salvage = self.salvage(&inode)?;
        match inode.kind {
            FileKind::Directory => return self.keep_directory(&inode, salvage),
            FileKind::Symlink if !self.link_is_good(&inode, &salvage)? => {
                let freed = salvage
                    .runs
                    .iter()
                    .flat_map(|run| run.block..run.block_end());
                freed.for_each(|block| self.claims.give(block));
                self.items.retain(|item| item.ino != ino);
                return self.clear_slot(ino, &inode.raw());
            }
            _ => {}
        }
        let end = salvage.runs.last().map_or(0, |run| run.end().byte());
        if self.sizes_lost.contains(&ino) {
            inode.size = end;
        }
        if !salvage.intact {
            self.write_tree(&mut inode, &mut salvage.runs, &mut salvage.nodes, false)?;
        }
        let data: u64 = salvage.runs.iter().map(|run| u64::from(run.len)).sum();
        inode.blocks = data + count(&salvage.nodes) + attributes;
        self.store(&inode)
    }

    /// Claims the block of extended attributes, or takes it away; returns how many there are.
    fn mend_attributes(&mut self, inode: &mut Inode) -> Result<u64> {
        let block = BlockNo(inode.xattr);
        if inode.xattr == 0 {
            return Ok(0);
        }
        let mut bytes = self.read(block)?;
        if Attributes::parse(&bytes, inode.ino).is_err() || !self.claims.claim(block.0) {
            inode.xattr = 0;
            return Ok(0);
        }
        self.write(block, &mut bytes)?;
        Ok(1)
    }

    /// A symbolic link whose target can be read.
    fn link_is_good(&self, inode: &Inode, salvage: &Salvage) -> Result<bool> {
        let [run] = salvage.runs.as_slice() else {
            return Ok(false);
        };
        let block = BlockNo(run.block);
        let mut bytes = self.read(block)?;
        let good = run.len == 1 && !run.unwritten && run.first == FileBlock(0);
        if !good || target_in(inode, &bytes).is_err() {
            return Ok(false);
        }
        self.write(block, &mut bytes)?;
        Ok(true)
    }

    /// Reads what can be read of a tree, and claims it.
    fn salvage(&mut self, inode: &Inode) -> Result<Salvage> {
        let mut salvage = Salvage {
            runs: Vec::new(),
            nodes: Vec::new(),
            intact: true,
        };
        let mut todo = Vec::new();
        let root = Todo {
            entries: inode.area.entries().to_vec(),
            depth: inode.area.depth,
            keys: 0..layout::MAX_FILE_BLOCKS,
        };
        push(&mut todo, root)?;
        while let Some(part) = todo.pop() {
            let ends = part.entries.iter().skip(1).map(|next| next.first.get());
            let ends: Vec<u32> = ends.chain([part.keys.end]).collect();
            let mut low = part.keys.start;
            for (entry, end) in part.entries.iter().zip(ends) {
                let first = entry.first.get();
                let keys = first..end.min(part.keys.end);
                salvage.intact &= first >= low && keys.end == end && first < end;
                low = first.saturating_add(1);
                let Some(below) = part.depth.checked_sub(1) else {
                    self.salvage_run(entry, end, &mut salvage)?;
                    continue;
                };
                let keys = if keys.is_empty() {
                    part.keys.clone()
                } else {
                    keys
                };
                match self.salvage_node(inode.ino, entry, below, &mut salvage)? {
                    Some(entries) => push(
                        &mut todo,
                        Todo {
                            entries,
                            depth: below,
                            keys,
                        },
                    )?,
                    None => salvage.intact = false,
                }
            }
        }
        self.claim_runs(&mut salvage)?;
        Ok(salvage)
    }

    /// The entries of a child, where it is one.
    fn salvage_node(
        &mut self,
        owner: Ino,
        entry: &RawExtent,
        depth: u16,
        salvage: &mut Salvage,
    ) -> Result<Option<Vec<RawExtent>>> {
        let block = entry.block.get();
        if !self.geometry().is_data(block, 1) || self.claims.has(block) {
            return Ok(None);
        }
        let bytes = self.read(BlockNo(block))?;
        let Ok(entries) = node_entries(&bytes, owner, depth) else {
            return Ok(None);
        };
        salvage.intact &= entry.len == U32::ZERO && self.is_sealed(BlockNo(block), &bytes);
        self.claims.claim(block);
        push(&mut salvage.nodes, block)?;
        Ok(Some(entries.to_vec()))
    }

    fn salvage_run(&mut self, entry: &RawExtent, end: u32, salvage: &mut Salvage) -> Result {
        match Mapping::parse(entry, &self.geometry()) {
            Ok(run) => {
                salvage.intact &= run.end().0 <= end;
                push(&mut salvage.runs, run)
            }
            Err(_) => {
                salvage.intact = false;
                Ok(())
            }
        }
    }

    /// Claims the blocks of the runs; what others have, or what lies at a place of the file that
    /// a run before covers, is left out.
    fn claim_runs(&mut self, salvage: &mut Salvage) -> Result {
        let mut runs = core::mem::take(&mut salvage.runs);
        runs.sort_by_key(|run| run.first);
        let mut free_from = FileBlock(0);
        for run in runs {
            let start = run.first.max(free_from);
            salvage.intact &= start == run.first;
            let mut at = start;
            while at < run.end() {
                let block = run.block + u64::from(at.0 - run.first.0);
                let next = FileBlock(at.0 + 1);
                if self.claims.claim(block) {
                    let one = run.part(at, next);
                    match salvage
                        .runs
                        .last_mut()
                        .filter(|last| at > start && last.joins(&one))
                    {
                        Some(last) => last.len += 1,
                        None => push(&mut salvage.runs, one)?,
                    }
                } else {
                    salvage.intact = false;
                }
                at = next;
            }
            free_from = free_from.max(run.end());
        }
        Ok(())
    }

    /// Which blocks of a directory are its blocks of entries.
    fn keep_directory(&mut self, inode: &Inode, salvage: Salvage) -> Result {
        let mut dir = Dir {
            ino: inode.ino,
            blocks: Vec::new(),
            nodes: salvage.nodes,
            reshape: !salvage.intact,
            index: self.salvage_index(inode)?,
        };
        let end = FileBlock::behind_byte(inode.size);
        for run in &salvage.runs {
            for (at, block) in (run.first.0..).zip(run.block..run.block_end()) {
                let expected = FileBlock(at) < end && !run.unwritten;
                if !expected && !self.is_block_of(inode.ino, block)? {
                    dir.reshape = true;
                    self.claims.give(block);
                    continue;
                }
                dir.reshape |= !expected || u64::from(at) != count(&dir.blocks);
                push(&mut dir.blocks, block)?;
            }
        }
        dir.reshape |= count(&dir.blocks) != u64::from(end.0);
        push(&mut self.dirs, dir)
    }

    fn is_block_of(&self, owner: Ino, block: u64) -> Result<bool> {
        let head: Option<RawDirHead> = layout::get(&self.read(BlockNo(block))?, 0);
        Ok(head.is_some_and(|head| head.magic == layout::DIR_MAGIC && head.owner.get() == owner.0))
    }

    /// Writes the sizes, trees and indexes of directories.
    pub(super) fn write_directories(&mut self) -> Result {
        let mut dirs = core::mem::take(&mut self.dirs);
        for dir in &mut dirs {
            let mut inode = self.load(dir.ino)?;
            if dir.reshape {
                let mut runs = Vec::new();
                for (at, block) in (0..).zip(&dir.blocks) {
                    let run = Mapping {
                        first: FileBlock(at),
                        len: 1,
                        block: *block,
                        unwritten: false,
                    };
                    push(&mut runs, run)?;
                }
                self.write_tree(&mut inode, &mut runs, &mut dir.nodes, true)?;
                inode.size = count(&dir.blocks) * u64::from(BLOCK_SIZE);
            }
            self.mend_index(dir, &mut inode)?;
            let index = dir.index.as_ref().map_or(0, |index| index.size());
            let tree = count(&dir.blocks) + count(&dir.nodes);
            inode.blocks = tree + index + u64::from(inode.xattr != 0);
            self.store(&inode)?;
        }
        self.dirs = dirs;
        Ok(())
    }

    /// Gives an inode a new tree with these runs. Its blocks are `nodes`, and with `grow` others;
    /// without, runs are dropped that the tree has no room for. (A tree that has lost entries has
    /// blocks enough, unless a run was cut into many.)
    fn write_tree(
        &mut self,
        inode: &mut Inode,
        runs: &mut Vec<Mapping>,
        nodes: &mut Vec<u64>,
        grow: bool,
    ) -> Result {
        let mut joined: Vec<Mapping> = Vec::new();
        for run in runs.iter() {
            match joined.last_mut().filter(|last| last.joins(run)) {
                Some(last) => last.len += run.len,
                None => push(&mut joined, *run)?,
            }
        }
        while needed(joined.len()) > nodes.len() {
            if grow {
                nodes.push(self.take_block()?);
                continue;
            }
            let lost = joined.pop().ok_or(Errno::EIO)?;
            (lost.block..lost.block_end()).for_each(|block| self.claims.give(block));
        }
        let mut free = core::mem::take(nodes);
        let mut level: Vec<RawExtent> = joined.iter().map(Mapping::raw).collect();
        *runs = joined;
        let mut depth = 0;
        while level.len() > usize::from(layout::ROOT_EXTENTS) {
            let mut above = Vec::new();
            for entries in level.chunks(BLOCK_EXTENTS.into()) {
                let block = free.pop().ok_or(Errno::EIO)?;
                push(nodes, block)?;
                push(
                    &mut above,
                    self.write_node(inode.ino, block, depth, entries)?,
                )?;
            }
            level = above;
            depth += 1;
        }
        free.into_iter().for_each(|block| self.claims.give(block));
        inode.area = Area::EMPTY;
        inode.area.depth = depth;
        inode.area.extents = u16::try_from(level.len()).map_err(|_| Errno::EIO)?;
        for (slot, entry) in inode.area.slots().iter_mut().zip(&level) {
            *slot = *entry;
        }
        Ok(())
    }

    /// Writes an extent block; returns the entry that leads to it.
    fn write_node(
        &self,
        owner: Ino,
        block: u64,
        depth: u16,
        entries: &[RawExtent],
    ) -> Result<RawExtent> {
        let head = RawNode {
            magic: layout::NODE_MAGIC,
            checksum: U32::ZERO,
            owner: owner.0.into(),
            count: u16::try_from(entries.len()).map_err(|_| Errno::EIO)?.into(),
            depth: depth.into(),
        };
        let mut bytes = zeros();
        let contents = head.as_bytes().iter().chain(entries.as_bytes());
        for (to, from) in bytes.iter_mut().zip(contents) {
            *to = *from;
        }
        self.write(BlockNo(block), &mut bytes)?;
        Ok(RawExtent {
            first: entries.first().ok_or(Errno::EIO)?.first,
            len: U32::ZERO,
            block: block.into(),
        })
    }
}

/// Extent blocks that a tree of this many runs needs.
fn needed(runs: usize) -> usize {
    let (mut level, mut all) = (runs, 0);
    while level > usize::from(layout::ROOT_EXTENTS) {
        level = level.div_ceil(BLOCK_EXTENTS.into());
        all += level;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::needed;

    #[test]
    fn trees_need_blocks_from_nine_runs_on() {
        assert_eq!((needed(0), needed(8), needed(9), needed(255)), (0, 0, 1, 1));
        assert_eq!(
            (needed(256), needed(8 * 255), needed(8 * 255 + 1)),
            (2, 8, 10)
        );
    }
}
