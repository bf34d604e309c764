// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Compares what is there with the model.

use super::meta::{list_names, list_xattrs};
use super::model::{Body, Key, ROOT};
use super::worker::Worker;
use anyhow::{Context, ensure};
use rustix::fs::{FileType, makedev};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

impl Worker {
    pub(super) fn verify_stat(&self, key: Key, path: &Path) -> anyhow::Result<()> {
        let got = fs::symlink_metadata(path)?;
        let inode = self.model.inode(key);
        let (kind, size, device) = match &inode.body {
            Body::File(data) => (FileType::RegularFile, Some(data.len()), 0),
            Body::Dir => (FileType::Directory, None, 0),
            Body::Link(target) => (FileType::Symlink, Some(target.len()), 0),
            Body::Special(kind, device) => (*kind, None, *device),
        };
        let mode = kind.as_raw_mode() | inode.mode;
        ensure!(
            got.mode() == mode,
            "mode {:o}, expected {mode:o}",
            got.mode()
        );
        let owner = (got.uid(), got.gid());
        ensure!(
            owner == inode.owner,
            "owner {owner:?}, expected {:?}",
            inode.owner
        );
        let links = self.model.links(key);
        ensure!(
            got.nlink() == links,
            "{} links, expected {links}",
            got.nlink()
        );
        if let Some(size) = size {
            ensure!(
                got.len() == size as u64,
                "size {}, expected {size}",
                got.len()
            );
        }
        if matches!(kind, FileType::CharacterDevice | FileType::BlockDevice) {
            let (major, minor) = (rustix::fs::major(got.rdev()), rustix::fs::minor(got.rdev()));
            ensure!(
                makedev(major, minor) == device,
                "device {major}:{minor}, expected {device:#x}"
            );
        }
        Ok(())
    }

    pub(super) fn verify_list(&self, dir: Key, path: &Path) -> anyhow::Result<()> {
        let mut expected: Vec<&str> = self
            .model
            .children(dir)
            .map(|name| name.name.as_str())
            .collect();
        expected.sort_unstable();
        let got = list_names(path)?;
        let odd = got.iter().find(|name| !expected.contains(&name.as_str()));
        let missing = expected.iter().find(|name| !got.iter().any(|n| n == *name));
        ensure!(
            odd.is_none() && missing.is_none(),
            "readdir: unexpected {odd:?}, missing {missing:?}"
        );
        Ok(())
    }

    pub(super) fn verify_xattrs(&self, key: Key, path: &Path) -> anyhow::Result<()> {
        let expected = &self.model.inode(key).xattrs;
        let names = list_xattrs(path)?;
        ensure!(
            names.iter().eq(expected.keys()),
            "attributes {names:?}, expected {:?}",
            expected.keys()
        );
        for (name, value) in expected {
            let mut buf = vec![0; value.len() + 1];
            let n = rustix::fs::lgetxattr(path, name, &mut buf).context("getxattr")?;
            ensure!(
                buf[..n] == value[..],
                "attribute {name} has another value of {n} bytes"
            );
        }
        Ok(())
    }

    pub(super) fn verify_body(&self, key: Key, path: &Path) -> anyhow::Result<()> {
        match &self.model.inode(key).body {
            Body::File(data) => Self::compare(&File::open(path)?, 0, data.len() + 1, data),
            Body::Dir => self.verify_list(key, path),
            Body::Link(target) => {
                let got = fs::read_link(path)?;
                ensure!(
                    got.as_os_str() == target.as_str(),
                    "the link leads to {}",
                    got.display()
                );
                Ok(())
            }
            Body::Special(..) => Ok(()),
        }
    }

    /// Compares every name, inode and byte.
    pub(super) fn verify_all(&self) -> anyhow::Result<()> {
        self.verify_one(ROOT, &self.model.dir_path(ROOT))?;
        for name in &self.model.names {
            let path = self.model.path(name);
            self.verify_one(name.inode, &path)
                .with_context(|| self.model.short(&path).to_string())?;
        }
        Ok(())
    }

    fn verify_one(&self, key: Key, path: &Path) -> anyhow::Result<()> {
        self.verify_stat(key, path)?;
        self.verify_body(key, path)?;
        if matches!(self.model.inode(key).body, Body::File(_) | Body::Dir) {
            self.verify_xattrs(key, path)?;
        }
        Ok(())
    }
}
