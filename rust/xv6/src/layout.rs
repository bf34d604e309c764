// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Every byte that this file system keeps on a disk; `FORMAT.md` describes the same in prose.
//!
//! This is the only file that knows where a field lies. All numbers are little-endian, all
//! structures are plain bytes without alignment, and none of them is trusted: `superblock.rs`,
//! `inode.rs`, `extent.rs` and `dir.rs` turn them into validated types.

mod index;

pub use index::*;

use core::mem::offset_of;
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes per block.
pub const BLOCK_SIZE: u16 = 4096;
/// Bytes of the head of a metadata block.
pub const BLOCK_HEAD: u16 = 16;
/// Bytes of a metadata block behind its head.
pub const BLOCK_PAYLOAD: u16 = BLOCK_SIZE - BLOCK_HEAD;
/// Bits per block of a bitmap. A multiple of 64, and of the inodes per block of the inode table.
pub const BITS_PER_BLOCK: u32 = 8 * 4080;
const _: () = assert!(BITS_PER_BLOCK.is_multiple_of(64) && BLOCK_PAYLOAD == 4080);
/// The first bytes of a device that holds this file system.
pub const MAGIC: [u8; 8] = *b"Bentoxv6";
/// The version of the format that this build reads and writes.
pub const VERSION: u32 = 1;
/// Where the superblock lies.
pub const SUPER_BLOCK: u64 = 0;
/// Bytes of a volume label.
pub const LABEL_LEN: usize = 32;
/// Incompatible feature: directories of more than one block have an index.
pub const INCOMPAT_DIR_INDEX: u32 = 1 << 1;
/// All incompatible features that this build knows.
pub const INCOMPAT_KNOWN: u32 = INCOMPAT_DIR_INDEX;

/// The superblock: the first 256 bytes of block 0 and of the backup block.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct RawSuper {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`VERSION`].
    pub version: U32,
    /// [`BLOCK_SIZE`].
    pub block_size: U32,
    /// Features that a build may ignore.
    pub compat: U32,
    /// Features without which a build may only read.
    pub ro_compat: U32,
    /// Features without which a build must not touch the device.
    pub incompat: U32,
    /// crc32c of this structure; see [`crate::checksum`].
    pub checksum: U32,
    /// Identifies the file system.
    pub uuid: [u8; 16],
    /// Volume label, padded with NUL.
    pub label: [u8; LABEL_LEN],
    /// Blocks of the file system, this one included.
    pub blocks: U64,
    /// Slots of the inode table, slot 0 (never used) included.
    pub inodes: U64,
    /// First block of the log.
    pub log_start: U64,
    /// Blocks of the log.
    pub log_blocks: U64,
    /// First block of the bitmap of used inodes.
    pub inode_map: U64,
    /// First block of the bitmap of orphans.
    pub orphan_map: U64,
    /// First block of the bitmap of used blocks.
    pub block_map: U64,
    /// First block of the inode table.
    pub inode_table: U64,
    /// First block that files can use.
    pub data_start: U64,
    /// The block that holds a copy of this structure.
    pub backup: U64,
    /// Room for the size of a block group; 0.
    pub group_blocks: U64,
    /// When the file system was made, in seconds since 1970.
    pub created: I64,
    /// Zeros.
    pub reserved: [u8; 80],
}
const _: () = assert!(size_of::<RawSuper>() == 256);

/// The head of every block of metadata but superblocks and inode table blocks. What follows its
/// first 12 bytes depends on the kind.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct RawHead {
    /// Which kind of block this is.
    pub magic: U32,
    /// crc32c of the block; see [`crate::checksum`].
    pub checksum: U32,
    /// The inode that the block belongs to. Bitmaps: which block of the bitmap this is.
    pub owner: U32,
    /// Zero, unless the kind says otherwise.
    pub extra: U32,
}
const _: () = assert!(size_of::<RawHead>() == 16 && BLOCK_HEAD == 16);
/// Where a block holds its checksum.
pub const CHECKSUM_AT: u16 = 4;
const _: () = assert!(offset_of!(RawHead, checksum) == 4 && CHECKSUM_AT == 4);

/// First bytes of a block of the inode map.
pub const INODE_MAP_MAGIC: U32 = U32::from_bytes(*b"XIMP");
/// First bytes of a block of the orphan map.
pub const ORPHAN_MAP_MAGIC: U32 = U32::from_bytes(*b"XOMP");
/// First bytes of a block of the block map.
pub const BLOCK_MAP_MAGIC: U32 = U32::from_bytes(*b"XBMP");
/// First bytes of a block with the target of a symbolic link.
pub const LINK_MAGIC: U32 = U32::from_bytes(*b"XLNK");
/// Where the rest of a target that a block cannot hold lies in the area of the inode.
pub const LINK_REST_AT: usize = 16;

/// Bytes of an inode.
pub const INODE_SIZE: u16 = 256;
/// Inodes per block of the inode table.
pub const INODES_PER_BLOCK: u32 = 16;
/// A truncation is unfinished: blocks behind the size are left-overs.
pub const INODE_CUT: u32 = 1 << 0;
/// All flags that this build knows.
pub const INODE_FLAGS: u32 = INODE_CUT;
/// Attribute (`chattr(1)`; the values are those of `FS_IOC_SETFLAGS`): every write is durable.
pub const ATTRIBUTE_SYNC: u32 = 0x8;
/// Attribute: nothing may change.
pub const ATTRIBUTE_IMMUTABLE: u32 = 0x10;
/// Attribute: data may only be added at the end.
pub const ATTRIBUTE_APPEND: u32 = 0x20;
/// Attribute: `dump(8)` leaves it out.
pub const ATTRIBUTE_NODUMP: u32 = 0x40;
/// Attribute: reading does not change the time of the last access.
pub const ATTRIBUTE_NOATIME: u32 = 0x80;
/// Attribute of directories: every change of a name is durable.
pub const ATTRIBUTE_DIRSYNC: u32 = 0x1_0000;
/// All attributes that this build knows.
pub const ATTRIBUTES: u32 = ATTRIBUTE_SYNC
    | ATTRIBUTE_IMMUTABLE
    | ATTRIBUTE_APPEND
    | ATTRIBUTE_NODUMP
    | ATTRIBUTE_NOATIME
    | ATTRIBUTE_DIRSYNC;
/// Bytes of an inode that hold extents or a short symbolic link.
pub const AREA_SIZE: usize = 128;

/// An inode.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct RawInode {
    /// Kind and permissions, as `st_mode`; 0 in a free slot.
    pub mode: U32,
    /// Owner.
    pub uid: U32,
    /// Group.
    pub gid: U32,
    /// Hard links; 0 for an orphan that is only held open.
    pub nlink: U32,
    /// Size in bytes.
    pub size: U64,
    /// Blocks in use, those of the extent tree included.
    pub blocks: U64,
    /// Seconds of the last access.
    pub atime: I64,
    /// Seconds of the last change of the contents.
    pub mtime: I64,
    /// Seconds of the last change of the inode.
    pub ctime: I64,
    /// Seconds of the creation.
    pub btime: I64,
    /// Nanoseconds of `atime`, below 10^9.
    pub atime_ns: U32,
    /// Nanoseconds of `mtime`.
    pub mtime_ns: U32,
    /// Nanoseconds of `ctime`.
    pub ctime_ns: U32,
    /// Nanoseconds of `btime`.
    pub btime_ns: U32,
    /// Changes with each use of the slot; kept while the slot is free.
    pub generation: U32,
    /// `INODE_*`.
    pub flags: U32,
    /// Device number of a device inode, else 0.
    pub rdev: U32,
    /// The directory that holds a directory (the root: itself), else 0.
    pub parent: U32,
    /// The block of extended attributes; 0 where there are none.
    pub xattr: U64,
    /// crc32c of the inode; see [`crate::checksum`].
    pub checksum: U32,
    /// Used entries of the extent root.
    pub extents: U16,
    /// Levels of extent blocks below the root.
    pub depth: U16,
    /// Some of [`ATTRIBUTES`].
    pub attributes: U32,
    /// Zeros.
    pub reserved: [u8; 4],
    /// The top of the index of a directory; 0 where it has none.
    pub index: U64,
    /// [`ROOT_EXTENTS`] entries, or the target of a symbolic link of at most 128 bytes.
    pub area: [u8; AREA_SIZE],
}
const _: () = assert!(size_of::<RawInode>() == 256);

/// Entries of an extent root.
pub const ROOT_EXTENTS: u16 = 8;
/// Entries of an extent block.
pub const BLOCK_EXTENTS: u16 = 255;
/// The deepest extent tree.
pub const MAX_DEPTH: u16 = 4;
/// Files end below this block (8 TiB).
pub const MAX_FILE_BLOCKS: u32 = 1 << 31;
/// The bit of [`RawExtent::len`] that says that the space was never written.
pub const UNWRITTEN: u32 = 1 << 31;
/// The longest extent in blocks.
pub const MAX_EXTENT: u32 = UNWRITTEN - 1;

/// An entry of an extent tree: a run of blocks in a leaf, a child in an inner node.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct RawExtent {
    /// First block of the file that the entry speaks of.
    pub first: U32,
    /// Leaf: blocks of the run, and [`UNWRITTEN`]. Inner node: 0.
    pub len: U32,
    /// Leaf: first block of the run. Inner node: the child.
    pub block: U64,
}
const _: () = assert!(size_of::<RawExtent>() == 16);
const _: () = assert!(ROOT_EXTENTS == 8 && 8 * size_of::<RawExtent>() == AREA_SIZE);
const _: () =
    assert!(BLOCK_EXTENTS == 255 && 255 * size_of::<RawExtent>() + size_of::<RawNode>() == 4096);

/// First bytes of an extent block.
pub const NODE_MAGIC: U32 = U32::from_bytes(*b"XEXT");

/// The head of an extent block; [`BLOCK_EXTENTS`] entries follow.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct RawNode {
    /// [`NODE_MAGIC`].
    pub magic: U32,
    /// crc32c of the block; see [`crate::checksum`].
    pub checksum: U32,
    /// The inode whose tree this is.
    pub owner: U32,
    /// Used entries.
    pub count: U16,
    /// Levels below this block; 0 in a leaf.
    pub depth: U16,
}
const _: () = assert!(size_of::<RawNode>() == 16);
/// Where an extent block holds its count.
pub const NODE_COUNT_AT: u16 = 12;
const _: () = assert!(offset_of!(RawNode, count) == 12 && NODE_COUNT_AT == 12);
/// Bytes of an extent block before its entries.
pub const NODE_HEAD: u16 = 16;
/// Bytes of an entry.
pub const EXTENT_SIZE: u16 = 16;

/// First bytes of a directory block.
pub const DIR_MAGIC: U32 = U32::from_bytes(*b"XDIR");
/// Where the first entry of a directory block lies.
pub const DIR_START: u16 = 16;
/// Entries lie at multiples of this.
pub const DIR_ALIGN: u16 = 8;
/// Bytes of an entry before the name.
pub const DIRENT_HEAD: u16 = 8;
/// Longest name in bytes.
pub const NAME_MAX: u8 = 255;

/// The head of a directory block; entries fill the rest.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct RawDirHead {
    /// [`DIR_MAGIC`].
    pub magic: U32,
    /// crc32c of the block; see [`crate::checksum`].
    pub checksum: U32,
    /// The directory.
    pub owner: U32,
    /// Zero.
    pub reserved: U32,
}
const _: () = assert!(size_of::<RawDirHead>() == 16);

/// The head of a directory entry; the name follows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct RawDirent {
    /// Inode number; 0 marks free space.
    pub ino: U32,
    /// Bytes up to the next entry: a multiple of [`DIR_ALIGN`].
    pub rec_len: U16,
    /// Bytes of the name; 0 in free space.
    pub name_len: u8,
    /// Kind as in `d_type`; 0 in free space.
    pub kind: u8,
}
const _: () = assert!(size_of::<RawDirent>() == 8);
/// Where an entry holds its length.
pub const DIRENT_LEN_AT: u16 = 4;
const _: () = assert!(offset_of!(RawDirent, rec_len) == 4 && DIRENT_LEN_AT == 4);
/// Where an entry holds its kind.
pub const DIRENT_KIND_AT: u16 = 7;
const _: () = assert!(offset_of!(RawDirent, kind) == 7 && DIRENT_KIND_AT == 7);

/// First bytes of a block of extended attributes.
pub const XATTR_MAGIC: U32 = U32::from_bytes(*b"XATR");

/// The head of a block of extended attributes; entries follow without gaps.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct RawXattrHead {
    /// [`XATTR_MAGIC`].
    pub magic: U32,
    /// crc32c of the block; see [`crate::checksum`].
    pub checksum: U32,
    /// The inode.
    pub owner: U32,
    /// Bytes of the block in use, those of this head included.
    pub used: U16,
    /// Zero.
    pub reserved: U16,
}
const _: () = assert!(size_of::<RawXattrHead>() == 16);
/// Where the first extended attribute of a block lies.
pub const XATTR_START: u16 = 16;

/// The head of an extended attribute; name and value follow.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct RawXattr {
    /// Bytes of the value.
    pub value_len: U16,
    /// Bytes of the name.
    pub name_len: u8,
    /// Zero.
    pub reserved: u8,
}
const _: () = assert!(size_of::<RawXattr>() == 4);
/// Bytes of an extended attribute before its name.
pub const XATTR_HEAD: u16 = 4;

/// A structure of this file.
pub trait Bytes: FromBytes + KnownLayout + Immutable + Unaligned + Copy {}

impl<T: FromBytes + KnownLayout + Immutable + Unaligned + Copy> Bytes for T {}

/// The structure at byte `offset` of a block, or `None` where it would not fit.
#[must_use]
pub fn get<T: Bytes>(block: &[u8], offset: u16) -> Option<T> {
    let rest = block.get(usize::from(offset)..)?;
    T::ref_from_prefix(rest).ok().map(|(value, _)| *value)
}

/// What follows the head of a metadata block.
#[must_use]
pub fn payload(block: &[u8]) -> &[u8] {
    block.get(usize::from(BLOCK_HEAD)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{RawDirHead, RawDirent, RawExtent, RawHead, RawInode, RawNode, RawSuper, get};
    use super::{RawXattr, RawXattrHead};
    use core::mem::offset_of;
    use proptest::prelude::*;

    #[test]
    fn fields_lie_where_the_format_says() {
        assert_eq!(offset_of!(RawSuper, uuid), 32);
        assert_eq!(offset_of!(RawSuper, blocks), 80);
        assert_eq!(offset_of!(RawSuper, log_start), 96);
        assert_eq!(offset_of!(RawSuper, data_start), 144);
        assert_eq!(offset_of!(RawSuper, created), 168);
        assert_eq!(offset_of!(RawInode, size), 16);
        assert_eq!(offset_of!(RawInode, atime), 32);
        assert_eq!(offset_of!(RawInode, atime_ns), 64);
        assert_eq!(offset_of!(RawInode, generation), 80);
        assert_eq!(offset_of!(RawInode, parent), 92);
        assert_eq!(offset_of!(RawInode, extents), 108);
        assert_eq!(offset_of!(RawInode, xattr), 96);
        assert_eq!(offset_of!(RawInode, attributes), 112);
        assert_eq!(offset_of!(RawInode, index), 120);
        assert_eq!(offset_of!(RawInode, area), 128);
        assert_eq!(offset_of!(RawXattrHead, checksum), 4);
        assert_eq!(offset_of!(RawXattrHead, used), 12);
        assert_eq!(offset_of!(RawExtent, block), 8);
        assert_eq!(offset_of!(RawNode, count), 12);
        let heads = [
            offset_of!(RawNode, checksum),
            offset_of!(RawDirHead, checksum),
        ];
        assert_eq!(heads, [offset_of!(RawHead, checksum); 2]);
        assert_eq!(offset_of!(RawDirHead, owner), 8);
        assert_eq!(offset_of!(RawDirent, name_len), 6);
    }

    #[test]
    fn structures_that_would_pass_the_end_are_not_read() {
        let block = [0u8; 4096];
        assert!(get::<RawInode>(&block, 3840).is_some());
        assert!(get::<RawInode>(&block, 3841).is_none());
        assert!(get::<RawDirent>(&block, u16::MAX).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_survive_a_round_trip(bytes in proptest::collection::vec(any::<u8>(), 256)) {
            fn same<T: super::Bytes + zerocopy::IntoBytes>(bytes: &[u8]) -> bool {
                get::<T>(bytes, 0).is_some_and(|t| bytes.starts_with(t.as_bytes()))
            }
            prop_assert!(same::<RawSuper>(&bytes) && same::<RawInode>(&bytes));
            prop_assert!(same::<RawExtent>(&bytes) && same::<RawNode>(&bytes));
            prop_assert!(same::<RawHead>(&bytes));
            prop_assert!(same::<RawDirHead>(&bytes) && same::<RawDirent>(&bytes));
            prop_assert!(same::<RawXattrHead>(&bytes) && same::<RawXattr>(&bytes));
        }
    }
}
