// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The map of a file: which block of the device holds which block of the file.
//!
//! A tree whose root lies in the inode and whose other nodes are blocks. Leaves hold runs of
//! blocks, sorted and disjoint; inner nodes hold children with a lower bound of their keys. This
//! file reads the tree, the files below `extent/` change it. Nothing here recurses: depth is checked at
//! each step and falls, so a damaged tree ends in an error, never in a loop.

mod cut;
mod edit;
mod shift;

pub(crate) use cut::{PUNCH_CREDITS, cut_tail, punch};
pub(crate) use edit::{MARK_CREDITS, TREE_CREDITS, fill, insert_credits, mark};
pub(crate) use shift::{SHIFT_CREDITS, Shift, shift, survey};

use crate::corrupt::CorruptKind;
use crate::inode::{self, Ino, Inode};
use crate::layout::{self, BLOCK_SIZE, MAX_FILE_BLOCKS, RawExtent, RawNode, UNWRITTEN};
use crate::superblock::Geometry;
use crate::volume::ReadBlock;
use bento::{BlockNo, Result};
use zerocopy::FromBytes;

/// The number of a block of a file, counted from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileBlock(pub(crate) u32);

impl FileBlock {
    /// The end of the largest file.
    pub(crate) const MAX: Self = Self(MAX_FILE_BLOCKS);

    /// The block that holds byte `offset`, or `None` behind the largest file.
    pub(crate) fn of_byte(offset: u64) -> Option<Self> {
        let block = u32::try_from(offset / u64::from(BLOCK_SIZE)).ok()?;
        (block < MAX_FILE_BLOCKS).then_some(Self(block))
    }

    /// The first block that starts at or behind byte `offset`, at most [`FileBlock::MAX`].
    pub(crate) fn behind_byte(offset: u64) -> Self {
        let block = u32::try_from(offset.div_ceil(BLOCK_SIZE.into()));
        Self(block.map_or(MAX_FILE_BLOCKS, |b| b.min(MAX_FILE_BLOCKS)))
    }

    /// Its first byte.
    pub(crate) fn byte(self) -> u64 {
        u64::from(self.0) * u64::from(BLOCK_SIZE)
    }
}

/// A run of blocks of a file that lies in one run of the device.
///
/// # Invariants
/// Made by [`Mapping::parse`] or the allocator: not empty, ends at or before [`FileBlock::MAX`],
/// inside the data area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) first: FileBlock,
    pub(crate) len: u32,
    pub(crate) block: u64,
    pub(crate) unwritten: bool,
}

impl Mapping {
    /// Validates an entry of a leaf.
    pub(crate) fn parse(
        raw: &RawExtent,
        geometry: &Geometry,
    ) -> core::result::Result<Self, CorruptKind> {
        let (first, len) = (raw.first.get(), raw.len.get() & !UNWRITTEN);
        let fits = first
            .checked_add(len)
            .is_some_and(|end| end <= MAX_FILE_BLOCKS);
        if len == 0 || !fits {
            return Err(CorruptKind::ExtentLength);
        }
        if !geometry.is_data(raw.block.get(), len.into()) {
            return Err(CorruptKind::ExtentRange);
        }
        Ok(Self {
            first: FileBlock(first),
            len,
            block: raw.block.get(),
            unwritten: raw.len.get() & UNWRITTEN != 0,
        })
    }

    pub(crate) fn raw(&self) -> RawExtent {
        let flag = if self.unwritten { UNWRITTEN } else { 0 };
        RawExtent {
            first: self.first.0.into(),
            len: (self.len | flag).into(),
            block: self.block.into(),
        }
    }

    /// The first block of the file behind the run.
    pub(crate) fn end(&self) -> FileBlock {
        FileBlock(self.first.0 + self.len)
    }

    /// The first block of the device behind the run.
    pub(crate) fn block_end(&self) -> u64 {
        self.block + u64::from(self.len)
    }

    /// The part from `start` to `end`, both inside the run.
    pub(crate) fn part(&self, start: FileBlock, end: FileBlock) -> Self {
        Self {
            first: start,
            len: end.0 - start.0,
            block: self.block + u64::from(start.0 - self.first.0),
            unwritten: self.unwritten,
        }
    }

    /// This run and `next` are one run.
    pub(crate) fn joins(&self, next: &Self) -> bool {
        self.end() == next.first
            && self.block_end() == next.block
            && self.unwritten == next.unwritten
            && self.len <= layout::MAX_EXTENT - next.len
    }
}

/// What lies at a block of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A run that contains it.
    Run(Mapping),
    /// Nothing before `end`.
    Hole {
        /// The first block behind the hole, behind the block asked for.
        end: FileBlock,
    },
}

/// A node of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Root,
    Block(BlockNo),
}

impl Place {
    /// The block that holds the node, for reports.
    fn block(self, geometry: &Geometry, ino: Ino) -> BlockNo {
        match self {
            Self::Root => inode::block_of(geometry, ino),
            Self::Block(block) => block,
        }
    }
}

/// The used entries of an extent block.
pub(crate) fn node_entries(
    bytes: &[u8],
    owner: Ino,
    depth: u16,
) -> core::result::Result<&[RawExtent], CorruptKind> {
    let (node, rest) = RawNode::ref_from_prefix(bytes).map_err(|_| CorruptKind::NodeMagic)?;
    if node.magic != layout::NODE_MAGIC {
        return Err(CorruptKind::NodeMagic);
    }
    if node.owner.get() != owner.0 {
        return Err(CorruptKind::NodeOwner);
    }
    if node.depth.get() != depth {
        return Err(CorruptKind::NodeDepth);
    }
    let count = node.count.get();
    if !(1..=layout::BLOCK_EXTENTS).contains(&count) {
        return Err(CorruptKind::NodeCount);
    }
    let entries = <[RawExtent]>::ref_from_bytes(rest).map_err(|_| CorruptKind::NodeCount)?;
    entries
        .get(..usize::from(count))
        .ok_or(CorruptKind::NodeCount)
}

/// Looks at the entries of a node with `depth` levels below it.
pub(crate) fn view<R>(
    from: &impl ReadBlock,
    inode: &Inode,
    place: Place,
    depth: u16,
    look: impl FnOnce(&[RawExtent]) -> R,
) -> Result<R> {
    match place {
        Place::Root => Ok(look(inode.area.entries())),
        Place::Block(block) => {
            if !from.geometry().is_data(block.0, 1) {
                let at = inode::block_of(from.geometry(), inode.ino);
                return Err(CorruptKind::ExtentRange.at(at));
            }
            from.read(block, |bytes| {
                node_entries(bytes, inode.ino, depth).map(look)
            })?
            .map_err(|kind| kind.at(block))
        }
    }
}

/// The entries of a node around a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around {
    /// Entries of the node.
    pub(crate) count: usize,
    /// How many of them start at or before the key.
    pub(crate) index: usize,
    /// The entry before `this`.
    pub(crate) before: Option<RawExtent>,
    /// The last entry that starts at or before the key.
    pub(crate) this: Option<RawExtent>,
    /// The first entry that starts behind the key.
    pub(crate) next: Option<RawExtent>,
}

impl Around {
    pub(crate) fn of(entries: &[RawExtent], key: FileBlock) -> Self {
        let index = entries.partition_point(|entry| entry.first.get() <= key.0);
        let at = |back: usize| {
            index
                .checked_sub(back)
                .and_then(|i| entries.get(i))
                .copied()
        };
        Self {
            count: entries.len(),
            index,
            before: at(2),
            this: at(1),
            next: at(0),
        }
    }
}

/// The leaf where `key` belongs, what lies around it, and the key of the next leaf.
pub(crate) fn find_leaf(
    from: &impl ReadBlock,
    inode: &Inode,
    key: FileBlock,
) -> Result<(Place, Around, FileBlock)> {
    let mut place = Place::Root;
    let mut depth = inode.area.depth;
    let mut limit = FileBlock::MAX;
    loop {
        let around = view(from, inode, place, depth, |entries| {
            Around::of(entries, key)
        })?;
        if let Some(next) = around.next {
            limit = limit.min(FileBlock(next.first.get()));
        }
        if limit <= key {
            let block = place.block(from.geometry(), inode.ino);
            return Err(CorruptKind::ExtentOrder.at(block));
        }
        match (depth.checked_sub(1), around.this) {
            // Without a child the key lies before the whole tree: an empty place in this node.
            (None, _) | (_, None) => return Ok((place, around, limit)),
            (Some(below), Some(child)) => {
                place = Place::Block(BlockNo(child.block.get()));
                depth = below;
            }
        }
    }
}

/// What lies at block `at` of a file.
pub(crate) fn lookup(from: &impl ReadBlock, inode: &Inode, at: FileBlock) -> Result<Found> {
    let (place, around, limit) = find_leaf(from, inode, at)?;
    let hole = Found::Hole { end: limit };
    let Some(raw) = around.this else {
        return Ok(hole);
    };
    let run = Mapping::parse(&raw, from.geometry());
    let run = run.and_then(|run| {
        if run.end() > limit {
            return Err(CorruptKind::ExtentOrder);
        }
        Ok(run)
    });
    let run = run.map_err(|kind| kind.at(place.block(from.geometry(), inode.ino)))?;
    Ok(if run.end() > at {
        Found::Run(run)
    } else {
        hole
    })
}

/// Where on the device the file would go on at block `at`: behind the run before it.
pub(crate) fn goal(from: &impl ReadBlock, inode: &Inode, at: FileBlock) -> Result<Option<u64>> {
    let (_, around, _) = find_leaf(from, inode, at)?;
    let run = around
        .this
        .and_then(|raw| Mapping::parse(&raw, from.geometry()).ok());
    Ok(run.map(|run| run.block_end()))
}

/// The block of the device that holds block `at` of a directory or symbolic link.
pub(crate) fn metadata_block(
    from: &impl ReadBlock,
    inode: &Inode,
    at: FileBlock,
) -> Result<BlockNo> {
    let run = metadata_run(from, inode, at)?;
    Ok(BlockNo(run.block))
}

/// The same, and what follows it in one piece.
pub(crate) fn metadata_run(from: &impl ReadBlock, inode: &Inode, at: FileBlock) -> Result<Mapping> {
    let block = inode::block_of(from.geometry(), inode.ino);
    match lookup(from, inode, at)? {
        Found::Hole { .. } => Err(CorruptKind::ExtentHole.at(block)),
        Found::Run(run) if run.unwritten => Err(CorruptKind::ExtentUnwritten.at(block)),
        Found::Run(run) => Ok(run.part(at, run.end())),
    }
}

#[cfg(test)]
mod tests {
    use super::{FileBlock, Mapping};
    use crate::layout::RawExtent;
    use crate::superblock::Geometry;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_survive_a_round_trip_and_stay_inside(
            first in prop_oneof![0u32..100, any::<u32>()],
            len in prop_oneof![0u32..1000, (1u32 << 31)..(1 << 31) + 1000, any::<u32>()],
            block in 0u64..1100,
        ) {
            let geometry = Geometry::new(1024, 64, 64).expect("it fits");
            let raw = RawExtent {
                first: first.into(),
                len: len.into(),
                block: block.into(),
            };
            if let Ok(run) = Mapping::parse(&raw, &geometry) {
                prop_assert_eq!(run.raw(), raw);
                prop_assert!(run.end() <= FileBlock::MAX && run.end() > run.first);
                let data = geometry.data();
                prop_assert!(data.contains(&run.block) && run.block_end() <= data.end);
            }
        }

        #[test]
        fn parts_join_to_the_whole(first in 0u32..1000, len in 2u32..900, cut in 1u32..900) {
            prop_assume!(cut < len);
            let run = Mapping { first: FileBlock(first), len, block: 100, unwritten: true };
            let middle = FileBlock(first + cut);
            let (a, b) = (run.part(run.first, middle), run.part(middle, run.end()));
            prop_assert!(a.joins(&b) && !b.joins(&a));
            let written = Mapping { unwritten: false, ..b };
            prop_assert!(!a.joins(&written));
            prop_assert_eq!((a.len + b.len, a.block, b.block_end()), (len, 100, run.block_end()));
        }
    }

    #[test]
    fn bytes_and_blocks_agree_at_the_edges() {
        assert_eq!(FileBlock::of_byte(4095), Some(FileBlock(0)));
        assert_eq!(
            FileBlock::of_byte((1 << 43) - 1),
            Some(FileBlock((1 << 31) - 1))
        );
        assert_eq!(FileBlock::of_byte(1 << 43), None);
        assert_eq!(FileBlock::behind_byte(0), FileBlock(0));
        assert_eq!(FileBlock::behind_byte(1), FileBlock(1));
        assert_eq!(FileBlock::behind_byte(u64::MAX), FileBlock::MAX);
    }
}
