// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`FileSystem`] for [`Prov`]: each operation is done by the file system below, then recorded.
//! What would change the log is refused.

use crate::files::LogFiles;
use crate::pending::{Pending, URGENT};
use crate::record::{Kind, Record};
use crate::{Inner, Node, Prov};
use bento::prelude::*;
use bento::sync::Mutex;
use core::sync::atomic::{AtomicBool, Ordering};

/// A file of the log is left for the next one when it has this share of the device, but never
/// with less or more bytes than these.
const SHARE: u64 = 128;
const SMALLEST: u64 = 256 << 10;
const LARGEST: u64 = 16 << 20;

/// Attributes that change by use.
const TIMES: SetAttrMask = SetAttrMask::ATIME
    .union(SetAttrMask::MTIME)
    .union(SetAttrMask::CTIME);

impl<F: FileSystem> Prov<F> {
    /// Around a mounted file system that nobody uses yet.
    pub(crate) fn around(fs: F, read_only: bool, pending: Pending) -> Result<Self> {
        let files = LogFiles::new();
        files.find(&fs)?;
        Ok(Self {
            fs,
            recording: !read_only,
            files,
            pending: Mutex::new(pending),
            urgent: AtomicBool::new(false),
        })
    }

    /// The file system below.
    pub(crate) const fn below(&self) -> &F {
        &self.fs
    }

    pub(crate) const fn pending(&self) -> &Mutex<Pending> {
        &self.pending
    }

    /// Adds a record. Whatever happens here is no matter of the operation that is recorded.
    fn note(&self, record: &Record<'_>) {
        if !self.recording {
            return;
        }
        let Ok(mut pending) = self.pending.lock() else {
            return;
        };
        let before = pending.waiting();
        pending.add(record);
        if before < URGENT && pending.waiting() >= URGENT {
            self.urgent.store(true, Ordering::Relaxed);
        }
    }

    /// A new inode for the host, recorded.
    fn made(
        &self,
        req: &Request,
        entry: Entry<F::Node>,
        parent: &Node<F::Node>,
        (name, mode): (&[u8], u32),
    ) -> Entry<Node<F::Node>> {
        let ino = entry.attr.ino;
        let kind = match entry.attr.kind() {
            Some(FileKind::Directory) => Kind::Mkdir,
            _ => Kind::Create,
        };
        self.note(&Record {
            parent: parent.ino.0,
            name,
            flags: mode,
            ..record(req, kind, ino)
        });
        let inner = Inner::Own(entry.node);
        Entry {
            attr: entry.attr,
            node: Node { ino, inner },
        }
    }

    /// How large a file of the log becomes.
    fn limit(&self) -> Result<u64> {
        let stat = self.fs.statfs()?;
        let device = stat.blocks.saturating_mul(stat.block_size.into());
        Ok((device / SHARE).clamp(SMALLEST, LARGEST))
    }

    /// May these attributes of an inode of the log be set? Its times follow its use, and the host
    /// empties it.
    fn check_log_attributes(&self, ino: InodeNo, set: &SetAttr) -> Result {
        if !self.files.has(ino) || TIMES.contains(set.mask) {
            return Ok(());
        }
        let size = set.mask.difference(TIMES) == SetAttrMask::SIZE;
        if size && set.size == 0 && self.files.may_empty(ino) {
            return Ok(());
        }
        Err(Errno::EPERM)
    }
}

/// A record of what this request does to an inode.
fn record<'a>(req: &Request, kind: Kind, ino: InodeNo) -> Record<'a> {
    Record {
        time: req.now,
        pid: req.pid,
        uid: req.uid,
        comm: req.comm,
        ino: ino.0,
        ..Record::new(kind)
    }
}

impl<F: FileSystem> FileSystem for Prov<F> {
    type Device = F::Device;
    type Node = Node<F::Node>;

    const NAME: &'static str = F::NAME;
    const VERSION: &'static str = F::VERSION;
    const OPS: OpSet = F::OPS.union(OpSet::EVENTS).union(OpSet::LOG);
    const ROOT: InodeNo = F::ROOT;
    const MAX_FILE_SIZE: u64 = F::MAX_FILE_SIZE;

    fn mount(dev: F::Device, options: &MountOptions<'_>) -> Result<Self> {
        let fs = F::mount(dev, options)?;
        Self::around(fs, options.read_only, Pending::default())
    }

    fn unmount(&self) -> Result {
        self.fs.unmount()
    }

    fn statfs(&self) -> Result<StatFs> {
        self.fs.statfs()
    }

    fn load(&self, ino: InodeNo) -> Result<Entry<Self::Node>> {
        self.files.load(&self.fs, ino)
    }

    fn lookup(&self, req: &Request, parent: &Self::Node, name: &[u8]) -> Result<InodeNo> {
        self.fs.lookup(req, parent.get(), name)
    }

    fn getattr(&self, node: &Self::Node) -> Result<Attr> {
        let mut attr = self.fs.getattr(node.get())?;
        self.files.mark(&mut attr);
        Ok(attr)
    }

    fn readdir(
        &self,
        req: &Request,
        dir: &Self::Node,
        cookie: u64,
        out: &mut DirBuf<'_>,
    ) -> Result {
        self.fs.readdir(req, dir.get(), cookie, out)
    }

    fn forget(&self, req: &Request, node: &Self::Node) -> Result {
        self.fs.forget(req, node.get())
    }

    fn setattr(&self, req: &Request, node: &Self::Node, set: &SetAttr) -> Result {
        self.check_log_attributes(node.ino, set)?;
        self.fs.setattr(req, node.get(), set)?;
        if set.mask.contains(SetAttrMask::SIZE) && !self.files.has(node.ino) {
            self.note(&Record {
                extra: set.size,
                ..record(req, Kind::Truncate, node.ino)
            });
        }
        Ok(())
    }

    fn create(
        &self,
        req: &Request,
        parent: &Self::Node,
        name: &[u8],
        new: &NewInode<'_>,
    ) -> Result<Entry<Self::Node>> {
        self.files.refuse(parent.ino)?;
        let entry = self.fs.create(req, parent.get(), name, new)?;
        Ok(self.made(req, entry, parent, (name, new.mode)))
    }

    fn mknod(
        &self,
        req: &Request,
        parent: &Self::Node,
        name: &[u8],
        new: &NewInode<'_>,
        rdev: u32,
    ) -> Result<Entry<Self::Node>> {
        self.files.refuse(parent.ino)?;
        let entry = self.fs.mknod(req, parent.get(), name, new, rdev)?;
        Ok(self.made(req, entry, parent, (name, new.mode)))
    }

    fn mkdir(
        &self,
        req: &Request,
        parent: &Self::Node,
        name: &[u8],
        new: &NewInode<'_>,
    ) -> Result<Entry<Self::Node>> {
        self.files.refuse(parent.ino)?;
        let entry = self.fs.mkdir(req, parent.get(), name, new)?;
        Ok(self.made(req, entry, parent, (name, new.mode)))
    }

    fn symlink(
        &self,
        req: &Request,
        parent: &Self::Node,
        name: &[u8],
        target: &[u8],
        new: &NewInode<'_>,
    ) -> Result<Entry<Self::Node>> {
        self.files.refuse(parent.ino)?;
        let entry = self.fs.symlink(req, parent.get(), name, target, new)?;
        Ok(self.made(req, entry, parent, (name, new.mode)))
    }

    fn readlink(&self, node: &Self::Node, out: &mut [u8]) -> Result<usize> {
        self.fs.readlink(node.get(), out)
    }

    fn tmpfile(
        &self,
        req: &Request,
        parent: &Self::Node,
        new: &NewInode<'_>,
    ) -> Result<Entry<Self::Node>> {
        self.files.refuse(parent.ino)?;
        let entry = self.fs.tmpfile(req, parent.get(), new)?;
        Ok(self.made(req, entry, parent, (&[], new.mode)))
    }

    fn link(
        &self,
        req: &Request,
        node: &Self::Node,
        new_parent: &Self::Node,
        new_name: &[u8],
    ) -> Result {
        self.files.refuse(node.ino)?;
        self.files.refuse(new_parent.ino)?;
        (self.fs).link(req, node.get(), new_parent.get(), new_name)?;
        self.note(&Record {
            parent: new_parent.ino.0,
            name: new_name,
            ..record(req, Kind::Link, node.ino)
        });
        Ok(())
    }

    fn unlink(
        &self,
        req: &Request,
        parent: &Self::Node,
        name: &[u8],
        child: &Self::Node,
    ) -> Result {
        self.files.refuse(child.ino)?;
        self.fs.unlink(req, parent.get(), name, child.get())?;
        self.note(&Record {
            parent: parent.ino.0,
            name,
            ..record(req, Kind::Unlink, child.ino)
        });
        Ok(())
    }

    fn rmdir(&self, req: &Request, parent: &Self::Node, name: &[u8], child: &Self::Node) -> Result {
        self.files.refuse(child.ino)?;
        self.fs.rmdir(req, parent.get(), name, child.get())?;
        self.note(&Record {
            parent: parent.ino.0,
            name,
            flags: 1,
            ..record(req, Kind::Unlink, child.ino)
        });
        Ok(())
    }

    fn rename(
        &self,
        req: &Request,
        from: (&Self::Node, &[u8]),
        to: (&Self::Node, &[u8]),
        node: &Self::Node,
        replaced: Option<&Self::Node>,
        flags: RenameFlags,
    ) -> Result {
        let all = [Some(from.0), Some(to.0), Some(node), replaced];
        for node in all.into_iter().flatten() {
            self.files.refuse(node.ino)?;
        }
        self.fs.rename(
            req,
            (from.0.get(), from.1),
            (to.0.get(), to.1),
            node.get(),
            replaced.map(Node::get),
            flags,
        )?;
        self.note(&Record {
            parent: from.0.ino.0,
            name: from.1,
            other: to.0.ino.0,
            name2: to.1,
            extra: replaced.map_or(0, |node| node.ino.0),
            flags: flags.bits(),
            ..record(req, Kind::Rename, node.ino)
        });
        Ok(())
    }

    fn map(&self, node: &Self::Node, offset: u64, len: u64) -> Result<Extent> {
        self.fs.map(node.get(), offset, len)
    }

    fn allocate(&self, req: &Request, node: &Self::Node, offset: u64, len: u64) -> Result<Extent> {
        self.fs.allocate(req, node.get(), offset, len)
    }

    fn commit(&self, req: &Request, node: &Self::Node, offset: u64, len: u64, size: u64) -> Result {
        self.fs.commit(req, node.get(), offset, len, size)
    }

    fn read(&self, req: &Request, node: &Self::Node, offset: u64, out: &mut [u8]) -> Result<usize> {
        self.fs.read(req, node.get(), offset, out)
    }

    fn write(&self, req: &Request, node: &Self::Node, offset: u64, data: &[u8]) -> Result<usize> {
        self.files.refuse(node.ino)?;
        self.fs.write(req, node.get(), offset, data)
    }

    fn fsync(&self, req: &Request, node: &Self::Node, datasync: bool) -> Result {
        self.fs.fsync(req, node.get(), datasync)
    }

    fn pressure(&self) -> Pressure {
        self.fs.pressure()
    }

    fn sync(&self, req: &Request) -> Result {
        self.fs.sync(req)
    }

    fn getxattr(&self, node: &Self::Node, name: &[u8], out: &mut [u8]) -> Result<usize> {
        self.fs.getxattr(node.get(), name, out)
    }

    fn setxattr(
        &self,
        req: &Request,
        node: &Self::Node,
        attr: &Xattr<'_>,
        flags: XattrFlags,
    ) -> Result {
        self.files.refuse(node.ino)?;
        self.fs.setxattr(req, node.get(), attr, flags)
    }

    fn removexattr(&self, req: &Request, node: &Self::Node, name: &[u8]) -> Result {
        self.files.refuse(node.ino)?;
        self.fs.removexattr(req, node.get(), name)
    }

    fn listxattr(&self, node: &Self::Node, out: &mut [u8]) -> Result<usize> {
        self.fs.listxattr(node.get(), out)
    }

    fn fallocate(&self, req: &Request, node: &Self::Node, range: &Fallocate) -> Result {
        self.files.refuse(node.ino)?;
        self.fs.fallocate(req, node.get(), range)
    }

    fn trim(&self, req: &Request, range: &TrimRange) -> Result<Trimmed> {
        self.fs.trim(req, range)
    }

    fn parent(&self, dir: &Self::Node) -> Result<InodeNo> {
        self.fs.parent(dir.get())
    }

    fn next_orphan(&self, from: InodeNo) -> Result<InodeNo> {
        self.fs.next_orphan(from)
    }

    fn event(&self, req: &Request, node: &Self::Node, event: FileEvent) -> Result {
        // Whoever follows the log must not be what it tells of.
        if self.files.has(node.ino) {
            return Ok(());
        }
        let kind = match event {
            FileEvent::Open => Kind::Open,
            FileEvent::Release => Kind::Close,
            FileEvent::FirstRead => Kind::Read,
            FileEvent::FirstWrite => Kind::Write,
        };
        self.note(&record(req, kind, node.ino));
        Ok(())
    }

    fn start_log(&self, req: &Request, root: &Self::Node) -> Result<LogStart> {
        let started = self.files.make(&self.fs, req, root.get())?;
        let limit = self.limit()?;
        let mut pending = self.pending.lock()?;
        if pending.target.is_none() {
            pending.target = Some(self.files.choose(&self.fs, limit)?);
        }
        drop(pending);
        self.note(&Record {
            name: F::VERSION.as_bytes(),
            ..record(req, Kind::Start, F::ROOT)
        });
        Ok(started)
    }

    fn drain_log(&self, req: &Request, last: Result, out: &mut [u8]) -> Result<LogBatch> {
        let limit = self.limit()?;
        let mut pending = self.pending.lock()?;
        pending.settle(last);
        self.files.allow_emptying(None);
        if pending.target.is_none() {
            return Err(Errno::ENOENT);
        }
        let len = pending.take(req.now, out);
        if len == 0 {
            return Ok(LogBatch::EMPTY);
        }
        let target = pending.place(len, limit).ok_or(Errno::ENOENT)?;
        let ino = self.files.ino(target.index)?;
        self.files.allow_emptying(target.restart.then_some(ino));
        Ok(LogBatch {
            ino,
            len,
            restart: target.restart,
            more: pending.waiting() > 0,
        })
    }

    fn wants_drain(&self) -> bool {
        self.urgent.load(Ordering::Relaxed) && self.urgent.swap(false, Ordering::Relaxed)
    }
}
