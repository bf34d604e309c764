// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the size of a file costs: as many pages, with holes between them, all over small and large
//! files.

use super::meter::Meter;
use anyhow::ensure;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Sizes of the file, and how the workloads are called that use it.
const SIZES: [(u64, &str); 4] = [
    (1 << 20, "1m"),
    (64 << 20, "64m"),
    (1 << 30, "1g"),
    (8 << 30, "8g"),
];
const PAGE: usize = 4096;
/// Pages that are written: every other one of the smallest file, so that none touches another.
const OPS: usize = 128;
/// Has no factor in common with `OPS`: places are taken in no order.
const STRIDE: usize = 37;

/// Only where it is asked for, as the directories of [`super::grow`] are.
pub(super) fn run(meter: &Meter, dir: &Path) -> anyhow::Result<()> {
    if !meter.named("grow_") {
        return Ok(());
    }
    SIZES.iter().try_for_each(|(size, label)| {
        measure(meter, &dir.join(format!("size-{label}")), *size, label)
    })
}

/// What the page at `offset` of a file holds.
fn content(offset: u64) -> [u8; PAGE] {
    let mut page = [0x71; PAGE];
    page[..8].copy_from_slice(&offset.to_le_bytes());
    page
}

fn measure(meter: &Meter, path: &Path, size: u64, label: &str) -> anyhow::Result<()> {
    let step = size / OPS as u64;
    let places: Vec<u64> = (0..OPS).map(|n| (n * STRIDE % OPS) as u64 * step).collect();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)?;
    file.set_len(size)?;
    meter.warm(&format!("grow_holes_{label}"), OPS, || {
        places
            .iter()
            .try_for_each(|at| Ok(file.write_all_at(&content(*at), *at)?))
    })?;
    meter.time(&format!("grow_flush_{label}"), OPS, || Ok(file.sync_all()?))?;
    meter.cold(&format!("grow_read_{label}"), OPS, || {
        let mut page = [0; PAGE];
        places.iter().try_for_each(|at| {
            file.read_exact_at(&mut page, *at)?;
            ensure!(page == content(*at), "wrong bytes at {at} of {size}");
            Ok(())
        })
    })?;
    let mut after = [1; PAGE];
    file.read_exact_at(&mut after, places[1] + PAGE as u64)?;
    ensure!(
        after == [0; PAGE],
        "a hole of a file of {size} is not empty"
    );
    drop(file);
    meter.warm(&format!("grow_delete_{label}"), OPS, || {
        Ok(fs::remove_file(path)?)
    })
}
