// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Adding an entry: where it goes, and how a directory grows.

use super::entry::{self, Dirent};
use super::{Pair, check_name, entries, find_indexed, gaps, index, skim, walk};
use crate::corrupt::CorruptKind;
use crate::extent::{self, FileBlock};
use crate::inode::{Ino, Inode};
use crate::layout::{self, BLOCK_SIZE, DIR_START, MAX_INDEXED_BLOCKS, RawDirHead};
use crate::space::Purpose;
use crate::txn::Txn;
use crate::volume::ReadBlock;
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, Errno, FileKind, Result};
use core::ops::ControlFlow;
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32};

/// Where a new entry goes.
#[derive(Clone, Copy, Debug)]
struct Room {
    /// Which block of the directory.
    number: FileBlock,
    block: BlockNo,
    at: u16,
    rec_len: u16,
    /// The entry that gives away its tail, and what it keeps.
    shrink: Option<(u16, u16)>,
}

impl Room {
    /// The room behind `entry` in its block.
    fn behind(entry: &Dirent<'_>, (number, block): (FileBlock, BlockNo)) -> Self {
        let kept = entry.needed();
        Self {
            number,
            block,
            at: entry.at + kept,
            rec_len: entry.rec_len - kept,
            shrink: (kept > 0).then_some((entry.at, kept)),
        }
    }
}

/// Adds an entry.
///
/// # Errors
/// `EEXIST`, `ENOSPC`; `EINVAL`, `ENAMETOOLONG`: not a name.
#[inline(never)]
pub(crate) fn insert<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &mut Inode,
    name: &[u8],
    ino: Ino,
    kind: FileKind,
) -> Result {
    let need = entry::size(check_name(name)?);
    let room = if dir.index != 0 {
        indexed_room(txn, dir, name, need)?
    } else {
        linear_room(txn, dir, name, need)?
    };
    let room = match room {
        Some(room) => room,
        None => grow(txn, dir)?,
    };
    if let Some((at, kept)) = room.shrink {
        set_rec_len(txn, room.block, at, kept)?;
    }
    let bytes = entry::encode(ino, kind, name, room.rec_len)?;
    txn.write(room.block, room.at, &bytes)?;
    if dir.index == 0 {
        return Ok(());
    }
    let pair = Pair::new(txn.name_hash().of(name), room.number, room.at);
    index::insert(txn, dir, pair)?;
    update_gap(txn, dir, room.number, room.block)
}

/// Room for `need` bytes in a directory without an index, which must not have the name.
fn linear_room(from: &impl ReadBlock, dir: &Inode, name: &[u8], need: u16) -> Result<Option<Room>> {
    let mut room = None;
    let exists = walk(from, dir, FileBlock(0), |number, block, bytes| {
        for entry in skim(bytes) {
            let entry = entry?;
            if entry.is(name) {
                return Ok(ControlFlow::Break(()));
            }
            if room.is_none() && entry.gap() >= need {
                room = Some(Room::behind(&entry, (number, block)));
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    match exists {
        Some(()) => Err(Errno::EEXIST),
        None => Ok(room),
    }
}

/// As [`linear_room`], for a directory with an index.
fn indexed_room(
    from: &impl ReadBlock,
    dir: &Inode,
    name: &[u8],
    need: u16,
) -> Result<Option<Room>> {
    if find_indexed(from, dir, name)?.is_some() {
        return Err(Errno::EEXIST);
    }
    let Some(number) = gaps::find(from, dir, need)? else {
        return Ok(None);
    };
    let block = extent::metadata_block(from, dir, number)?;
    let room = from.read(block, |bytes| {
        super::check_head(bytes, dir.ino)?;
        for entry in skim(bytes) {
            let entry = entry?;
            if entry.gap() >= need {
                return Ok(Room::behind(&entry, (number, block)));
            }
        }
        Err(CorruptKind::GapWrong)
    })?;
    room.map(Some).map_err(|kind| kind.at(block))
}

/// The largest gap of a block of entries.
pub(crate) fn largest_gap(bytes: &[u8]) -> core::result::Result<u16, CorruptKind> {
    skim(bytes).try_fold(0, |most, entry| Ok(entry?.gap().max(most)))
}

/// The largest gap of a block has changed.
pub(super) fn update_gap<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &Inode,
    number: FileBlock,
    block: BlockNo,
) -> Result {
    let gap = txn.read(block, largest_gap)?;
    gaps::set(txn, dir, number, gap.map_err(|kind| kind.at(block))?)
}

/// Adds a block to the directory: one free entry. The second block brings the index with it.
fn grow<D: BlockDevice>(txn: &mut Txn<'_, D>, dir: &mut Inode) -> Result<Room> {
    let number = FileBlock::of_byte(dir.size).ok_or(Errno::ENOSPC)?;
    if number == FileBlock(1) && dir.index == 0 && txn.volume().sup.indexes_directories() {
        add_index(txn, dir)?;
    }
    if dir.index != 0 && number.0 >= MAX_INDEXED_BLOCKS {
        return Err(Errno::ENOSPC);
    }
    let run = extent::fill(txn, dir, number, 1, Purpose::Meta)?;
    let block = BlockNo(run.block);
    let head = RawDirHead {
        magic: layout::DIR_MAGIC,
        checksum: U32::ZERO,
        owner: dir.ino.0.into(),
        reserved: U32::ZERO,
    };
    txn.zero(block)?;
    txn.write(block, 0, head.as_bytes())?;
    dir.size += u64::from(BLOCK_SIZE);
    let rec_len = BLOCK_SIZE - DIR_START;
    if dir.index != 0 {
        gaps::push(txn, dir, number, rec_len)?;
    }
    Ok(Room {
        number,
        block,
        at: DIR_START,
        rec_len,
        shrink: None,
    })
}

/// Gives a directory of one block an index.
#[inline(never)]
fn add_index<D: BlockDevice>(txn: &mut Txn<'_, D>, dir: &mut Inode) -> Result {
    let number = FileBlock(0);
    let block = extent::metadata_block(txn, dir, number)?;
    let hash = *txn.name_hash();
    let read = txn.read(block, |bytes| {
        let mut pairs = Vec::new();
        for entry in entries(bytes) {
            let entry = entry?;
            if entry.kind.is_some() {
                pairs.push(Pair::new(hash.of(entry.name), number, entry.at));
            }
        }
        Ok((pairs, largest_gap(bytes)?))
    })?;
    let (pairs, gap) = read.map_err(|kind: CorruptKind| kind.at(block))?;
    index::build(txn, dir, block, &pairs)?;
    gaps::push(txn, dir, number, gap)
}

pub(super) fn set_rec_len<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    block: BlockNo,
    at: u16,
    rec_len: u16,
) -> Result {
    txn.write(
        block,
        at + layout::DIRENT_LEN_AT,
        U16::new(rec_len).as_bytes(),
    )
}
