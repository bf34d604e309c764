// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The block device under a file system.
//!
//! Metadata goes through cached blocks ([`BlockDevice::read`]); a changed block reaches the disk
//! only when the file system says so ([`BlockDevice::write`]). No host writes a block on its own,
//! so a journal decides what is on disk when. File data does not pass here: see
//! [`crate::FileSystem::map`].

use crate::{Errno, Result};
use core::ops::{Deref, DerefMut};

/// The number of a block, counted from 0 in units of [`BlockDevice::BLOCK_SIZE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockNo(pub u64);

impl core::fmt::Display for BlockNo {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

/// One block to write: its contents and the place where they go.
///
/// The place need not be the block that the contents came from: a log writes copies.
#[derive(Clone, Copy, Debug)]
pub struct BlockWrite<'a> {
    /// Where to write.
    pub target: BlockNo,
    /// [`BlockDevice::BLOCK_SIZE`] bytes.
    pub data: &'a [u8],
}

/// What a write guarantees towards the volatile cache of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOrder {
    /// Nothing: the blocks may reach the medium in any order, or not at all before a flush.
    Any,
    /// All writes that completed before this call are on the medium before these blocks are, and
    /// these blocks are on the medium when the call returns (`REQ_PREFLUSH | REQ_FUA`).
    Barrier,
}

/// A device of blocks. Cheap to share: operations take `&self`.
///
/// Every method may sleep. After a panic in the file system that owns the device each method
/// fails with `EIO` and does nothing (containment).
pub trait BlockDevice: Send + Sync + 'static {
    /// Handle of a cached block.
    type Buf: BlockBuf;

    /// Size of a block in bytes.
    const BLOCK_SIZE: usize = 4096;

    /// The size of the device in whole blocks.
    fn blocks(&self) -> u64;

    /// The device may not be written (read-only mount or device).
    fn read_only(&self) -> bool;

    /// The cached block `block`, read from the device where it is not cached.
    ///
    /// # Errors
    /// `EIO` where the device fails or `block` lies behind its end; `ENOMEM`.
    fn read(&self, block: BlockNo) -> Result<Self::Buf>;

    /// As [`BlockDevice::read`]; where the device has to be read, it is asked for up to `ahead`
    /// blocks behind `block`, too, and nobody waits for those.
    ///
    /// For metadata that lies in one piece: one large request instead of many small ones. The
    /// blocks behind must be metadata as well, or free: what is cached of file data is not kept
    /// true. A hint: a host may ask for fewer, or none.
    ///
    /// # Errors
    /// As [`BlockDevice::read`]; those of the blocks behind show when they are read themselves.
    #[expect(
        unused_variables,
        reason = "the system below may see for itself what comes next"
    )]
    fn read_ahead(&self, block: BlockNo, ahead: u32) -> Result<Self::Buf> {
        self.read(block)
    }

    /// The cached block `block` filled with zeros, without reading the device.
    ///
    /// For blocks that are newly allocated: whatever was cached of them is overwritten.
    ///
    /// # Errors
    /// As [`BlockDevice::read`].
    fn zeroed(&self, block: BlockNo) -> Result<Self::Buf>;

    /// Writes blocks and waits until the device has them all. The cache is not changed.
    ///
    /// # Errors
    /// `EIO` where the device fails (any part may have been written), `EROFS`.
    fn write(&self, writes: &[BlockWrite<'_>], order: WriteOrder) -> Result;

    /// Makes all completed writes durable, data and metadata alike. A device that knows that
    /// nothing was written since the last flush or barrier does nothing.
    ///
    /// # Errors
    /// `EIO` where the device fails.
    fn flush(&self) -> Result;

    /// Tells the device that `count` blocks from `block` on hold nothing, and waits. What they
    /// read as later is undefined, and their cached contents are: a block is used again by way of
    /// [`BlockDevice::zeroed`]. The caller sees to it that no crash brings the blocks back into
    /// use: whatever freed them is durable.
    ///
    /// # Errors
    /// `EOPNOTSUPP` where the device cannot; `EROFS`; `EIO` where the device fails or a block lies
    /// behind its end.
    #[expect(unused_variables, reason = "most devices cannot")]
    fn discard(&self, block: BlockNo, count: u64) -> Result {
        Err(Errno::EOPNOTSUPP)
    }
}

/// A counted handle of one cached block; the block stays cached while handles exist.
pub trait BlockBuf: Clone + Send + Sync + 'static {
    /// Shared access to the bytes; not `Send`, and not kept across operations.
    type Read<'a>: Deref<Target = [u8]>;
    /// Exclusive access to the bytes; not `Send`, and not kept across operations.
    type Write<'a>: DerefMut<Target = [u8]>;

    /// Which block this is.
    fn block(&self) -> BlockNo;

    /// The bytes, shared. Waits for a writer.
    ///
    /// # Errors
    /// `EIO` after a panic while the block was being written.
    fn bytes(&self) -> Result<Self::Read<'_>>;

    /// The bytes, exclusively. Waits for readers and the writer. Nothing is written to the device.
    ///
    /// # Errors
    /// As [`BlockBuf::bytes`].
    fn bytes_mut(&self) -> Result<Self::Write<'_>>;

    /// Somebody has marked the block as checked since it came into the cache. Handles share the
    /// mark, also across an upgrade; it is gone when the block leaves the cache.
    fn is_checked(&self) -> bool;

    /// Marks the block as checked, so that nobody verifies a cached block twice. The caller holds
    /// [`BlockBuf::bytes`] or [`BlockBuf::bytes_mut`] of the block.
    fn set_checked(&self);
}

/// The device of file systems that have none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDevice;

/// A block of [`NoDevice`]: none exists.
#[derive(Clone, Copy, Debug)]
pub enum NoBuf {}

impl BlockBuf for NoBuf {
    type Read<'a> = &'a [u8];
    type Write<'a> = &'a mut [u8];

    fn block(&self) -> BlockNo {
        match *self {}
    }
    fn bytes(&self) -> Result<&[u8]> {
        match *self {}
    }
    fn bytes_mut(&self) -> Result<&mut [u8]> {
        match *self {}
    }
    fn is_checked(&self) -> bool {
        match *self {}
    }
    fn set_checked(&self) {
        match *self {}
    }
}

impl BlockDevice for NoDevice {
    type Buf = NoBuf;

    fn blocks(&self) -> u64 {
        0
    }
    fn read_only(&self) -> bool {
        false
    }
    fn read(&self, _: BlockNo) -> Result<NoBuf> {
        Err(Errno::EIO)
    }
    fn zeroed(&self, _: BlockNo) -> Result<NoBuf> {
        Err(Errno::EIO)
    }
    fn write(&self, _: &[BlockWrite<'_>], _: WriteOrder) -> Result {
        Err(Errno::EIO)
    }
    fn flush(&self) -> Result {
        Ok(())
    }
}
