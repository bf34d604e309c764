// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The wiring to fuser: the only file that names its types.
//!
//! The kernel checks permissions (`default_permissions`) and applies the umask, strips set-id
//! bits when a file is written or changes hands, and sends `forget` when it drops an inode. It
//! may keep names and attributes for [`TTL`] and file data for as long as it likes, because no
//! change reaches the image but through it.

use crate::{Host, HostDevice, Make, system_time, timespec};
use bento::mapped::SeekTo;
use bento::prelude::*;
use core::time::Duration;
use fuser::{
    BsdFileFlags, Config, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, InitFlags, KernelConfig, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen, ReplyStatfs,
    ReplyWrite, ReplyXattr, SessionACL, TimeOrNow, WriteFlags,
};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::SystemTime;

/// How long the kernel may use names and attributes without asking.
const TTL: Duration = Duration::from_secs(1);
/// How often everything is made durable: the most that a crash may lose.
const SYNC_PERIOD: Duration = Duration::from_secs(5);
/// The most threads that serve requests at the same time.
const MAX_THREADS: usize = 8;
/// What we switch on where the kernel offers it. Not `FUSE_WRITEBACK_CACHE`: see the crate's page.
const WANTED: InitFlags = InitFlags::FUSE_PARALLEL_DIROPS.union(InitFlags::FUSE_CACHE_SYMLINKS);

/// How to mount.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What `mount` shows as the source.
    pub source: String,
    /// What `mount` shows behind `fuse.` as the type.
    pub subtype: String,
    /// Mount read-only.
    pub read_only: bool,
    /// Users other than the one who mounts may use the file system.
    pub allow_other: bool,
    /// Options for the VFS: `nodev`, `noexec` and so on.
    pub flags: Vec<String>,
}

/// A running mount. Dropping it unmounts.
#[derive(Debug)]
pub struct Mounted {
    session: fuser::BackgroundSession,
    syncer: Syncer,
    result: Arc<Mutex<Option<Result>>>,
}

struct Adapter<F: FileSystem<Device: HostDevice>> {
    host: Arc<Host<F>>,
    result: Arc<Mutex<Option<Result>>>,
}

#[derive(Debug)]
struct Syncer {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// Mounts `host` on the directory `at` and serves it in threads of its own.
///
/// # Errors
/// No `/dev/fuse`, no right to mount, `at` is no directory. The host is then unmounted.
pub fn serve<F>(host: Host<F>, at: &Path, settings: &Settings) -> io::Result<Mounted>
where
    F: FileSystem<Device: HostDevice>,
{
    const { assert!(F::ROOT.0 == 1, "the root of a FUSE mount is always inode 1") };
    let host = Arc::new(host);
    let result = Arc::new(Mutex::new(None));
    let adapter = Adapter {
        host: Arc::clone(&host),
        result: Arc::clone(&result),
    };
    let session = fuser::Session::new(adapter, at, &settings.config())?.spawn()?;
    Ok(Mounted {
        session,
        syncer: Syncer::start(host)?,
        result,
    })
}

impl Mounted {
    /// Waits until somebody unmounts, and for the last write to the image.
    ///
    /// # Errors
    /// Those of FUSE and of the last sync.
    pub fn wait(self) -> io::Result<()> {
        let served = self.session.join();
        self.syncer.stop();
        served?;
        let result = self
            .result
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let last = result.unwrap_or(Err(Errno::EIO));
        last.map_err(|error| io::Error::from_raw_os_error(error.raw()))
    }

    /// Unmounts, and waits as [`Mounted::wait`] does.
    ///
    /// # Errors
    /// As [`Mounted::wait`]; also where the mount is busy.
    pub fn unmount(self) -> io::Result<()> {
        let served = self.session.umount_and_join();
        self.syncer.stop();
        served?;
        let result = self
            .result
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let last = result.unwrap_or(Err(Errno::EIO));
        last.map_err(|error| io::Error::from_raw_os_error(error.raw()))
    }
}

impl Syncer {
    fn start<F: FileSystem<Device: HostDevice>>(host: Arc<Host<F>>) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("sync".into())
            .spawn(move || {
                while stopped.recv_timeout(SYNC_PERIOD) == Err(RecvTimeoutError::Timeout) {
                    if let Err(error) = host.sync() {
                        log::error!("the periodic commit failed: {error}");
                    }
                }
            })?;
        Ok(Self { stop, thread })
    }

    fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            log::error!("the periodic commit panicked");
        }
    }
}

impl Settings {
    fn config(&self) -> Config {
        let mut options = vec![
            MountOption::FSName(self.source.clone()),
            MountOption::CUSTOM(format!("subtype={}", self.subtype)),
            MountOption::DefaultPermissions,
        ];
        options.extend(self.read_only.then_some(MountOption::RO));
        options.extend(self.flags.iter().map(|flag| vfs_flag(flag)));
        let mut config = Config::default();
        config.mount_options = options;
        config.acl = if self.allow_other {
            SessionACL::All
        } else {
            SessionACL::Owner
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        config.n_threads = Some(cores.clamp(2, MAX_THREADS));
        config.clone_fd = true;
        config
    }
}

fn vfs_flag(flag: &str) -> MountOption {
    match flag {
        "dev" => MountOption::Dev,
        "nodev" => MountOption::NoDev,
        "suid" => MountOption::Suid,
        "nosuid" => MountOption::NoSuid,
        "exec" => MountOption::Exec,
        "noexec" => MountOption::NoExec,
        "sync" => MountOption::Sync,
        "dirsync" => MountOption::DirSync,
        other => MountOption::CUSTOM(other.into()),
    }
}

fn fuse_errno(error: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(error.raw())
}

const fn bento_ino(ino: INodeNo) -> InodeNo {
    InodeNo(ino.0)
}

fn bento_request(req: &fuser::Request) -> Request {
    let (uid, gid, pid) = (req.uid(), req.gid(), req.pid());
    Request {
        uid,
        gid,
        pid,
        now: timespec(SystemTime::now()),
    }
}

const fn file_type(kind: FileKind) -> FileType {
    match kind {
        FileKind::Fifo => FileType::NamedPipe,
        FileKind::CharDevice => FileType::CharDevice,
        FileKind::Directory => FileType::Directory,
        FileKind::BlockDevice => FileType::BlockDevice,
        FileKind::Regular => FileType::RegularFile,
        FileKind::Symlink => FileType::Symlink,
        FileKind::Socket => FileType::Socket,
    }
}

/// `EUCLEAN` where the mode names no kind of inode.
fn file_attr(attr: &Attr) -> Result<FileAttr> {
    Ok(FileAttr {
        ino: INodeNo(attr.ino.0),
        size: attr.size,
        blocks: attr.blocks,
        atime: system_time(attr.atime),
        mtime: system_time(attr.mtime),
        ctime: system_time(attr.ctime),
        crtime: system_time(attr.btime),
        kind: file_type(attr.kind().ok_or(Errno::EUCLEAN)?),
        perm: u16::try_from(attr.mode & 0o7777).unwrap_or_default(),
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        rdev: attr.rdev,
        blksize: 4096,
        flags: 0,
    })
}

fn new_time(time: TimeOrNow, now: Timespec) -> Timespec {
    match time {
        TimeOrNow::Now => now,
        TimeOrNow::SpecificTime(time) => repaired(timespec(time)),
    }
}

/// fuser 0.18.0 reads a time before 1970 as `-(seconds + nanoseconds)`, but the kernel means
/// `-seconds + nanoseconds`.
fn repaired(time: Timespec) -> Timespec {
    match time {
        Timespec { sec, nsec: 1.. } if sec < 0 => Timespec {
            sec: sec + 1,
            nsec: 1_000_000_000 - time.nsec,
        },
        time => time,
    }
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
        let wanted = WANTED.intersection(config.capabilities());
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
                .lookup(&bento_request(req), parent, name.as_bytes()),
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
        let req = bento_request(req);
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
        _umask: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        answer_entry(reply, self.make(req, parent, name, Make::Node(mode, rdev)));
    }

    fn mkdir(
        &self,
        req: &fuser::Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        answer_entry(
            reply,
            self.make(req, parent, name, Make::Directory(mode & 0o7777)),
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
        answer_entry(reply, self.make(req, parent, name, Make::Symlink(target)));
    }

    fn create(
        &self,
        req: &fuser::Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let made = self.make(req, parent, name, Make::Node(mode, 0));
        let result = made.and_then(|attr| Ok((file_attr(&attr)?, attr.generation)));
        answer!(reply, result, (attr, generation) => {
            let (generation, flags) = (Generation(generation.into()), FopenFlags::FOPEN_KEEP_CACHE);
            reply.created(&TTL, &attr, generation, FileHandle(0), flags);
        });
    }

    fn unlink(&self, req: &fuser::Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let parent = bento_ino(parent);
        let result = self
            .host
            .unlink(&bento_request(req), parent, name.as_bytes());
        answer!(reply, result, () => reply.ok());
    }

    fn rmdir(&self, req: &fuser::Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let parent = bento_ino(parent);
        let result = self
            .host
            .rmdir(&bento_request(req), parent, name.as_bytes());
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
        let result = flags.and_then(|f| self.host.rename(&bento_request(req), from, to, f));
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
            .link(&bento_request(req), ino, parent, newname.as_bytes());
        answer_entry(reply, result);
    }

    fn open(&self, _: &fuser::Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn read(
        &self,
        req: &fuser::Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let size = usize::try_from(size).unwrap_or_default();
        let result = self
            .host
            .read(&bento_request(req), bento_ino(ino), offset, size);
        answer!(reply, result, data => reply.data(&data));
    }

    fn write(
        &self,
        req: &fuser::Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let result = self
            .host
            .write(&bento_request(req), bento_ino(ino), offset, data);
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
            .fsync(&bento_request(req), bento_ino(ino), datasync);
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
            .readdir(&bento_request(req), bento_ino(ino), cookie, |record| {
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

    /// No extended attributes: after this answer the kernel does not ask again.
    fn getxattr(&self, _: &fuser::Request, _: INodeNo, _: &OsStr, _: u32, reply: ReplyXattr) {
        reply.error(fuser::Errno::ENOSYS);
    }

    fn listxattr(&self, _: &fuser::Request, _: INodeNo, _: u32, reply: ReplyXattr) {
        reply.error(fuser::Errno::ENOSYS);
    }

    fn setxattr(
        &self,
        _: &fuser::Request,
        _: INodeNo,
        _: &OsStr,
        _: &[u8],
        _: i32,
        _: u32,
        reply: ReplyEmpty,
    ) {
        reply.error(fuser::Errno::ENOSYS);
    }

    fn removexattr(&self, _: &fuser::Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(fuser::Errno::ENOSYS);
    }

    fn fallocate(
        &self,
        _: &fuser::Request,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: u64,
        _: i32,
        reply: ReplyEmpty,
    ) {
        reply.error(fuser::Errno::ENOSYS);
    }
}

impl<F: FileSystem<Device: HostDevice>> Adapter<F> {
    fn make(
        &self,
        req: &fuser::Request,
        dir: INodeNo,
        name: &OsStr,
        make: Make<'_>,
    ) -> Result<Attr> {
        self.host
            .make(&bento_request(req), bento_ino(dir), name.as_bytes(), make)
    }
}
