// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Operations that make, move and remove names.

use super::model::{Body, Inode, Key};
use super::worker::Worker;
use anyhow::{Context, bail, ensure};
use rustix::fs::{
    CWD, Dev, FileType, Mode, OFlags, RenameFlags, makedev, mkdirat, mknodat, openat, renameat_with,
};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs;

/// No path becomes longer than this, so that each fits into a system call.
const MAX_PATH: usize = 3500;

impl Worker {
    fn owner(&self) -> (u32, u32) {
        self.model.inode(super::model::ROOT).owner
    }

    fn inode(&self, body: Body, mode: u32) -> Inode {
        Inode {
            body,
            mode,
            owner: self.owner(),
            xattrs: BTreeMap::new(),
        }
    }

    /// Makes something by `call`, and again, which must be refused.
    fn make(
        &mut self,
        kind: char,
        inode: Inode,
        call: impl Fn(&std::path::Path) -> rustix::io::Result<()>,
    ) -> anyhow::Result<()> {
        let name = self.fresh(kind);
        let path = self.model.path(&name);
        let what = match kind {
            'd' => "mkdir",
            'f' => "creat",
            'n' => "mknod",
            _ => "symlink",
        };
        self.note(&format!("{what} {}", self.model.short(&path)));
        call(&path).with_context(|| path.display().to_string())?;
        if self.rng.one_in(4) {
            match call(&path) {
                Err(Errno::EXIST) => {}
                other => bail!("{what} of what exists: {other:?}, expected EEXIST"),
            }
        }
        self.model.add(name.parent, name.name, inode);
        Ok(())
    }

    pub(super) fn creat(&mut self) -> anyhow::Result<()> {
        let inode = self.inode(Body::File(Vec::new()), 0o644);
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        self.make('f', inode, |path| {
            openat(CWD, path, flags, Mode::from_raw_mode(0o644)).map(drop)
        })
    }

    pub(super) fn mkdir(&mut self) -> anyhow::Result<()> {
        let inode = self.inode(Body::Dir, 0o755);
        self.make('d', inode, |path| {
            mkdirat(CWD, path, Mode::from_raw_mode(0o755))
        })
    }

    pub(super) fn mknod(&mut self) -> anyhow::Result<()> {
        // Device nodes are for root alone.
        let (kind, device): (FileType, Dev) = match self.rng.below(4) {
            0 if self.root => (FileType::CharacterDevice, makedev(1, 3)),
            1 if self.root => (FileType::BlockDevice, makedev(0xabc, 0xf_fedc)),
            2 => (FileType::Socket, 0),
            _ => (FileType::Fifo, 0),
        };
        let inode = self.inode(Body::Special(kind, device), 0o600);
        self.make('n', inode, |path| {
            mknodat(CWD, path, kind, Mode::from_raw_mode(0o600), device)
        })
    }

    pub(super) fn symlink(&mut self) -> anyhow::Result<()> {
        let length = if self.rng.one_in(3) { 1300 } else { 20 };
        let target = format!("t{}{}", self.counter, "/t".repeat(self.rng.index(length)));
        let inode = self.inode(Body::Link(target.clone()), 0o777);
        self.make('s', inode, |path| rustix::fs::symlink(&target, path))
    }

    pub(super) fn link(&mut self) -> anyhow::Result<()> {
        let Some(at) = self.some(|body| !matches!(body, Body::Dir)) else {
            return Ok(());
        };
        let (key, from) = self.at(at);
        let mut name = self.fresh('l');
        name.inode = key;
        let to = self.model.path(&name);
        self.note(&format!(
            "link {} {}",
            self.model.short(&from),
            self.model.short(&to)
        ));
        fs::hard_link(&from, &to)?;
        self.model.names.push(name);
        Ok(())
    }

    pub(super) fn unlink(&mut self) -> anyhow::Result<()> {
        let Some(at) = self.some(|body| !matches!(body, Body::Dir)) else {
            return self.rmdir();
        };
        let (key, path) = self.at(at);
        self.note(&format!("unlink {}", self.model.short(&path)));
        // A file that is open keeps its content without a name.
        let open = match &self.model.inode(key).body {
            Body::File(_) => Some(fs::File::open(&path)?),
            _ => None,
        };
        fs::remove_file(&path)?;
        if let (Some(file), Body::File(data)) = (open, &self.model.inode(key).body) {
            Self::compare(&file, 0, data.len() + 1, data).context("after unlink")?;
        }
        self.model.remove(at);
        Ok(())
    }

    pub(super) fn rmdir(&mut self) -> anyhow::Result<()> {
        let Some(at) = self.some(|body| matches!(body, Body::Dir)) else {
            return Ok(());
        };
        let (key, path) = self.at(at);
        self.note(&format!("rmdir {}", self.model.short(&path)));
        let result = rustix::fs::rmdir(&path);
        if self.model.children(key).next().is_some() {
            ensure!(
                result == Err(Errno::NOTEMPTY),
                "rmdir of a full directory: {result:?}"
            );
            return Ok(());
        }
        result.context("rmdir")?;
        self.model.remove(at);
        Ok(())
    }

    /// Renames to a fresh name, or over something that may be replaced.
    pub(super) fn rename(&mut self) -> anyhow::Result<()> {
        let Some(from) = self.some(|_| true) else {
            return Ok(());
        };
        if self.rng.one_in(3) {
            return self.rename_over(from);
        }
        self.rename_fresh(from, RenameFlags::empty(), "rename")
    }

    fn rename_fresh(&mut self, from: usize, flags: RenameFlags, what: &str) -> anyhow::Result<()> {
        let (key, old) = self.at(from);
        let to = self.fresh('r');
        if self.too_long(key, to.parent) {
            return Ok(());
        }
        let new = self.model.path(&to);
        self.note(&format!(
            "{what} {} {}",
            self.model.short(&old),
            self.model.short(&new)
        ));
        let result = renameat_with(CWD, &old, CWD, &new, flags);
        if self.would_hold_itself(key, to.parent) {
            ensure!(
                result == Err(Errno::INVAL),
                "a directory into itself: {result:?}"
            );
            return Ok(());
        }
        result.context("rename")?;
        let name = &mut self.model.names[from];
        (name.parent, name.name) = (to.parent, to.name);
        Ok(())
    }

    /// Whether what lies below `key` would have paths that are too long in the directory `dir`.
    fn too_long(&self, key: Key, dir: Key) -> bool {
        let above = self.model.dir_path(dir).as_os_str().len();
        above + self.model.height(key) > MAX_PATH
    }

    /// Whether `dir`, or a directory above it, is the directory `key`.
    fn would_hold_itself(&self, key: Key, dir: Key) -> bool {
        self.model.is_dir(key) && self.model.within(dir, key)
    }

    fn rename_over(&mut self, from: usize) -> anyhow::Result<()> {
        let to = self.rng.index(self.model.names.len());
        let ((key, old), (victim, new)) = (self.at(from), self.at(to));
        let parent = self.model.names[to].parent;
        // (Two names of one inode: rename(2) does nothing, and says so by no error.)
        let fits = self.model.is_dir(key) == self.model.is_dir(victim)
            && self.model.children(victim).next().is_none();
        if !fits || from == to || self.would_hold_itself(key, parent) || self.too_long(key, parent)
        {
            return Ok(());
        }
        self.note(&format!(
            "rename {} {} (over it)",
            self.model.short(&old),
            self.model.short(&new)
        ));
        fs::rename(&old, &new)?;
        if key == victim {
            return Ok(());
        }
        self.model.names[to].inode = key;
        self.model.names.swap_remove(from);
        self.model.forget_nameless(victim);
        Ok(())
    }

    pub(super) fn rename_noreplace(&mut self) -> anyhow::Result<()> {
        let Some(from) = self.some(|_| true) else {
            return Ok(());
        };
        if self.rng.one_in(2) {
            return self.rename_fresh(from, RenameFlags::NOREPLACE, "rnoreplace");
        }
        let to = self.rng.index(self.model.names.len());
        let ((_, old), (_, new)) = (self.at(from), self.at(to));
        self.note(&format!(
            "rnoreplace {} {} (which exists)",
            self.model.short(&old),
            self.model.short(&new)
        ));
        match renameat_with(CWD, &old, CWD, &new, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error).context("expected EEXIST"),
            Ok(()) => bail!("rnoreplace replaced {}", new.display()),
        }
    }

    pub(super) fn rename_exchange(&mut self) -> anyhow::Result<()> {
        let Some(a) = self.some(|_| true) else {
            return Ok(());
        };
        let b = self.rng.index(self.model.names.len());
        let ((one, old), (other, new)) = (self.at(a), self.at(b));
        let (near, far) = (self.model.names[a].parent, self.model.names[b].parent);
        let nested = self.would_hold_itself(one, far) || self.would_hold_itself(other, near);
        if a == b || nested || self.too_long(one, far) || self.too_long(other, near) {
            return Ok(());
        }
        self.note(&format!(
            "rexchange {} {}",
            self.model.short(&old),
            self.model.short(&new)
        ));
        renameat_with(CWD, &old, CWD, &new, RenameFlags::EXCHANGE)?;
        self.model.names[a].inode = other;
        self.model.names[b].inode = one;
        Ok(())
    }
}
