// SPDX-License-Identifier: GPL-2.0-only
//! Whether the current task is unwinding, asked at every unlock and therefore cheap.

use core::sync::atomic::{AtomicU32, Ordering};

/// How many tasks unwind in this module. A panic is rare, so that an unlock can almost always
/// answer for itself, with one load, that it is not part of one.
static IN_PROGRESS: AtomicU32 = AtomicU32::new(0);

/// A panic begins in this task. For the panic handler, once per task, before any destructor runs.
pub fn begin() {
    // Only the own task has to see its own count at once, which program order gives it.
    IN_PROGRESS.fetch_add(1, Ordering::Relaxed);
}

/// The panic of this task was caught. For the guard at the boundary, once per [`begin`].
pub fn end() {
    IN_PROGRESS.fetch_sub(1, Ordering::Relaxed);
}

/// This task is unwinding.
#[inline]
#[must_use]
pub fn is_panicking() -> bool {
    IN_PROGRESS.load(Ordering::Relaxed) != 0 && ask()
}

/// Some task unwinds: bentofs knows which.
#[cold]
fn ask() -> bool {
    // SAFETY: the service takes no argument and may be called in any process context.
    unsafe { bento_sys::bento_ks_panicking() != 0 }
}
