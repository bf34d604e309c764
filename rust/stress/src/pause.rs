// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A client that repeats one kind of operation and keeps how long each took, to see how long
//! something else (an upgrade) keeps it waiting.
//!
//! With `--pace` an operation is due every so many microseconds, and its time counts from when it
//! was due: a client that is held up on its way to the operation waits just the same. Any error and
//! any wrong answer ends the run.

use crate::latency::{Latency, Sample, Window, now};
use crate::mmap::SharedMap;
use crate::stamp::{Stamp, difference};
use anyhow::{Context, ensure};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An existing directory; the client makes one file in it, named like itself
    dir: PathBuf,
    /// What it does
    #[arg(long, value_enum)]
    client: Client,
    /// Microseconds from one operation to the next; 0: back to back
    #[arg(long, default_value_t = 0)]
    pace: u64,
    /// Run for this long
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// End earlier, as soon as this file exists
    #[arg(long)]
    stop: PathBuf,
    /// Lines of START END (nanoseconds, from `stress now`), read when the run ends: for each the
    /// report gives the longest operation that overlaps it
    #[arg(long)]
    windows: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Client {
    /// Overwrites 4 KiB of a file and asks for its attributes
    Write,
    /// Overwrites 4 KiB and makes them durable
    Fsync,
    /// Creates a file and removes it
    Names,
    /// Reads a mapped file
    Map,
}

const BLOCK: usize = 4096;
/// Blocks of the file that is mapped.
const MAPPED: usize = 16;
/// The longest operations that the report names one by one.
const GAPS: usize = 8;

type Step = Box<dyn FnMut(u16) -> anyhow::Result<()>>;

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let path = args.dir.join(format!("{:?}", args.client).to_lowercase());
    let mut step = client(args.client, &path)?;
    let stop = AtomicBool::new(false);
    let ended = AtomicBool::new(false);
    let samples = thread::scope(|scope| {
        scope.spawn(|| {
            let deadline = Instant::now() + Duration::from_secs(args.seconds);
            let over = || Instant::now() >= deadline || args.stop.exists();
            while !over() && !ended.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(20));
            }
            stop.store(true, Ordering::Relaxed);
        });
        let samples = repeat(&mut step, args.pace * 1000, &stop);
        ended.store(true, Ordering::Relaxed);
        samples
    })?;
    let windows = fs::read_to_string(&args.windows)
        .with_context(|| format!("cannot read {}", args.windows.display()))?;
    println!(
        "{}",
        json(&Latency::new(samples), &Window::parse(&windows)?)
    );
    Ok(())
}

/// Operations until told to stop, one at least.
fn repeat(step: &mut Step, pace: u64, stop: &AtomicBool) -> anyhow::Result<Vec<Sample>> {
    let mut samples = Vec::new();
    let mut generation = 0_u16;
    let mut due = now();
    while samples.is_empty() || !stop.load(Ordering::Relaxed) {
        generation = generation % 0xfff0 + 1;
        due = if pace > 0 { due + pace } else { now() };
        let early = due.saturating_sub(now());
        if early > 0 {
            thread::sleep(Duration::from_nanos(early));
        }
        step(generation)?;
        let end = now();
        samples.push(Sample { start: due, end });
        // One that took longer than the pace holds up only itself.
        due = due.max(end.saturating_sub(pace));
    }
    Ok(samples)
}

fn open(path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    options
        .open(path)
        .with_context(|| format!("cannot make {}", path.display()))
}

fn stamp(generation: u16) -> Stamp {
    let id = 0xfffe;
    Stamp { id, generation }
}

fn client(client: Client, path: &Path) -> anyhow::Result<Step> {
    let path = path.to_owned();
    Ok(match client {
        Client::Write => {
            let file = open(&path)?;
            Box::new(move |generation| {
                let block = stamp(generation).bytes(0, BLOCK);
                file.write_all_at(&block, 0)?;
                ensure!(fs::metadata(&path)?.len() == 4096, "another size");
                if generation % 64 == 0 {
                    expect(&file, &block)
                } else {
                    Ok(())
                }
            })
        }
        Client::Fsync => {
            let file = open(&path)?;
            Box::new(move |generation| {
                file.write_all_at(&stamp(generation).bytes(0, BLOCK), 0)?;
                Ok(file.sync_all()?)
            })
        }
        Client::Names => Box::new(move |_| {
            drop(File::create_new(&path)?);
            Ok(fs::remove_file(&path)?)
        }),
        Client::Map => {
            let file = open(&path)?;
            let want = stamp(1).bytes(0, MAPPED * BLOCK);
            file.write_all_at(&want, 0)?;
            let map = SharedMap::new(&file, 0, want.len())?;
            Box::new(move |generation| {
                let at = usize::from(generation) % MAPPED * BLOCK;
                let mut got = [0; 64];
                map.read(at, &mut got);
                same(&got, &want[at..at + 64])
            })
        }
    })
}

fn expect(file: &File, want: &[u8]) -> anyhow::Result<()> {
    let mut got = vec![0; want.len()];
    file.read_exact_at(&mut got, 0)?;
    same(&got, want)
}

fn same(got: &[u8], want: &[u8]) -> anyhow::Result<()> {
    difference(got, want, 0).map_or(Ok(()), |text| Err(anyhow::anyhow!("read: {text}")))
}

/// One JSON object; times in nanoseconds. `histogram` as [`Latency::histogram`] says.
fn json(latency: &Latency, windows: &[Window]) -> String {
    let list = |texts: Vec<String>| texts.join(",");
    let gaps = latency.longest(GAPS);
    let gaps = gaps
        .iter()
        .map(|s| format!("{{\"at\":{},\"ns\":{}}}", s.start, s.end - s.start));
    let windows = windows.iter().map(|&window| {
        let around = latency.around(window);
        format!(
            "{{\"operations\":{},\"longest\":{},\"longest_before\":{}}}",
            around.ops, around.longest, around.longest_before
        )
    });
    format!(
        "{{\"operations\":{},\"p50\":{},\"p99\":{},\"p999\":{},\"longest\":{},\"histogram\":{:?},\"gaps\":[{}],\"windows\":[{}]}}",
        latency.count(),
        latency.permille(500),
        latency.permille(990),
        latency.permille(999),
        latency.permille(1000),
        latency.histogram(),
        list(gaps.collect()),
        list(windows.collect()),
    )
}

#[cfg(test)]
mod tests {
    use super::{Step, repeat};
    use core::sync::atomic::{AtomicBool, Ordering};
    use core::time::Duration;
    use std::sync::Arc;
    use std::thread;

    /// The third of five steps takes 30 ms; steps are due every 10 ms.
    #[test]
    fn time_counts_from_when_an_operation_was_due() {
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&stop);
        let mut step: Step = Box::new(move |n| {
            thread::sleep(Duration::from_millis(if n == 3 { 30 } else { 0 }));
            ended.store(n == 5, Ordering::Relaxed);
            Ok(())
        });
        let samples = repeat(&mut step, 10_000_000, &stop).expect("no step fails");
        assert_eq!(samples.len(), 5);
        assert!(
            samples[2].end - samples[2].start >= 30_000_000,
            "{samples:?}"
        );
        // The next was due at once, not 20 ms before the end of the long one.
        assert!(
            samples[3].start >= samples[2].end - 10_000_000,
            "{samples:?}"
        );
        assert!(
            samples[1].start - samples[0].start >= 10_000_000,
            "{samples:?}"
        );
    }

    #[test]
    fn an_error_ends_the_run() {
        let mut step: Step = Box::new(|_| anyhow::bail!("no"));
        assert!(repeat(&mut step, 0, &AtomicBool::new(false)).is_err());
    }
}
