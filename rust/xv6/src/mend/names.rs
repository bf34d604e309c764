// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The entries of all directories.

use super::{Dir, Mender, push, zeros};
use crate::dir::{Dirent, encode, entry_size, free_entry};
use crate::inode::{Ino, Inode};
use crate::layout::{self, BLOCK_SIZE, DIR_ALIGN, DIR_START, RawDirHead};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, Errno, FileKind, Result};
use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

/// An entry that is to stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) ino: Ino,
    pub(super) kind: FileKind,
    pub(super) name: Vec<u8>,
}

/// What a block of entries holds.
struct Contents {
    names: Vec<Name>,
    /// That is all, and it is as it should be.
    intact: bool,
}

impl<D: BlockDevice> Mender<'_, D> {
    /// Looks at all entries: which directories are named by their parents, and which inodes are
    /// in use although the map says no. Those are marked; returns whether there were any.
    pub(super) fn adopt(&mut self) -> Result<bool> {
        let mut adopted = Vec::new();
        let dirs = core::mem::take(&mut self.dirs);
        for dir in &dirs {
            for block in &dir.blocks {
                for name in self.contents(dir.ino, *block)?.names {
                    if let Some(item) = self.item(name.ino.0) {
                        item.known = true;
                        item.rightful |= item.parent == dir.ino.0;
                    } else if self.is_inode(name.ino)? {
                        push(&mut adopted, name.ino)?;
                    }
                }
            }
        }
        self.dirs = dirs;
        self.mark_used(&adopted)?;
        Ok(!adopted.is_empty())
    }

    /// The slot holds an inode in all its beauty.
    fn is_inode(&self, ino: Ino) -> Result<bool> {
        let raw = self.slot(ino)?;
        let inode = Inode::parse(ino, &raw, &self.geometry());
        Ok(self.sup.sums().inode_is_valid(ino, &raw) && matches!(inode, Ok(Some(_))))
    }

    /// Reads the entries of a block, as far as they can be understood. Behind damage, entries
    /// count that name an inode of their kind.
    fn contents(&mut self, dir: Ino, block: u64) -> Result<Contents> {
        let bytes = self.read(BlockNo(block))?;
        let mut contents = Contents {
            names: Vec::new(),
            intact: crate::dir::check_head(&bytes, dir).is_ok()
                && self.is_sealed(BlockNo(block), &bytes),
        };
        let mut at = DIR_START;
        while at < BLOCK_SIZE {
            let Ok(entry) = Dirent::parse(&bytes, at) else {
                contents.intact = false;
                at = self.next_entry(&bytes, at);
                continue;
            };
            at += entry.rec_len;
            let Some(kind) = entry.kind else { continue };
            let Some(ino) = self.geometry().ino(entry.ino.into()) else {
                contents.intact = false;
                continue;
            };
            let name = entry.name.to_vec();
            push(&mut contents.names, Name { ino, kind, name })?;
        }
        Ok(contents)
    }

    /// The next place behind `at` that looks like an entry.
    fn next_entry(&mut self, bytes: &[u8], at: u16) -> u16 {
        let mut at = at + DIR_ALIGN;
        while at < BLOCK_SIZE {
            if let Ok(entry) = Dirent::parse(bytes, at)
                && let Some(kind) = entry.kind
                && self.item(entry.ino).is_some_and(|item| item.kind == kind)
            {
                return at;
            }
            at += DIR_ALIGN;
        }
        BLOCK_SIZE
    }

    /// Makes all directories hold entries that lead to inodes, with one name for each directory.
    pub(super) fn mend_directories(&mut self) -> Result {
        let dirs = core::mem::take(&mut self.dirs);
        for dir in &dirs {
            let mut names = BTreeSet::new();
            // What was removed while it was open is empty.
            let removed = self
                .item(dir.ino.0)
                .is_some_and(|item| item.nlink == 0 && !item.known && item.ino != Ino::ROOT);
            for block in &dir.blocks {
                let contents = self.contents(dir.ino, *block)?;
                let mut kept = Vec::new();
                for name in &contents.names {
                    let mut name = name.clone();
                    if removed || !self.keeps(dir.ino, &mut name) {
                        continue;
                    }
                    if names.insert(name.name.clone()) {
                        self.count_name(dir.ino, &name);
                        push(&mut kept, name)?;
                    }
                }
                if !contents.intact || contents.names != kept {
                    self.write_names(dir.ino, *block, &kept)?;
                }
            }
        }
        self.dirs = dirs;
        Ok(())
    }

    /// The entry leads to an inode that may be named here.
    fn keeps(&mut self, dir: Ino, name: &mut Name) -> bool {
        let Some(item) = self.item(name.ino.0) else {
            return false;
        };
        name.kind = item.kind;
        if item.kind != FileKind::Directory {
            return true;
        }
        let first = item.names == 0 && item.ino != Ino::ROOT && item.ino != dir;
        first && (item.parent == dir.0 || !item.rightful)
    }

    pub(super) fn count_name(&mut self, dir: Ino, name: &Name) {
        let mut subdirs = 0;
        if let Some(item) = self.item(name.ino.0) {
            item.names += 1;
            item.found_in = dir.0;
            if item.kind == FileKind::Directory {
                item.parent = dir.0;
                subdirs = 1;
            }
        }
        if let Some(parent) = self.item(dir.0) {
            parent.subdirs += subdirs;
        }
    }

    /// Writes a block of entries.
    pub(super) fn write_names(&self, dir: Ino, block: u64, names: &[Name]) -> Result {
        let mut bytes = zeros();
        let head = RawDirHead {
            magic: layout::DIR_MAGIC,
            checksum: U32::ZERO,
            owner: dir.0.into(),
            reserved: U32::ZERO,
        };
        set(&mut bytes, 0, head.as_bytes());
        let mut at = DIR_START;
        for (number, name) in names.iter().enumerate() {
            let len = u8::try_from(name.name.len()).map_err(|_| Errno::EIO)?;
            let last = number + 1 == names.len();
            let rec_len = if last {
                BLOCK_SIZE - at
            } else {
                entry_size(len)
            };
            set(
                &mut bytes,
                at,
                &encode(name.ino, name.kind, &name.name, rec_len)?,
            );
            at += rec_len;
        }
        if names.is_empty() {
            set(&mut bytes, at, free_entry(BLOCK_SIZE - at).as_bytes());
        }
        self.write(BlockNo(block), &mut bytes)
    }

    /// Adds an entry to a directory; looks for room in its last block alone, unless `anywhere`.
    pub(super) fn add_name(&mut self, dir: &mut Dir, name: &Name, anywhere: bool) -> Result {
        let len = u8::try_from(name.name.len()).map_err(|_| Errno::EIO)?;
        let skip = if anywhere {
            0
        } else {
            dir.blocks.len().saturating_sub(1)
        };
        for block in dir.blocks.iter().skip(skip) {
            let mut names = self.contents(dir.ino, *block)?.names;
            let used = names
                .iter()
                .map(|n| entry_size(u8::try_from(n.name.len()).unwrap_or(255)));
            let used: u16 = used.sum();
            if used + entry_size(len) <= BLOCK_SIZE - DIR_START {
                push(&mut names, name.clone())?;
                return self.write_names(dir.ino, *block, &names);
            }
        }
        let block = self.take_block()?;
        push(&mut dir.blocks, block)?;
        dir.reshape = true;
        self.write_names(dir.ino, block, core::slice::from_ref(name))
    }

    /// Removes the entries of a directory that name `child`.
    pub(super) fn remove_name(&mut self, dir: &Dir, child: Ino) -> Result {
        for block in &dir.blocks {
            let mut names = self.contents(dir.ino, *block)?.names;
            let before = names.len();
            names.retain(|name| name.ino != child);
            if names.len() != before {
                self.write_names(dir.ino, *block, &names)?;
            }
        }
        Ok(())
    }

    /// All names of a directory.
    pub(super) fn names_of(&mut self, dir: &Dir) -> Result<Vec<Name>> {
        let mut all = Vec::new();
        for block in &dir.blocks {
            for name in self.contents(dir.ino, *block)?.names {
                push(&mut all, name)?;
            }
        }
        Ok(all)
    }
}

fn set(bytes: &mut [u8], at: u16, value: &[u8]) {
    let place = bytes.get_mut(usize::from(at)..).unwrap_or_default();
    for (to, from) in place.iter_mut().zip(value) {
        *to = *from;
    }
}
