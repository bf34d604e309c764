// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The folder and the files of the log.
//!
//! `/.prov/log.0` to `log.3` are filled one after the other, and emptied before they are filled
//! again. The one to go on with is the one that was written last.

use crate::pending::Target;
use crate::{Inner, Node};
use alloc::sync::Arc;
use bento::sync::Mutex;
use bento::{Attr, Entry, Errno, FileKind, FileSystem, InodeFlags, InodeNo, NewInode, Request};
use bento::{LogStart, Result};
use core::sync::atomic::{AtomicU64, Ordering};

/// The folder of the log, in the root.
pub const FOLDER: &str = ".prov";
/// How many files the log has.
pub const FILES: usize = 4;
/// The folder comes first.
const SLOTS: usize = FILES + 1;
const NAMES: [&str; FILES] = ["log.0", "log.1", "log.2", "log.3"];
const FOLDER_MODE: u32 = 0o040_700;
const FILE_MODE: u32 = 0o100_600;

/// The name of a file of the log.
#[must_use]
pub fn file_name(index: usize) -> Option<&'static str> {
    NAMES.get(index).copied()
}

/// What is known of the log's inodes. A number is 0 while it is not known.
#[derive(Debug)]
pub(crate) struct LogFiles<N> {
    inos: [AtomicU64; SLOTS],
    nodes: Mutex<[Option<Arc<N>>; SLOTS]>,
    /// The number of the file that the host may empty.
    emptying: AtomicU64,
}

impl<N> LogFiles<N> {
    pub(crate) fn new() -> Self {
        Self {
            inos: [const { AtomicU64::new(0) }; SLOTS],
            nodes: Mutex::new([const { None }; SLOTS]),
            emptying: AtomicU64::new(0),
        }
    }

    fn slot(&self, ino: InodeNo) -> Option<usize> {
        let mut inos = self.inos.iter();
        inos.position(|known| known.load(Ordering::Relaxed) == ino.0)
    }

    /// Whether an inode belongs to the log.
    pub(crate) fn has(&self, ino: InodeNo) -> bool {
        self.slot(ino).is_some()
    }

    /// `EPERM` for an inode of the log.
    pub(crate) fn refuse(&self, ino: InodeNo) -> Result {
        if self.has(ino) {
            return Err(Errno::EPERM);
        }
        Ok(())
    }

    /// The host will now set the size of this file to zero.
    pub(crate) fn allow_emptying(&self, ino: Option<InodeNo>) {
        let ino = ino.map_or(0, |ino| ino.0);
        self.emptying.store(ino, Ordering::Relaxed);
    }

    pub(crate) fn may_empty(&self, ino: InodeNo) -> bool {
        self.emptying.load(Ordering::Relaxed) == ino.0
    }

    /// The number of a file.
    pub(crate) fn ino(&self, index: usize) -> Result<InodeNo> {
        let ino = self
            .inos
            .get(index + 1)
            .map(|ino| ino.load(Ordering::Relaxed));
        ino.filter(|ino| *ino != 0)
            .map(InodeNo)
            .ok_or(Errno::ENOENT)
    }

    /// What users see: nothing of the log can be changed.
    pub(crate) fn mark(&self, attr: &mut Attr) {
        if self.has(attr.ino) {
            attr.flags |= InodeFlags::IMMUTABLE;
        }
    }

    /// All inodes, for the host.
    fn answer(&self, made: bool) -> LogStart {
        let mut inodes = [None; LogStart::INODES_MAX];
        for (to, from) in inodes.iter_mut().zip(&self.inos) {
            let ino = from.load(Ordering::Relaxed);
            *to = (ino != 0).then_some(InodeNo(ino));
        }
        LogStart { inodes, made }
    }

    fn keep(&self, slot: usize, ino: InodeNo, node: N) -> Result<Arc<N>> {
        let node = Arc::new(node);
        let mut nodes = self.nodes.lock()?;
        if let (Some(place), Some(known)) = (nodes.get_mut(slot), self.inos.get(slot)) {
            *place = Some(Arc::clone(&node));
            known.store(ino.0, Ordering::Relaxed);
        }
        Ok(node)
    }

    /// The node of the log in `slot`, which everybody shares; loaded where it is not in memory.
    fn shared<F: FileSystem<Node = N>>(&self, fs: &F, slot: usize) -> Result<Arc<N>> {
        let ino = self
            .inos
            .get(slot)
            .map_or(0, |ino| ino.load(Ordering::Relaxed));
        if ino == 0 {
            return Err(Errno::ENOENT);
        }
        let mut nodes = self.nodes.lock()?;
        let place = nodes.get_mut(slot).ok_or(Errno::ENOENT)?;
        if let Some(node) = place {
            return Ok(Arc::clone(node));
        }
        let node = Arc::new(fs.load(InodeNo(ino))?.node);
        *place = Some(Arc::clone(&node));
        Ok(node)
    }

    /// Loads an inode for the host.
    pub(crate) fn load<F>(&self, fs: &F, ino: InodeNo) -> Result<Entry<Node<N>>>
    where
        F: FileSystem<Node = N>,
    {
        let Some(slot) = self.slot(ino) else {
            let Entry { attr, node } = fs.load(ino)?;
            let inner = Inner::Own(node);
            return Ok(Entry {
                attr,
                node: Node { ino, inner },
            });
        };
        let node = self.shared(fs, slot)?;
        let mut attr = fs.getattr(&node)?;
        self.mark(&mut attr);
        let inner = Inner::Shared(node);
        Ok(Entry {
            attr,
            node: Node { ino, inner },
        })
    }

    /// Looks for a log that is there, before anybody else uses the file system: from the first
    /// operation on it is protected. Changes nothing.
    pub(crate) fn find<F: FileSystem<Node = N>>(&self, fs: &F) -> Result {
        let req = Request::default();
        let root = fs.load(F::ROOT)?.node;
        let Some(folder) = found(fs.lookup(&req, &root, FOLDER.as_bytes()))? else {
            return Ok(());
        };
        let entry = fs.load(folder)?;
        if entry.attr.kind() != Some(FileKind::Directory) {
            return Ok(());
        }
        let folder = self.keep(0, folder, entry.node)?;
        for (name, known) in NAMES.iter().zip(self.inos.iter().skip(1)) {
            if let Some(ino) = found(fs.lookup(&req, &folder, name.as_bytes()))? {
                known.store(ino.0, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Makes what is missing.
    pub(crate) fn make<F>(&self, fs: &F, req: &Request, root: &N) -> Result<LogStart>
    where
        F: FileSystem<Node = N>,
    {
        let req = Request {
            uid: 0,
            gid: 0,
            ..*req
        };
        let mut made = false;
        let folder = match self.shared(fs, 0) {
            Err(Errno::ENOENT) => {
                if found(fs.lookup(&req, root, FOLDER.as_bytes()))?.is_some() {
                    log::error!("/{FOLDER} is no folder: remove it, so that a log can be kept");
                    return Err(Errno::ENOTDIR);
                }
                made = true;
                let entry =
                    fs.mkdir(&req, root, FOLDER.as_bytes(), &NewInode::plain(FOLDER_MODE))?;
                self.keep(0, entry.attr.ino, entry.node)?
            }
            folder => folder?,
        };
        for (index, name) in NAMES.iter().enumerate() {
            if self.ino(index).is_err() {
                made = true;
                let entry =
                    fs.create(&req, &folder, name.as_bytes(), &NewInode::plain(FILE_MODE))?;
                self.keep(index + 1, entry.attr.ino, entry.node)?;
            }
        }
        Ok(self.answer(made))
    }

    /// The file to go on with: the one that was written last, or the next where it is full.
    pub(crate) fn choose<F: FileSystem<Node = N>>(&self, fs: &F, limit: u64) -> Result<Target> {
        let mut best = (None, Target::EMPTY);
        for index in 0..FILES {
            let attr = fs.getattr(&*self.shared(fs, index + 1)?)?;
            if attr.kind() != Some(FileKind::Regular) {
                log::error!(
                    "/{FOLDER}/{} is no regular file",
                    NAMES.get(index).unwrap_or(&"")
                );
                return Err(Errno::EUCLEAN);
            }
            let time = Some((attr.mtime.sec, attr.mtime.nsec));
            if attr.size > 0 && time > best.0 {
                let target = Target {
                    index,
                    size: attr.size,
                    restart: false,
                };
                best = (time, target);
            }
        }
        Ok(best.1.advanced(limit))
    }
}

impl Target {
    const EMPTY: Self = Self {
        index: 0,
        size: 0,
        restart: false,
    };

    /// Itself, or the next file where it is full.
    pub(crate) const fn advanced(self, limit: u64) -> Self {
        if self.size < limit {
            return self;
        }
        Self {
            index: (self.index + 1) % FILES,
            size: 0,
            restart: true,
        }
    }
}

fn found(result: Result<InodeNo>) -> Result<Option<InodeNo>> {
    match result {
        Ok(ino) => Ok(Some(ino)),
        Err(Errno::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}
