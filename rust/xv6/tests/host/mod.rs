// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A small host for tests: paths, one node per inode, data by `bento::mapped`.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part of it"
)]

use bento::mapped::{self, DataDevice, MappedFile};
use bento::prelude::*;
use bento_sim::MemDisk;
use core::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use xv6::{FormatOptions, Node, Xv6};

/// Options of an ordinary mount.
pub const PLAIN: MountOptions<'static> = MountOptions::DEFAULT;

/// A mounted file system with its nodes.
pub struct Host<D: DataDevice + Clone> {
    pub fs: Xv6<D>,
    pub dev: D,
    nodes: RefCell<BTreeMap<u64, Rc<Node>>>,
    clock: Cell<i64>,
}

/// A new file system on a disk of `blocks` blocks, with few inodes and a small log.
pub fn formatted(blocks: usize) -> MemDisk {
    let disk = MemDisk::new(blocks);
    let options = FormatOptions {
        inodes: Some(256),
        log_blocks: Some(64),
        ..FormatOptions::default()
    };
    xv6::format(&disk, &options).expect("it fits");
    disk
}

/// A mounted new file system.
pub fn fresh(blocks: usize) -> Host<MemDisk> {
    Host::mount(formatted(blocks)).expect("a new file system can be mounted")
}

impl<D: DataDevice + Clone> Host<D> {
    pub fn mount(dev: D) -> Result<Self> {
        Self::mount_with(dev, &PLAIN)
    }

    pub fn mount_with(dev: D, options: &MountOptions<'_>) -> Result<Self> {
        Ok(Self::around(Xv6::mount(dev.clone(), options)?, dev))
    }

    pub fn around(fs: Xv6<D>, dev: D) -> Self {
        Self {
            fs,
            dev,
            nodes: RefCell::default(),
            clock: Cell::new(1000),
        }
    }

    /// A request a second after the one before.
    pub fn req(&self) -> Request {
        self.clock.set(self.clock.get() + 1);
        Request {
            uid: 1,
            gid: 2,
            pid: 3,
            now: Timespec {
                sec: self.clock.get(),
                nsec: 7,
            },
            comm: [0; 16],
        }
    }

    pub fn node(&self, ino: InodeNo) -> Result<Rc<Node>> {
        if let Some(node) = self.nodes.borrow().get(&ino.0) {
            return Ok(Rc::clone(node));
        }
        Ok(self.keep(self.fs.load(ino)?))
    }

    fn keep(&self, entry: Entry<Node>) -> Rc<Node> {
        let node = Rc::new(entry.node);
        let old = self
            .nodes
            .borrow_mut()
            .insert(entry.attr.ino.0, Rc::clone(&node));
        assert!(old.is_none(), "inode {} is in use already", entry.attr.ino);
        node
    }

    pub fn open(&self, path: &str) -> Result<Rc<Node>> {
        let mut node = self.node(Xv6::<D>::ROOT)?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            node = self.node(self.fs.lookup(&self.req(), &node, name.as_bytes())?)?;
        }
        Ok(node)
    }

    fn parent<'p>(&self, path: &'p str) -> Result<(Rc<Node>, &'p [u8])> {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.open(dir)?, name.as_bytes()))
    }

    /// Hosts never create a name that exists.
    fn absent(&self, path: &str) -> Result {
        match self.open(path) {
            Ok(_) => Err(Errno::EEXIST),
            Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub fn create(&self, path: &str) -> Result<Rc<Node>> {
        self.absent(path)?;
        let (dir, name) = self.parent(path)?;
        Ok(self.keep(
            self.fs
                .create(&self.req(), &dir, name, &NewInode::plain(0o100_644))?,
        ))
    }

    pub fn mkdir(&self, path: &str) -> Result<Rc<Node>> {
        self.absent(path)?;
        let (dir, name) = self.parent(path)?;
        Ok(self.keep(
            self.fs
                .mkdir(&self.req(), &dir, name, &NewInode::plain(0o040_755))?,
        ))
    }

    pub fn mknod(&self, path: &str, mode: u32, rdev: u32) -> Result<Rc<Node>> {
        let (dir, name) = self.parent(path)?;
        Ok(self.keep(
            self.fs
                .mknod(&self.req(), &dir, name, &NewInode::plain(mode), rdev)?,
        ))
    }

    pub fn symlink(&self, path: &str, target: &str) -> Result<Rc<Node>> {
        let (dir, name) = self.parent(path)?;
        let entry = self.fs.symlink(
            &self.req(),
            &dir,
            name,
            target.as_bytes(),
            &NewInode::plain(0o120_777),
        )?;
        Ok(self.keep(entry))
    }

    pub fn readlink(&self, path: &str) -> Result<String> {
        let mut out = vec![0; 4096];
        let len = self.fs.readlink(&*self.open(path)?, &mut out)?;
        out.truncate(len);
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    pub fn link(&self, old: &str, new: &str) -> Result {
        let node = self.open(old)?;
        let (dir, name) = self.parent(new)?;
        self.fs.link(&self.req(), &node, &dir, name)
    }

    /// Removes a name; the inode stays while the node that this returns is held.
    pub fn unlink(&self, path: &str) -> Result<Rc<Node>> {
        let node = self.open(path)?;
        let (dir, name) = self.parent(path)?;
        self.fs.unlink(&self.req(), &dir, name, &node)?;
        Ok(node)
    }

    pub fn rmdir(&self, path: &str) -> Result {
        let node = self.fs_rmdir(path)?;
        self.close(node)
    }

    /// Removes a directory that stays in use while the node that this returns is held.
    pub fn fs_rmdir(&self, path: &str) -> Result<Rc<Node>> {
        let node = self.open(path)?;
        let (dir, name) = self.parent(path)?;
        self.fs.rmdir(&self.req(), &dir, name, &node)?;
        Ok(node)
    }

    /// The last user of an inode goes away.
    pub fn close(&self, node: Rc<Node>) -> Result {
        let ino = node.ino().number();
        self.nodes.borrow_mut().remove(&ino.0);
        if self.fs.getattr(&node)?.nlink == 0 {
            repeat(|| self.fs.forget(&self.req(), &node))?;
        }
        Ok(())
    }

    pub fn remove(&self, path: &str) -> Result {
        let node = self.unlink(path)?;
        self.close(node)
    }

    pub fn rename(&self, from: &str, to: &str, flags: RenameFlags) -> Result {
        let node = self.open(from)?;
        let replaced = match self.open(to) {
            Ok(node) => Some(node),
            Err(Errno::ENOENT) => None,
            Err(error) => return Err(error),
        };
        let ((from_dir, from_name), (to_dir, to_name)) = (self.parent(from)?, self.parent(to)?);
        self.fs.rename(
            &self.req(),
            (&from_dir, from_name),
            (&to_dir, to_name),
            &node,
            replaced.as_deref(),
            flags,
        )
    }

    pub fn file<'a>(&'a self, node: &'a Node) -> MappedFile<'a, Xv6<D>> {
        MappedFile {
            fs: &self.fs,
            node,
            dev: &self.dev,
        }
    }

    pub fn write(&self, path: &str, offset: u64, data: &[u8]) -> Result<usize> {
        let node = self.open(path)?;
        mapped::write(self.file(&node), &self.req(), offset, data)
    }

    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.read_node(&*self.open(path)?)
    }

    pub fn read_node(&self, node: &Node) -> Result<Vec<u8>> {
        let size = self.fs.getattr(node)?.size;
        let mut out = vec![0xee; usize::try_from(size).expect("small in tests")];
        let len = mapped::read(self.file(node), 0, &mut out)?;
        assert_eq!(len, out.len());
        Ok(out)
    }

    pub fn truncate(&self, path: &str, size: u64) -> Result {
        let node = self.open(path)?;
        let mut set = SetAttr::empty();
        set.mask = SetAttrMask::SIZE;
        set.size = size;
        mapped::setattr(self.file(&node), &self.req(), &set)
    }

    pub fn attr(&self, path: &str) -> Result<Attr> {
        self.fs.getattr(&*self.open(path)?)
    }

    /// Name and cookie of every entry, read with a buffer of `room` bytes at a time.
    pub fn list(&self, path: &str, room: usize) -> Result<Vec<(String, u64)>> {
        let dir = self.open(path)?;
        let mut all = Vec::new();
        loop {
            let mut memory = vec![0; room];
            let mut out = DirBuf::new(&mut memory);
            let cookie = all.last().map_or(0, |(_, cookie)| *cookie);
            self.fs.readdir(&self.req(), &dir, cookie, &mut out)?;
            let used = out.used();
            if used == 0 {
                return Ok(all);
            }
            all.extend(bento::dirbuf::records(&memory[..used]).map(|record| {
                let name = String::from_utf8_lossy(record.name);
                (name.into_owned(), record.cookie)
            }));
        }
    }

    pub fn names(&self, path: &str) -> Vec<String> {
        let mut names: Vec<_> = self
            .list(path, 4096)
            .expect("readable")
            .into_iter()
            .collect();
        names.sort();
        names.into_iter().map(|(name, _)| name).collect()
    }

    /// Unmounts cleanly and mounts again.
    pub fn remount(self) -> Self {
        let dev = self.unmount();
        Self::mount(dev).expect("what was unmounted can be mounted")
    }

    pub fn unmount(self) -> D {
        for (_, node) in self.nodes.take() {
            if self.fs.getattr(&node).expect("in memory").nlink == 0 {
                repeat(|| self.fs.forget(&self.req(), &node)).expect("forget");
            }
        }
        self.fs.sync(&self.req()).expect("sync");
        self.fs.unmount().expect("unmount");
        assert_clean(&self.dev);
        self.dev
    }

    pub fn free(&self) -> (u64, u64) {
        let stat = self.fs.statfs().expect("statfs");
        (stat.blocks_free, stat.files_free)
    }
}

/// The checker finds nothing wrong.
pub fn assert_clean<D: BlockDevice>(dev: &D) {
    let report = xv6::check::check(dev).expect("readable");
    let lines: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert!(report.is_clean(), "{lines:#?}");
}

/// Calls until the answer is another than `EAGAIN`.
pub fn repeat(mut step: impl FnMut() -> Result) -> Result {
    loop {
        match step() {
            Err(Errno::EAGAIN) => {}
            result => return result,
        }
    }
}

/// Bytes that differ everywhere and by `seed`.
pub fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut rng = bento_sim::Rng::new(seed);
    (0..len)
        .map(|_| rng.below(256))
        .map(|b| u8::try_from(b).expect("below 256"))
        .collect()
}
