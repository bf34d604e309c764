// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Journal`]: the log of one mount.

use crate::area::{self, Area};
use crate::header::Header;
use crate::state::State;
use crate::{Tx, recover};
use bento::sync::{Mutex, MutexGuard};
use bento::{BlockBuf, BlockDevice, BlockNo, BlockWrite, Errno, Result, WriteOrder};

/// The log of one mount, and the only way to change metadata.
///
/// All methods may sleep. [`Journal::begin`], [`Journal::commit`] and the other methods that say
/// "takes the handle lock" must not be called by a task that holds a [`Tx`]: it would wait for
/// itself.
pub struct Journal<D: BlockDevice> {
    pub(crate) device: D,
    pub(crate) area: Area,
    pub(crate) read_only: bool,
    /// The cached header block, held so that the cache never shows an older header than the
    /// device: a stale one could make a later recovery replay a transaction of the past.
    pub(crate) header: D::Buf,
    pub(crate) state: Mutex<State<D::Buf>>,
}

impl<D: BlockDevice> Journal<D> {
    /// The fewest blocks that a log may have.
    pub const MIN_BLOCKS: u64 = area::MIN_BLOCKS;
    /// The most blocks that a log may have; it bounds memory and the time of recovery.
    pub const MAX_BLOCKS: u64 = area::MAX_BLOCKS;

    /// Writes an empty log to `blocks` blocks from `start` (mkfs). Durable on return.
    ///
    /// # Errors
    /// `EINVAL` (logged) where the area is too small ([`Journal::MIN_BLOCKS`]), too large
    /// ([`Journal::MAX_BLOCKS`]) or behind the end of the device; `EIO`, `EROFS`, `ENOMEM`.
    pub fn format(dev: &D, start: BlockNo, blocks: u64) -> Result {
        let area = Area::new(dev, start, blocks)?;
        let block = dev.zeroed(area.block(0))?;
        write_header(dev, area, &block, &Header::empty(0))
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
        let header = dev.read(area.block(0))?;
        let found = Header::decode(&header.bytes()?, area)?;
        recover::recover(&dev, area, &found, &header)?;
        Self::assemble(dev, area, read_only, header, found.sequence + 1)
    }

    /// Opens the log of a device that is looked at as it is: the log is not checked,
    /// replayed or written, no operation can begin, and metadata may be that of the middle of an operation.
    ///
    /// # Errors
    /// `EINVAL` (logged): impossible area. `EIO`, `ENOMEM`.
    pub fn open_unrecovered(dev: D, start: BlockNo, blocks: u64) -> Result<Self> {
        let area = Area::new(&dev, start, blocks)?;
        let header = dev.read(area.block(0))?;
        Self::assemble(dev, area, true, header, 1)
    }

    /// A journal that goes on with transaction `sequence` on an empty log.
    pub(crate) fn assemble(
        device: D,
        area: Area,
        read_only: bool,
        header: D::Buf,
        sequence: u64,
    ) -> Result<Self> {
        let descriptors = Area::descriptors(area.capacity());
        let bytes = usize::try_from(descriptors).map_err(|_| Errno::EINVAL)? * D::BLOCK_SIZE;
        let state = State::new(sequence, true, bytes)?;
        Ok(Self {
            read_only: read_only || device.read_only(),
            device,
            area,
            header,
            state: Mutex::new(state),
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
    /// the operation and its commit need is taken here. Where the running transaction and
    /// `credits` do not fit the log together, the running one is made durable first.
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
        if state.running.members().len() + credits > self.max_credits() {
            self.commit_running(&mut state)?;
        }
        state.running.reserve(credits)?;
        state.reserve_copies(credits, D::BLOCK_SIZE)?;
        Tx::new(self, state, credits)
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

    /// Makes durable: every operation that was committed before, and all data that was written to
    /// the device before. Takes the handle lock. With nothing to log it is one flush.
    ///
    /// # Errors
    /// `EIO`: the device failed, and the journal has aborted; or it had aborted before.
    pub fn commit(&self) -> Result {
        self.commit_through(u64::MAX)
    }

    /// As [`Journal::commit`], for a caller whose last change was part of transaction `sequence`
    /// ([`Tx::sequence`]): no log is written where that is durable already, only the device is
    /// flushed for the sake of data.
    ///
    /// # Errors
    /// As [`Journal::commit`].
    pub fn commit_through(&self, sequence: u64) -> Result {
        let mut state = self.lock()?;
        if self.read_only {
            return Ok(());
        }
        if sequence >= state.sequence && !state.running.is_empty() {
            return self.commit_running(&mut state);
        }
        // Others may go on while the device flushes.
        drop(state);
        self.device.flush().or_else(|cause| {
            Err(self
                .state
                .lock()?
                .abort("flushing the device after the log", cause))
        })
    }

    /// The number of the running transaction. Takes the handle lock.
    ///
    /// # Errors
    /// `EIO`: the journal has aborted.
    pub fn sequence(&self) -> Result<u64> {
        Ok(self.lock()?.sequence)
    }

    /// How many blocks are free but wait for the running transaction to become durable; after
    /// [`Journal::commit`] they can be allocated. Takes the handle lock.
    ///
    /// # Errors
    /// `EIO`: the journal has aborted.
    pub fn pending_blocks(&self) -> Result<u64> {
        Ok(self.lock()?.running.pending.blocks())
    }

    /// Commits, waits for all blocks to be in place, and marks the log empty, so that the device
    /// can be used read-only afterwards (unmount). The journal stays usable. Takes the handle lock.
    ///
    /// # Errors
    /// As [`Journal::commit`].
    pub fn close(&self) -> Result {
        let mut state = self.lock()?;
        if self.read_only {
            return Ok(());
        }
        if !state.running.is_empty() {
            self.commit_running(&mut state)?;
        }
        if state.log_empty {
            return Ok(());
        }
        // The barrier puts the home blocks on the medium before the header that forgets them.
        let last = Header::empty(state.sequence - 1);
        write_header(&self.device, self.area, &self.header, &last)
            .map_err(|cause| state.abort("marking the log empty", cause))?;
        state.log_empty = true;
        Ok(())
    }

    /// The handle lock.
    ///
    /// # Errors
    /// `EIO`: the journal has aborted, or an operation has panicked.
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, State<D::Buf>>> {
        let state = self.state.lock()?;
        state.check()?;
        Ok(state)
    }
}

/// Puts `header` into the cached block `buf`, and on the medium behind everything written before.
pub(crate) fn write_header<D: BlockDevice>(
    dev: &D,
    area: Area,
    buf: &D::Buf,
    header: &Header,
) -> Result {
    set_header::<D>(area, buf, header)?;
    let bytes = buf.bytes()?;
    let write = BlockWrite {
        target: area.block(0),
        data: &bytes,
    };
    dev.write(&[write], WriteOrder::Barrier)
}

/// Puts `header` into the cached block `buf`.
pub(crate) fn set_header<D: BlockDevice>(area: Area, buf: &D::Buf, header: &Header) -> Result {
    let encoded = header.encode(area);
    let mut bytes = buf.bytes_mut()?;
    bytes.fill(0);
    let (head, _) = bytes.split_first_chunk_mut().ok_or(Errno::EINVAL)?;
    *head = encoded;
    Ok(())
}

impl<D: BlockDevice> core::fmt::Debug for Journal<D> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Journal")
            .field("area", &self.area)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}
