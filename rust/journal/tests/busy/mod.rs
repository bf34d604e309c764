// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A disk on which other things happen while it writes, and one that ignores barriers.

use bento::{BlockDevice, BlockWrite, Result, WriteOrder};
use bento_sim::{CrashDisk, Tap, Tapped};
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
pub(crate) type BusyDisk = Tapped<CrashDisk, Lax>;

impl Tap<CrashDisk> for Lax {
    fn write(&self, disk: &CrashDisk, writes: &[BlockWrite<'_>], order: WriteOrder) -> Result {
        something_happens();
        match (order, self) {
            (WriteOrder::Barrier, Self::Before) => {
                disk.write(writes, WriteOrder::Any)?;
                disk.flush()?;
            }
            (WriteOrder::Barrier, Self::After) => {
                disk.flush()?;
                disk.write(writes, WriteOrder::Any)?;
            }
            _ => disk.write(writes, order)?,
        }
        something_happens();
        Ok(())
    }
}
