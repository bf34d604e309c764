// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The stopwatch, and the state of the caches before it starts.

use crate::latency;
use anyhow::Context;
use core::time::Duration;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;

/// How long deferred work of the kernel (journal commits, freed memory) gets before the clock
/// starts. On one processor it would otherwise run on the workload's account.
const SETTLE: Duration = Duration::from_millis(30);

/// Of how many rounds a figure is the middle one, where one round is short or depends on chance.
const ROUNDS: usize = 5;

/// Directories that a new file system may have: ext4's, and that of a recording xv6.
const OWN: [&str; 2] = ["lost+found", ".prov"];

pub(super) struct Meter {
    dir: PathBuf,
    /// Where the file system keeps its files, if in another one.
    lower: Option<PathBuf>,
    only: Vec<String>,
}

impl Meter {
    pub(super) fn new(dir: &Path, lower: Option<&Path>, only: &[String]) -> anyhow::Result<Self> {
        let mut entries =
            fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
        anyhow::ensure!(
            entries.all(|e| e.is_ok_and(|e| OWN.iter().any(|name| e.file_name() == *name))),
            "{} is not empty",
            dir.display()
        );
        Ok(Self {
            dir: dir.to_owned(),
            lower: lower.map(Path::to_owned),
            only: only.to_owned(),
        })
    }

    /// Whether any of these workloads is to be run.
    pub(super) fn wants(&self, names: &[&str]) -> bool {
        self.only.is_empty() || names.iter().any(|name| self.chosen(name))
    }

    /// Whether workloads that begin like this were asked for by name.
    pub(super) fn named(&self, prefix: &str) -> bool {
        self.only.iter().any(|only| only.starts_with(prefix))
    }

    fn chosen(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|prefix| name.starts_with(prefix))
    }

    /// Writes back what is dirty and lets deferred work come to its end.
    pub(super) fn settle(&self) -> anyhow::Result<()> {
        for dir in [Some(&self.dir), self.lower.as_ref()].into_iter().flatten() {
            rustix::fs::syncfs(File::open(dir)?)?;
        }
        thread::sleep(SETTLE);
        Ok(())
    }

    /// Empties the caches of the kernel: pages, directory entries, inodes.
    pub(super) fn cool(&self) -> anyhow::Result<()> {
        self.empty("3")
    }

    /// `what` as the kernel's Documentation/admin-guide/sysctl/vm.rst, drop_caches, counts it.
    fn empty(&self, what: &str) -> anyhow::Result<()> {
        self.settle()?;
        fs::write("/proc/sys/vm/drop_caches", what).context("cold workloads need root")?;
        thread::sleep(SETTLE);
        Ok(())
    }

    /// Times `work`, which does `ops` operations, with warm caches.
    pub(super) fn warm(
        &self,
        name: &str,
        ops: usize,
        work: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.settle()?;
        self.time(name, ops, work)
    }

    /// Times `work` with empty caches.
    pub(super) fn cold(
        &self,
        name: &str,
        ops: usize,
        work: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.cool()?;
        self.time(name, ops, work)
    }

    /// Times `work` where blocks are in memory, but neither names nor inodes.
    pub(super) fn forgotten(
        &self,
        name: &str,
        ops: usize,
        work: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.empty("2")?;
        self.time(name, ops, work)
    }

    /// Times `work` as the caches are.
    pub(super) fn time(
        &self,
        name: &str,
        ops: usize,
        work: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let total = clock(name, work)?;
        self.print(name, ops, total);
        Ok(())
    }

    /// Times some rounds of `work`, each with what `prepare` made for it, and gives the middle one:
    /// what the kernel does besides from time to time (ticks, deferred work) is then in none of the
    /// figures rather than in some.
    pub(super) fn rounds<T>(
        &self,
        name: &str,
        ops: usize,
        mut prepare: impl FnMut() -> anyhow::Result<T>,
        mut work: impl FnMut(T) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut totals = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let made = prepare()?;
            totals.push(clock(name, || work(made))?);
        }
        totals.sort_unstable();
        self.print(name, ops, totals[ROUNDS / 2]);
        Ok(())
    }

    fn print(&self, name: &str, ops: usize, total: u64) {
        if self.chosen(name) {
            println!(r#"{{"workload":"{name}","ops":{ops},"total":{total}}}"#);
        }
    }
}

/// How long `work` takes, in nanoseconds.
fn clock(name: &str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<u64> {
    let start = latency::now();
    work().with_context(|| format!("workload {name}"))?;
    Ok(latency::now() - start)
}
