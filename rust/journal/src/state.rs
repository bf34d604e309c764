// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`State`]: what the handle lock protects.

use crate::area::{Area, Place};
use crate::running::Running;
use crate::seen::Seen;
use crate::staged::Staged;
use crate::table::Table;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bento::{BlockBuf, BlockNo, Errno, Pressure, Result};
use core::ops::Range;

/// Copies of blocks that are kept for the next operation; more than that is given back.
const SPARE_COPIES: usize = 64;

/// What the log on disk holds of a block.
#[derive(Debug)]
pub(crate) struct Logged<B> {
    /// The newest durable transaction with this block.
    pub(crate) place: Place,
    /// The block, while the contents of that transaction still have to be written home.
    pub(crate) home: Option<B>,
    /// These contents, where the cache has those of a later transaction.
    pub(crate) frozen: Option<Vec<u8>>,
}

/// Everything that changes; whoever holds the lock around it is the only writer of metadata.
///
/// # Invariants
/// `running` is a transaction younger than `committing`, and that is younger than all in `live`.
/// Where a block is in two of these, the older ones have its contents in `frozen`, or (`live`)
/// need no contents. `used` and the most that `running` can take fit the ring together.
#[derive(Debug)]
pub(crate) struct State<B> {
    /// Operations that are committed and not being written.
    pub(crate) running: Running<B>,
    /// Operations that are being written to the log; empty at other times.
    pub(crate) committing: Running<B>,
    /// All blocks of the transactions in the log, as the newest durable one left them.
    pub(crate) live: Table<Logged<B>>,
    /// The number of the running transaction.
    pub(crate) sequence: u64,
    /// The number of the last durable transaction.
    pub(crate) durable: u64,
    /// Where the running transaction will begin in the ring.
    pub(crate) head: u64,
    /// Blocks of the ring that may not be overwritten.
    pub(crate) used: u64,
    /// Where a recovery begins, as the header on disk says.
    pub(crate) tail: Place,
    /// The number that the header names may have been used by a commit that a crash cut off, so
    /// the header must get a new one before anything is written to the log.
    pub(crate) fresh: bool,
    /// A write failed: what is on disk is not known, so nothing may be written any more.
    aborted: bool,
    /// Memory for staged copies, each of one block.
    copies: Vec<Vec<u8>>,
    /// Memory for the list of staged blocks; empty.
    spare: Vec<Staged<B>>,
    /// What the running operation has looked at; none between two operations.
    pub(crate) seen: Seen<B>,
}

impl<B: BlockBuf> State<B> {
    /// The state before the first operation, with an empty log whose header says `tail`. In a box,
    /// for kernel stacks are small.
    #[inline(never)]
    pub(crate) fn new(tail: Place, fresh: bool) -> Box<Self> {
        let durable = if fresh {
            tail.sequence
        } else {
            tail.sequence.saturating_sub(1)
        };
        Box::new(Self {
            running: Running::new(),
            committing: Running::new(),
            live: Table::new(),
            sequence: durable + 1,
            durable,
            head: tail.position,
            used: 0,
            tail,
            fresh,
            aborted: false,
            copies: Vec::new(),
            spare: Vec::new(),
            seen: Seen::new(),
        })
    }

    /// # Errors
    /// `EIO` after an abort.
    pub(crate) fn check(&self) -> Result {
        if self.aborted {
            return Err(Errno::EIO);
        }
        Ok(())
    }

    /// Ends all writing after the error `cause` while doing `what`; logs it the first time.
    pub(crate) fn abort(&mut self, what: &str, cause: Errno) -> Errno {
        if !self.aborted {
            self.aborted = true;
            log::error!(
                "journal: {what} failed ({cause}) after transaction {} was durable; nothing more \
                 is written, check the device, unmount and mount again to recover",
                self.durable
            );
        }
        Errno::EIO
    }

    /// The number of the last transaction that has changes.
    pub(crate) fn newest(&self) -> u64 {
        self.sequence - u64::from(self.running.is_empty())
    }

    /// How full the log is, with the running transaction.
    pub(crate) fn pressure(&self, area: Area) -> Pressure {
        let count = u64::try_from(self.running.members().len()).unwrap_or(u64::MAX / 2);
        let (filled, ring) = (self.used.saturating_add(count), area.ring());
        match (filled >= ring / 2, filled >= ring - ring / 4) {
            (_, true) => Pressure::Wait,
            (true, _) => Pressure::Soon,
            _ => Pressure::None,
        }
    }

    /// The log has room for the running transaction with `credits` more blocks.
    pub(crate) fn has_room(&self, area: Area, credits: usize) -> bool {
        let count = u64::try_from(self.running.members().len() + credits);
        count.is_ok_and(|count| self.used + Area::need(count) <= area.ring())
    }

    /// Takes the memory that an operation on `credits` blocks of `size` bytes needs, up to the day
    /// when its changes are at home.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn reserve(&mut self, credits: usize, size: usize) -> Result {
        self.running.reserve(credits)?;
        let members = self.running.members().len() + self.committing.members().len();
        self.live.reserve(members + credits)?;
        self.reserve_copies(credits, size)
    }

    fn reserve_copies(&mut self, count: usize, size: usize) -> Result {
        let missing = count.saturating_sub(self.copies.len());
        self.copies
            .try_reserve(missing)
            .map_err(|_| Errno::ENOMEM)?;
        for _ in 0..missing {
            let mut copy = Vec::new();
            copy.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
            copy.resize(size, 0);
            self.copies.push(copy);
        }
        Ok(())
    }

    /// An empty list with room for `credits` staged blocks.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn take_list(&mut self, credits: usize) -> Result<Vec<Staged<B>>> {
        let mut list = core::mem::take(&mut self.spare);
        list.try_reserve_exact(credits).map_err(|_| Errno::ENOMEM)?;
        Ok(list)
    }

    /// An operation has ended: takes back what it had, and frees it where that is much.
    pub(crate) fn end(&mut self, mut list: Vec<Staged<B>>) {
        for staged in list.drain(..) {
            self.give_back(staged.into_memory());
        }
        if list.capacity() <= SPARE_COPIES {
            self.spare = list;
        }
        self.seen.clear();
    }

    pub(crate) fn take_copy(&mut self) -> Result<Vec<u8>> {
        self.copies.pop().ok_or(Errno::ENOMEM)
    }

    /// Takes a copy back, or frees it where enough are kept.
    pub(crate) fn give_back(&mut self, copy: Vec<u8>) {
        if self.copies.len() < SPARE_COPIES {
            self.copies.push(copy);
        }
    }

    /// The block, where its cached contents are not those on disk.
    pub(crate) fn held(&self, block: BlockNo) -> Option<&B> {
        let member = self.running.get(block).or(self.committing.get(block));
        let logged = || self.live.get(block.0)?.home.as_ref();
        member.map(|m| &m.buf).or_else(logged)
    }

    /// Blocks that are no metadata any more: the running transaction does not write them, and
    /// once it is durable no recovery does.
    pub(crate) fn forget(&mut self, range: &Range<u64>) {
        self.running.forget(range);
        for member in self.committing.range(range) {
            self.running.revoke(member.block.0);
        }
        for (block, _) in self.live.range(range) {
            self.running.revoke(*block);
        }
    }

    /// Makes a cached block what an operation wants; it joins the running transaction. Where an
    /// older transaction still needs the contents, it gets them.
    ///
    /// # Errors
    /// `EIO`: the block cannot be locked.
    pub(crate) fn publish(&mut self, staged: Staged<B>) -> Result {
        let block = staged.block;
        let joined = self.running.get(block).is_some();
        let needed = !joined && matches!(self.frozen(block), Some(None));
        let (block, buf, memory) = staged.publish(needed)?;
        match self.frozen(block).filter(|_| needed) {
            Some(older) => *older = Some(memory),
            None => self.give_back(memory),
        }
        if !joined {
            self.running.insert(block, buf);
        }
        Ok(())
    }

    /// Where the newest transaction before the running one keeps the contents of `block`, if it
    /// still needs them.
    fn frozen(&mut self, block: BlockNo) -> Option<&mut Option<Vec<u8>>> {
        match self.committing.get_mut(block) {
            Some(member) => Some(&mut member.frozen),
            None => {
                let logged = self.live.get_mut(block.0)?;
                logged.home.is_some().then_some(&mut logged.frozen)
            }
        }
    }

    /// The first part of `range` that is freed by a transaction that is not durable.
    pub(crate) fn pending_in(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let committing = self.committing.pending.first_in(range);
        let running = self.running.pending.first_in(range);
        committing
            .into_iter()
            .chain(running)
            .min_by_key(|r| r.start)
    }
}
