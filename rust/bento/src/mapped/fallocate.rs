// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `fallocate(2)` of a mapped file: what a host does around [`FileSystem::fallocate`].
//!
//! The system call takes bytes, the file system whole blocks. The parts of blocks at the ends of a
//! range are zeroed here, as `bentofs` does it in the page cache.

use super::{DataDevice, MappedFile, run_in, write_zeros, zero_tail};
use crate::{Errno, ExtentKind, Fallocate, FallocateMode, FileSystem, Request, Result};

/// Changes the space under `len` bytes at `offset`. With `keep_size` the size stays as it is
/// (`FALLOC_FL_KEEP_SIZE`); it always stays with `Punch`, and never with `Collapse` and `Insert`.
/// Times are left alone. The caller holds the inode exclusively and has seen that it is a regular
/// file.
///
/// # Errors
/// `EINVAL` where `len` is 0, or where `Collapse` or `Insert` do not fit the blocks or the size of
/// the file; `EFBIG`; those of the file system and of the device, after which data of the range may
/// have become zeros in part.
pub fn fallocate<F>(
    file: MappedFile<'_, F>,
    req: &Request,
    mode: FallocateMode,
    offset: u64,
    len: u64,
    keep_size: bool,
) -> Result
where
    F: FileSystem<Device: DataDevice>,
{
    let end = offset.checked_add(len).ok_or(Errno::EFBIG)?;
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    if end > F::MAX_FILE_SIZE {
        return Err(Errno::EFBIG);
    }
    let job = Job {
        file,
        req,
        offset,
        end,
        size: file.size()?,
    };
    match mode {
        FallocateMode::Allocate => job.allocate(keep_size),
        FallocateMode::Punch => job.punch(),
        FallocateMode::Zero => job.zero(keep_size),
        FallocateMode::Collapse => job.collapse(),
        FallocateMode::Insert => job.insert(),
    }
}

/// A range of a file, and the size of the file before.
struct Job<'a, F: FileSystem> {
    file: MappedFile<'a, F>,
    req: &'a Request,
    offset: u64,
    end: u64,
    size: u64,
}

impl<F: FileSystem<Device: DataDevice>> Job<'_, F> {
    fn allocate(&self, keep_size: bool) -> Result {
        let size = self.grow(keep_size)?;
        let (first, last) = self.touched();
        self.call(FallocateMode::Allocate, first, last, size)
    }

    fn punch(&self) -> Result {
        let (first, last) = self.zero_edges()?;
        self.call(FallocateMode::Punch, first, last, 0)
    }

    /// The whole blocks become unwritten; those at the edges, of which a part stays, are at least
    /// no holes.
    fn zero(&self, keep_size: bool) -> Result {
        let size = self.grow(keep_size)?;
        let (first, last) = self.zero_edges()?;
        if (first, last) == self.touched() {
            return self.call(FallocateMode::Zero, first, last, size);
        }
        self.call(FallocateMode::Zero, first, last, 0)?;
        let (first, last) = self.touched();
        self.call(FallocateMode::Allocate, first, last, size)
    }

    fn collapse(&self) -> Result {
        if !self.is_whole() || self.end >= self.size {
            return Err(Errno::EINVAL);
        }
        let size = self.size - (self.end - self.offset);
        self.call(FallocateMode::Collapse, self.offset, self.end, size)
    }

    fn insert(&self) -> Result {
        if !self.is_whole() || self.offset >= self.size {
            return Err(Errno::EINVAL);
        }
        let size = self.size.checked_add(self.end - self.offset);
        match size {
            Some(size) if size <= F::MAX_FILE_SIZE => {
                self.call(FallocateMode::Insert, self.offset, self.end, size)
            }
            _ => Err(Errno::EFBIG),
        }
    }

    /// Asks the file system, again as long as it wants that. An empty range needs no call: edges
    /// were zeroed, and the size is moved by a call for blocks that the range touches.
    fn call(&self, mode: FallocateMode, first: u64, last: u64, size: u64) -> Result {
        if first >= last {
            return Ok(());
        }
        let range = Fallocate {
            mode,
            offset: first,
            len: last - first,
            size,
        };
        loop {
            match self.file.fs.fallocate(self.req, self.file.node, &range) {
                Err(Errno::EAGAIN) => {}
                result => return result,
            }
        }
    }

    /// The size to ask for, 0 where it stays. What lies behind the old end of the file in its last
    /// block becomes visible when the file grows: it is zeroed.
    fn grow(&self, keep_size: bool) -> Result<u64> {
        if keep_size || self.end <= self.size {
            return Ok(0);
        }
        zero_tail(self.file, self.size, u64::MAX)?;
        Ok(self.end)
    }

    /// Zeroes the parts of blocks at both ends; returns where the whole blocks begin and end.
    fn zero_edges(&self) -> Result<(u64, u64)> {
        let block = MappedFile::<F>::block();
        let (first, last) = (
            self.offset.next_multiple_of(block),
            self.end - self.end % block,
        );
        if first > last {
            // Both ends in one block, none of them at its edge.
            self.zero_part(self.offset, self.end)?;
        } else {
            self.zero_part(self.offset, first)?;
            self.zero_part(last, self.end)?;
        }
        Ok((first, last))
    }

    /// Zeroes bytes of one block, unless they are zeros without being stored.
    fn zero_part(&self, from: u64, to: u64) -> Result {
        if from == to {
            return Ok(());
        }
        let extent = self.file.map(from, to - from)?;
        run_in(&extent, from, 1)?;
        match extent.kind {
            ExtentKind::Hole | ExtentKind::Unwritten(_) => Ok(()),
            ExtentKind::Mapped(device) => {
                let place = super::place(&extent, device, from)?;
                write_zeros(self.file.dev, place, to - from)
            }
        }
    }

    /// The blocks that hold any part of the range.
    fn touched(&self) -> (u64, u64) {
        let block = MappedFile::<F>::block();
        (
            self.offset - self.offset % block,
            self.end.next_multiple_of(block),
        )
    }

    fn is_whole(&self) -> bool {
        let block = MappedFile::<F>::block();
        self.offset.is_multiple_of(block) && self.end.is_multiple_of(block)
    }
}
