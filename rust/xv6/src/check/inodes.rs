// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! First pass: the inode table, and the blocks of every inode.

use super::{Checker, Directory, INODES, Reach, Seen, push};
use crate::corrupt::CorruptKind;
use crate::extent::{FileBlock, Mapping, node_entries};
use crate::inode::{Ino, Inode, block_of};
use crate::layout::{self, BITS_PER_BLOCK, INODES_PER_BLOCK, RawExtent, RawInode};
use crate::symlink::target_in;
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, FileKind, Result};
use core::ops::Range;
use zerocopy::little_endian::U32;

/// A node of an extent tree that is still to be looked at.
struct Todo {
    block: BlockNo,
    depth: u16,
    /// The keys that may occur in it.
    keys: Range<u32>,
}

/// What an inode's tree has shown.
#[derive(Default)]
struct Tree {
    /// Blocks of the file, of the tree and of the extended attributes.
    blocks: u64,
    /// The runs of a directory or symbolic link, ascending.
    runs: Vec<Mapping>,
}

impl<D: BlockDevice> Checker<'_, D> {
    pub(super) fn check_inodes(&mut self) -> Result {
        let slots = self.geometry().inodes();
        let mut base = 0;
        while base < slots {
            let map_block = self.geometry().inode_map() + u64::from(base / BITS_PER_BLOCK);
            let map = self.copy(BlockNo(map_block))?;
            let end = slots.min(base + BITS_PER_BLOCK);
            for first in (base..end).step_by(16) {
                let bits = table_bits(layout::payload(&map), first - base);
                // A table block without used inodes may never have been written.
                if bits != 0 {
                    self.check_table_block(first, bits)?;
                }
                self.advance(&INODES, first.into(), slots.into());
            }
            base = end;
        }
        Ok(())
    }

    /// Checks the 16 inodes from `first` on; `bits` says which are marked used.
    fn check_table_block(&mut self, first: u32, bits: u16) -> Result {
        let (block, _) = self.geometry().inode_place(Ino(first));
        let bytes = self.copy(block)?;
        for slot in 0..INODES_PER_BLOCK {
            let ino = Ino(first + slot);
            let (_, offset) = self.geometry().inode_place(ino);
            let Some(raw) = layout::get::<RawInode>(&bytes, offset) else {
                continue;
            };
            let marked = bits & (1 << slot) != 0;
            if !self.sup.sums().inode_is_valid(ino, &raw) {
                self.find(CorruptKind::InodeChecksum, Some(ino), block);
            }
            let raw = RawInode {
                checksum: U32::ZERO,
                ..raw
            };
            match Inode::parse(ino, &raw, &self.geometry()) {
                _ if ino.0 == 0 => self.check_slot_0(&raw, marked),
                Ok(Some(inode)) if marked => self.check_inode(&inode)?,
                Ok(Some(_)) => self.find(CorruptKind::InodeMarkedFree, Some(ino), block),
                Err(kind) => self.find(kind, Some(ino), block),
                Ok(None) if marked => self.find(CorruptKind::InodeMarkedUsed, Some(ino), block),
                Ok(None) if raw != Inode::free_slot(raw.generation.get()) => {
                    self.find(CorruptKind::InodeNotEmpty, Some(ino), block);
                }
                Ok(None) => {}
            }
        }
        Ok(())
    }

    /// Slot 0 is marked used and is empty: no inode has the number 0.
    fn check_slot_0(&mut self, raw: &RawInode, marked: bool) {
        if !marked {
            self.find_inode(CorruptKind::InodeMarkedFree, Ino(0));
        }
        if *raw != Inode::free_slot(0) {
            self.find_inode(CorruptKind::InodeNotEmpty, Ino(0));
        }
    }

    fn check_inode(&mut self, inode: &Inode) -> Result {
        if inode.kind == FileKind::Directory {
            self.report.directories += 1;
        } else {
            self.report.files += 1;
        }
        if inode.is_orphan() {
            self.report.orphans += 1;
        }
        let seen = Seen {
            ino: inode.ino,
            kind: inode.kind,
            nlink: inode.nlink,
            parent: inode.parent,
            orphan: inode.is_orphan(),
            names: 0,
            found_in: 0,
            subdirs: 0,
            reach: Reach::Unknown,
        };
        push(&mut self.inodes, seen)?;
        let mut tree = if inode.is_inline_link() {
            Tree::default()
        } else {
            self.check_tree(inode)?
        };
        tree.blocks += self.check_xattrs(inode)?;
        let index = self.check_index(inode)?;
        let blocks = tree.blocks + index.blocks;
        if blocks != inode.blocks {
            self.find_inode(CorruptKind::BlockCount, inode.ino);
        }
        self.report.used_blocks += blocks;
        self.check_link(inode, &tree)?;
        if inode.kind == FileKind::Directory {
            let directory = Directory {
                inode: *inode,
                runs: tree.runs,
                index,
            };
            push(&mut self.directories, directory)?;
        }
        Ok(())
    }

    /// The target of a symbolic link that has a block.
    fn check_link(&mut self, inode: &Inode, tree: &Tree) -> Result {
        if inode.kind != FileKind::Symlink || inode.is_inline_link() {
            return Ok(());
        }
        let Some(block) = self.metadata_block(inode.ino, &tree.runs, FileBlock(0)) else {
            return Ok(());
        };
        let bytes = self.sealed_copy(block, Some(inode.ino))?;
        if let Err(kind) = target_in(inode, &bytes) {
            self.find(kind, Some(inode.ino), block);
        }
        Ok(())
    }

    /// The block at `at` of a directory or symbolic link, or a finding.
    pub(super) fn metadata_block(
        &mut self,
        ino: Ino,
        runs: &[Mapping],
        at: FileBlock,
    ) -> Option<BlockNo> {
        let run = runs.iter().find(|run| run.first <= at && at < run.end());
        match run {
            None => self.find_inode(CorruptKind::ExtentHole, ino),
            Some(run) if run.unwritten => self.find_inode(CorruptKind::ExtentUnwritten, ino),
            Some(run) => return Some(BlockNo(run.part(at, run.end()).block)),
        }
        None
    }

    /// Walks the extent tree of an inode.
    fn check_tree(&mut self, inode: &Inode) -> Result<Tree> {
        let mut tree = Tree::default();
        let mut todo = Vec::new();
        let root = inode.area.entries().to_vec();
        let home = block_of(&self.geometry(), inode.ino);
        let keys = 0..layout::MAX_FILE_BLOCKS;
        self.check_node(
            inode,
            &root,
            inode.area.depth,
            (home, keys),
            &mut todo,
            &mut tree,
        )?;
        while let Some(node) = todo.pop() {
            let bytes = self.sealed_copy(node.block, Some(inode.ino))?;
            match node_entries(&bytes, inode.ino, node.depth) {
                Err(kind) => self.find(kind, Some(inode.ino), node.block),
                Ok(entries) => {
                    let place = (node.block, node.keys);
                    self.check_node(inode, entries, node.depth, place, &mut todo, &mut tree)?;
                }
            }
        }
        // Children wait on a stack, so leaves do not come in order.
        tree.runs.sort_unstable_by_key(|run| run.first);
        Ok(tree)
    }

    fn check_node(
        &mut self,
        inode: &Inode,
        entries: &[RawExtent],
        depth: u16,
        (block, keys): (BlockNo, Range<u32>),
        todo: &mut Vec<Todo>,
        tree: &mut Tree,
    ) -> Result {
        let ends = entries.iter().skip(1).map(|next| next.first.get());
        let mut low = keys.start;
        for (entry, end) in entries.iter().zip(ends.chain([keys.end])) {
            let first = entry.first.get();
            if first < low || first >= end || end > keys.end {
                self.find(CorruptKind::ExtentOrder, Some(inode.ino), block);
                return Ok(());
            }
            low = first + 1;
            if depth > 0 {
                self.check_child(inode, entry, depth - 1, (block, first..end), todo, tree)?;
            } else {
                self.check_run(inode, entry, (block, end), tree)?;
            }
        }
        Ok(())
    }

    fn check_child(
        &mut self,
        inode: &Inode,
        entry: &RawExtent,
        depth: u16,
        (block, keys): (BlockNo, Range<u32>),
        todo: &mut Vec<Todo>,
        tree: &mut Tree,
    ) -> Result {
        let child = entry.block.get();
        if entry.len.get() != 0 {
            self.find(CorruptKind::ExtentLength, Some(inode.ino), block);
        }
        if !self.geometry().is_data(child, 1) {
            self.find(CorruptKind::ExtentRange, Some(inode.ino), block);
            return Ok(());
        }
        tree.blocks += 1;
        // A block that is in use already is not walked again: cycles end here.
        if self.used.take(child..child + 1).is_some() {
            self.find(CorruptKind::BlockShared, Some(inode.ino), BlockNo(child));
            return Ok(());
        }
        push(
            todo,
            Todo {
                block: BlockNo(child),
                depth,
                keys,
            },
        )
    }

    fn check_run(
        &mut self,
        inode: &Inode,
        entry: &RawExtent,
        (block, end): (BlockNo, u32),
        tree: &mut Tree,
    ) -> Result {
        let run = match Mapping::parse(entry, &self.geometry()) {
            Ok(run) if run.end().0 <= end => run,
            Ok(_) => {
                self.find(CorruptKind::ExtentOrder, Some(inode.ino), block);
                return Ok(());
            }
            Err(kind) => {
                self.find(kind, Some(inode.ino), block);
                return Ok(());
            }
        };
        tree.blocks += u64::from(run.len);
        if let Some(shared) = self.used.take(run.block..run.block_end()) {
            self.find(CorruptKind::BlockShared, Some(inode.ino), BlockNo(shared));
        }
        if inode.kind != FileKind::Regular {
            push(&mut tree.runs, run)?;
        }
        Ok(())
    }
}

/// The 16 bits from `bit` on, a multiple of 16; those behind the end are clear.
fn table_bits(map: &[u8], bit: u32) -> u16 {
    let at = usize::try_from(bit / 8).ok();
    let bytes = at
        .and_then(|at| map.get(at..))
        .and_then(|rest| rest.first_chunk::<2>());
    bytes.map_or(0, |bytes| u16::from_le_bytes(*bytes))
}
