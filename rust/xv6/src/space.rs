// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Which blocks and inodes are free, and how one is chosen.
//!
//! The bitmaps on the disk are the truth. Memory holds one count per block of a bitmap, so that
//! full ones are skipped and `statfs` is exact without reading.

use crate::bitmap;
use crate::corrupt::CorruptKind;
use crate::groups::{Groups, Hints};
use crate::inode::{Ino, Inode};
use crate::layout::{self, BITS_PER_BLOCK, INODES_PER_BLOCK, RawInode};
use crate::txn::Txn;
use crate::volume::{ReadBlock, Volume};
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, Errno, Result, Timespec};
use core::ops::Range;
use zerocopy::little_endian::U32;

/// Blocks of a bitmap that a search for a long run looks at before it takes a shorter one.
const PATIENCE: u64 = 8;
/// Bytes of a bitmap that are changed at a time.
const BYTES_AT_ONCE: usize = 64;
/// As many bits.
const BITS_AT_ONCE: u32 = 64 * 8;
/// Groups that a search for the place of a directory looks at.
const LOOKS: u64 = 64;

/// Which bitmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Map {
    /// Used blocks.
    Blocks,
    /// Used inodes.
    Inodes,
}

/// What a block is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Contents of a file.
    Data,
    /// Directories and symbolic links: kept apart from data, so that files stay in one piece.
    Meta,
    /// Extent blocks: as `Meta`, and they may come out of the reserve. One change takes at most
    /// five of them, and then nothing else is given out until there is more space.
    Tree,
}

/// The free bits of a bitmap, per block of it.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Free bits of each block of the bitmap.
    free: Vec<u32>,
    total: u64,
}

/// A change of [`Counts`] that waits for its transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CountChange {
    map: Map,
    index: u64,
    /// Taken: below 0; freed: above 0.
    free: i64,
}

/// The counts of a volume, and where to look first.
#[derive(Debug)]
pub(crate) struct Space {
    pub(crate) blocks: Counts,
    pub(crate) inodes: Counts,
    hints: Hints,
    /// How many directories of the root were made.
    spread: u64,
}

impl Counts {
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Free bits of each block of the bitmap.
    pub(crate) fn per_block(&self) -> &[u32] {
        &self.free
    }

    /// Counts as another instance had them; `None` where they do not fit the geometry.
    pub(crate) fn from_parts(blocks: u64, free: Vec<u32>) -> Option<Self> {
        let fits = u64::try_from(free.len()) == Ok(blocks);
        let sane = free.iter().all(|count| *count <= BITS_PER_BLOCK);
        let total = free.iter().map(|count| u64::from(*count)).sum();
        (fits && sane).then_some(Self { free, total })
    }

    /// Reads a bitmap of `blocks` blocks with `bits` valid bits.
    fn count(from: &impl ReadBlock, magic: U32, first: u64, bits: u64) -> Result<Self> {
        let blocks = bits.div_ceil(BITS_PER_BLOCK.into());
        let mut free = Vec::new();
        let wanted = usize::try_from(blocks).map_err(|_| Errno::ENOMEM)?;
        free.try_reserve_exact(wanted).map_err(|_| Errno::ENOMEM)?;
        for index in 0..blocks {
            let block = BlockNo(first + index);
            let ahead = bitmap::ahead(blocks - index - 1);
            let left = bits - index * u64::from(BITS_PER_BLOCK);
            let valid = u32::try_from(left).map_or(BITS_PER_BLOCK, |n| n.min(BITS_PER_BLOCK));
            let clear = from.read_ahead(block, ahead, |bytes| {
                bitmap::check_head(bytes, magic, index)?;
                let bits = layout::payload(bytes);
                match bitmap::first_clear_run(bits, valid..BITS_PER_BLOCK) {
                    Some(_) => Err(CorruptKind::MapTail),
                    None => Ok(bitmap::clear_bits(bits)),
                }
            })?;
            free.push(clear.map_err(|kind| kind.at(block))?);
        }
        Self::from_parts(blocks, free).ok_or(Errno::EIO)
    }

    fn at(&self, index: u64) -> u32 {
        let index = usize::try_from(index).ok();
        index.and_then(|i| self.free.get(i)).copied().unwrap_or(0)
    }

    fn apply(&mut self, change: &CountChange) {
        let Some(count) = usize::try_from(change.index)
            .ok()
            .and_then(|i| self.free.get_mut(i))
        else {
            return;
        };
        *count = u32::try_from(i64::from(*count).saturating_add(change.free)).unwrap_or(0);
        self.total = self.total.saturating_add_signed(change.free);
    }
}

impl Space {
    /// Nothing is free.
    pub(crate) fn empty() -> Self {
        Self::new(Counts::default(), Counts::default())
    }

    pub(crate) fn new(blocks: Counts, inodes: Counts) -> Self {
        Self {
            blocks,
            inodes,
            hints: Hints::new(),
            spread: 0,
        }
    }

    /// Counts from the bitmaps.
    pub(crate) fn count<D: BlockDevice>(volume: &Volume<D>) -> Result<Self> {
        let geometry = volume.geometry();
        let (map, bits) = (geometry.block_map(), geometry.blocks());
        let blocks = Counts::count(volume, layout::BLOCK_MAP_MAGIC, map, bits)?;
        let (map, bits) = (geometry.inode_map(), geometry.inodes().into());
        let inodes = Counts::count(volume, layout::INODE_MAP_MAGIC, map, bits)?;
        Ok(Self::new(blocks, inodes))
    }

    /// Takes over the changes of a committed transaction.
    pub(crate) fn apply(&mut self, changes: &[CountChange]) {
        for change in changes {
            match change.map {
                Map::Blocks => self.blocks.apply(change),
                Map::Inodes => self.inodes.apply(change),
            }
        }
    }

    fn counts(&self, map: Map) -> &Counts {
        match map {
            Map::Blocks => &self.blocks,
            Map::Inodes => &self.inodes,
        }
    }
}

impl<D: BlockDevice> Txn<'_, D> {
    /// Takes up to `want` adjacent blocks (at least one) for `owner`, near `goal` where it is
    /// given, else in the group of the owner.
    ///
    /// # Errors
    /// `ENOSPC`.
    pub(crate) fn take_blocks(
        &mut self,
        owner: Ino,
        goal: Option<u64>,
        want: u32,
        purpose: Purpose,
    ) -> Result<Range<u64>> {
        let free = self.free_blocks_now()?;
        let kept = match purpose {
            Purpose::Tree => 0,
            Purpose::Data | Purpose::Meta => self.geometry().reserve(),
        };
        let available = free.saturating_sub(kept);
        if available == 0 {
            return Err(Errno::ENOSPC);
        }
        let most = u32::try_from(available).unwrap_or(u32::MAX);
        let want = want.clamp(1, BITS_PER_BLOCK).min(most);
        let groups = Groups::of(self.geometry());
        let (group, data) = (groups.of_inode(owner), purpose == Purpose::Data);
        let goal = match goal {
            Some(goal) => goal,
            None => {
                let space = self.volume().space.lock()?;
                space.hints.goal(&groups, group, data)
            }
        };
        let run = self.search(Map::Blocks, goal, want)?;
        let block = BlockNo(self.geometry().block_map() + run.start / u64::from(BITS_PER_BLOCK));
        if !self.geometry().is_data(run.start, run.end - run.start) {
            return Err(CorruptKind::BlockMarkedFree.at(block));
        }
        self.mark(Map::Blocks, run.clone(), true)?;
        let mut space = self.volume().space.lock()?;
        space.hints.advance(&groups, group, data, run.end);
        Ok(run)
    }

    /// Gives back blocks; they can be used again once this transaction is durable.
    pub(crate) fn free_blocks(&mut self, range: Range<u64>) -> Result {
        let mut start = range.start;
        while start < range.end {
            let edge = (start / u64::from(BITS_PER_BLOCK) + 1) * u64::from(BITS_PER_BLOCK);
            let end = range.end.min(edge);
            self.mark(Map::Blocks, start..end, false)?;
            start = end;
        }
        self.free_later(range)
    }

    /// Takes an inode near `near`; returns its number and the generation for its new use.
    ///
    /// # Errors
    /// `ENOSPC`.
    #[inline(never)]
    pub(crate) fn take_inode(&mut self, near: Ino, now: Timespec) -> Result<(Ino, u32)> {
        let run = self.search(Map::Inodes, near.0.into(), 1)?;
        let map_block = self.geometry().inode_map() + run.start / u64::from(BITS_PER_BLOCK);
        let ino = self.geometry().ino(run.start);
        let ino = ino.ok_or_else(|| CorruptKind::InodeMarkedFree.at(BlockNo(map_block)))?;
        let (table, _) = self.geometry().inode_place(ino);
        let generation = if self.table_block_is_unused(ino)? {
            // Nothing was ever stored there, or nothing that matters: the block is not read.
            self.zero(table)?;
            let [a, b, c, d, ..] = now.sec.to_le_bytes();
            now.nsec ^ u32::from_le_bytes([a, b, c, d])
        } else {
            let slot = self.slot(ino)?;
            if !self.sums().inode_is_valid(ino, &slot) {
                return Err(CorruptKind::InodeChecksum.at(table));
            }
            if slot.mode.get() != 0 {
                return Err(CorruptKind::InodeMarkedFree.at(table));
            }
            slot.generation.get().wrapping_add(1)
        };
        self.mark(Map::Inodes, run, true)?;
        Ok((ino, generation))
    }

    /// Gives back an inode.
    pub(crate) fn free_inode(&mut self, inode: &Inode) -> Result {
        crate::inode::store_raw(self, inode.ino, &Inode::free_slot(inode.generation))?;
        let bit = u64::from(inode.ino.0);
        self.mark(Map::Inodes, bit..bit + 1, false)
    }

    /// What the inode table holds for `ino`, used or not.
    fn slot(&self, ino: Ino) -> Result<RawInode> {
        let (block, offset) = self.geometry().inode_place(ino);
        self.read(block, |bytes| layout::get(bytes, offset).ok_or(Errno::EIO))?
    }

    /// No inode of the table block of `ino` is in use. Slot 0 counts as used by its bit.
    fn table_block_is_unused(&self, ino: Ino) -> Result<bool> {
        let map = BlockNo(self.geometry().inode_map() + u64::from(ino.0 / BITS_PER_BLOCK));
        let bit = ino.0 % BITS_PER_BLOCK;
        let first = bit - bit % INODES_PER_BLOCK;
        let slots = first..first + INODES_PER_BLOCK;
        self.read(map, |bytes| {
            bitmap::first_clear_run(layout::payload(bytes), slots.clone()) == Some(slots)
        })
    }

    /// Where the inode of a new directory of `parent` is looked for: see [`crate::groups`].
    pub(crate) fn place_directory(&self, parent: Ino) -> Result<Ino> {
        let groups = Groups::of(self.geometry());
        if groups.count() == 1 {
            return Ok(parent);
        }
        let mut space = self.volume().space.lock()?;
        let average = space.blocks.total() / groups.count();
        let home = groups.of_inode(parent);
        let spread = parent == Ino::ROOT;
        let (start, enough) = if spread {
            space.spread = space.spread.wrapping_add(1) % groups.count();
            (space.spread, average - average / 4)
        } else {
            (groups.position(home), average / 2)
        };
        let mut looks = (start..start + groups.count().min(LOOKS)).map(|n| groups.nth(n));
        let found = looks.find(|group| u64::from(space.blocks.at(*group)) >= enough);
        Ok(match found {
            Some(group) if spread || group != home => groups.first_inode(group),
            _ => parent,
        })
    }

    /// Free blocks as this transaction sees them.
    fn free_blocks_now(&self) -> Result<u64> {
        let total = self.volume().space.lock()?.blocks.total();
        let own = self.counts.iter().filter(|c| c.map == Map::Blocks);
        Ok(total.saturating_add_signed(own.map(|c| c.free).sum()))
    }

    /// Free bits of a block of a bitmap as this transaction sees them.
    fn free_at(&self, map: Map, index: u64) -> Result<u64> {
        let count = self.volume().space.lock()?.counts(map).at(index);
        let own = self
            .counts
            .iter()
            .filter(|c| c.map == map && c.index == index);
        Ok(u64::from(count).saturating_add_signed(own.map(|c| c.free).sum()))
    }

    /// The first run of `want` free bits from `goal` on, or the longest that was seen.
    fn search(&self, map: Map, goal: u64, want: u32) -> Result<Range<u64>> {
        let bits = u64::from(BITS_PER_BLOCK);
        let (first, blocks) = self.map_blocks(map);
        let home = (goal / bits) % blocks;
        let mut best = 0..0;
        let mut looked = 0;
        for step in 0..=blocks {
            let index = (home + step) % blocks;
            if self.free_at(map, index)? == 0 {
                continue;
            }
            let from = if step == 0 { goal % bits } else { 0 };
            let from = u32::try_from(from).unwrap_or(0);
            let run = self.search_block(map, first, index, from, want)?;
            if run.end - run.start > best.end - best.start {
                best = run;
            }
            looked += 1;
            let found = best.end - best.start;
            if found >= want.into() || (found > 0 && looked >= PATIENCE) {
                break;
            }
        }
        if best.is_empty() {
            return Err(Errno::ENOSPC);
        }
        Ok(best)
    }

    /// As [`Txn::search`], in one block of a bitmap.
    fn search_block(
        &self,
        map: Map,
        first: u64,
        index: u64,
        from: u32,
        want: u32,
    ) -> Result<Range<u64>> {
        let base = index * u64::from(BITS_PER_BLOCK);
        self.read(BlockNo(first + index), |bytes| {
            let bits = layout::payload(bytes);
            let mut best = 0..0u64;
            let mut at = from;
            while let Some(run) = bitmap::first_clear(bits, at..BITS_PER_BLOCK, want) {
                let (start, end) = (base + u64::from(run.start), base + u64::from(run.end));
                // Freed blocks that are still pending cut the run into pieces.
                let pending = match map {
                    Map::Blocks => self.pending_in(start..end),
                    Map::Inodes => None,
                };
                let piece = start..pending.as_ref().map_or(end, |p| p.start);
                if piece.end - piece.start > best.end - best.start {
                    best = piece;
                    if best.end - best.start >= want.into() {
                        break;
                    }
                }
                let behind = pending.map_or(end, |p| p.end) - base;
                at = u32::try_from(behind).unwrap_or(BITS_PER_BLOCK);
            }
            best
        })
    }

    /// Sets or clears bits that lie in one block of a bitmap.
    fn mark(&mut self, map: Map, range: Range<u64>, used: bool) -> Result {
        let bits = u64::from(BITS_PER_BLOCK);
        let (first, _) = self.map_blocks(map);
        let index = range.start / bits;
        let block = BlockNo(first + index);
        let low = u32::try_from(range.start % bits).map_err(|_| Errno::EIO)?;
        let len = u32::try_from(range.end - range.start).map_err(|_| Errno::EIO)?;
        let kind = match (map, used) {
            (Map::Blocks, true) => CorruptKind::BlockShared,
            (Map::Blocks, false) => CorruptKind::BlockMarkedFree,
            (Map::Inodes, _) => CorruptKind::InodeMarkedFree,
        };
        self.change_bits(block, low..low + len, used, kind)?;
        let free = if used { -i64::from(len) } else { len.into() };
        self.counts.push(CountChange { map, index, free });
        Ok(())
    }

    /// Sets or clears bits of a block; `otherwise` is wrong where one of them is so already.
    pub(crate) fn change_bits(
        &mut self,
        block: BlockNo,
        range: Range<u32>,
        value: bool,
        otherwise: CorruptKind,
    ) -> Result {
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min((start / BITS_AT_ONCE + 1) * BITS_AT_ONCE);
            if !self.change_few_bits(block, start..end, value)? {
                return Err(otherwise.at(block));
            }
            start = end;
        }
        Ok(())
    }

    /// As [`Txn::change_bits`], for bits that a small buffer holds; `false` where one is wrong.
    fn change_few_bits(&mut self, block: BlockNo, range: Range<u32>, value: bool) -> Result<bool> {
        let touched = bitmap::bytes_of(&range);
        let bits = range.start - touched.start * 8..range.end - touched.start * 8;
        let from = u16::try_from(touched.start).map_err(|_| Errno::EIO)?;
        let len = usize::try_from(touched.end - touched.start).map_err(|_| Errno::EIO)?;
        let mut buffer = [0; BYTES_AT_ONCE];
        let copy = buffer.get_mut(..len).ok_or(Errno::EIO)?;
        let found = self.read(block, |bytes| {
            let bytes = layout::payload(bytes).get(from.into()..)?.get(..len)?;
            copy.copy_from_slice(bytes);
            Some(())
        })?;
        found.ok_or(Errno::EIO)?;
        if !bitmap::change(copy, bits, value) {
            return Ok(false);
        }
        self.write(block, layout::BLOCK_HEAD + from, copy)?;
        Ok(true)
    }

    /// A bitmap: its first block and its blocks.
    fn map_blocks(&self, map: Map) -> (u64, u64) {
        let geometry = self.geometry();
        match map {
            Map::Blocks => (geometry.block_map(), geometry.block_map_blocks()),
            Map::Inodes => (geometry.inode_map(), geometry.inode_map_blocks()),
        }
    }
}
