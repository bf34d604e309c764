// SPDX-License-Identifier: GPL-2.0-only
//! Values that bentofs holds: instances and nodes, behind handles.

use alloc::boxed::Box;
use bento::{Errno, Result};
use core::mem::MaybeUninit;
use core::ptr;

/// The value behind a handle: an instance or a node.
///
/// # Safety
/// Clause fs or node, for `T`.
#[inline]
pub(super) unsafe fn borrow<'a, T>(handle: u64) -> &'a T {
    // SAFETY: by those clauses the handle came from `publish()` and is not yet dropped; values are
    // only ever shared.
    unsafe { &*ptr::with_exposed_provenance(handle as usize) }
}

/// Takes a value back to drop it.
///
/// # Safety
/// As `borrow()`; and the handle is used nowhere else, now and later.
#[inline]
pub(super) unsafe fn reclaim<T>(handle: u64) -> Box<T> {
    let value = ptr::with_exposed_provenance_mut(handle as usize);
    // SAFETY: the handle came from `publish()`, and nobody else uses it.
    unsafe { Box::from_raw(value) }
}

/// Memory for a value that bentofs will hold. Taken before the operation that makes the value, so
/// that nothing is changed where there is none.
#[inline]
pub(super) fn reserve<T>() -> Result<Box<MaybeUninit<T>>> {
    if size_of::<T>() == 0 {
        return Ok(Box::new_uninit());
    }
    // SAFETY: the size is not zero.
    let memory = unsafe { alloc::alloc::alloc(core::alloc::Layout::new::<T>()) };
    if memory.is_null() {
        return Err(Errno::ENOMEM);
    }
    // SAFETY: the memory comes from the global allocator, with the layout of `T`.
    Ok(unsafe { Box::from_raw(memory.cast()) })
}

/// Gives a value to bentofs: its handle, never 0.
#[inline]
pub(super) fn publish<T>(memory: Box<MaybeUninit<T>>, value: T) -> u64 {
    let value = Box::into_raw(Box::write(memory, value));
    value.expose_provenance() as u64
}
