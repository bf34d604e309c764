// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The gap tables of a directory with an index: the largest gap of each block of entries, so that
//! a new entry finds a place without a look at all of them.
//!
//! The top of the index knows the largest gap of each table, so two blocks tell of a place.

use super::index::{Top, check_head, give_back, look, set_count, take, top, write_head};
use crate::corrupt::CorruptKind;
use crate::extent::FileBlock;
use crate::inode::{Ino, Inode};
use crate::layout::{self, GAP_SIZE, NODE_HEAD, RawTable, TABLE_GAPS, TOP_START, TOP_TABLES};
use crate::txn::Txn;
use crate::volume::ReadBlock;
use bento::{BlockDevice, BlockNo, Errno, Result};
use zerocopy::little_endian::{U16, U64};
use zerocopy::{FromBytes, IntoBytes};

/// The used tables of a top.
pub(crate) fn tables<'b>(
    bytes: &'b [u8],
    top: &Top,
) -> core::result::Result<&'b [RawTable], CorruptKind> {
    let rest = bytes.get(usize::from(TOP_START)..).unwrap_or_default();
    let all = <[RawTable]>::ref_from_bytes(rest).map_err(|_| CorruptKind::IndexCount)?;
    all.get(..top.tables.into()).ok_or(CorruptKind::IndexCount)
}

/// The used gaps of a table.
pub(crate) fn gaps(bytes: &[u8], owner: Ino) -> core::result::Result<&[U16], CorruptKind> {
    let head = check_head(bytes, layout::GAP_MAGIC, owner)?;
    if head.depth.get() != 0 {
        return Err(CorruptKind::IndexDepth);
    }
    let rest = bytes.get(usize::from(NODE_HEAD)..).unwrap_or_default();
    let all = <[U16]>::ref_from_bytes(rest).map_err(|_| CorruptKind::IndexCount)?;
    let count = usize::from(head.count.get());
    all.get(..count)
        .filter(|used| !used.is_empty())
        .ok_or(CorruptKind::IndexCount)
}

/// Table `number`, and the number of tables.
fn table(from: &impl ReadBlock, dir: &Inode, number: usize) -> Result<(RawTable, u16)> {
    let block = BlockNo(dir.index);
    look(from, dir, block, |bytes| {
        let top = Top::parse(bytes, dir.ino)?;
        let table = tables(bytes, &top)?.get(number).copied();
        Ok((table.ok_or(CorruptKind::GapWrong)?, top.tables))
    })
}

/// The table of a block of entries, and the index of its gap there.
fn place(block: FileBlock) -> Result<(usize, u16)> {
    let per_table = u32::from(TABLE_GAPS);
    let number = usize::try_from(block.0 / per_table).map_err(|_| Errno::EIO)?;
    let index = u16::try_from(block.0 % per_table).map_err(|_| Errno::EIO)?;
    Ok((number, index))
}

/// The first block of entries with a gap of at least `need` bytes.
pub(super) fn find(from: &impl ReadBlock, dir: &Inode, need: u16) -> Result<Option<FileBlock>> {
    let table = look(from, dir, BlockNo(dir.index), |bytes| {
        let top = Top::parse(bytes, dir.ino)?;
        let mut all = tables(bytes, &top)?.iter().enumerate();
        Ok(all
            .find(|(_, table)| table.largest.get() >= need)
            .map(|(number, table)| (number, BlockNo(table.block.get()))))
    })?;
    let Some((number, block)) = table else {
        return Ok(None);
    };
    let index = look(from, dir, block, |bytes| {
        let index = gaps(bytes, dir.ino)?
            .iter()
            .position(|gap| gap.get() >= need);
        index.ok_or(CorruptKind::GapWrong)
    })?;
    let found = u32::try_from(number * usize::from(TABLE_GAPS) + index);
    let found = FileBlock(found.map_err(|_| Errno::EIO)?);
    if found >= FileBlock::behind_byte(dir.size) {
        return Err(CorruptKind::GapWrong.at(block));
    }
    Ok(Some(found))
}

/// What the tables say of a block of entries.
struct Known {
    /// Which table.
    number: usize,
    table: BlockNo,
    /// The largest gap of all its blocks.
    largest: u16,
    /// Where in the table the gap lies, and what it is.
    at: u16,
    gap: u16,
}

impl Known {
    fn of(from: &impl ReadBlock, dir: &Inode, block: FileBlock) -> Result<Self> {
        let (number, index) = place(block)?;
        let (entry, _) = table(from, dir, number)?;
        let table = BlockNo(entry.block.get());
        let gap = look(from, dir, table, |bytes| {
            let gap = gaps(bytes, dir.ino)?.get(usize::from(index));
            gap.map(|gap| gap.get()).ok_or(CorruptKind::GapWrong)
        })?;
        Ok(Self {
            number,
            table,
            largest: entry.largest.get(),
            at: NODE_HEAD + GAP_SIZE * index,
            gap,
        })
    }

    fn write<D: BlockDevice>(&self, txn: &mut Txn<'_, D>, gap: u16) -> Result {
        txn.write(self.table, self.at, U16::new(gap).as_bytes())
    }
}

/// Block `block` of the directory has got a gap of `gap` bytes; no other gap of it has changed.
pub(super) fn raise<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &Inode,
    block: FileBlock,
    gap: u16,
) -> Result {
    let known = Known::of(txn, dir, block)?;
    if gap <= known.gap {
        return Ok(());
    }
    known.write(txn, gap)?;
    if gap <= known.largest {
        return Ok(());
    }
    set_table(txn, dir, known.number, known.table, gap)
}

/// Block `block` of the directory has a largest gap of `gap` bytes now.
pub(super) fn set<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &Inode,
    block: FileBlock,
    gap: u16,
) -> Result {
    let known = Known::of(txn, dir, block)?;
    if gap == known.gap {
        return Ok(());
    }
    known.write(txn, gap)?;
    let largest = look(txn, dir, known.table, |bytes| {
        let all = gaps(bytes, dir.ino)?.iter().map(|gap| gap.get());
        all.max().ok_or(CorruptKind::IndexCount)
    })?;
    set_table(txn, dir, known.number, known.table, largest)
}

/// Writes what the top knows of table `number`.
fn set_table<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &Inode,
    number: usize,
    block: BlockNo,
    largest: u16,
) -> Result {
    let raw = RawTable {
        block: U64::new(block.0),
        largest: largest.into(),
        reserved: [0; 6],
    };
    let offset = number * size_of::<RawTable>() + usize::from(TOP_START);
    let offset = u16::try_from(offset).map_err(|_| Errno::EIO)?;
    txn.write(BlockNo(dir.index), offset, raw.as_bytes())
}

/// The directory gets a further block, `block`, with one gap of `gap` bytes.
///
/// # Errors
/// `ENOSPC`, also where the directory has reached its largest size.
pub(super) fn push<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &mut Inode,
    block: FileBlock,
    gap: u16,
) -> Result {
    let (number, index) = place(block)?;
    if index > 0 {
        let (entry, _) = table(txn, dir, number)?;
        let at = BlockNo(entry.block.get());
        let count = look(txn, dir, at, |bytes| Ok(gaps(bytes, dir.ino)?.len()))?;
        if count != usize::from(index) {
            return Err(CorruptKind::GapWrong.at(at));
        }
        set_count(txn, at, count + 1)?;
        txn.write(at, NODE_HEAD + GAP_SIZE * index, U16::ZERO.as_bytes())?;
    } else {
        let top = top(txn, dir)?;
        if number >= usize::from(TOP_TABLES) {
            return Err(Errno::ENOSPC);
        }
        if number != usize::from(top.tables) {
            return Err(CorruptKind::GapWrong.at(BlockNo(dir.index)));
        }
        let at = take(txn, dir, dir.index + 1)?;
        write_head(txn, dir, at, layout::GAP_MAGIC, (1, 0))?;
        set_count(txn, BlockNo(dir.index), number + 1)?;
        set_table(txn, dir, number, at, 0)?;
    }
    set(txn, dir, block, gap)
}

/// Frees the last gap table of a directory that is going away; `false` where there is none.
pub(super) fn drop_table<D: BlockDevice>(txn: &mut Txn<'_, D>, dir: &mut Inode) -> Result<bool> {
    let tables = top(txn, dir)?.tables;
    let Some(last) = usize::from(tables).checked_sub(1) else {
        return Ok(false);
    };
    let (entry, _) = table(txn, dir, last)?;
    give_back(txn, dir, BlockNo(entry.block.get()))?;
    set_count(txn, BlockNo(dir.index), last)?;
    Ok(true)
}
