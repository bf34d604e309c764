// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Making the running transaction durable.

use crate::Journal;
use crate::area::Area;
use crate::crc32c::crc32c;
use crate::header::{Header, body_checksum, encode_targets};
use crate::journal::set_header;
use crate::running::Member;
use crate::state::State;
use alloc::vec::Vec;
use bento::{BlockBuf, BlockDevice, BlockNo, BlockWrite, Errno, Result, WriteOrder};

/// The most blocks in one write. It bounds the block locks and the memory that the write takes
/// beyond what was reserved when the operations began: two lists of about 4 KiB each.
pub(crate) const BATCH: usize = 128;

impl<D: BlockDevice> Journal<D> {
    /// Writes the running transaction to the log and then to its home blocks.
    ///
    /// The order, and why it is enough:
    /// 1. Log and header go out behind a barrier, so that data and the home blocks of the last
    ///    transaction are on the medium before the log that could restore them is overwritten.
    ///    Within the write there is no order: the header's checksum covers the rest.
    /// 2. The same write returns when all of it is on the medium: now the transaction is durable.
    /// 3. The home blocks go out in any order. The next barrier comes before the next overwrite
    ///    of the log, so until they are on the medium a recovery can write them again.
    ///
    /// # Errors
    /// `EIO`, after which the journal has aborted.
    pub(crate) fn commit_running(&self, state: &mut State<D::Buf>) -> Result {
        self.write_log(state)
            .map_err(|cause| state.abort("writing the log", cause))?;
        state.log_empty = false;
        write_home(&self.device, state.running.members())
            .map_err(|cause| state.abort("writing the blocks in place", cause))?;
        state.running.clear();
        state.sequence += 1;
        Ok(())
    }

    fn write_log(&self, state: &mut State<D::Buf>) -> Result {
        let members = state.running.members();
        let count = u64::try_from(members.len()).map_err(|_| Errno::E2BIG)?;
        let descriptor_count = Area::descriptors(count);
        let size = usize::try_from(descriptor_count).map_err(|_| Errno::E2BIG)? * D::BLOCK_SIZE;
        let descriptors = state.descriptors.get_mut(..size).ok_or(Errno::E2BIG)?;
        encode_targets(members.iter().map(|m| m.block.0), descriptors);
        let mut body = crc32c(body_checksum(state.sequence), descriptors);
        for member in members {
            body = crc32c(body, &member.buf.bytes()?);
        }
        let header = Header {
            sequence: state.sequence,
            count,
            body,
        };
        set_header::<D>(self.area, &self.header, &header)?;
        let header_bytes = self.header.bytes()?;
        self.write_log_blocks(&header_bytes, descriptors, members)
    }

    /// Writes the blocks of the log; small transactions in one go.
    fn write_log_blocks(
        &self,
        header: &[u8],
        descriptors: &[u8],
        members: &[Member<D::Buf>],
    ) -> Result {
        let mut places = (1..).map(|index| self.area.block(index));
        let mut fixed = room(descriptors.len() / D::BLOCK_SIZE + 1)?;
        let parts = descriptors.chunks(D::BLOCK_SIZE);
        fixed.extend(parts.map_while(|data| {
            let target = places.next()?;
            Some(BlockWrite { target, data })
        }));
        let (mut rest, mut first) = (members, true);
        loop {
            let (now, later) = rest.split_at(rest.len().min(BATCH));
            let last = later.is_empty();
            if last {
                let target = self.area.block(0);
                fixed.push(BlockWrite {
                    target,
                    data: header,
                });
            }
            // The first barrier protects the old log, the last one makes the new log durable.
            let order = if first || last {
                WriteOrder::Barrier
            } else {
                WriteOrder::Any
            };
            write_batch(&self.device, &fixed, now, &mut places, order)?;
            if last {
                return Ok(());
            }
            fixed.clear();
            (rest, first) = (later, false);
        }
    }
}

/// Writes blocks to their own places, in any order.
pub(crate) fn write_home<D: BlockDevice>(dev: &D, members: &[Member<D::Buf>]) -> Result {
    members.chunks(BATCH).try_for_each(|now| {
        let mut places = now.iter().map(|m| m.block);
        write_batch(dev, &[], now, &mut places, WriteOrder::Any)
    })
}

/// Writes `fixed` and the contents of `members`, these to `places`, in one call.
fn write_batch<D: BlockDevice>(
    dev: &D,
    fixed: &[BlockWrite<'_>],
    members: &[Member<D::Buf>],
    places: &mut dyn Iterator<Item = BlockNo>,
    order: WriteOrder,
) -> Result {
    let mut locked = room(members.len())?;
    for member in members {
        locked.push(member.buf.bytes()?);
    }
    let mut writes = room(fixed.len() + locked.len())?;
    writes.extend_from_slice(fixed);
    let contents = locked.iter().zip(places);
    writes.extend(contents.map(|(data, target)| BlockWrite { target, data }));
    dev.write(&writes, order)
}

/// An empty vector for `len` elements.
fn room<T>(len: usize) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    Ok(vec)
}
