// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A mounted file system in user space, in the terms of `bento`: what `bentofs` does in the
//! kernel beside the page cache.
//!
//! Lock order: `namespace`, then a directory, then what it contains, then the inode table. Only a
//! rename takes `namespace` exclusively, so nothing else can turn parent and child around.

use crate::HostDevice;
use crate::failure::Failure;
use crate::inode::{Inode, InodeTable, Source};
use bento::mapped::{self, MappedFile};
use bento::prelude::*;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

mod data;
mod flags;
mod names;
mod record;
mod space;
mod xattr;

pub use flags::Use;
pub use names::Make;

/// A mount.
pub struct Host<F: FileSystem<Device: HostDevice>> {
    table: InodeTable<F::Node, Leaf<F>>,
    namespace: RwLock<()>,
    log: record::Log,
}

/// The file system and what a call into it needs.
struct Leaf<F: FileSystem> {
    fs: F,
    dev: F::Device,
    failure: Failure,
    read_only: bool,
    /// Called when the file system wants a sync.
    urge: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl<F: FileSystem> Leaf<F> {
    fn call<T>(&self, call: impl FnOnce(&F) -> Result<T>) -> Result<T> {
        let result = self.failure.guard(|| call(&self.fs));
        if self.fs.pressure() != Pressure::None
            && let Some(urge) = self.urge.get()
        {
            urge();
        }
        result
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

/// An operation that the file system does not have is not permitted, as in the kernel.
fn needs<F: FileSystem>(ops: OpSet) -> Result {
    if F::OPS.contains(ops) {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

/// Whether it only sets times to the present, which whoever may write is allowed to do.
fn is_touch(req: &Request, set: &SetAttr) -> bool {
    let times = SetAttrMask::ATIME | SetAttrMask::MTIME;
    let present = |bit, time| !set.mask.contains(bit) || time == req.now;
    times.contains(set.mask)
        && present(SetAttrMask::ATIME, set.atime)
        && present(SetAttrMask::MTIME, set.mtime)
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
                urge: OnceLock::new(),
            }),
            namespace: RwLock::new(()),
            log: record::Log::default(),
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
        self.flush_log();
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
        if !is_touch(req, set) {
            self.changeable(&inode)?;
        }
        self.extensible(&inode)?;
        let mut set = *set;
        if set.mask.contains(SetAttrMask::SIZE) && !set.mask.contains(SetAttrMask::MTIME) {
            set.mask |= SetAttrMask::MTIME;
            set.mtime = req.now;
        }
        set.mask |= SetAttrMask::CTIME;
        set.ctime = req.now;
        self.apply(req, &inode, &set)?;
        if set.mask.contains(SetAttrMask::MODE) {
            self.follow_mode(req, &inode)?;
        }
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

    /// Whom to call when [`Host::sync`] should come before its time: often, and it must not wait
    /// for anything. The first one counts. (An operation that finds no room waits for it inside
    /// of the file system: here that holds up nobody else.)
    pub fn on_pressure(&self, urge: impl Fn() + Send + Sync + 'static) {
        // A second one is not needed.
        drop(self.leaf().urge.set(Box::new(urge)));
    }

    /// Makes everything durable; the periodic commit.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn sync(&self) -> Result {
        if self.leaf().read_only || !F::OPS.contains(OpSet::SYNC) {
            return Ok(());
        }
        self.flush_log();
        self.leaf().call(|fs| fs.sync(&crate::now()))
    }

    /// Space and limits.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn statfs(&self) -> Result<StatFs> {
        self.leaf().call(F::statfs)
    }
}
