// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `bentoctl history`: what was done to mounts.

use crate::failure::{Failure, Kind, Result, describe};
use crate::host::{Host, lines, read_if_there};
use crate::mounts::{self, Mount};
use crate::output::{Output, duration, plain, table};
use crate::time::utc;
use clap::Parser;
use serde::Serialize;

/// Shows the upgrades, repairs, dry runs and remounts of mounts, the oldest first
///
/// The kernel keeps the last 16 of each mount, until it is unmounted.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Mount point, device or id; all mounts without it
    mount: Option<String>,
}

/// One line of the kernel's history of a mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Event {
    /// Seconds since 1970.
    pub(crate) time: u64,
    /// `upgrade`, `repair`, `remount` or `check`.
    pub(crate) kind: String,
    pub(crate) from: String,
    pub(crate) to: String,
    /// 0, or the error as a negative number.
    pub(crate) result: i32,
    pub(crate) pause_ns: u64,
    pub(crate) text: Option<String>,
}

#[derive(Serialize)]
struct Histories {
    mounts: Vec<History>,
}

#[derive(Serialize)]
struct History {
    id: String,
    events: Vec<Event>,
}

pub(crate) fn run(args: &Args, host: &Host, out: &Output) -> Result {
    let mut histories = Histories { mounts: Vec::new() };
    for mount in mounts::chosen(host, args.mount.as_deref())? {
        let events = events(&mount)?;
        let id = mount.id;
        histories.mounts.push(History { id, events });
    }
    out.print(&histories, || text(&histories))
}

/// What happened to a mount, the oldest first.
pub(crate) fn events(mount: &Mount) -> Result<Vec<Event>> {
    let path = mount.folder.join("history");
    let text = read_if_there(&path)?.ok_or_else(|| {
        let text = format!("{}: the loaded bentofs keeps no history", mount.id);
        Failure::new(Kind::NotFound, text)
    })?;
    lines(&path, &text, parse)
}

/// `seconds kind from to result pause_ns text`, where `-` stands for no text.
fn parse(line: &str) -> Option<Event> {
    let mut words = line.splitn(7, ' ');
    Some(Event {
        time: words.next()?.parse().ok()?,
        kind: words.next()?.to_owned(),
        from: words.next()?.to_owned(),
        to: words.next()?.to_owned(),
        result: words.next()?.parse().ok()?,
        pause_ns: words.next()?.parse().ok()?,
        text: words.next().filter(|text| *text != "-").map(str::to_owned),
    })
}

fn text(histories: &Histories) -> String {
    let head = ["MOUNT", "TIME", "WHAT", "FROM", "TO", "PAUSE", "RESULT"];
    let mut rows = vec![head.map(str::to_owned)];
    for History { id, events } in &histories.mounts {
        rows.extend(events.iter().map(|event| row(id, event)));
    }
    if rows.len() == 1 {
        return "nothing has happened yet\n".to_owned();
    }
    table(&rows)
}

fn row(id: &str, event: &Event) -> [String; 7] {
    let mut result = match event.result {
        0 => "ok".to_owned(),
        error => describe(&std::io::Error::from_raw_os_error(error.saturating_neg())),
    };
    if let Some(text) = &event.text {
        result.push_str(": ");
        result.push_str(&plain(text));
    }
    let pause = match event.pause_ns {
        0 => "-".to_owned(),
        pause => duration(pause),
    };
    [
        id.to_owned(),
        utc(event.time),
        event.kind.clone(),
        event.from.clone(),
        event.to.clone(),
        pause,
        result,
    ]
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn texts_keep_their_blanks() {
        let line = "1800000000 upgrade a b -11 0 export failed (error -11)";
        let event = parse(line).expect("an event");
        assert_eq!((event.result, event.pause_ns), (-11, 0));
        assert_eq!(event.text.as_deref(), Some("export failed (error -11)"));
        let event = parse("1800000000 repair a b 0 412345 -").expect("an event");
        assert_eq!((event.pause_ns, event.text), (412_345, None));
        assert_eq!(parse("1800000000 repair a b"), None);
    }
}
