// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Operations on what a file has beside its content.

use super::model::Body;
use super::worker::Worker;
use anyhow::{Context, bail, ensure};
use rustix::fs::{Mode, XattrFlags};
use rustix::io::Errno;
use std::fs;
use std::os::unix::fs::lchown;
use std::path::Path;

/// Values are no longer than this, so that all names of a file fit where it keeps them.
const MAX_VALUE: usize = 600;
const XATTR_NAMES: u64 = 5;

impl Worker {
    pub(super) fn stat(&mut self) -> anyhow::Result<()> {
        let Some(at) = self.some(|_| true) else {
            return Ok(());
        };
        let (key, path) = self.at(at);
        self.note(&format!("stat {}", self.model.short(&path)));
        self.verify_stat(key, &path)
    }

    pub(super) fn list(&mut self) -> anyhow::Result<()> {
        let dir = self.some_dir();
        let path = self.model.dir_path(dir);
        self.note(&format!("getdents {}", self.model.short(&path)));
        self.verify_list(dir, &path)
    }

    pub(super) fn readlink(&mut self) -> anyhow::Result<()> {
        let Some(at) = self.some(|body| matches!(body, Body::Link(_))) else {
            return Ok(());
        };
        let (key, path) = self.at(at);
        self.note(&format!("readlink {}", self.model.short(&path)));
        self.verify_body(key, &path)
    }

    pub(super) fn chmod(&mut self) -> anyhow::Result<()> {
        let Some(at) = self.some(|body| !matches!(body, Body::Link(_))) else {
            return Ok(());
        };
        let (key, path) = self.at(at);
        let mode = [0o600, 0o640, 0o755, 0o1777][self.rng.index(4)]
            | if self.model.is_dir(key) { 0o100 } else { 0 };
        self.note(&format!("chmod {} {mode:o}", self.model.short(&path)));
        rustix::fs::chmod(&path, Mode::from_raw_mode(mode))?;
        self.model.inode_mut(key).mode = mode;
        Ok(())
    }

    pub(super) fn chown(&mut self) -> anyhow::Result<()> {
        let Some(at) = self.some(|_| true) else {
            return Ok(());
        };
        let (key, path) = self.at(at);
        let mut owner = self.model.inode(key).owner;
        if self.root {
            // Numbers of 16 and of 32 bits.
            let bits = if self.rng.one_in(2) { 16 } else { 31 };
            let id = |random: u64| (random % (1 << bits)) as u32;
            owner = (id(self.rng.next()), id(self.rng.next()));
        }
        self.note(&format!(
            "chown {} {}:{}",
            self.model.short(&path),
            owner.0,
            owner.1
        ));
        lchown(&path, Some(owner.0), Some(owner.1))?;
        self.model.inode_mut(key).owner = owner;
        Ok(())
    }

    /// Attributes of users are for files and directories alone.
    fn some_with_xattrs(&mut self) -> Option<usize> {
        self.some(|body| matches!(body, Body::File(_) | Body::Dir))
    }

    fn xattr_name(&mut self) -> String {
        format!("user.a{}", self.rng.below(XATTR_NAMES))
    }

    pub(super) fn set_xattr(&mut self) -> anyhow::Result<()> {
        let Some(at) = self.some_with_xattrs() else {
            return Ok(());
        };
        let (key, path) = self.at(at);
        let name = self.xattr_name();
        self.counter += 1;
        let length = self.rng.index(MAX_VALUE);
        let value = format!("{} {}", self.counter, "v".repeat(length)).into_bytes();
        let flags =
            [XattrFlags::empty(), XattrFlags::CREATE, XattrFlags::REPLACE][self.rng.index(3)];
        self.note(&format!(
            "setxattr {} {name} +{} {flags:?}",
            self.model.short(&path),
            value.len()
        ));
        let exists = self.model.inode(key).xattrs.contains_key(&name);
        let result = rustix::fs::setxattr(&path, &name, &value, flags);
        let expected = match (exists, flags) {
            (true, XattrFlags::CREATE) => Some(Errno::EXIST),
            (false, XattrFlags::REPLACE) => Some(Errno::NODATA),
            _ => None,
        };
        if let Some(errno) = expected {
            return refused(result, errno);
        }
        result?;
        self.model.inode_mut(key).xattrs.insert(name, value);
        Ok(())
    }

    pub(super) fn get_xattr(&mut self) -> anyhow::Result<()> {
        let Some(at) = self.some_with_xattrs() else {
            return Ok(());
        };
        let (key, path) = self.at(at);
        self.note(&format!("getxattr {}", self.model.short(&path)));
        let mut value = [0; 1];
        refused(
            rustix::fs::getxattr(&path, "user.none", &mut value).map(drop),
            Errno::NODATA,
        )?;
        self.verify_xattrs(key, &path)
    }

    pub(super) fn remove_xattr(&mut self) -> anyhow::Result<()> {
        let Some(at) = self.some_with_xattrs() else {
            return Ok(());
        };
        let (key, path) = self.at(at);
        let name = self.xattr_name();
        self.note(&format!("removexattr {} {name}", self.model.short(&path)));
        let result = rustix::fs::removexattr(&path, &name);
        if self.model.inode_mut(key).xattrs.remove(&name).is_none() {
            return refused(result, Errno::NODATA);
        }
        Ok(result?)
    }
}

/// Where an operation must be refused: by this errno, or because there is no such operation.
fn refused(result: rustix::io::Result<()>, errno: Errno) -> anyhow::Result<()> {
    match result {
        Err(got) if got == errno => Ok(()),
        Err(got) => Err(got).with_context(|| format!("expected {errno}")),
        Ok(()) => bail!("succeeded, expected {errno}"),
    }
}

/// The names of the attributes of users, sorted.
pub(super) fn list_xattrs(path: &Path) -> anyhow::Result<Vec<String>> {
    let mut buf = vec![0; 65536];
    let n = rustix::fs::llistxattr(path, &mut buf).context("llistxattr")?;
    let mut names: Vec<String> = String::from_utf8_lossy(&buf[..n])
        .split_terminator('\0')
        .filter(|name| name.starts_with("user."))
        .map(str::to_owned)
        .collect();
    names.sort();
    Ok(names)
}

/// The names in a directory, sorted.
pub(super) fn list_names(path: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).context("opendir")? {
        let name = entry.context("readdir")?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    let all = names.len();
    names.dedup();
    ensure!(names.len() == all, "readdir gives a name twice");
    Ok(names)
}
