// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One worker: random operations in one directory, each answer compared with the model.

use super::model::{self, Node};
use crate::latency::{Sample, now};
use crate::mmap::SharedMap;
use crate::op;
use crate::rng::Rng;
use crate::stamp::{Stamp, difference};
use anyhow::Context;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

/// What a worker leaves behind.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) samples: Vec<Sample>,
    pub(super) failed: Vec<String>,
    pub(super) mismatches: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Worker {
    dir: PathBuf,
    rng: Rng,
    max_size: usize,
    /// Fixed number of slots; `None` is a file that does not exist now.
    nodes: Vec<Option<Node>>,
    dirs: Vec<String>,
    links: Vec<(String, String)>,
    /// For fresh names and generations.
    counter: u64,
    first_id: u16,
    outcome: Outcome,
}

impl Worker {
    pub(super) fn new(
        parent: &Path,
        number: u16,
        seed: u64,
        files: usize,
        max_size: usize,
    ) -> anyhow::Result<Self> {
        let dir = parent.join(format!("w{number}"));
        fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Self {
            dir,
            rng: Rng::new(seed.wrapping_mul(1000) + u64::from(number)),
            max_size,
            nodes: core::iter::repeat_with(|| None).take(files).collect(),
            dirs: Vec::new(),
            links: Vec::new(),
            counter: 0,
            first_id: number * 256 + 1,
            outcome: Outcome::default(),
        })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) const fn failures(&self) -> usize {
        self.outcome.failed.len() + self.outcome.mismatches.len()
    }

    pub(super) fn into_outcome(self) -> Outcome {
        self.outcome
    }

    /// Does one random operation on one random file.
    pub(super) fn step(&mut self) {
        if self.rng.one_in(20) {
            self.names();
            self.list();
            return;
        }
        let slot = self.rng.index(self.nodes.len());
        let Some(mut node) = self.nodes[slot].take() else {
            self.nodes[slot] = self.create(slot);
            return;
        };
        let kept = match self.rng.below(19) {
            0..6 => self.write(&mut node),
            6..10 => self.read(&mut node),
            10..12 => self.mapped(&mut node),
            12 => self.truncate(&mut node),
            13 => self.fsync(&node),
            14 => self.rename(&mut node),
            15 => self.replace(&node),
            16 => self.toggle_alias(&mut node),
            17 => self.stat(&node),
            _ => {
                self.unlink(&node);
                None
            }
        };
        if kept.is_some() {
            self.nodes[slot] = Some(node);
        } else {
            // Removed, or no longer known after an error: whatever is left of it goes.
            self.forget(&node);
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn fresh(&mut self, kind: &str) -> String {
        self.counter += 1;
        // Names of many lengths, the longest of 255 bytes among them.
        let pad = match self.rng.below(16) {
            0 => 240,
            1 => 100,
            n => n as usize,
        };
        let name = format!("{kind}{}-{}", self.counter, "x".repeat(pad));
        name[..name.len().min(255)].to_owned()
    }

    fn stamp(&mut self, id: u16) -> Stamp {
        self.counter += 1;
        let generation = (self.counter % 0xffff) as u16;
        Stamp { id, generation }
    }

    /// Runs and times one operation; an error is counted and gives `None`.
    fn timed<T>(&mut self, what: &str, name: &str, f: impl FnOnce() -> io::Result<T>) -> Option<T> {
        let start = now();
        let result = f();
        let end = now();
        self.outcome.samples.push(Sample { start, end });
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let line = format!("{what} {}/{name}: {}", self.dir.display(), op::name(&error));
                self.outcome.failed.push(line);
                None
            }
        }
    }

    fn mismatch(&mut self, what: &str, name: &str, text: &str) {
        let line = format!("{what} {}/{name}: {text}", self.dir.display());
        self.outcome.mismatches.push(line);
    }

    fn create(&mut self, slot: usize) -> Option<Node> {
        let name = self.fresh("f");
        let path = self.path(&name);
        let id = self.first_id + slot as u16;
        let file = self.timed("create", &name, || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).open(&path)
        })?;
        let keep = self.rng.one_in(3);
        let mut node = Node {
            name,
            alias: None,
            id,
            data: Vec::new(),
            handle: Some(file),
        };
        let kept = self.write(&mut node);
        if !keep {
            node.handle = None;
        }
        if kept.is_none() {
            self.forget(&node);
        }
        kept.map(|()| node)
    }

    /// The open handle of the node, or a new one.
    fn open(&mut self, node: &Node) -> Option<File> {
        let path = self.path(&node.name);
        match &node.handle {
            Some(file) => self.timed("dup", &node.name, || file.try_clone()),
            None => self.timed("open", &node.name, || {
                OpenOptions::new().read(true).write(true).open(&path)
            }),
        }
    }

    fn write(&mut self, node: &mut Node) -> Option<()> {
        let file = self.open(node)?;
        let len = 1 + match self.rng.below(4) {
            0 => self.rng.index(100),
            1 => self.rng.index(5000),
            _ => self.rng.index(self.max_size / 3),
        };
        let room = self.max_size - len;
        let offset = match self.rng.below(3) {
            0 => node.data.len().min(room),
            1 => self.rng.index(node.data.len().min(room) + 1),
            _ => self.rng.index(room + 1),
        };
        let piece = self.stamp(node.id).bytes(offset as u64, len);
        self.timed("write", &node.name, || {
            file.write_all_at(&piece, offset as u64)
        })?;
        node.put(offset, &piece);
        Some(())
    }

    fn read(&mut self, node: &mut Node) -> Option<()> {
        let file = self.open(node)?;
        let offset = self.rng.index(node.data.len() + 1);
        let len = 1 + self.rng.index(self.max_size / 2);
        let mut buf = vec![0; len];
        let end = node.data.len().min(offset + len);
        let got = self.timed("read", &node.name, || {
            read_up_to(&file, &mut buf, offset as u64)
        })?;
        if let Some(text) = difference(&buf[..got], &node.data[offset..end], offset as u64) {
            self.mismatch("read", &node.name, &text);
        }
        if self.rng.one_in(4) {
            node.handle = None;
        }
        Some(())
    }

    /// Reads and writes through a mapping of one to four pages.
    fn mapped(&mut self, node: &mut Node) -> Option<()> {
        if node.data.is_empty() {
            return Some(());
        }
        let file = self.open(node)?;
        let start = self.rng.index(node.data.len()) & !4095;
        let len = (node.data.len() - start).min(4096 * (1 + self.rng.index(4)));
        let map = self.timed("mmap", &node.name, || {
            SharedMap::new(&file, start as u64, len)
        })?;
        let mut buf = vec![0; len];
        self.timed("load", &node.name, || {
            map.read(0, &mut buf);
            Ok(())
        })?;
        if let Some(text) = difference(&buf, &node.data[start..start + len], start as u64) {
            self.mismatch("mmap", &node.name, &text);
        }
        let at = self.rng.index(len);
        let piece = self
            .stamp(node.id)
            .bytes((start + at) as u64, (len - at).min(600));
        self.timed("store", &node.name, || {
            map.write(at, &piece);
            Ok(())
        })?;
        node.put(start + at, &piece);
        if self.rng.one_in(4) {
            self.timed("msync", &node.name, || map.sync())?;
        }
        Some(())
    }

    fn truncate(&mut self, node: &mut Node) -> Option<()> {
        let file = self.open(node)?;
        let size = self.rng.index(self.max_size);
        self.timed("truncate", &node.name, || file.set_len(size as u64))?;
        node.data.resize(size, 0);
        Some(())
    }

    fn fsync(&mut self, node: &Node) -> Option<()> {
        let file = self.open(node)?;
        let data_only = self.rng.one_in(2);
        self.timed("fsync", &node.name, || {
            if data_only {
                file.sync_data()
            } else {
                file.sync_all()
            }
        })
    }

    fn rename(&mut self, node: &mut Node) -> Option<()> {
        let name = self.fresh("r");
        let (from, to) = (self.path(&node.name), self.path(&name));
        self.timed("rename", &node.name, || fs::rename(&from, &to))?;
        node.name = name;
        Some(())
    }

    /// Renames another file over this one, which is thereby gone.
    fn replace(&mut self, node: &Node) -> Option<()> {
        let other = self.rng.index(self.nodes.len());
        let Some(mut winner) = self.nodes[other].take() else {
            return self.stat(node);
        };
        let (from, to) = (self.path(&winner.name), self.path(&node.name));
        if self
            .timed("rename over", &winner.name, || fs::rename(&from, &to))
            .is_none()
        {
            self.forget(&winner);
            return None;
        }
        winner.name.clone_from(&node.name);
        // The file that lost its name may live on by its alias and its handle: check it once.
        if let Some(file) = &node.handle {
            self.check(file, &node.name, &node.data);
        }
        self.nodes[other] = Some(winner);
        if let Some(alias) = &node.alias {
            let path = self.path(alias);
            self.timed("unlink", alias, || fs::remove_file(&path));
        }
        // `node` has no name left: nothing for forget() to remove but what is gone already.
        None
    }

    fn toggle_alias(&mut self, node: &mut Node) -> Option<()> {
        if let Some(alias) = node.alias.take() {
            let path = self.path(&alias);
            return self.timed("unlink", &alias, || fs::remove_file(&path));
        }
        let alias = self.fresh("l");
        let (from, to) = (self.path(&node.name), self.path(&alias));
        self.timed("link", &node.name, || fs::hard_link(&from, &to))?;
        node.alias = Some(alias);
        Some(())
    }

    fn unlink(&mut self, node: &Node) {
        let names = core::iter::once(&node.name).chain(&node.alias);
        for name in names {
            let path = self.path(name);
            self.timed("unlink", name, || fs::remove_file(&path));
        }
        if let Some(file) = &node.handle {
            self.check(file, &node.name, &node.data);
        }
    }

    fn stat(&mut self, node: &Node) -> Option<()> {
        let path = self.path(&node.name);
        let meta = self.timed("stat", &node.name, || fs::metadata(&path))?;
        let (size, links) = (node.data.len() as u64, node.links());
        if (meta.len(), meta.nlink()) != (size, links) {
            let text = format!(
                "size {} links {}, expected {size} and {links}",
                meta.len(),
                meta.nlink()
            );
            self.mismatch("stat", &node.name, &text);
        }
        Some(())
    }

    /// Makes or removes a directory or a symbolic link.
    fn names(&mut self) -> Option<()> {
        match self.rng.below(4) {
            0 => self.make_dir()?,
            1 => self.make_link()?,
            2 => {
                if let Some(name) = self.dirs.pop() {
                    let path = self.path(&name);
                    self.timed("rmdir", &name, || fs::remove_dir(&path))?;
                }
            }
            _ => {
                if let Some((name, target)) = self.links.pop() {
                    let path = self.path(&name);
                    let got = self.timed("readlink", &name, || fs::read_link(&path))?;
                    if got != Path::new(&target) {
                        self.mismatch("readlink", &name, &format!("{}", got.display()));
                    }
                    self.timed("unlink", &name, || fs::remove_file(&path))?;
                }
            }
        }
        Some(())
    }

    fn make_dir(&mut self) -> Option<()> {
        let name = self.fresh("d");
        let path = self.path(&name);
        self.timed("mkdir", &name, || fs::create_dir(&path))?;
        self.dirs.push(name);
        Some(())
    }

    fn make_link(&mut self) -> Option<()> {
        let name = self.fresh("s");
        let target = format!("{}{}", self.counter, "/t".repeat(self.rng.index(900)));
        let path = self.path(&name);
        self.timed("symlink", &name, || symlink(&target, &path))?;
        self.links.push((name, target));
        Some(())
    }

    /// Compares a listing with the model. All nodes are in their slots.
    fn list(&mut self) {
        let dir = self.dir.clone();
        let listed = self.timed("readdir", "", || {
            fs::read_dir(&dir)?
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect::<io::Result<Vec<String>>>()
        });
        let Some(mut listed) = listed else {
            return;
        };
        listed.sort();
        let expected = model::names(&self.nodes, &self.dirs, &self.links);
        if listed != expected {
            let odd = listed.iter().find(|name| !expected.contains(name));
            let missing = expected.iter().find(|name| !listed.contains(name));
            let text = format!("unexpected {odd:?}, missing {missing:?}");
            self.mismatch("readdir", "", &text);
        }
    }

    /// Reads all of `file` and compares.
    fn check(&mut self, file: &File, name: &str, data: &[u8]) {
        let mut buf = vec![0; data.len() + 1];
        let Some(got) = self.timed("read", name, || read_up_to(file, &mut buf, 0)) else {
            return;
        };
        if let Some(text) = difference(&buf[..got], data, 0) {
            self.mismatch("read", name, &text);
        }
    }

    /// Removes names that the model no longer follows; errors do not matter here.
    fn forget(&self, node: &Node) {
        let still_used = |name: &String| self.nodes.iter().flatten().any(|n| n.name == *name);
        for name in core::iter::once(&node.name).chain(&node.alias) {
            if !still_used(name) {
                drop(fs::remove_file(self.path(name)));
            }
        }
    }

    /// Compares the listing and every file, by name and by open handle.
    pub(super) fn verify_all(&mut self) {
        if self.failures() == 0 {
            self.list();
        }
        for slot in 0..self.nodes.len() {
            let Some(node) = self.nodes[slot].take() else {
                continue;
            };
            self.stat(&node);
            let path = self.path(&node.name);
            if let Some(file) = self.timed("open", &node.name, || File::open(&path)) {
                self.check(&file, &node.name, &node.data);
            }
            if let Some(file) = &node.handle {
                self.check(file, &node.name, &node.data);
            }
            self.nodes[slot] = Some(node);
        }
    }
}

/// Reads until `buf` is full or the file ends.
fn read_up_to(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        match file.read_at(&mut buf[done..], offset + done as u64)? {
            0 => break,
            n => done += n,
        }
    }
    Ok(done)
}
