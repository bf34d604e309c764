// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The trait that every file system implements.

use crate::{
    Attr, BlockDevice, DirBuf, Errno, Extent, Fallocate, FileEvent, InodeNo, LogBatch, LogStart,
    NewInode, Request, Result, SetAttr, TrimRange, Trimmed, Xattr, XattrFlags,
};
use bitflags::bitflags;

bitflags! {
    /// The operations that a file system implements beside the required ones.
    ///
    /// Hosts never call an operation that is not named here: there is no round trip to learn
    /// `ENOSYS`. Two builds of one file system may differ (a live upgrade may add operations).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct OpSet: u64 {
        /// [`FileSystem::create`] and [`FileSystem::mknod`].
        const CREATE = 1 << 0;
        /// [`FileSystem::mkdir`] and [`FileSystem::rmdir`].
        const MKDIR = 1 << 1;
        /// [`FileSystem::symlink`] and [`FileSystem::readlink`].
        const SYMLINK = 1 << 2;
        /// [`FileSystem::link`].
        const LINK = 1 << 3;
        /// [`FileSystem::unlink`].
        const UNLINK = 1 << 4;
        /// [`FileSystem::rename`].
        const RENAME = 1 << 5;
        /// [`FileSystem::setattr`].
        const SETATTR = 1 << 6;
        /// [`FileSystem::map`]: file data is mapped; `read` and `write` are never called.
        const MAP = 1 << 7;
        /// [`FileSystem::allocate`] and [`FileSystem::commit`]; needs `MAP`.
        const ALLOCATE = 1 << 8;
        /// [`FileSystem::read`].
        const READ = 1 << 9;
        /// [`FileSystem::write`].
        const WRITE = 1 << 10;
        /// [`FileSystem::fsync`] and [`FileSystem::sync`].
        const SYNC = 1 << 11;
        /// [`FileSystem::getxattr`], `setxattr`, `removexattr`, `listxattr`, and the attributes
        /// of a [`NewInode`].
        const XATTR = 1 << 12;
        /// [`FileSystem::fallocate`]; needs `MAP` and `ALLOCATE`.
        const FALLOCATE = 1 << 13;
        /// [`FileSystem::tmpfile`]; needs `CREATE`.
        const TMPFILE = 1 << 14;
        /// [`SetAttrMask::FLAGS`](crate::SetAttrMask::FLAGS) and [`Attr::flags`]; needs `SETATTR`.
        const FLAGS = 1 << 15;
        /// [`FileSystem::trim`].
        const TRIM = 1 << 16;
        /// [`FileSystem::parent`], so that handles of directories can be exported.
        const EXPORT = 1 << 17;
        /// [`FileSystem::event`]. Without it, `open` and cached reads never come here.
        const EVENTS = 1 << 18;
        /// [`FileSystem::start_log`], [`FileSystem::drain_log`], [`FileSystem::wants_drain`];
        /// needs `ALLOCATE`.
        const LOG = 1 << 19;
        /// [`FileSystem::next_orphan`].
        const ORPHANS = 1 << 20;
    }
}

/// How urgently a file system wants a [`FileSystem::sync`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// It can wait for the next periodic one.
    None,
    /// Now, beside other operations.
    Soon,
    /// Now, and operations that change something had better wait for its end where they are not
    /// in a call of the file system: else they may have to wait inside of one.
    Wait,
}

bitflags! {
    /// Flags of `renameat2(2)`. `EXCHANGE` never comes with another.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RenameFlags: u32 {
        /// Fail with `EEXIST` where the new name exists.
        const NOREPLACE = 1 << 0;
        /// Exchange the two names, both of which must exist.
        const EXCHANGE = 1 << 1;
        /// Leave a whiteout under the old name: a new character device 0:0 of mode 0, owned by the
        /// caller. A file system that cannot returns `EINVAL`.
        const WHITEOUT = 1 << 2;
    }
}

/// What `mount` was asked for.
#[derive(Clone, Copy, Debug)]
pub struct MountOptions<'a> {
    /// Mount read-only: nothing may be written, not even by recovery unless the device allows.
    pub read_only: bool,
    /// This mount replaces an instance that panicked, while inodes stay in use: orphans must
    /// stay until [`FileSystem::forget`].
    pub repair: bool,
    /// Do not replay the log, show the disk as the crash left it. Only with `read_only`; damage
    /// that a replay would repair may show as `EUCLEAN`.
    pub no_recovery: bool,
    /// Tell the device about freed blocks ([`BlockDevice::discard`]) once the free is durable. A
    /// device that cannot is no error.
    pub discard: bool,
    /// The options that the host does not know, as `a,b=c`; empty where there are none. The file
    /// system logs an error that names an option it does not know, and returns `EINVAL`.
    pub text: &'a str,
}

impl MountOptions<'static> {
    /// Read and write, nothing special.
    pub const DEFAULT: Self = Self {
        read_only: false,
        repair: false,
        no_recovery: false,
        discard: false,
        text: "",
    };
}

/// An inode as the file system hands it to the host.
#[derive(Debug)]
pub struct Entry<N> {
    /// Its attributes, number and generation included.
    pub attr: Attr,
    /// What the file system wants to keep in memory for it.
    pub node: N,
}

/// The answer of `statfs(2)`; all counts in blocks of `block_size` or in inodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatFs {
    /// Bytes per block.
    pub block_size: u32,
    /// Blocks for data, used and free.
    pub blocks: u64,
    /// Free blocks.
    pub blocks_free: u64,
    /// Free blocks for ordinary users.
    pub blocks_available: u64,
    /// Inodes, used and free.
    pub files: u64,
    /// Free inodes.
    pub files_free: u64,
    /// Longest name in bytes.
    pub name_max: u32,
    /// The file-system id (from the UUID).
    pub fsid: u64,
}

/// A file system.
///
/// One value is one mount. Operations take `&self` and run in parallel; what the host serialises
/// is said with each operation ("holds"). Names are 1 to 255 bytes, any byte but `/` and NUL, and
/// never `.` or `..`. Any operation may return `EIO` (device), `EUCLEAN` (damaged disk), `ENOMEM`.
///
/// No lock, transaction or borrowed block may outlive a call. A panic is contained by the host:
/// the caller gets `EIO`, the mount fails until it is upgraded or unmounted.
///
/// # Who keeps attributes
/// The host's inode is authoritative for times and, with `MAP`, for the size in use; the file
/// system persists what `setattr` and `commit` bring. After each operation that changes an inode
/// or a directory the host asks `getattr` for the new link count, times, size and blocks.
#[expect(
    unused_variables,
    reason = "the defaults of optional operations ignore their arguments"
)]
pub trait FileSystem: Sized + Send + Sync + 'static {
    /// The device below; [`crate::NoDevice`] where there is none.
    type Device: BlockDevice;
    /// What the file system keeps in memory per inode in use. The host owns it, never has two for
    /// one inode, and drops it when the inode leaves memory (possibly under memory pressure: a
    /// `Drop` must not block).
    type Node: Send + Sync + 'static;

    /// Name of the type, as in `mount -t NAME`: 1 to 15 bytes, lower-case ASCII.
    const NAME: &'static str;
    /// Version of this build, at most 31 bytes.
    const VERSION: &'static str;
    /// The optional operations that are implemented.
    const OPS: OpSet;
    /// The inode of the root directory.
    const ROOT: InodeNo = InodeNo(1);
    /// The largest file in bytes.
    const MAX_FILE_SIZE: u64;

    /// Opens the file system on `dev`, recovering it where the last use ended in a crash.
    ///
    /// # Errors
    /// `EINVAL`: not this file system, unknown option (logged). `EUCLEAN`: damaged (logged).
    /// `EROFS`: recovery is needed and the device is read-only. `EOPNOTSUPP`: unknown features.
    fn mount(dev: Self::Device, options: &MountOptions<'_>) -> Result<Self>;

    /// The instance goes away after a clean unmount; everything was synced before. Not called
    /// after a panic or an upgrade.
    fn unmount(&self) -> Result {
        Ok(())
    }

    /// Space and limits. May run at any time, in parallel to everything.
    fn statfs(&self) -> Result<StatFs>;

    /// Reads an inode into memory. Also after an upgrade, for inodes in use, unlinked ones
    /// included. No node of this inode exists when it is called.
    ///
    /// # Errors
    /// `ESTALE`: no such inode.
    fn load(&self, ino: InodeNo) -> Result<Entry<Self::Node>>;

    /// The inode number behind a name. Holds: directory shared.
    ///
    /// # Errors
    /// `ENOENT`.
    fn lookup(&self, req: &Request, parent: &Self::Node, name: &[u8]) -> Result<InodeNo>;

    /// Current attributes. Cheap: no I/O for an inode in memory.
    fn getattr(&self, node: &Self::Node) -> Result<Attr>;

    /// Entries behind `cookie` (0 at the start), until `out` is full or the directory ends.
    /// Without `.` and `..`. Holds: directory shared.
    fn readdir(&self, req: &Request, dir: &Self::Node, cookie: u64, out: &mut DirBuf<'_>)
    -> Result;

    /// The last link of an inode is gone and nobody uses it: frees it. May start transactions.
    ///
    /// `EAGAIN` means that part of the work is done and the host must call again (so that one
    /// call stays short). For an inode that still has links the host only drops the node.
    fn forget(&self, req: &Request, node: &Self::Node) -> Result {
        Ok(())
    }

    /// Sets attributes in one transaction; what flags forbid has been checked. With `SIZE` blocks behind the new size are freed and a
    /// partial last block is left as it is (the host has zeroed it); `EAGAIN` as in
    /// [`FileSystem::forget`]. Holds: inode exclusive; no page of the cut range is in the cache.
    fn setattr(&self, req: &Request, node: &Self::Node, set: &SetAttr) -> Result {
        Err(Errno::ENOSYS)
    }

    /// A new regular file. Holds: directory exclusive; the name does not exist. The same holds for
    /// `mknod`, `mkdir`, `symlink`.
    ///
    /// # Errors
    /// `EEXIST`, `ENOSPC` (nothing is changed), `EMLINK`.
    fn create(
        &self,
        req: &Request,
        parent: &Self::Node,
        name: &[u8],
        new: &NewInode<'_>,
    ) -> Result<Entry<Self::Node>> {
        Err(Errno::ENOSYS)
    }

    /// A new special file; `new.mode` holds its kind, `rdev` the device number.
    fn mknod(
        &self,
        req: &Request,
        parent: &Self::Node,
        name: &[u8],
        new: &NewInode<'_>,
        rdev: u32,
    ) -> Result<Entry<Self::Node>> {
        Err(Errno::ENOSYS)
    }

    /// A new directory.
    fn mkdir(
        &self,
        req: &Request,
        parent: &Self::Node,
        name: &[u8],
        new: &NewInode<'_>,
    ) -> Result<Entry<Self::Node>> {
        Err(Errno::ENOSYS)
    }

    /// A new symbolic link to `target` (1 to 4095 bytes); `new.mode` is `0o120_777`.
    fn symlink(
        &self,
        req: &Request,
        parent: &Self::Node,
        name: &[u8],
        target: &[u8],
        new: &NewInode<'_>,
    ) -> Result<Entry<Self::Node>> {
        Err(Errno::ENOSYS)
    }

    /// The target of a symbolic link, into `out` (4096 bytes); returns its length.
    fn readlink(&self, node: &Self::Node, out: &mut [u8]) -> Result<usize> {
        Err(Errno::ENOSYS)
    }

    /// A new regular file without a name (`O_TMPFILE`): an orphan, link count 0, until `link`
    /// gives it a name or `forget` frees it. `parent` is where it would lie. Holds: directory
    /// shared.
    ///
    /// # Errors
    /// `ENOSPC` (nothing is changed).
    fn tmpfile(
        &self,
        req: &Request,
        parent: &Self::Node,
        new: &NewInode<'_>,
    ) -> Result<Entry<Self::Node>> {
        Err(Errno::ENOSYS)
    }

    /// A new name for `node`, which is no directory. A node of `tmpfile` stops being an orphan.
    /// Holds: directory and inode exclusive.
    ///
    /// # Errors
    /// `EEXIST`, `EMLINK`, `ENOSPC` (nothing is changed); `ENOENT` for an inode without a name
    /// that never came from `tmpfile`, where the file system can tell.
    fn link(
        &self,
        req: &Request,
        node: &Self::Node,
        new_parent: &Self::Node,
        new_name: &[u8],
    ) -> Result {
        Err(Errno::ENOSYS)
    }

    /// Removes a name of `child`, which is no directory. At the last name the inode becomes an
    /// orphan until `forget`. Holds: directory and inode exclusive.
    fn unlink(
        &self,
        req: &Request,
        parent: &Self::Node,
        name: &[u8],
        child: &Self::Node,
    ) -> Result {
        Err(Errno::ENOSYS)
    }

    /// Removes the empty directory `child`. Holds: both exclusive.
    ///
    /// # Errors
    /// `ENOTEMPTY`.
    fn rmdir(&self, req: &Request, parent: &Self::Node, name: &[u8], child: &Self::Node) -> Result {
        Err(Errno::ENOSYS)
    }

    /// Moves `from.1` in directory `from.0` to `to.1` in directory `to.0`, atomically.
    ///
    /// `node` is what the old name names; `replaced` is what the new name names, where it exists
    /// (exchanged with `EXCHANGE`, else removed as by `unlink` or `rmdir`). The two directories
    /// may be the same node. Loops have been ruled out. Holds: all four exclusive.
    ///
    /// # Errors
    /// `EINVAL`: a flag that the file system does not implement (nothing is changed). `EEXIST`,
    /// `ENOENT`, `ENOTEMPTY`, `EMLINK`, `ENOSPC` (nothing is changed).
    fn rename(
        &self,
        req: &Request,
        from: (&Self::Node, &[u8]),
        to: (&Self::Node, &[u8]),
        node: &Self::Node,
        replaced: Option<&Self::Node>,
        flags: RenameFlags,
    ) -> Result {
        Err(Errno::ENOSYS)
    }

    /// What lies at byte `offset` of a file: one extent that contains it, as long as possible; it
    /// may exceed `len`. Never allocates. Holds possibly page locks: device reads are allowed,
    /// transactions are not.
    fn map(&self, node: &Self::Node, offset: u64, len: u64) -> Result<Extent> {
        Err(Errno::ENOSYS)
    }

    /// Like `map`, but a hole at `offset` is filled with unwritten space first: at most `len`
    /// bytes, at least one block. May start a transaction. The size does not change.
    ///
    /// # Errors
    /// `ENOSPC` (nothing is changed), `EFBIG`.
    fn allocate(&self, req: &Request, node: &Self::Node, offset: u64, len: u64) -> Result<Extent> {
        Err(Errno::ENOSYS)
    }

    /// Data of `[offset, offset+len)` has reached the device: unwritten space in it becomes
    /// mapped, and the size on disk becomes at least `size` (already cut to the size in use).
    /// May start a transaction. Parts that are holes are skipped.
    fn commit(&self, req: &Request, node: &Self::Node, offset: u64, len: u64, size: u64) -> Result {
        Err(Errno::ENOSYS)
    }

    /// Reads file data; short only at the end of the file. Only without `MAP`.
    fn read(&self, req: &Request, node: &Self::Node, offset: u64, out: &mut [u8]) -> Result<usize> {
        Err(Errno::ENOSYS)
    }

    /// Writes file data and extends the file where needed. Only without `MAP`.
    fn write(&self, req: &Request, node: &Self::Node, offset: u64, data: &[u8]) -> Result<usize> {
        Err(Errno::ENOSYS)
    }

    /// Makes the inode durable: every change of it that completed before the call, the names by
    /// which it was created or renamed included, and all data that the host has written to the
    /// device. A change that is durable already costs no log write.
    fn fsync(&self, req: &Request, node: &Self::Node, datasync: bool) -> Result {
        Ok(())
    }

    /// How urgently this file system wants a [`FileSystem::sync`]. The host asks after each
    /// operation that may have changed something; must not wait for anything.
    fn pressure(&self) -> Pressure {
        Pressure::None
    }

    /// Makes everything durable that completed before the call (`sync(2)`, the periodic commit,
    /// the last step before unmount).
    fn sync(&self, req: &Request) -> Result {
        Ok(())
    }

    /// The value of the extended attribute `name`, into `out`; returns its length. An empty `out`
    /// asks for the length alone. Takes no lock of the host: may run in parallel to `setxattr`,
    /// and must then see the old value or the new one. No transaction may be started.
    ///
    /// # Errors
    /// `ENODATA`: no such attribute. `ERANGE`: `out` is too small.
    fn getxattr(&self, node: &Self::Node, name: &[u8], out: &mut [u8]) -> Result<usize> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Sets an extended attribute, in one transaction, and the time of the last change of the
    /// inode to `req.now`. Holds: inode exclusive.
    ///
    /// # Errors
    /// `EEXIST` with `CREATE`, `ENODATA` with `REPLACE`; `ENOSPC`, `E2BIG` (more than an inode can
    /// hold): nothing is changed.
    fn setxattr(
        &self,
        req: &Request,
        node: &Self::Node,
        attr: &Xattr<'_>,
        flags: XattrFlags,
    ) -> Result {
        Err(Errno::EOPNOTSUPP)
    }

    /// Removes an extended attribute, in one transaction; the time changes as with `setxattr`.
    /// Holds: inode exclusive.
    ///
    /// # Errors
    /// `ENODATA`: no such attribute.
    fn removexattr(&self, req: &Request, node: &Self::Node, name: &[u8]) -> Result {
        Err(Errno::EOPNOTSUPP)
    }

    /// The full names of all extended attributes, each followed by a NUL, into `out`; returns
    /// their length. Otherwise as [`FileSystem::getxattr`].
    ///
    /// # Errors
    /// `ERANGE`: `out` is too small. `E2BIG`: more than [`Xattr::LIST_MAX`] bytes.
    fn listxattr(&self, node: &Self::Node, out: &mut [u8]) -> Result<usize> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Changes the space under a range of a regular file; the times change by `setattr`.
    ///
    /// `Collapse` and `Insert` are one transaction each, durable when the call returns: data that is
    /// written next to where a block lies now must not be found, after a crash, where the block
    /// lay before. The others may stop after a part that is
    /// consistent in itself: `EAGAIN` as in [`FileSystem::forget`]; the host repeats the whole
    /// request. The size moves in the transaction that completes the request, or before.
    ///
    /// Holds: inode exclusive; but for `Allocate`, which changes nothing that can be read, no page
    /// of the range (`Collapse` and `Insert`: from its start to the end of the file) is in the
    /// cache, no I/O on it is in flight, and partial blocks at its ends have been zeroed.
    ///
    /// # Errors
    /// `ENOSPC` (what was done before stays, and is consistent); `EFBIG`: a `Collapse` or `Insert`
    /// that does not fit into one transaction, or that would move data behind `MAX_FILE_SIZE`
    /// (nothing is changed).
    fn fallocate(&self, req: &Request, node: &Self::Node, range: &Fallocate) -> Result {
        Err(Errno::EOPNOTSUPP)
    }

    /// Discards free space of the device in one bounded step. Blocks whose free is not durable
    /// yet are left alone, and none that is being discarded may be allocated meanwhile. Holds
    /// nothing; runs in parallel to everything.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: the device cannot.
    fn trim(&self, req: &Request, range: &TrimRange) -> Result<Trimmed> {
        Err(Errno::EOPNOTSUPP)
    }

    /// The directory that holds the directory `dir`, which is not the root. Holds nothing.
    ///
    /// # Errors
    /// `ESTALE`: `dir` has been removed.
    fn parent(&self, dir: &Self::Node) -> Result<InodeNo> {
        Err(Errno::EOPNOTSUPP)
    }

    /// The first inode from `from` on that has no name and is kept for its users. After a mount
    /// with [`MountOptions::repair`], before anything else happens: those that have no user any
    /// more are then loaded and forgotten.
    ///
    /// # Errors
    /// `ENOENT`: there is none.
    fn next_orphan(&self, from: InodeNo) -> Result<InodeNo> {
        Err(Errno::ENOENT)
    }

    /// A regular file was used. Must be quick, for it comes with each `open`; what it answers
    /// changes nothing for the user. Holds nothing.
    fn event(&self, req: &Request, node: &Self::Node, event: FileEvent) -> Result {
        Ok(())
    }

    /// The log may begin: makes its folder and its files where they are missing, and names them.
    /// Once per instance, while operations go on: after a mount, an upgrade, a repair; again
    /// where [`FileSystem::drain_log`] answers `ENOENT`. Never on a read-only mount.
    /// Holds: the root exclusive, so that the folder can be made in it.
    ///
    /// # Errors
    /// `ENOSPC`, `ENOTDIR` (something else has the name): nothing is recorded.
    fn start_log(&self, req: &Request, root: &Self::Node) -> Result<LogStart> {
        Err(Errno::ENOSYS)
    }

    /// Takes records that wait in memory into `out` (at most [`LogBatch::MAX`] bytes), whole ones
    /// alone. `last` tells whether the bytes of the call before were stored. One call at a time;
    /// also comes right before [`Upgrade::export`](crate::Upgrade::export), with nothing else
    /// running. No I/O.
    ///
    /// # Errors
    /// `ENOENT`: [`FileSystem::start_log`] has to come first.
    fn drain_log(&self, req: &Request, last: Result, out: &mut [u8]) -> Result<LogBatch> {
        Err(Errno::ENOSYS)
    }

    /// So many records wait that the host should come for them at once. Cheap: asked after each
    /// operation.
    fn wants_drain(&self) -> bool {
        false
    }
}
