// SPDX-License-Identifier: GPL-2.0-only
//! The heap of a module. C: `bento_ks_alloc()`, `bento_ks_realloc()`, `bento_ks_free()`.
//!
//! May sleep; within a leaf call it never enters a file system (NOFS). Objects may be of any size
//! up to 1 GiB, aligned to at most a page. What takes its size from a disk or a user must go
//! through `try_reserve`: running out of memory elsewhere is a panic, and fails the mount.

use core::alloc::{GlobalAlloc, Layout};

/// The allocator of a kernel module.
#[derive(Clone, Copy, Debug)]
pub struct KernelAlloc;

// SAFETY: the services return memory of the size and alignment that was asked for, or NULL, and do
// not unwind.
unsafe impl GlobalAlloc for KernelAlloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the service takes any size, and refuses an alignment above a page.
        unsafe { bento_sys::bento_ks_alloc(layout.size() as u64, layout.align() as u64) }.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size() as u64, layout.align() as u64);
        // SAFETY: as in `alloc`.
        unsafe { bento_sys::bento_ks_alloc_zeroed(size, align) }.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, memory: *mut u8, _: Layout) {
        // SAFETY: by the contract of the trait `memory` came from `alloc`, and is not used again.
        unsafe { bento_sys::bento_ks_free(memory.cast()) };
    }

    #[inline]
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let (old, align) = (layout.size() as u64, layout.align() as u64);
        // SAFETY: by the contract of the trait `memory` came from `alloc` with `layout`.
        unsafe { bento_sys::bento_ks_realloc(memory.cast(), old, new_size as u64, align) }.cast()
    }
}

#[cfg(target_os = "none")]
#[global_allocator]
static HEAP: KernelAlloc = KernelAlloc;

/// Where an allocation that cannot fail fails: a panic that unwinds (the default would not).
#[cfg(target_os = "none")]
#[alloc_error_handler]
fn out_of_memory(layout: Layout) -> ! {
    panic!("out of memory: {} bytes", layout.size());
}
