// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`FaultDisk`]: a disk that fails when it is told to.

use crate::tap::{Tap, Tapped};
use bento::mapped::DataDevice;
use bento::{BlockDevice, BlockWrite, Errno, Result, WriteOrder};
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

/// Counters of what was done, and at which count it fails (0: never). Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Plan(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
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

impl Plan {
    fn counter(&self, fault: Fault) -> &Counter {
        match fault {
            Fault::Read => &self.0.reads,
            Fault::Write => &self.0.writes,
            Fault::Flush => &self.0.flushes,
        }
    }
}

/// A disk over `D` whose nth read, write or flush fails with `EIO`, once. Clones are the same disk.
pub type FaultDisk<D> = Tapped<D, Plan>;

impl<D> FaultDisk<D> {
    /// A disk without faults yet.
    #[must_use]
    pub fn new(disk: D) -> Self {
        Self::around(disk, Plan::default())
    }

    /// The `nth` (from 1) operation of this kind from now on fails; replaces an older order.
    pub fn fail(&self, fault: Fault, nth: u64) {
        let counter = self.tap.counter(fault);
        let at = counter.done.load(Ordering::SeqCst) + nth;
        counter.fails_at.store(at, Ordering::SeqCst);
    }

    /// How many operations of this kind were asked for since the disk was made.
    #[must_use]
    pub fn count(&self, fault: Fault) -> u64 {
        self.tap.counter(fault).done.load(Ordering::SeqCst)
    }
}

impl<D: BlockDevice> Tap<D> for Plan {
    fn on_read(&self) -> Result {
        self.0.reads.count()
    }

    fn write(&self, disk: &D, writes: &[BlockWrite<'_>], order: WriteOrder) -> Result {
        if order == WriteOrder::Barrier {
            self.0.flushes.count()?;
        }
        self.0.writes.count().or_else(|failed| {
            let (some, _) = writes.split_at(writes.len() / 2);
            disk.write(some, WriteOrder::Any)?;
            Err(failed)
        })?;
        disk.write(writes, order)
    }

    fn flush(&self, disk: &D) -> Result {
        self.0.flushes.count()?;
        disk.flush()
    }

    fn write_at(&self, disk: &D, offset: u64, data: &[u8]) -> Result
    where
        D: DataDevice,
    {
        self.0.writes.count().or_else(|failed| {
            let (some, _) = data.split_at(data.len() / 2);
            disk.write_at(offset, some)?;
            Err(failed)
        })?;
        disk.write_at(offset, data)
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
