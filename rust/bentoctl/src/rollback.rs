// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `bentoctl rollback`: back to the build that served before the last upgrade.

use crate::builds::Build;
use crate::failure::{Failure, Kind, Result};
use crate::history::{self, Event};
use crate::host::Host;
use crate::mounts::{self, Mount};
use crate::output::Output;
use crate::switch::{self, How, Move};
use crate::upgrade::Report;
use crate::{load, prefer, summary};
use clap::Parser;

/// Moves mounts back to the build that served them before their last upgrade
///
/// The history of each mount tells which one that is. Where it was unloaded it is loaded again, if
/// it is installed. This is an upgrade like any other: it can be tried with --dry-run, and a
/// second rollback undoes the first.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Only this mount: mount point, device or id
    #[arg(long, value_name = "MOUNT")]
    mount: Option<String>,
    #[command(flatten)]
    how: How,
}

pub(crate) fn run(args: &Args, host: &Host, out: &Output) -> Result {
    let mut moves = Vec::new();
    for mount in mounts::chosen(host, args.mount.as_deref())? {
        let Some(name) = previous(&mount.build, &history::events(&mount)?) else {
            if args.mount.is_some() {
                return Err(no_way_back(&mount));
            }
            continue;
        };
        let (to, _) = load::build(host, &name, true).map_err(|failure| {
            let text = format!("{} came from {name}: {}", mount.name(), failure.message);
            Failure::new(failure.kind, text)
        })?;
        moves.push(Move { mount, to });
    }
    let outcomes = switch::all(host, &moves, args.how)?;
    let verdict = switch::verdict(&outcomes);
    let mut report = Report::new(args.how, outcomes);
    if verdict.is_ok() && args.mount.is_none() && !args.how.dry_run {
        for build in common(&moves) {
            report.preferred.extend(prefer::build(host, build)?);
        }
    }
    out.print(&report, || match report.mounts.as_slice() {
        [] => "nothing to do: no mount was upgraded\n".to_owned(),
        mounts => summary::text(mounts, "rolled back"),
    })?;
    verdict
}

/// The build before the one that serves now.
fn previous(build: &str, events: &[Event]) -> Option<String> {
    let switched = |event: &&Event| {
        matches!(event.kind.as_str(), "upgrade" | "repair")
            && event.result == 0
            && event.to == build
            && event.from != build
    };
    let last = events.iter().rev().find(switched)?;
    Some(last.from.clone())
}

fn no_way_back(mount: &Mount) -> Failure {
    let text = format!(
        "{}: nothing to go back to: its history has no upgrade to {}",
        mount.name(),
        mount.build
    );
    Failure::new(Kind::NotFound, text)
}

/// The builds to which all mounts of their type went.
fn common(moves: &[Move]) -> Vec<&Build> {
    let mut builds: Vec<&Build> = Vec::new();
    for Move { to, .. } in moves {
        let same = |other: &Move| other.to.fs != to.fs || other.to.module == to.module;
        if !builds.contains(&to) && moves.iter().all(same) {
            builds.push(to);
        }
    }
    builds
}

#[cfg(test)]
mod tests {
    use super::previous;
    use crate::history::Event;

    fn event(kind: &str, from: &str, to: &str, result: i32) -> Event {
        Event {
            time: 0,
            kind: kind.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            result,
            pause_ns: 0,
            text: None,
        }
    }

    #[test]
    fn only_what_led_here_counts() {
        let events = [
            event("upgrade", "a", "b", 0),
            event("check", "b", "c", 0),
            event("upgrade", "b", "c", -5),
            event("repair", "b", "b", 0),
            event("remount", "b", "b", 0),
        ];
        assert_eq!(previous("b", &events).as_deref(), Some("a"));
        assert_eq!(previous("c", &events), None);
        assert_eq!(previous("b", &[]), None);
    }

    #[test]
    fn the_second_rollback_undoes_the_first() {
        let events = [event("upgrade", "a", "b", 0), event("upgrade", "b", "a", 0)];
        assert_eq!(previous("a", &events).as_deref(), Some("b"));
    }
}
