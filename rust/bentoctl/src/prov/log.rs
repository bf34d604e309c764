// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The files of a log as one sequence of events.

use crate::failure::{Failure, Kind, Result};
use bento::Timespec;
use prov::record::{Item, Kind as What, Reader, Record};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A record that owns its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) what: What,
    pub(crate) time: Timespec,
    pub(crate) pid: u32,
    pub(crate) uid: u32,
    pub(crate) comm: String,
    pub(crate) ino: u64,
    pub(crate) parent: u64,
    pub(crate) other: u64,
    pub(crate) extra: u64,
    pub(crate) name: String,
    pub(crate) name2: String,
}

impl From<&Record<'_>> for Event {
    fn from(record: &Record<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let comm = record.comm.split(|byte| *byte == 0).next();
        Self {
            what: record.kind,
            time: record.time,
            pid: record.pid,
            uid: record.uid,
            comm: text(comm.unwrap_or_default()),
            ino: record.ino,
            parent: record.parent,
            other: record.other,
            extra: record.extra,
            name: text(record.name),
            name2: text(record.name2),
        }
    }
}

/// A log, and how far it has been read.
#[derive(Debug)]
pub(crate) struct Log {
    folder: PathBuf,
    /// Up to here each file has been read.
    read: [u64; prov::FILES],
}

/// What is new in one file.
struct Part {
    index: usize,
    events: Vec<Event>,
}

impl Log {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            folder: root.join(prov::FOLDER),
            read: [0; prov::FILES],
        }
    }

    /// What has been recorded since the last time, oldest first.
    pub(crate) fn read(&mut self) -> Result<Vec<Event>> {
        if !fs::symlink_metadata(&self.folder).is_ok_and(|log| log.is_dir()) {
            let text = format!(
                "{}: there is no log; upgrade the mount to a build of bento-prov",
                self.folder.display()
            );
            return Err(Failure::new(Kind::NotFound, text));
        }
        let mut parts = Vec::new();
        for index in 0..prov::FILES {
            let events = self.read_file(index)?;
            parts.push(Part { index, events });
        }
        // The files are filled one after the other.
        parts.sort_by_key(|part| {
            let first = part.events.first();
            (
                first.map(|event| (event.time.sec, event.time.nsec)),
                part.index,
            )
        });
        Ok(parts.into_iter().flat_map(|part| part.events).collect())
    }

    fn read_file(&mut self, index: usize) -> Result<Vec<Event>> {
        let name = prov::file_name(index).unwrap_or_default();
        let path = self.folder.join(name);
        let Some(position) = self.read.get_mut(index) else {
            return Ok(Vec::new());
        };
        let (bytes, start) = match tail(&path, *position) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Failure::io(path.display(), &error)),
        };
        let (events, len) = events(&bytes);
        *position = start + u64::try_from(len).unwrap_or(0);
        Ok(events)
    }
}

/// What a file holds from `position` on; from its start where it has been started anew.
fn tail(path: &Path, position: u64) -> std::io::Result<(Vec<u8>, u64)> {
    let mut file = File::open(path)?;
    let start = if file.metadata()?.len() < position {
        0
    } else {
        position
    };
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok((bytes, start))
}

/// The events in `bytes`, and how many bytes they take: what is damaged at the end may only be
/// half written.
fn events(bytes: &[u8]) -> (Vec<Event>, usize) {
    let mut events = Vec::new();
    let mut reader = Reader::new(bytes);
    let mut end = 0;
    while let Some(item) = reader.next() {
        if let Item::Record(record) = item {
            events.push(Event::from(&record));
            end = reader.position();
        }
    }
    (events, end)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Event, Log, events};
    use prov::record::{Kind, Record};
    use std::path::Path;

    /// An event for tests: time is its place in the log.
    pub(crate) fn event(what: Kind, pid: u32, ino: u64) -> Event {
        let mut comm = [0; 16];
        comm[..3].copy_from_slice(b"cmd");
        Event::from(&Record {
            pid,
            ino,
            comm,
            ..Record::new(what)
        })
    }

    fn bytes(seconds: &[i64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for sec in seconds {
            let mut record = Record::new(Kind::Open);
            record.time.sec = *sec;
            record.encode(&mut bytes).expect("short");
        }
        bytes
    }

    #[test]
    fn half_a_record_is_read_when_it_is_whole() {
        let all = bytes(&[1, 2]);
        let (found, end) = events(&all[..all.len() - 8]);
        assert_eq!((found.len(), end), (1, all.len() / 2));
        assert_eq!(events(&all[end..]).0.len(), 1);
    }

    #[test]
    fn files_are_read_in_the_order_of_time_and_on_from_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
        let root = std::env::var_os("CARGO_TARGET_TMPDIR").map_or(root, Into::into);
        let root = root.join(format!("prov-log-{}", std::process::id()));
        let folder = root.join(prov::FOLDER);
        std::fs::create_dir_all(&folder).expect("a new folder");
        let put = |index: usize, seconds: &[i64]| {
            let name = prov::file_name(index).expect("a file");
            std::fs::write(folder.join(name), bytes(seconds)).expect("a new file");
        };
        put(0, &[5, 6]);
        put(3, &[3, 4]);
        let mut log = Log::new(&root);
        let seconds = |log: &mut Log| -> Vec<i64> {
            let events = log.read().expect("a log");
            events.iter().map(|event| event.time.sec).collect()
        };
        assert_eq!(seconds(&mut log), [3, 4, 5, 6]);
        assert!(seconds(&mut log).is_empty());
        put(0, &[5, 6, 7]);
        put(3, &[8]);
        assert_eq!(
            seconds(&mut log),
            [7, 8],
            "a file that is shorter was started anew"
        );
        std::fs::remove_dir_all(&root).expect("ours");
    }
}
