// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! File data: mapped file systems answer where it lies, the others are asked for it.

use super::{Host, exclusive, needs, shared};
use crate::HostDevice;
use crate::inode::Inode;
use bento::mapped::{self, SeekTo};
use bento::prelude::*;

impl<F: FileSystem<Device: HostDevice>> Host<F> {
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
        self.extensible(&inode)?;
        let leaf = self.leaf();
        let written = if F::OPS.contains(OpSet::ALLOCATE) {
            leaf.call(|_| mapped::write(leaf.file(&inode.node), req, offset, data))
        } else {
            needs::<F>(OpSet::WRITE)?;
            leaf.call(|fs| fs.write(req, &inode.node, offset, data))
        }?;
        self.stamp(req, &inode)?;
        self.settle(req, &inode)?;
        Ok(written)
    }

    /// The data has changed: sets `mtime` and `ctime`.
    pub(super) fn stamp(&self, req: &Request, inode: &Inode<F::Node>) -> Result {
        if !F::OPS.contains(OpSet::SETATTR) {
            return Ok(());
        }
        let set = SetAttr {
            mask: SetAttrMask::MTIME | SetAttrMask::CTIME,
            mtime: req.now,
            ctime: req.now,
            ..SetAttr::empty()
        };
        self.apply(req, inode, &set)
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
}
