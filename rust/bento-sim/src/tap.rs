// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Tapped`]: a disk over a disk, with a [`Tap`] on what passes between them.

use bento::mapped::DataDevice;
use bento::{BlockDevice, BlockNo, BlockWrite, Result, WriteOrder};
use core::fmt::Debug;

/// Sees each call of a disk `D`, and makes it. What it does not name passes.
pub trait Tap<D: BlockDevice>: Debug + Send + Sync + 'static {
    /// Before a block or data is read.
    ///
    /// # Errors
    /// What the reader gets instead.
    fn on_read(&self) -> Result {
        Ok(())
    }

    /// Writes blocks.
    ///
    /// # Errors
    /// Those of the disk, or others.
    fn write(&self, disk: &D, writes: &[BlockWrite<'_>], order: WriteOrder) -> Result {
        disk.write(writes, order)
    }

    /// Flushes.
    ///
    /// # Errors
    /// Those of the disk, or others.
    fn flush(&self, disk: &D) -> Result {
        disk.flush()
    }

    /// Writes data.
    ///
    /// # Errors
    /// Those of the disk, or others.
    fn write_at(&self, disk: &D, offset: u64, data: &[u8]) -> Result
    where
        D: DataDevice,
    {
        disk.write_at(offset, data)
    }
}

/// A disk over `D` with a tap. Clones share the disk; the tap says what it shares.
#[derive(Clone, Debug)]
pub struct Tapped<D, T> {
    pub(crate) disk: D,
    pub(crate) tap: T,
}

impl<D, T> Tapped<D, T> {
    /// Puts a tap before `disk`.
    #[must_use]
    pub const fn around(disk: D, tap: T) -> Self {
        Self { disk, tap }
    }

    /// The disk below.
    #[must_use]
    pub const fn inner(&self) -> &D {
        &self.disk
    }
}

impl<D: BlockDevice, T: Tap<D>> BlockDevice for Tapped<D, T> {
    type Buf = D::Buf;
    const BLOCK_SIZE: usize = D::BLOCK_SIZE;

    fn blocks(&self) -> u64 {
        self.disk.blocks()
    }

    fn read_only(&self) -> bool {
        self.disk.read_only()
    }

    fn read(&self, block: BlockNo) -> Result<D::Buf> {
        self.tap.on_read()?;
        self.disk.read(block)
    }

    fn zeroed(&self, block: BlockNo) -> Result<D::Buf> {
        self.disk.zeroed(block)
    }

    fn write(&self, writes: &[BlockWrite<'_>], order: WriteOrder) -> Result {
        self.tap.write(&self.disk, writes, order)
    }

    fn flush(&self) -> Result {
        self.tap.flush(&self.disk)
    }
}

impl<D: DataDevice, T: Tap<D>> DataDevice for Tapped<D, T> {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result {
        self.tap.on_read()?;
        self.disk.read_at(offset, out)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result {
        self.tap.write_at(&self.disk, offset, data)
    }
}
