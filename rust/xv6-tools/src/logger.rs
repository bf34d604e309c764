// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Where the messages of the file system go: stderr, and syslog once there is no terminal.

use core::sync::atomic::{AtomicBool, Ordering};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::sync::OnceLock;

static LOGGER: Logger = Logger {
    tool: OnceLock::new(),
    to_syslog: AtomicBool::new(false),
};

struct Logger {
    tool: OnceLock<String>,
    to_syslog: AtomicBool,
}

/// Prints messages as `tool: message`. `BENTO_LOG=debug` (or `trace`, `info`) shows more.
pub(crate) fn start(tool: &str) {
    let level = std::env::var("BENTO_LOG")
        .ok()
        .and_then(|level| level.parse().ok());
    log::set_max_level(level.unwrap_or(LevelFilter::Warn));
    // Both fail only where it was called before, which changes nothing.
    let _first = LOGGER.tool.set(tool.into());
    let _set = log::set_logger(&LOGGER);
}

/// From now on messages go to syslog.
pub(crate) fn to_syslog() {
    LOGGER.to_syslog.store(true, Ordering::Relaxed);
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // fuser warns of what is no fault: that somebody else has unmounted.
        let quiet = metadata.target().starts_with("fuser") && metadata.level() == Level::Warn;
        metadata.level() <= log::max_level() && !quiet
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let tool = self.tool.get().map_or("xv6-tools", String::as_str);
        // A logger has nobody to report its own failures to.
        if self.to_syslog.load(Ordering::Relaxed) {
            let _sent = syslog(tool, record);
        } else {
            let _printed = writeln!(std::io::stderr(), "{tool}: {}", record.args());
        }
    }

    fn flush(&self) {}
}

/// Sends a message as RFC 3164 wants it, facility "daemon" (3).
fn syslog(tool: &str, record: &Record<'_>) -> std::io::Result<usize> {
    let severity = match record.level() {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    };
    let priority = 3 * 8 + severity;
    let line = format!(
        "<{priority}>{tool}[{}]: {}",
        std::process::id(),
        record.args()
    );
    UnixDatagram::unbound()?.send_to(line.as_bytes(), "/dev/log")
}
