// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `bentoctl stats`: how often each operation ran, and how long it took.

use crate::failure::{Failure, Kind, Result};
use crate::host::{Host, lines, read_if_there, write};
use crate::latency::Latency;
use crate::mounts::{self, Mount};
use crate::output::{Output, duration, table};
use clap::Parser;
use serde::Serialize;
use std::io;
use std::path::Path;

/// Shows how often each operation of a mount ran, and how long it took
///
/// Calls and errors are always counted. Latencies are measured while that is enabled, and only
/// root sees them (they lie in debugfs). A percentile is told as the upper end of its bucket;
/// buckets double in width.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Mount point, device or id; all mounts without it
    mount: Option<String>,
    /// Start to measure latencies
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Stop to measure latencies; what was measured stays
    #[arg(long)]
    disable: bool,
    /// Forget the latencies measured so far
    #[arg(long)]
    reset: bool,
}

#[derive(Serialize)]
struct Report {
    mounts: Vec<Stats>,
}

#[derive(Serialize)]
struct Stats {
    id: String,
    /// `None` where only root could tell.
    latency_enabled: Option<bool>,
    ops: Vec<Operation>,
}

#[derive(Serialize)]
struct Operation {
    op: String,
    count: u64,
    errors: u64,
    latency: Option<Latency>,
}

pub(crate) fn run(args: &Args, host: &Host, out: &Output) -> Result {
    let mounts = mounts::chosen(host, args.mount.as_deref())?;
    for mount in &mounts {
        control(args, host, mount)?;
    }
    let stats: Result<Vec<Stats>> = mounts.iter().map(|mount| stats(host, mount)).collect();
    let report = Report { mounts: stats? };
    out.print(&report, || {
        let texts: Vec<String> = report.mounts.iter().map(text).collect();
        texts.join("\n")
    })
}

/// Does what the options ask for.
fn control(args: &Args, host: &Host, mount: &Mount) -> Result {
    let folder = host.debug(&mount.id);
    let wanted = [
        (args.reset, "latency", "0"),
        (args.enable, "latency_enable", "1"),
        (args.disable, "latency_enable", "0"),
    ];
    for (_, name, value) in wanted.iter().filter(|(wanted, ..)| *wanted) {
        set(&folder.join(name), value)?;
    }
    Ok(())
}

fn set(path: &Path, value: &str) -> Result {
    write(path, value).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let text = format!(
                "{}: it is not there: mount debugfs (mount -t debugfs none /sys/kernel/debug)",
                path.display()
            );
            Failure::new(Kind::NotFound, text)
        }
        _ => Failure::io(path.display(), &error),
    })
}

fn stats(host: &Host, mount: &Mount) -> Result<Stats> {
    let folder = host.debug(&mount.id);
    let path = mount.folder.join("ops");
    let text = read_if_there(&path)?.ok_or_else(|| {
        let text = format!("{}: the loaded bentofs does not count operations", mount.id);
        Failure::new(Kind::NotFound, text)
    })?;
    // Whoever may not read debugfs gets the counts alone.
    let latencies = read_if_there(&folder.join("latency")).unwrap_or_default();
    let enabled = read_if_there(&folder.join("latency_enable")).unwrap_or_default();
    let mut ops = lines(&path, &text, operation)?;
    for op in &mut ops {
        let lines = latencies.as_deref().unwrap_or_default().lines();
        op.latency = lines
            .filter_map(Latency::parse)
            .find_map(|(name, latency)| (name == op.op).then_some(latency));
    }
    Ok(Stats {
        id: mount.id.clone(),
        latency_enabled: enabled.map(|text| text == "1"),
        ops,
    })
}

/// A line of `ops`: `op count errors`.
fn operation(line: &str) -> Option<Operation> {
    let mut words = line.split_whitespace();
    Some(Operation {
        op: words.next()?.to_owned(),
        count: words.next()?.parse().ok()?,
        errors: words.next()?.parse().ok()?,
        latency: None,
    })
}

fn text(stats: &Stats) -> String {
    let measured = stats.ops.iter().any(|op| op.latency.is_some());
    let note = match (stats.latency_enabled, measured) {
        (None, _) => "latencies: for root alone",
        (Some(true), _) => "latencies: being measured",
        (Some(false), true) => "latencies: measured earlier",
        (Some(false), false) => "latencies: not measured; --enable starts it",
    };
    let mut text = format!("{}  ({note})\n", stats.id);
    if !measured {
        let head = ["  OPERATION", "CALLS", "ERRORS"];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(stats.ops.iter().map(counts));
        text.push_str(&table(&rows));
        return text;
    }
    let head = [
        "  OPERATION",
        "CALLS",
        "ERRORS",
        "MEAN",
        "P50",
        "P90",
        "P99",
        "P99.9",
        "MAX",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(stats.ops.iter().map(latencies));
    text.push_str(&table(&rows));
    text
}

fn counts(op: &Operation) -> [String; 3] {
    let name = format!("  {}", op.op);
    [name, op.count.to_string(), op.errors.to_string()]
}

fn latencies(op: &Operation) -> [String; 9] {
    let [name, count, errors] = counts(op);
    let Some(latency) = &op.latency else {
        let none = || "-".to_owned();
        return [
            name,
            count,
            errors,
            none(),
            none(),
            none(),
            none(),
            none(),
            none(),
        ];
    };
    [
        name,
        count,
        errors,
        duration(latency.mean_ns),
        duration(latency.p50_ns),
        duration(latency.p90_ns),
        duration(latency.p99_ns),
        duration(latency.p999_ns),
        duration(latency.max_ns),
    ]
}
