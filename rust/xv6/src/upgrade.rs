// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Handing a live mount to the next build.
//!
//! What crosses: the state of the journal (its running transaction stays open, and what its log
//! holds goes home later; the changed blocks themselves are in the cache that both builds share),
//! and the counts of free space, so that the pause does not grow with the device. Everything else
//! is on the disk.

use crate::Xv6;
use crate::checksum::Checked;
use crate::orphan;
use crate::space::{Counts, Space};
use crate::trim::Discards;
use crate::vfs::check_options;
use crate::volume::Volume;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, Errno, MountOptions, Result, StateReader, StateWriter, Upgrade};
use core::ops::RangeInclusive;
use journal::Journal;

/// The journal's own record.
const TAG_JOURNAL: u32 = 1;
/// Free bits of each block of the bitmap of blocks, as `u32`s.
const TAG_BLOCKS: u32 = 2;
/// The same of the bitmap of inodes.
const TAG_INODES: u32 = 3;
/// Empty; there where the exporting instance could not write.
const TAG_READ_ONLY: u32 = 4;
/// Empty; there where the log was not replayed.
const TAG_UNRECOVERED: u32 = 5;

impl<D: BlockDevice> Upgrade for Xv6<D> {
    const SCHEMA: RangeInclusive<u32> = 2..=2;

    fn prepare(&self) -> Result {
        if self.volume.read_only {
            return Ok(());
        }
        orphan::finish_left(&self.volume)?;
        self.volume.journal.sync()
    }

    fn export(&self, out: &mut StateWriter) -> Result {
        self.volume.journal.export(out, TAG_JOURNAL)?;
        if self.volume.read_only {
            out.record(TAG_READ_ONLY, &[])?;
        }
        if self.volume.unrecovered {
            out.record(TAG_UNRECOVERED, &[])?;
        }
        let space = self.volume.space.lock()?;
        out.record(TAG_BLOCKS, &encode(&space.blocks)?)?;
        out.record(TAG_INODES, &encode(&space.inodes)?)
    }

    fn import(
        dev: D,
        options: &MountOptions<'_>,
        schema: u32,
        state: &StateReader<'_>,
    ) -> Result<Self> {
        check_options(options)?;
        if !Self::SCHEMA.contains(&schema) {
            log::error!("a state of schema {schema} cannot be imported");
            return Err(Errno::EINVAL);
        }
        let unrecovered = state.find(TAG_UNRECOVERED).is_some();
        if unrecovered && !options.read_only {
            log::error!("the log was not replayed: unmount, and mount without norecovery");
            return Err(Errno::EROFS);
        }
        let mut volume = resume(dev, options.read_only, state)?;
        volume.discards = Discards::new(options.discard && !volume.read_only);
        volume.unrecovered = unrecovered;
        volume.check_root()?;
        if state.find(TAG_READ_ONLY).is_some() {
            *volume.orphans_left.lock()? = orphan::list(&volume)?;
        }
        Ok(Self { volume })
    }
}

/// The volume as the exporting instance had it. (In several functions, for kernel stacks are small.)
#[inline(never)]
fn resume<D: BlockDevice>(
    dev: D,
    read_only: bool,
    state: &StateReader<'_>,
) -> Result<Box<Volume<D>>> {
    let read_only = read_only || dev.read_only();
    let (dev, geometry) = Volume::checked(dev, read_only)?;
    let journal = continued(dev, geometry.log(), read_only, state)?;
    let volume = Volume::uncounted(journal, read_only)?;
    take_counts(&volume, state)?;
    Ok(volume)
}

#[inline(never)]
fn continued<D: BlockDevice>(
    dev: Checked<D>,
    (log, blocks): (BlockNo, u64),
    read_only: bool,
    state: &StateReader<'_>,
) -> Result<Box<Journal<Checked<D>>>> {
    Journal::import(dev, log, blocks, read_only, state, TAG_JOURNAL).map(Box::new)
}

#[inline(never)]
fn take_counts<D: BlockDevice>(volume: &Volume<D>, state: &StateReader<'_>) -> Result {
    let geometry = &volume.sup.geometry;
    let inodes = decode(state.find(TAG_INODES), geometry.inode_map_blocks())?;
    let blocks = decode(state.find(TAG_BLOCKS), geometry.block_map_blocks())?;
    *volume.space.lock()? = Space::new(blocks, inodes);
    Ok(())
}

fn encode(counts: &Counts) -> Result<Vec<u8>> {
    let free = counts.per_block();
    let mut bytes = Vec::new();
    let wanted = free.len().checked_mul(4).ok_or(Errno::E2BIG)?;
    bytes.try_reserve_exact(wanted).map_err(|_| Errno::ENOMEM)?;
    for count in free {
        bytes.extend_from_slice(&count.to_le_bytes());
    }
    Ok(bytes)
}

fn decode(payload: Option<&[u8]>, blocks: u64) -> Result<Counts> {
    let payload = payload.ok_or(Errno::EINVAL)?;
    let (counts, rest) = payload.as_chunks::<4>();
    let mut free = Vec::new();
    free.try_reserve_exact(counts.len())
        .map_err(|_| Errno::ENOMEM)?;
    free.extend(counts.iter().map(|count| u32::from_le_bytes(*count)));
    let counts = Counts::from_parts(blocks, free).filter(|_| rest.is_empty());
    counts.ok_or_else(|| {
        log::error!("the state's counts of free space do not fit the file system");
        Errno::EINVAL
    })
}
