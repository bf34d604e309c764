// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What became of the mounts of an upgrade, as text.

use crate::output::{count, duration};
use crate::switch::{Ending, Outcome};

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
        Ending::Unchanged => {
            return format!("{}: served by {} already", outcome.id, outcome.to.version);
        }
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
