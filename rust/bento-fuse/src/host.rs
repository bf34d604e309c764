// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A mounted file system in user space, in the terms of `bento`: what `bentofs` does in the
//! kernel beside the page cache.
//!
//! Lock order: `namespace`, then a directory, then what it contains, then the inode table. Only a
//! rename takes `namespace` exclusively, so nothing else can turn parent and child around.

use crate::HostDevice;
use crate::failure::Failure;
use crate::inode::{Inode, InodeTable, Pin, Source};
use bento::dirbuf::{self, DirBuf, DirRecord};
use bento::mapped::{self, MappedFile, SeekTo};
use bento::prelude::*;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The longest name in bytes.
const NAME_MAX: usize = 255;
/// Bytes for the records of one `readdir`.
const DIR_BUFFER: usize = 32 << 10;
/// The longest target of a symbolic link in bytes.
const LINK_MAX: usize = 4096;
const SETGID: u32 = 0o2000;
const GROUP_EXEC: u32 = 0o0010;

type NodePin<'a, F> = Pin<'a, <F as FileSystem>::Node, Leaf<F>>;

/// A mount.
pub struct Host<F: FileSystem<Device: HostDevice>> {
    table: InodeTable<F::Node, Leaf<F>>,
    namespace: RwLock<()>,
}

/// The file system and what a call into it needs.
struct Leaf<F: FileSystem> {
    fs: F,
    dev: F::Device,
    failure: Failure,
    read_only: bool,
}

/// What a new inode is to be.
#[derive(Clone, Copy, Debug)]
pub enum Make<'a> {
    /// A regular file, a device, a FIFO or a socket: mode with kind, and device number.
    Node(u32, u32),
    /// A directory: permission bits.
    Directory(u32),
    /// A symbolic link to this target.
    Symlink(&'a [u8]),
}

impl<F: FileSystem> Leaf<F> {
    fn call<T>(&self, call: impl FnOnce(&F) -> Result<T>) -> Result<T> {
        self.failure.guard(|| call(&self.fs))
    }

    /// Calls again as long as the file system says that there is more to do.
    fn repeat(&self, call: impl Fn(&F) -> Result) -> Result {
        loop {
            match self.call(&call) {
                Err(Errno::EAGAIN) => {}
                result => return result,
            }
        }
    }

    fn file<'a>(&'a self, node: &'a F::Node) -> MappedFile<'a, F> {
        MappedFile {
            fs: &self.fs,
            node,
            dev: &self.dev,
        }
    }
}

impl<F: FileSystem> Source<F::Node> for Leaf<F> {
    fn load(&self, ino: InodeNo) -> Result<Entry<F::Node>> {
        self.call(|fs| fs.load(ino))
    }

    fn is_unlinked(&self, inode: &Inode<F::Node>) -> bool {
        self.call(|fs| fs.getattr(&inode.node))
            .is_ok_and(|attr| attr.nlink == 0)
    }

    fn free(&self, inode: &Inode<F::Node>) {
        if let Err(error) = self.repeat(|fs| fs.forget(&crate::now(), &inode.node)) {
            log::error!("inode {} could not be freed: {error}; fsck will", inode.ino);
        }
    }
}

impl<F: FileSystem<Device: HostDevice>> core::fmt::Debug for Host<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let failed = self.leaf().failure.is_set();
        f.debug_struct("Host")
            .field("fs", &F::NAME)
            .field("failed", &failed)
            .finish()
    }
}

fn shared<N>(inode: &Inode<N>) -> RwLockReadGuard<'_, ()> {
    inode.lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn exclusive<N>(inode: &Inode<N>) -> RwLockWriteGuard<'_, ()> {
    inode.lock.write().unwrap_or_else(PoisonError::into_inner)
}

fn check_name(name: &[u8]) -> Result {
    match name.len() {
        1..=NAME_MAX => Ok(()),
        0 => Err(Errno::EINVAL),
        _ => Err(Errno::ENAMETOOLONG),
    }
}

/// An operation that the file system does not have is not permitted, as in the kernel.
fn needs<F: FileSystem>(ops: OpSet) -> Result {
    if F::OPS.contains(ops) {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

impl<F: FileSystem<Device: HostDevice>> Host<F> {
    /// Opens the file system on `dev`.
    ///
    /// # Errors
    /// Those of [`FileSystem::mount`]; `EIO` where it panics.
    pub fn mount(dev: F::Device, options: &MountOptions<'_>) -> Result<Self> {
        let failure = dev.failure();
        let fs = failure.guard(|| F::mount(dev.clone(), options))?;
        let read_only = options.read_only;
        let host = Self {
            table: InodeTable::new(Leaf {
                fs,
                dev,
                failure,
                read_only,
            }),
            namespace: RwLock::new(()),
        };
        // The root stays in memory as long as the mount: this lookup is never forgotten.
        let root = host.table.pin(F::ROOT)?;
        host.table.count_lookup(&root);
        drop(root);
        Ok(host)
    }

    /// Ends the mount: frees what is unlinked, makes everything durable, says goodbye.
    ///
    /// # Errors
    /// Those of the file system. The disk is then as after a crash.
    pub fn unmount(&self) -> Result {
        self.table.clear();
        self.sync()?;
        self.leaf().call(F::unmount)?;
        self.leaf().dev.flush()
    }

    fn leaf(&self) -> &Leaf<F> {
        self.table.source()
    }

    fn writable(&self) -> Result {
        if self.leaf().read_only {
            Err(Errno::EROFS)
        } else {
            Ok(())
        }
    }

    fn changing(&self, ops: OpSet) -> Result {
        self.writable()?;
        needs::<F>(ops)
    }

    fn attr(&self, inode: &Inode<F::Node>) -> Result<Attr> {
        self.leaf().call(|fs| fs.getattr(&inode.node))
    }

    fn namespace_shared(&self) -> RwLockReadGuard<'_, ()> {
        self.namespace
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The inode behind `name`; the caller holds the directory.
    fn child(&self, req: &Request, dir: &Inode<F::Node>, name: &[u8]) -> Result<NodePin<'_, F>> {
        check_name(name)?;
        let ino = self.leaf().call(|fs| fs.lookup(req, &dir.node, name))?;
        self.table.pin(ino)
    }

    /// The attributes of an inode that the answer names: the kernel will forget it some day.
    fn answer(&self, pin: &NodePin<'_, F>) -> Result<Attr> {
        let attr = self.attr(pin)?;
        self.table.count_lookup(pin);
        Ok(attr)
    }

    /// Finds `name`. Counts a lookup, as all operations that return a new or found inode.
    ///
    /// # Errors
    /// `ENOENT`, `ENAMETOOLONG`, those of the file system.
    pub fn lookup(&self, req: &Request, parent: InodeNo, name: &[u8]) -> Result<Attr> {
        let dir = self.table.pin(parent)?;
        let _held = shared(&dir);
        self.answer(&self.child(req, &dir, name)?)
    }

    /// Gives back lookups.
    pub fn forget(&self, ino: InodeNo, lookups: u64) {
        self.table.put(ino, lookups);
    }

    /// Attributes of an inode.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn getattr(&self, ino: InodeNo) -> Result<Attr> {
        self.attr(&*self.table.pin(ino)?)
    }

    /// Sets attributes. `ctime` is always the time of the request; so is `mtime` where the size
    /// is set and `mtime` is not.
    ///
    /// # Errors
    /// `EROFS`, `EPERM`, those of the file system.
    pub fn setattr(&self, req: &Request, ino: InodeNo, set: &SetAttr) -> Result<Attr> {
        self.changing(OpSet::SETATTR)?;
        let inode = self.table.pin(ino)?;
        let _held = exclusive(&inode);
        let mut set = *set;
        if set.mask.contains(SetAttrMask::SIZE) && !set.mask.contains(SetAttrMask::MTIME) {
            set.mask |= SetAttrMask::MTIME;
            set.mtime = req.now;
        }
        set.mask |= SetAttrMask::CTIME;
        set.ctime = req.now;
        self.apply(req, &inode, &set)?;
        self.attr(&inode)
    }

    fn apply(&self, req: &Request, inode: &Inode<F::Node>, set: &SetAttr) -> Result {
        let leaf = self.leaf();
        if F::OPS.contains(OpSet::MAP) {
            leaf.call(|_| mapped::setattr(leaf.file(&inode.node), req, set))
        } else {
            leaf.repeat(|fs| fs.setattr(req, &inode.node, set))
        }
    }

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// `EINVAL` where it is none; those of the file system.
    pub fn readlink(&self, ino: InodeNo) -> Result<Vec<u8>> {
        needs::<F>(OpSet::SYMLINK)?;
        let inode = self.table.pin(ino)?;
        let mut target = vec![0; LINK_MAX];
        let len = self
            .leaf()
            .call(|fs| fs.readlink(&inode.node, &mut target))?;
        target.truncate(len);
        Ok(target)
    }

    /// Makes a new inode with the name `name`. The umask has been applied; what a set-group-id
    /// directory asks for is done here.
    ///
    /// # Errors
    /// `EEXIST`, `EROFS`, `EPERM`, `ENAMETOOLONG`, those of the file system.
    pub fn make(
        &self,
        req: &Request,
        parent: InodeNo,
        name: &[u8],
        make: Make<'_>,
    ) -> Result<Attr> {
        self.changing(make.ops())?;
        check_name(name)?;
        let _names = self.namespace_shared();
        let dir = self.table.pin(parent)?;
        let _held = exclusive(&dir);
        let (req, make) = inherit(req, &self.attr(&dir)?, make);
        let (req, dir) = (&req, &dir.node);
        let regular = FileKind::Regular.mode_bits();
        let entry = self.leaf().call(|fs| match make {
            Make::Node(mode, _) if mode & FileKind::MODE_MASK == regular => {
                fs.create(req, dir, name, mode)
            }
            Make::Node(mode, rdev) => fs.mknod(req, dir, name, mode, rdev),
            Make::Directory(mode) => fs.mkdir(req, dir, name, mode),
            Make::Symlink(target) => fs.symlink(req, dir, name, target),
        })?;
        self.answer(&self.table.pin_new(entry)?)
    }

    /// A new name for an inode that is no directory.
    ///
    /// # Errors
    /// `EEXIST`, `EMLINK`, `EROFS`, `EPERM`, those of the file system.
    pub fn link(&self, req: &Request, ino: InodeNo, parent: InodeNo, name: &[u8]) -> Result<Attr> {
        self.changing(OpSet::LINK)?;
        check_name(name)?;
        let _names = self.namespace_shared();
        let (dir, inode) = (self.table.pin(parent)?, self.table.pin(ino)?);
        let (_dir_held, _held) = (exclusive(&dir), exclusive(&inode));
        self.leaf()
            .call(|fs| fs.link(req, &inode.node, &dir.node, name))?;
        self.answer(&inode)
    }

    /// Removes a name; the inode stays as long as somebody uses it.
    ///
    /// # Errors
    /// `ENOENT`, `EISDIR`, `EROFS`, `EPERM`, those of the file system.
    pub fn unlink(&self, req: &Request, parent: InodeNo, name: &[u8]) -> Result {
        self.changing(OpSet::UNLINK)?;
        let _names = self.namespace_shared();
        let dir = self.table.pin(parent)?;
        let _dir_held = exclusive(&dir);
        let child = self.child(req, &dir, name)?;
        let _held = exclusive(&child);
        match self.attr(&child)?.kind() {
            Some(FileKind::Directory) => Err(Errno::EISDIR),
            _ => self
                .leaf()
                .call(|fs| fs.unlink(req, &dir.node, name, &child.node)),
        }
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `ENOTEMPTY`, `EROFS`, `EPERM`, those of the file system.
    pub fn rmdir(&self, req: &Request, parent: InodeNo, name: &[u8]) -> Result {
        self.changing(OpSet::MKDIR)?;
        let _names = self.namespace_shared();
        let dir = self.table.pin(parent)?;
        let _dir_held = exclusive(&dir);
        let child = self.child(req, &dir, name)?;
        let _held = exclusive(&child);
        match self.attr(&child)?.kind() {
            Some(FileKind::Directory) => self
                .leaf()
                .call(|fs| fs.rmdir(req, &dir.node, name, &child.node)),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// Moves or exchanges names. The kernel has ruled out loops and wrong kinds.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST`, `ENOTEMPTY`, `EROFS`, `EPERM`, those of the file system.
    pub fn rename(
        &self,
        req: &Request,
        from: (InodeNo, &[u8]),
        to: (InodeNo, &[u8]),
        flags: RenameFlags,
    ) -> Result {
        self.changing(OpSet::RENAME)?;
        check_name(to.1)?;
        let _alone = self
            .namespace
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let (from_dir, to_dir) = (self.table.pin(from.0)?, self.table.pin(to.0)?);
        let _dirs = hold_all(&[&from_dir, &to_dir]);
        let node = self.child(req, &from_dir, from.1)?;
        let replaced = match self.child(req, &to_dir, to.1) {
            Ok(_) if flags.contains(RenameFlags::NOREPLACE) => return Err(Errno::EEXIST),
            Ok(pin) => Some(pin),
            Err(Errno::ENOENT) if !flags.contains(RenameFlags::EXCHANGE) => None,
            Err(error) => return Err(error),
        };
        if replaced
            .as_ref()
            .is_some_and(|replaced| replaced.ino == node.ino)
        {
            return Ok(()); // Two names of one inode: POSIX wants nothing to happen.
        }
        let mut moved: Vec<&Inode<F::Node>> = vec![&node];
        moved.extend(replaced.as_deref());
        moved.retain(|inode| inode.ino != from.0 && inode.ino != to.0);
        let _held = hold_all(&moved);
        self.leaf().call(|fs| {
            let (from, to) = ((&from_dir.node, from.1), (&to_dir.node, to.1));
            let replaced = replaced.as_ref().map(|pin| &pin.node);
            fs.rename(req, from, to, &node.node, replaced, flags)
        })
    }

    /// Reads up to `len` bytes; fewer only at the end of the file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn read(&self, req: &Request, ino: InodeNo, offset: u64, len: usize) -> Result<Vec<u8>> {
        let inode = self.table.pin(ino)?;
        let _held = shared(&inode);
        let leaf = self.leaf();
        let mut out = vec![0; len];
        let got = if F::OPS.contains(OpSet::MAP) {
            leaf.call(|_| mapped::read(leaf.file(&inode.node), offset, &mut out))
        } else {
            needs::<F>(OpSet::READ)?;
            leaf.call(|fs| fs.read(req, &inode.node, offset, &mut out))
        }?;
        out.truncate(got);
        Ok(out)
    }

    /// Writes data, and sets `mtime` and `ctime` to the time of the request.
    ///
    /// # Errors
    /// `EROFS`, `EPERM`, `ENOSPC`, `EFBIG`, others of the file system.
    pub fn write(&self, req: &Request, ino: InodeNo, offset: u64, data: &[u8]) -> Result<usize> {
        self.writable()?;
        let inode = self.table.pin(ino)?;
        let _held = exclusive(&inode);
        let leaf = self.leaf();
        let written = if F::OPS.contains(OpSet::ALLOCATE) {
            leaf.call(|_| mapped::write(leaf.file(&inode.node), req, offset, data))
        } else {
            needs::<F>(OpSet::WRITE)?;
            leaf.call(|fs| fs.write(req, &inode.node, offset, data))
        }?;
        if F::OPS.contains(OpSet::SETATTR) {
            let mask = SetAttrMask::MTIME | SetAttrMask::CTIME;
            let (mtime, ctime) = (req.now, req.now);
            self.apply(
                req,
                &inode,
                &SetAttr {
                    mask,
                    mtime,
                    ctime,
                    ..SetAttr::empty()
                },
            )?;
        }
        Ok(written)
    }

    /// Where the next data or hole begins.
    ///
    /// # Errors
    /// `ENXIO` behind the end; `EOPNOTSUPP` where the data is not mapped.
    pub fn seek(&self, ino: InodeNo, offset: u64, to: SeekTo) -> Result<u64> {
        if !F::OPS.contains(OpSet::MAP) {
            return Err(Errno::EOPNOTSUPP);
        }
        let inode = self.table.pin(ino)?;
        let _held = shared(&inode);
        let leaf = self.leaf();
        leaf.call(|_| mapped::seek(leaf.file(&inode.node), offset, to))
    }

    /// Makes an inode durable, with its data.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn fsync(&self, req: &Request, ino: InodeNo, datasync: bool) -> Result {
        let inode = self.table.pin(ino)?;
        let leaf = self.leaf();
        leaf.call(|_| mapped::fsync(leaf.file(&inode.node), req, datasync))
    }

    /// Makes everything durable; the periodic commit.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn sync(&self) -> Result {
        if self.leaf().read_only || !F::OPS.contains(OpSet::SYNC) {
            return Ok(());
        }
        self.leaf().call(|fs| fs.sync(&crate::now()))
    }

    /// Space and limits.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn statfs(&self) -> Result<StatFs> {
        self.leaf().call(F::statfs)
    }

    /// Shows the entries behind `cookie` to `show` until that returns `false` or no entry is left.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn readdir(
        &self,
        req: &Request,
        dir: InodeNo,
        mut cookie: u64,
        mut show: impl FnMut(&DirRecord<'_>) -> bool,
    ) -> Result {
        let dir = self.table.pin(dir)?;
        let _held = shared(&dir);
        let mut memory = vec![0; DIR_BUFFER];
        loop {
            let mut out = DirBuf::new(&mut memory);
            self.leaf()
                .call(|fs| fs.readdir(req, &dir.node, cookie, &mut out))?;
            let (used, more) = (out.used(), out.is_full());
            for record in dirbuf::records(memory.get(..used).unwrap_or_default()) {
                if !show(&record) {
                    return Ok(());
                }
                cookie = record.cookie;
            }
            if !more || used == 0 {
                return Ok(());
            }
        }
    }
}

/// Holds all of them exclusively, each once, in the order of their numbers.
fn hold_all<'a, N>(inodes: &[&'a Inode<N>]) -> Vec<RwLockWriteGuard<'a, ()>> {
    let mut inodes = inodes.to_vec();
    inodes.sort_by_key(|inode| inode.ino);
    inodes.dedup_by_key(|inode| inode.ino);
    inodes.into_iter().map(exclusive).collect()
}

impl Make<'_> {
    const fn ops(self) -> OpSet {
        match self {
            Self::Node(..) => OpSet::CREATE,
            Self::Directory(_) => OpSet::MKDIR,
            Self::Symlink(_) => OpSet::SYMLINK,
        }
    }
}

/// In a set-group-id directory a new inode gets the group of the directory, and a directory the
/// bit, too. Whoever is not known to be in that group may not make a set-group-id program for it
/// (the kernel, which knows all groups of the caller, has let pass what is allowed there).
fn inherit<'a>(req: &Request, dir: &Attr, make: Make<'a>) -> (Request, Make<'a>) {
    if dir.mode & SETGID == 0 {
        return (*req, make);
    }
    let request = Request {
        gid: dir.gid,
        ..*req
    };
    let stranger = req.uid != 0 && req.gid != dir.gid;
    let program = SETGID | GROUP_EXEC;
    let make = match make {
        Make::Directory(mode) => Make::Directory(mode | SETGID),
        Make::Node(mode, rdev) if stranger && mode & program == program => {
            Make::Node(mode & !SETGID, rdev)
        }
        make => make,
    };
    (request, make)
}
