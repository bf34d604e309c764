// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Events and ancestries as text and JSON.

use super::ancestry::{Ancestry, Writer};
use super::log::Event;
use super::names::Names;
use crate::failure::{Failure, Kind, Result};
use crate::output::plain;
use crate::time::utc;
use bento::Timespec;
use core::fmt::Write;
use prov::record::Kind as What;
use serde::Serialize;

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    /// Seconds since 1970.
    time: i64,
    nsec: u32,
    event: &'static str,
    pid: u32,
    uid: u32,
    comm: &'a str,
    ino: u64,
    path: Option<String>,
    /// The name that was made, removed or changed, and its directory.
    name: Option<&'a str>,
    parent: Option<u64>,
    new_name: Option<&'a str>,
    new_parent: Option<u64>,
    /// What a rename has replaced.
    replaced: Option<u64>,
    size: Option<u64>,
    lost: Option<u64>,
}

pub(crate) fn json(event: &Event, names: &Names) -> Result<String> {
    let of = |kind: What, value: u64| (event.what == kind).then_some(value);
    let given = |name: &str| (!name.is_empty()).then_some(());
    let line = Line {
        time: event.time.sec,
        nsec: event.time.nsec,
        event: event.what.name(),
        pid: event.pid,
        uid: event.uid,
        comm: &event.comm,
        ino: event.ino,
        path: names.path(event.ino),
        name: given(&event.name).map(|()| event.name.as_str()),
        parent: (event.parent != 0).then_some(event.parent),
        new_name: given(&event.name2).map(|()| event.name2.as_str()),
        new_parent: (event.other != 0).then_some(event.other),
        replaced: of(What::Rename, event.extra).filter(|ino| *ino != 0),
        size: of(What::Truncate, event.extra),
        lost: of(What::Lost, event.extra),
    };
    serde_json::to_string(&line).map_err(|error| Failure::new(Kind::Failed, error.to_string()))
}

/// One line, without its end.
pub(crate) fn text(event: &Event, names: &Names) -> String {
    let time = moment(event.time);
    let detail = match event.what {
        What::Start => return format!("{time}  recording begins ({})", plain(&event.name)),
        What::Lost => return format!("{time}  {} records were lost", event.extra),
        What::Rename => format!(", was {}", plain(&event.name)),
        What::Link | What::Unlink => format!(", name {}", plain(&event.name)),
        What::Truncate => format!(" to {} bytes", event.extra),
        _ => String::new(),
    };
    format!(
        "{time}  {}[{}] uid {}  {} {}{detail}",
        plain(&event.comm),
        event.pid,
        event.uid,
        event.what.name(),
        file(event.ino, names)
    )
}

fn file(ino: u64, names: &Names) -> String {
    match names.path(ino) {
        Some(path) => format!("{} (inode {ino})", plain(&path)),
        None => format!("inode {ino}"),
    }
}

fn moment(time: Timespec) -> String {
    let date = utc(u64::try_from(time.sec).unwrap_or(0));
    let date = date.strip_suffix(" UTC").unwrap_or(&date);
    format!("{date}.{:03} UTC", time.nsec / 1_000_000)
}

/// The answer of `trace`.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    file: Named,
    processes: Vec<Process>,
}

#[derive(Debug, Serialize)]
struct Named {
    ino: u64,
    path: Option<String>,
}

#[derive(Debug, Serialize)]
struct Process {
    pid: u32,
    comm: String,
    uid: u32,
    time: i64,
    nsec: u32,
    output: Named,
    inputs: Vec<Named>,
}

pub(crate) fn ancestry(found: &Ancestry, names: &Names) -> Told {
    let named = |ino: u64| Named {
        ino,
        path: names.path(ino),
    };
    let process = |writer: &Writer| Process {
        pid: writer.pid,
        comm: writer.comm.clone(),
        uid: writer.uid,
        time: writer.time.sec,
        nsec: writer.time.nsec,
        output: named(writer.output),
        inputs: writer.inputs.iter().copied().map(named).collect(),
    };
    Told {
        file: named(found.ino),
        processes: found.writers.iter().map(process).collect(),
    }
}

impl Named {
    fn text(&self) -> String {
        match &self.path {
            Some(path) => format!("{} (inode {})", plain(path), self.ino),
            None => format!("inode {}", self.ino),
        }
    }
}

impl Told {
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let mut line = |indent: usize, words: &str| {
            let _written = writeln!(text, "{:indent$}{words}", "");
        };
        if self.processes.is_empty() {
            line(
                0,
                &format!("{}: nobody was seen to write it", self.file.text()),
            );
        }
        let mut output = None;
        for process in &self.processes {
            if output != Some(process.output.ino) {
                line(0, &process.output.text());
                output = Some(process.output.ino);
            }
            let time = moment(Timespec {
                sec: process.time,
                nsec: process.nsec,
            });
            let (comm, pid, uid) = (plain(&process.comm), process.pid, process.uid);
            line(2, &format!("written by {comm}[{pid}], uid {uid}, {time}"));
            for input in &process.inputs {
                line(4, &format!("which had read {}", input.text()));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, ancestry, json, text};
    use crate::prov::ancestry::trace;
    use crate::prov::log::tests::event;
    use prov::record::Kind;

    #[test]
    fn a_line_tells_who_did_what_to_which_file() {
        let mut names = Names::default();
        names.learn(&event(Kind::Start, 0, 1));
        let mut made = event(Kind::Create, 9, 5);
        (made.parent, made.name) = (1, "new\n".to_owned());
        names.learn(&made);
        let expected = "1970-01-01 00:00:00.000 UTC  cmd[9] uid 0  create /new\\n (inode 5)";
        assert_eq!(text(&made, &names), expected);
        let line = json(&made, &names).expect("JSON");
        let start = r#"{"time":0,"nsec":0,"event":"create","pid":9,"uid":0,"comm":"cmd","ino":5,"#;
        assert!(line.starts_with(start), "{line}");
        assert!(
            line.contains(r#""path":"/new\n","name":"new\n","parent":1"#),
            "{line}"
        );
        let mut lost = event(Kind::Lost, 0, 0);
        lost.extra = 3;
        assert!(text(&lost, &names).ends_with("3 records were lost"));
    }

    #[test]
    fn a_trace_reads_like_a_story() {
        let events = [event(Kind::Read, 7, 10), event(Kind::Write, 7, 30)];
        let told = ancestry(&trace(&events, 30), &Names::default()).text();
        let expected = "inode 30\n  written by cmd[7], uid 0, 1970-01-01 00:00:00.000 UTC\n    \
                        which had read inode 10\n";
        assert_eq!(told, expected);
    }
}
