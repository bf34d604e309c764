// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One file, written and read in blocks, in order and at random, through the cache and past it.

use super::Size;
use super::meter::Meter;
use crate::mmap::SharedMap;
use crate::rng::Rng;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

const PAGE: usize = 4096;
const MIB: usize = 1 << 20;
const NAMES: [&str; 13] = [
    "seqwrite_4k",
    "seqwrite_4k_flush",
    "seqwrite_128k",
    "seqwrite_1m",
    "seqread_cold_4k",
    "seqread_cold_1m",
    "seqread_warm_4k",
    "seqread_warm_1m",
    "randread_cold_4k",
    "randread_warm_4k",
    "randwrite_4k",
    "randwrite_4k_fsync",
    "mmap_write_4k",
];

pub(super) fn run(meter: &Meter, dir: &Path, size: Size) -> anyhow::Result<()> {
    if !meter.wants(&NAMES) {
        return Ok(());
    }
    let len = size.pick(4, 8, 32) * MIB;
    let path = dir.join("data");
    for (name, block) in [("seqwrite_1m", MIB), ("seqwrite_128k", MIB / 8)] {
        let fresh = || {
            let file = File::create(&path)?;
            meter.settle()?;
            Ok(file)
        };
        meter.rounds(name, len / block, fresh, |file| write(&file, len, block))?;
        fs::remove_file(&path)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    meter.warm("seqwrite_4k", len / PAGE, || write(&file, len, PAGE))?;
    meter.time("seqwrite_4k_flush", len / PAGE, || Ok(file.sync_data()?))?;
    reads(meter, &file, len)?;
    overwrites(meter, &file, len, size.pick(40, 80, 400))?;
    drop(file);
    fs::remove_file(&path)?;
    Ok(())
}

fn write(file: &File, len: usize, block: usize) -> anyhow::Result<()> {
    let data = vec![0x5a; block];
    for at in (0..len).step_by(block) {
        file.write_all_at(&data, at as u64)?;
    }
    Ok(())
}

fn read(file: &File, len: usize, block: usize) -> anyhow::Result<()> {
    let mut data = vec![0; block];
    for at in (0..len).step_by(block) {
        file.read_exact_at(&mut data, at as u64)?;
    }
    Ok(())
}

fn reads(meter: &Meter, file: &File, len: usize) -> anyhow::Result<()> {
    let pages = len / PAGE;
    let at_random = || {
        let mut rng = Rng::new(1);
        let mut data = [0; PAGE];
        for _ in 0..pages / 4 {
            file.read_exact_at(&mut data, (rng.index(pages) * PAGE) as u64)?;
        }
        Ok(())
    };
    let cool = || meter.cool();
    meter.rounds("randread_cold_4k", pages / 4, cool, |()| at_random())?;
    meter.rounds("seqread_cold_1m", len / MIB, cool, |()| {
        read(file, len, MIB)
    })?;
    meter.rounds("seqread_cold_4k", pages, cool, |()| read(file, len, PAGE))?;
    meter.warm("seqread_warm_4k", pages, || read(file, len, PAGE))?;
    meter.warm("seqread_warm_1m", len / MIB, || read(file, len, MIB))?;
    meter.warm("randread_warm_4k", pages / 4, at_random)
}

fn overwrites(meter: &Meter, file: &File, len: usize, syncs: usize) -> anyhow::Result<()> {
    let pages = len / PAGE;
    let data = [0xa5; PAGE];
    let mut rng = Rng::new(2);
    let mut page = || (rng.index(pages) * PAGE) as u64;
    meter.warm("randwrite_4k", pages / 4, || {
        (0..pages / 4).try_for_each(|_| Ok(file.write_all_at(&data, page())?))
    })?;
    meter.warm("randwrite_4k_fsync", syncs, || {
        (0..syncs).try_for_each(|_| {
            file.write_all_at(&data, page())?;
            Ok(file.sync_all()?)
        })
    })?;
    let map = SharedMap::new(file, 0, len)?;
    meter.warm("mmap_write_4k", pages, || {
        (0..len)
            .step_by(PAGE)
            .for_each(|at| map.write(at, b"mapped"));
        Ok(())
    })
}
