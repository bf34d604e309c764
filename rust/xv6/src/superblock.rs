// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The superblock, and where everything lies.
//!
//! The superblock never changes between two runs of a tool: counts of free blocks and inodes
//! follow from the bitmaps. Its regions follow from three counts, so nothing in it can lie.

use crate::checksum::{self, Sums};
use crate::corrupt::CorruptKind;
use crate::inode::Ino;
use crate::layout::{self, BITS_PER_BLOCK, BLOCK_SIZE, INODES_PER_BLOCK, LABEL_LEN, RawSuper};
use bento::{BlockBuf, BlockDevice, BlockNo, Errno, Result};
use core::ops::Range;
use zerocopy::little_endian::{I64, U32, U64};

/// The most blocks of a file system (16 TiB).
pub const MAX_BLOCKS: u64 = 1 << 32;
/// The fewest blocks of a log: room for the largest operation, a renaming (`rename.rs`).
pub const MIN_LOG_BLOCKS: u64 = 64;
/// The most blocks of a log (128 MiB).
pub const MAX_LOG_BLOCKS: u64 = 32768;
/// The fewest blocks that files can use.
pub const MIN_DATA_BLOCKS: u64 = 16;

/// Where the regions of a file system lie. They follow each other in the order of the fields.
///
/// # Invariants
/// Made by [`Geometry::new`] alone: every region is inside `0..blocks` and none overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    blocks: u64,
    inodes: u32,
    log_blocks: u64,
    inode_map: u64,
    orphan_map: u64,
    block_map: u64,
    inode_table: u64,
    data_start: u64,
}

impl Geometry {
    /// First block of the log.
    const LOG_START: u64 = layout::SUPER_BLOCK + 1;

    /// The regions of a file system of `blocks` blocks with `inodes` slots (a multiple of 16) and
    /// a log of `log_blocks` blocks, or `None` where they do not fit or break a limit.
    #[must_use]
    pub fn new(blocks: u64, inodes: u64, log_blocks: u64) -> Option<Self> {
        let slots = u32::try_from(inodes).ok()?;
        let aligned = slots >= INODES_PER_BLOCK && slots.is_multiple_of(INODES_PER_BLOCK);
        let log_fits = (MIN_LOG_BLOCKS..=MAX_LOG_BLOCKS).contains(&log_blocks);
        if !aligned || !log_fits || blocks > MAX_BLOCKS {
            return None;
        }
        // No sum below can overflow: each term is at most 2^32.
        let bits = u64::from(BITS_PER_BLOCK);
        let inode_map = Self::LOG_START + log_blocks;
        let orphan_map = inode_map + inodes.div_ceil(bits);
        let block_map = orphan_map + inodes.div_ceil(bits);
        let inode_table = block_map + blocks.div_ceil(bits);
        let data_start = inode_table + inodes / u64::from(INODES_PER_BLOCK);
        (data_start + MIN_DATA_BLOCKS < blocks).then_some(Self {
            blocks,
            inodes: slots,
            log_blocks,
            inode_map,
            orphan_map,
            block_map,
            inode_table,
            data_start,
        })
    }

    /// Blocks of the file system.
    #[must_use]
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Slots of the inode table, slot 0 included.
    #[must_use]
    pub const fn inodes(&self) -> u32 {
        self.inodes
    }

    /// The log: its first block and its blocks.
    #[must_use]
    pub const fn log(&self) -> (BlockNo, u64) {
        (BlockNo(Self::LOG_START), self.log_blocks)
    }

    /// First block of the bitmap of used inodes.
    #[must_use]
    pub const fn inode_map(&self) -> u64 {
        self.inode_map
    }

    /// First block of the bitmap of orphans.
    #[must_use]
    pub const fn orphan_map(&self) -> u64 {
        self.orphan_map
    }

    /// First block of the bitmap of used blocks.
    #[must_use]
    pub const fn block_map(&self) -> u64 {
        self.block_map
    }

    /// Blocks of the bitmap of inodes; the orphan map has as many.
    #[must_use]
    pub const fn inode_map_blocks(&self) -> u64 {
        self.orphan_map - self.inode_map
    }

    /// Blocks of the bitmap of blocks.
    #[must_use]
    pub const fn block_map_blocks(&self) -> u64 {
        self.inode_table - self.block_map
    }

    /// The blocks that files can use.
    #[must_use]
    pub const fn data(&self) -> Range<u64> {
        self.data_start..self.backup().0
    }

    /// The block that holds a copy of the superblock: the last one.
    #[must_use]
    pub const fn backup(&self) -> BlockNo {
        BlockNo(self.blocks - 1)
    }

    /// The inode with number `ino`, where the table has it.
    #[must_use]
    pub fn ino(&self, ino: u64) -> Option<Ino> {
        let number = u32::try_from(ino).ok()?;
        (1..self.inodes).contains(&number).then_some(Ino(number))
    }

    /// Where an inode lies: its block, and the byte in it.
    #[must_use]
    pub fn inode_place(&self, ino: Ino) -> (BlockNo, u16) {
        let block = self.inode_table + u64::from(ino.0 / INODES_PER_BLOCK);
        let slot = u16::try_from(ino.0 % INODES_PER_BLOCK).unwrap_or_default();
        (BlockNo(block), slot * layout::INODE_SIZE)
    }

    /// Blocks of the inode table behind `block` that are worth reading with it: the rest of its
    /// 128 KiB, for the inodes of a directory lie together.
    pub(crate) fn inodes_behind(&self, block: BlockNo) -> u32 {
        let piece = 32;
        let index = block.0.saturating_sub(self.inode_table);
        let rest = self.data_start.saturating_sub(block.0).saturating_sub(1);
        let behind = rest.min(piece - 1 - index % piece);
        u32::try_from(behind).unwrap_or_default()
    }

    /// The number of the first inode in a block of the inode table.
    #[must_use]
    pub fn first_inode_of(&self, block: BlockNo) -> Option<u64> {
        let index = block.0.checked_sub(self.inode_table)?;
        (block.0 < self.data_start).then_some(index * u64::from(INODES_PER_BLOCK))
    }

    /// Where there is metadata in this block, it starts with a head: everywhere but in the log,
    /// the inode table and the superblocks, whose structures have checksums of their own.
    #[must_use]
    pub fn has_head(&self, block: BlockNo) -> bool {
        let maps = self.inode_map..self.inode_table;
        maps.contains(&block.0) || self.data().contains(&block.0)
    }

    /// `len` blocks from `start` on are blocks that files can use.
    #[must_use]
    pub fn is_data(&self, start: u64, len: u64) -> bool {
        let data = self.data();
        len > 0 && start >= data.start && start.checked_add(len).is_some_and(|end| end <= data.end)
    }

    /// Blocks kept back for extent blocks. [`commit`](bento::FileSystem::commit) may need one, and
    /// must not fail for want of it: data that `write(2)` has accepted would be lost.
    #[must_use]
    pub fn reserve(&self) -> u64 {
        ((self.blocks - self.data_start) / 64).clamp(8, 2048)
    }
}

/// A validated superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Super {
    /// Identifies the file system.
    pub uuid: [u8; 16],
    /// Volume label, padded with NUL.
    pub label: [u8; LABEL_LEN],
    /// Where everything lies.
    pub geometry: Geometry,
    /// Features that this build need not know.
    pub compat: u32,
    /// Features needed for writing; this build knows none.
    pub ro_compat: u32,
    /// Features needed for anything, among them those of [`layout::INCOMPAT_KNOWN`].
    pub incompat: u32,
    /// When the file system was made, in seconds since 1970.
    pub created: i64,
}

impl Super {
    /// Directories of more than one block have an index.
    pub(crate) fn indexes_directories(&self) -> bool {
        self.incompat & layout::INCOMPAT_DIR_INDEX != 0
    }

    /// The bytes of this superblock.
    #[must_use]
    pub fn raw(&self) -> RawSuper {
        let geometry = &self.geometry;
        let raw = RawSuper {
            magic: layout::MAGIC,
            version: layout::VERSION.into(),
            block_size: U32::new(BLOCK_SIZE.into()),
            compat: self.compat.into(),
            ro_compat: self.ro_compat.into(),
            incompat: self.incompat.into(),
            checksum: U32::ZERO,
            uuid: self.uuid,
            label: self.label,
            blocks: geometry.blocks.into(),
            inodes: U64::new(geometry.inodes.into()),
            log_start: U64::new(Geometry::LOG_START),
            log_blocks: geometry.log_blocks.into(),
            inode_map: geometry.inode_map.into(),
            orphan_map: geometry.orphan_map.into(),
            block_map: geometry.block_map.into(),
            inode_table: geometry.inode_table.into(),
            data_start: geometry.data_start.into(),
            backup: U64::new(geometry.backup().0),
            group_blocks: U64::ZERO,
            created: I64::new(self.created),
            reserved: [0; 80],
        };
        RawSuper {
            checksum: checksum::of_super(&raw).into(),
            ..raw
        }
    }

    /// The checksums of the file system.
    #[must_use]
    pub fn sums(&self) -> Sums {
        Sums::new(&self.uuid)
    }

    /// Reads and validates the superblock of `dev`, and says what is wrong with it where it is.
    ///
    /// # Errors
    /// `EINVAL`: not this file system. `EOPNOTSUPP`: a version or feature of the future. `EROFS`:
    /// a feature that allows reading only. `EUCLEAN`: damaged. All are logged.
    pub fn read<D: BlockDevice>(dev: &D, read_only: bool) -> Result<Self> {
        if dev.blocks() == 0 {
            log::error!("the device is smaller than one block of {BLOCK_SIZE} bytes");
            return Err(Errno::EINVAL);
        }
        let block = BlockNo(layout::SUPER_BLOCK);
        let raw: RawSuper = {
            let buf = dev.read(block)?;
            let bytes = buf.bytes()?;
            layout::get(&bytes, 0).ok_or(Errno::EIO)?
        };
        let sup = Self::try_from(&raw).map_err(|kind| refuse(kind, &raw))?;
        if sup.geometry.blocks > dev.blocks() {
            log::error!(
                "the file system has {} blocks, but the device only {}",
                sup.geometry.blocks,
                dev.blocks()
            );
            return Err(CorruptKind::SuperTruncated.at(block));
        }
        sup.check_features(read_only)?;
        Ok(sup)
    }

    /// As [`Super::read`], for callers that want to know where everything lies.
    #[inline(never)]
    pub(crate) fn geometry_of<D: BlockDevice>(dev: &D, read_only: bool) -> Result<Geometry> {
        Ok(Self::read(dev, read_only)?.geometry)
    }

    fn check_features(&self, read_only: bool) -> Result {
        let unknown = self.incompat & !layout::INCOMPAT_KNOWN;
        if unknown != 0 {
            log::error!("unknown features (incompat {unknown:#x}): mount with a newer xv6");
            return Err(Errno::EOPNOTSUPP);
        }
        if self.ro_compat != 0 && !read_only {
            log::error!(
                "unknown features (ro_compat {:#x}): mount read-only or with a newer xv6",
                self.ro_compat
            );
            return Err(Errno::EROFS);
        }
        Ok(())
    }
}

/// Says why a superblock was refused.
fn refuse(kind: CorruptKind, raw: &RawSuper) -> Errno {
    match kind {
        CorruptKind::SuperMagic => {
            log::error!("{kind}");
            Errno::EINVAL
        }
        CorruptKind::SuperVersion => {
            log::error!(
                "version {} of the format, but this build knows only version {}",
                raw.version,
                layout::VERSION
            );
            Errno::EOPNOTSUPP
        }
        _ => kind.at(BlockNo(layout::SUPER_BLOCK)),
    }
}

impl TryFrom<&RawSuper> for Super {
    type Error = CorruptKind;

    fn try_from(raw: &RawSuper) -> core::result::Result<Self, CorruptKind> {
        if raw.magic != layout::MAGIC {
            return Err(CorruptKind::SuperMagic);
        }
        if raw.version.get() != layout::VERSION {
            return Err(CorruptKind::SuperVersion);
        }
        if raw.block_size.get() != u32::from(BLOCK_SIZE) {
            return Err(CorruptKind::SuperBlockSize);
        }
        if raw.checksum.get() != checksum::of_super(raw) {
            return Err(CorruptKind::SuperChecksum);
        }
        let geometry = Geometry::new(raw.blocks.get(), raw.inodes.get(), raw.log_blocks.get())
            .ok_or(CorruptKind::SuperGeometry)?;
        let sup = Self {
            uuid: raw.uuid,
            label: raw.label,
            geometry,
            compat: raw.compat.get(),
            ro_compat: raw.ro_compat.get(),
            incompat: raw.incompat.get(),
            created: raw.created.get(),
        };
        // Everything else follows from what was just read: compare it all at once.
        let expected = sup.raw();
        if *raw == expected {
            return Ok(sup);
        }
        let regions = RawSuper {
            reserved: [0; 80],
            checksum: expected.checksum,
            group_blocks: U64::ZERO,
            ..*raw
        };
        Err(if regions == expected {
            CorruptKind::SuperReserved
        } else {
            CorruptKind::SuperGeometry
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Geometry, Super};
    use crate::checksum::of_super;
    use crate::layout::RawSuper;
    use proptest::prelude::*;
    use zerocopy::{FromBytes, IntoBytes};

    fn example(blocks: u64) -> Super {
        Super {
            uuid: [7; 16],
            label: [0; 32],
            geometry: Geometry::new(blocks, 64, 64).expect("it fits"),
            compat: 5,
            ro_compat: 0,
            incompat: 0,
            created: -1,
        }
    }

    #[test]
    fn regions_never_overlap_and_end_with_the_backup() {
        for blocks in [1024u64, 32768, 32769, 1 << 32] {
            let g = Geometry::new(blocks, 64, 64).expect("it fits");
            assert_eq!(g.log().0.0 + g.log().1, g.inode_map());
            assert!(g.inode_map() < g.orphan_map() && g.orphan_map() < g.block_map());
            assert!(g.block_map() < g.inode_table && g.inode_table < g.data().start);
            assert_eq!(g.data().end, blocks - 1);
        }
        assert_eq!(Geometry::new((1 << 32) + 1, 64, 64), None);
        assert_eq!(Geometry::new(1024, 63, 64), None);
        assert_eq!(Geometry::new(1024, 64, 63), None);
        assert_eq!(Geometry::new(88, 64, 64), None);
    }

    fn flipped(raw: &RawSuper, bit: usize) -> RawSuper {
        let mut bytes = raw.as_bytes().to_vec();
        if let Some(byte) = bytes.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        RawSuper::read_from_bytes(&bytes).expect("256 bytes")
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let good = example(1024).raw();
        for bit in 0..8 * 256 {
            assert!(Super::try_from(&flipped(&good, bit)).is_err(), "bit {bit}");
        }
    }

    /// With the right checksum: damage that a program has done.
    #[test]
    fn a_change_outside_uuid_label_features_and_time_is_noticed_without_the_checksum() {
        let sup = example(1024);
        for bit in 0..8 * 256 {
            let mut raw = flipped(&sup.raw(), bit);
            raw.checksum = of_super(&raw).into();
            let free = matches!(bit / 8, 16..80 | 168..176);
            // A larger count of blocks is a valid superblock of a larger device.
            let larger = Super::try_from(&raw).is_ok_and(|s| s.geometry != sup.geometry);
            assert!(!larger || matches!(bit / 8, 80..88), "byte {}", bit / 8);
            assert_eq!(
                Super::try_from(&raw).is_ok(),
                free || larger,
                "byte {}",
                bit / 8
            );
        }
    }

    proptest! {
        #[test]
        fn superblocks_survive_a_round_trip(blocks in 1024u64..1 << 32, compat: u32, created: i64) {
            let sup = Super { compat, created, ..example(blocks) };
            prop_assert_eq!(Super::try_from(&sup.raw()), Ok(sup));
        }
    }
}
