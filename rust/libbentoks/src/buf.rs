// SPDX-License-Identifier: GPL-2.0-only
//! A cached block. C: `struct bento_buf`, a buffer head in the cache of the block device.

use bento::{BlockBuf, BlockNo, Result};
use bento_sync::raw::RawRwLock;
use bento_sys::{BENTO_BLOCK_SIZE, bento_buf, bento_ks_buf_get, bento_ks_buf_put};
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::slice;

const BLOCK: usize = BENTO_BLOCK_SIZE as usize;

/// A counted handle of a cached block of a [`crate::KernelDisk`].
///
/// # Invariants
/// `raw` came from `bento_ks_buf_read()` or `bento_ks_buf_zeroed()` and one count of its handle
/// belongs to this value: until it is dropped `raw.data` is valid for a block of bytes, and
/// `raw.lock` is a lock word, which guards those bytes against all other holders of the block.
#[derive(Debug)]
pub struct KernelBuf {
    raw: bento_buf,
    block: BlockNo,
}

// SAFETY: the handle is a count that any task may give back, and the bytes are reached under the
// lock only.
unsafe impl Send for KernelBuf {}
// SAFETY: as for `Send`; no method changes the value itself.
unsafe impl Sync for KernelBuf {}

impl KernelBuf {
    /// Takes over a handle.
    ///
    /// # Safety
    /// `raw` was filled by a successful `bento_ks_buf_read()` or `bento_ks_buf_zeroed()` for
    /// `block`, and its count is used nowhere else.
    #[inline]
    pub(crate) unsafe fn from_raw(raw: bento_buf, block: BlockNo) -> Self {
        // INVARIANT: what the caller guarantees.
        Self { raw, block }
    }

    #[inline]
    fn lock(&self) -> &RawRwLock {
        // SAFETY: by the invariant the word lives as long as `self`; it was zero when the block
        // entered the cache, and all use it as a lock.
        unsafe { RawRwLock::from_ptr(self.raw.lock) }
    }
}

impl Clone for KernelBuf {
    #[inline]
    fn clone(&self) -> Self {
        // SAFETY: the handle is counted for `self`.
        unsafe { bento_ks_buf_get(self.raw.handle) };
        // INVARIANT: the new count belongs to the new value.
        Self { ..*self }
    }
}

impl Drop for KernelBuf {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: by the invariant one count is ours, and this is its last use.
        unsafe { bento_ks_buf_put(self.raw.handle) };
    }
}

impl BlockBuf for KernelBuf {
    type Read<'a> = Bytes<'a>;
    type Write<'a> = BytesMut<'a>;

    #[inline]
    fn block(&self) -> BlockNo {
        self.block
    }

    #[inline]
    fn bytes(&self) -> Result<Bytes<'_>> {
        self.lock().lock_shared()?;
        // INVARIANT: the share was taken in the line above.
        Ok(Bytes {
            buf: self,
            not_send: PhantomData,
        })
    }

    #[inline]
    fn bytes_mut(&self) -> Result<BytesMut<'_>> {
        self.lock().lock()?;
        // INVARIANT: the lock was taken in the line above.
        Ok(BytesMut {
            buf: self,
            not_send: PhantomData,
        })
    }

    #[inline]
    fn is_checked(&self) -> bool {
        self.lock().is_marked()
    }

    #[inline]
    fn set_checked(&self) {
        self.lock().set_mark();
    }
}

/// The bytes of a block, shared.
///
/// # Invariants
/// A share of the lock of `buf` is held while the value exists.
#[derive(Debug)]
pub struct Bytes<'a> {
    buf: &'a KernelBuf,
    not_send: PhantomData<*mut ()>,
}

impl Deref for Bytes<'_> {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: by the invariants the bytes are valid and nobody writes them; the kernel itself
        // only reads a block that is up to date.
        unsafe { slice::from_raw_parts(self.buf.raw.data, BLOCK) }
    }
}

impl Drop for Bytes<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: by the invariant a share is held; it ends here.
        unsafe { self.buf.lock().unlock_shared() };
    }
}

/// The bytes of a block, exclusively.
///
/// # Invariants
/// The lock of `buf` is held exclusively while the value exists.
#[derive(Debug)]
pub struct BytesMut<'a> {
    buf: &'a KernelBuf,
    not_send: PhantomData<*mut ()>,
}

impl Deref for BytesMut<'_> {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: by the invariants the bytes are valid and only we write them.
        unsafe { slice::from_raw_parts(self.buf.raw.data, BLOCK) }
    }
}

impl DerefMut for BytesMut<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: by the invariants the bytes are valid and ours alone, and `self` is borrowed
        // exclusively.
        unsafe { slice::from_raw_parts_mut(self.buf.raw.data, BLOCK) }
    }
}

impl Drop for BytesMut<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: by the invariant the lock is held; it ends here.
        unsafe { self.buf.lock().unlock() };
    }
}
