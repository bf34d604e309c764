// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Making the running transaction durable.

use crate::Journal;
use crate::area::Place;
use crate::header::Header;
use crate::record::{MAGIC, Record};
use crate::state::Logged;
use alloc::vec::Vec;
use bento::{BlockBuf, BlockDevice, BlockNo, BlockWrite, Errno, Result, WriteOrder, crc32c};
use core::ops::Range;

/// The most blocks in one write.
pub(crate) const BATCH: usize = 128;

/// What the committing task uses; the lock around it makes commits and checkpoints take turns.
#[derive(Debug)]
pub(crate) struct Io<B> {
    /// The cached header block, held so that the cache never shows an older header than the
    /// device: a stale one could make a later recovery replay transactions of the past.
    pub(crate) header: B,
    /// Marks the records of this log.
    pub(crate) seed: u64,
    /// The blocks on their way to the device: [`BATCH`] of them, or as many as the ring has. What
    /// is written from here can be changed in the cache meanwhile. Empty until [`Io::fill`].
    pub(crate) bounce: Vec<u8>,
    /// Bytes of `bounce`.
    size: usize,
    /// Where they go, in a checkpoint.
    pub(crate) targets: Vec<u64>,
}

impl<B> Io<B> {
    /// With room for `blocks` blocks of `size` bytes.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn new(header: B, seed: u64, blocks: usize, size: usize) -> Result<Self> {
        Ok(Self {
            header,
            seed,
            bounce: Vec::new(),
            size: blocks * size,
            targets: room(blocks)?,
        })
    }

    /// To be called before `bounce` is used. To take half a megabyte takes longer than the rest of
    /// an import, which holds up everybody; the first commit after it does not.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn fill(&mut self) -> Result {
        if self.bounce.is_empty() {
            self.bounce = zeroed(self.size)?;
        }
        Ok(())
    }
}

impl<D: BlockDevice> Journal<D> {
    /// Writes the running transaction to the log; operations go on meanwhile, and join the next
    /// one. Returns whether there was anything to write.
    ///
    /// One write with a barrier is enough: everything written before is on the medium before the
    /// record is, the record's checksum covers the rest of the transaction, and all of it is on
    /// the medium when the write returns.
    ///
    /// # Errors
    /// `EIO`, after which the journal has aborted.
    pub(crate) fn commit_running(&self, io: &mut Io<D::Buf>) -> Result<bool> {
        io.fill()?;
        let Some((record, place)) = self.start_commit(io)? else {
            return Ok(false);
        };
        self.write_log(io, &record, place)
            .map_err(|cause| self.abort("writing the log", cause))?;
        self.finish_commit(place)?;
        Ok(true)
    }

    /// Makes the running transaction the committing one, and gives it its place in the ring.
    fn start_commit(&self, io: &mut Io<D::Buf>) -> Result<Option<(Record, Place)>> {
        self.renew_header(io)?;
        let mut guard = loop {
            let mut state = self.lock()?;
            if state.running.is_empty() {
                return Ok(None);
            }
            if state.live.is_empty() {
                state.running.revoke_nothing();
            }
            if !state.running.revokes_all {
                break state;
            }
            // More is to be revoked than a record holds: empty the log, then nothing is.
            drop(state);
            self.checkpoint(io)?;
        };
        let state = &mut **guard;
        let number = |n: usize| u64::try_from(n).map_err(|_| Errno::E2BIG);
        let record = Record {
            seed: io.seed,
            sequence: state.sequence,
            count: number(state.running.members().len())?,
            revoked: number(state.running.revoked().len())?,
        };
        let place = Place {
            sequence: state.sequence,
            position: state.head,
        };
        core::mem::swap(&mut state.running, &mut state.committing);
        state.sequence += 1;
        state.head = self.area.after(place.position, record.total());
        state.used += record.total();
        self.announce(state);
        Ok(Some((record, place)))
    }

    /// Gives the header a number that no commit before the last mount can have used; a no-op but
    /// for the first commit of a mount that found nothing to replay.
    fn renew_header(&self, io: &mut Io<D::Buf>) -> Result {
        let tail = {
            let state = self.lock()?;
            if !state.fresh || state.running.is_empty() {
                return Ok(());
            }
            Place {
                sequence: state.sequence,
                position: state.head,
            }
        };
        self.write_tail(io, tail)?;
        self.lock()?.fresh = false;
        Ok(())
    }

    /// Writes the header; behind it everything that was written before.
    pub(crate) fn write_tail(&self, io: &mut Io<D::Buf>, tail: Place) -> Result {
        let header = Header {
            tail,
            seed: io.seed,
        };
        write_header(
            &self.device,
            self.area,
            (&io.header, &mut io.bounce),
            &header,
        )
        .map_err(|cause| self.abort("writing the header of the log", cause))?;
        self.lock()?.tail = tail;
        Ok(())
    }

    /// Writes the contents, and with the last of them the record; small transactions in one go.
    fn write_log(&self, io: &mut Io<D::Buf>, record: &Record, place: Place) -> Result {
        let records = usize::try_from(record.blocks()).map_err(|_| Errno::E2BIG)?;
        let batch = io.bounce.len() / D::BLOCK_SIZE;
        let mut left = 0..usize::try_from(record.count).map_err(|_| Errno::E2BIG)?;
        let mut at = record.blocks();
        let mut sum = 0;
        while left.len() + records > batch {
            let now = left.start..left.start + left.len().min(batch);
            let bytes = io.bounce.get_mut(..now.len() * D::BLOCK_SIZE);
            let bytes = bytes.ok_or(Errno::E2BIG)?;
            sum = self.copy_members(&now, sum, bytes)?;
            self.write_blocks(bytes, self.places(place, at), WriteOrder::Any)?;
            at += u64::try_from(now.len()).map_err(|_| Errno::E2BIG)?;
            left.start = now.end;
        }
        let all = (records + left.len()) * D::BLOCK_SIZE;
        let bytes = io.bounce.get_mut(..all).ok_or(Errno::E2BIG)?;
        let (head, contents) = bytes.split_at_mut(records * D::BLOCK_SIZE);
        sum = self.copy_members(&left, sum, contents)?;
        {
            let state = self.lock()?;
            let targets = state.committing.members().iter().map(|m| m.number());
            let revoked = state.committing.revoked().iter().copied();
            record.encode(targets.chain(revoked), sum, head)?;
        }
        let places = self.places(place, 0).take(records);
        let places = places.chain(self.places(place, at));
        self.write_blocks(bytes, places, WriteOrder::Barrier)
    }

    /// The blocks of the ring from `skip` blocks behind `place`.
    fn places(&self, place: Place, skip: u64) -> impl Iterator<Item = BlockNo> {
        (skip..).map(move |n| self.area.block(self.area.after(place.position, n)))
    }

    /// Copies what members of the committing transaction are to become, as the log stores it.
    /// Returns the checksum `sum`, continued over the copies.
    fn copy_members(&self, which: &Range<usize>, sum: u32, out: &mut [u8]) -> Result<u32> {
        let mut state = self.lock()?;
        let members = state.committing.members_mut().get_mut(which.clone());
        let blocks = out.chunks_exact_mut(D::BLOCK_SIZE);
        for (member, out) in members.ok_or(Errno::E2BIG)?.iter_mut().zip(blocks) {
            copy_contents(&member.buf, member.frozen.as_deref(), out)?;
            if let Some((head @ &mut MAGIC, _)) = out.split_first_chunk_mut() {
                *head = [0; 8];
                member.escaped = true;
            }
        }
        drop(state);
        Ok(crc32c(sum, out))
    }

    /// The committing transaction is durable.
    fn finish_commit(&self, place: Place) -> Result {
        let mut guard = self.lock()?;
        let state = &mut **guard;
        // What it revokes needs no home any more, and may soon hold something else.
        let revoked = state.committing.revoked();
        state
            .live
            .retain(|block, _| revoked.binary_search(&block).is_err());
        let members = state.committing.drain().map(|member| {
            let logged = Logged {
                place,
                home: Some(member.buf),
                frozen: member.frozen,
            };
            (member.block.0, logged)
        });
        state.live.merge(members);
        state.committing.clear();
        state.durable = place.sequence;
        Ok(())
    }

    /// Writes blocks to `places`.
    pub(crate) fn write_blocks(
        &self,
        bytes: &[u8],
        places: impl Iterator<Item = BlockNo>,
        order: WriteOrder,
    ) -> Result {
        write_blocks(&self.device, bytes, places, order)
    }
}

/// The contents of a block, from memory of its own or from the cache.
pub(crate) fn copy_contents<B: BlockBuf>(buf: &B, frozen: Option<&[u8]>, out: &mut [u8]) -> Result {
    let from = |bytes: &[u8], out: &mut [u8]| match bytes.len() == out.len() {
        true => out.copy_from_slice(bytes),
        false => out.fill(0),
    };
    match frozen {
        Some(frozen) => from(frozen, out),
        None => from(&buf.bytes()?, out),
    }
    Ok(())
}

/// Writes the blocks in `bytes` to `places`.
pub(crate) fn write_blocks<D: BlockDevice>(
    dev: &D,
    bytes: &[u8],
    places: impl Iterator<Item = BlockNo>,
    order: WriteOrder,
) -> Result {
    let mut writes = room(bytes.len() / D::BLOCK_SIZE)?;
    let blocks = bytes.chunks_exact(D::BLOCK_SIZE).zip(places);
    writes.extend(blocks.map(|(data, target)| BlockWrite { target, data }));
    dev.write(&writes, order)
}

/// Puts `header` into the cached block `buf`, and on the medium behind everything written before.
/// It is written from `bounce`, which has room for a block: the cached one stays unlocked.
pub(crate) fn write_header<D: BlockDevice>(
    dev: &D,
    area: crate::area::Area,
    (buf, bounce): (&D::Buf, &mut [u8]),
    header: &Header,
) -> Result {
    let encoded = header.encode(area);
    let bytes = bounce.get_mut(..D::BLOCK_SIZE).ok_or(Errno::EINVAL)?;
    bytes.fill(0);
    let (head, _) = bytes.split_first_chunk_mut().ok_or(Errno::EINVAL)?;
    *head = encoded;
    buf.bytes_mut()?.copy_from_slice(bytes);
    let place = core::iter::once(area.block(0));
    write_blocks(dev, bytes, place, WriteOrder::Barrier)
}

/// An empty vector for `len` elements.
pub(crate) fn room<T>(len: usize) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    Ok(vec)
}

/// `len` bytes of zeros.
pub(crate) fn zeroed(len: usize) -> Result<Vec<u8>> {
    let mut vec = room(len)?;
    vec.resize(len, 0);
    Ok(vec)
}
