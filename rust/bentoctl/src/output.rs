// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is printed: text for people, or one JSON document.

use crate::failure::{Failure, Kind, Result};
use core::cell::Cell;
use serde::Serialize;
use std::io::{ErrorKind, Write};

/// Raised when a field of the JSON documents goes away or changes its meaning; new fields may
/// come at any time.
const JSON_SCHEMA: u32 = 1;

/// Where the results go.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    printed: Cell<bool>,
}

#[derive(Serialize)]
struct Document<'a, T> {
    schema: u32,
    #[serde(flatten)]
    content: &'a T,
}

#[derive(Serialize)]
struct ErrorDocument<'a> {
    error: ErrorContent<'a>,
}

#[derive(Serialize)]
struct ErrorContent<'a> {
    kind: Kind,
    exit_code: u8,
    message: &'a str,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            printed: Cell::new(false),
        }
    }

    /// Whether JSON was asked for.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints the result: `content` as JSON where that was asked for, else `text`.
    pub(crate) fn print<T: Serialize>(&self, content: &T, text: impl FnOnce() -> String) -> Result {
        self.printed.set(true);
        if !self.json {
            return put(&text());
        }
        let document = Document {
            schema: JSON_SCHEMA,
            content,
        };
        let mut line = serde_json::to_string_pretty(&document)
            .map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
        line.push('\n');
        put(&line)
    }

    /// What went wrong beside the matter.
    pub(crate) fn warn(&self, text: &str) {
        // There is nobody left to tell when stderr is gone.
        let _printed = writeln!(std::io::stderr(), "bentoctl: {text}");
    }

    /// The failure that ends the program: on stderr, and in JSON where nothing else was printed.
    pub(crate) fn fail(&self, failure: &Failure) {
        self.warn(&failure.message);
        if self.json && !self.printed.get() {
            let error = ErrorContent {
                kind: failure.kind,
                exit_code: failure.kind.exit_code(),
                message: &failure.message,
            };
            let _printed = self.print(&ErrorDocument { error }, String::new);
        }
    }
}

/// To stdout. A reader that has seen enough (`| head`) is no failure.
pub(crate) fn put(text: &str) -> Result {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::io("stdout", &error)),
        _ => Ok(()),
    }
}

/// Rows in columns, two blanks between them, as wide as the widest cell.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A text from elsewhere, fit for a terminal: control characters are escaped.
pub(crate) fn plain(text: &str) -> String {
    let escape = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    text.chars().map(escape).collect()
}

/// A time in the unit in which people speak of it.
pub(crate) fn duration(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..100_000 => format!("{}.{} us", ns / 1_000, ns / 100 % 10),
        100_000..10_000_000_000 => {
            let tenths = (ns + 50_000) / 100_000;
            format!("{}.{} ms", tenths / 10, tenths % 10)
        }
        _ => format!("{} s", ns / 1_000_000_000),
    }
}

/// "1 mount", "2 mounts".
pub(crate) fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::{duration, plain, table};

    #[test]
    fn times_are_told_in_their_unit() {
        assert_eq!(duration(999), "999 ns");
        assert_eq!(duration(12_345), "12.3 us");
        assert_eq!(duration(412_345), "0.4 ms");
        assert_eq!(duration(999_960), "1.0 ms");
        assert_eq!(duration(1_234_567_890), "1234.6 ms");
        assert_eq!(duration(12_000_000_000), "12 s");
    }

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let row = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        let text = table(&[row("TYPE", "MOUNTS"), row("xv6", "vdb"), row("x", "")]);
        assert_eq!(text, "TYPE  MOUNTS\nxv6   vdb\nx\n");
    }

    #[test]
    fn a_mount_point_cannot_command_the_terminal() {
        assert_eq!(plain("/mnt/\u{1b}[2J"), "/mnt/\\u{1b}[2J");
    }
}
