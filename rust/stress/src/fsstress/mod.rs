// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Random operations of all kinds in parallel, as fsstress of LTP and xfstests does them, and
//! with its flags; but each answer is compared with a model in memory, and at the end the whole
//! tree is.
//!
//! Process `N` works in `DIR/pN`, so that it knows what is there; the processes are threads. What a
//! file system does not have (`EOPNOTSUPP`) is left out from then on and named at the end.

mod data;
mod meta;
mod model;
mod names;
mod verify;
mod worker;

use anyhow::{Context, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::thread;
use worker::{Outcome, Worker};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An existing directory; process N makes, and first removes, `pN` in it
    #[arg(short)]
    dir: PathBuf,
    /// Operations of each process in each loop
    #[arg(short = 'n', default_value_t = 1000)]
    operations: u32,
    /// Processes
    #[arg(short, default_value_t = 1)]
    processes: u16,
    /// The same seed makes the same operations
    #[arg(short, default_value_t = 1)]
    seed: u64,
    /// Loops; each begins with an empty tree
    #[arg(short, default_value_t = 1)]
    loops: u32,
    /// Remove the tree at the end
    #[arg(short)]
    cleanup: bool,
    /// Fail where the file system does not have one of the operations
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(args.dir.is_dir(), "{}: no directory", args.dir.display());
    ensure!((1..=200).contains(&args.processes), "-p is 1 to 200");
    let mut counts = BTreeMap::new();
    let mut missing = BTreeSet::new();
    let mut names = 0;
    for number in 0..args.loops {
        names = 0;
        for outcome in one_loop(args, number)? {
            names += outcome.names;
            missing.extend(outcome.missing);
            for (operation, count) in outcome.counts {
                *counts.entry(operation).or_insert(0u64) += count;
            }
        }
    }
    if args.cleanup {
        for process in 0..args.processes {
            let path = args.dir.join(format!("p{process}"));
            fs::remove_dir_all(&path).with_context(|| format!("rm -r {}", path.display()))?;
        }
    }
    let total: u64 = counts.values().sum();
    let list: Vec<String> = counts.iter().map(|(op, n)| format!("{op} {n}")).collect();
    println!("fsstress: {}", list.join(", "));
    println!(
        "fsstress: {total} operations, {names} names at the end, 0 wrong; not supported: {}",
        if missing.is_empty() {
            "none".to_owned()
        } else {
            missing.iter().cloned().collect::<Vec<_>>().join(", ")
        }
    );
    ensure!(
        missing.is_empty() || !args.all,
        "operations are missing, and --all was given"
    );
    Ok(())
}

/// All processes once, from empty trees.
fn one_loop(args: &Args, number: u32) -> anyhow::Result<Vec<Outcome>> {
    let results: Vec<anyhow::Result<Outcome>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..args.processes)
            .map(|process| {
                let dir = args.dir.join(format!("p{process}"));
                // A stream of its own for each process and loop.
                let seed = args.seed.wrapping_mul(1_000_003)
                    ^ (u64::from(number) << 32)
                    ^ u64::from(process);
                scope.spawn(move || Worker::new(dir, process, seed)?.all(args.operations))
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| bail!("a process panicked (see above)"))
            })
            .collect()
    });
    let mut good = Vec::new();
    let mut wrong = Vec::new();
    for result in results {
        match result {
            Ok(outcome) => good.push(outcome),
            Err(error) => wrong.push(format!("{error:#}")),
        }
    }
    ensure!(
        wrong.is_empty(),
        "seed {}, loop {number}: {}",
        args.seed,
        wrong.join("\n")
    );
    Ok(good)
}
