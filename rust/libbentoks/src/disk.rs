// SPDX-License-Identifier: GPL-2.0-only
//! The block device of a mount. C: `struct bento_dev`.

use crate::{KernelBuf, result::check};
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, BlockWrite, Errno, NoDevice, Result, WriteOrder};
use bento_sys::{BENTO_BLOCK_SIZE, BENTO_CAP_DEVICE, BENTO_WRITE_BARRIER, bento_buf, bento_dev};
use core::ptr::{self, NonNull};

/// A device that a kernel mount can have: [`KernelDisk`], or none.
pub trait KernelDevice: BlockDevice + Sized {
    /// The bits `BENTO_CAP_*` of a file system on such a device.
    const CAPS: u64;

    /// The device of an instance.
    ///
    /// # Errors
    /// `EINVAL` where bentofs gave no device and one is needed.
    ///
    /// # Safety
    /// `dev` is NULL or the device of an instance, and outlives the value and all its blocks.
    unsafe fn from_raw(dev: *mut bento_dev) -> Result<Self>;
}

impl KernelDevice for NoDevice {
    const CAPS: u64 = 0;

    unsafe fn from_raw(_: *mut bento_dev) -> Result<Self> {
        Ok(Self)
    }
}

/// The block device of one instance of a file system.
///
/// After a panic in that instance bentofs refuses every call with `EIO`.
///
/// # Invariants
/// `dev` is a device of bentofs that outlives this value; its services may be called by several
/// tasks at once.
#[derive(Debug)]
pub struct KernelDisk {
    dev: NonNull<bento_dev>,
}

// SAFETY: by the invariant of the type the services may be called from any task.
unsafe impl Send for KernelDisk {}
// SAFETY: as for `Send`.
unsafe impl Sync for KernelDisk {}

impl KernelDevice for KernelDisk {
    const CAPS: u64 = BENTO_CAP_DEVICE as u64;

    unsafe fn from_raw(dev: *mut bento_dev) -> Result<Self> {
        let dev = NonNull::new(dev).ok_or(Errno::EINVAL)?;
        // INVARIANT: what the caller guarantees.
        Ok(Self { dev })
    }
}

/// What a service fills in.
const NONE: bento_buf = bento_buf {
    handle: 0,
    data: ptr::null_mut(),
    lock: ptr::null_mut(),
};

impl KernelDisk {
    fn write_now(&self, writes: &[bento_sys::bento_write], flags: u32) -> Result {
        let count = u32::try_from(writes.len()).map_err(|_| Errno::EINVAL)?;
        let dev = self.dev.as_ptr();
        // SAFETY: the device is valid by the invariant; there are `count` entries, each of which
        // points to a whole block (checked by `entry`) that is borrowed by the caller.
        check(unsafe { bento_sys::bento_ks_write(dev, writes.as_ptr(), count, flags) })
    }
}

/// What the service takes for one block.
fn entry(write: &BlockWrite<'_>) -> Result<bento_sys::bento_write> {
    if write.data.len() != BENTO_BLOCK_SIZE as usize {
        return Err(Errno::EINVAL);
    }
    Ok(bento_sys::bento_write {
        block: write.target.0,
        data: write.data.as_ptr(),
    })
}

impl BlockDevice for KernelDisk {
    type Buf = KernelBuf;

    const BLOCK_SIZE: usize = BENTO_BLOCK_SIZE as usize;

    fn blocks(&self) -> u64 {
        // SAFETY: the device is valid by the invariant.
        unsafe { bento_sys::bento_ks_dev_blocks(self.dev.as_ptr()) }
    }

    fn read_only(&self) -> bool {
        // SAFETY: the device is valid by the invariant.
        unsafe { bento_sys::bento_ks_dev_read_only(self.dev.as_ptr()) != 0 }
    }

    #[inline]
    fn read(&self, block: BlockNo) -> Result<KernelBuf> {
        self.read_ahead(block, 0)
    }

    #[inline]
    fn read_ahead(&self, block: BlockNo, ahead: u32) -> Result<KernelBuf> {
        let (dev, mut raw) = (self.dev.as_ptr(), NONE);
        // SAFETY: the device is valid by the invariant, and `raw` for one value.
        check(unsafe { bento_sys::bento_ks_buf_read(dev, block.0, ahead, &raw mut raw) })?;
        // SAFETY: the service succeeded, and nobody else has seen `raw`.
        Ok(unsafe { KernelBuf::from_raw(raw, block) })
    }

    #[inline]
    fn zeroed(&self, block: BlockNo) -> Result<KernelBuf> {
        let (dev, mut raw) = (self.dev.as_ptr(), NONE);
        // SAFETY: as for `read_ahead`.
        check(unsafe { bento_sys::bento_ks_buf_zeroed(dev, block.0, &raw mut raw) })?;
        // SAFETY: as for `read_ahead`.
        Ok(unsafe { KernelBuf::from_raw(raw, block) })
    }

    /// All blocks go out together. Where there is no memory for the list they go out in small
    /// groups, one after the other: slower, but a commit must not fail for want of memory.
    fn write(&self, writes: &[BlockWrite<'_>], order: WriteOrder) -> Result {
        let flags = match order {
            WriteOrder::Any => 0,
            WriteOrder::Barrier => BENTO_WRITE_BARRIER,
        };
        let mut list = Vec::new();
        if list.try_reserve_exact(writes.len()).is_ok() {
            for write in writes {
                list.push(entry(write)?);
            }
            return self.write_now(&list, flags);
        }
        for group in writes.chunks(GROUP) {
            let none = bento_sys::bento_write {
                block: 0,
                data: ptr::null(),
            };
            let mut list = [none; GROUP];
            for (to, write) in list.iter_mut().zip(group) {
                *to = entry(write)?;
            }
            self.write_now(list.get(..group.len()).unwrap_or_default(), flags)?;
        }
        Ok(())
    }

    fn flush(&self) -> Result {
        // SAFETY: the device is valid by the invariant.
        check(unsafe { bento_sys::bento_ks_flush(self.dev.as_ptr()) })
    }

    fn discard(&self, block: BlockNo, count: u64) -> Result {
        // SAFETY: the device is valid by the invariant.
        check(unsafe { bento_sys::bento_ks_discard(self.dev.as_ptr(), block.0, count) })
    }
}

/// Blocks per write where there is no memory for a list: 256 bytes of stack.
const GROUP: usize = 16;
