// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What has no name gets one in `lost+found`; link counts and parents.

use super::names::Name;
use super::{Dir, Item, Mender, Reach, push, zeros};
use crate::inode::Ino;
use crate::layout::INODES_PER_BLOCK;
use crate::mkfs::put;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;
use bento::{BlockDevice, Errno, FileKind, Result};

/// The directory for what has lost its name.
const LOST: &[u8] = b"lost+found";

impl<D: BlockDevice> Mender<'_, D> {
    pub(super) fn reconnect(&mut self) -> Result {
        self.dirs.sort_by_key(|dir| dir.ino);
        self.break_circles()?;
        let lost = self
            .items
            .iter()
            .filter(|item| item.names == 0 && item.nlink > 0 && item.ino != Ino::ROOT);
        let lost: Vec<Item> = lost.copied().collect();
        if lost.is_empty() {
            return Ok(());
        }
        let mut left = match self.lost_and_found() {
            // The directory itself may have been without a name.
            Ok(ino) => self.connect(ino, lost.into_iter().filter(|item| item.ino != ino))?,
            Err(Errno::ENOSPC) => lost,
            Err(error) => return Err(error),
        };
        if !left.is_empty() {
            log::warn!("no room in lost+found: names go to the root directory");
            left = self.connect(Ino::ROOT, left.into_iter())?;
        }
        if !left.is_empty() {
            log::error!("no space: {} inodes stay without a name", left.len());
        }
        Ok(())
    }

    /// Gives names in a directory to what has none. Returns what found no room.
    fn connect(&mut self, ino: Ino, lost: impl Iterator<Item = Item>) -> Result<Vec<Item>> {
        let mut dir = self.take_dir(ino)?;
        let result = self.connect_in(&mut dir, lost);
        self.put_dir(dir)?;
        result
    }

    fn connect_in(&mut self, dir: &mut Dir, lost: impl Iterator<Item = Item>) -> Result<Vec<Item>> {
        let names = self.names_of(dir)?.into_iter().map(|name| name.name);
        let mut taken: BTreeSet<Vec<u8>> = names.collect();
        let mut left = Vec::new();
        for item in lost {
            let mut name = Name {
                ino: item.ino,
                kind: item.kind,
                name: format!("#{}", item.ino).into_bytes(),
            };
            while taken.contains(&name.name) {
                name.name.push(b'~');
            }
            match self.add_name(dir, &name, dir.ino == Ino::ROOT) {
                Ok(()) => {
                    self.count_name(dir.ino, &name);
                    taken.insert(name.name);
                }
                Err(Errno::ENOSPC) => push(&mut left, item)?,
                Err(error) => return Err(error),
            }
        }
        Ok(left)
    }

    /// The directory for what has lost its name; made where there is none.
    fn lost_and_found(&mut self) -> Result<Ino> {
        let mut root = self.take_dir(Ino::ROOT)?;
        let result = self.lost_and_found_in(&mut root);
        self.put_dir(root)?;
        result
    }

    fn lost_and_found_in(&mut self, root: &mut Dir) -> Result<Ino> {
        let names = self.names_of(root)?;
        let known = names.iter().find(|name| name.name == LOST);
        let known = known.filter(|name| name.kind == FileKind::Directory);
        let ino = match known {
            Some(name) => name.ino,
            None => {
                let taken: BTreeSet<&[u8]> = names.iter().map(|n| n.name.as_slice()).collect();
                let mut name = LOST.to_vec();
                while taken.contains(name.as_slice()) {
                    name.push(b'~');
                }
                let ino = self.free_inode()?;
                let kind = FileKind::Directory;
                let entry = Name { ino, kind, name };
                self.add_name(root, &entry, true)?;
                self.make_lost_and_found(ino)?;
                self.count_name(Ino::ROOT, &entry);
                ino
            }
        };
        Ok(ino)
    }

    fn make_lost_and_found(&mut self, ino: Ino) -> Result {
        let first = ino.0 - ino.0 % INODES_PER_BLOCK;
        let neighbours = first..first + INODES_PER_BLOCK;
        let used = self
            .items
            .iter()
            .any(|item| neighbours.contains(&item.ino.0));
        if !used && first > 0 {
            put(self.dev, self.geometry().inode_place(ino).0, &zeros())?;
        }
        let inode = self.new_directory(ino, 0o700)?;
        self.store(&inode)?;
        self.add_item(&inode)?;
        let dir = Dir {
            ino,
            blocks: Vec::new(),
            nodes: Vec::new(),
            reshape: false,
            index: None,
        };
        self.put_dir(dir)
    }

    fn free_inode(&mut self) -> Result<Ino> {
        let numbers = self.items.iter().map(|item| item.ino.0);
        let free = numbers.zip(1..).find(|(used, wanted)| used != wanted);
        let next = self
            .items
            .last()
            .map_or(1, |item| item.ino.0.saturating_add(1));
        let number = free.map_or(next, |(_, wanted)| wanted);
        self.geometry().ino(number.into()).ok_or(Errno::ENOSPC)
    }

    fn take_dir(&mut self, ino: Ino) -> Result<Dir> {
        let index = self.dirs.binary_search_by_key(&ino, |dir| dir.ino);
        Ok(self.dirs.remove(index.map_err(|_| Errno::EIO)?))
    }

    fn put_dir(&mut self, dir: Dir) -> Result {
        let at = self.dirs.partition_point(|other| other.ino < dir.ino);
        push(&mut self.dirs, dir)?;
        self.dirs.get_mut(at..).unwrap_or_default().rotate_right(1);
        Ok(())
    }

    /// Directories that contain each other are taken out of each other.
    fn break_circles(&mut self) -> Result {
        let inos: Vec<Ino> = self.dirs.iter().map(|dir| dir.ino).collect();
        for ino in inos {
            let mut way = Vec::new();
            let mut at = ino.0;
            while let Some(item) = self.item(at) {
                match item.reach {
                    Reach::Unknown => item.reach = Reach::OnTheWay,
                    Reach::OnTheWay => {
                        let item = *item;
                        self.cut_loose(&item)?;
                        break;
                    }
                    Reach::Known => break,
                }
                let above = item.found_in;
                push(&mut way, at)?;
                at = if at == Ino::ROOT.0 { 0 } else { above };
            }
            for passed in way {
                if let Some(item) = self.item(passed) {
                    item.reach = Reach::Known;
                }
            }
        }
        Ok(())
    }

    /// Takes a directory out of the one that holds it.
    fn cut_loose(&mut self, item: &Item) -> Result {
        let Some(parent) = self.geometry().ino(item.found_in.into()) else {
            return Ok(());
        };
        let dir = self.take_dir(parent)?;
        self.remove_name(&dir, item.ino)?;
        self.put_dir(dir)?;
        if let Some(parent) = self.item(parent.0) {
            parent.subdirs = parent.subdirs.saturating_sub(1);
        }
        if let Some(item) = self.item(item.ino.0) {
            item.names = 0;
            item.found_in = 0;
            // So that it counts as lost, whatever its inode says.
            item.nlink = item.nlink.max(2);
        }
        Ok(())
    }

    /// Writes the link counts, and which directory holds each directory.
    pub(super) fn write_links(&mut self) -> Result {
        for index in 0..self.items.len() {
            let Some(item) = self.items.get(index).copied() else {
                continue;
            };
            let directory = item.kind == FileKind::Directory;
            let named = item.names > 0 || item.ino == Ino::ROOT;
            let nlink = match (directory, named) {
                (true, true) => 2 + item.subdirs,
                (false, true) => item.names,
                // Where lost+found had no room, the next repair tries again.
                (_, false) => item.nlink,
            };
            let mut inode = self.load(item.ino)?;
            inode.nlink = nlink;
            if directory && named {
                inode.parent = if item.ino == Ino::ROOT {
                    Ino::ROOT.0
                } else {
                    item.found_in
                };
            }
            self.store(&inode)?;
            if let Some(item) = self.items.get_mut(index) {
                item.nlink = nlink;
            }
        }
        Ok(())
    }
}
