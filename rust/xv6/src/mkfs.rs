// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Making a file system. Used by `mkfs.xv6`, by tests and by the simulator.

use crate::bitmap;
use crate::checksum::Sums;
use crate::inode::{Ino, Inode};
use crate::layout::{self, BITS_PER_BLOCK, BLOCK_HEAD, BLOCK_SIZE, INODES_PER_BLOCK, LABEL_LEN};
use crate::superblock::{Geometry, MAX_BLOCKS, MAX_LOG_BLOCKS, MIN_LOG_BLOCKS, Super};
use alloc::vec;
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, BlockWrite, Errno, Result, Timespec, WriteOrder};
use core::ops::Range;
use journal::Journal;
use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

/// What a new file system is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatOptions {
    /// Identifies the file system; should be random.
    pub uuid: [u8; 16],
    /// Volume label, padded with NUL.
    pub label: [u8; LABEL_LEN],
    /// Blocks of the file system, or `None` for the whole device.
    pub blocks: Option<u64>,
    /// Inodes, rounded up to a multiple of 16, or `None` for one per 16 KiB.
    pub inodes: Option<u64>,
    /// Blocks of the log, or `None` for a good value.
    pub log_blocks: Option<u64>,
    /// The time stamp of the root directory.
    pub now: Timespec,
    /// Owner and group of the root directory.
    pub owner: (u32, u32),
    /// Incompatible features; some of [`layout::INCOMPAT_KNOWN`].
    pub incompat: u32,
}

impl Default for FormatOptions {
    fn default() -> Self {
        Self {
            uuid: [0; 16],
            label: [0; LABEL_LEN],
            blocks: None,
            inodes: None,
            log_blocks: None,
            now: Timespec::default(),
            owner: (0, 0),
            incompat: layout::INCOMPAT_KNOWN,
        }
    }
}

impl FormatOptions {
    /// The regions of a file system with these options on a device of `device` blocks.
    fn geometry(&self, device: u64) -> Option<Geometry> {
        let blocks = self.blocks.unwrap_or(device.min(MAX_BLOCKS));
        let log = (blocks / 64).clamp(MIN_LOG_BLOCKS, 4096.min(MAX_LOG_BLOCKS));
        let inodes = self.inodes.unwrap_or(blocks / 4).max(1);
        let most = u64::from(u32::MAX - INODES_PER_BLOCK);
        let inodes = inodes.min(most).next_multiple_of(INODES_PER_BLOCK.into());
        if blocks > device {
            return None;
        }
        Geometry::new(blocks, inodes, self.log_blocks.unwrap_or(log))
    }

    /// What tells the log from that of an earlier file system in the same place.
    fn log_seed(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.uuid;
        let [.., i, j, k, l, m, n, o, p] = self.uuid;
        let halves = [[a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p]];
        let [low, high] = halves.map(u64::from_le_bytes);
        let now = u64::from_le_bytes(self.now.sec.to_le_bytes());
        low ^ high.rotate_left(32) ^ now.rotate_left(16) ^ u64::from(self.now.nsec)
    }
}

/// Writes a new, empty file system on `dev`. What was there before is lost.
///
/// Block 0 is written last: a device that loses power halfway holds no file system.
///
/// # Errors
/// `EINVAL`: the device is too small, or an option is impossible (logged). `EIO`, `EROFS`.
pub fn format<D: BlockDevice>(dev: &D, options: &FormatOptions) -> Result<Super> {
    let geometry = options.geometry(dev.blocks()).ok_or_else(|| {
        log::error!(
            "a file system with these options does not fit on {} blocks",
            dev.blocks()
        );
        Errno::EINVAL
    })?;
    let sup = Super {
        uuid: options.uuid,
        label: options.label,
        geometry,
        compat: 0,
        ro_compat: 0,
        incompat: options.incompat,
        created: options.now.sec,
    };
    erase(dev, BlockNo(layout::SUPER_BLOCK))?;
    let (log, log_blocks) = geometry.log();
    Journal::format(dev, log, log_blocks, options.log_seed())?;
    let inodes = u64::from(geometry.inodes());
    // Slot 0 is never used, and slot 1 is the root.
    let slots = [0..1, 1..2];
    let sums = sup.sums();
    let map = NewMap {
        magic: layout::INODE_MAP_MAGIC,
        first: geometry.inode_map(),
        bits: inodes,
        tail: true,
    };
    map.write(dev, &sums, &slots)?;
    let map = NewMap {
        magic: layout::ORPHAN_MAP_MAGIC,
        first: geometry.orphan_map(),
        tail: false,
        ..map
    };
    map.write(dev, &sums, &[])?;
    let data = geometry.data();
    let used = [0..data.start, data.end..geometry.blocks()];
    let map = NewMap {
        magic: layout::BLOCK_MAP_MAGIC,
        first: geometry.block_map(),
        bits: geometry.blocks(),
        tail: true,
    };
    map.write(dev, &sums, &used)?;
    write_root(dev, &sup, options)?;
    write_super(dev, geometry.backup(), &sup)?;
    dev.flush()?;
    write_super(dev, BlockNo(layout::SUPER_BLOCK), &sup)?;
    dev.flush()?;
    Ok(sup)
}

fn block() -> Vec<u8> {
    vec![0; BLOCK_SIZE.into()]
}

/// Writes a block, on the device and in its cache.
pub(crate) fn put<D: BlockDevice>(dev: &D, target: BlockNo, data: &[u8]) -> Result {
    dev.write(&[BlockWrite { target, data }], WriteOrder::Any)?;
    let buf = dev.zeroed(target)?;
    bento::BlockBuf::bytes_mut(&buf)?.copy_from_slice(data);
    Ok(())
}

fn erase<D: BlockDevice>(dev: &D, target: BlockNo) -> Result {
    put(dev, target, &block())
}

/// A bitmap to be written.
#[derive(Clone, Copy, Debug)]
struct NewMap {
    magic: U32,
    /// Its first block.
    first: u64,
    /// How many bits mean something.
    bits: u64,
    /// What the bits behind them are.
    tail: bool,
}

impl NewMap {
    /// Writes the bitmap; the bits of `used` are set.
    fn write<D: BlockDevice>(&self, dev: &D, sums: &Sums, used: &[Range<u64>]) -> Result {
        let per_block = u64::from(BITS_PER_BLOCK);
        let blocks = self.bits.div_ceil(per_block);
        let tail = Some(self.bits..blocks * per_block).filter(|_| self.tail);
        for index in 0..blocks {
            let target = BlockNo(self.first + index);
            let mut bytes = block();
            let (head, bits) = bytes.split_at_mut(BLOCK_HEAD.into());
            head.copy_from_slice(bitmap::head(self.magic, index).as_bytes());
            let base = index * per_block;
            for range in used.iter().chain(&tail) {
                let low = range.start.clamp(base, base + per_block) - base;
                let high = range.end.clamp(base, base + per_block) - base;
                let range = u32::try_from(low).unwrap_or(0)..u32::try_from(high).unwrap_or(0);
                if !bitmap::change(bits, range, true) {
                    return Err(Errno::EINVAL);
                }
            }
            sums.seal(target, &mut bytes);
            put(dev, target, &bytes)?;
        }
        Ok(())
    }
}

/// Writes the block of the inode table that holds the root directory, which is empty.
fn write_root<D: BlockDevice>(dev: &D, sup: &Super, options: &FormatOptions) -> Result {
    let root = Inode {
        uid: options.owner.0,
        gid: options.owner.1,
        ..Inode::empty_directory(Ino::ROOT, options.now)
    };
    let (target, offset) = sup.geometry.inode_place(Ino::ROOT);
    let mut bytes = block();
    let raw = sup.sums().seal_inode(Ino::ROOT, &root.raw());
    let place = bytes
        .get_mut(offset.into()..)
        .and_then(|b| b.get_mut(..size_of_val(&raw)));
    place.ok_or(Errno::EINVAL)?.copy_from_slice(raw.as_bytes());
    put(dev, target, &bytes)
}

fn write_super<D: BlockDevice>(dev: &D, target: BlockNo, sup: &Super) -> Result {
    let mut bytes = block();
    let raw = sup.raw();
    let place = bytes.get_mut(..size_of_val(&raw)).ok_or(Errno::EINVAL)?;
    place.copy_from_slice(raw.as_bytes());
    put(dev, target, &bytes)
}
