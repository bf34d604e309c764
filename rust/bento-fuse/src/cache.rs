// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The cache of metadata blocks.
//!
//! All handles of a block share one buffer, as long as one exists; blocks without a handle are
//! thrown away, the ones not used for longest first (CLOCK). Nothing is ever written from here:
//! a block that differs from the disk has a handle, for the journal keeps one until it has
//! written the block home.

use bento::sync::{LockClass, RwLock, RwLockReadGuard, RwLockWriteGuard};
use bento::{BlockBuf, BlockNo, Result};
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Shards, so that threads do not wait for one lock; a power of two.
const SHARDS: u64 = 16;
/// Blocks kept per shard although nobody holds them: 64 MiB of 4 KiB blocks in all.
const KEPT_PER_SHARD: usize = 1024;

/// A handle of a cached block.
#[derive(Clone, Debug)]
pub struct CachedBlock(Arc<Block>);

#[derive(Debug)]
struct Block {
    number: BlockNo,
    bytes: RwLock<Box<[u8]>>,
    used: AtomicBool,
    checked: AtomicBool,
}

/// Shared access to the bytes of a block.
#[derive(Debug)]
pub struct ReadBytes<'a>(RwLockReadGuard<'a, Box<[u8]>>);

/// Exclusive access to the bytes of a block.
#[derive(Debug)]
pub struct WriteBytes<'a>(RwLockWriteGuard<'a, Box<[u8]>>);

impl Deref for ReadBytes<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Deref for WriteBytes<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for WriteBytes<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl BlockBuf for CachedBlock {
    type Read<'a> = ReadBytes<'a>;
    type Write<'a> = WriteBytes<'a>;

    fn block(&self) -> BlockNo {
        self.0.number
    }

    fn bytes(&self) -> Result<ReadBytes<'_>> {
        Ok(ReadBytes(self.0.bytes.read()?))
    }

    fn bytes_mut(&self) -> Result<WriteBytes<'_>> {
        Ok(WriteBytes(self.0.bytes.write()?))
    }

    fn is_checked(&self) -> bool {
        self.0.checked.load(Ordering::Acquire)
    }

    fn set_checked(&self) {
        self.0.checked.store(true, Ordering::Release);
    }
}

#[derive(Debug, Default)]
struct Shard {
    blocks: HashMap<u64, Arc<Block>>,
    /// The numbers of all blocks of the shard, in the order of the next look at them.
    clock: VecDeque<u64>,
}

/// All cached blocks of a device.
#[derive(Debug)]
pub(crate) struct BlockCache {
    shards: Vec<Mutex<Shard>>,
}

impl BlockCache {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// The cached block, made from what `load` brings where it is not cached. The lock of the
    /// shard is held meanwhile, so that two threads never make one block twice.
    pub(crate) fn get(
        &self,
        number: BlockNo,
        load: impl FnOnce() -> Result<Box<[u8]>>,
    ) -> Result<CachedBlock> {
        let mut shard = self.shard(number);
        if let Some(block) = shard.blocks.get(&number.0) {
            block.used.store(true, Ordering::Relaxed);
            return Ok(CachedBlock(Arc::clone(block)));
        }
        let block = Arc::new(Block {
            number,
            bytes: RwLock::of(LockClass::BLOCK, load()?),
            used: AtomicBool::new(false),
            checked: AtomicBool::new(false),
        });
        shard.shrink();
        shard.blocks.insert(number.0, Arc::clone(&block));
        shard.clock.push_back(number.0);
        Ok(CachedBlock(block))
    }

    fn shard(&self, number: BlockNo) -> std::sync::MutexGuard<'_, Shard> {
        let index = usize::try_from(number.0 % SHARDS).unwrap_or_default();
        // A panic while a shard was locked can only have come before the shard was changed.
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    /// Makes room for one block, where there are blocks that nobody holds.
    fn shrink(&mut self) {
        let mut looks = self.clock.len();
        while self.blocks.len() >= KEPT_PER_SHARD && looks > 0 {
            looks -= 1;
            let Some(number) = self.clock.pop_front() else {
                return;
            };
            let keep = self.blocks.get(&number).is_some_and(|block| {
                // Handles are only cloned from handles: alone under the lock means alone.
                Arc::strong_count(block) > 1 || block.used.swap(false, Ordering::Relaxed)
            });
            if keep {
                self.clock.push_back(number);
            } else {
                self.blocks.remove(&number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BlockCache, KEPT_PER_SHARD, SHARDS};
    use bento::{BlockBuf, BlockNo, Errno, Result};

    fn zeros() -> Result<Box<[u8]>> {
        Ok(vec![0; 4096].into())
    }

    #[test]
    fn all_handles_of_a_block_see_one_buffer() {
        let cache = BlockCache::new();
        let first = cache.get(BlockNo(7), zeros).expect("load");
        let second = cache
            .get(BlockNo(7), || panic!("is cached"))
            .expect("cached");
        first.bytes_mut().expect("alone")[0] = 9;
        assert_eq!(second.bytes().expect("alone")[0], 9);
        assert_eq!(second.block(), BlockNo(7));
    }

    #[test]
    fn all_handles_of_a_block_share_its_mark_until_it_leaves_the_cache() {
        let cache = BlockCache::new();
        let first = cache.get(BlockNo(0), zeros).expect("load");
        assert!(!first.is_checked());
        first.set_checked();
        let second = cache.get(BlockNo(0), zeros).expect("cached");
        assert!(second.is_checked());
        drop((first, second));
        for n in 1..u64::try_from(KEPT_PER_SHARD).expect("small") * 3 {
            cache.get(BlockNo(n * SHARDS), zeros).expect("load");
        }
        let read_again = cache.get(BlockNo(0), zeros).expect("load");
        assert!(!read_again.is_checked());
    }

    #[test]
    fn a_block_that_cannot_be_read_is_not_cached() {
        let cache = BlockCache::new();
        let failed = cache.get(BlockNo(7), || Err(Errno::EIO));
        assert_eq!(failed.err(), Some(Errno::EIO));
        assert!(cache.get(BlockNo(7), zeros).is_ok());
    }

    #[test]
    fn held_blocks_stay_and_the_others_are_bounded() {
        let cache = BlockCache::new();
        let held = cache.get(BlockNo(0), zeros).expect("load");
        held.bytes_mut().expect("alone")[0] = 1;
        for n in 1..u64::try_from(KEPT_PER_SHARD).expect("small") * 3 {
            cache.get(BlockNo(n * SHARDS), zeros).expect("load");
        }
        let len = cache.shards[0].lock().expect("not poisoned").blocks.len();
        assert_eq!(len, KEPT_PER_SHARD);
        let again = cache.get(BlockNo(0), || panic!("is held")).expect("held");
        assert_eq!(again.bytes().expect("alone")[0], 1);
    }
}
