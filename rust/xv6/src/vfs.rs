// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`FileSystem`] for [`Xv6`], and nothing else: each method calls the one that does the work.

use crate::dir;
use crate::inode::{self, Ino, Node};
use crate::namei::{New, alive_directory};
use crate::orphan;
use crate::symlink;
use crate::trim::Discards;
use crate::volume::Volume;
use crate::xattr::Expect;
use crate::{NAME, Xv6};
use bento::{Attr, BlockDevice, DirBuf, Entry, Errno, Extent, Fallocate, FileKind, FileSystem};
use bento::{
    InodeNo, MountOptions, NewInode, OpSet, Pressure, RenameFlags, Request, Result, SetAttr, StatFs,
};
use bento::{TrimRange, Trimmed, Xattr, XattrFlags};

/// What a host needs to know of a node.
fn entry(node: Node) -> Result<Entry<Node>> {
    let attr = node.inode()?.attr();
    Ok(Entry { attr, node })
}

/// This file system has no options of its own.
pub(crate) fn check_options(options: &MountOptions<'_>) -> Result {
    let unknown = options.text.split(',').find(|option| !option.is_empty());
    match unknown {
        None => Ok(()),
        Some(option) => {
            log::error!("unknown mount option \"{option}\" ({NAME} has none of its own)");
            Err(Errno::EINVAL)
        }
    }
}

impl<D: BlockDevice> FileSystem for Xv6<D> {
    type Device = D;
    type Node = Node;

    const NAME: &'static str = NAME;
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const OPS: OpSet = OpSet::CREATE
        .union(OpSet::MKDIR)
        .union(OpSet::SYMLINK)
        .union(OpSet::LINK)
        .union(OpSet::UNLINK)
        .union(OpSet::RENAME)
        .union(OpSet::SETATTR)
        .union(OpSet::MAP)
        .union(OpSet::ALLOCATE)
        .union(OpSet::SYNC)
        .union(OpSet::XATTR)
        .union(OpSet::FALLOCATE)
        .union(OpSet::TMPFILE)
        .union(OpSet::FLAGS)
        .union(OpSet::EXPORT)
        .union(OpSet::TRIM)
        .union(OpSet::ORPHANS);
    const MAX_FILE_SIZE: u64 = inode::MAX_FILE_SIZE;

    fn mount(dev: D, options: &MountOptions<'_>) -> Result<Self> {
        check_options(options)?;
        let mut volume = Volume::open(dev, options)?;
        volume.discards = Discards::new(options.discard && !volume.read_only);
        if !volume.read_only {
            orphan::recover(&volume, options.repair)?;
        }
        volume.check_root()?;
        Ok(Self { volume })
    }

    fn unmount(&self) -> Result {
        if self.volume.read_only {
            return Ok(());
        }
        self.volume.journal.close()
    }

    fn statfs(&self) -> Result<StatFs> {
        self.volume.statfs()
    }

    fn load(&self, ino: InodeNo) -> Result<Entry<Node>> {
        let inode = self.volume.load(ino)?;
        // Asked after the inode was read: what it shows is no newer.
        entry(Node::new(inode, self.volume.journal.newest()))
    }

    fn lookup(&self, _: &Request, parent: &Node, name: &[u8]) -> Result<InodeNo> {
        let state = parent.read()?;
        alive_directory(&state.inode)?;
        let found = dir::find(&*self.volume, &state.inode, name)?;
        found.map(|found| found.ino.number()).ok_or(Errno::ENOENT)
    }

    fn getattr(&self, node: &Node) -> Result<Attr> {
        Ok(node.read()?.inode.attr())
    }

    fn readdir(&self, _: &Request, dir: &Node, cookie: u64, out: &mut DirBuf<'_>) -> Result {
        let state = dir.read()?;
        if state.inode.kind != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        dir::read(&*self.volume, &state.inode, cookie, out)
    }

    fn forget(&self, _: &Request, node: &Node) -> Result {
        if self.volume.read_only {
            return Ok(());
        }
        self.volume.forget(node)
    }

    fn setattr(&self, _: &Request, node: &Node, set: &SetAttr) -> Result {
        self.volume.setattr(node, set)
    }

    fn create(
        &self,
        req: &Request,
        parent: &Node,
        name: &[u8],
        new: &NewInode<'_>,
    ) -> Result<Entry<Node>> {
        let kind = New::Node {
            kind: FileKind::Regular,
            rdev: 0,
        };
        entry(self.make(req, parent, name, new, kind)?)
    }

    fn mknod(
        &self,
        req: &Request,
        parent: &Node,
        name: &[u8],
        new: &NewInode<'_>,
        rdev: u32,
    ) -> Result<Entry<Node>> {
        let kind = match FileKind::from_mode(new.mode).ok_or(Errno::EINVAL)? {
            FileKind::Directory | FileKind::Symlink => return Err(Errno::EINVAL),
            kind @ (FileKind::CharDevice | FileKind::BlockDevice) => New::Node { kind, rdev },
            kind => New::Node { kind, rdev: 0 },
        };
        entry(self.make(req, parent, name, new, kind)?)
    }

    fn mkdir(
        &self,
        req: &Request,
        parent: &Node,
        name: &[u8],
        new: &NewInode<'_>,
    ) -> Result<Entry<Node>> {
        entry(self.make(req, parent, name, new, New::Directory)?)
    }

    fn symlink(
        &self,
        req: &Request,
        parent: &Node,
        name: &[u8],
        target: &[u8],
        new: &NewInode<'_>,
    ) -> Result<Entry<Node>> {
        entry(self.make(req, parent, name, new, New::Symlink { target })?)
    }

    fn readlink(&self, node: &Node, out: &mut [u8]) -> Result<usize> {
        symlink::read(&*self.volume, &node.read()?.inode, out)
    }

    fn tmpfile(&self, req: &Request, parent: &Node, new: &NewInode<'_>) -> Result<Entry<Node>> {
        let made = self
            .volume
            .with_space(|| self.volume.make_unnamed(req, parent, new));
        entry(made?)
    }

    fn link(&self, req: &Request, node: &Node, new_parent: &Node, new_name: &[u8]) -> Result {
        self.volume
            .with_space(|| self.volume.link(req, node, new_parent, new_name))
    }

    fn unlink(&self, req: &Request, parent: &Node, name: &[u8], child: &Node) -> Result {
        self.volume.remove(req, parent, name, child, false)
    }

    fn rmdir(&self, req: &Request, parent: &Node, name: &[u8], child: &Node) -> Result {
        self.volume.remove(req, parent, name, child, true)
    }

    fn rename(
        &self,
        req: &Request,
        from: (&Node, &[u8]),
        to: (&Node, &[u8]),
        node: &Node,
        replaced: Option<&Node>,
        flags: RenameFlags,
    ) -> Result {
        self.volume
            .with_space(|| self.volume.rename(req, from, to, node, replaced, flags))
    }

    fn map(&self, node: &Node, offset: u64, _: u64) -> Result<Extent> {
        self.volume.map(node, offset)
    }

    fn allocate(&self, _: &Request, node: &Node, offset: u64, len: u64) -> Result<Extent> {
        self.volume
            .with_space(|| self.volume.allocate(node, offset, len))
    }

    fn commit(&self, _: &Request, node: &Node, offset: u64, len: u64, size: u64) -> Result {
        self.volume
            .with_space(|| self.volume.commit(node, offset, len, size))
    }

    fn fallocate(&self, _: &Request, node: &Node, range: &Fallocate) -> Result {
        self.volume
            .with_space(|| self.volume.fallocate(node, range))
    }

    fn getxattr(&self, node: &Node, name: &[u8], out: &mut [u8]) -> Result<usize> {
        self.volume.getxattr(node, name, out)
    }

    fn setxattr(&self, req: &Request, node: &Node, attr: &Xattr<'_>, flags: XattrFlags) -> Result {
        let create = flags.contains(XattrFlags::CREATE);
        let expect = match (create, flags.contains(XattrFlags::REPLACE)) {
            (false, false) => Expect::Any,
            (true, false) => Expect::Absent,
            (false, true) => Expect::Present,
            (true, true) => return Err(Errno::EINVAL),
        };
        self.volume
            .with_space(|| self.volume.setxattr(req, node, attr, expect))
    }

    fn removexattr(&self, req: &Request, node: &Node, name: &[u8]) -> Result {
        self.volume.removexattr(req, node, name)
    }

    fn listxattr(&self, node: &Node, out: &mut [u8]) -> Result<usize> {
        self.volume.listxattr(node, out)
    }

    fn trim(&self, _: &Request, range: &TrimRange) -> Result<Trimmed> {
        self.volume.trim(range)
    }

    fn parent(&self, dir: &Node) -> Result<InodeNo> {
        self.volume.parent(dir)
    }

    fn next_orphan(&self, from: InodeNo) -> Result<InodeNo> {
        orphan::next_unlinked(&self.volume, from)
    }

    fn fsync(&self, _: &Request, node: &Node, _datasync: bool) -> Result {
        self.volume.fsync(node)
    }

    fn pressure(&self) -> Pressure {
        self.volume.journal.pressure()
    }

    fn sync(&self, _: &Request) -> Result {
        if self.volume.read_only {
            return Ok(());
        }
        orphan::finish_left(&self.volume)?;
        self.volume.journal.sync()?;
        self.volume.discard_freed()
    }
}

impl<D: BlockDevice> Xv6<D> {
    fn make(
        &self,
        req: &Request,
        parent: &Node,
        name: &[u8],
        new: &NewInode<'_>,
        kind: New<'_>,
    ) -> Result<Node> {
        self.volume
            .with_space(|| self.volume.make(req, parent, name, new, kind))
    }
}

/// The root is where hosts expect it.
const _: () = assert!(Ino::ROOT.0 == 1);
