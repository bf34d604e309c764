// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Operations that make, move and remove names.

use super::Host;
use bento::mapped::DataDevice;
use bento::prelude::*;

impl<F> Host<F>
where
    F: FileSystem<Device: DataDevice + Clone>,
{
    pub(super) fn create(&mut self, path: &str, xattrs: &[(String, Vec<u8>)]) -> Result {
        let xattrs: Vec<_> = xattrs.iter().map(|(n, v)| super::xattr(n, v)).collect();
        let new = NewInode {
            mode: 0o100_644,
            xattrs: &xattrs,
        };
        let req = self.request();
        self.add(path, |fs, dir, name| {
            fs.create(&req, dir, name, &new).map(Some)
        })
    }

    pub(super) fn mkdir(&mut self, path: &str) -> Result {
        let (req, new) = (self.request(), NewInode::plain(0o040_755));
        self.add(path, |fs, dir, name| {
            fs.mkdir(&req, dir, name, &new).map(Some)
        })
    }

    pub(super) fn symlink(&mut self, target: &str, path: &str) -> Result {
        let (req, new) = (self.request(), NewInode::plain(0o120_777));
        self.add(path, |fs, dir, name| {
            fs.symlink(&req, dir, name, target.as_bytes(), &new)
                .map(Some)
        })
    }

    fn lookup_optional(&mut self, dir: InodeNo, name: &str) -> Result<Option<InodeNo>> {
        match self.lookup(dir, name) {
            Ok(ino) => Ok(Some(ino)),
            Err(Errno::ENOENT) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn add(
        &mut self,
        path: &str,
        make: impl FnOnce(&F, &F::Node, &[u8]) -> Result<Option<Entry<F::Node>>>,
    ) -> Result {
        let (dir, name) = self.parent(path)?;
        if self.lookup_optional(dir, name)?.is_some() {
            return Err(Errno::EEXIST);
        }
        if let Some(entry) = make(&self.fs, self.node(dir)?, name.as_bytes())? {
            let old = self.nodes.insert(entry.attr.ino, entry.node);
            assert!(old.is_none(), "inode {} is in use", entry.attr.ino);
        }
        Ok(())
    }

    pub(super) fn tmpfile(&mut self, dir: &str) -> Result {
        let dir = self.find(dir)?;
        if self.kind(dir)? != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        let new = NewInode::plain(0o100_600);
        let made = self.fs.tmpfile(&self.request(), self.node(dir)?, &new)?;
        let ino = made.attr.ino;
        let old = self.nodes.insert(ino, made.node);
        assert!(old.is_none(), "inode {ino} is in use");
        self.open.push(ino);
        self.unnamed.insert(ino);
        Ok(())
    }

    pub(super) fn link(&mut self, old: &str, new: &str) -> Result {
        let ino = self.find(old)?;
        let is_directory = self.kind(ino)? == FileKind::Directory;
        self.add(new, |_, _, _| Ok(None))?;
        if is_directory {
            return Err(Errno::EPERM);
        }
        let (dir, name) = self.parent(new)?;
        let (node, dir) = (self.node(ino)?, self.node(dir)?);
        if self.fs.getattr(node)?.nlink == 0 && !self.unnamed.contains(&ino) {
            return Err(Errno::ENOENT);
        }
        self.fs.link(&self.request(), node, dir, name.as_bytes())?;
        self.unnamed.remove(&ino);
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &str, directory: bool) -> Result {
        let (dir, name) = self.parent(path)?;
        let ino = self.lookup(dir, name)?;
        let (req, name) = (self.request(), name.as_bytes());
        let is_directory = self.kind(ino)? == FileKind::Directory;
        let (dir, node) = (self.node(dir)?, self.node(ino)?);
        match (is_directory, directory) {
            (true, false) => Err(Errno::EISDIR),
            (false, true) => Err(Errno::ENOTDIR),
            (true, true) => self.fs.rmdir(&req, dir, name, node),
            (false, false) => self.fs.unlink(&req, dir, name, node),
        }
    }

    pub(super) fn rename(&mut self, from: &str, to: &str, flags: RenameFlags) -> Result {
        let ((from_dir, from_name), (to_dir, to_name)) = (self.parent(from)?, self.parent(to)?);
        let ino = self.lookup(from_dir, from_name)?;
        let replaced = self.lookup_optional(to_dir, to_name)?;
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        if flags.contains(RenameFlags::NOREPLACE) && replaced.is_some() {
            return Err(Errno::EEXIST);
        }
        if exchange && replaced.is_none() {
            return Err(Errno::ENOENT);
        }
        check_loops(from, to, exchange)?;
        if replaced == Some(ino) {
            return Ok(());
        }
        if let (Some(other), false) = (replaced, exchange) {
            match (self.kind(ino)?, self.kind(other)?) {
                (FileKind::Directory, FileKind::Directory) => {}
                (FileKind::Directory, _) => return Err(Errno::ENOTDIR),
                (_, FileKind::Directory) => return Err(Errno::EISDIR),
                _ => {}
            }
        }
        let old = replaced.map(|other| self.node(other)).transpose()?;
        self.fs.rename(
            &self.request(),
            (self.node(from_dir)?, from_name.as_bytes()),
            (self.node(to_dir)?, to_name.as_bytes()),
            self.node(ino)?,
            old,
            flags,
        )
    }
}

/// What the VFS refuses because a directory would come to lie inside itself. There are no two
/// paths to one directory here, so the paths tell.
fn check_loops(from: &str, to: &str, exchange: bool) -> Result {
    let inside = |path: &str, top: &str| {
        path.strip_prefix(top)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    if inside(to, from) {
        return Err(Errno::EINVAL);
    }
    if inside(from, to) {
        return Err(if exchange {
            Errno::EINVAL
        } else {
            Errno::ENOTEMPTY
        });
    }
    Ok(())
}
