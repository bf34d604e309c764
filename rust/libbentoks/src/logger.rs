// SPDX-License-Identifier: GPL-2.0-only
//! The kernel log behind the macros of the `log` crate. C: `bento_ks_log()`.

use crate::line::Line;
use core::fmt::Write;
use core::ptr;
use log::{LevelFilter, Log, Metadata, Record};

/// Longest line in bytes; more is cut off.
const LINE: usize = 240;

struct KernelLog;

static LOGGER: KernelLog = KernelLog;

/// Sends the messages of this module to the kernel log. Once, before anything else runs.
pub fn init() {
    // It fails only where a logger is set already, which is this one.
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// `line` without its first `krate: ` where the message itself begins so: messages name their
/// crate for hosts that do not.
fn unprefixed(line: &[u8], krate: usize) -> &[u8] {
    match line.split_at_checked(krate.saturating_add(2)) {
        Some((prefix, message)) if message.starts_with(prefix) => message,
        _ => line,
    }
}

impl Log for KernelLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let mut line = Line::<LINE>::new();
        let krate = record.target().split("::").next().unwrap_or_default();
        // `Line` never fails, and a `Display` that does leaves what it wrote so far.
        let _ = write!(line, "{krate}: {}", record.args());
        let text = unprefixed(line.as_bytes(), krate.len());
        // Levels of the ABI: those of `log`, which count from 1 (error) to 5 (trace).
        let level = (record.level() as u32).min(4);
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        // SAFETY: `text` is valid for `len` bytes; a NULL device stands for the running call's.
        unsafe { bento_sys::bento_ks_log(ptr::null_mut(), level, text.as_ptr(), len) };
    }

    fn flush(&self) {}
}
