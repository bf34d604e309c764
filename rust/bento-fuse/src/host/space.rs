// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Space: fallocate in files, trim on the device, copies inside the mount.

use super::{Host, exclusive};
use crate::HostDevice;
use bento::mapped;
use bento::prelude::*;

/// The most bytes that one step of a copy holds in memory.
const COPY_STEP: u64 = 1 << 20;

impl<F: FileSystem<Device: HostDevice>> Host<F> {
    /// Changes the space under a range of a file (`fallocate(2)`), and its times.
    ///
    /// # Errors
    /// `EOPNOTSUPP` where the file system cannot; `EINVAL`, `ENOSPC`, `EFBIG`, `EROFS`, `EPERM`,
    /// others of the file system.
    pub fn fallocate(
        &self,
        req: &Request,
        ino: InodeNo,
        mode: FallocateMode,
        (offset, len): (u64, u64),
        keep_size: bool,
    ) -> Result {
        if !F::OPS.contains(OpSet::FALLOCATE) {
            return Err(Errno::EOPNOTSUPP);
        }
        self.writable()?;
        let inode = self.table.pin(ino)?;
        let _held = exclusive(&inode);
        match mode {
            FallocateMode::Allocate => self.extensible(&inode)?,
            _ => self.changeable(&inode)?,
        }
        let leaf = self.leaf();
        leaf.call(|_| {
            let file = leaf.file(&inode.node);
            mapped::fallocate(file, req, mode, offset, len, keep_size)
        })?;
        self.stamp(req, &inode)?;
        self.settle(req, &inode)
    }

    /// Discards free space of the device; returns how many bytes (`FITRIM`).
    ///
    /// # Errors
    /// `EOPNOTSUPP` where the file system or the device cannot; `EROFS`; `EINVAL` where the range
    /// is empty; others of the file system.
    pub fn trim(&self, req: &Request, range: &TrimRange) -> Result<u64> {
        if !F::OPS.contains(OpSet::TRIM) {
            return Err(Errno::EOPNOTSUPP);
        }
        self.writable()?;
        let block = u64::try_from(F::Device::BLOCK_SIZE).map_err(|_| Errno::EINVAL)?;
        let mut range = *range;
        range.start = range
            .start
            .checked_next_multiple_of(block)
            .ok_or(Errno::EINVAL)?;
        range.end = range
            .end
            .min(self.leaf().dev.blocks().saturating_mul(block));
        if range.start >= range.end {
            return Err(Errno::EINVAL);
        }
        let mut trimmed = 0u64;
        while range.start < range.end {
            let step = self.leaf().call(|fs| fs.trim(req, &range))?;
            if step.next <= range.start {
                log::error!("trim does not come on: {step:?} of {range:?}");
                return Err(Errno::EIO);
            }
            trimmed = trimmed.saturating_add(step.bytes);
            range.start = step.next;
        }
        Ok(trimmed)
    }

    /// Copies up to `len` bytes between two files, or inside one; returns how many. Holes become
    /// zeros.
    ///
    /// # Errors
    /// Those of [`Host::read`] and [`Host::write`] where nothing was copied.
    pub fn copy(
        &self,
        req: &Request,
        from: (InodeNo, u64),
        to: (InodeNo, u64),
        len: u64,
    ) -> Result<u64> {
        let mut done = 0;
        while done < len {
            match self.copy_step(req, from, to, done, COPY_STEP.min(len - done)) {
                Ok(0) => break,
                Ok(step) => done += step,
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn copy_step(
        &self,
        req: &Request,
        from: (InodeNo, u64),
        to: (InodeNo, u64),
        done: u64,
        len: u64,
    ) -> Result<u64> {
        let place = |start: u64| start.checked_add(done).ok_or(Errno::EFBIG);
        let len = usize::try_from(len).map_err(|_| Errno::EFBIG)?;
        let data = self.read(req, from.0, place(from.1)?, len)?;
        if data.is_empty() {
            return Ok(0);
        }
        let written = self.write(req, to.0, place(to.1)?, &data)?;
        u64::try_from(written).map_err(|_| Errno::EFBIG)
    }
}
