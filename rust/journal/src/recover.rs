// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Recovery: what the log still holds goes to its place.

use crate::area::Area;
use crate::commit::{BATCH, write_home};
use crate::crc32c::crc32c;
use crate::header::{Header, body_checksum, decode_targets};
use crate::journal::write_header;
use crate::running::Member;
use alloc::vec::Vec;
use bento::{BlockBuf, BlockDevice, BlockNo, Errno, Result};

/// Replays the transaction that `header` names, and marks the log empty.
///
/// Nothing is changed before every target is known to be possible. Interrupted anywhere, it finds
/// the same log again: the log is marked empty behind a barrier, after all blocks are in place.
pub(crate) fn recover<D: BlockDevice>(
    dev: &D,
    area: Area,
    header: &Header,
    header_block: &D::Buf,
) -> Result {
    if header.count == 0 {
        return Ok(());
    }
    let complete = checksum(dev, area, header)? == header.body;
    if complete {
        let targets = targets(dev, area, header)?;
        check_targets(dev, area, &targets)?;
        if dev.read_only() {
            log::error!(
                "journal: {} blocks must be recovered, but the device is read-only; mount it \
                 writable once",
                header.count
            );
            return Err(Errno::EROFS);
        }
        replay(dev, area, header, &targets)?;
        log::info!(
            "journal: recovered transaction {} ({} blocks)",
            header.sequence,
            header.count
        );
    } else if dev.read_only() {
        // Nothing to replay, and the next writable mount will see the same.
        return Ok(());
    }
    write_header(dev, area, header_block, &Header::empty(header.sequence))
}

/// The checksum of what lies behind the header. A crash before the transaction was durable makes
/// it differ from the header's: then the home blocks of the transaction were never touched.
fn checksum<D: BlockDevice>(dev: &D, area: Area, header: &Header) -> Result<u32> {
    let blocks = Area::descriptors(header.count) + header.count;
    (1..=blocks).try_fold(body_checksum(header.sequence), |sum, index| {
        let buf = dev.read(area.block(index))?;
        let bytes = buf.bytes()?;
        Ok(crc32c(sum, &bytes))
    })
}

/// Where the blocks of the transaction belong.
fn targets<D: BlockDevice>(dev: &D, area: Area, header: &Header) -> Result<Vec<BlockNo>> {
    let count = usize::try_from(header.count).map_err(|_| Errno::EUCLEAN)?;
    let mut targets = Vec::new();
    targets
        .try_reserve_exact(count)
        .map_err(|_| Errno::ENOMEM)?;
    for index in 1..=Area::descriptors(header.count) {
        let buf = dev.read(area.block(index))?;
        let left = count - targets.len();
        targets.extend(decode_targets(&buf.bytes()?).take(left).map(BlockNo));
    }
    Ok(targets)
}

/// A right checksum does not make a log harmless: its writer may have been wrong, or hostile.
fn check_targets<D: BlockDevice>(dev: &D, area: Area, targets: &[BlockNo]) -> Result {
    let ascending = targets.is_sorted_by(|a, b| a < b);
    let outside = |t: &&BlockNo| t.0 >= dev.blocks() || area.contains(t.0);
    if let Some(bad) = targets.iter().find(outside) {
        log::error!("journal: log wants to write block {bad}, outside the device or in the log");
        return Err(Errno::EUCLEAN);
    }
    if !ascending {
        log::error!("journal: targets in the log are not in order");
        return Err(Errno::EUCLEAN);
    }
    Ok(())
}

/// Copies the contents from the log to their targets, through the cache: whoever has read a
/// target before sees the recovered contents.
fn replay<D: BlockDevice>(dev: &D, area: Area, header: &Header, targets: &[BlockNo]) -> Result {
    let mut index = Area::descriptors(header.count);
    let mut batch = Vec::new();
    batch
        .try_reserve_exact(BATCH.min(targets.len()))
        .map_err(|_| Errno::ENOMEM)?;
    for targets in targets.chunks(BATCH) {
        for &block in targets {
            index += 1;
            let logged = dev.read(area.block(index))?;
            let buf = dev.zeroed(block)?;
            buf.bytes_mut()?.copy_from_slice(&logged.bytes()?);
            batch.push(Member { block, buf });
        }
        write_home(dev, &batch)?;
        batch.clear();
    }
    Ok(())
}
