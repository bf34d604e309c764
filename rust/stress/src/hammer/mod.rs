// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The verifying workload: workers run random operations, each in a directory of its own, and
//! compare every answer with a model in memory.
//!
//! Any error and any difference counts: the exit code is zero only if there was none. The time of
//! every operation is kept, so that the report can say how long clients waited while something
//! else happened (`--windows`). Because many of the random operations wait for the disk anyway, a
//! separate [`probe`] repeats one cheap operation and is reported by itself.

mod model;
mod probe;
mod report;
mod worker;

use crate::latency::{Latency, Window};
use anyhow::{Context, ensure};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use report::Report;
use signal_hook::consts::SIGTERM;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Instant;
use worker::{Outcome, Worker};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An existing directory; the workers make `w0`, `w1`, ... in it
    dir: PathBuf,
    /// Number of workers
    #[arg(long, default_value_t = 2)]
    jobs: u16,
    /// Run for this long
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// End earlier, as soon as this file exists (SIGTERM does the same)
    #[arg(long)]
    stop: Option<PathBuf>,
    /// Create this file when every worker has done its first 50 operations
    #[arg(long)]
    ready: Option<PathBuf>,
    /// Seed of the random operations
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Files per worker
    #[arg(long, default_value_t = 24)]
    files: usize,
    /// Largest file in bytes
    #[arg(long, default_value_t = 192 * 1024)]
    max_size: usize,
    /// A file with lines of START END (nanoseconds, from `stress now`), read when the run ends:
    /// for each the report gives the longest operation that overlaps it
    #[arg(long)]
    windows: Option<PathBuf>,
    /// Write the report as JSON to this file, too
    #[arg(long)]
    report: Option<PathBuf>,
}

/// Errors and differences at which a worker gives up.
const ENOUGH: usize = 20;
/// Operations after which a worker counts as running.
const WARM: usize = 50;

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(args.jobs > 0 && args.files > 1, "nothing to do");
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;
    let started = Instant::now();
    let (outcomes, probe) = thread::scope(|scope| {
        let probe = scope.spawn(|| probe::run(&args.dir, &stop));
        let workers: Vec<_> = (0..args.jobs)
            .map(|n| {
                let stop = &stop;
                scope.spawn(move || work(args, n, stop))
            })
            .collect();
        wait(args, &stop, || {
            workers.iter().all(thread::ScopedJoinHandle::is_finished)
        });
        let outcomes: anyhow::Result<Vec<Outcome>> = workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker does not panic"))
            .collect();
        (outcomes, probe.join().expect("the probe does not panic"))
    });
    finish(args, started.elapsed(), outcomes?, probe?)
}

/// One worker from its first operation to the last comparison.
fn work(args: &Args, number: u16, stop: &AtomicBool) -> anyhow::Result<Outcome> {
    let mut worker = Worker::new(&args.dir, number, args.seed, args.files, args.max_size)?;
    let mut steps = 0;
    while !stop.load(Ordering::Relaxed) && worker.failures() < ENOUGH {
        worker.step();
        steps += 1;
        if steps == WARM {
            fs::write(worker.dir().with_extension("warm"), b"")?;
        }
    }
    worker.verify_all();
    Ok(worker.into_outcome())
}

/// Sleeps until time is up, the stop file exists, a signal came, or all workers ended.
fn wait(args: &Args, stop: &AtomicBool, ended: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(args.seconds);
    let mut announced = false;
    let warm = |n| args.dir.join(format!("w{n}.warm")).exists();
    while Instant::now() < deadline && !ended() && !stop.load(Ordering::Relaxed) {
        if args.stop.as_ref().is_some_and(|path| path.exists()) {
            break;
        }
        if let Some(ready) = &args.ready
            && !announced
            && (0..args.jobs).all(warm)
        {
            announced = fs::write(ready, b"").is_ok();
        }
        thread::sleep(Duration::from_millis(50));
    }
    stop.store(true, Ordering::Relaxed);
}

fn finish(
    args: &Args,
    elapsed: Duration,
    outcomes: Vec<Outcome>,
    probe: Outcome,
) -> anyhow::Result<()> {
    let windows = match &args.windows {
        Some(path) => fs::read_to_string(path)
            .with_context(|| format!("cannot read the windows in {}", path.display()))?,
        None => String::new(),
    };
    let mut samples = Vec::new();
    let (mut failed, mut mismatches) = (probe.failed, probe.mismatches);
    for outcome in outcomes {
        samples.extend(outcome.samples);
        failed.extend(outcome.failed);
        mismatches.extend(outcome.mismatches);
    }
    let report = Report {
        jobs: args.jobs,
        operations: samples.len(),
        elapsed,
        failed,
        mismatches,
        latency: Latency::new(samples),
        probe: Latency::new(probe.samples),
        windows: Window::parse(&windows)?,
    };
    print!("{}", report.text());
    if let Some(path) = &args.report {
        fs::write(path, report.json())
            .with_context(|| format!("cannot write the report {}", path.display()))?;
    }
    ensure!(report.operations > 0, "no operation was done");
    ensure!(
        report.failed.is_empty() && report.mismatches.is_empty(),
        "{} operations failed, {} answers were wrong",
        report.failed.len(),
        report.mismatches.len()
    );
    Ok(())
}
