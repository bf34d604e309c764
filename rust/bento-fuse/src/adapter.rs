// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The wiring to fuser: this folder is the only place that names its types.
//!
//! The kernel checks permissions (`default_permissions`) and access control lists, strips set-id
//! bits when a file is written or changes hands, and sends `forget` when it drops an inode. It
//! may keep names and attributes for [`TTL`] and file data for as long as it likes, because no
//! change reaches the image but through it.

mod convert;
mod ioctl;
mod opened;
mod session;

pub use session::{Mounted, Settings, serve};

use crate::{Host, HostDevice, Make};
use bento::mapped::SeekTo;
use bento::prelude::*;
use convert::{
    bento_ino, bento_request, command, fallocate_mode, file_attr, file_type, fuse_errno, new_time,
    usage,
};
use core::time::Duration;
use fuser::{
    BsdFileFlags, CopyFileRangeFlags, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, InitFlags, IoctlFlags, KernelConfig, LockOwner, OpenFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen,
    ReplyStatfs, ReplyWrite, ReplyXattr, TimeOrNow, WriteFlags,
};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// How long the kernel may use names and attributes without asking.
const TTL: Duration = Duration::from_secs(1);
/// What we switch on where the kernel offers it. Not `FUSE_WRITEBACK_CACHE`: see the crate's page.
const WANTED: InitFlags = InitFlags::FUSE_PARALLEL_DIROPS
    .union(InitFlags::FUSE_CACHE_SYMLINKS)
    .union(InitFlags::FUSE_EXPORT_SUPPORT);
/// With extended attributes: the kernel checks access control lists, and leaves the umask to us,
/// since a default list takes its place.
const WANTED_WITH_ACLS: InitFlags = InitFlags::FUSE_POSIX_ACL.union(InitFlags::FUSE_DONT_MASK);

struct Adapter<F: FileSystem<Device: HostDevice>> {
    host: Arc<Host<F>>,
    result: Arc<Mutex<Option<Result>>>,
    opened: opened::Opened,
}

/// Answers with an error, or with what the arm of a success says.
macro_rules! answer {
    ($reply:ident, $result:expr, $ok:pat => $success:expr) => {
        match $result {
            Ok($ok) => $success,
            Err(error) => $reply.error(fuse_errno(error)),
        }
    };
}

fn answer_entry(reply: ReplyEntry, result: Result<Attr>) {
    let result = result.and_then(|attr| Ok((file_attr(&attr)?, attr.generation)));
    answer!(reply, result, (attr, generation) => {
        reply.entry(&TTL, &attr, Generation(generation.into()));
    });
}

fn answer_attr(reply: ReplyAttr, result: Result<Attr>) {
    let result = result.and_then(|attr| file_attr(&attr));
    answer!(reply, result, attr => reply.attr(&TTL, &attr));
}

impl<F: FileSystem<Device: HostDevice>> Filesystem for Adapter<F> {
    fn init(&mut self, _: &fuser::Request, config: &mut KernelConfig) -> io::Result<()> {
        let mut wanted = WANTED;
        if F::OPS.contains(OpSet::XATTR) {
            wanted |= WANTED_WITH_ACLS;
        }
        let wanted = wanted.intersection(config.capabilities());
        // It cannot fail: only what the kernel offers is asked for.
        config
            .add_capabilities(wanted)
            .map_err(|_| io::ErrorKind::Unsupported.into())
    }

    fn destroy(&mut self) {
        let result = self.host.unmount();
        if let Err(error) = result {
            log::error!("the last sync failed: {error}; the image is as after a crash");
        }
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    }

    fn lookup(&self, req: &fuser::Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let parent = bento_ino(parent);
        answer_entry(
            reply,
            self.host
                .lookup(&Self::request(req), parent, name.as_bytes()),
        );
    }

    fn forget(&self, _: &fuser::Request, ino: INodeNo, lookups: u64) {
        self.host.forget(bento_ino(ino), lookups);
    }

    fn getattr(&self, _: &fuser::Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        answer_attr(reply, self.host.getattr(bento_ino(ino)));
    }

    fn setattr(
        &self,
        req: &fuser::Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let req = Self::request(req);
        let given = [
            (SetAttrMask::MODE, mode.is_some()),
            (SetAttrMask::UID, uid.is_some()),
            (SetAttrMask::GID, gid.is_some()),
            (SetAttrMask::SIZE, size.is_some()),
            (SetAttrMask::ATIME, atime.is_some()),
            (SetAttrMask::MTIME, mtime.is_some()),
        ];
        let set = SetAttr {
            mask: given
                .iter()
                .filter(|(_, given)| *given)
                .map(|(bit, _)| *bit)
                .collect(),
            mode: mode.unwrap_or_default() & 0o7777,
            uid: uid.unwrap_or_default(),
            gid: gid.unwrap_or_default(),
            size: size.unwrap_or_default(),
            atime: atime.map_or(req.now, |time| new_time(time, req.now)),
            mtime: mtime.map_or(req.now, |time| new_time(time, req.now)),
            ctime: req.now,
            flags: InodeFlags::empty(),
        };
        answer_attr(reply, self.host.setattr(&req, bento_ino(ino), &set));
    }

    fn readlink(&self, _: &fuser::Request, ino: INodeNo, reply: ReplyData) {
        answer!(reply, self.host.readlink(bento_ino(ino)), target => reply.data(&target));
    }

    fn mknod(
        &self,
        req: &fuser::Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        answer_entry(
            reply,
            self.make(req, parent, name, Make::Node(mode, rdev), umask),
        );
    }

    fn mkdir(
        &self,
        req: &fuser::Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        answer_entry(
            reply,
            self.make(req, parent, name, Make::Directory(mode & 0o7777), umask),
        );
    }

    fn symlink(
        &self,
        req: &fuser::Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let target = target.as_os_str().as_bytes();
        answer_entry(
            reply,
            self.make(req, parent, name, Make::Symlink(target), 0),
        );
    }

    fn create(
        &self,
        req: &fuser::Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let made = self.make(req, parent, name, Make::Node(mode, 0), umask);
        let result = made.and_then(|attr| Ok((file_attr(&attr)?, attr.generation)));
        answer!(reply, result, (attr, generation) => {
            let (handle, flags) = self.opened(req, bento_ino(attr.ino));
            reply.created(&TTL, &attr, Generation(generation.into()), handle, flags);
        });
    }

    fn unlink(&self, req: &fuser::Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let parent = bento_ino(parent);
        let result = self
            .host
            .unlink(&Self::request(req), parent, name.as_bytes());
        answer!(reply, result, () => reply.ok());
    }

    fn rmdir(&self, req: &fuser::Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let parent = bento_ino(parent);
        let result = self
            .host
            .rmdir(&Self::request(req), parent, name.as_bytes());
        answer!(reply, result, () => reply.ok());
    }

    fn rename(
        &self,
        req: &fuser::Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: fuser::RenameFlags,
        reply: ReplyEmpty,
    ) {
        let (from, to) = (bento_ino(parent), bento_ino(newparent));
        let (from, to) = ((from, name.as_bytes()), (to, newname.as_bytes()));
        let flags = RenameFlags::from_bits(flags.bits()).ok_or(Errno::EINVAL);
        let result = flags.and_then(|f| self.host.rename(&Self::request(req), from, to, f));
        answer!(reply, result, () => reply.ok());
    }

    fn link(
        &self,
        req: &fuser::Request,
        ino: INodeNo,
        newparent: INodeNo,
        newname: &OsStr,
        reply: ReplyEntry,
    ) {
        let (ino, parent) = (bento_ino(ino), bento_ino(newparent));
        let result = self
            .host
            .link(&Self::request(req), ino, parent, newname.as_bytes());
        answer_entry(reply, result);
    }

    fn open(&self, req: &fuser::Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        answer!(reply, self.host.open(bento_ino(ino), usage(flags)), () => {
            let (handle, flags) = self.opened(req, bento_ino(ino));
            reply.opened(handle, flags);
        });
    }

    fn release(
        &self,
        req: &fuser::Request,
        ino: INodeNo,
        fh: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.used(req, ino, fh, FileEvent::Release);
        self.opened.remove(fh);
        reply.ok();
    }

    fn read(
        &self,
        req: &fuser::Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.used(req, ino, fh, FileEvent::FirstRead);
        let size = usize::try_from(size).unwrap_or_default();
        let result = self
            .host
            .read(&Self::request(req), bento_ino(ino), offset, size);
        answer!(reply, result, data => reply.data(&data));
    }

    fn write(
        &self,
        req: &fuser::Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        self.used(req, ino, fh, FileEvent::FirstWrite);
        let result = self
            .host
            .write(&Self::request(req), bento_ino(ino), offset, data);
        let result = result.and_then(|done| u32::try_from(done).map_err(|_| Errno::EIO));
        answer!(reply, result, done => reply.written(done));
    }

    /// `write` has nothing left to report; after this answer the kernel does not ask again.
    fn flush(
        &self,
        _: &fuser::Request,
        _: INodeNo,
        _: FileHandle,
        _: LockOwner,
        reply: ReplyEmpty,
    ) {
        reply.error(fuser::Errno::ENOSYS);
    }

    fn fsync(
        &self,
        req: &fuser::Request,
        ino: INodeNo,
        _fh: FileHandle,
        datasync: bool,
        reply: ReplyEmpty,
    ) {
        let result = self
            .host
            .fsync(&Self::request(req), bento_ino(ino), datasync);
        answer!(reply, result, () => reply.ok());
    }

    fn fsyncdir(
        &self,
        req: &fuser::Request,
        ino: INodeNo,
        fh: FileHandle,
        datasync: bool,
        reply: ReplyEmpty,
    ) {
        self.fsync(req, ino, fh, datasync, reply);
    }

    /// Offsets: 1 is behind `.`, 2 behind `..`, and `c + 1` behind the entry with cookie `c`.
    fn readdir(
        &self,
        req: &fuser::Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let dots = [(0, "."), (1, "..")];
        for (_, name) in dots.iter().filter(|(before, _)| *before >= offset) {
            // Inside a mount nobody looks at the number of `..`; the kernel knows the parent.
            let next = u64::try_from(name.len()).unwrap_or_default();
            if reply.add(ino, next, FileType::Directory, name) {
                return reply.ok();
            }
        }
        let cookie = if offset <= 2 { 0 } else { offset - 1 };
        let result = self
            .host
            .readdir(&Self::request(req), bento_ino(ino), cookie, |record| {
                let kind = FileKind::from_mode(u32::from(record.dirent_type) << 12);
                let kind = kind.map_or(FileType::RegularFile, file_type);
                let name = OsStr::from_bytes(record.name);
                let next = record.cookie.saturating_add(1);
                !reply.add(INodeNo(record.ino.0), next, kind, name)
            });
        answer!(reply, result, () => reply.ok());
    }

    fn statfs(&self, _: &fuser::Request, _: INodeNo, reply: ReplyStatfs) {
        answer!(reply, self.host.statfs(), s => {
            let (blocks, inodes) = ((s.blocks, s.blocks_free, s.blocks_available), s.files);
            let size = s.block_size;
            reply.statfs(
                blocks.0, blocks.1, blocks.2, inodes, s.files_free, size, s.name_max, size,
            );
        });
    }

    fn lseek(
        &self,
        _: &fuser::Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        /// `SEEK_DATA` and `SEEK_HOLE` of `lseek(2)`; the kernel does the others itself.
        const SEEK_DATA: i32 = 3;
        const SEEK_HOLE: i32 = 4;
        let to = match whence {
            SEEK_DATA => Ok(SeekTo::Data),
            SEEK_HOLE => Ok(SeekTo::Hole),
            _ => Err(Errno::EINVAL),
        };
        let result = to.and_then(|to| {
            let from = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
            let found = self.host.seek(bento_ino(ino), from, to)?;
            i64::try_from(found).map_err(|_| Errno::EOVERFLOW)
        });
        answer!(reply, result, found => reply.offset(found));
    }

    fn getxattr(
        &self,
        _: &fuser::Request,
        ino: INodeNo,
        name: &OsStr,
        size: u32,
        reply: ReplyXattr,
    ) {
        if Self::lacks(OpSet::XATTR) {
            return reply.error(fuser::Errno::ENOSYS);
        }
        answer_xattr(
            reply,
            self.host.getxattr(bento_ino(ino), name.as_bytes()),
            size,
        );
    }

    fn listxattr(&self, req: &fuser::Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        if Self::lacks(OpSet::XATTR) {
            return reply.error(fuser::Errno::ENOSYS);
        }
        let list = self.host.listxattr(&Self::request(req), bento_ino(ino));
        answer_xattr(reply, list, size);
    }

    fn setxattr(
        &self,
        req: &fuser::Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        if Self::lacks(OpSet::XATTR) {
            return reply.error(fuser::Errno::ENOSYS);
        }
        let name = name.as_bytes();
        let attr = Xattr { name, value };
        let flags = XattrFlags::from_bits(flags.cast_unsigned()).ok_or(Errno::EINVAL);
        let req = Self::request(req);
        let result = flags.and_then(|flags| self.host.setxattr(&req, bento_ino(ino), &attr, flags));
        answer!(reply, result, () => reply.ok());
    }

    fn removexattr(&self, req: &fuser::Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        if Self::lacks(OpSet::XATTR) {
            return reply.error(fuser::Errno::ENOSYS);
        }
        let req = Self::request(req);
        let result = self.host.removexattr(&req, bento_ino(ino), name.as_bytes());
        answer!(reply, result, () => reply.ok());
    }

    fn fallocate(
        &self,
        req: &fuser::Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        if Self::lacks(OpSet::FALLOCATE) {
            return reply.error(fuser::Errno::ENOSYS);
        }
        let (req, ino) = (Self::request(req), bento_ino(ino));
        let result = fallocate_mode(mode).and_then(|(mode, keep_size)| {
            self.host
                .fallocate(&req, ino, mode, (offset, length), keep_size)
        });
        answer!(reply, result, () => reply.ok());
    }

    fn copy_file_range(
        &self,
        req: &fuser::Request,
        ino_in: INodeNo,
        fh_in: FileHandle,
        offset_in: u64,
        ino_out: INodeNo,
        fh_out: FileHandle,
        offset_out: u64,
        len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        self.used(req, ino_in, fh_in, FileEvent::FirstRead);
        self.used(req, ino_out, fh_out, FileEvent::FirstWrite);
        // The answer has 32 bits; the caller goes on where it ends.
        let len = len.min(u64::from(u32::MAX) & !4095);
        let (from, to) = (
            (bento_ino(ino_in), offset_in),
            (bento_ino(ino_out), offset_out),
        );
        let result = self.host.copy(&Self::request(req), from, to, len);
        let result = result.and_then(|done| u32::try_from(done).map_err(|_| Errno::EIO));
        answer!(reply, result, done => reply.written(done));
    }

    fn ioctl(
        &self,
        req: &fuser::Request,
        ino: INodeNo,
        _fh: FileHandle,
        _flags: IoctlFlags,
        cmd: u32,
        in_data: &[u8],
        _out_size: u32,
        reply: ReplyIoctl,
    ) {
        let (req, ino) = (Self::request(req), bento_ino(ino));
        let result = ioctl::serve(&self.host, &req, ino, cmd, in_data);
        answer!(reply, result, out => reply.ioctl(0, &out));
    }
}

/// A length where the kernel asks for it (0), else the bytes, which must fit.
fn answer_xattr(reply: ReplyXattr, value: Result<Vec<u8>>, size: u32) {
    let value = value.and_then(|value| {
        let len = u32::try_from(value.len()).map_err(|_| Errno::E2BIG)?;
        let fits = size == 0 || len <= size;
        if fits {
            Ok((value, len))
        } else {
            Err(Errno::ERANGE)
        }
    });
    answer!(reply, value, (value, len) => match size {
        0 => reply.size(len),
        _ => reply.data(&value),
    });
}

impl<F: FileSystem<Device: HostDevice>> Adapter<F> {
    /// The file system has none of `ops`: after the answer `ENOSYS` the kernel asks no more.
    const fn lacks(ops: OpSet) -> bool {
        !F::OPS.contains(ops)
    }

    /// Who asks. The name of the command is looked up where somebody writes it down.
    fn request(req: &fuser::Request) -> Request {
        let mut request = bento_request(req);
        if Host::<F>::RECORDS {
            request.comm = command(request.pid);
        }
        request
    }

    /// A file was opened. Where first reads are to be told, the kernel must not answer them from
    /// what it cached before.
    fn opened(&self, req: &fuser::Request, ino: InodeNo) -> (FileHandle, FopenFlags) {
        if !Host::<F>::WATCHES {
            return (FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
        }
        self.host.event(&Self::request(req), ino, FileEvent::Open);
        (self.opened.add(), FopenFlags::empty())
    }

    fn used(&self, req: &fuser::Request, ino: INodeNo, handle: FileHandle, event: FileEvent) {
        if Host::<F>::WATCHES && self.opened.is_first(handle, event) {
            self.host.event(&Self::request(req), bento_ino(ino), event);
        }
    }

    fn make(
        &self,
        req: &fuser::Request,
        dir: INodeNo,
        name: &OsStr,
        make: Make<'_>,
        umask: u32,
    ) -> Result<Attr> {
        let (req, dir) = (Self::request(req), bento_ino(dir));
        self.host.make(&req, dir, name.as_bytes(), make, umask)
    }
}
