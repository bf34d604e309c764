// SPDX-License-Identifier: GPL-2.0-only
//! The services of bentofs that the locks use, on threads: for the tests of this crate.
//!
//! Waits have no time limit, so a wake-up that is lost hangs the test.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, Ordering};
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};

/// Per address of a word: how many sleep, and whether its instance failed.
#[derive(Default)]
struct Word {
    sleepers: usize,
    failed: bool,
}

static WORDS: Mutex<BTreeMap<usize, Word>> = Mutex::new(BTreeMap::new());
static CHANGED: Condvar = Condvar::new();

/// How many threads sleep for `word`.
pub(crate) fn sleepers(word: *mut u32) -> usize {
    let words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    words.get(&word.addr()).map_or(0, |w| w.sleepers)
}

/// The instance that `word` belongs to fails.
pub(crate) fn fail(word: *mut u32) {
    let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    words.entry(word.addr()).or_default().failed = true;
    CHANGED.notify_all();
}

#[unsafe(no_mangle)]
extern "C" fn bento_ks_lock_wait(word: *mut u32, expected: u32) -> c_int {
    let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    let entry = words.entry(word.addr()).or_default();
    if entry.failed {
        return -5;
    }
    // SAFETY: the caller's lock outlives the call.
    let now = unsafe { AtomicU32::from_ptr(word) }.load(Ordering::Relaxed);
    if now != expected {
        return 0;
    }
    entry.sleepers += 1;
    let mut words = CHANGED.wait(words).unwrap_or_else(PoisonError::into_inner);
    let entry = words.entry(word.addr()).or_default();
    entry.sleepers -= 1;
    if entry.failed { -5 } else { 0 }
}

#[unsafe(no_mangle)]
extern "C" fn bento_ks_lock_wake(_word: *const u32) {
    let _words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    CHANGED.notify_all();
}

#[unsafe(no_mangle)]
extern "C" fn bento_ks_panicking() -> u32 {
    u32::from(std::thread::panicking())
}
