// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What `chattr(1)` sets: read, changed, and enforced. The kernel does not know these flags of a
//! FUSE mount, so what the VFS checks for others is checked here.

use super::{Host, exclusive};
use crate::HostDevice;
use crate::inode::Inode;
use bento::prelude::*;

/// What an open file is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Reading.
    Read,
    /// Writing at the end of the file alone (`O_APPEND`).
    Append,
    /// Writing anywhere.
    Write,
}

impl<F: FileSystem<Device: HostDevice>> Host<F> {
    /// The flags of an inode.
    ///
    /// # Errors
    /// `EOPNOTSUPP` where the file system has none; those of the file system.
    pub fn flags(&self, ino: InodeNo) -> Result<InodeFlags> {
        has_flags::<F>()?;
        Ok(self.attr(&*self.table.pin(ino)?)?.flags)
    }

    /// Sets all flags of an inode. The kernel has checked who may do that.
    ///
    /// # Errors
    /// `EOPNOTSUPP`, `EROFS`, those of the file system.
    pub fn set_flags(&self, req: &Request, ino: InodeNo, flags: InodeFlags) -> Result {
        has_flags::<F>()?;
        self.writable()?;
        let inode = self.table.pin(ino)?;
        let _held = exclusive(&inode);
        let set = SetAttr {
            mask: SetAttrMask::FLAGS | SetAttrMask::CTIME,
            flags,
            ctime: req.now,
            ..SetAttr::empty()
        };
        self.apply(req, &inode, &set)
    }

    /// Whether an inode may be opened for this use, as far as its flags tell.
    ///
    /// # Errors
    /// `EPERM`; those of the file system.
    pub fn open(&self, ino: InodeNo, usage: Use) -> Result {
        if usage == Use::Read {
            return Ok(());
        }
        let flags = self.attr(&*self.table.pin(ino)?)?.flags;
        let only_append = flags.contains(InodeFlags::APPEND) && usage == Use::Write;
        refuse(flags.contains(InodeFlags::IMMUTABLE) || only_append)
    }

    /// The inode itself may be changed, not only its data be added to.
    pub(super) fn changeable(&self, inode: &Inode<F::Node>) -> Result {
        let fixed = InodeFlags::IMMUTABLE | InodeFlags::APPEND;
        refuse(self.attr(inode)?.flags.intersects(fixed))
    }

    /// The inode is not immutable: data may be written, names may be added.
    pub(super) fn extensible(&self, inode: &Inode<F::Node>) -> Result {
        refuse(self.attr(inode)?.flags.contains(InodeFlags::IMMUTABLE))
    }

    /// Makes durable what an inode's `SYNC`, or a directory's `DIRSYNC`, wants to be.
    pub(super) fn settle(&self, req: &Request, inode: &Inode<F::Node>) -> Result {
        let attr = self.attr(inode)?;
        let mut now = InodeFlags::SYNC;
        if attr.kind() == Some(FileKind::Directory) {
            now |= InodeFlags::DIRSYNC;
        }
        if attr.flags.intersects(now) && F::OPS.contains(OpSet::SYNC) {
            self.leaf().call(|fs| fs.fsync(req, &inode.node, false))?;
        }
        Ok(())
    }
}

fn has_flags<F: FileSystem>() -> Result {
    if F::OPS.contains(OpSet::FLAGS) {
        Ok(())
    } else {
        Err(Errno::EOPNOTSUPP)
    }
}

const fn refuse(wrong: bool) -> Result {
    if wrong { Err(Errno::EPERM) } else { Ok(()) }
}
