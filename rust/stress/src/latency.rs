// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! How long operations took, and how long the longest took around a moment of interest.

use rustix::time::{ClockId, clock_gettime};

/// The monotonic clock in nanoseconds.
pub(crate) fn now() -> u64 {
    let t = clock_gettime(ClockId::Monotonic);
    t.tv_sec.unsigned_abs() * 1_000_000_000 + t.tv_nsec.unsigned_abs()
}

/// One operation of one worker; nanoseconds of the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Sample {
    const fn duration(self) -> u64 {
        self.end - self.start
    }

    const fn overlaps(self, window: Window) -> bool {
        self.start <= window.end && self.end >= window.start
    }
}

/// A stretch of time in which something happened to the file system, for example an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Window {
    /// Parses lines of `START END` in nanoseconds, as two calls of `stress now` give them.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Vec<Self>> {
        text.lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| {
                let (start, end) = line
                    .split_once(' ')
                    .ok_or_else(|| anyhow::anyhow!("window '{line}' is not START END"))?;
                let (start, end) = (start.trim().parse()?, end.trim().parse()?);
                anyhow::ensure!(start <= end, "window '{line}' ends before it starts");
                Ok(Self { start, end })
            })
            .collect()
    }
}

/// What operations in or around a window waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Around {
    /// Operations that overlap the window, and the longest of them.
    pub(crate) ops: usize,
    pub(crate) longest: u64,
    /// The longest of those that ended within two seconds before the window: what this machine
    /// does without the event.
    pub(crate) longest_before: u64,
}

/// Durations, sorted, for percentiles.
#[derive(Debug)]
pub(crate) struct Latency {
    samples: Vec<Sample>,
    sorted: Vec<u64>,
}

impl Latency {
    pub(crate) fn new(samples: Vec<Sample>) -> Self {
        let mut sorted: Vec<u64> = samples.iter().map(|s| s.duration()).collect();
        sorted.sort_unstable();
        Self { samples, sorted }
    }

    /// The duration that `permille` of 1000 operations did not exceed; 0 without operations.
    pub(crate) fn permille(&self, permille: usize) -> u64 {
        let last = self.sorted.len().saturating_sub(1);
        let at = (self.sorted.len() * permille).div_ceil(1000).max(1) - 1;
        self.sorted.get(at.min(last)).copied().unwrap_or(0)
    }

    pub(crate) const fn count(&self) -> usize {
        self.samples.len()
    }

    /// The `n` operations that took longest, longest first.
    pub(crate) fn longest(&self, n: usize) -> Vec<Sample> {
        let mut samples = self.samples.clone();
        samples.sort_unstable_by_key(|s| core::cmp::Reverse(s.duration()));
        samples.truncate(n);
        samples
    }

    pub(crate) fn around(&self, window: Window) -> Around {
        let mut around = Around::default();
        for sample in &self.samples {
            if sample.overlaps(window) {
                around.ops += 1;
                around.longest = around.longest.max(sample.duration());
            } else if sample.end < window.start && window.start - sample.end < 2_000_000_000 {
                around.longest_before = around.longest_before.max(sample.duration());
            }
        }
        around
    }

    /// Operations per power-of-two class of microseconds: class `i` holds durations below
    /// 2^i us that are not in class `i - 1`.
    pub(crate) fn histogram(&self) -> Vec<usize> {
        let mut classes = Vec::new();
        for &ns in &self.sorted {
            let class = (64 - (ns / 1000).leading_zeros()) as usize;
            if classes.len() <= class {
                classes.resize(class + 1, 0);
            }
            classes[class] += 1;
        }
        classes
    }
}

#[cfg(test)]
mod tests {
    use super::{Around, Latency, Sample, Window};

    fn sample(start: u64, duration: u64) -> Sample {
        let end = start + duration;
        Sample { start, end }
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_durations() {
        let latency = Latency::new((1..=1000).rev().map(|n| sample(n, n)).collect());
        assert_eq!(latency.permille(500), 500);
        assert_eq!(latency.permille(999), 999);
        assert_eq!(latency.permille(1000), 1000);
        assert_eq!(Latency::new(Vec::new()).permille(500), 0);
        assert_eq!(latency.count(), 1000);
        let longest: Vec<_> = latency.longest(2).iter().map(|s| s.duration()).collect();
        assert_eq!(longest, [1000, 999]);
    }

    #[test]
    fn a_wait_that_spans_the_window_is_found() {
        let samples = vec![sample(0, 10), sample(20, 100), sample(130, 5)];
        let window = Window { start: 50, end: 60 };
        let around = Latency::new(samples).around(window);
        let expected = Around {
            ops: 1,
            longest: 100,
            longest_before: 10,
        };
        assert_eq!(around, expected);
    }

    #[test]
    fn histogram_counts_every_operation_once() {
        let latency = Latency::new(vec![sample(0, 500), sample(0, 1500), sample(0, 1_000_000)]);
        let classes = latency.histogram();
        assert_eq!(classes.iter().sum::<usize>(), 3);
        assert_eq!((classes[0], classes[1], classes[10]), (1, 1, 1));
    }

    #[test]
    fn windows_are_checked() {
        let windows = Window::parse("1 2\n\n3 3\n").expect("two windows");
        assert_eq!(windows.len(), 2);
        assert!(Window::parse("2 1").is_err());
        assert!(Window::parse("1").is_err());
    }
}
