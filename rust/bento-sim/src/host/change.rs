// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Operations that change one inode: its data, its space, its attributes.

use super::Host;
use crate::op::{Op, pattern};
use bento::mapped::{self, DataDevice};
use bento::prelude::*;

impl<F> Host<F>
where
    F: FileSystem<Device: DataDevice + Clone>,
{
    /// Does an operation on the inode at a path.
    pub(super) fn change(&mut self, op: &Op) -> Result {
        let req = self.request();
        match op {
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
            Op::Fallocate {
                path,
                mode,
                offset,
                len,
                keep_size,
            } => {
                let file = self.file(path)?;
                mapped::fallocate(file, &req, *mode, *offset, *len, *keep_size)
            }
            Op::SetXattr(path, name, value, flags) => {
                let ino = self.find(path)?;
                let attr = super::xattr(name, value);
                self.fs.setxattr(&req, self.node(ino)?, &attr, *flags)
            }
            Op::RemoveXattr(path, name) => {
                let ino = self.find(path)?;
                self.fs.removexattr(&req, self.node(ino)?, name.as_bytes())
            }
            Op::SetFlags(path, flags) => {
                let mut set = SetAttr::empty();
                set.mask = SetAttrMask::FLAGS | SetAttrMask::CTIME;
                (set.flags, set.ctime) = (*flags, req.now);
                let ino = self.find(path)?;
                self.fs.setattr(&req, self.node(ino)?, &set)
            }
            Op::Fsync(path) => {
                let ino = self.find(path)?;
                self.fs.fsync(&req, self.node(ino)?, false)
            }
            _ => unreachable!("{op:?} changes no single inode"),
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
}
