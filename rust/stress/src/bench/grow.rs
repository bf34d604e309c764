// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the size of a directory costs: the same operations among a few names and among many.

use super::meter::Meter;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Names in the directory, and how the workloads are called that find so many.
const SIZES: [(usize, &str); 3] = [(1_000, "1k"), (10_000, "10k"), (100_000, "100k")];
/// Operations that are timed: few, so that the directory stays as large as it is.
const OPS: usize = 250;
/// Names of one file: ext4 allows 65,000.
const LINKS: usize = 20_000;

/// Takes minutes: only where it is asked for.
pub(super) fn run(meter: &Meter, dir: &Path) -> anyhow::Result<()> {
    if !meter.named("grow_") {
        return Ok(());
    }
    for (count, label) in SIZES {
        let inside = dir.join(format!("grow-{label}"));
        fs::create_dir(&inside)?;
        fill(&inside, count)?;
        measure(meter, &inside, count, label)?;
    }
    Ok(())
}

/// Gives a directory `count` names. Of few files: inodes are not what this is about.
fn fill(dir: &Path, count: usize) -> anyhow::Result<()> {
    let mut file = PathBuf::new();
    for number in 0..count {
        let name = dir.join(format!("name-{number:08}"));
        if number.is_multiple_of(LINKS) {
            File::create(&name)?;
            file = name;
        } else {
            fs::hard_link(&file, &name)?;
        }
    }
    Ok(())
}

fn measure(meter: &Meter, dir: &Path, count: usize, label: &str) -> anyhow::Result<()> {
    let new: Vec<_> = (0..OPS).map(|n| dir.join(format!("new-{n}"))).collect();
    // All over the directory, in no order.
    let there = |n: usize| dir.join(format!("name-{:08}", n * 7919 % count));
    let there: Vec<_> = (0..OPS).map(there).collect();
    meter.warm(&format!("grow_create_{label}"), OPS, || {
        Ok(new
            .iter()
            .try_for_each(|name| File::create_new(name).map(drop))?)
    })?;
    let look = || {
        Ok(there
            .iter()
            .try_for_each(|name| name.symlink_metadata().map(drop))?)
    };
    meter.forgotten(&format!("grow_lookup_{label}"), OPS, look)?;
    // Here a large directory pays for what a small one has to read once: its blocks.
    meter.cold(&format!("grow_lookup_cold_{label}"), OPS, look)?;
    meter.warm(&format!("grow_readdir_{label}"), count + OPS, || {
        let found = fs::read_dir(dir)?.count();
        anyhow::ensure!(found == count + OPS, "{found} entries");
        Ok(())
    })?;
    meter.warm(&format!("grow_unlink_{label}"), OPS, || {
        Ok(new.iter().try_for_each(fs::remove_file)?)
    })
}
