// SPDX-License-Identifier: GPL-2.0-only
//! The panic handler. C: `bento_ks_on_panic()`, `unwind.S`.
//!
//! Order matters: first the instance is marked failed, so that no other task acts on what this one
//! leaves half done, then destructors run. Who catches is `libbentofs::guard`.

use crate::line::Line;
use core::fmt::Write;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

unsafe extern "C-unwind" {
    /// Unwinds to the innermost guard; returns where there is none. With `forced` it runs no
    /// destructor on the way. In unwind.S.
    fn bento_unwind_raise(forced: u32);
}

#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    let mut line = Line::new();
    describe(info, &mut line);
    // SAFETY: the service takes no argument and may be called in any process context.
    if unsafe { bento_sys::bento_ks_panicking() } == 0 {
        bento_sync::panicking::begin();
    }
    let text = line.as_bytes();
    let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
    // SAFETY: the text is valid for its length.
    unsafe { bento_sys::bento_ks_on_panic(text.as_ptr(), len) };
    if info.can_unwind() {
        // SAFETY: all frames up to the guard are Rust's and have unwind tables; where the
        // unwinder finds that this does not hold it changes nothing and returns.
        unsafe { bento_unwind_raise(0) };
    }
    // A panic in a destructor during a panic, or nobody to catch: give up all destructors.
    // SAFETY: as above; what the skipped frames hold is leaked, which is safe.
    unsafe { bento_unwind_raise(1) };
    // SAFETY: the service takes no argument; it ends this task.
    unsafe { bento_sys::bento_ks_bug() };
    // For objtool, which must not see a call at the end of a function.
    loop {}
}

/// How many tasks are busy in `describe`, or were when they panicked.
static DESCRIBING: AtomicU32 = AtomicU32::new(0);

/// Writes place and message. The message may run code of the file system (`Debug` of a value in
/// `unwrap`), which may panic in turn: then, and where another task is here too, place only.
fn describe(info: &PanicInfo<'_>, line: &mut Line<240>) {
    struct Busy;
    impl Drop for Busy {
        fn drop(&mut self) {
            DESCRIBING.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let alone = DESCRIBING.fetch_add(1, Ordering::Relaxed) == 0;
    let _busy = Busy;
    // `Line` never fails, and a `Display` that does leaves what it wrote so far.
    let _ = match info.location() {
        Some(place) if !alone => write!(line, "panicked at {place}"),
        _ => write!(line, "{info}"),
    };
}
