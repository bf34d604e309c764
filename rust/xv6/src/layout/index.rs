// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The index of a directory, as it lies on the disk.

use super::RawNode;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// First bytes of the top of a directory's index.
pub const TOP_MAGIC: U32 = U32::from_bytes(*b"XTOP");
/// First bytes of an index node.
pub const INDEX_MAGIC: U32 = U32::from_bytes(*b"XIDX");
/// First bytes of a gap table.
pub const GAP_MAGIC: U32 = U32::from_bytes(*b"XGAP");
/// The most levels of index nodes below the root node.
pub const MAX_INDEX_DEPTH: u16 = 3;
/// Pairs of an index leaf.
pub const LEAF_PAIRS: u16 = 510;
/// Children of an inner index node.
pub const NODE_CHILDREN: u16 = 255;
/// Gap tables of an index.
pub const TOP_TABLES: u16 = 254;
/// Gaps of a gap table.
pub const TABLE_GAPS: u16 = 2040;
/// Blocks of entries of the largest directory with an index.
pub const MAX_INDEXED_BLOCKS: u32 = 254 * 2040;

/// The top of the index of a directory; [`TOP_TABLES`] gap tables follow.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct RawTop {
    /// [`TOP_MAGIC`]; used gap tables; levels of index nodes below the root node.
    pub head: RawNode,
    /// The root node of the index.
    pub root: U64,
    /// Zeros.
    pub reserved: [u8; 8],
}
const _: () = assert!(size_of::<RawTop>() == 32);
const _: () = assert!(TOP_TABLES == 254 && 32 + 254 * size_of::<RawTable>() == 4096);
/// Where the gap tables of a top begin.
pub const TOP_START: u16 = 32;

/// A gap table, as the top knows it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct RawTable {
    /// Where it lies.
    pub block: U64,
    /// The largest of its gaps.
    pub largest: U16,
    /// Zeros.
    pub reserved: [u8; 6],
}
const _: () = assert!(size_of::<RawTable>() == 16);
/// Bytes of a gap.
pub const GAP_SIZE: u16 = 2;
const _: () = assert!(super::NODE_HEAD + TABLE_GAPS * GAP_SIZE == super::BLOCK_SIZE);

/// A pair of an index leaf: where an entry with a name of this hash lies.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct RawPair {
    /// The hash of the name.
    pub hash: U32,
    /// The byte position of the entry in the directory, divided by [`super::DIR_ALIGN`].
    pub at: U32,
}
const _: () = assert!(size_of::<RawPair>() == 8);
const _: () = assert!(super::NODE_HEAD + LEAF_PAIRS * 8 == super::BLOCK_SIZE);

/// A child of an inner index node.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct RawChild {
    /// No pair below the child is less.
    pub first: RawPair,
    /// Where the child lies.
    pub block: U64,
}
const _: () = assert!(size_of::<RawChild>() == 16);
const _: () = assert!(super::NODE_HEAD + NODE_CHILDREN * 16 == super::BLOCK_SIZE);

#[cfg(test)]
mod tests {
    use super::{RawChild, RawPair, RawTable, RawTop};
    use core::mem::offset_of;

    #[test]
    fn fields_lie_where_the_format_says() {
        assert_eq!(offset_of!(RawTop, root), 16);
        assert_eq!(offset_of!(RawTable, largest), 8);
        assert_eq!(offset_of!(RawPair, at), 4);
        assert_eq!(offset_of!(RawChild, block), 8);
    }
}
