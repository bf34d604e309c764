// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Names: everything that reads or changes a directory.

use super::{Host, Leaf, exclusive, needs, shared};
use crate::HostDevice;
use crate::acl::{ACCESS, DEFAULT};
use crate::inode::{Inode, Pin};
use bento::dirbuf::{self, DirRecord};
use bento::prelude::*;
use std::sync::{PoisonError, RwLockWriteGuard};

/// The longest name in bytes.
const NAME_MAX: usize = 255;
/// Bytes for the records of one `readdir`.
const DIR_BUFFER: usize = 32 << 10;
/// The longest target of a symbolic link in bytes.
const LINK_MAX: usize = 4096;
const SETGID: u32 = 0o2000;
const GROUP_EXEC: u32 = 0o0010;

type NodePin<'a, F> = Pin<'a, <F as FileSystem>::Node, Leaf<F>>;

/// What a new inode is to be.
#[derive(Clone, Copy, Debug)]
pub enum Make<'a> {
    /// A regular file, a device, a FIFO or a socket: mode with kind, and device number.
    Node(u32, u32),
    /// A directory: permission bits.
    Directory(u32),
    /// A symbolic link to this target.
    Symlink(&'a [u8]),
}

impl<F: FileSystem<Device: HostDevice>> Host<F> {
    /// The inode behind `name`; the caller holds the directory.
    fn child(&self, req: &Request, dir: &Inode<F::Node>, name: &[u8]) -> Result<NodePin<'_, F>> {
        check_name(name)?;
        let ino = self.leaf().call(|fs| fs.lookup(req, &dir.node, name))?;
        self.table.pin(ino)
    }

    /// The attributes of an inode that the answer names: the kernel will forget it some day.
    fn answer(&self, pin: &NodePin<'_, F>) -> Result<Attr> {
        let attr = self.attr(pin)?;
        self.table.count_lookup(pin);
        Ok(attr)
    }

    /// Finds `name`. Counts a lookup, as all operations that return a new or found inode. `.` and
    /// `..` are asked for by the NFS server, about inodes that may not be in memory.
    ///
    /// # Errors
    /// `ENOENT`, `ENAMETOOLONG`; `ESTALE` for an inode that is gone; those of the file system.
    pub fn lookup(&self, req: &Request, parent: InodeNo, name: &[u8]) -> Result<Attr> {
        let dir = self.table.pin(parent)?;
        match name {
            b"." => return self.answer(&dir),
            b".." if F::OPS.contains(OpSet::EXPORT) && parent != F::ROOT => {
                let ino = self.leaf().call(|fs| fs.parent(&dir.node))?;
                return self.answer(&self.table.pin(ino)?);
            }
            _ => {}
        }
        let _held = shared(&dir);
        self.answer(&self.child(req, &dir, name)?)
    }

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// `EINVAL` where it is none; those of the file system.
    pub fn readlink(&self, ino: InodeNo) -> Result<Vec<u8>> {
        needs::<F>(OpSet::SYMLINK)?;
        let inode = self.table.pin(ino)?;
        let mut target = vec![0; LINK_MAX];
        let len = self
            .leaf()
            .call(|fs| fs.readlink(&inode.node, &mut target))?;
        target.truncate(len);
        Ok(target)
    }

    /// Makes a new inode with the name `name`. A default access control list of the directory
    /// takes the place of the umask; what a set-group-id directory asks for is done, too.
    ///
    /// # Errors
    /// `EEXIST`, `EROFS`, `EPERM`, `ENAMETOOLONG`, those of the file system.
    pub fn make(
        &self,
        req: &Request,
        parent: InodeNo,
        name: &[u8],
        make: Make<'_>,
        umask: u32,
    ) -> Result<Attr> {
        self.changing(make.ops())?;
        check_name(name)?;
        let _names = self.namespace_shared();
        let dir = self.table.pin(parent)?;
        let _held = exclusive(&dir);
        self.extensible(&dir)?;
        let (req, make) = inherit(req, &self.attr(&dir)?, make);
        let start = self.start(&dir, make, umask)?;
        let entry = self.made(&req, &dir.node, name, make, &start)?;
        let new = self.table.pin_new(entry)?;
        self.settle(&req, &dir)?;
        self.answer(&new)
    }

    /// What the new inode starts with.
    fn start(&self, dir: &Inode<F::Node>, make: Make<'_>, umask: u32) -> Result<Start> {
        let mode = make.mode();
        if let Make::Symlink(_) = make {
            return Ok(Start::plain(mode));
        }
        let Some(default) = self.acl(dir, DEFAULT)? else {
            return Ok(Start::plain(mode & !(umask & 0o777)));
        };
        let (access, mode) = default.clone().inherit(mode);
        let mut start = Start::plain(mode);
        if !access.is_minimal() {
            start.xattrs.push((ACCESS, access.to_bytes()));
        }
        if let Make::Directory(_) = make {
            start.xattrs.push((DEFAULT, default.to_bytes()));
        }
        Ok(start)
    }

    fn made(
        &self,
        req: &Request,
        dir: &F::Node,
        name: &[u8],
        make: Make<'_>,
        start: &Start,
    ) -> Result<Entry<F::Node>> {
        let regular = FileKind::Regular.mode_bits();
        let xattrs: Vec<_> = start
            .xattrs
            .iter()
            .map(|(name, value)| Xattr { name, value })
            .collect();
        let new = &NewInode {
            mode: start.mode,
            xattrs: &xattrs,
        };
        self.leaf().call(|fs| match make {
            Make::Node(mode, _) if mode & FileKind::MODE_MASK == regular => {
                fs.create(req, dir, name, new)
            }
            Make::Node(_, rdev) => fs.mknod(req, dir, name, new, rdev),
            Make::Directory(_) => fs.mkdir(req, dir, name, new),
            Make::Symlink(target) => fs.symlink(req, dir, name, target, new),
        })
    }

    /// A new name for an inode that is no directory.
    ///
    /// # Errors
    /// `EEXIST`, `EMLINK`, `EROFS`, `EPERM`, those of the file system.
    pub fn link(&self, req: &Request, ino: InodeNo, parent: InodeNo, name: &[u8]) -> Result<Attr> {
        self.changing(OpSet::LINK)?;
        check_name(name)?;
        let _names = self.namespace_shared();
        let (dir, inode) = (self.table.pin(parent)?, self.table.pin(ino)?);
        let (_dir_held, _held) = (exclusive(&dir), exclusive(&inode));
        self.extensible(&dir)?;
        self.changeable(&inode)?;
        self.leaf()
            .call(|fs| fs.link(req, &inode.node, &dir.node, name))?;
        self.settle(req, &dir)?;
        self.answer(&inode)
    }

    /// Removes a name; the inode stays as long as somebody uses it.
    ///
    /// # Errors
    /// `ENOENT`, `EISDIR`, `EROFS`, `EPERM`, those of the file system.
    pub fn unlink(&self, req: &Request, parent: InodeNo, name: &[u8]) -> Result {
        self.changing(OpSet::UNLINK)?;
        let _names = self.namespace_shared();
        let dir = self.table.pin(parent)?;
        let _dir_held = exclusive(&dir);
        let child = self.child(req, &dir, name)?;
        let _held = exclusive(&child);
        self.changeable(&dir)?;
        self.changeable(&child)?;
        match self.attr(&child)?.kind() {
            Some(FileKind::Directory) => return Err(Errno::EISDIR),
            _ => self
                .leaf()
                .call(|fs| fs.unlink(req, &dir.node, name, &child.node))?,
        }
        self.settle(req, &dir)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `ENOTEMPTY`, `EROFS`, `EPERM`, those of the file system.
    pub fn rmdir(&self, req: &Request, parent: InodeNo, name: &[u8]) -> Result {
        self.changing(OpSet::MKDIR)?;
        let _names = self.namespace_shared();
        let dir = self.table.pin(parent)?;
        let _dir_held = exclusive(&dir);
        let child = self.child(req, &dir, name)?;
        let _held = exclusive(&child);
        self.changeable(&dir)?;
        self.changeable(&child)?;
        match self.attr(&child)?.kind() {
            Some(FileKind::Directory) => self
                .leaf()
                .call(|fs| fs.rmdir(req, &dir.node, name, &child.node))?,
            _ => return Err(Errno::ENOTDIR),
        }
        self.settle(req, &dir)
    }

    /// Moves or exchanges names. The kernel has ruled out loops and wrong kinds.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST`, `ENOTEMPTY`, `EROFS`, `EPERM`, those of the file system.
    pub fn rename(
        &self,
        req: &Request,
        from: (InodeNo, &[u8]),
        to: (InodeNo, &[u8]),
        flags: RenameFlags,
    ) -> Result {
        self.changing(OpSet::RENAME)?;
        check_name(to.1)?;
        let _alone = self
            .namespace
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let (from_dir, to_dir) = (self.table.pin(from.0)?, self.table.pin(to.0)?);
        let _dirs = hold_all(&[&from_dir, &to_dir]);
        let node = self.child(req, &from_dir, from.1)?;
        let replaced = match self.child(req, &to_dir, to.1) {
            Ok(_) if flags.contains(RenameFlags::NOREPLACE) => return Err(Errno::EEXIST),
            Ok(pin) => Some(pin),
            Err(Errno::ENOENT) if !flags.contains(RenameFlags::EXCHANGE) => None,
            Err(error) => return Err(error),
        };
        if replaced
            .as_ref()
            .is_some_and(|replaced| replaced.ino == node.ino)
        {
            return Ok(()); // Two names of one inode: POSIX wants nothing to happen.
        }
        let mut moved: Vec<&Inode<F::Node>> = vec![&node];
        moved.extend(replaced.as_deref());
        moved.retain(|inode| inode.ino != from.0 && inode.ino != to.0);
        let _held = hold_all(&moved);
        self.changeable(&from_dir)?;
        self.changeable(&node)?;
        match &replaced {
            Some(replaced) => self
                .changeable(&to_dir)
                .and_then(|()| self.changeable(replaced))?,
            None => self.extensible(&to_dir)?,
        }
        self.leaf().call(|fs| {
            let (from, to) = ((&from_dir.node, from.1), (&to_dir.node, to.1));
            let replaced = replaced.as_ref().map(|pin| &pin.node);
            fs.rename(req, from, to, &node.node, replaced, flags)
        })?;
        self.settle(req, &from_dir)?;
        self.settle(req, &to_dir)
    }

    /// Shows the entries behind `cookie` to `show` until that returns `false` or no entry is left.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn readdir(
        &self,
        req: &Request,
        dir: InodeNo,
        mut cookie: u64,
        mut show: impl FnMut(&DirRecord<'_>) -> bool,
    ) -> Result {
        let dir = self.table.pin(dir)?;
        let _held = shared(&dir);
        let mut memory = vec![0; DIR_BUFFER];
        loop {
            let mut out = DirBuf::new(&mut memory);
            self.leaf()
                .call(|fs| fs.readdir(req, &dir.node, cookie, &mut out))?;
            let (used, more) = (out.used(), out.is_full());
            for record in dirbuf::records(memory.get(..used).unwrap_or_default()) {
                if !show(&record) {
                    return Ok(());
                }
                cookie = record.cookie;
            }
            if !more || used == 0 {
                return Ok(());
            }
        }
    }
}

fn check_name(name: &[u8]) -> Result {
    match name.len() {
        1..=NAME_MAX => Ok(()),
        0 => Err(Errno::EINVAL),
        _ => Err(Errno::ENAMETOOLONG),
    }
}

/// Holds all of them exclusively, each once, in the order of their numbers.
fn hold_all<'a, N>(inodes: &[&'a Inode<N>]) -> Vec<RwLockWriteGuard<'a, ()>> {
    let mut inodes = inodes.to_vec();
    inodes.sort_by_key(|inode| inode.ino);
    inodes.dedup_by_key(|inode| inode.ino);
    inodes.into_iter().map(exclusive).collect()
}

/// Mode and extended attributes of an inode that is to be made.
struct Start {
    mode: u32,
    xattrs: Vec<(&'static [u8], Vec<u8>)>,
}

impl Start {
    const fn plain(mode: u32) -> Self {
        Self {
            mode,
            xattrs: Vec::new(),
        }
    }
}

impl Make<'_> {
    /// With its kind.
    const fn mode(self) -> u32 {
        match self {
            Self::Node(mode, _) => mode,
            Self::Directory(mode) => FileKind::Directory.mode_bits() | (mode & 0o7777),
            Self::Symlink(_) => FileKind::Symlink.mode_bits() | 0o777,
        }
    }

    const fn ops(self) -> OpSet {
        match self {
            Self::Node(..) => OpSet::CREATE,
            Self::Directory(_) => OpSet::MKDIR,
            Self::Symlink(_) => OpSet::SYMLINK,
        }
    }
}

/// In a set-group-id directory a new inode gets the group of the directory, and a directory the
/// bit, too. Whoever is not known to be in that group may not make a set-group-id program for it
/// (the kernel, which knows all groups of the caller, has let pass what is allowed there).
fn inherit<'a>(req: &Request, dir: &Attr, make: Make<'a>) -> (Request, Make<'a>) {
    if dir.mode & SETGID == 0 {
        return (*req, make);
    }
    let request = Request {
        gid: dir.gid,
        ..*req
    };
    let stranger = req.uid != 0 && req.gid != dir.gid;
    let program = SETGID | GROUP_EXEC;
    let make = match make {
        Make::Directory(mode) => Make::Directory(mode | SETGID),
        Make::Node(mode, rdev) if stranger && mode & program == program => {
            Make::Node(mode & !SETGID, rdev)
        }
        make => make,
    };
    (request, make)
}

#[cfg(test)]
mod tests {
    use super::{Make, inherit};
    use bento::{Attr, InodeNo, Request};

    #[test]
    fn a_set_group_id_directory_hands_on_its_group() {
        let mut dir = Attr::new(InodeNo(1), 0o040_755, 2);
        dir.gid = 42;
        let req = Request {
            uid: 1000,
            gid: 1000,
            ..Request::default()
        };
        let inherited = |dir: &Attr, req: &Request, make| match inherit(req, dir, make) {
            (req, Make::Node(mode, _) | Make::Directory(mode)) => (req.gid, mode),
            (req, Make::Symlink(_)) => (req.gid, 0),
        };
        assert_eq!(inherited(&dir, &req, Make::Directory(0o755)), (1000, 0o755));
        dir.mode |= 0o2000;
        assert_eq!(inherited(&dir, &req, Make::Directory(0o755)), (42, 0o2755));
        assert_eq!(inherited(&dir, &req, Make::Symlink(b"x")), (42, 0));
        assert_eq!(
            inherited(&dir, &req, Make::Node(0o102_755, 0)),
            (42, 0o100_755)
        );
        assert_eq!(
            inherited(&dir, &req, Make::Node(0o102_644, 0)),
            (42, 0o102_644),
            "no program"
        );
        let member = Request { gid: 42, ..req };
        assert_eq!(
            inherited(&dir, &member, Make::Node(0o102_755, 0)),
            (42, 0o102_755)
        );
    }
}
