// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Explicit work on the space of a file: `fallocate(2)`.
//!
//! No mode exposes old contents after a crash: space that is taken is unwritten, space that is
//! given back is not used again before that is durable, and a move of blocks is one transaction.

use crate::extent::{self, FileBlock, Found, MARK_CREDITS, PUNCH_CREDITS, SHIFT_CREDITS, Shift};
use crate::file::{INODE_CREDITS, regular};
use crate::inode::{Inode, MAX_FILE_SIZE, Node};
use crate::layout::BLOCK_SIZE;
use crate::space::Purpose;
use crate::txn::{Change, Txn};
use crate::volume::Volume;
use bento::{BlockDevice, Errno, Fallocate, FallocateMode, Result};
use core::ops::Range;

/// What one run that is filled or marked may change: more than two insertions never.
const FILL_CREDITS: usize = INODE_CREDITS + 1 + MARK_CREDITS;
/// The same for one that is punched.
const HOLE_CREDITS: usize = INODE_CREDITS + PUNCH_CREDITS;
/// What a transaction asks for beyond that, so that it does more than one run where it can.
const MORE_CREDITS: usize = 8;
/// Runs that one transaction looks at.
const RUNS: usize = 1024;
/// Transactions of one call: others wait meanwhile for the inode.
const TRANSACTIONS: usize = 64;

/// What happens to space that is there, beside filling holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    Keep,
    Clear,
}

impl<D: BlockDevice> Volume<D> {
    /// Changes the space under a range of a file; `EAGAIN` where a part of that is left to do.
    ///
    /// # Errors
    /// `EINVAL`: not in whole blocks, or nothing. `EFBIG`: behind the largest file, or too much
    /// to move in one transaction (nothing has changed then). `ENOSPC`: as far as space went.
    pub(crate) fn fallocate(&self, node: &Node, range: &Fallocate) -> Result {
        let blocks = blocks_of(range)?;
        if range.size > MAX_FILE_SIZE {
            return Err(Errno::EFBIG);
        }
        regular(&node.read()?.inode)?;
        match range.mode {
            FallocateMode::Allocate => self.fill_range(node, blocks, Fill::Keep, range.size),
            FallocateMode::Zero => self.fill_range(node, blocks, Fill::Clear, range.size),
            FallocateMode::Punch => self.punch_range(node, blocks),
            FallocateMode::Collapse => {
                let (start, end) = (blocks.start, blocks.end);
                self.shift_range(node, Shift::Collapse { start, end }, range.size)
            }
            FallocateMode::Insert => {
                let (at, len) = (blocks.start, blocks.end.0 - blocks.start.0);
                self.shift_range(node, Shift::Insert { at, len }, range.size)
            }
        }
    }

    /// Blocks behind the size that a truncation has left must not come back: they go first.
    fn without_leftovers(&self, node: &Node) -> Result {
        if node.read()?.inode.cut {
            return self.finish_cut(node);
        }
        Ok(())
    }

    fn fill_range(&self, node: &Node, blocks: Range<FileBlock>, fill: Fill, size: u64) -> Result {
        self.without_leftovers(node)?;
        let mut at = blocks.start;
        for _ in 0..TRANSACTIONS {
            let mut change = Change::begin(self, FILL_CREDITS + MORE_CREDITS)?;
            let slot = change.stage(node)?;
            let (txn, inode) = change.parts(slot);
            at = fill_some(txn, inode, at..blocks.end, fill)?;
            let done = at >= blocks.end;
            if done {
                inode.size = inode.size.max(size);
            }
            change.finish()?;
            if done {
                return Ok(());
            }
        }
        Err(Errno::EAGAIN)
    }

    fn punch_range(&self, node: &Node, blocks: Range<FileBlock>) -> Result {
        self.without_leftovers(node)?;
        let mut at = blocks.start;
        for _ in 0..TRANSACTIONS {
            let mut change = Change::begin(self, HOLE_CREDITS + MORE_CREDITS)?;
            let slot = change.stage(node)?;
            let (txn, inode) = change.parts(slot);
            for _ in 0..RUNS {
                if at >= blocks.end || txn.credits_left() < HOLE_CREDITS {
                    break;
                }
                at = extent::punch(txn, inode, at, blocks.end)?;
            }
            change.finish()?;
            if at >= blocks.end {
                return Ok(());
            }
        }
        Err(Errno::EAGAIN)
    }

    /// Moves what lies behind a place of the file; the size becomes `size`.
    ///
    /// It is durable on return. Otherwise a later write could go to where a block is now, and a
    /// crash could bring the block back to where it was, with contents that were never there.
    fn shift_range(&self, node: &Node, shift: Shift, size: u64) -> Result {
        loop {
            match self.without_leftovers(node) {
                Err(Errno::EAGAIN) => {}
                result => break result?,
            }
        }
        let extra = INODE_CREDITS + SHIFT_CREDITS;
        let most = self.journal.max_credits().saturating_sub(extra);
        let count = extent::survey(self, &node.read()?.inode, &shift, most)?;
        let mut change = Change::begin(self, count + extra)?;
        let slot = change.stage(node)?;
        let (txn, inode) = change.parts(slot);
        extent::shift(txn, inode, &shift)?;
        inode.size = size;
        change.finish()?;
        self.journal.commit()
    }
}

/// Fills and marks as far as one transaction goes; returns how far it came.
fn fill_some<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    range: Range<FileBlock>,
    fill: Fill,
) -> Result<FileBlock> {
    let mut at = range.start;
    for _ in 0..RUNS {
        if at >= range.end || txn.credits_left() < FILL_CREDITS {
            break;
        }
        at = match extent::lookup(txn, inode, at)? {
            Found::Hole { end } => {
                let want = end.min(range.end).0 - at.0;
                extent::fill(txn, inode, at, want, Purpose::Data)?.end()
            }
            Found::Run(run) => {
                let stop = run.end().min(range.end);
                match fill {
                    Fill::Keep => stop,
                    Fill::Clear => extent::mark(txn, inode, at, stop, true)?,
                }
            }
        };
    }
    Ok(at)
}

/// The blocks of a request.
fn blocks_of(range: &Fallocate) -> Result<Range<FileBlock>> {
    let block = u64::from(BLOCK_SIZE);
    if !range.offset.is_multiple_of(block) || !range.len.is_multiple_of(block) || range.len == 0 {
        return Err(Errno::EINVAL);
    }
    let end = range.offset.checked_add(range.len).ok_or(Errno::EFBIG)?;
    if end > FileBlock::MAX.byte() {
        return Err(Errno::EFBIG);
    }
    Ok(FileBlock::behind_byte(range.offset)..FileBlock::behind_byte(end))
}
