// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One line on the terminal that says what is being done. Without a terminal there is none.

use std::io::{IsTerminal, Write};

/// The line.
#[derive(Debug)]
pub(crate) struct Progress {
    terminal: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Shows what comes now.
    pub(crate) fn show(&self, stage: &str) {
        self.print(&format!("\r\x1b[K{stage}..."));
    }

    /// Takes the line away again.
    pub(crate) fn clear(&self) {
        self.print("\r\x1b[K");
    }

    fn print(&self, text: &str) {
        if self.terminal {
            let mut terminal = std::io::stderr();
            // Nothing is lost where the terminal has gone.
            let _shown = terminal.write_all(text.as_bytes());
            let _flushed = terminal.flush();
        }
    }
}
