// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Moving mounts to another build, one after the other: what upgrade and rollback have in common.

use crate::builds::Build;
use crate::failure::{Failure, Kind, Result};
use crate::host::{Host, write};
use crate::mounts::{self, Mount, PauseSteps};
use crate::output::count;
use crate::patience::Patience;
use crate::progress::Progress;
use crate::refusal::explain;
use serde::Serialize;

/// How mounts are to be moved.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct How {
    /// Try everything up to the switch and undo it: would it work? Nobody waits for that
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Give running operations this long to end, in ms, before the mount is left as it is; the
    /// value in /sys/fs/bentofs/ID/drain_ms without this
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=600_000))]
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
pub(crate) fn all(host: &Host, moves: &[Move], how: How) -> Result<Vec<Outcome>> {
    let progress = Progress::new(how.watch, moves.len());
    let patience = Patience::new(how.drain_ms)?;
    let mut outcomes: Vec<Outcome> = Vec::new();
    for (number, what) in moves.iter().enumerate() {
        let stopped = outcomes.iter().any(|outcome| outcome.error.is_some());
        let outcome = if stopped && !how.keep_going {
            Outcome::new(what, Ending::Skipped)
        } else if what.mount.build == what.to.module && what.mount.state != "failed" {
            Outcome::new(what, Ending::Unchanged)
        } else {
            progress.start(number, what);
            let shown = (&progress, &patience);
            one(host, what, how, shown).unwrap_or_else(|error| Outcome::failed(what, error))
        };
        progress.end(&outcome);
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn one(
    host: &Host,
    what: &Move,
    how: How,
    (progress, patience): (&Progress, &Patience),
) -> Result<Outcome> {
    let mount = &what.mount;
    if mount.state == "shutdown" {
        let text = format!("{}: it was shut down by ioctl; unmount it", mount.name());
        return Err(Failure::new(Kind::Failed, text));
    }
    let command = match how.dry_run {
        true => format!("check {}", what.to.module),
        false => what.to.module.clone(),
    };
    let upgrade = || progress.during(mount, || write(&mount.folder.join("upgrade"), &command));
    if let Err(error) = patience.during(mount, upgrade)? {
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
