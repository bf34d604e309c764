// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`FaultDisk`]: a disk that fails when it is told to.

use bento::mapped::DataDevice;
use bento::{BlockDevice, BlockNo, BlockWrite, Errno, Result, WriteOrder};
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A read of a metadata block or of data.
    Read,
    /// A write of metadata blocks or of data; the first half of it may be on the medium.
    Write,
    /// A flush, or a write with a barrier before anything of it is written.
    Flush,
}

/// Counters of what was done, and at which count it fails (0: never).
#[derive(Debug, Default)]
struct Plan {
    reads: Counter,
    writes: Counter,
    flushes: Counter,
}

#[derive(Debug, Default)]
struct Counter {
    done: AtomicU64,
    fails_at: AtomicU64,
}

impl Counter {
    fn count(&self) -> Result {
        let this = self.done.fetch_add(1, Ordering::SeqCst) + 1;
        if this == self.fails_at.load(Ordering::SeqCst) {
            return Err(Errno::EIO);
        }
        Ok(())
    }
}

/// A disk over `D` whose nth read, write or flush fails with `EIO`, once. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct FaultDisk<D> {
    disk: D,
    plan: Arc<Plan>,
}

impl<D> FaultDisk<D> {
    /// A disk without faults yet.
    #[must_use]
    pub fn new(disk: D) -> Self {
        Self {
            disk,
            plan: Arc::default(),
        }
    }

    /// The disk below.
    #[must_use]
    pub const fn inner(&self) -> &D {
        &self.disk
    }

    /// The `nth` (from 1) operation of this kind from now on fails; replaces an older order.
    pub fn fail(&self, fault: Fault, nth: u64) {
        let counter = self.counter(fault);
        let at = counter.done.load(Ordering::SeqCst) + nth;
        counter.fails_at.store(at, Ordering::SeqCst);
    }

    /// How many operations of this kind were asked for since the disk was made.
    #[must_use]
    pub fn count(&self, fault: Fault) -> u64 {
        self.counter(fault).done.load(Ordering::SeqCst)
    }

    fn counter(&self, fault: Fault) -> &Counter {
        match fault {
            Fault::Read => &self.plan.reads,
            Fault::Write => &self.plan.writes,
            Fault::Flush => &self.plan.flushes,
        }
    }
}

impl<D: BlockDevice> BlockDevice for FaultDisk<D> {
    type Buf = D::Buf;
    const BLOCK_SIZE: usize = D::BLOCK_SIZE;

    fn blocks(&self) -> u64 {
        self.disk.blocks()
    }

    fn read_only(&self) -> bool {
        self.disk.read_only()
    }

    fn read(&self, block: BlockNo) -> Result<D::Buf> {
        self.plan.reads.count()?;
        self.disk.read(block)
    }

    fn zeroed(&self, block: BlockNo) -> Result<D::Buf> {
        self.disk.zeroed(block)
    }

    fn write(&self, writes: &[BlockWrite<'_>], order: WriteOrder) -> Result {
        if order == WriteOrder::Barrier {
            self.plan.flushes.count()?;
        }
        self.plan.writes.count().or_else(|failed| {
            let (some, _) = writes.split_at(writes.len() / 2);
            self.disk.write(some, WriteOrder::Any)?;
            Err(failed)
        })?;
        self.disk.write(writes, order)
    }

    fn flush(&self) -> Result {
        self.plan.flushes.count()?;
        self.disk.flush()
    }
}

impl<D: DataDevice> DataDevice for FaultDisk<D> {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result {
        self.plan.reads.count()?;
        self.disk.read_at(offset, out)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result {
        self.plan.writes.count().or_else(|failed| {
            let (some, _) = data.split_at(data.len() / 2);
            self.disk.write_at(offset, some)?;
            Err(failed)
        })?;
        self.disk.write_at(offset, data)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, FaultDisk};
    use crate::MemDisk;
    use bento::{BlockDevice, BlockNo, Errno};

    #[test]
    fn only_the_nth_read_fails() {
        let disk = FaultDisk::new(MemDisk::new(4));
        disk.fail(Fault::Read, 2);
        let got: Vec<_> = (0..4).map(|_| disk.read(BlockNo(0)).err()).collect();
        assert_eq!(got, [None, Some(Errno::EIO), None, None]);
        assert_eq!(disk.count(Fault::Read), 4);
    }
}
