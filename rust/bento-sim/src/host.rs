// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Host`]: drives a file system as `bentofs` does, in one thread.
//!
//! It keeps the table of inodes in use (an inode never has two nodes), checks what the VFS checks
//! before it calls, frees an inode when its last name and its last user are gone, and moves file
//! data in the order of [`bento::mapped`]: allocate, write to the device, commit.

use crate::op::{Op, pattern};
use bento::dirbuf::records;
use bento::mapped::{self, DataDevice, MappedFile};
use bento::{
    Attr, BlockDevice, DirBuf, Entry, Errno, FileKind, FileSystem, InodeNo, MountOptions, NewInode,
    RenameFlags, Request, Result, SetAttr, SetAttrMask, StateReader, StateWriter, Timespec,
    Upgrade,
};
use std::collections::BTreeMap;

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
    clock: i64,
}

/// What one inode looks like from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its attributes.
    pub attr: Attr,
    /// The contents of a file, or the target of a symbolic link; else empty.
    pub bytes: Vec<u8>,
}

/// All names, with what they name. The root is the empty path.
pub type Tree = BTreeMap<String, Seen>;

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
        let req = self.request();
        match op {
            Op::Create(path) => self.add(path, |fs, dir, name| {
                Ok(Some(fs.create(
                    &req,
                    dir,
                    name,
                    &NewInode::plain(0o100_644),
                )?))
            }),
            Op::Mkdir(path) => self.add(path, |fs, dir, name| {
                Ok(Some(fs.mkdir(
                    &req,
                    dir,
                    name,
                    &NewInode::plain(0o040_755),
                )?))
            }),
            Op::Symlink(target, path) => self.add(path, |fs, dir, name| {
                let new = NewInode::plain(0o120_777);
                Ok(Some(fs.symlink(
                    &req,
                    dir,
                    name,
                    target.as_bytes(),
                    &new,
                )?))
            }),
            Op::Link(old, new) => self.link(old, new),
            Op::Unlink(path) => self.remove(path, false),
            Op::Rmdir(path) => self.remove(path, true),
            Op::Rename(from, to, flags) => self.rename(from, to, *flags),
            Op::Write {
                path,
                offset,
                len,
                fill,
            } => self.write(path, *offset, &pattern(*offset, *len, *fill)),
            Op::Allocate(path, offset, len) => {
                let file = self.file(path)?;
                file.fs.allocate(&req, file.node, *offset, *len).map(|_| ())
            }
            Op::Truncate(path, size) => {
                let mut set = SetAttr::empty();
                set.mask = SetAttrMask::SIZE | SetAttrMask::MTIME | SetAttrMask::CTIME;
                (set.size, set.mtime, set.ctime) = (*size, req.now, req.now);
                mapped::setattr(self.file(path)?, &req, &set)
            }
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
            Op::Fsync(path) => {
                let ino = self.find(path)?;
                self.fs.fsync(&req, self.node(ino)?, false)
            }
            Op::Sync => self.fs.sync(&req),
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

    fn lookup_optional(&mut self, dir: InodeNo, name: &str) -> Result<Option<InodeNo>> {
        match self.lookup(dir, name) {
            Ok(ino) => Ok(Some(ino)),
            Err(Errno::ENOENT) => Ok(None),
            Err(e) => Err(e),
        }
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

    fn write(&mut self, path: &str, offset: u64, data: &[u8]) -> Result {
        let req = self.request();
        let file = self.file(path)?;
        let mut rest = data;
        let mut pos = offset;
        while !rest.is_empty() {
            // After a short write the next one tells why.
            let done = mapped::write(file, &req, pos, rest)?;
            (_, rest) = rest.split_at(done);
            pos += u64::try_from(done).map_err(|_| Errno::EFBIG)?;
        }
        let mut set = SetAttr::empty();
        set.mask = SetAttrMask::MTIME | SetAttrMask::CTIME;
        (set.mtime, set.ctime) = (req.now, req.now);
        file.fs.setattr(&req, file.node, &set)
    }

    fn add(
        &mut self,
        path: &str,
        make: impl FnOnce(&F, &F::Node, &[u8]) -> Result<Option<Entry<F::Node>>>,
    ) -> Result {
        let (dir, name) = self.parent(path)?;
        if self.lookup_optional(dir, name)?.is_some() {
            return Err(Errno::EEXIST);
        }
        if let Some(entry) = make(&self.fs, self.node(dir)?, name.as_bytes())? {
            let old = self.nodes.insert(entry.attr.ino, entry.node);
            assert!(old.is_none(), "inode {} is in use", entry.attr.ino);
        }
        Ok(())
    }

    fn link(&mut self, old: &str, new: &str) -> Result {
        let ino = self.find(old)?;
        let is_directory = self.kind(ino)? == FileKind::Directory;
        self.add(new, |_, _, _| Ok(None))?;
        if is_directory {
            return Err(Errno::EPERM);
        }
        let (dir, name) = self.parent(new)?;
        let (node, dir) = (self.node(ino)?, self.node(dir)?);
        self.fs.link(&self.request(), node, dir, name.as_bytes())
    }

    fn remove(&mut self, path: &str, directory: bool) -> Result {
        let (dir, name) = self.parent(path)?;
        let ino = self.lookup(dir, name)?;
        let (req, name) = (self.request(), name.as_bytes());
        let is_directory = self.kind(ino)? == FileKind::Directory;
        let (dir, node) = (self.node(dir)?, self.node(ino)?);
        match (is_directory, directory) {
            (true, false) => Err(Errno::EISDIR),
            (false, true) => Err(Errno::ENOTDIR),
            (true, true) => self.fs.rmdir(&req, dir, name, node),
            (false, false) => self.fs.unlink(&req, dir, name, node),
        }
    }

    fn rename(&mut self, from: &str, to: &str, flags: RenameFlags) -> Result {
        let ((from_dir, from_name), (to_dir, to_name)) = (self.parent(from)?, self.parent(to)?);
        let ino = self.lookup(from_dir, from_name)?;
        let replaced = self.lookup_optional(to_dir, to_name)?;
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        if flags.contains(RenameFlags::NOREPLACE) && replaced.is_some() {
            return Err(Errno::EEXIST);
        }
        if exchange && replaced.is_none() {
            return Err(Errno::ENOENT);
        }
        check_loops(from, to, exchange)?;
        if replaced == Some(ino) {
            return Ok(());
        }
        if let (Some(other), false) = (replaced, exchange) {
            match (self.kind(ino)?, self.kind(other)?) {
                (FileKind::Directory, FileKind::Directory) => {}
                (FileKind::Directory, _) => return Err(Errno::ENOTDIR),
                (_, FileKind::Directory) => return Err(Errno::EISDIR),
                _ => {}
            }
        }
        let old = replaced.map(|other| self.node(other)).transpose()?;
        self.fs.rename(
            &self.request(),
            (self.node(from_dir)?, from_name.as_bytes()),
            (self.node(to_dir)?, to_name.as_bytes()),
            self.node(ino)?,
            old,
            flags,
        )
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
        }
        Ok(())
    }

    /// Reads everything. What `readdir`, `lookup` and `getattr` say must agree.
    ///
    /// # Errors
    /// Those of the file system; `EUCLEAN` where it contradicts itself.
    pub fn tree(&mut self) -> Result<Tree> {
        let mut tree = Tree::new();
        let mut todo = vec![(String::new(), self.find("")?)];
        while let Some((path, ino)) = todo.pop() {
            let seen = self.see(ino)?;
            if seen.attr.kind() == Some(FileKind::Directory) {
                for (name, child) in self.entries(ino)? {
                    let path = match path.as_str() {
                        "" => name,
                        dir => format!("{dir}/{name}"),
                    };
                    todo.push((path, child));
                }
            }
            if tree.insert(path, seen).is_some() {
                return Err(Errno::EUCLEAN);
            }
        }
        Ok(tree)
    }

    fn see(&self, ino: InodeNo) -> Result<Seen> {
        let node = self.node(ino)?;
        let attr = self.fs.getattr(node)?;
        let bytes = match attr.kind() {
            Some(FileKind::Regular) => {
                let size = usize::try_from(attr.size).map_err(|_| Errno::EFBIG)?;
                let mut bytes = vec![0xff; size];
                let got = mapped::read(self.mapped(node), 0, &mut bytes)?;
                bytes.truncate(got);
                bytes
            }
            Some(FileKind::Symlink) => {
                let mut target = vec![0; 4096];
                let len = self.fs.readlink(node, &mut target)?;
                target.truncate(len);
                target
            }
            _ => Vec::new(),
        };
        Ok(Seen { attr, bytes })
    }

    /// The names in a directory, each looked up.
    fn entries(&mut self, dir: InodeNo) -> Result<Vec<(String, InodeNo)>> {
        let mut found = Vec::new();
        let mut cookie = 0;
        loop {
            // Small, so that reading goes on behind a cookie often.
            let mut memory = [0; 300];
            let mut buf = DirBuf::new(&mut memory);
            let node = self.node(dir)?;
            self.fs.readdir(&self.request(), node, cookie, &mut buf)?;
            let used = buf.used();
            if used == 0 {
                return Ok(found);
            }
            for record in records(memory.get(..used).unwrap_or_default()) {
                let name = String::from_utf8_lossy(record.name).into_owned();
                cookie = record.cookie;
                let ino = self.lookup(dir, &name)?;
                if ino != record.ino || self.kind(ino)?.dirent_type() != record.dirent_type {
                    return Err(Errno::EUCLEAN);
                }
                found.push((name, ino));
            }
        }
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
        let state = StateReader::new(out.as_bytes())?;
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

/// What the VFS refuses because a directory would come to lie inside itself. There are no two
/// paths to one directory here, so the paths tell.
fn check_loops(from: &str, to: &str, exchange: bool) -> Result {
    let inside = |path: &str, top: &str| {
        path.strip_prefix(top)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    if inside(to, from) {
        return Err(Errno::EINVAL);
    }
    if inside(from, to) {
        return Err(if exchange {
            Errno::EINVAL
        } else {
            Errno::ENOTEMPTY
        });
    }
    Ok(())
}

impl<F: FileSystem> core::fmt::Debug for Host<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Host")
            .field("nodes", &self.nodes.keys())
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}
