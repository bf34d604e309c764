// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the file system records: events on their way in, the log on its way to its files.

use super::{Host, exclusive};
use crate::HostDevice;
use bento::mapped;
use bento::prelude::*;
use std::sync::{Mutex, PoisonError};

/// The log of a mount; the lock lets one thread fetch at a time.
#[derive(Debug, Default)]
pub(super) struct Log(Mutex<State>);

#[derive(Debug)]
struct State {
    started: bool,
    /// What became of the last batch.
    last: Result,
    /// Somebody has been told that records are dropped.
    told: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            started: false,
            last: Ok(()),
            told: false,
        }
    }
}

impl<F: FileSystem<Device: HostDevice>> Host<F> {
    /// The file system records what happens.
    pub(crate) const RECORDS: bool = F::OPS.contains(OpSet::LOG) || Self::WATCHES;
    /// It wants to know about open files.
    pub(crate) const WATCHES: bool = F::OPS.contains(OpSet::EVENTS);

    /// A file was used. What the file system answers changes nothing for its user.
    pub fn event(&self, req: &Request, ino: InodeNo, event: FileEvent) {
        if !Self::WATCHES {
            return;
        }
        let told = (self.table.pin(ino))
            .and_then(|inode| self.leaf().call(|fs| fs.event(req, &inode.node, event)));
        if let Err(error) = told {
            log::debug!("{event:?} of inode {ino}: {error}");
        }
    }

    /// Appends what the file system has recorded to the files of its log. What cannot be appended
    /// is dropped; the file system counts it.
    pub fn flush_log(&self) {
        if self.leaf().read_only || !F::OPS.contains(OpSet::LOG) {
            return;
        }
        let mut state = self.log.0.lock().unwrap_or_else(PoisonError::into_inner);
        match self.flush_held(&mut state) {
            Ok(()) => state.told = state.last.is_err(),
            Err(_) if state.told => {}
            Err(error) => {
                log::error!("log records are dropped: {error}");
                state.told = true;
            }
        }
    }

    fn flush_held(&self, state: &mut State) -> Result {
        let req = crate::now();
        if !state.started {
            let root = self.table.pin(F::ROOT)?;
            let _held = exclusive(&root);
            self.leaf().call(|fs| fs.start_log(&req, &root.node))?;
            state.started = true;
        }
        let mut buffer = vec![0; LogBatch::MAX];
        loop {
            let last = core::mem::replace(&mut state.last, Ok(()));
            let fetched = self.leaf().call(|fs| fs.drain_log(&req, last, &mut buffer));
            let batch = fetched.inspect_err(|error| state.started &= *error != Errno::ENOENT)?;
            let bytes = buffer.get(..batch.len).ok_or(Errno::EIO)?;
            if bytes.is_empty() {
                return Ok(());
            }
            state.last = self.append(&req, &batch, bytes);
            if !batch.more {
                return state.last;
            }
        }
    }

    /// Not through [`Host::write`]: users may not write to the log.
    fn append(&self, req: &Request, batch: &LogBatch, bytes: &[u8]) -> Result {
        let inode = self.table.pin(batch.ino)?;
        let _held = exclusive(&inode);
        let leaf = self.leaf();
        if batch.restart {
            let empty = SetAttr {
                mask: SetAttrMask::SIZE | SetAttrMask::MTIME | SetAttrMask::CTIME,
                mtime: req.now,
                ctime: req.now,
                ..SetAttr::empty()
            };
            self.apply(req, &inode, &empty)?;
        }
        let size = self.attr(&inode)?.size;
        let done = leaf.call(|_| mapped::write(leaf.file(&inode.node), req, size, bytes))?;
        self.stamp(req, &inode)?;
        if done < bytes.len() {
            return Err(Errno::ENOSPC);
        }
        Ok(())
    }
}
