// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Live upgrade: one build of a file system hands its running transaction to the next.
//!
//! The changed blocks themselves stay in the device's cache, held by the exporting journal until
//! the importing one holds them too; only their numbers cross. The record is a sequence of
//! little-endian 64-bit numbers: version (1), sequence, start and size of the log, flags, the
//! number of changed blocks, the number of pending ranges, then these.

use crate::Journal;
use crate::area::Area;
use crate::running::Running;
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, Errno, Result, StateReader, StateWriter};

const VERSION: u64 = 1;
const FORGOT: u64 = 1 << 0;
const LOG_EMPTY: u64 = 1 << 1;

impl<D: BlockDevice> Journal<D> {
    /// Writes the state of the running transaction as one record with tag `tag`. Changes nothing
    /// and does no I/O. Takes the handle lock, so no [`crate::Tx`] may exist.
    ///
    /// # Errors
    /// `EIO`: the journal has aborted (what is in memory must not live on). `ENOMEM`, `E2BIG`.
    pub fn export(&self, out: &mut StateWriter, tag: u32) -> Result {
        let state = self.lock()?;
        let (members, pending) = (state.running.members(), state.running.pending.ranges());
        let number = |n: usize| u64::try_from(n).map_err(|_| Errno::E2BIG);
        let flag = |on: bool, bit: u64| if on { bit } else { 0 };
        let flags = flag(state.running.forgot, FORGOT) | flag(state.log_empty, LOG_EMPTY);
        let head = [
            VERSION,
            state.sequence,
            self.area.start,
            self.area.blocks,
            flags,
            number(members.len())?,
            number(pending.len())?,
        ];
        let numbers = head.len() + members.len() + 2 * pending.len();
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(numbers * size_of::<u64>())
            .map_err(|_| Errno::ENOMEM)?;
        let ranges = pending.iter().flat_map(|r| [r.start, r.end]);
        let all = head.into_iter().chain(members.iter().map(|m| m.block.0));
        for value in all.chain(ranges) {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        out.record(tag, &bytes)
    }

    /// Goes on where the exporting journal stopped; the other arguments are those of
    /// [`Journal::open`]. Writes nothing. The exporting journal must still exist, on the same
    /// cache, and must not be used afterwards.
    ///
    /// # Errors
    /// `EINVAL` (logged): no such record, or one that is damaged or of another log. `EIO`,
    /// `ENOMEM`.
    pub fn import(
        dev: D,
        start: BlockNo,
        blocks: u64,
        read_only: bool,
        state: &StateReader<'_>,
        tag: u32,
    ) -> Result<Self> {
        let area = Area::new(&dev, start, blocks)?;
        let found = state.find(tag).and_then(|bytes| parse(bytes, area));
        let Some(found) = found.filter(|f| f.fits(&dev, area)) else {
            log::error!("journal: the state handed over is damaged or of another log");
            return Err(Errno::EINVAL);
        };
        let header = dev.read(area.block(0))?;
        let running = found.running(&dev)?;
        let mut journal = Self::assemble(dev, area, read_only, header, found.sequence)?;
        let state = journal.state.get_mut()?;
        state.running = running;
        state.log_empty = found.flags & LOG_EMPTY != 0;
        Ok(journal)
    }
}

/// A parsed record.
struct Found<'a> {
    sequence: u64,
    flags: u64,
    members: &'a [[u8; 8]],
    /// Start and end in turn.
    pending: &'a [[u8; 8]],
}

/// Takes the record apart; `None` where it is damaged or belongs to another log.
fn parse(bytes: &[u8], area: Area) -> Option<Found<'_>> {
    let (numbers, []) = bytes.as_chunks::<8>() else {
        return None;
    };
    let (head, rest) = numbers.split_first_chunk::<7>()?;
    let [version, sequence, start, blocks, flags, members, pending] = head.map(u64::from_le_bytes);
    let (members, pending_numbers) = rest.split_at_checked(usize::try_from(members).ok()?)?;
    let right = version == VERSION
        && (start, blocks) == (area.start, area.blocks)
        && flags & !(FORGOT | LOG_EMPTY) == 0
        && u64::try_from(pending_numbers.len()).ok()? == pending.checked_mul(2)?;
    right.then_some(Found {
        sequence,
        flags,
        members,
        pending: pending_numbers,
    })
}

impl Found<'_> {
    fn members(&self) -> impl Iterator<Item = u64> {
        self.members.iter().map(|n| u64::from_le_bytes(*n))
    }

    fn pending(&self) -> impl Iterator<Item = u64> {
        self.pending.iter().map(|n| u64::from_le_bytes(*n))
    }

    /// Every number is possible on `dev`.
    fn fits<D: BlockDevice>(&self, dev: &D, area: Area) -> bool {
        let possible = |n: u64| n < dev.blocks() && !area.contains(n);
        self.sequence > 0
            && u64::try_from(self.members.len()).is_ok_and(|n| n <= area.capacity())
            && self.members().is_sorted_by(|a, b| a < b)
            && self.members().all(possible)
            && self.pending().is_sorted_by(|a, b| a < b)
            && self.pending().all(|n| n <= dev.blocks())
    }

    /// The running transaction, its blocks held in the cache.
    fn running<D: BlockDevice>(&self, dev: &D) -> Result<Running<D::Buf>> {
        let mut running = Running::new();
        running.reserve(self.members.len())?;
        running.pending.reserve(self.pending.len() / 2)?;
        for block in self.members().map(BlockNo) {
            running.insert(block, dev.read(block)?);
        }
        let mut bounds = self.pending();
        while let (Some(from), Some(to)) = (bounds.next(), bounds.next()) {
            running.pending.insert(from..to);
        }
        running.forgot = self.flags & FORGOT != 0;
        Ok(running)
    }
}
