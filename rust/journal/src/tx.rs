// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Tx`]: the changes of one operation.

use crate::Journal;
use crate::pending::overlap;
use crate::staged::{Seal, Sealing, Staged};
use crate::state::State;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bento::sync::MutexGuard;
use bento::{BlockBuf, BlockDevice, BlockNo, Errno, Result};
use core::ops::Range;

/// The changes of one operation, seen by nobody else until [`Tx::commit`].
///
/// Dropping it undoes all of them: an operation that fails half way, or panics, leaves no trace.
/// It holds the journal's handle lock, so it must be short, and the task that holds it must not
/// call the methods of [`Journal`] that take that lock.
pub struct Tx<'j, D: BlockDevice> {
    journal: &'j Journal<D>,
    state: MutexGuard<'j, Box<State<D::Buf>>>,
    /// Ascending by block.
    staged: Vec<Staged<D::Buf>>,
    forgotten: Vec<Range<u64>>,
    freed: Vec<Range<u64>>,
    credits: usize,
}

impl<'j, D: BlockDevice> Tx<'j, D> {
    pub(crate) fn new(
        journal: &'j Journal<D>,
        mut state: MutexGuard<'j, Box<State<D::Buf>>>,
        credits: usize,
    ) -> Result<Self> {
        Ok(Self {
            journal,
            staged: state.take_list(credits)?,
            state,
            forgotten: Vec::new(),
            freed: Vec::new(),
            credits,
        })
    }

    /// The number of the transaction that this operation joins; see [`Journal::commit_through`].
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.state.sequence
    }

    /// How many blocks may still be touched for the first time.
    #[must_use]
    pub fn credits_left(&self) -> usize {
        self.credits - self.staged.len()
    }

    /// Shows a metadata block as this operation sees it, its own changes included.
    ///
    /// # Errors
    /// As [`BlockDevice::read`] and [`BlockBuf::bytes`].
    pub fn read<R>(&self, block: BlockNo, f: impl FnOnce(&[u8]) -> R) -> Result<R> {
        match self.find(block) {
            Ok(at) => {
                let staged = self.staged.get(at).ok_or(Errno::EIO)?;
                staged.view(f)
            }
            Err(_) => {
                let handle = self
                    .state
                    .seen
                    .get(block, || self.journal.device.read(block))?;
                let bytes = handle.buf().bytes()?;
                Ok(f(&bytes))
            }
        }
    }

    /// Replaces the bytes from `offset` of a metadata block by `bytes`.
    ///
    /// # Errors
    /// `EINVAL` (logged): the bytes do not fit the block, or the block is pending
    /// ([`Tx::is_pending`]). `E2BIG` (logged): the credits are used up. `EUCLEAN` (logged): the
    /// block lies behind the end of the device or in the log. `EIO`, `ENOMEM`.
    pub fn write(&mut self, block: BlockNo, offset: usize, bytes: &[u8]) -> Result {
        let range = offset..offset.saturating_add(bytes.len());
        self.open(block, &range)?.write(&range, bytes)
    }

    /// Moves the bytes `from` of a metadata block to where byte `to` is; the two may overlap.
    ///
    /// # Errors
    /// As [`Tx::write`].
    pub fn copy_within(&mut self, block: BlockNo, from: Range<usize>, to: usize) -> Result {
        let all = from.start.min(to)..from.end.max(to.saturating_add(from.len()));
        self.open(block, &all)?.copy_within(from, to)
    }

    /// The staged block, whose bytes `range` are to be changed.
    fn open(&mut self, block: BlockNo, range: &Range<usize>) -> Result<&mut Staged<D::Buf>> {
        if range.end > D::BLOCK_SIZE {
            log::error!("journal: bytes {range:?} are outside of block {block}");
            return Err(Errno::EINVAL);
        }
        let at = match self.find(block) {
            Ok(at) => at,
            Err(at) => {
                self.may_stage(block)?;
                let buf = match self.state.seen.take(block) {
                    Some(buf) => buf,
                    None => self.journal.device.read(block)?,
                };
                self.stage(at, block, buf)?
            }
        };
        self.staged.get_mut(at).ok_or(Errno::EIO)
    }

    /// Makes a newly allocated block a metadata block full of zeros. The device is not read.
    ///
    /// The block must not be in use: what the cache holds of it may be lost even where this
    /// operation is dropped.
    ///
    /// # Errors
    /// As [`Tx::write`].
    pub fn zero(&mut self, block: BlockNo) -> Result {
        let at = match self.find(block) {
            Ok(at) => at,
            Err(at) => {
                self.may_stage(block)?;
                // A block whose contents are in the cache alone keeps them until this operation
                // is committed, should the caller zero a block in use after all.
                let buf = match self.state.held(block) {
                    Some(buf) => buf.clone(),
                    None => self.journal.device.zeroed(block)?,
                };
                self.stage(at, block, buf)?
            }
        };
        self.staged.get_mut(at).ok_or(Errno::EIO)?.zero();
        Ok(())
    }

    /// `block` is no longer metadata: no transaction writes it any more, and no recovery after
    /// the running transaction is durable. [`Tx::free_later`] includes this.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn forget(&mut self, block: BlockNo) -> Result {
        let end = block.0.checked_add(1).ok_or(Errno::EUCLEAN)?;
        self.forget_range(block.0..end)
    }

    /// The blocks are free once this operation is durable: until then [`Tx::is_pending`] says so,
    /// and nobody may allocate them. Metadata among them is forgotten.
    ///
    /// # Errors
    /// `EUCLEAN` (logged): outside of the device, or in the log. `ENOMEM`.
    pub fn free_later(&mut self, range: Range<u64>) -> Result {
        let log = self.journal.area.start..self.journal.area.start + self.journal.area.blocks;
        if range.end > self.journal.device.blocks() || overlap(&range, &log).is_some() {
            log::error!("journal: blocks {range:?} are outside the device or in the log");
            return Err(Errno::EUCLEAN);
        }
        self.state.running.pending.reserve(self.freed.len() + 1)?;
        self.freed.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.forget_range(range.clone())?;
        self.freed.push(range);
        Ok(())
    }

    /// The block was freed by this operation or in a transaction that is not durable: it must not
    /// be allocated yet.
    #[must_use]
    pub fn is_pending(&self, block: BlockNo) -> bool {
        let end = block.0.saturating_add(1);
        self.pending_in(block.0..end).is_some()
    }

    /// The first part of `range` that must not be allocated yet, if any.
    #[must_use]
    pub fn pending_in(&self, range: Range<u64>) -> Option<Range<u64>> {
        let own = self.freed.iter().filter_map(|r| overlap(r, &range));
        own.chain(self.state.pending_in(&range))
            .min_by_key(|r| r.start)
    }

    /// Shows `seal` each block that the operation changes, so that it can complete it, by a
    /// checksum over the block for example. Called once, right before [`Tx::commit`].
    ///
    /// # Errors
    /// `EIO`: a block could not be locked (a panic damaged it). Those of `seal`.
    pub fn seal(&mut self, mut seal: impl FnMut(&Sealing<'_>) -> Result<Option<Seal>>) -> Result {
        self.staged
            .iter_mut()
            .try_for_each(|staged| staged.seal(&mut seal))
    }

    /// Publishes the changes: from now on everybody sees them, and they become durable together
    /// with the rest of the running transaction.
    ///
    /// # Errors
    /// `EIO`: a block could not be locked (a panic damaged it). The journal aborts then, so that
    /// a half-published operation never reaches the disk.
    pub fn commit(mut self) -> Result {
        let state = &mut **self.state;
        self.journal.publishing(state.sequence);
        for range in &self.forgotten {
            state.forget(range);
        }
        for range in self.freed.drain(..) {
            state.running.pending.insert(range);
        }
        for staged in self.staged.drain(..) {
            state
                .publish(staged)
                .map_err(|cause| state.abort("changing a cached block", cause))?;
        }
        self.journal.announce(state);
        Ok(())
    }

    fn forget_range(&mut self, range: Range<u64>) -> Result {
        self.forgotten.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let from = self.staged.partition_point(|s| s.block.0 < range.start);
        let to = self.staged.partition_point(|s| s.block.0 < range.end);
        for staged in self.staged.drain(from..to.max(from)) {
            self.state.give_back(staged.into_memory());
        }
        self.forgotten.push(range);
        Ok(())
    }

    /// Where `block` is among the staged blocks, or where it belongs.
    fn find(&self, block: BlockNo) -> core::result::Result<usize, usize> {
        self.staged.binary_search_by_key(&block, |s| s.block)
    }

    /// Checks that a block that is not staged yet may be.
    fn may_stage(&self, block: BlockNo) -> Result {
        if self.credits_left() == 0 {
            log::error!(
                "journal: block {block} is one more than the {} the operation asked for",
                self.credits
            );
            return Err(Errno::E2BIG);
        }
        if block.0 >= self.journal.device.blocks() || self.journal.area.contains(block.0) {
            log::error!("journal: metadata block {block} is outside the device or in the log");
            return Err(Errno::EUCLEAN);
        }
        if self.is_pending(block) {
            log::error!("journal: block {block} is used before its release is durable");
            return Err(Errno::EINVAL);
        }
        Ok(())
    }

    /// Stages `buf` at position `at`.
    fn stage(&mut self, at: usize, block: BlockNo, buf: D::Buf) -> Result<usize> {
        let memory = self.state.take_copy()?;
        self.staged.insert(at, Staged::new(block, buf, memory));
        Ok(at)
    }
}

impl<D: BlockDevice> Drop for Tx<'_, D> {
    fn drop(&mut self) {
        let list = core::mem::take(&mut self.staged);
        self.state.end(list);
    }
}

impl<D: BlockDevice> core::fmt::Debug for Tx<'_, D> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tx")
            .field("sequence", &self.sequence())
            .field("staged", &self.staged.len())
            .field("credits", &self.credits)
            .finish_non_exhaustive()
    }
}
