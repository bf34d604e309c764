// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Host`]: drives a file system as `bentofs` does, in one thread.
//!
//! It keeps the table of inodes in use (an inode never has two nodes), checks what the VFS checks
//! before it calls, frees an inode when its last name and its last user are gone, and moves file
//! data in the order of [`bento::mapped`]: allocate, write to the device, commit.

mod change;
mod names;
mod tree;

pub use tree::{Seen, Tree};

use crate::op::{LAST_OPENED, Op};
use bento::mapped::{DataDevice, MappedFile};
use bento::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// How long nodes stay in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nodes {
    /// Until memory is short, which never happens.
    Keep,
    /// Only while an operation or an open file uses them.
    Evict,
}

/// A mounted file system and its users.
pub struct Host<F: FileSystem> {
    fs: F,
    dev: F::Device,
    nodes: BTreeMap<InodeNo, F::Node>,
    policy: Nodes,
    /// Oldest first; an inode may be open several times.
    open: Vec<InodeNo>,
    /// Made without a name, and never had one.
    unnamed: BTreeSet<InodeNo>,
    clock: i64,
}

impl<F> Host<F>
where
    F: FileSystem<Device: DataDevice + Clone>,
{
    /// Mounts the file system on `dev`.
    ///
    /// # Errors
    /// Those of [`FileSystem::mount`].
    pub fn mount(dev: F::Device, policy: Nodes) -> Result<Self> {
        let options = MountOptions {
            read_only: dev.read_only(),
            ..MountOptions::DEFAULT
        };
        Ok(Self {
            fs: F::mount(dev.clone(), &options)?,
            dev,
            nodes: BTreeMap::new(),
            policy,
            open: Vec::new(),
            unnamed: BTreeSet::new(),
            clock: 0,
        })
    }

    /// Closes everything and unmounts.
    ///
    /// # Errors
    /// Those of the file system; the mount is gone all the same.
    pub fn unmount(mut self) -> Result {
        self.open.clear();
        self.evict()?;
        self.nodes.clear();
        self.fs.sync(&self.request())?;
        self.fs.unmount()
    }

    /// The file system itself.
    pub const fn fs(&self) -> &F {
        &self.fs
    }

    /// Does one step.
    ///
    /// # Errors
    /// Those of the VFS and of the file system.
    pub fn apply(&mut self, op: &Op) -> Result {
        self.clock += 1;
        let result = self.dispatch(op);
        let evicted = match self.policy {
            Nodes::Evict => self.evict(),
            Nodes::Keep => self.free_unused(),
        };
        result.and(evicted)
    }

    fn dispatch(&mut self, op: &Op) -> Result {
        match op {
            Op::Create(path) => self.create(path, &[]),
            Op::CreateWith(path, xattrs) => self.create(path, xattrs),
            Op::Tmpfile(dir) => self.tmpfile(dir),
            Op::Mkdir(path) => self.mkdir(path),
            Op::Symlink(target, path) => self.symlink(target, path),
            Op::Link(old, new) => self.link(old, new),
            Op::Unlink(path) => self.remove(path, false),
            Op::Rmdir(path) => self.remove(path, true),
            Op::Rename(from, to, flags) => self.rename(from, to, *flags),
            Op::Open(path) => {
                let ino = self.find(path)?;
                self.open.push(ino);
                Ok(())
            }
            Op::Close => {
                if !self.open.is_empty() {
                    self.open.remove(0);
                }
                Ok(())
            }
            Op::Sync => self.fs.sync(&self.request()),
            _ => self.change(op),
        }
    }

    fn request(&self) -> Request {
        Request {
            now: Timespec {
                sec: self.clock,
                nsec: 0,
            },
            ..Request::default()
        }
    }

    /// Makes sure that the inode is in memory.
    fn load(&mut self, ino: InodeNo) -> Result {
        if !self.nodes.contains_key(&ino) {
            let entry = self.fs.load(ino)?;
            assert_eq!(entry.attr.ino, ino, "load gave another inode");
            self.nodes.insert(ino, entry.node);
        }
        Ok(())
    }

    /// The node of an inode in memory.
    fn node(&self, ino: InodeNo) -> Result<&F::Node> {
        self.nodes.get(&ino).ok_or(Errno::ESTALE)
    }

    fn kind(&self, ino: InodeNo) -> Result<FileKind> {
        let attr = self.fs.getattr(self.node(ino)?)?;
        attr.kind().ok_or(Errno::EUCLEAN)
    }

    fn lookup(&mut self, dir: InodeNo, name: &str) -> Result<InodeNo> {
        if self.kind(dir)? != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        let node = self.node(dir)?;
        let ino = self.fs.lookup(&self.request(), node, name.as_bytes())?;
        self.load(ino)?;
        Ok(ino)
    }

    /// The inode at `path`, in memory.
    fn find(&mut self, path: &str) -> Result<InodeNo> {
        if path == LAST_OPENED {
            return self.open.last().copied().ok_or(Errno::EBADF);
        }
        self.load(F::ROOT)?;
        let mut parts = path.split('/').filter(|p| !p.is_empty());
        parts.try_fold(F::ROOT, |dir, name| self.lookup(dir, name))
    }

    /// Directory and name of the last part of a path.
    fn parent<'p>(&mut self, path: &'p str) -> Result<(InodeNo, &'p str)> {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        let dir = self.find(dir)?;
        if self.kind(dir)? != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        Ok((dir, name))
    }

    fn file(&mut self, path: &str) -> Result<MappedFile<'_, F>> {
        let ino = self.find(path)?;
        match self.kind(ino)? {
            FileKind::Regular => {}
            FileKind::Directory => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
        Ok(self.mapped(self.node(ino)?))
    }

    fn mapped<'a>(&'a self, node: &'a F::Node) -> MappedFile<'a, F> {
        MappedFile {
            fs: &self.fs,
            node,
            dev: &self.dev,
        }
    }

    /// Drops every node that no open file uses.
    fn evict(&mut self) -> Result {
        self.free_unused()?;
        let open = &self.open;
        self.nodes.retain(|ino, _| open.contains(ino));
        Ok(())
    }

    /// Frees the inodes that have no name and no user.
    fn free_unused(&mut self) -> Result {
        let mut unused = Vec::new();
        for (ino, node) in &self.nodes {
            if self.fs.getattr(node)?.nlink == 0 && !self.open.contains(ino) {
                unused.push(*ino);
            }
        }
        for ino in unused {
            loop {
                match self.fs.forget(&self.request(), self.node(ino)?) {
                    Err(Errno::EAGAIN) => {}
                    result => break result?,
                }
            }
            self.nodes.remove(&ino);
            self.unnamed.remove(&ino);
        }
        Ok(())
    }

    /// Replaces the code of the file system while it is in use: exports, imports into another
    /// instance, drops the old one. Nodes are loaded anew, as after a real upgrade. Without
    /// [`Upgrade::prepare`], since operations may come between it and the export.
    ///
    /// # Errors
    /// Those of export and import; the old instance then stays in charge.
    pub fn upgrade(&mut self) -> Result
    where
        F: Upgrade,
    {
        let mut out = StateWriter::new();
        self.fs.export(&mut out)?;
        let bytes = out.seal()?;
        let state = StateReader::unseal(&bytes)?;
        let options = MountOptions {
            read_only: self.dev.read_only(),
            ..MountOptions::DEFAULT
        };
        let next = F::import(self.dev.clone(), &options, *F::SCHEMA.end(), &state)?;
        let mut nodes = BTreeMap::new();
        for ino in self.nodes.keys() {
            nodes.insert(*ino, next.load(*ino)?.node);
        }
        self.nodes = nodes;
        self.fs = next;
        Ok(())
    }
}

const fn xattr<'a>(name: &'a str, value: &'a [u8]) -> Xattr<'a> {
    let name = name.as_bytes();
    Xattr { name, value }
}

impl<F: FileSystem> core::fmt::Debug for Host<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Host")
            .field("nodes", &self.nodes.keys())
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}
