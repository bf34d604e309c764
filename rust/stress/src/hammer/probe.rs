// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A client that repeats one cheap operation, to see how long the file system keeps it waiting.

use super::worker::Outcome;
use crate::latency::{Sample, now};
use crate::op;
use crate::stamp::{Stamp, difference};
use anyhow::Context;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;

/// Between two operations: without it, the probe would use up a CPU and measure the scheduler.
const PACE: Duration = Duration::from_micros(200);
const LEN: usize = 4096;

/// Overwrites one cached block again and again (in Bento each write asks the file system where the
/// block is), and compares it now and then.
pub(super) fn run(dir: &Path, stop: &AtomicBool) -> anyhow::Result<Outcome> {
    let path = dir.join("probe");
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .with_context(|| format!("cannot make {}", path.display()))?;
    let mut outcome = Outcome::default();
    let mut generation = 0;
    while !stop.load(Ordering::Relaxed) && outcome.failed.len() < super::ENOUGH {
        generation = generation % 0xfff0 + 1;
        let stamp = Stamp {
            id: 0xffff,
            generation,
        };
        let block = stamp.bytes(0, LEN);
        let start = now();
        let result = file.write_all_at(&block, 0);
        outcome.samples.push(Sample { start, end: now() });
        if let Err(error) = result {
            outcome
                .failed
                .push(format!("probe: write: {}", op::name(&error)));
        } else if generation % 64 == 0 {
            let mut got = vec![0; LEN];
            match file.read_exact_at(&mut got, 0) {
                Ok(()) => outcome
                    .mismatches
                    .extend(difference(&got, &block, 0).map(|text| format!("probe: read: {text}"))),
                Err(error) => outcome
                    .failed
                    .push(format!("probe: read: {}", op::name(&error))),
            }
        }
        thread::sleep(PACE);
    }
    Ok(outcome)
}
