// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Extended attributes, and what access control lists among them mean for the mode.

use super::{Host, exclusive, shared};
use crate::HostDevice;
use crate::acl::{ACCESS, Acl, DEFAULT};
use crate::inode::Inode;
use bento::prelude::*;

const SETGID: u32 = 0o2000;

impl<F: FileSystem<Device: HostDevice>> Host<F> {
    /// The value of an extended attribute.
    ///
    /// # Errors
    /// `ENODATA`, `EOPNOTSUPP` where the file system has none, others of the file system.
    pub fn getxattr(&self, ino: InodeNo, name: &[u8]) -> Result<Vec<u8>> {
        let inode = self.table.pin(ino)?;
        let _held = shared(&inode);
        self.xattr(&inode, name)
    }

    fn xattr(&self, inode: &Inode<F::Node>, name: &[u8]) -> Result<Vec<u8>> {
        supports::<F>()?;
        if !self.attr(inode)?.has_xattrs {
            return Err(Errno::ENODATA);
        }
        self.collect(|fs, out| fs.getxattr(&inode.node, name, out))
    }

    /// The names of all extended attributes, each with a NUL. Those with the prefix `trusted.` are
    /// for root alone.
    ///
    /// # Errors
    /// Those of [`Host::getxattr`].
    pub fn listxattr(&self, req: &Request, ino: InodeNo) -> Result<Vec<u8>> {
        supports::<F>()?;
        let inode = self.table.pin(ino)?;
        let _held = shared(&inode);
        let list = self.collect(|fs, out| fs.listxattr(&inode.node, out))?;
        if req.uid == 0 {
            return Ok(list);
        }
        let names = list.split_inclusive(|byte| *byte == 0);
        Ok(names
            .filter(|name| !name.starts_with(b"trusted."))
            .flatten()
            .copied()
            .collect())
    }

    /// Asks for a length, then for that many bytes. The caller holds the inode.
    fn collect(&self, read: impl Fn(&F, &mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
        let mut out = vec![0; self.leaf().call(|fs| read(fs, &mut []))?];
        if !out.is_empty() {
            let len = self.leaf().call(|fs| read(fs, &mut out))?;
            out.truncate(len);
        }
        Ok(out)
    }

    /// Sets an extended attribute. An access control list changes the mode, too, and is not stored
    /// where the mode says the same.
    ///
    /// # Errors
    /// `EEXIST`, `ENODATA` as `flags` ask for; `EINVAL`: no valid access control list; `ENOSPC`,
    /// `E2BIG`, `EROFS`, `EPERM`, `EOPNOTSUPP`, others of the file system.
    pub fn setxattr(
        &self,
        req: &Request,
        ino: InodeNo,
        attr: &Xattr<'_>,
        flags: XattrFlags,
    ) -> Result {
        supports::<F>()?;
        self.writable()?;
        let inode = self.table.pin(ino)?;
        let _held = exclusive(&inode);
        self.changeable(&inode)?;
        match attr.name {
            ACCESS => self.set_access(req, &inode, attr, flags),
            DEFAULT if Acl::parse(attr.value).is_none() => Err(Errno::EINVAL),
            _ => self.store(req, &inode, attr, flags),
        }
    }

    fn store(
        &self,
        req: &Request,
        inode: &Inode<F::Node>,
        attr: &Xattr<'_>,
        flags: XattrFlags,
    ) -> Result {
        self.leaf()
            .call(|fs| fs.setxattr(req, &inode.node, attr, flags))
    }

    fn set_access(
        &self,
        req: &Request,
        inode: &Inode<F::Node>,
        attr: &Xattr<'_>,
        flags: XattrFlags,
    ) -> Result {
        let acl = Acl::parse(attr.value).ok_or(Errno::EINVAL)?;
        let old = self.attr(inode)?;
        let mut mode = acl.mode(old.mode);
        if req.uid != 0 && req.gid != old.gid {
            mode &= !SETGID;
        }
        if acl.is_minimal() {
            self.drop_xattr(req, inode, ACCESS)?;
        } else {
            self.store(req, inode, attr, flags)?;
        }
        let set = SetAttr {
            mask: SetAttrMask::MODE | SetAttrMask::CTIME,
            mode,
            ctime: req.now,
            ..SetAttr::empty()
        };
        self.apply(req, inode, &set)
    }

    /// Removes an extended attribute.
    ///
    /// # Errors
    /// `ENODATA`, `EROFS`, `EPERM`, `EOPNOTSUPP`, others of the file system.
    pub fn removexattr(&self, req: &Request, ino: InodeNo, name: &[u8]) -> Result {
        supports::<F>()?;
        self.writable()?;
        let inode = self.table.pin(ino)?;
        let _held = exclusive(&inode);
        self.changeable(&inode)?;
        self.leaf()
            .call(|fs| fs.removexattr(req, &inode.node, name))
    }

    /// Removes an attribute that need not exist.
    fn drop_xattr(&self, req: &Request, inode: &Inode<F::Node>, name: &[u8]) -> Result {
        match self
            .leaf()
            .call(|fs| fs.removexattr(req, &inode.node, name))
        {
            Err(Errno::ENODATA) => Ok(()),
            result => result,
        }
    }

    /// The access control list of an inode whose mode has been set follows the mode.
    pub(super) fn follow_mode(&self, req: &Request, inode: &Inode<F::Node>) -> Result {
        let Some(acl) = self.acl(inode, ACCESS)? else {
            return Ok(());
        };
        let value = acl.chmod(self.attr(inode)?.mode).to_bytes();
        let attr = Xattr {
            name: ACCESS,
            value: &value,
        };
        self.store(req, inode, &attr, XattrFlags::empty())
    }

    /// The list under `name`, where there is one.
    pub(super) fn acl(&self, inode: &Inode<F::Node>, name: &[u8]) -> Result<Option<Acl>> {
        match self.xattr(inode, name) {
            Ok(value) => Ok(Some(Acl::parse(&value).ok_or(Errno::EIO)?)),
            Err(Errno::ENODATA | Errno::EOPNOTSUPP) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn supports<F: FileSystem>() -> Result {
    if F::OPS.contains(OpSet::XATTR) {
        Ok(())
    } else {
        Err(Errno::EOPNOTSUPP)
    }
}
