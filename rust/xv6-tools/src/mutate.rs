// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Damages an image on purpose, for tests of what reads it: a few bytes of metadata change, the
//! same for the same seed, and mostly with checksums that are right, so that not only they are
//! tested.

use crate::logger;
use anyhow::{Context, Result, ensure};
use bento::BlockNo;
use bento_fuse::{Access, FileDisk};
use clap::Parser;
use core::hash::{Hash, Hasher};
use std::fs::{File, OpenOptions};
use std::hash::DefaultHasher;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::ExitCode;
use xv6::layout::{BLOCK_SIZE, INODE_SIZE, RawSuper};
use xv6::superblock::Super;

const SIZE: usize = BLOCK_SIZE as usize;
/// What blocks of directories, their indexes, extents, attributes and long links begin with.
const MAGICS: [&[u8; 4]; 7] = [
    b"XDIR", b"XTOP", b"XIDX", b"XGAP", b"XEXT", b"XATR", b"XLNK",
];

/// Damages an xv6 image on purpose, for tests
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// The same seed does the same to the same image
    #[arg(long)]
    seed: u64,
    /// Image file
    image: PathBuf,
}

pub(crate) fn main(args: &Args) -> ExitCode {
    logger::start("xv6-tools");
    match damage(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{}: {error:#}", args.image.display());
            ExitCode::FAILURE
        }
    }
}

/// Numbers that the seed alone decides.
struct Dice {
    seed: u64,
    count: u64,
}

impl Dice {
    /// A number below `limit` > 0.
    fn below(&mut self, limit: usize) -> usize {
        self.count += 1;
        let mut hasher = DefaultHasher::new();
        (self.seed, self.count).hash(&mut hasher);
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        usize::try_from(hasher.finish() % limit).unwrap_or_default()
    }
}

fn damage(args: &Args) -> Result<()> {
    let mut dice = Dice {
        seed: args.seed,
        count: 0,
    };
    let sup = Super::read(&FileDisk::open(&args.image, Access::DryRun)?, true)
        .context("no superblock of xv6")?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&args.image)?;
    let targets = metadata(&file, &sup)?;
    for _ in 0..=dice.below(3) {
        let target = targets[dice.below(targets.len())];
        let mut bytes = [0; SIZE];
        file.read_exact_at(&mut bytes, place(target.block))?;
        let range = target.start..target.end;
        let (at, before, after) = change(&mut dice, &mut bytes[range]);
        let sealed = dice.below(8) > 0;
        if sealed {
            let block = BlockNo(target.block);
            sup.sums().seal_any(&sup.geometry, block, &mut bytes);
        }
        file.write_all_at(&bytes, place(target.block))?;
        let checksum = if sealed { "right" } else { "wrong" };
        println!(
            "block {} byte {}: {before:#x} -> {after:#x}, checksum {checksum}",
            target.block,
            target.start + at
        );
    }
    Ok(())
}

/// A range of a block that holds metadata.
#[derive(Clone, Copy)]
struct Target {
    block: u64,
    start: usize,
    end: usize,
}

const fn place(block: u64) -> u64 {
    block * BLOCK_SIZE as u64
}

/// Everything that may be damaged: each inode in use as one, each block of metadata as another.
fn metadata(file: &File, sup: &Super) -> Result<Vec<Target>> {
    let geometry = &sup.geometry;
    let mut targets = vec![Target {
        block: 0,
        start: 0,
        end: size_of::<RawSuper>(),
    }];
    let table = geometry
        .inode_place(geometry.ino(1).context("no inodes")?)
        .0
        .0;
    for block in geometry.inode_map()..geometry.data().end {
        let mut bytes = [0; SIZE];
        file.read_exact_at(&mut bytes, place(block))?;
        if block < table {
            // Of a map, that part which a small image uses.
            targets.push(Target {
                block,
                start: 0,
                end: 64,
            });
        } else if block < geometry.data().start {
            for (start, slot) in (0..)
                .step_by(INODE_SIZE.into())
                .zip(bytes.chunks(INODE_SIZE.into()))
            {
                if slot.iter().any(|byte| *byte != 0) {
                    let end = start + usize::from(INODE_SIZE);
                    targets.push(Target { block, start, end });
                }
            }
        } else if MAGICS.iter().any(|magic| bytes.starts_with(*magic)) {
            // The heads and first entries matter more than the rest.
            for end in [64, 512, SIZE] {
                targets.push(Target {
                    block,
                    start: 0,
                    end,
                });
            }
        }
    }
    ensure!(targets.len() > 4, "there is nothing to damage");
    Ok(targets)
}

/// Changes a number of one, two, four or eight bytes. Returns where, and the values.
fn change(dice: &mut Dice, bytes: &mut [u8]) -> (usize, u64, u64) {
    let width = [1, 2, 4, 8][dice.below(4)];
    let at = dice.below(bytes.len() / width) * width;
    let mut word = [0; 8];
    word[..width].copy_from_slice(&bytes[at..at + width]);
    let before = u64::from_le_bytes(word);
    let bits = 8 * u32::try_from(width).unwrap_or(8);
    let mask = u64::MAX >> (64 - bits);
    let after = mask
        & match dice.below(8) {
            0 => 0,
            1 => u64::MAX,
            2 => u64::MAX >> 1,
            3 => 1 << (bits - 1),
            4 => before.wrapping_add(1),
            5 => before.wrapping_sub(1),
            6 => before ^ (1 << dice.below(width * 8)),
            _ => u64::try_from(dice.below(usize::MAX)).unwrap_or_default(),
        };
    bytes[at..at + width].copy_from_slice(&after.to_le_bytes()[..width]);
    (at, before, after)
}
