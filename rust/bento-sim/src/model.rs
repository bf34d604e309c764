// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Model`]: what a file system must look like after a workload, in the simplest terms.

use crate::op::{Op, pattern};
use bento::{Errno, RenameFlags, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Identity of an inode of the model; never used twice.
pub type Id = u32;

/// The root directory.
pub const ROOT: Id = 0;

/// What an inode holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The contents of a regular file.
    File(Arc<Vec<u8>>),
    /// Names.
    Directory(BTreeMap<String, Id>),
    /// A target.
    Symlink(String),
}

/// All names and contents. Inodes that are open but have no name are in it, unreachable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    nodes: BTreeMap<Id, Body>,
    open: Vec<Id>,
    next: Id,
    touched: BTreeSet<Id>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            nodes: [(ROOT, Body::Directory(BTreeMap::new()))].into(),
            open: Vec::new(),
            next: ROOT + 1,
            touched: BTreeSet::new(),
        }
    }
}

impl Model {
    /// Does what `op` must do, or fails as it must fail; a failed operation changes nothing.
    ///
    /// # Errors
    /// What the file system must return.
    pub fn apply(&mut self, op: &Op) -> Result {
        self.touched.clear();
        match op {
            Op::Create(path) => self.add(path, Body::File(Arc::default())),
            Op::Mkdir(path) => self.add(path, Body::Directory(BTreeMap::new())),
            Op::Symlink(target, path) => self.add(path, Body::Symlink(target.clone())),
            Op::Link(old, new) => self.link(old, new),
            Op::Unlink(path) => self.remove(path, false),
            Op::Rmdir(path) => self.remove(path, true),
            Op::Rename(from, to, flags) => self.rename(from, to, *flags),
            Op::Write {
                path,
                offset,
                len,
                fill,
            } => self.change(path, |bytes| {
                let at = usize::try_from(*offset).expect("files of the model are small");
                if bytes.len() < at + len {
                    bytes.resize(at + len, 0);
                }
                if let Some(place) = bytes.get_mut(at..at + len) {
                    place.copy_from_slice(&pattern(*offset, *len, *fill));
                }
            }),
            Op::Truncate(path, size) => self.change(path, |bytes| {
                let size = usize::try_from(*size).expect("files of the model are small");
                bytes.resize(size, 0);
            }),
            Op::Allocate(path, ..) => self.file(path).map(|_| ()),
            Op::Open(path) => {
                let id = self.find(path)?;
                self.open.push(id);
                Ok(())
            }
            Op::Close => {
                if !self.open.is_empty() {
                    self.open.remove(0);
                }
                self.drop_unused();
                Ok(())
            }
            Op::Fsync(path) => self.find(path).map(|_| ()),
            Op::Sync => Ok(()),
        }
    }

    /// The inodes that the last operation changed, names included.
    #[must_use]
    pub fn touched(&self) -> &BTreeSet<Id> {
        &self.touched
    }

    /// The contents of an inode, if it still exists.
    #[must_use]
    pub fn body(&self, id: Id) -> Option<&Body> {
        self.nodes.get(&id)
    }

    /// The inode at `path`.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`.
    pub fn find(&self, path: &str) -> Result<Id> {
        let parts = path.split('/').filter(|p| !p.is_empty());
        parts.into_iter().try_fold(ROOT, |dir, name| {
            let names = self.names(dir)?;
            names.get(name).copied().ok_or(Errno::ENOENT)
        })
    }

    /// How many names an inode has, as `st_nlink` counts.
    #[must_use]
    pub fn links(&self, id: Id) -> u32 {
        let directories = self.nodes.values().filter_map(|body| match body {
            Body::Directory(names) => Some(names),
            _ => None,
        });
        let names = directories.flat_map(BTreeMap::values);
        let count = names.filter(|n| **n == id).count();
        let subdirectories = match self.body(id) {
            Some(Body::Directory(names)) => {
                let is_dir = |n: &&Id| matches!(self.body(**n), Some(Body::Directory(_)));
                1 + names.values().filter(is_dir).count() + usize::from(id == ROOT)
            }
            _ => 0,
        };
        u32::try_from(count + subdirectories).unwrap_or(u32::MAX)
    }

    fn names(&self, dir: Id) -> Result<&BTreeMap<String, Id>> {
        match self.body(dir) {
            Some(Body::Directory(names)) => Ok(names),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// The directory of the last name in a path, which must be one, and the name.
    fn parent<'p>(&self, path: &'p str) -> Result<(Id, &'p str)> {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        let dir = self.find(dir)?;
        self.names(dir)?;
        Ok((dir, name))
    }

    fn file(&self, path: &str) -> Result<(Id, &Arc<Vec<u8>>)> {
        let id = self.find(path)?;
        match self.body(id) {
            Some(Body::File(bytes)) => Ok((id, bytes)),
            Some(Body::Directory(_)) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    fn change(&mut self, path: &str, f: impl FnOnce(&mut Vec<u8>)) -> Result {
        let (id, bytes) = self.file(path)?;
        let mut bytes = bytes.to_vec();
        f(&mut bytes);
        self.nodes.insert(id, Body::File(Arc::new(bytes)));
        self.touched.insert(id);
        Ok(())
    }

    fn set(&mut self, dir: Id, name: &str, id: Option<Id>) {
        if let Some(Body::Directory(names)) = self.nodes.get_mut(&dir) {
            match id {
                Some(id) => names.insert(name.into(), id),
                None => names.remove(name),
            };
        }
        self.touched.insert(dir);
        self.touched.extend(id);
    }

    fn add(&mut self, path: &str, body: Body) -> Result {
        let (dir, name) = self.parent(path)?;
        if self.names(dir)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let id = self.next;
        self.next += 1;
        self.nodes.insert(id, body);
        self.set(dir, name, Some(id));
        Ok(())
    }

    fn link(&mut self, old: &str, new: &str) -> Result {
        let id = self.find(old)?;
        let (dir, name) = self.parent(new)?;
        if self.names(dir)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        if self.names(id).is_ok() {
            return Err(Errno::EPERM);
        }
        self.set(dir, name, Some(id));
        Ok(())
    }

    fn remove(&mut self, path: &str, directory: bool) -> Result {
        let (dir, name) = self.parent(path)?;
        let id = *self.names(dir)?.get(name).ok_or(Errno::ENOENT)?;
        match (self.names(id), directory) {
            (Ok(_), false) => return Err(Errno::EISDIR),
            (Err(_), true) => return Err(Errno::ENOTDIR),
            (Ok(names), true) if !names.is_empty() => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        self.set(dir, name, None);
        self.touched.insert(id);
        self.drop_unused();
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str, flags: RenameFlags) -> Result {
        let ((from_dir, from_name), (to_dir, to_name)) = (self.parent(from)?, self.parent(to)?);
        let id = *self.names(from_dir)?.get(from_name).ok_or(Errno::ENOENT)?;
        let replaced = self.names(to_dir)?.get(to_name).copied();
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        if flags.contains(RenameFlags::NOREPLACE) && replaced.is_some() {
            return Err(Errno::EEXIST);
        }
        if exchange && replaced.is_none() {
            return Err(Errno::ENOENT);
        }
        if self.is_inside(to_dir, id) {
            return Err(Errno::EINVAL);
        }
        if replaced.is_some_and(|other| self.is_inside(from_dir, other)) {
            return Err(if exchange {
                Errno::EINVAL
            } else {
                Errno::ENOTEMPTY
            });
        }
        if replaced == Some(id) {
            return Ok(());
        }
        if let (Some(other), false) = (replaced, exchange) {
            match (self.names(id), self.names(other)) {
                (Ok(_), Err(_)) => return Err(Errno::ENOTDIR),
                (Err(_), Ok(_)) => return Err(Errno::EISDIR),
                (_, Ok(names)) if !names.is_empty() => return Err(Errno::ENOTEMPTY),
                _ => {}
            }
        }
        self.set(from_dir, from_name, replaced.filter(|_| exchange));
        self.set(to_dir, to_name, Some(id));
        self.touched.extend(replaced);
        self.drop_unused();
        Ok(())
    }

    /// `dir` is `top` or lies somewhere below it.
    fn is_inside(&self, dir: Id, top: Id) -> bool {
        let below =
            |names: &BTreeMap<String, Id>| names.values().any(|child| self.is_inside(dir, *child));
        dir == top || self.names(top).is_ok_and(below)
    }

    /// Inodes without a name that nobody has open cease to exist.
    fn drop_unused(&mut self) {
        let unused = |id: &Id| {
            let named = self.nodes.values().any(|body| match body {
                Body::Directory(names) => names.values().any(|n| n == id),
                _ => false,
            });
            *id != ROOT && !named && !self.open.contains(id)
        };
        let gone: Vec<_> = self.nodes.keys().copied().filter(unused).collect();
        for id in gone {
            self.nodes.remove(&id);
        }
    }
}
