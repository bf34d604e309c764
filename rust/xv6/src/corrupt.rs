// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What can be wrong with a disk: one variant per check, each with a test of its own.

use bento::{BlockNo, Errno};
use thiserror::Error;

/// A check that bytes from the disk failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum CorruptKind {
    /// Superblock: no magic.
    #[error("not an xv6 file system (no magic)")]
    SuperMagic,
    /// Superblock: version.
    #[error("unknown version of the format")]
    SuperVersion,
    /// Superblock: block size.
    #[error("block size is not 4096")]
    SuperBlockSize,
    /// Superblock: checksum.
    #[error("checksum of the superblock is wrong")]
    SuperChecksum,
    /// Superblock: more blocks than the device has.
    #[error("the device is smaller than the file system (truncated image?)")]
    SuperTruncated,
    /// Superblock: the regions do not follow from the counts.
    #[error("the superblock's regions contradict its counts")]
    SuperGeometry,
    /// Superblock: bytes that must be zero are not.
    #[error("reserved bytes of the superblock are not zero")]
    SuperReserved,
    /// Superblock: the backup differs.
    #[error("the backup superblock differs from the superblock")]
    SuperBackup,
    /// The root is no directory, or not its own parent.
    #[error("no root directory")]
    RootMissing,
    /// A metadata block: checksum.
    #[error("checksum of the block is wrong")]
    BlockChecksum,
    /// A bitmap block: head.
    #[error("bitmap block with an impossible head")]
    MapHead,
    /// Inode: checksum.
    #[error("checksum of the inode is wrong")]
    InodeChecksum,
    /// Inode: mode names no kind.
    #[error("inode of no known kind")]
    InodeKind,
    /// Inode: mode has bits that mean nothing.
    #[error("inode mode has unknown bits")]
    InodeMode,
    /// Inode: unknown flags.
    #[error("inode has unknown flags")]
    InodeFlags,
    /// Inode: reserved bytes.
    #[error("reserved bytes of the inode are not zero")]
    InodeReserved,
    /// Inode: size impossible for the kind.
    #[error("inode size impossible")]
    InodeSize,
    /// Inode: nanoseconds of 10^9 or more.
    #[error("inode time impossible")]
    InodeTime,
    /// Inode: link count impossible for the kind or the flags.
    #[error("inode link count impossible")]
    InodeLinks,
    /// Inode: device number on another kind.
    #[error("device number on an inode that is no device")]
    InodeDevice,
    /// Inode: parent of a directory out of range, or on another kind.
    #[error("parent of the inode impossible")]
    InodeParent,
    /// Inode: extent root impossible.
    #[error("extent root impossible")]
    InodeExtents,
    /// A free slot of the inode table is not empty.
    #[error("free inode is not empty")]
    InodeNotEmpty,
    /// The inode map says free, but the inode is referred to.
    #[error("inode in use is marked free")]
    InodeMarkedFree,
    /// The inode map says used, but the inode is free.
    #[error("free inode is marked used")]
    InodeMarkedUsed,
    /// No name leads to a linked inode.
    #[error("inode has links but no name")]
    InodeUnreachable,
    /// The stored link count differs from the number of names.
    #[error("link count differs from the number of names")]
    LinkCount,
    /// The stored block count differs from the blocks in use.
    #[error("block count differs from the blocks in use")]
    BlockCount,
    /// The orphan map and the inode disagree.
    #[error("orphan map and inode disagree")]
    OrphanMismatch,
    /// Extent block: no magic.
    #[error("extent block without magic")]
    NodeMagic,
    /// Extent block: of another inode.
    #[error("extent block belongs to another inode")]
    NodeOwner,
    /// Extent block: at the wrong level.
    #[error("extent block at the wrong level")]
    NodeDepth,
    /// Extent block: entry count impossible.
    #[error("extent block with an impossible count")]
    NodeCount,
    /// Extent: entries out of order or overlapping.
    #[error("extents out of order")]
    ExtentOrder,
    /// Extent: length 0, or past the largest file.
    #[error("extent of impossible length")]
    ExtentLength,
    /// Extent: blocks outside the data area.
    #[error("extent outside the data area")]
    ExtentRange,
    /// Directory or link data in unwritten space.
    #[error("metadata in unwritten space")]
    ExtentUnwritten,
    /// A directory has a hole, or a symbolic link no block.
    #[error("metadata block is missing")]
    ExtentHole,
    /// A block is in use twice.
    #[error("block in use twice")]
    BlockShared,
    /// A block in use is marked free.
    #[error("block in use is marked free")]
    BlockMarkedFree,
    /// A free block is marked used.
    #[error("free block is marked used")]
    BlockMarkedUsed,
    /// A bitmap has a free bit behind its end.
    #[error("bits behind the end of a bitmap are not set")]
    MapTail,
    /// Directory block: no magic.
    #[error("directory block without magic")]
    DirMagic,
    /// Directory block: of another directory.
    #[error("directory block belongs to another directory")]
    DirOwner,
    /// Directory block: reserved bytes.
    #[error("reserved bytes of the directory block are not zero")]
    DirReserved,
    /// Directory entry: length impossible.
    #[error("directory entry of impossible length")]
    DirEntryLength,
    /// Directory entry: name empty, too long, or with `/` or NUL, or `.` or `..`.
    #[error("directory entry with an impossible name")]
    DirEntryName,
    /// Directory entry: inode out of range.
    #[error("directory entry with an impossible inode number")]
    DirEntryInode,
    /// Directory entry: kind unknown.
    #[error("directory entry of no known kind")]
    DirEntryKind,
    /// Directory entry: kind differs from the inode's.
    #[error("directory entry names another kind than its inode")]
    DirEntryKindDiffers,
    /// Two entries with one name.
    #[error("two directory entries with one name")]
    DirEntryTwice,
    /// Index of a directory: a block outside the data area, or an index on another kind.
    #[error("directory index outside the data area, or of no directory")]
    IndexRange,
    /// Index: checksum of a block.
    #[error("checksum of the block of a directory index is wrong")]
    IndexChecksum,
    /// Index: block without magic.
    #[error("block of a directory index without magic")]
    IndexMagic,
    /// Index: block of another directory.
    #[error("block of a directory index belongs to another directory")]
    IndexOwner,
    /// Index: reserved bytes.
    #[error("reserved bytes of a directory index are not zero")]
    IndexReserved,
    /// Index: node at the wrong level, or too many levels.
    #[error("block of a directory index at the wrong level")]
    IndexDepth,
    /// Index: count impossible.
    #[error("block of a directory index with an impossible count")]
    IndexCount,
    /// Index: pairs or bounds out of order.
    #[error("directory index out of order")]
    IndexOrder,
    /// Index: an entry is not in it.
    #[error("directory entry is missing in the index")]
    IndexMissing,
    /// Index: a pair leads to no entry with a name of its hash.
    #[error("directory index leads to no such entry")]
    IndexStale,
    /// A directory that must have an index has none, or one that must not has one.
    #[error("directory without the index it should have, or with one it should not have")]
    IndexAbsent,
    /// Gap tables: they differ from the gaps.
    #[error("gap table differs from the gaps of the directory")]
    GapWrong,
    /// A directory with two names, or whose parent is another.
    #[error("directory is not where its parent field says")]
    DirParent,
    /// The block of a symbolic link: head.
    #[error("symbolic link block with an impossible head")]
    LinkHead,
    /// A symbolic link whose target has a NUL.
    #[error("symbolic link with an impossible target")]
    LinkTarget,
    /// Inode: the block of extended attributes lies outside the data area.
    #[error("block of extended attributes outside the data area")]
    XattrRange,
    /// Block of extended attributes: no magic.
    #[error("block of extended attributes without magic")]
    XattrMagic,
    /// Block of extended attributes: of another inode.
    #[error("block of extended attributes belongs to another inode")]
    XattrOwner,
    /// Block of extended attributes: reserved or unused bytes.
    #[error("unused bytes of the block of extended attributes are not zero")]
    XattrReserved,
    /// Block of extended attributes: an attribute reaches over the end, or there is none.
    #[error("extended attribute of impossible length")]
    XattrLength,
    /// Extended attribute: name empty, or with NUL.
    #[error("extended attribute with an impossible name")]
    XattrName,
    /// Extended attributes: names not ascending.
    #[error("extended attributes out of order")]
    XattrOrder,
}

/// A failed check: which, and in which block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// What is wrong.
    pub kind: CorruptKind,
    /// Where.
    pub block: BlockNo,
}

impl CorruptKind {
    /// All kinds, for the test that each has a test.
    pub const ALL: &[Self] = &[
        Self::SuperMagic,
        Self::SuperVersion,
        Self::SuperBlockSize,
        Self::SuperChecksum,
        Self::SuperTruncated,
        Self::SuperGeometry,
        Self::SuperReserved,
        Self::SuperBackup,
        Self::RootMissing,
        Self::BlockChecksum,
        Self::MapHead,
        Self::InodeChecksum,
        Self::InodeKind,
        Self::InodeMode,
        Self::InodeFlags,
        Self::InodeReserved,
        Self::InodeSize,
        Self::InodeTime,
        Self::InodeLinks,
        Self::InodeDevice,
        Self::InodeParent,
        Self::InodeExtents,
        Self::InodeNotEmpty,
        Self::InodeMarkedFree,
        Self::InodeMarkedUsed,
        Self::InodeUnreachable,
        Self::LinkCount,
        Self::BlockCount,
        Self::OrphanMismatch,
        Self::NodeMagic,
        Self::NodeOwner,
        Self::NodeDepth,
        Self::NodeCount,
        Self::ExtentOrder,
        Self::ExtentLength,
        Self::ExtentRange,
        Self::ExtentUnwritten,
        Self::ExtentHole,
        Self::BlockShared,
        Self::BlockMarkedFree,
        Self::BlockMarkedUsed,
        Self::MapTail,
        Self::DirMagic,
        Self::DirOwner,
        Self::DirReserved,
        Self::DirEntryLength,
        Self::DirEntryName,
        Self::DirEntryInode,
        Self::DirEntryKind,
        Self::DirEntryKindDiffers,
        Self::DirEntryTwice,
        Self::IndexRange,
        Self::IndexChecksum,
        Self::IndexMagic,
        Self::IndexOwner,
        Self::IndexReserved,
        Self::IndexDepth,
        Self::IndexCount,
        Self::IndexOrder,
        Self::IndexMissing,
        Self::IndexStale,
        Self::IndexAbsent,
        Self::GapWrong,
        Self::DirParent,
        Self::LinkHead,
        Self::LinkTarget,
        Self::XattrRange,
        Self::XattrMagic,
        Self::XattrOwner,
        Self::XattrReserved,
        Self::XattrLength,
        Self::XattrName,
        Self::XattrOrder,
    ];

    /// The damage is to something that follows from the rest: copies, bitmaps, counts, and the
    /// indexes of directories, which follow from their entries.
    #[must_use]
    pub const fn is_derived(self) -> bool {
        matches!(
            self,
            Self::SuperBackup
                | Self::MapHead
                | Self::MapTail
                | Self::BlockMarkedFree
                | Self::BlockMarkedUsed
                | Self::InodeMarkedUsed
                | Self::InodeNotEmpty
                | Self::LinkCount
                | Self::BlockCount
                | Self::OrphanMismatch
                | Self::IndexRange
                | Self::IndexChecksum
                | Self::IndexMagic
                | Self::IndexOwner
                | Self::IndexReserved
                | Self::IndexDepth
                | Self::IndexCount
                | Self::IndexOrder
                | Self::IndexMissing
                | Self::IndexStale
                | Self::IndexAbsent
                | Self::GapWrong
        )
    }

    /// Reports the failed check and gives the error for the caller.
    pub(crate) fn at(self, block: BlockNo) -> Errno {
        Corrupt { kind: self, block }.into()
    }
}

/// The report: one line, then `EUCLEAN`.
impl From<Corrupt> for Errno {
    fn from(found: Corrupt) -> Self {
        log::error!("{} in block {}: run fsck.xv6", found.kind, found.block);
        Self::EUCLEAN
    }
}
