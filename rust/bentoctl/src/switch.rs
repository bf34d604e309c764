// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Moving mounts to another build, one after the other: what upgrade and rollback have in common.

use crate::builds::{self, Build};
use crate::failure::{Failure, Kind, Result, describe};
use crate::host::{Host, read_if_there, write};
use crate::mounts::{self, Mount, PauseSteps};
use crate::output::{count, duration, plain};
use crate::progress::Progress;
use rustix::io::Errno;
use serde::Serialize;
use std::io;

/// How mounts are to be moved.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct How {
    /// Try everything up to the switch and undo it: would it work? Nobody waits for that
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Give running operations this long to end, in ms, before the mount is left as it is; the
    /// value in /sys/fs/bentofs/ID/drain_ms without this
    #[arg(long, value_name = "N")]
    pub(crate) drain_ms: Option<u32>,
    /// After a mount that failed go on with the next one
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Print a line for each step, even where stderr is no terminal
    #[arg(long)]
    pub(crate) watch: bool,
}

/// A mount and the build that it is to get.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub(crate) mount: Mount,
    pub(crate) to: Build,
}

/// What became of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ending {
    Upgraded,
    Repaired,
    /// A dry run found no obstacle.
    WouldWork,
    /// The build served it already.
    Unchanged,
    Failed,
    /// A mount before it failed.
    Skipped,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Side {
    pub(crate) version: String,
    pub(crate) build: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) fs: String,
    pub(crate) mount_points: Vec<String>,
    pub(crate) from: Side,
    pub(crate) to: Side,
    pub(crate) result: Ending,
    pub(crate) pause_ns: Option<u64>,
    pub(crate) pause_steps_ns: Option<PauseSteps>,
    /// Operations that failed meanwhile because the mount had failed.
    pub(crate) ops_failed: u64,
    pub(crate) error: Option<Problem>,
}

impl Outcome {
    fn new(what: &Move, result: Ending) -> Self {
        let (mount, to) = (&what.mount, &what.to);
        Self {
            id: mount.id.clone(),
            fs: mount.fs.clone(),
            mount_points: mount.mount_points.clone(),
            from: Side {
                version: mount.version.clone(),
                build: mount.build.clone(),
            },
            to: Side {
                version: to.version.clone(),
                build: to.module.clone(),
            },
            result,
            pause_ns: None,
            pause_steps_ns: None,
            ops_failed: 0,
            error: None,
        }
    }

    fn failed(what: &Move, failure: Failure) -> Self {
        let problem = Problem {
            kind: failure.kind,
            message: failure.message,
        };
        Self {
            error: Some(problem),
            ..Self::new(what, Ending::Failed)
        }
    }

    /// The mount has a new build, or could have it.
    pub(crate) fn is_done(&self) -> bool {
        use Ending::{Repaired, Upgraded, WouldWork};
        matches!(self.result, Upgraded | Repaired | WouldWork)
    }
}

/// Moves the mounts in this order; stops at the first that fails, unless told to go on.
pub(crate) fn all(host: &Host, moves: &[Move], how: How) -> Vec<Outcome> {
    let progress = Progress::new(how.watch, moves.len());
    let mut outcomes: Vec<Outcome> = Vec::new();
    for (number, what) in moves.iter().enumerate() {
        let stopped = outcomes.iter().any(|outcome| outcome.error.is_some());
        let outcome = if stopped && !how.keep_going {
            Outcome::new(what, Ending::Skipped)
        } else if what.mount.build == what.to.module && what.mount.state != "failed" {
            Outcome::new(what, Ending::Unchanged)
        } else {
            progress.start(number, what);
            one(host, what, how, &progress).unwrap_or_else(|error| Outcome::failed(what, error))
        };
        progress.end(&outcome);
        outcomes.push(outcome);
    }
    outcomes
}

fn one(host: &Host, what: &Move, how: How, progress: &Progress) -> Result<Outcome> {
    let mount = &what.mount;
    if mount.state == "shutdown" {
        let text = format!("{}: it was shut down by ioctl; unmount it", mount.name());
        return Err(Failure::new(Kind::Failed, text));
    }
    let command = match how.dry_run {
        true => format!("check {}", what.to.module),
        false => what.to.module.clone(),
    };
    let patience = Patience::set(mount, how.drain_ms)?;
    let written = progress.during(mount, || write(&mount.folder.join("upgrade"), &command));
    patience.restore();
    if let Err(error) = written {
        return Err(explain(host, what, how, &error));
    }
    if how.dry_run {
        return Ok(Outcome::new(what, Ending::WouldWork));
    }
    let now = mounts::again(host, mount)?;
    let result = match mount.state.as_str() {
        "failed" => Ending::Repaired,
        _ => Ending::Upgraded,
    };
    Ok(Outcome {
        pause_ns: Some(now.pause_ns),
        pause_steps_ns: now.pause_steps_ns,
        ops_failed: now.ops_failed.saturating_sub(mount.ops_failed),
        ..Outcome::new(what, result)
    })
}

/// `drain_ms` of a mount, for one upgrade.
struct Patience<'a> {
    mount: &'a Mount,
    changed: bool,
}

impl<'a> Patience<'a> {
    fn set(mount: &'a Mount, drain_ms: Option<u32>) -> Result<Self> {
        if let Some(ms) = drain_ms {
            let path = mount.folder.join("drain_ms");
            write(&path, &ms.to_string()).map_err(|error| Failure::io(path.display(), &error))?;
        }
        Ok(Self {
            mount,
            changed: drain_ms.is_some(),
        })
    }

    fn restore(&self) {
        if let (true, Some(before)) = (self.changed, self.mount.drain_ms) {
            // The mount may be gone by now, and its attribute with it.
            let _restored = write(&self.mount.folder.join("drain_ms"), &before.to_string());
        }
    }
}

/// What the kernel's answer to a write to `upgrade` means, and what can be done about it.
fn explain(host: &Host, what: &Move, how: How, error: &io::Error) -> Failure {
    let (mount, to) = (&what.mount, &what.to);
    let step = format!("{}: {} -> {}", mount.name(), mount.version, to.version);
    let number = Errno::from_io_error(error);
    let (kind, why) = match number {
        Some(Errno::ACCESS | Errno::PERM) => (Kind::Permission, "only root may upgrade".to_owned()),
        Some(Errno::BUSY) => (Kind::Busy, frozen(mount)),
        Some(Errno::TIMEDOUT) => (Kind::Busy, drain(mount, how)),
        Some(Errno::OPNOTSUPP) => (Kind::Incompatible, incompatible(host, what)),
        Some(Errno::NOENT) => {
            let text = format!("{} is not loaded any more", to.module);
            (Kind::NotFound, text)
        }
        _ => {
            let said = kernel_says(mount);
            let said = said.map_or_else(String::new, |said| format!(" (bentofs: {said})"));
            (Kind::Failed, format!("{}{said}", describe(error)))
        }
    };
    let mut text = format!("{step}: {why}");
    let state = read_if_there(&mount.folder.join("state"));
    if matches!(state, Ok(Some(state)) if state == "failed") {
        text.push_str("; the mount is failed until an upgrade repairs it");
    } else if kind != Kind::Permission {
        text.push_str(&format!("; {} serves on", mount.build));
    }
    Failure::new(kind, text)
}

fn frozen(mount: &Mount) -> String {
    match mount.mount_points.first() {
        Some(point) => format!("it is frozen; thaw it first (fsfreeze -u {point})"),
        None => "it is frozen; thaw it first".to_owned(),
    }
}

fn drain(mount: &Mount, how: How) -> String {
    let ms = how.drain_ms.map(u64::from).or(mount.drain_ms);
    let within = ms.map_or_else(|| "in time".to_owned(), |ms| format!("within {ms} ms"));
    format!("running operations did not end {within}; try again, or give them more (--drain-ms)")
}

/// Both ranges of state schemas, or what else keeps the two builds apart.
fn incompatible(host: &Host, what: &Move) -> String {
    let builds = builds::all(host).unwrap_or_default();
    let old = builds.iter().find(|build| build.module == what.mount.build);
    if let (Some(old), Some(new)) = (old.and_then(|old| old.state_schema), what.to.state_schema)
        && !(new.reads_min..=new.reads_max).contains(&old.writes)
    {
        return format!(
            "incompatible state: {} writes state schema {} (and reads {} to {}), \
             {} reads {} to {} (and writes {}); go by a build that reads both, or unmount",
            what.mount.build,
            old.writes,
            old.reads_min,
            old.reads_max,
            what.to.module,
            new.reads_min,
            new.reads_max,
            new.writes
        );
    }
    kernel_says(&what.mount).unwrap_or_else(|| {
        format!(
            "{} cannot take over from {}; unmount, and mount with the new build",
            what.to.module, what.mount.build
        )
    })
}

/// What bentofs says of the upgrade that has just failed.
fn kernel_says(mount: &Mount) -> Option<String> {
    let said = read_if_there(&mount.folder.join("last_error")).ok()??;
    // It may also be that of a panic long ago.
    let new = Some(&said) != mount.last_error.as_ref() || said.starts_with("upgrade");
    (new && !said.is_empty()).then(|| plain(&said))
}

/// Nothing, or the failure that stands for all that failed: the exit code depends on it.
pub(crate) fn verdict(outcomes: &[Outcome]) -> Result {
    let mut failed = outcomes.iter().filter_map(|outcome| outcome.error.as_ref());
    let Some(first) = failed.next() else {
        return Ok(());
    };
    if let [_] = outcomes {
        return Err(Failure::new(first.kind, first.message.clone()));
    }
    let served = outcomes.iter().any(Outcome::is_done);
    let kind = if served { Kind::Partial } else { first.kind };
    let number = 1 + failed.count();
    let skipped = outcomes
        .iter()
        .filter(|o| o.result == Ending::Skipped)
        .count();
    let mut text = format!("{number} of {} failed", count(outcomes.len(), "mount"));
    if skipped > 0 {
        text.push_str(&format!(
            ", {skipped} not tried after that (--keep-going goes on)"
        ));
    }
    Err(Failure::new(kind, text))
}

/// A line per mount where there are several, and one that sums up.
pub(crate) fn text(outcomes: &[Outcome], verb: &str) -> String {
    let mut text = String::new();
    if outcomes.len() > 1 {
        for outcome in outcomes {
            text.push_str(&line(outcome, verb));
            text.push('\n');
        }
    }
    let done: Vec<&Outcome> = outcomes
        .iter()
        .filter(|outcome| outcome.is_done())
        .collect();
    if !done.is_empty() {
        text.push_str(&summary(&done, verb));
        text.push('\n');
    } else if outcomes.iter().all(|o| o.result == Ending::Unchanged) {
        text.push_str("nothing to do: no mount needs another build\n");
    }
    text
}

/// What became of a mount, in one line.
pub(crate) fn line(outcome: &Outcome, verb: &str) -> String {
    let what = match outcome.result {
        Ending::Upgraded => format!("{verb}, {}", pause(outcome)),
        Ending::Repaired => format!("repaired, {}", pause(outcome)),
        Ending::WouldWork => "would work".to_owned(),
        Ending::Unchanged => "served by that build already".to_owned(),
        Ending::Skipped => "not tried".to_owned(),
        Ending::Failed => {
            let message = outcome.error.as_ref().map_or("", |error| &error.message);
            return format!("FAILED {message}");
        }
    };
    let (from, to) = (&outcome.from.version, &outcome.to.version);
    format!("{}: {from} -> {to}: {what}", outcome.id)
}

fn pause(outcome: &Outcome) -> String {
    format!("pause {}", duration(outcome.pause_ns.unwrap_or_default()))
}

fn summary(done: &[&Outcome], verb: &str) -> String {
    let mut types: Vec<String> = done.iter().map(|outcome| versions(outcome)).collect();
    types.dedup();
    let types = types.join(", ");
    let mounts = count(done.len(), "mount");
    if done
        .iter()
        .any(|outcome| outcome.result == Ending::WouldWork)
    {
        return format!("dry run: {types} would work on {mounts}");
    }
    let longest = done.iter().filter_map(|outcome| outcome.pause_ns).max();
    let failed: u64 = done.iter().map(|outcome| outcome.ops_failed).sum();
    let repaired = done.iter().filter(|o| o.result == Ending::Repaired).count();
    let repaired = match repaired {
        0 => String::new(),
        number => format!(" ({number} repaired)"),
    };
    format!(
        "{verb} {types} on {mounts}{repaired}, longest pause {}, {} failed",
        duration(longest.unwrap_or_default()),
        match failed {
            1 => "1 operation".to_owned(),
            number => format!("{number} operations"),
        }
    )
}

fn versions(outcome: &Outcome) -> String {
    let (from, to) = (&outcome.from.version, &outcome.to.version);
    format!("{} {from} -> {to}", outcome.fs)
}
