// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The index of a directory: where the entries with a name of a given hash lie.
//!
//! A tree of pairs (hash, position), sorted. All leaves are at one level; inner nodes hold
//! children with a lower bound of their pairs. Pairs differ even where hashes are equal, so
//! collisions need no special place. This file reads the tree, `index/edit.rs` changes it. The
//! *top* of the index knows the root and the tables of `gaps.rs`.

mod edit;

pub(super) use edit::{build, drop_node, give_back, insert, remove, set_count, take, write_head};

use crate::corrupt::CorruptKind;
use crate::extent::FileBlock;
use crate::inode::{self, Ino, Inode};
use crate::layout::{self, BLOCK_SIZE, DIR_ALIGN, RawChild, RawNode, RawPair, RawTop};
use crate::volume::ReadBlock;
use bento::{BlockNo, Result};
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Positions of entries in a block.
const PER_BLOCK: u32 = 512;
const _: () = assert!(BLOCK_SIZE / DIR_ALIGN == 512);

/// The hash of a name, and the position of its entry in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pair {
    pub(crate) hash: u32,
    /// In multiples of [`DIR_ALIGN`].
    pub(crate) at: u32,
}

impl Pair {
    /// The pair of an entry at byte `at` of a block.
    pub(crate) fn new(hash: u32, block: FileBlock, at: u16) -> Self {
        let at = block.0 * PER_BLOCK + u32::from(at / DIR_ALIGN);
        Self { hash, at }
    }

    /// The block of the entry, and the byte in it.
    pub(super) fn place(self) -> (FileBlock, u16) {
        let at = u16::try_from(self.at % PER_BLOCK).unwrap_or_default();
        (FileBlock(self.at / PER_BLOCK), at * DIR_ALIGN)
    }

    /// The least pair behind this one, of the same hash.
    pub(super) fn next_position(self) -> Option<Self> {
        let at = self.at.checked_add(1)?;
        Some(Self { at, ..self })
    }

    pub(crate) fn of(raw: &RawPair) -> Self {
        Self {
            hash: raw.hash.get(),
            at: raw.at.get(),
        }
    }

    pub(crate) fn raw(self) -> RawPair {
        RawPair {
            hash: self.hash.into(),
            at: self.at.into(),
        }
    }
}

/// What nodes are made of: pairs in leaves, children in inner nodes.
pub(crate) trait Item:
    FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + Copy
{
    /// How many a node can hold.
    const MOST: u16;

    /// The pair, or the bound of the child.
    fn pair(&self) -> Pair;

    /// Takes the bound `pair` where the item is a child.
    fn set_bound(&mut self, pair: Pair);
}

impl Item for RawPair {
    const MOST: u16 = layout::LEAF_PAIRS;

    fn pair(&self) -> Pair {
        Pair::of(self)
    }

    fn set_bound(&mut self, _: Pair) {}
}

impl Item for RawChild {
    const MOST: u16 = layout::NODE_CHILDREN;

    fn pair(&self) -> Pair {
        Pair::of(&self.first)
    }

    fn set_bound(&mut self, pair: Pair) {
        self.first = pair.raw();
    }
}

/// Validates the head of a block of the index, and returns it.
pub(crate) fn check_head(
    bytes: &[u8],
    magic: U32,
    owner: Ino,
) -> core::result::Result<RawNode, CorruptKind> {
    let head: RawNode = layout::get(bytes, 0).ok_or(CorruptKind::IndexMagic)?;
    if head.magic != magic {
        return Err(CorruptKind::IndexMagic);
    }
    if head.owner.get() != owner.0 {
        return Err(CorruptKind::IndexOwner);
    }
    Ok(head)
}

/// The validated top of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Top {
    /// The root node.
    pub(crate) root: Node,
    /// Gap tables.
    pub(crate) tables: u16,
}

impl Top {
    pub(crate) fn parse(bytes: &[u8], owner: Ino) -> core::result::Result<Self, CorruptKind> {
        let head = check_head(bytes, layout::TOP_MAGIC, owner)?;
        let top: RawTop = layout::get(bytes, 0).ok_or(CorruptKind::IndexMagic)?;
        if head.depth.get() > layout::MAX_INDEX_DEPTH {
            return Err(CorruptKind::IndexDepth);
        }
        if head.count.get() > layout::TOP_TABLES {
            return Err(CorruptKind::IndexCount);
        }
        if top.reserved != [0; 8] {
            return Err(CorruptKind::IndexReserved);
        }
        let root = Node {
            block: BlockNo(top.root.get()),
            depth: head.depth.get(),
            may_be_empty: head.depth.get() == 0,
        };
        Ok(Self {
            root,
            tables: head.count.get(),
        })
    }
}

/// Looks at a block of the index of `dir`.
pub(super) fn look<R>(
    from: &impl ReadBlock,
    dir: &Inode,
    block: BlockNo,
    look: impl FnOnce(&[u8]) -> core::result::Result<R, CorruptKind>,
) -> Result<R> {
    if !from.geometry().is_data(block.0, 1) {
        return Err(CorruptKind::IndexRange.at(inode::block_of(from.geometry(), dir.ino)));
    }
    from.read(block, look)?.map_err(|kind| kind.at(block))
}

/// The top of the index of a directory that has one.
pub(super) fn top(from: &impl ReadBlock, dir: &Inode) -> Result<Top> {
    look(from, dir, BlockNo(dir.index), |bytes| {
        Top::parse(bytes, dir.ino)
    })
}

/// A node of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) block: BlockNo,
    /// Levels below it: 0 is a leaf.
    pub(crate) depth: u16,
    /// The only leaf of a directory without entries is; so are nodes that are about to go.
    pub(crate) may_be_empty: bool,
}

impl Node {
    /// A child of this node.
    pub(crate) fn child(&self, raw: &RawChild) -> Self {
        Self {
            block: BlockNo(raw.block.get()),
            depth: self.depth.saturating_sub(1),
            may_be_empty: false,
        }
    }
}

/// The items of a node; the caller knows from its depth which kind it has.
pub(crate) fn items<'b, T: Item>(
    bytes: &'b [u8],
    owner: Ino,
    node: &Node,
) -> core::result::Result<&'b [T], CorruptKind> {
    let head = check_head(bytes, layout::INDEX_MAGIC, owner)?;
    if head.depth.get() != node.depth {
        return Err(CorruptKind::IndexDepth);
    }
    let count = head.count.get();
    if count > T::MOST || (count == 0 && !node.may_be_empty) {
        return Err(CorruptKind::IndexCount);
    }
    let rest = bytes.get(size_of::<RawNode>()..).unwrap_or_default();
    let all = <[T]>::ref_from_bytes(rest).map_err(|_| CorruptKind::IndexCount)?;
    all.get(..count.into()).ok_or(CorruptKind::IndexCount)
}

/// Looks at the items of a node.
fn view<T: Item, R>(
    from: &impl ReadBlock,
    dir: &Inode,
    node: &Node,
    see: impl FnOnce(&[T]) -> R,
) -> Result<R> {
    look(from, dir, node.block, |bytes| {
        items(bytes, dir.ino, node).map(see)
    })
}

/// The child of an inner node where `key` belongs, its index, and the bound of the next child.
/// Whatever lies before the second child belongs to the first.
fn child_of(
    from: &impl ReadBlock,
    dir: &Inode,
    node: &Node,
    key: Pair,
) -> Result<(usize, Node, Option<Pair>)> {
    let found = view(from, dir, node, |children: &[RawChild]| {
        let behind = children.partition_point(|child| child.pair() <= key).max(1);
        let next = children.get(behind).map(Item::pair);
        let index = behind - 1;
        children
            .get(index)
            .map(|raw| (index, node.child(raw), next))
    })?;
    found.ok_or_else(|| CorruptKind::IndexCount.at(node.block))
}

/// The first pair that has the hash of `key` and is not less than `key`.
pub(super) fn next(from: &impl ReadBlock, dir: &Inode, key: Pair) -> Result<Option<Pair>> {
    let mut key = key;
    let root = top(from, dir)?.root;
    loop {
        let mut node = root;
        let mut limit = None;
        while node.depth > 0 {
            let (_, child, next) = child_of(from, dir, &node, key)?;
            limit = next.or(limit);
            node = child;
        }
        let found = view(from, dir, &node, |pairs: &[RawPair]| {
            let index = pairs.partition_point(|pair| pair.pair() < key);
            pairs.get(index).map(Item::pair)
        })?;
        match (found, limit.filter(|limit| limit.hash == key.hash)) {
            (None, Some(limit)) if limit > key => key = limit,
            (found, _) => return Ok(found.filter(|pair| pair.hash == key.hash)),
        }
    }
}

/// The directory has no entries.
pub(super) fn is_empty(from: &impl ReadBlock, dir: &Inode) -> Result<bool> {
    let root = top(from, dir)?.root;
    if root.depth > 0 {
        return Ok(false);
    }
    view(from, dir, &root, <[RawPair]>::is_empty)
}

#[cfg(test)]
mod tests {
    use super::{FileBlock, Pair};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pairs_lead_back_to_their_place(hash: u32, block in 0u32..254 * 2040, at in 2u16..512) {
            let pair = Pair::new(hash, FileBlock(block), at * 8);
            prop_assert_eq!(pair.place(), (FileBlock(block), at * 8));
            prop_assert_eq!(Pair::of(&pair.raw()), pair);
            prop_assert!(pair < pair.next_position().expect("not the last"));
        }
    }
}
