// SPDX-License-Identifier: GPL-2.0-only
//! The one way from C into a file system: a panic ends here.

use bento::Result;
use core::ffi::c_int;

#[cfg(target_os = "none")]
use crate::unwind::catch;

/// Runs a leaf call. Returns its number, or a negative errno; `-EIO` after a panic.
///
/// When a panic arrives here its destructors have run, the instance was marked failed before them
/// (panic handler), and locks that were held for writing are poisoned. After a double panic what
/// the frames held is leaked, locks included; who waits for those leaves with `EIO`.
#[inline]
pub(crate) fn guard<F: FnOnce() -> Result<c_int>>(call: F) -> c_int {
    match catch(call) {
        Some(Ok(number)) => number,
        // An errno is small: no overflow, and no code that could panic outside of the guard.
        Some(Err(errno)) => errno.raw().wrapping_neg(),
        None => bento::Errno::EIO.raw().wrapping_neg(),
    }
}

/// Calls `f`; `None` where it panicked. On a host the unwinder of `std` does it.
#[cfg(not(target_os = "none"))]
fn catch<R, F: FnOnce() -> R>(f: F) -> Option<R> {
    std::panic::catch_unwind(core::panic::AssertUnwindSafe(f)).ok()
}
