// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The log of intents and promises, written line by line with `O_DSYNC`.

use super::state::Record;
use anyhow::Context;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

/// An open log; several threads add to it.
#[derive(Debug)]
pub(super) struct Log(Mutex<File>);

impl Log {
    /// Opens a file (made where it does not exist) or a block device; lines start at byte 0.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let flags = rustix::fs::OFlags::DSYNC.bits().cast_signed();
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(flags);
        let file = options
            .open(path)
            .with_context(|| format!("cannot open the log {}", path.display()))?;
        Ok(Self(Mutex::new(file)))
    }

    /// Adds a line; it is on the disk when this returns.
    pub(super) fn add(&self, record: Record) -> anyhow::Result<()> {
        let line = format!("{record}\n");
        let mut file = self.0.lock().expect("no thread panics with the log locked");
        file.write_all(line.as_bytes())
            .context("cannot write to the log")
    }
}

/// Reads a log up to the first NUL byte (the rest of a block device) or the end. A last line
/// without its end was cut, too, and does not count.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Record>> {
    let mut file =
        File::open(path).with_context(|| format!("cannot read the log {}", path.display()))?;
    let mut text = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        let n = file.read(&mut piece)?;
        let used = piece[..n].iter().position(|&byte| byte == 0).unwrap_or(n);
        text.extend_from_slice(&piece[..used]);
        if n == 0 || used < n {
            break;
        }
    }
    let text = String::from_utf8(text).context("the log is not text")?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(str::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::{Log, Record, read};
    use std::fs;

    #[test]
    fn a_torn_last_line_is_ignored() {
        let path = std::env::temp_dir().join(format!("stress-log-{}", std::process::id()));
        let log = Log::open(&path).expect("a new log");
        log.add(Record::Done { id: 1 }).expect("a line");
        log.add(Record::Done { id: 2 }).expect("a line");
        let text = fs::read_to_string(&path).expect("the log");
        fs::write(&path, format!("{text}done 3\0\0\0\0")).expect("a torn log");
        let records = read(&path).expect("two records");
        assert_eq!(records, [Record::Done { id: 1 }, Record::Done { id: 2 }]);
        fs::remove_file(&path).expect("the file goes");
    }
}
