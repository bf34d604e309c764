// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Writing blocks home, so that the log may be overwritten.

use crate::Journal;
use crate::area::Place;
use crate::commit::{Io, copy_contents};
use crate::state::State;
use bento::{BlockDevice, BlockNo, Errno, Result, WriteOrder};

impl<D: BlockDevice> Journal<D> {
    /// Writes home what the log holds, and takes it out of the log: all of it, since no commit
    /// comes in between.
    ///
    /// # Errors
    /// `EIO`, after which the journal has aborted.
    pub(crate) fn checkpoint(&self, io: &mut Io<D::Buf>) -> Result {
        let mut from = 0;
        while let Some(next) = self.write_home(io, from)? {
            from = next;
        }
        self.advance_tail(io)
    }

    /// As [`Journal::checkpoint`], but commits of others may come in between; what they write
    /// stays in the log.
    ///
    /// # Errors
    /// As [`Journal::checkpoint`].
    pub(crate) fn checkpoint_in_turns(&self) -> Result {
        let mut from = 0;
        loop {
            let mut io = self.turn()?;
            match self.write_home(&mut io, from)? {
                Some(next) => from = next,
                None => return self.advance_tail(&mut io),
            }
        }
    }

    /// Writes home the next blocks from number `from` on, in any order. Returns where to go on.
    fn write_home(&self, io: &mut Io<D::Buf>, from: u64) -> Result<Option<u64>> {
        io.fill()?;
        let Io {
            bounce, targets, ..
        } = io;
        self.choose(bounce, targets, from)
            .map_err(|cause| self.abort("reading a cached block", cause))?;
        let Some(last) = targets.last() else {
            return Ok(None);
        };
        let bytes = bounce.get(..targets.len() * D::BLOCK_SIZE);
        let places = targets.iter().copied().map(BlockNo);
        self.write_blocks(bytes.ok_or(Errno::E2BIG)?, places, WriteOrder::Any)
            .map_err(|cause| self.abort("writing blocks in place", cause))?;
        let mut state = self.lock()?;
        for block in &*targets {
            // Nobody else changes the table: whoever does needs the turn that this task has.
            if let Some(logged) = state.live.get_mut(*block) {
                logged.home = None;
                logged.frozen = None;
            }
        }
        Ok(last.checked_add(1))
    }

    /// Copies the contents of the next blocks that have to go home.
    fn choose(&self, bounce: &mut [u8], targets: &mut alloc::vec::Vec<u64>, from: u64) -> Result {
        targets.clear();
        let state = self.lock()?;
        let mut blocks = bounce.chunks_exact_mut(D::BLOCK_SIZE);
        for (block, logged) in state.live.range(&(from..u64::MAX)) {
            let Some(home) = &logged.home else {
                continue;
            };
            let Some(out) = blocks.next() else {
                break;
            };
            copy_contents(home, logged.frozen.as_deref(), out)?;
            targets.push(*block);
        }
        Ok(())
    }

    /// Lets recovery begin at the oldest transaction that is still needed. The barrier of the
    /// header puts the blocks that went home on the medium first; behind it the older part of
    /// the ring may be overwritten.
    fn advance_tail(&self, io: &mut Io<D::Buf>) -> Result {
        let tail = {
            let state = self.lock()?;
            let tail = oldest(&state);
            if state.fresh || tail == state.tail {
                return Ok(());
            }
            tail
        };
        self.write_tail(io, tail)?;
        let mut state = self.lock()?;
        state
            .live
            .retain(|_, logged| logged.place.sequence >= tail.sequence);
        state.used = if tail.sequence == state.sequence {
            0
        } else {
            match self.area.distance(tail.position, state.head) {
                0 => self.area.ring(),
                used => used,
            }
        };
        self.announce(&state);
        Ok(())
    }
}

/// The oldest transaction that has a block that is not at home, or else the next transaction.
fn oldest<B>(state: &State<B>) -> Place {
    let next = Place {
        sequence: state.sequence,
        position: state.head,
    };
    let items = state.live.items().iter();
    let waiting = items.filter(|(_, logged)| logged.home.is_some());
    let oldest = waiting.map(|(_, logged)| logged.place);
    oldest.min_by_key(|place| place.sequence).unwrap_or(next)
}
