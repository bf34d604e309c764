// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Player`]: makes one call of a trace after the other. What the fields of an event mean is told
//! in `kernel-module/README.md`, "Tracepoints".

use super::trace::{Call, nanoseconds};
use bento::mapped::DataDevice;
use bento::prelude::*;
use bento_fuse::FileDisk;
use std::collections::HashMap;
use std::rc::Rc;
use xv6::{Node, Xv6};

/// Bytes of a block; data is written in whole blocks.
const BLOCK: u64 = 4096;

/// A mount on which calls are repeated.
pub(super) struct Player {
    fs: Xv6<FileDisk>,
    disk: FileDisk,
    /// By the number that the trace gives: a new inode may get another one here.
    nodes: HashMap<u64, Rc<Node>>,
}

impl Player {
    pub(super) fn new(fs: Xv6<FileDisk>, disk: FileDisk) -> Self {
        Self {
            fs,
            disk,
            nodes: HashMap::new(),
        }
    }

    /// Makes a call; returns 0 or the negative error number. `None` for calls that change nothing.
    pub(super) fn repeat(&mut self, call: &Call) -> Option<i32> {
        let result = match call.op.as_str() {
            "create" | "mknod" | "mkdir" | "symlink" | "tmpfile" => self.make(call),
            "link" | "unlink" | "rmdir" => self.name(call),
            "rename" => self.rename(call),
            "setattr" => self.setattr(call),
            "setxattr" | "removexattr" => self.xattr(call),
            "fallocate" | "allocate" | "commit" => self.space(call),
            "fsync" => {
                let datasync = call.a != 0;
                self.node(call.ino)
                    .and_then(|node| self.fs.fsync(&request(call), &node, datasync))
            }
            "forget" => self.forget(call),
            "sync" => self.fs.sync(&request(call)),
            _ => return None,
        };
        Some(result.err().map_or(0, |error| -error.raw()))
    }

    /// Makes everything durable and unmounts.
    pub(super) fn finish(mut self) -> Result {
        self.nodes.clear();
        self.fs.sync(&Request::default())?;
        self.fs.unmount()
    }

    fn node(&mut self, ino: u64) -> Result<Rc<Node>> {
        if let Some(node) = self.nodes.get(&ino) {
            return Ok(Rc::clone(node));
        }
        let node = Rc::new(self.fs.load(InodeNo(ino))?.node);
        self.nodes.insert(ino, Rc::clone(&node));
        Ok(node)
    }

    fn make(&mut self, call: &Call) -> Result {
        let (req, dir) = (request(call), self.node(call.ino)?);
        let (name, mode) = (call.name.as_slice(), low(call.a));
        let new = NewInode::plain(mode);
        let entry = match call.op.as_str() {
            "create" => self.fs.create(&req, &dir, name, &new),
            "mknod" => self.fs.mknod(&req, &dir, name, &new, low(call.c)),
            "mkdir" => self.fs.mkdir(&req, &dir, name, &new),
            "symlink" => self.fs.symlink(&req, &dir, name, &call.name2, &new),
            _ => self.fs.tmpfile(&req, &dir, &new),
        }?;
        // Where it failed in the trace, nothing speaks of the inode later.
        self.nodes.insert(call.made, Rc::new(entry.node));
        Ok(())
    }

    fn name(&mut self, call: &Call) -> Result {
        let (req, dir, node) = (request(call), self.node(call.ino)?, self.node(call.a)?);
        match call.op.as_str() {
            "link" => self.fs.link(&req, &node, &dir, &call.name),
            "unlink" => self.fs.unlink(&req, &dir, &call.name, &node),
            _ => self.fs.rmdir(&req, &dir, &call.name, &node),
        }
    }

    fn rename(&mut self, call: &Call) -> Result {
        let (req, from, to) = (request(call), self.node(call.ino)?, self.node(call.a)?);
        let node = self.node(call.b)?;
        let flags = RenameFlags::from_bits_retain(low(call.c));
        let replaced = match self.fs.lookup(&req, &to, &call.name2) {
            Ok(ino) => Some(self.by_number(ino)?),
            Err(Errno::ENOENT) => None,
            Err(error) => return Err(error),
        };
        let (from, to) = (
            (&*from, call.name.as_slice()),
            (&*to, call.name2.as_slice()),
        );
        self.fs
            .rename(&req, from, to, &node, replaced.as_deref(), flags)
    }

    /// The node of an inode by its number here: there must not be two.
    fn by_number(&mut self, ino: InodeNo) -> Result<Rc<Node>> {
        let found = self.nodes.values().find(|node| node.ino().number() == ino);
        match found {
            Some(node) => Ok(Rc::clone(node)),
            None => self.node(ino.0),
        }
    }

    fn setattr(&mut self, call: &Call) -> Result {
        let (req, node) = (request(call), self.node(call.ino)?);
        let mut set = SetAttr::empty();
        set.mask = SetAttrMask::from_bits_retain(low(call.a));
        set.mode = high(call.a);
        (set.uid, set.gid) = (low(call.b), high(call.b));
        if set.mask.contains(SetAttrMask::FLAGS) {
            set.flags = InodeFlags::from_bits_retain(low(call.c));
        } else {
            set.size = call.c;
        }
        let times = String::from_utf8_lossy(&call.name);
        let mut times = times.split(',').map(timespec);
        let mut next = || times.next().flatten().unwrap_or_default();
        (set.atime, set.mtime, set.ctime) = (next(), next(), next());
        self.fs.setattr(&req, &node, &set)
    }

    fn xattr(&mut self, call: &Call) -> Result {
        let (req, node) = (request(call), self.node(call.ino)?);
        if call.op == "removexattr" {
            return self.fs.removexattr(&req, &node, &call.name);
        }
        let mut value = call.name2.clone();
        let len = usize::try_from(call.b).map_err(|_| Errno::EINVAL)?;
        if value.len() != len {
            log::warn!(
                "line {}: the trace has cut off the value; zeros instead",
                call.line
            );
            value.resize(len, 0);
        }
        let attr = Xattr {
            name: &call.name,
            value: &value,
        };
        let flags = XattrFlags::from_bits_retain(low(call.a));
        self.fs.setxattr(&req, &node, &attr, flags)
    }

    fn space(&mut self, call: &Call) -> Result {
        let (req, node) = (request(call), self.node(call.ino)?);
        match call.op.as_str() {
            "allocate" => self.fs.allocate(&req, &node, call.a, call.b).map(drop),
            "commit" => {
                self.fill(&node, call)?;
                self.fs.commit(&req, &node, call.a, call.b, call.c)
            }
            _ => {
                let range = Fallocate {
                    mode: mode(call.a % BLOCK)?,
                    offset: call.a - call.a % BLOCK,
                    len: call.b,
                    size: call.c,
                };
                self.fs.fallocate(&req, &node, &range)
            }
        }
    }

    /// Writes something where data went.
    fn fill(&self, node: &Node, call: &Call) -> Result {
        let (mut at, end) = (call.a - call.a % BLOCK, call.a.saturating_add(call.b));
        while at < end {
            let extent = self.fs.map(node, at, end - at)?;
            let next = extent.end().filter(|next| *next > at).ok_or(Errno::EIO)?;
            if let ExtentKind::Mapped(place) | ExtentKind::Unwritten(place) = extent.kind {
                let behind = at - extent.offset;
                let mut block = at;
                while block < next.min(end) {
                    let bytes = pattern(call.ino, block);
                    self.disk.write_at(place + behind + (block - at), &bytes)?;
                    block += BLOCK;
                }
            }
            at = next;
        }
        Ok(())
    }

    fn forget(&mut self, call: &Call) -> Result {
        let node = self.node(call.ino)?;
        let result = self.fs.forget(&request(call), &node);
        if result.is_ok() {
            self.nodes.remove(&call.ino);
        }
        result
    }
}

fn request(call: &Call) -> Request {
    let sec = i64::try_from(call.time / 1_000_000_000).unwrap_or_default();
    Request {
        uid: low(call.b),
        gid: high(call.b),
        now: Timespec {
            sec,
            nsec: u32::try_from(call.time % 1_000_000_000).unwrap_or_default(),
        },
        ..Request::default()
    }
}

fn low(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
}

fn high(number: u64) -> u32 {
    low(number >> 32)
}

/// Seconds before 1970 are negative.
fn timespec(text: &str) -> Option<Timespec> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let whole = nanoseconds(digits)?;
    Some(Timespec {
        sec: sign * i64::try_from(whole / 1_000_000_000).ok()?,
        nsec: u32::try_from(whole % 1_000_000_000).ok()?,
    })
}

/// `BENTO_FALLOC_*`.
fn mode(number: u64) -> Result<FallocateMode> {
    Ok(match number {
        0 => FallocateMode::Allocate,
        1 => FallocateMode::Punch,
        2 => FallocateMode::Zero,
        3 => FallocateMode::Collapse,
        4 => FallocateMode::Insert,
        _ => return Err(Errno::EINVAL),
    })
}

/// The block at `offset` of an inode: never zero.
fn pattern(ino: u64, offset: u64) -> Vec<u8> {
    let word = ((ino << 40) | (offset / BLOCK) | (1 << 63)).to_le_bytes();
    word.repeat(512)
}
