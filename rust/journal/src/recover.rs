// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Recovery: what the log still holds goes to its place.

use crate::area::{Area, Place};
use crate::commit::{BATCH, room, write_blocks, write_header, zeroed};
use crate::header::Header;
use crate::record::{self, ESCAPED, MAGIC, Record};
use crate::table::Table;
use alloc::vec::Vec;
use bento::{BlockBuf, BlockDevice, BlockNo, Errno, Result, WriteOrder, crc32c};

/// Blocks of the log that are asked for at once.
const AHEAD: u32 = 64;

/// Where the log holds the newest contents of a block.
#[derive(Clone, Copy, Debug)]
struct Copy {
    position: u64,
    escaped: bool,
}

/// What the log holds.
struct Scan {
    newest: Table<Copy>,
    transactions: u64,
    /// Behind the last transaction.
    next: Place,
    /// Blocks of the ring that are left.
    left: u64,
}

/// A complete transaction in the log.
struct Found {
    record: Record,
    targets: Vec<u64>,
    revoked: Vec<u64>,
}

/// Replays the transactions that the log holds. Returns where the log goes on, where something was
/// replayed; `None` where nothing was to be done, and nothing was written.
///
/// Nothing is changed before every transaction is known to be possible. Interrupted anywhere, it
/// finds the same log again: the header moves on behind a barrier, after all blocks are in place.
pub(crate) fn recover<D: BlockDevice>(
    dev: &D,
    area: Area,
    header: &Header,
    header_block: &D::Buf,
) -> Result<Option<Place>> {
    let scan = scan(dev, area, header)?;
    let blocks = scan.newest.items().len();
    if scan.transactions == 0 {
        return Ok(None);
    }
    if dev.read_only() {
        log::error!(
            "journal: {blocks} blocks must be recovered, but the device is read-only; mount it \
             writable once"
        );
        return Err(Errno::EROFS);
    }
    replay(dev, area, &scan.newest)?;
    // The transaction behind the last may be there in part. Its number is not used again, so
    // nothing of it can ever complete another one.
    let tail = Place {
        sequence: scan.next.sequence + 1,
        ..scan.next
    };
    let seed = header.seed;
    let mut bounce = zeroed(D::BLOCK_SIZE)?;
    write_header(
        dev,
        area,
        (header_block, &mut bounce),
        &Header { tail, seed },
    )?;
    log::info!(
        "journal: recovered {} transactions ({blocks} blocks)",
        scan.transactions
    );
    Ok(Some(tail))
}

/// Finds all complete transactions. The first one that is not there ends the log: it is what a
/// crash cut off, since each was durable before the next was begun.
fn scan<D: BlockDevice>(dev: &D, area: Area, header: &Header) -> Result<Scan> {
    let mut scan = Scan {
        newest: Table::new(),
        transactions: 0,
        next: header.tail,
        left: area.ring(),
    };
    while let Some(found) = read(dev, area, header.seed, &scan)? {
        check(dev, area, &found)?;
        let Scan { newest, next, .. } = &mut scan;
        // What is freed here was freed after all older transactions, but before this one.
        newest.retain(|block, _| found.revoked.binary_search(&block).is_err());
        newest.reserve(found.targets.len())?;
        let first = area.after(next.position, found.record.blocks());
        newest.merge((0..).zip(&found.targets).map(|(n, target)| {
            let copy = Copy {
                position: area.after(first, n),
                escaped: target & ESCAPED != 0,
            };
            (target & !ESCAPED, copy)
        }));
        scan.transactions += 1;
        scan.left -= found.record.total();
        scan.next = Place {
            sequence: scan.next.sequence + 1,
            position: area.after(scan.next.position, found.record.total()),
        };
    }
    Ok(scan)
}

/// The transaction at `scan.next`, if it is complete.
fn read<D: BlockDevice>(dev: &D, area: Area, seed: u64, scan: &Scan) -> Result<Option<Found>> {
    let Place { sequence, position } = scan.next;
    if scan.left == 0 {
        return Ok(None);
    }
    let first = dev.read(area.block(position))?;
    let decoded = Record::decode(&first.bytes()?, seed, sequence);
    let Some((record, stored)) = decoded else {
        return Ok(None);
    };
    let possible = record.count <= area.capacity() && record.revoked <= Area::REVOKED;
    if !possible || record.total() > scan.left {
        return Ok(None);
    }
    // A transaction seldom comes alone: the next one is asked for with the end of this one.
    let block = |n| {
        let place = area.after(position, n);
        let ahead = area.behind(place).min(AHEAD.into());
        dev.read_ahead(area.block(place), u32::try_from(ahead).unwrap_or(AHEAD))
    };
    let mut sum = 0;
    for n in record.blocks()..record.total() {
        sum = crc32c(sum, &block(n)?.bytes()?);
    }
    let count = usize::try_from(record.count).map_err(|_| Errno::EUCLEAN)?;
    let all = count + usize::try_from(record.revoked).map_err(|_| Errno::EUCLEAN)?;
    let mut numbers = room(all)?;
    for n in 0..record.blocks() {
        let buf = block(n)?;
        let bytes = buf.bytes()?;
        sum = record::add_block(sum, &bytes, n == 0);
        numbers.extend(record::numbers(&bytes, n == 0).take(all - numbers.len()));
    }
    if sum != stored {
        return Ok(None);
    }
    let mut revoked = room(all - count)?;
    revoked.extend(numbers.drain(count..));
    let targets = numbers;
    Ok(Some(Found {
        record,
        targets,
        revoked,
    }))
}

/// A right checksum does not make a log harmless: its writer may have been wrong, or hostile.
fn check<D: BlockDevice>(dev: &D, area: Area, found: &Found) -> Result {
    let targets = found.targets.iter().map(|t| t & !ESCAPED);
    let outside = |t: &u64| *t >= dev.blocks() || area.contains(*t);
    let mut all = targets.clone().chain(found.revoked.iter().copied());
    if let Some(bad) = all.find(outside) {
        log::error!("journal: log names block {bad}, outside the device or in the log");
        return Err(Errno::EUCLEAN);
    }
    if !targets.is_sorted_by(|a, b| a < b) || !found.revoked.is_sorted_by(|a, b| a < b) {
        log::error!("journal: blocks in the log are not in order");
        return Err(Errno::EUCLEAN);
    }
    Ok(())
}

/// Copies the contents from the log to their targets, through the cache: whoever has read a
/// target before sees the recovered contents.
fn replay<D: BlockDevice>(dev: &D, area: Area, newest: &Table<Copy>) -> Result {
    let mut bytes = room(BATCH.min(newest.items().len()) * D::BLOCK_SIZE)?;
    for copies in newest.items().chunks(BATCH) {
        bytes.clear();
        for (block, copy) in copies {
            // One block after the other: no task holds two.
            let from = bytes.len();
            bytes.extend_from_slice(&dev.read(area.block(copy.position))?.bytes()?);
            let home = bytes.get_mut(from..).ok_or(Errno::EIO)?;
            if let Some((head, _)) = home.split_first_chunk_mut().filter(|_| copy.escaped) {
                *head = MAGIC;
            }
            dev.zeroed(BlockNo(*block))?
                .bytes_mut()?
                .copy_from_slice(home);
        }
        let places = copies.iter().map(|(block, _)| BlockNo(*block));
        write_blocks(dev, &bytes, places, WriteOrder::Any)?;
    }
    Ok(())
}
