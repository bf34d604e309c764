// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Second pass: directories, links, and whether everything can be reached from the root.

use super::index::Entries;
use super::{Checker, Directory, NAMES, Reach, push};
use crate::corrupt::CorruptKind;
use crate::dir::{Pair, check_head, entries, largest_gap};
use crate::extent::FileBlock;
use crate::inode::Ino;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, FileKind, Result};
use core::mem::take;

/// An entry, as far as it matters for the inode that it names.
struct Name {
    ino: u32,
    kind: FileKind,
    block: BlockNo,
}

impl<D: BlockDevice> Checker<'_, D> {
    pub(super) fn check_names(&mut self) -> Result {
        let directories = take(&mut self.directories);
        let all = u64::try_from(directories.len()).unwrap_or(u64::MAX);
        for (now, directory) in (0..).zip(&directories) {
            self.check_directory(directory)?;
            self.advance(&NAMES, now, all);
        }
        self.check_root();
        for index in 0..self.inodes.len() {
            self.check_links(index);
        }
        for directory in &directories {
            self.check_reachable(directory.inode.ino)?;
        }
        Ok(())
    }

    fn check_directory(&mut self, directory: &Directory) -> Result {
        let Directory { inode, runs, index } = directory;
        let end = FileBlock::behind_byte(inode.size);
        if runs.last().is_some_and(|run| run.end() > end) && inode.nlink > 0 {
            self.find_inode(CorruptKind::InodeSize, inode.ino);
        }
        let mut names = BTreeSet::new();
        let mut seen = Entries::default();
        for at in 0..end.0 {
            let Some(block) = self.metadata_block(inode.ino, runs, FileBlock(at)) else {
                // One finding says enough, however large the directory claims to be.
                return Ok(());
            };
            let place = (FileBlock(at), block);
            self.check_directory_block(inode.ino, place, &mut names, &mut seen)?;
        }
        self.compare_index(inode, index, &mut seen);
        Ok(())
    }

    fn check_directory_block(
        &mut self,
        dir: Ino,
        (at, block): (FileBlock, BlockNo),
        names: &mut BTreeSet<Vec<u8>>,
        seen: &mut Entries,
    ) -> Result {
        let bytes = self.sealed_copy(block, Some(dir))?;
        let hash = self.names;
        push(&mut seen.gaps, largest_gap(&bytes).unwrap_or(0))?;
        if let Err(kind) = check_head(&bytes, dir) {
            self.find(kind, Some(dir), block);
            return Ok(());
        }
        for entry in entries(&bytes) {
            match entry {
                Err(kind) => self.find(kind, Some(dir), block),
                Ok(entry) => {
                    let Some(kind) = entry.kind else { continue };
                    if !names.insert(entry.name.to_vec()) {
                        self.find(CorruptKind::DirEntryTwice, Some(dir), block);
                    }
                    let pair = Pair::new(hash.of(entry.name), at, entry.at);
                    push(&mut seen.pairs, (pair, block))?;
                    let ino = entry.ino;
                    self.check_name(dir, &Name { ino, kind, block });
                }
            }
        }
        Ok(())
    }

    fn check_name(&mut self, dir: Ino, name: &Name) {
        let Some(ino) = self.geometry().ino(name.ino.into()) else {
            self.find(CorruptKind::DirEntryInode, Some(dir), name.block);
            return;
        };
        let Some(child) = self.seen(name.ino) else {
            // Either the map or the inode is wrong; the entry leads nowhere in both cases.
            self.find(CorruptKind::InodeMarkedFree, Some(ino), name.block);
            return;
        };
        child.names += 1;
        child.found_in = dir.0;
        let child = *child;
        if child.kind != name.kind {
            self.find(CorruptKind::DirEntryKindDiffers, Some(dir), name.block);
        }
        if child.kind == FileKind::Directory {
            if child.parent != dir.0 || child.names > 1 || ino == Ino::ROOT {
                self.find(CorruptKind::DirParent, Some(ino), name.block);
            }
            if let Some(parent) = self.seen(dir.0) {
                parent.subdirs += 1;
            }
        }
    }

    fn check_root(&mut self) {
        let root = self.seen(Ino::ROOT.0).map(|root| *root);
        let valid = root.is_some_and(|root| {
            root.kind == FileKind::Directory && root.nlink > 0 && root.parent == Ino::ROOT.0
        });
        if !valid {
            self.find_inode(CorruptKind::RootMissing, Ino::ROOT);
        }
    }

    /// The link count of one inode.
    fn check_links(&mut self, index: usize) {
        let Some(seen) = self.inodes.get(index).copied() else {
            return;
        };
        let root = seen.ino == Ino::ROOT;
        let named = seen.names > 0 || root;
        if !named && seen.nlink > 0 {
            self.find_inode(CorruptKind::InodeUnreachable, seen.ino);
            return;
        }
        let expected = match (seen.kind == FileKind::Directory, named) {
            (true, true) => 2 + seen.subdirs,
            (true, false) => seen.subdirs,
            (false, _) => seen.names,
        };
        if seen.nlink != expected {
            self.find_inode(CorruptKind::LinkCount, seen.ino);
        }
    }

    /// The way up from a directory ends, at the root or at a directory without a name (which has
    /// its finding already). Directories that contain each other have names and right counts.
    fn check_reachable(&mut self, ino: Ino) -> Result {
        let mut way = Vec::new();
        let mut at = ino.0;
        while let Some(seen) = self.seen(at) {
            match seen.reach {
                Reach::Unknown => seen.reach = Reach::OnTheWay,
                Reach::OnTheWay => {
                    self.find_inode(CorruptKind::InodeUnreachable, ino);
                    break;
                }
                Reach::Known => break,
            }
            let parent = seen.found_in;
            push(&mut way, at)?;
            at = if at == Ino::ROOT.0 { 0 } else { parent };
        }
        for passed in way {
            if let Some(seen) = self.seen(passed) {
                seen.reach = Reach::Known;
            }
        }
        Ok(())
    }
}
