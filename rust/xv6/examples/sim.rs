// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Looks for a crash or a failure of the device that xv6 does not survive, for as long as it is
//! told to: every sequence of three operations, and long random ones.
//!
//! `./dev sim --hours N` runs it. A failure prints the one command that repeats it.

#[path = "../tests/sim/mod.rs"]
mod sim;

use bento_sim::{Caching, Limits, Nodes, Op, Rng, Setting, Workload, explore};
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use sim::{SimXv6, more_operations, operations, random, setting, setup};
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const USAGE: &str = "usage: ./dev sim --hours N | --seed S | --sequence I
  --hours N      every sequence of three operations as far as the time goes, and random long ones
  --seed S       the random run S alone
  --sequence I   the sequence number I alone";
/// Sequences are visited in steps of this prime, so that little time sees something of all.
const STEP: u64 = 48_611;
const REPORT: Duration = Duration::from_secs(60);

/// One workload that a number stands for.
#[derive(Clone, Copy)]
enum Job {
    Sequence(u64),
    Random(u64),
}

impl core::fmt::Display for Job {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Sequence(number) => write!(f, "--sequence {number}"),
            Self::Random(seed) => write!(f, "--seed {seed}"),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Sum {
    sequences: u64,
    randoms: u64,
    faults: u64,
    tried: explore::Tried,
}

impl core::fmt::Display for Sum {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{} of {} sequences of three, {} random runs; {}; failures of the device: {}",
            self.sequences,
            sequences(),
            self.randoms,
            self.tried,
            self.faults
        )
    }
}

impl core::ops::AddAssign for Sum {
    fn add_assign(&mut self, more: Self) {
        self.sequences += more.sequences;
        self.randoms += more.randoms;
        self.faults += more.faults;
        self.tried += more.tried;
    }
}

fn all_operations() -> Vec<Op> {
    let mut all = operations();
    all.extend(more_operations());
    all
}

fn small(number: u64) -> usize {
    usize::try_from(number).expect("a small number")
}

/// How many sequences of three there are.
fn sequences() -> u64 {
    u64::try_from(all_operations().len().pow(3)).expect("some thousands")
}

/// The sequence `number`, then a sync, so that the log is written with all of it.
fn sequence(number: u64) -> (Workload, Setting) {
    let all = all_operations();
    let digits = [1, all.len(), all.len().pow(2)].map(|unit| small(number) / unit % all.len());
    let mut ops: Vec<_> = digits.into_iter().map(|digit| all[digit].clone()).collect();
    ops.push(Op::Sync);
    let limits = Limits {
        exhaustive: 4,
        random: 4,
        torn: false,
        seed: number,
    };
    let workload = Workload {
        setup: setup(),
        ops,
    };
    let setting = Setting {
        limits,
        ..setting()
    };
    (workload, setting)
}

/// A long run, in one of the ways to run it.
fn long(seed: u64) -> (Workload, Setting) {
    let mut rng = Rng::new(seed);
    let recovery = rng.below(4) == 0;
    let limits = match recovery || rng.below(2) == 0 {
        true => Limits::few(),
        false => Limits::default(),
    };
    let setting = Setting {
        caching: *rng.pick(&[Caching::Short, Caching::Long]),
        nodes: *rng.pick(&[Nodes::Keep, Nodes::Evict]),
        limits: Limits { seed, ..limits },
        recovery,
        upgrade: rng.below(4) == 0,
        ..setting()
    };
    (random(seed, small(20 + rng.below(60))), setting)
}

/// Crashes everywhere in a workload, then the failure of each of its reads, writes and flushes.
fn run(job: Job) -> Result<Sum, String> {
    let (workload, setting) = match job {
        Job::Sequence(number) => sequence(number),
        Job::Random(seed) => long(seed),
    };
    let attempt = || -> Result<_, String> {
        let tried = explore::crashes::<SimXv6>(&workload, &setting)?;
        Ok((tried, explore::faults::<SimXv6>(&workload, &setting)?))
    };
    let result = catch_unwind(AssertUnwindSafe(attempt))
        .unwrap_or_else(|_| Err(format!("a panic (above)\n{workload}")));
    let (tried, faults) = result.map_err(|why| format!("{why}\n{setting:?}"))?;
    Ok(Sum {
        sequences: u64::from(matches!(job, Job::Sequence(_))),
        randoms: u64::from(matches!(job, Job::Random(_))),
        faults,
        tried,
    })
}

/// Runs one job; what is wrong with it goes to the user, with the command that repeats it.
fn report(job: Job) -> Option<Sum> {
    match run(job) {
        Ok(sum) => Some(sum),
        Err(why) => {
            println!("FAILED: {why}\nreplay: ./dev sim {job}");
            None
        }
    }
}

/// The `n`th job of a long search: sequences and random runs in turns.
fn job(n: u64, first_seed: u64) -> Job {
    let turn = n / 2;
    if n.is_multiple_of(2) && turn < sequences() {
        Job::Sequence(turn * STEP % sequences())
    } else {
        Job::Random(first_seed.wrapping_add(n))
    }
}

fn search(time: Duration) -> ExitCode {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let first_seed = since.map_or(1, |since| since.as_secs());
    let (began, next, failed) = (Instant::now(), AtomicU64::new(0), AtomicBool::new(false));
    let state = Mutex::new((Sum::default(), Instant::now()));
    let work = || {
        while began.elapsed() < time && !failed.load(Ordering::Relaxed) {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(more) = report(job(n, first_seed)) else {
                failed.store(true, Ordering::Relaxed);
                return;
            };
            let mut state = state.lock().expect("no panic inside");
            state.0 += more;
            if state.1.elapsed() > REPORT {
                state.1 = Instant::now();
                println!("sim: {} s: {}", began.elapsed().as_secs(), state.0);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let sum = state.lock().expect("no panic inside").0;
    println!("sim: {} s: {sum}", began.elapsed().as_secs());
    match failed.into_inner() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

fn single(job: Job) -> ExitCode {
    match report(job) {
        Some(sum) => {
            println!("sim {job}: survived: {sum}");
            ExitCode::SUCCESS
        }
        None => ExitCode::FAILURE,
    }
}

/// `N` in hours.
fn hours(text: &str) -> Option<Duration> {
    let hours: f64 = text.parse().ok()?;
    Duration::try_from_secs_f64(hours * 3600.0).ok()
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let below = |number: &u64| *number < sequences();
    match *arguments {
        ["--hours", text] if let Some(time) = hours(text) => search(time),
        ["--seed", text] if let Ok(seed) = text.parse() => single(Job::Random(seed)),
        ["--sequence", text] if let Some(number) = text.parse().ok().filter(below) => {
            single(Job::Sequence(number))
        }
        _ => {
            println!("{USAGE}, below {}", sequences());
            ExitCode::from(2)
        }
    }
}
