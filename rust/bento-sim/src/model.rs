// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Model`]: what a file system must look like after a workload, in the simplest terms.

use crate::content::Content;
use crate::op::{LAST_OPENED, Op};
use bento::{Errno, FallocateMode, InodeFlags, RenameFlags, Result, XattrFlags};
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
    File(Arc<Content>),
    /// Names.
    Directory(BTreeMap<String, Id>),
    /// A target.
    Symlink(String),
    /// The character device 0:0 that a rename left behind.
    Whiteout,
}

/// What an inode has beside its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// Extended attributes.
    pub xattrs: BTreeMap<String, Vec<u8>>,
    /// Flags.
    pub flags: InodeFlags,
    /// It was made without a name and never had one.
    unnamed: bool,
}

/// All names and contents. Inodes that are open but have no name are in it, unreachable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    nodes: BTreeMap<Id, Body>,
    extras: BTreeMap<Id, Extras>,
    open: Vec<Id>,
    next: Id,
    touched: BTreeSet<Id>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            nodes: [(ROOT, Body::Directory(BTreeMap::new()))].into(),
            extras: BTreeMap::new(),
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
            Op::Create(path) => self.add(path, Body::File(Arc::default())).map(|_| ()),
            Op::CreateWith(path, xattrs) => {
                let id = self.add(path, Body::File(Arc::default()))?;
                self.extras(id).xattrs = xattrs.iter().cloned().collect();
                Ok(())
            }
            Op::Tmpfile(dir) => self.tmpfile(dir),
            Op::Mkdir(path) => self.add(path, Body::Directory(BTreeMap::new())).map(|_| ()),
            Op::Symlink(target, path) => self.add(path, Body::Symlink(target.clone())).map(|_| ()),
            Op::Link(old, new) => self.link(old, new),
            Op::Unlink(path) => self.remove(path, false),
            Op::Rmdir(path) => self.remove(path, true),
            Op::Rename(from, to, flags) => self.rename(from, to, *flags),
            Op::Write {
                path,
                offset,
                len,
                fill,
            } => self.change(path, |content| {
                content.write(*offset, *len, *fill);
                Ok(())
            }),
            Op::Truncate(path, size) => self.change(path, |content| {
                content.resize(*size);
                Ok(())
            }),
            Op::Fallocate {
                path,
                mode,
                offset,
                len,
                keep_size,
            } => self.fallocate(path, *mode, (*offset, *len), *keep_size),
            Op::SetXattr(path, name, value, flags) => self.set_xattr(path, name, value, *flags),
            Op::RemoveXattr(path, name) => {
                let id = self.find(path)?;
                let removed = self.extras(id).xattrs.remove(name);
                removed.map(|_| ()).ok_or(Errno::ENODATA)
            }
            Op::SetFlags(path, flags) => {
                let id = self.find(path)?;
                self.extras(id).flags = *flags;
                Ok(())
            }
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

    /// Extended attributes and flags of an inode.
    #[must_use]
    pub fn extras_of(&self, id: Id) -> Extras {
        self.extras.get(&id).cloned().unwrap_or_default()
    }

    /// The same, to be changed.
    fn extras(&mut self, id: Id) -> &mut Extras {
        self.touched.insert(id);
        self.extras.entry(id).or_default()
    }

    /// The inode at `path`.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`; `EBADF` for [`LAST_OPENED`] where nothing is open.
    pub fn find(&self, path: &str) -> Result<Id> {
        if path == LAST_OPENED {
            return self.open.last().copied().ok_or(Errno::EBADF);
        }
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

    fn file(&self, path: &str) -> Result<(Id, &Arc<Content>)> {
        let id = self.find(path)?;
        match self.body(id) {
            Some(Body::File(content)) => Ok((id, content)),
            Some(Body::Directory(_)) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    fn change(&mut self, path: &str, f: impl FnOnce(&mut Content) -> Result) -> Result {
        let (id, content) = self.file(path)?;
        let mut content = Content::clone(content);
        f(&mut content)?;
        self.nodes.insert(id, Body::File(Arc::new(content)));
        self.touched.insert(id);
        Ok(())
    }

    fn fallocate(
        &mut self,
        path: &str,
        mode: FallocateMode,
        (offset, len): (u64, u64),
        keep_size: bool,
    ) -> Result {
        self.change(path, |content| match mode {
            _ if len == 0 => Err(Errno::EINVAL),
            FallocateMode::Collapse => content.collapse(offset, len),
            FallocateMode::Insert => content.insert(offset, len),
            _ => {
                let grows = !keep_size && mode != FallocateMode::Punch;
                if grows && content.size() < offset + len {
                    content.resize(offset + len);
                }
                if mode != FallocateMode::Allocate {
                    content.zero(offset, len);
                }
                Ok(())
            }
        })
    }

    fn set_xattr(&mut self, path: &str, name: &str, value: &[u8], flags: XattrFlags) -> Result {
        let id = self.find(path)?;
        let exists = self.extras_of(id).xattrs.contains_key(name);
        if exists && flags.contains(XattrFlags::CREATE) {
            return Err(Errno::EEXIST);
        }
        if !exists && flags.contains(XattrFlags::REPLACE) {
            return Err(Errno::ENODATA);
        }
        self.extras(id).xattrs.insert(name.into(), value.to_vec());
        Ok(())
    }

    fn tmpfile(&mut self, dir: &str) -> Result {
        let dir = self.find(dir)?;
        self.names(dir)?;
        let id = self.new_node(dir, Body::File(Arc::default()));
        self.extras(id).unnamed = true;
        self.open.push(id);
        Ok(())
    }

    /// A new inode, which takes over the flags of its directory.
    fn new_node(&mut self, dir: Id, body: Body) -> Id {
        let id = self.next;
        self.next += 1;
        self.nodes.insert(id, body);
        let flags = self.extras_of(dir).flags;
        self.extras(id).flags = flags;
        id
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

    fn add(&mut self, path: &str, body: Body) -> Result<Id> {
        let (dir, name) = self.parent(path)?;
        if self.names(dir)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let id = self.new_node(dir, body);
        self.set(dir, name, Some(id));
        Ok(id)
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
        if self.links(id) == 0 && !self.extras_of(id).unnamed {
            return Err(Errno::ENOENT);
        }
        if let Some(extras) = self.extras.get_mut(&id) {
            extras.unnamed = false;
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
        let left = match replaced.filter(|_| exchange) {
            None if flags.contains(RenameFlags::WHITEOUT) => {
                Some(self.new_node(from_dir, Body::Whiteout))
            }
            other => other,
        };
        self.set(from_dir, from_name, left);
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
            self.extras.remove(&id);
        }
    }
}
