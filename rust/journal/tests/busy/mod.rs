// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A disk on which other things happen while it writes, and one that ignores barriers.

use bento::mapped::DataDevice;
use bento::{BlockDevice, BlockNo, BlockWrite, Result, WriteOrder};
use bento_sim::{CrashDisk, MemBuf};
use core::cell::RefCell;

thread_local! {
    static MEANWHILE: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
}

/// Sets what happens before and after each write of metadata by this thread.
pub(crate) fn meanwhile(what: Box<dyn FnMut()>) {
    MEANWHILE.with_borrow_mut(|slot| *slot = Some(what));
}

fn something_happens() {
    // Taken out, so that what happens does not make more happen.
    if let Some(mut what) = MEANWHILE.take() {
        what();
        MEANWHILE.with_borrow_mut(|slot| *slot = Some(what));
    }
}

/// Which side of a barrier the disk ignores.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lax {
    Never,
    /// What came before may reach the medium after the blocks of the barrier.
    Before,
    /// The blocks themselves are not on the medium when the write returns.
    After,
}

/// A [`CrashDisk`] with company.
#[derive(Clone, Debug)]
pub(crate) struct BusyDisk {
    disk: CrashDisk,
    lax: Lax,
}

impl BusyDisk {
    pub(crate) fn new(disk: CrashDisk, lax: Lax) -> Self {
        Self { disk, lax }
    }
}

impl BlockDevice for BusyDisk {
    type Buf = MemBuf;

    fn blocks(&self) -> u64 {
        self.disk.blocks()
    }

    fn read_only(&self) -> bool {
        self.disk.read_only()
    }

    fn read(&self, block: BlockNo) -> Result<MemBuf> {
        self.disk.read(block)
    }

    fn zeroed(&self, block: BlockNo) -> Result<MemBuf> {
        self.disk.zeroed(block)
    }

    fn write(&self, writes: &[BlockWrite<'_>], order: WriteOrder) -> Result {
        something_happens();
        match (order, self.lax) {
            (WriteOrder::Barrier, Lax::Before) => {
                self.disk.write(writes, WriteOrder::Any)?;
                self.disk.flush()?;
            }
            (WriteOrder::Barrier, Lax::After) => {
                self.disk.flush()?;
                self.disk.write(writes, WriteOrder::Any)?;
            }
            _ => self.disk.write(writes, order)?,
        }
        something_happens();
        Ok(())
    }

    fn flush(&self) -> Result {
        self.disk.flush()
    }
}

impl DataDevice for BusyDisk {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result {
        self.disk.read_at(offset, out)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result {
        self.disk.write_at(offset, data)
    }
}
