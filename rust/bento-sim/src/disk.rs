// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Simulated disks.
//!
//! # The fault model
//! What a disk may do to a file system here, and what it may not:
//!
//! - **Volatile cache.** A write that has completed is seen by every later read, but it is on the
//!   *medium* only after a flush that began later, or when the write itself was a barrier
//!   ([`bento::WriteOrder::Barrier`]). The writes between two flushes form an *epoch*.
//! - **Power cut.** At any moment the power may fail. What is then on the medium is everything
//!   before the last flush, plus **any subset** of the writes of the current epoch: the disk
//!   reorders freely within an epoch. Where two writes of an epoch meet in one block and both
//!   arrive, the later one wins. A barrier is a flush, then the blocks, then a flush of them.
//! - **Torn writes.** A sector (512 bytes) is written as a whole or not at all; a block of 4 KiB
//!   may be cut between sectors.
//! - **Errors.** A read, a write or a flush may fail once with `EIO`; of a failed write any part
//!   may be on the medium ([`crate::FaultDisk`]). A failed flush makes nothing durable.
//! - **The cache of metadata blocks** lives in memory: a block that no handle holds may leave it
//!   at any time, and what was not written is lost then; and a block stays in it for as long as it
//!   likes, so that what was written to the disk past the cache is not seen ([`Caching`]). After
//!   a power cut it is empty.
//! - **Not modelled:** a medium that forgets or changes what was flushed, a flush that lies, and
//!   writes that arrive at another place. Those need checksums on every block and a scrub.
//!
//! [`MemDisk`] keeps everything it is told. [`crate::CrashDisk`] also records, so that every state
//! in which a power cut may leave the medium can be built. [`crate::FaultDisk`] fails on demand.

use crate::image::{BLOCK_SIZE, Image, pieces};
use bento::mapped::DataDevice;
use bento::sync::{LockClass, RwLock, RwLockReadGuard, RwLockWriteGuard};
use bento::{BlockBuf, BlockDevice, BlockNo, BlockWrite, Errno, Result, WriteOrder};
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// How long blocks stay in the cache; a file system must be right with both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// A block leaves the cache with its last handle.
    Short,
    /// A block stays in the cache.
    Long,
}

/// A disk in memory. Clones are the same disk with the same cache.
#[derive(Clone, Debug)]
pub struct MemDisk {
    shared: Arc<Mutex<Shared>>,
    blocks: u64,
    read_only: bool,
}

#[derive(Debug)]
struct Shared {
    medium: Image,
    cache: BTreeMap<u64, Weak<Cached>>,
    /// Keeps blocks in the cache, with [`Caching::Long`].
    kept: Vec<MemBuf>,
    caching: Caching,
}

impl MemDisk {
    /// A disk of `blocks` blocks, full of zeros.
    #[must_use]
    pub fn new(blocks: usize) -> Self {
        Self::from_image(Image::new(blocks), Caching::Short)
    }

    /// A disk with this medium and an empty cache.
    #[must_use]
    pub fn from_image(medium: Image, caching: Caching) -> Self {
        Self {
            blocks: medium.blocks(),
            shared: Arc::new(Mutex::new(Shared {
                medium,
                cache: BTreeMap::new(),
                kept: Vec::new(),
                caching,
            })),
            read_only: false,
        }
    }

    /// The same disk, but it refuses writes.
    #[must_use]
    pub fn into_read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// What a reader of the whole disk would see now.
    #[must_use]
    pub fn image(&self) -> Image {
        self.lock().medium.clone()
    }

    /// Changes the medium behind the back of whoever uses the disk: damage for tests of checks.
    ///
    /// # Errors
    /// `EIO`: behind the end.
    pub fn damage(&self, block: u64, offset: usize, bytes: &[u8]) -> Result {
        self.lock().medium.write(block, offset, bytes)
    }

    /// A panicking test must not hide its message behind a poisoned lock.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn check_writable(&self) -> Result {
        if self.read_only {
            return Err(Errno::EROFS);
        }
        Ok(())
    }
}

impl Shared {
    fn cached(&self, block: u64) -> Option<MemBuf> {
        let cached = self.cache.get(&block)?.upgrade()?;
        Some(MemBuf { cached })
    }

    fn insert(&mut self, block: u64, bytes: Box<[u8]>) -> MemBuf {
        let cached = Arc::new(Cached {
            block: BlockNo(block),
            bytes: RwLock::of(LockClass::BLOCK, bytes),
            checked: AtomicBool::new(false),
        });
        self.cache.insert(block, Arc::downgrade(&cached));
        let buf = MemBuf { cached };
        if self.caching == Caching::Long {
            self.kept.push(buf.clone());
        }
        buf
    }
}

impl BlockDevice for MemDisk {
    type Buf = MemBuf;
    const BLOCK_SIZE: usize = BLOCK_SIZE;

    fn blocks(&self) -> u64 {
        self.blocks
    }

    fn read_only(&self) -> bool {
        self.read_only
    }

    fn read(&self, block: BlockNo) -> Result<MemBuf> {
        let mut shared = self.lock();
        if let Some(buf) = shared.cached(block.0) {
            return Ok(buf);
        }
        let bytes = Box::from(&**shared.medium.block(block.0)?);
        Ok(shared.insert(block.0, bytes))
    }

    fn zeroed(&self, block: BlockNo) -> Result<MemBuf> {
        let mut shared = self.lock();
        shared.medium.block(block.0)?;
        let Some(buf) = shared.cached(block.0) else {
            return Ok(shared.insert(block.0, Box::from([0; BLOCK_SIZE])));
        };
        drop(shared);
        buf.bytes_mut()?.fill(0);
        Ok(buf)
    }

    fn write(&self, writes: &[BlockWrite<'_>], _: WriteOrder) -> Result {
        self.check_writable()?;
        let mut shared = self.lock();
        for write in writes {
            if write.data.len() != BLOCK_SIZE {
                return Err(Errno::EINVAL);
            }
            shared.medium.write(write.target.0, 0, write.data)?;
        }
        Ok(())
    }

    fn flush(&self) -> Result {
        Ok(())
    }
}

impl DataDevice for MemDisk {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result {
        let shared = self.lock();
        for (block, at, range) in pieces(offset, out.len()) {
            let from = shared.medium.block(block)?.get(at..at + range.len());
            let to = out.get_mut(range).ok_or(Errno::EIO)?;
            to.copy_from_slice(from.ok_or(Errno::EIO)?);
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result {
        self.check_writable()?;
        let mut shared = self.lock();
        for (block, at, range) in pieces(offset, data.len()) {
            let bytes = data.get(range).ok_or(Errno::EIO)?;
            shared.medium.write(block, at, bytes)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Cached {
    block: BlockNo,
    bytes: RwLock<Box<[u8]>>,
    checked: AtomicBool,
}

/// A handle of a cached block of a simulated disk.
#[derive(Clone, Debug)]
pub struct MemBuf {
    cached: Arc<Cached>,
}

/// Shared access to a cached block.
#[derive(Debug)]
pub struct MemRead<'a>(RwLockReadGuard<'a, Box<[u8]>>);

/// Exclusive access to a cached block.
#[derive(Debug)]
pub struct MemWrite<'a>(RwLockWriteGuard<'a, Box<[u8]>>);

impl Deref for MemRead<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Deref for MemWrite<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for MemWrite<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl BlockBuf for MemBuf {
    type Read<'a> = MemRead<'a>;
    type Write<'a> = MemWrite<'a>;

    fn block(&self) -> BlockNo {
        self.cached.block
    }

    fn bytes(&self) -> Result<MemRead<'_>> {
        Ok(MemRead(self.cached.bytes.read()?))
    }

    fn bytes_mut(&self) -> Result<MemWrite<'_>> {
        Ok(MemWrite(self.cached.bytes.write()?))
    }

    fn is_checked(&self) -> bool {
        self.cached.checked.load(Ordering::Acquire)
    }

    fn set_checked(&self) {
        self.cached.checked.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::{Caching, Image, MemDisk};
    use bento::mapped::DataDevice;
    use bento::{BlockBuf, BlockDevice, BlockNo, Errno};

    fn first_byte(disk: &MemDisk) -> u8 {
        let buf = disk.read(BlockNo(1)).expect("inside");
        let bytes = buf.bytes().expect("healthy");
        bytes[0]
    }

    #[test]
    fn what_was_not_written_is_lost_with_the_last_handle() {
        let disk = MemDisk::new(4);
        let buf = disk.read(BlockNo(1)).expect("inside");
        buf.bytes_mut().expect("healthy")[0] = 7;
        assert_eq!(first_byte(&disk), 7, "handles share one block");
        drop(buf);
        assert_eq!(first_byte(&disk), 0);
    }

    #[test]
    fn a_long_cache_hides_what_was_written_past_it() {
        let disk = MemDisk::from_image(Image::new(4), Caching::Long);
        assert_eq!(first_byte(&disk), 0);
        disk.write_at(4096, &[9]).expect("inside");
        assert_eq!(first_byte(&disk), 0);
        let rebooted = MemDisk::from_image(disk.image(), Caching::Long);
        assert_eq!(first_byte(&rebooted), 9);
    }

    #[test]
    fn the_end_of_the_disk_is_an_error() {
        let disk = MemDisk::new(4);
        assert_eq!(disk.read(BlockNo(4)).err(), Some(Errno::EIO));
        assert_eq!(disk.zeroed(BlockNo(4)).err(), Some(Errno::EIO));
        assert_eq!(disk.write_at(4 * 4096 - 1, &[1, 2]).err(), Some(Errno::EIO));
        let sealed = disk.into_read_only();
        assert_eq!(sealed.write_at(0, &[1]).err(), Some(Errno::EROFS));
    }
}
