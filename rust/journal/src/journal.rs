// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Journal`]: the log of one mount.

use crate::area::{self, Area, Place};
use crate::commit::{BATCH, Io, write_header, zeroed};
use crate::header::Header;
use crate::state::State;
use crate::{Tx, recover};
use alloc::boxed::Box;
use bento::sync::{LockClass, Mutex, MutexGuard};
use bento::{BlockBuf, BlockDevice, BlockNo, Errno, Pressure, Result};
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// The locks, in order. A file system has ranks from 100 on for its own, behind these.
const QUEUE: LockClass = LockClass::new("queue of the journal", 10);
const TURN: LockClass = LockClass::new("turn of the journal", 20);
const HANDLE: LockClass = LockClass::new("handle of the journal", 30);

/// The log of one mount, and the only way to change metadata.
///
/// All methods may sleep. None but [`Journal::read`] and [`Journal::device`] may be called by a
/// task that holds a [`Tx`]: it would wait for itself.
pub struct Journal<D: BlockDevice> {
    pub(crate) device: D,
    pub(crate) area: Area,
    pub(crate) read_only: bool,
    /// Held while waiting for `io` only, so that whoever needs `io` again and again lets those in
    /// who wait.
    queue: Mutex<()>,
    /// Held over device I/O of commits and checkpoints.
    io: Mutex<Io<D::Buf>>,
    /// The handle lock; never held over a write.
    pub(crate) state: Mutex<Box<State<D::Buf>>>,
    /// What [`State::pressure`] was last, for those without the handle lock.
    pressure: AtomicU8,
    /// See [`Journal::newest`].
    newest: AtomicU64,
    /// How often [`Journal::begin`] had to wait for the device.
    waits: AtomicU64,
}

impl<D: BlockDevice> Journal<D> {
    /// The fewest blocks that a log may have.
    pub const MIN_BLOCKS: u64 = area::MIN_BLOCKS;
    /// The most blocks that a log may have; it bounds memory and the time of recovery.
    pub const MAX_BLOCKS: u64 = area::MAX_BLOCKS;

    /// Writes an empty log to `blocks` blocks from `start` (mkfs). Durable on return.
    ///
    /// `seed` must differ from that of any log that was in the same place before; a random number
    /// does. What is left of an older log is then never taken for a part of this one.
    ///
    /// # Errors
    /// `EINVAL` (logged) where the area is too small ([`Journal::MIN_BLOCKS`]), too large
    /// ([`Journal::MAX_BLOCKS`]) or behind the end of the device; `EIO`, `EROFS`, `ENOMEM`.
    pub fn format(dev: &D, start: BlockNo, blocks: u64, seed: u64) -> Result {
        let area = Area::new(dev, start, blocks)?;
        let block = dev.zeroed(area.block(0))?;
        let tail = Place {
            sequence: 1,
            position: 1,
        };
        let mut bounce = zeroed(D::BLOCK_SIZE)?;
        write_header(dev, area, (&block, &mut bounce), &Header { tail, seed })
    }

    /// Opens the log and replays what the last use left in it.
    ///
    /// The cache of `dev` must not hold blocks of an earlier use of the device (a host starts a
    /// mount with an empty cache). With `read_only` no operation can begin; recovery still writes
    /// where the device allows, since nothing can be read correctly without it. Whoever read
    /// blocks before must look at them again. Opening again after a crash or an error anywhere in
    /// here is safe: a replay only writes what the next replay would write again.
    ///
    /// # Errors
    /// `EINVAL` (logged): impossible area. `EUCLEAN` (logged): damaged header, or a transaction
    /// that would write outside the device or over the log. `EROFS` (logged): there is something
    /// to replay and the device is read-only. `EIO`, `ENOMEM`.
    pub fn open(dev: D, start: BlockNo, blocks: u64, read_only: bool) -> Result<Self> {
        let area = Area::new(&dev, start, blocks)?;
        let block = dev.read(area.block(0))?;
        let found = Header::decode(&block.bytes()?, area)?;
        let replayed = recover::recover(&dev, area, &found, &block)?;
        let state = State::new(replayed.unwrap_or(found.tail), replayed.is_none());
        let journal = Self::assemble(dev, area, read_only, (block, found.seed), state)?;
        // All memory for commits is taken now; an import has to leave it for later.
        journal.turn()?.fill()?;
        Ok(journal)
    }

    /// Opens the log of a device that is looked at as it is: the log is not checked, replayed or
    /// written, no operation can begin, and metadata may be that of the middle of an operation.
    ///
    /// # Errors
    /// `EINVAL` (logged): impossible area. `EIO`, `ENOMEM`.
    pub fn open_unrecovered(dev: D, start: BlockNo, blocks: u64) -> Result<Self> {
        let area = Area::new(&dev, start, blocks)?;
        let block = dev.read(area.block(0))?;
        let tail = Place {
            sequence: 1,
            position: 1,
        };
        Self::assemble(dev, area, true, (block, 0), State::new(tail, true))
    }

    /// A journal from its parts: header block, seed, and state.
    pub(crate) fn assemble(
        device: D,
        area: Area,
        read_only: bool,
        (header, seed): (D::Buf, u64),
        state: Box<State<D::Buf>>,
    ) -> Result<Self> {
        let read_only = read_only || device.read_only();
        let ring = usize::try_from(area.ring()).map_err(|_| Errno::EINVAL)?;
        let batch = if read_only { 0 } else { ring.min(BATCH) };
        Ok(Self {
            read_only,
            device,
            area,
            queue: Mutex::of(QUEUE, ()),
            io: Mutex::of(TURN, Io::new(header, seed, batch, D::BLOCK_SIZE)?),
            pressure: AtomicU8::new(0),
            newest: AtomicU64::new(state.newest()),
            waits: AtomicU64::new(0),
            state: Mutex::of(HANDLE, state),
        })
    }

    /// The device below. Metadata must not be written to it past the journal.
    #[must_use]
    pub const fn device(&self) -> &D {
        &self.device
    }

    /// The most credits that [`Journal::begin`] can ever give, in blocks.
    #[must_use]
    pub fn max_credits(&self) -> usize {
        usize::try_from(self.area.capacity()).unwrap_or(usize::MAX)
    }

    /// Starts an operation that will change at most `credits` distinct blocks.
    ///
    /// Takes the handle lock until the [`Tx`] is gone: there is one at a time. All memory that
    /// the operation and its commit need is taken here, and its room in the log: where there is
    /// not enough, the log is emptied first, which takes a while. [`Journal::sync`] every few
    /// seconds, and when [`Journal::pressure`] asks for it, keeps that rare.
    ///
    /// # Errors
    /// `E2BIG`: more than [`Journal::max_credits`]. `EROFS`: opened read-only. `ENOMEM`. `EIO`:
    /// the journal has aborted, now or before.
    pub fn begin(&self, credits: usize) -> Result<Tx<'_, D>> {
        if self.read_only {
            return Err(Errno::EROFS);
        }
        if credits > self.max_credits() {
            log::error!(
                "journal: an operation on {credits} blocks cannot fit the log (at most {})",
                self.max_credits()
            );
            return Err(Errno::E2BIG);
        }
        let mut state = self.lock()?;
        if !state.has_room(self.area, credits) {
            drop(state);
            state = self.make_room(credits)?;
        }
        state.reserve(credits, D::BLOCK_SIZE)?;
        Tx::new(self, state, credits)
    }

    /// Whether [`Journal::begin`] would get room for `credits` blocks without waiting for the
    /// device, as things are. Takes the handle lock.
    ///
    /// # Errors
    /// `EIO`: the journal has aborted.
    pub fn has_room(&self, credits: usize) -> Result<bool> {
        Ok(self.lock()?.has_room(self.area, credits))
    }

    /// How full the log is: from one half on somebody should call [`Journal::sync`], and from
    /// three quarters on operations should wait for that before they begin, where they hold up
    /// nobody. Takes no lock.
    #[must_use]
    pub fn pressure(&self) -> Pressure {
        match self.pressure.load(Ordering::Relaxed) {
            0 => Pressure::None,
            1 => Pressure::Soon,
            _ => Pressure::Wait,
        }
    }

    /// How often [`Journal::begin`] has had to wait for the device since the mount.
    #[must_use]
    pub fn waits(&self) -> u64 {
        self.waits.load(Ordering::Relaxed)
    }

    /// Lets those without the handle lock know what has changed.
    pub(crate) fn announce(&self, state: &State<D::Buf>) {
        let level = match state.pressure(self.area) {
            Pressure::None => 0,
            Pressure::Soon => 1,
            Pressure::Wait => 2,
        };
        self.pressure.store(level, Ordering::Relaxed);
    }

    /// An operation is about to publish changes in transaction `sequence`. Before they can be
    /// seen, so that whoever has seen one (under the lock of its block) sees the number, too.
    pub(crate) fn publishing(&self, sequence: u64) {
        self.newest.store(sequence, Ordering::Release);
    }

    /// Waits until the log has room for `credits` more blocks.
    fn make_room(&self, credits: usize) -> Result<MutexGuard<'_, Box<State<D::Buf>>>> {
        self.waits.fetch_add(1, Ordering::Relaxed);
        let mut io = self.turn()?;
        loop {
            let state = self.lock()?;
            if state.has_room(self.area, credits) {
                return Ok(state);
            }
            let used = state.used > 0;
            drop(state);
            if used {
                self.checkpoint(&mut io)?;
            } else {
                self.commit_running(&mut io)?;
            }
        }
    }

    /// Shows the current contents of a metadata block, outside of any operation.
    ///
    /// Takes no journal lock: operations that are not committed are not seen, and one that is
    /// being committed is seen block by block. `f` must not change metadata.
    ///
    /// # Errors
    /// As [`BlockDevice::read`] and [`BlockBuf::bytes`].
    pub fn read<R>(&self, block: BlockNo, f: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let buf = self.device.read(block)?;
        let bytes = buf.bytes()?;
        Ok(f(&bytes))
    }

    /// As [`Journal::read`], and where the device has to be read it is asked for `ahead` blocks
    /// behind `block`, too: see [`BlockDevice::read_ahead`].
    ///
    /// # Errors
    /// As [`Journal::read`].
    pub fn read_ahead<R>(
        &self,
        block: BlockNo,
        ahead: u32,
        f: impl FnOnce(&[u8]) -> R,
    ) -> Result<R> {
        let buf = self.device.read_ahead(block, ahead)?;
        let bytes = buf.bytes()?;
        Ok(f(&bytes))
    }

    /// Makes durable: every operation that was committed before, and all data that was written to
    /// the device before. With nothing to log it is one flush.
    ///
    /// # Errors
    /// `EIO`: the device failed, and the journal has aborted; or it had aborted before.
    pub fn commit(&self) -> Result {
        let last = {
            let state = self.lock()?;
            state.newest()
        };
        self.commit_through(last)
    }

    /// As [`Journal::commit`], for a caller whose last change was part of transaction `sequence`
    /// ([`Tx::sequence`]): no log is written where that is durable already, only the device is
    /// flushed for the sake of data.
    ///
    /// Callers that come while a commit is being written share the next one.
    ///
    /// # Errors
    /// As [`Journal::commit`].
    pub fn commit_through(&self, sequence: u64) -> Result {
        let (durable, running) = {
            let state = self.lock()?;
            (state.durable, state.sequence)
        };
        if self.read_only {
            return Ok(());
        }
        if durable < sequence {
            let mut io = self.turn()?;
            let durable = self.lock()?.durable;
            if durable < sequence && self.commit_running(&mut io)? {
                return Ok(());
            }
            // Somebody else's commit that began after this call has flushed the data, too.
            if durable >= running {
                return Ok(());
            }
        }
        self.device
            .flush()
            .map_err(|cause| self.abort("flushing the device after the log", cause))
    }

    /// As [`Journal::commit`]; then everything goes to its place, so that the log is empty but for
    /// what others do meanwhile. For the host's periodic sync, and before an upgrade.
    ///
    /// # Errors
    /// As [`Journal::commit`].
    pub fn sync(&self) -> Result {
        self.commit()?;
        if self.read_only {
            return Ok(());
        }
        self.checkpoint_in_turns()
    }

    /// The number of the running transaction. Takes the handle lock.
    ///
    /// # Errors
    /// `EIO`: the journal has aborted.
    pub fn sequence(&self) -> Result<u64> {
        Ok(self.lock()?.sequence)
    }

    /// The number of the last transaction that changed anything: every change of metadata that
    /// the caller has seen is part of it or of an older one. For [`Journal::commit_through`].
    /// Takes no lock.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    /// How many blocks are free but wait for a transaction to become durable; after
    /// [`Journal::commit`] they can be allocated. Takes the handle lock.
    ///
    /// # Errors
    /// `EIO`: the journal has aborted.
    pub fn pending_blocks(&self) -> Result<u64> {
        let state = self.lock()?;
        Ok(state.running.pending.blocks() + state.committing.pending.blocks())
    }

    /// Commits, waits for all blocks to be in place, and empties the log, so that the device can
    /// be used read-only afterwards (unmount). The journal stays usable.
    ///
    /// # Errors
    /// As [`Journal::commit`].
    pub fn close(&self) -> Result {
        drop(self.lock()?);
        if self.read_only {
            return Ok(());
        }
        let mut io = self.turn()?;
        self.commit_running(&mut io)?;
        self.checkpoint(&mut io)
    }

    /// The right to commit and to write home.
    ///
    /// # Errors
    /// `EIO`: a task has panicked while it had it.
    pub(crate) fn turn(&self) -> Result<MutexGuard<'_, Io<D::Buf>>> {
        let taken = match self.queue.lock() {
            Ok(_queue) => self.io.lock(),
            Err(poisoned) => Err(poisoned),
        };
        taken.map_err(|poisoned| self.abort("a commit or checkpoint", poisoned.into()))
    }

    /// As [`State::abort`].
    pub(crate) fn abort(&self, what: &str, cause: Errno) -> Errno {
        match self.state.lock() {
            Ok(mut state) => state.abort(what, cause),
            Err(_) => Errno::EIO,
        }
    }

    /// The handle lock.
    ///
    /// # Errors
    /// `EIO`: the journal has aborted, or an operation has panicked.
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, Box<State<D::Buf>>>> {
        let state = self.state.lock()?;
        state.check()?;
        Ok(state)
    }
}

impl<D: BlockDevice> core::fmt::Debug for Journal<D> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Journal")
            .field("area", &self.area)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}
