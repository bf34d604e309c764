// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Telling the device which blocks hold nothing: `FITRIM`, and the mount option `discard`.
//!
//! A block may be discarded while no crash can bring it back into use and nobody can take it. The
//! first is so where its bit is clear and its release is durable; the second while a transaction
//! is held, since nothing else can be allocated then. So the work goes in short transactions that
//! change nothing.

use crate::bitmap;
use crate::layout::{self, BITS_PER_BLOCK, BLOCK_SIZE};
use crate::txn::Txn;
use crate::volume::{ReadBlock, Volume};
use alloc::vec::Vec;
use bento::sync::Mutex;
use bento::{BlockDevice, BlockNo, Errno, Result, TrimRange, Trimmed};
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};

/// Discards of one transaction: every operation that changes something waits meanwhile.
const DISCARDS: usize = 64;
/// Ranges that wait for the next `sync`. Those beyond are forgotten; `fstrim(8)` finds them.
const WAITING: usize = 4096;

/// What was freed and is to be discarded once that is durable.
#[derive(Debug)]
pub(crate) struct Discards {
    wanted: AtomicBool,
    freed: Mutex<Vec<Range<u64>>>,
}

impl Discards {
    pub(crate) const fn new(wanted: bool) -> Self {
        Self {
            wanted: AtomicBool::new(wanted),
            freed: Mutex::of(crate::locks::DISCARDS, Vec::new()),
        }
    }

    /// The mount asked for it, and the device can.
    pub(crate) fn wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// A transaction that frees these blocks was committed in memory.
    pub(crate) fn note(&self, ranges: &[Range<u64>]) -> Result {
        if ranges.is_empty() {
            return Ok(());
        }
        let mut freed = self.freed.lock()?;
        let room = WAITING.saturating_sub(freed.len()).min(ranges.len());
        if freed.try_reserve(room).is_ok() {
            freed.extend(ranges.iter().take(room).cloned());
        }
        Ok(())
    }
}

impl<D: BlockDevice> Volume<D> {
    /// Discards free space in `range`, as far as one short transaction goes.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: the device cannot. `EROFS`.
    pub(crate) fn trim(&self, range: &TrimRange) -> Result<Trimmed> {
        let block = u64::from(BLOCK_SIZE);
        let end = (range.end / block).min(self.geometry().blocks());
        let least = range.min_len.div_ceil(block);
        let txn = self.begin(0)?;
        let mut at = range.start / block;
        let mut blocks = 0;
        // One block of the bitmap at most.
        let bits = u64::from(BITS_PER_BLOCK);
        let stop = end.min((at / bits + 1) * bits);
        for _ in 0..DISCARDS {
            let Some(run) = free_run(&txn, at..stop)? else {
                at = at.max(stop);
                break;
            };
            at = run.end;
            if run.end - run.start >= least {
                blocks += run.end - run.start;
                self.discard(run)?;
            }
        }
        let done = range.end.checked_next_multiple_of(block);
        Ok(Trimmed {
            bytes: blocks * block,
            next: if at < end {
                at * block
            } else {
                done.unwrap_or(u64::MAX)
            },
        })
    }

    /// Discards what was freed, as far as that is durable by now. It is an attempt: errors of the
    /// device are logged, and no more.
    ///
    /// # Errors
    /// `EIO`: the journal has aborted.
    pub(crate) fn discard_freed(&self) -> Result {
        let ranges = core::mem::take(&mut *self.discards.freed.lock()?);
        for some in ranges.chunks(DISCARDS) {
            let txn = self.begin(0)?;
            let mut later = Vec::new();
            for range in some {
                if txn.pending_in(range.clone()).is_some() {
                    later.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                    later.push(range.clone());
                } else if !self.discard_unused(&txn, range)? {
                    return Ok(());
                }
            }
            drop(txn);
            self.discards.note(&later)?;
        }
        Ok(())
    }

    /// Discards the parts of `range` that are not in use again; `false` where that is in vain.
    fn discard_unused(&self, txn: &Txn<'_, D>, range: &Range<u64>) -> Result<bool> {
        let mut at = range.start;
        while let Some(run) = free_run(txn, at..range.end)? {
            at = run.end;
            match self.discard(run.clone()) {
                Ok(()) => {}
                Err(Errno::EOPNOTSUPP) => {
                    log::info!("the device cannot discard; the mount option has no effect");
                    self.discards.wanted.store(false, Ordering::Relaxed);
                    return Ok(false);
                }
                Err(error) => log::warn!("discarding blocks {run:?} failed: {error}"),
            }
        }
        Ok(true)
    }

    fn discard(&self, run: Range<u64>) -> Result {
        let device = self.journal.device();
        device.discard(BlockNo(run.start), run.end - run.start)
    }
}

/// The first run of blocks in `range` that are free, now and after any crash. It ends at the edge
/// of a block of the bitmap.
fn free_run<D: BlockDevice>(txn: &Txn<'_, D>, range: Range<u64>) -> Result<Option<Range<u64>>> {
    let bits = u64::from(BITS_PER_BLOCK);
    let mut start = range.start;
    while start < range.end {
        let index = start / bits;
        let base = index * bits;
        let edge = range.end.min(base + bits);
        let low = u32::try_from(start - base).map_err(|_| Errno::EIO)?;
        let high = u32::try_from(edge - base).map_err(|_| Errno::EIO)?;
        let map = BlockNo(txn.geometry().block_map() + index);
        let run = txn.read(map, |bytes| {
            bitmap::first_clear_run(layout::payload(bytes), low..high)
        })?;
        let Some(run) = run else {
            start = edge;
            continue;
        };
        let run = base + u64::from(run.start)..base + u64::from(run.end);
        match txn.pending_in(run.clone()) {
            None => return Ok(Some(run)),
            Some(pending) if pending.start > run.start => {
                return Ok(Some(run.start..pending.start));
            }
            Some(pending) => start = pending.end,
        }
    }
    Ok(None)
}
