// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A small host: one node per inode, and the log as `bentofs` drives it.

use bento::mapped::{self, DataDevice, MappedFile};
use bento::prelude::*;
use bento_sim::MemDisk;
use core::cell::{Cell, RefCell};
use prov::record::{Item, Kind, Reader};
use prov::{FILES, FOLDER, file_name};
use std::collections::BTreeMap;
use std::rc::Rc;
use xv6::FormatOptions;

/// A new file system on a disk of `blocks` blocks.
pub(crate) fn formatted(blocks: usize) -> MemDisk {
    let disk = MemDisk::new(blocks);
    let options = FormatOptions {
        inodes: Some(64),
        log_blocks: Some(64),
        ..FormatOptions::default()
    };
    xv6::format(&disk, &options).expect("it fits");
    disk
}

/// What a record says, without its lifetime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) kind: Kind,
    pub(crate) seq: u64,
    pub(crate) time: Timespec,
    pub(crate) pid: u32,
    pub(crate) uid: u32,
    pub(crate) comm: [u8; 16],
    pub(crate) ino: u64,
    pub(crate) parent: u64,
    pub(crate) other: u64,
    pub(crate) extra: u64,
    pub(crate) name: Vec<u8>,
    pub(crate) name2: Vec<u8>,
}

/// A mount.
pub(crate) struct Host<F: FileSystem> {
    fs: F,
    dev: F::Device,
    nodes: RefCell<BTreeMap<u64, Rc<F::Node>>>,
    clock: Cell<i64>,
    started: Cell<bool>,
    last: Cell<Result>,
}

impl<F: FileSystem<Device: DataDevice + Clone>> Host<F> {
    pub(crate) fn mount(dev: F::Device) -> Result<Self> {
        let fs = F::mount(dev.clone(), &MountOptions::DEFAULT)?;
        Ok(Self::around(fs, dev))
    }

    pub(crate) fn around(fs: F, dev: F::Device) -> Self {
        Self {
            fs,
            dev,
            nodes: RefCell::default(),
            clock: Cell::new(0),
            started: Cell::new(false),
            last: Cell::new(Ok(())),
        }
    }

    pub(crate) fn disk(&self) -> F::Device {
        self.dev.clone()
    }

    pub(crate) fn unmount(self) -> Result {
        self.flush_log();
        self.nodes.borrow_mut().clear();
        self.fs.sync(&self.req())?;
        self.fs.unmount()
    }

    pub(crate) fn sync(&self) {
        self.fs.sync(&self.req()).expect("the disk works");
    }

    /// Time goes on after the last record of the log.
    pub(crate) fn tick(&self) {
        self.clock.set(self.clock.get() + 1);
    }

    fn req(&self) -> Request {
        if self.clock.get() == 0 && F::OPS.contains(OpSet::LOG) {
            let last = self.records().last().map_or(0, |record| record.time.sec);
            self.clock.set(last + 1);
        }
        Request {
            uid: 1000,
            gid: 1000,
            pid: 42,
            now: Timespec {
                sec: self.clock.get(),
                nsec: 0,
            },
            comm: *b"tester\0\0\0\0\0\0\0\0\0\0",
        }
    }

    fn node(&self, ino: InodeNo) -> Rc<F::Node> {
        let mut nodes = self.nodes.borrow_mut();
        let load = || Rc::new(self.fs.load(ino).expect("exists").node);
        Rc::clone(nodes.entry(ino.0).or_insert_with(load))
    }

    fn keep(&self, entry: Entry<F::Node>) -> InodeNo {
        let old = (self.nodes.borrow_mut()).insert(entry.attr.ino.0, Rc::new(entry.node));
        assert!(old.is_none(), "two nodes of one inode");
        entry.attr.ino
    }

    pub(crate) fn lookup(&self, dir: InodeNo, name: &str) -> Result<InodeNo> {
        let dir = self.node(dir);
        // Not by req(): it looks names up itself.
        self.fs.lookup(&Request::default(), &dir, name.as_bytes())
    }

    pub(crate) fn getattr(&self, ino: InodeNo) -> Attr {
        self.fs.getattr(&self.node(ino)).expect("in memory")
    }

    pub(crate) fn setattr(&self, ino: InodeNo, set: &SetAttr) -> Result {
        self.fs.setattr(&self.req(), &self.node(ino), set)
    }

    pub(crate) fn truncate(&self, ino: InodeNo, size: u64) -> Result {
        let set = SetAttr {
            mask: SetAttrMask::SIZE,
            size,
            ..SetAttr::empty()
        };
        self.setattr(ino, &set)
    }

    pub(crate) fn try_create(&self, dir: InodeNo, name: &str) -> Result<InodeNo> {
        let new = NewInode::plain(0o100_644);
        let dir = self.node(dir);
        let entry = (self.fs).create(&self.req(), &dir, name.as_bytes(), &new)?;
        Ok(self.keep(entry))
    }

    pub(crate) fn create(&self, dir: InodeNo, name: &str) -> InodeNo {
        self.try_create(dir, name).expect("a new name")
    }

    pub(crate) fn mkdir(&self, dir: InodeNo, name: &str) -> InodeNo {
        let new = NewInode::plain(0o040_755);
        let dir = self.node(dir);
        let made = (self.fs).mkdir(&self.req(), &dir, name.as_bytes(), &new);
        self.keep(made.expect("a new name"))
    }

    pub(crate) fn link(&self, ino: InodeNo, dir: InodeNo, name: &str) -> Result {
        let (node, dir) = (self.node(ino), self.node(dir));
        self.fs.link(&self.req(), &node, &dir, name.as_bytes())
    }

    pub(crate) fn unlink(&self, dir: InodeNo, name: &str, ino: InodeNo) -> Result {
        let (node, dir) = (self.node(ino), self.node(dir));
        self.fs.unlink(&self.req(), &dir, name.as_bytes(), &node)?;
        if self.fs.getattr(&node)?.nlink == 0 {
            self.nodes.borrow_mut().remove(&ino.0);
            while self.fs.forget(&self.req(), &node) == Err(Errno::EAGAIN) {}
        }
        Ok(())
    }

    pub(crate) fn rename(
        &self,
        from: (InodeNo, &str),
        to: (InodeNo, &str),
        ino: InodeNo,
    ) -> Result {
        let (old, new, node) = (self.node(from.0), self.node(to.0), self.node(ino));
        let (from, to) = ((&*old, from.1.as_bytes()), (&*new, to.1.as_bytes()));
        let flags = RenameFlags::empty();
        self.fs.rename(&self.req(), from, to, &node, None, flags)
    }

    pub(crate) fn event(&self, ino: InodeNo, event: FileEvent) {
        let told = self.fs.event(&self.req(), &self.node(ino), event);
        told.expect("events are taken");
    }

    pub(crate) fn start_log(&self) -> Result<LogStart> {
        self.fs.start_log(&self.req(), &self.node(F::ROOT))
    }

    /// As the host's worker does.
    pub(crate) fn flush_log(&self) {
        if !F::OPS.contains(OpSet::LOG) {
            return;
        }
        if !self.started.replace(true) {
            let started = self.start_log().expect("there is space");
            let inodes = started.inodes.iter().flatten();
            assert_eq!(inodes.count(), FILES + 1);
        }
        let mut buffer = vec![0; LogBatch::MAX];
        while self.fetch(&mut buffer).expect("started") {}
    }

    pub(crate) fn flush_log_when_asked(&self) {
        if self.fs.wants_drain() {
            self.flush_log();
        }
    }

    /// Fetches a batch and cannot store it.
    pub(crate) fn drop_log(&self) {
        let mut buffer = vec![0; LogBatch::MAX];
        let batch = self
            .fs
            .drain_log(&self.req(), self.last.replace(Ok(())), &mut buffer);
        assert!(batch.expect("started").len > 0);
        self.last.set(Err(Errno::ENOSPC));
    }

    fn fetch(&self, buffer: &mut [u8]) -> Result<bool> {
        let req = self.req();
        let batch = (self.fs).drain_log(&req, self.last.replace(Ok(())), buffer)?;
        if batch.len == 0 {
            return Ok(false);
        }
        let node = self.node(batch.ino);
        let file = MappedFile {
            fs: &self.fs,
            node: &*node,
            dev: &self.dev,
        };
        let times = SetAttrMask::MTIME | SetAttrMask::CTIME;
        let mut set = SetAttr {
            mask: times | SetAttrMask::SIZE,
            mtime: req.now,
            ctime: req.now,
            ..SetAttr::empty()
        };
        if batch.restart {
            mapped::setattr(file, &req, &set)?;
        }
        let size = self.fs.getattr(&node)?.size;
        let done = mapped::write(file, &req, size, &buffer[..batch.len])?;
        assert_eq!(done, batch.len);
        set.mask = times;
        mapped::setattr(file, &req, &set)?;
        Ok(batch.more)
    }

    fn log_files(&self) -> Vec<InodeNo> {
        let Ok(folder) = self.lookup(F::ROOT, FOLDER) else {
            return Vec::new();
        };
        let names = (0..FILES).filter_map(file_name);
        names
            .filter_map(|name| self.lookup(folder, name).ok())
            .collect()
    }

    pub(crate) fn log_sizes(&self) -> Vec<u64> {
        let files = self.log_files().into_iter();
        files.map(|ino| self.getattr(ino).size).collect()
    }

    /// All records, oldest first. There must be no damage.
    pub(crate) fn records(&self) -> Vec<Owned> {
        let mut parts = Vec::new();
        for ino in self.log_files() {
            let node = self.node(ino);
            let file = MappedFile {
                fs: &self.fs,
                node: &*node,
                dev: &self.dev,
            };
            let size = usize::try_from(self.getattr(ino).size).expect("small");
            let mut bytes = vec![0; size];
            mapped::read(file, 0, &mut bytes).expect("readable");
            let records: Vec<_> = Reader::new(&bytes).map(owned).collect();
            parts.push(records);
        }
        parts.sort_by_key(|part| part.first().map(|record| (record.time.sec, record.seq)));
        parts.into_iter().flatten().collect()
    }

    /// Replaces the code, as a live upgrade does: what waits is fetched before.
    pub(crate) fn upgrade<G>(self) -> Result<Host<G>>
    where
        F: Upgrade,
        G: Upgrade<Device = F::Device>,
    {
        self.fs.prepare()?;
        if !G::OPS.contains(OpSet::LOG) {
            self.flush_log();
        }
        let mut out = StateWriter::new();
        self.fs.export(&mut out)?;
        let bytes = out.seal()?;
        let state = StateReader::unseal(&bytes)?;
        let schema = *F::SCHEMA.end();
        let next = G::import(self.dev.clone(), &MountOptions::DEFAULT, schema, &state)?;
        let host = Host::around(next, self.dev.clone());
        host.clock.set(self.clock.get());
        Ok(host)
    }
}

fn owned(item: Item<'_>) -> Owned {
    let Item::Record(record) = item else {
        panic!("damage: {item:?}");
    };
    Owned {
        kind: record.kind,
        seq: record.seq,
        time: record.time,
        pid: record.pid,
        uid: record.uid,
        comm: record.comm,
        ino: record.ino,
        parent: record.parent,
        other: record.other,
        extra: record.extra,
        name: record.name.to_vec(),
        name2: record.name2.to_vec(),
    }
}
