// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Names: creating, linking, removing.
//!
//! Every operation works on copies of the inodes inside one transaction, so a failure at any
//! point, of the device or for want of space, leaves everything as it was.

use crate::corrupt::CorruptKind;
use crate::dir;
use crate::file::valid_now;
use crate::inode::{self, Area, Ino, Inode, LINK_MAX, Node, attributes_of};
use crate::layout;
use crate::symlink;
use crate::txn::{Change, Slot, Txn};
use crate::volume::{ReadBlock, Volume};
use crate::xattr::{self, XATTR_CREDITS};
use alloc::boxed::Box;
use bento::{BlockDevice, Errno, FileKind, InodeNo, NewInode, Request, Result};

/// Two bitmaps, the new inode, the directory's inode, the block of a long link with its bitmap.
/// (What the entry needs comes from the directory.)
const CREATE_CREDITS: usize = 6;
/// An inode without a name: two bitmaps, the orphan map, the new inode.
const UNNAMED_CREDITS: usize = 4;
/// Two inodes, the orphan map.
const LINK_CREDITS: usize = 3;
/// Two inodes, the orphan map.
const UNLINK_CREDITS: usize = 3;

/// The attributes that a new inode takes over from its directory, as with ext4: never those that
/// would keep its maker from filling it.
const INHERITED: u32 =
    layout::ATTRIBUTES & !(layout::ATTRIBUTE_IMMUTABLE | layout::ATTRIBUTE_APPEND);

/// What `create` and its relatives are to make.
#[derive(Clone, Copy, Debug)]
pub(crate) enum New<'a> {
    Directory,
    /// Any other kind but a symbolic link; the device number is 0 where it is no device.
    Node {
        kind: FileKind,
        rdev: u32,
    },
    Symlink {
        target: &'a [u8],
    },
}

impl New<'_> {
    fn kind(&self) -> FileKind {
        match self {
            Self::Directory => FileKind::Directory,
            Self::Node { kind, .. } => *kind,
            Self::Symlink { .. } => FileKind::Symlink,
        }
    }
}

/// The names of a directory can be changed: it is one, and it has not been removed.
pub(crate) fn alive_directory(inode: &Inode) -> Result {
    match inode.kind {
        FileKind::Directory if inode.nlink > 0 => Ok(()),
        FileKind::Directory => Err(Errno::ENOENT),
        _ => Err(Errno::ENOTDIR),
    }
}

/// Takes an inode for use below `dir`; it has no contents yet. Boxed, since a kernel stack is
/// small.
#[inline(never)]
pub(crate) fn take<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &Inode,
    req: &Request,
    kind: FileKind,
    new: &NewInode<'_>,
) -> Result<Box<Inode>> {
    let near = match kind {
        FileKind::Directory => txn.place_directory(dir.ino)?,
        _ => dir.ino,
    };
    let (ino, generation) = txn.take_inode(near, req.now)?;
    let mut inode = Box::new(Inode {
        ino,
        kind,
        permissions: new.mode & 0o7777,
        uid: req.uid,
        gid: req.gid,
        nlink: 1,
        size: 0,
        blocks: 0,
        atime: req.now,
        mtime: req.now,
        ctime: req.now,
        btime: req.now,
        generation,
        cut: false,
        rdev: 0,
        parent: 0,
        xattr: 0,
        attributes: dir.attributes & INHERITED & attributes_of(kind),
        index: 0,
        area: Area::EMPTY,
    });
    xattr::create(txn, &mut inode, new.xattrs)?;
    Ok(inode)
}

/// Credits for what a new inode may have beside itself.
fn extra_credits(new: &NewInode<'_>) -> usize {
    if new.xattrs.is_empty() {
        0
    } else {
        XATTR_CREDITS
    }
}

/// One more link.
pub(crate) fn add_link(inode: &mut Inode) -> Result {
    if inode.nlink >= LINK_MAX {
        return Err(Errno::EMLINK);
    }
    inode.nlink += 1;
    Ok(())
}

impl<D: BlockDevice> Volume<D> {
    /// Makes a new inode with a name.
    #[inline(never)]
    pub(crate) fn make(
        &self,
        req: &Request,
        parent: &Node,
        name: &[u8],
        new: &NewInode<'_>,
        kind: New<'_>,
    ) -> Result<Node> {
        let now = valid_now(req)?;
        let credits = CREATE_CREDITS + extra_credits(new);
        let mut change = Change::begin_names(self, credits, Some(parent), None)?;
        let dir = change.stage(parent)?;
        let (txn, dir_inode) = change.parts(dir);
        alive_directory(dir_inode)?;
        let mut inode = take(txn, dir_inode, req, kind.kind(), new)?;
        dir::insert(txn, dir_inode, name, inode.ino, inode.kind)?;
        dir_inode.touch(now);
        match kind {
            New::Directory => {
                inode.nlink = 2;
                inode.parent = dir_inode.ino.0;
                add_link(dir_inode)?;
            }
            New::Node { rdev, .. } => inode.rdev = rdev,
            New::Symlink { target } => symlink::write(txn, &mut inode, target)?,
        }
        let node = Node::new(*inode, 0);
        change.stage_new(&node)?;
        change.finish()?;
        Ok(node)
    }

    /// Makes a new file without a name: an orphan, until [`Volume::link`] gives it one.
    pub(crate) fn make_unnamed(
        &self,
        req: &Request,
        parent: &Node,
        new: &NewInode<'_>,
    ) -> Result<Node> {
        valid_now(req)?;
        let mut change = Change::begin(self, UNNAMED_CREDITS + extra_credits(new))?;
        let dir = parent.inode()?;
        alive_directory(&dir)?;
        let mut inode = take(&mut change.txn, &dir, req, FileKind::Regular, new)?;
        inode.nlink = 0;
        let node = Node::new(*inode, 0);
        change.stage_new(&node)?;
        change.finish()?;
        Ok(node)
    }

    /// The directory that holds a directory.
    ///
    /// # Errors
    /// `ESTALE`: it has been removed. `ENOTDIR`.
    pub(crate) fn parent(&self, dir: &Node) -> Result<InodeNo> {
        let state = dir.read()?;
        match alive_directory(&state.inode) {
            Err(Errno::ENOENT) => Err(Errno::ESTALE),
            result => result.map(|()| Ino(state.inode.parent).number()),
        }
    }

    /// A further name for an inode that is no directory; the first one for a file that was made
    /// without. (That a file whose last name was removed stays without is up to the host.)
    pub(crate) fn link(&self, req: &Request, node: &Node, parent: &Node, name: &[u8]) -> Result {
        let now = valid_now(req)?;
        let mut change = Change::begin_names(self, LINK_CREDITS, Some(parent), None)?;
        let child = change.stage(node)?;
        let freed = node.read()?.freed;
        let dir = change.stage(parent)?;
        let inode = change.inode(child);
        match inode.kind {
            FileKind::Directory => return Err(Errno::EPERM),
            _ if freed => return Err(Errno::ENOENT),
            _ => add_link(inode)?,
        }
        inode.ctime = now;
        let (ino, kind) = (inode.ino, inode.kind);
        let (txn, dir_inode) = change.parts(dir);
        alive_directory(dir_inode)?;
        dir::insert(txn, dir_inode, name, ino, kind)?;
        dir_inode.touch(now);
        change.finish()
    }

    /// Removes a name, of a directory (which must be empty) or of anything else.
    pub(crate) fn remove(
        &self,
        req: &Request,
        parent: &Node,
        name: &[u8],
        child: &Node,
        directory: bool,
    ) -> Result {
        let now = valid_now(req)?;
        let mut change = Change::begin_names(self, UNLINK_CREDITS, None, Some(parent))?;
        let dir = change.stage(parent)?;
        let child = change.stage(child)?;
        let inode = *change.inode(child);
        match (inode.kind == FileKind::Directory, directory) {
            (true, false) => return Err(Errno::EISDIR),
            (false, true) => return Err(Errno::ENOTDIR),
            _ => {}
        }
        let (txn, dir_inode) = change.parts(dir);
        alive_directory(dir_inode)?;
        let found = dir::find(txn, dir_inode, name)?.ok_or(Errno::ENOENT)?;
        found.leads_to(&inode)?;
        dir::remove(txn, dir_inode, &found)?;
        dir_inode.touch(now);
        lose_name(&mut change, dir, child)?;
        change.inode(child).ctime = now;
        change.finish()
    }
}

/// An inode loses its name in a directory.
///
/// # Errors
/// `ENOTEMPTY`: a directory with entries.
pub(crate) fn lose_name<D: BlockDevice>(
    change: &mut Change<'_, '_, D>,
    dir: Slot,
    child: Slot,
) -> Result {
    let (txn, inode) = change.parts(child);
    let at = inode::block_of(txn.geometry(), inode.ino);
    let too_few = |left: Option<u32>| left.ok_or_else(|| CorruptKind::LinkCount.at(at));
    if inode.kind == FileKind::Directory {
        if !dir::is_empty(txn, inode)? {
            return Err(Errno::ENOTEMPTY);
        }
        inode.nlink = 0;
        let parent = change.inode(dir);
        parent.nlink = too_few(parent.nlink.checked_sub(1).filter(|left| *left >= 2))?;
    } else {
        inode.nlink = too_few(inode.nlink.checked_sub(1))?;
    }
    Ok(())
}
