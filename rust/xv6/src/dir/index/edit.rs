// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Changes of the index of a directory.
//!
//! Insertion splits full nodes on its way down, so a parent always has room for one more child.
//! Removal goes back up: a node that has become empty goes, one with little left is merged with
//! a neighbour that has room for it. The bound of the first child of a node means nothing, since
//! all that lies before the second belongs to the first.

use super::{Item, Node, Pair, Top, child_of, top, view};
use crate::corrupt::CorruptKind;
use crate::inode::{self, Inode};
use crate::layout::{self, MAX_INDEX_DEPTH, NODE_HEAD, RawChild, RawNode, RawPair, RawTop};
use crate::space::Purpose;
use crate::txn::Txn;
use crate::volume::ReadBlock;
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, Errno, Result};
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32};

/// How far behind the first block of entries an index begins, so that both can grow in one piece.
const DISTANCE: u64 = 256;

/// A new block of the index, all zero.
pub(in crate::dir) fn take<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &mut Inode,
    goal: u64,
) -> Result<BlockNo> {
    let block = BlockNo(
        txn.take_blocks(dir.ino, Some(goal), 1, Purpose::Meta)?
            .start,
    );
    txn.zero(block)?;
    dir.blocks += 1;
    Ok(block)
}

/// Gives back a block of the index.
pub(in crate::dir) fn give_back<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &mut Inode,
    block: BlockNo,
) -> Result {
    let at = inode::block_of(txn.geometry(), dir.ino);
    if !txn.geometry().is_data(block.0, 1) {
        return Err(CorruptKind::IndexRange.at(at));
    }
    let left = dir.blocks.checked_sub(1);
    dir.blocks = left.ok_or_else(|| CorruptKind::BlockCount.at(at))?;
    txn.free_blocks(block.0..block.0 + 1)
}

/// Writes the head of a block of the index.
pub(in crate::dir) fn write_head<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &Inode,
    block: BlockNo,
    magic: U32,
    (count, depth): (usize, u16),
) -> Result {
    let head = RawNode {
        magic,
        checksum: U32::ZERO,
        owner: dir.ino.0.into(),
        count: u16::try_from(count).map_err(|_| Errno::EIO)?.into(),
        depth: depth.into(),
    };
    txn.write(block, 0, head.as_bytes())
}

/// Makes the index of a directory whose first block is `first` and whose entries have these
/// pairs, few enough for one leaf. It has no gap table yet.
pub(in crate::dir) fn build<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &mut Inode,
    first: BlockNo,
    pairs: &[Pair],
) -> Result {
    let block = take(txn, dir, first.0 + DISTANCE)?;
    // There are few; the sort of the library takes much of a kernel stack.
    let mut raw: Vec<RawPair> = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let at = raw.partition_point(|other| other.pair() < *pair);
        raw.insert(at, pair.raw());
    }
    let root = new_node(txn, dir, block, 0, &raw)?;
    write_head(txn, dir, block, layout::TOP_MAGIC, (0, 0))?;
    dir.index = block.0;
    set_root(txn, dir, root, 0)
}

fn set_root<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &Inode,
    root: BlockNo,
    depth: u16,
) -> Result {
    let block = BlockNo(dir.index);
    let mut raw = txn.read(block, |bytes| {
        layout::get::<RawTop>(bytes, 0).ok_or(Errno::EIO)
    })??;
    raw.head.depth = depth.into();
    raw.root = root.0.into();
    txn.write(block, 0, raw.as_bytes())
}

/// The items of a node from `index` on.
fn tail<T: Item, D: BlockDevice>(
    txn: &Txn<'_, D>,
    dir: &Inode,
    node: &Node,
    index: usize,
) -> Result<Vec<T>> {
    view(txn, dir, node, |items: &[T]| {
        items.get(index..).unwrap_or_default().to_vec()
    })
}

/// Writes items from `index` on; the node then ends with them.
fn set_tail<T: Item, D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    node: &Node,
    index: usize,
    items: &[T],
) -> Result {
    if index + items.len() > usize::from(T::MOST) {
        return Err(Errno::EIO);
    }
    txn.write(node.block, item_at::<T>(index)?, items.as_bytes())?;
    set_count(txn, node.block, index + items.len())
}

/// Writes how many items a block of the index has.
pub(in crate::dir) fn set_count<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    block: BlockNo,
    count: usize,
) -> Result {
    let count = U16::new(u16::try_from(count).map_err(|_| Errno::EIO)?);
    txn.write(block, layout::NODE_COUNT_AT, count.as_bytes())
}

/// Moves the items from `index` on to `to`; the node then ends with them.
fn move_tail<T: Item, D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &Inode,
    node: &Node,
    index: usize,
    to: usize,
) -> Result {
    let len = count::<T, D>(txn, dir, node)?;
    let moved = len.checked_sub(index).ok_or(Errno::EIO)?;
    if to + moved > usize::from(T::MOST) {
        return Err(Errno::EIO);
    }
    let (start, end) = (item_at::<T>(index)?, item_at::<T>(len)?);
    txn.copy_within(node.block, start..end, item_at::<T>(to)?)?;
    set_count(txn, node.block, to + moved)
}

/// Where item `index` of a node lies in its block.
fn item_at<T: Item>(index: usize) -> Result<u16> {
    let offset = u16::try_from(index * size_of::<T>()).map_err(|_| Errno::EIO)?;
    Ok(NODE_HEAD + offset)
}

fn insert_at<T: Item, D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &Inode,
    node: &Node,
    index: usize,
    item: T,
) -> Result {
    move_tail::<T, D>(txn, dir, node, index, index + 1)?;
    txn.write(node.block, item_at::<T>(index)?, item.as_bytes())
}

fn remove_at<T: Item, D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &Inode,
    node: &Node,
    index: usize,
) -> Result {
    move_tail::<T, D>(txn, dir, node, index + 1, index)
}

fn count<T: Item, D: BlockDevice>(txn: &Txn<'_, D>, dir: &Inode, node: &Node) -> Result<usize> {
    view(txn, dir, node, <[T]>::len)
}

/// A new node near `goal` with these items.
fn new_node<T: Item, D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &mut Inode,
    goal: BlockNo,
    depth: u16,
    items: &[T],
) -> Result<BlockNo> {
    let block = take(txn, dir, goal.0 + 1)?;
    let head = (items.len(), depth);
    write_head(txn, dir, block, layout::INDEX_MAGIC, head)?;
    txn.write(block, NODE_HEAD, items.as_bytes())?;
    Ok(block)
}

/// Adds a pair.
pub(in crate::dir) fn insert<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &mut Inode,
    pair: Pair,
) -> Result {
    let mut node = roomy_root(txn, dir)?;
    while node.depth > 0 {
        let (index, child, _) = child_of(txn, dir, &node, pair)?;
        node = if child.depth > 0 {
            split::<RawChild, D>(txn, dir, (&node, index), child, pair)?
        } else {
            split::<RawPair, D>(txn, dir, (&node, index), child, pair)?
        };
    }
    let place = view(txn, dir, &node, |pairs: &[RawPair]| {
        pairs.binary_search_by_key(&pair, Item::pair)
    })?;
    match place {
        Ok(_) => Err(CorruptKind::IndexStale.at(node.block)),
        Err(index) => insert_at(txn, dir, &node, index, pair.raw()),
    }
}

/// The root, below a new one where it was full.
fn roomy_root<D: BlockDevice>(txn: &mut Txn<'_, D>, dir: &mut Inode) -> Result<Node> {
    let Top { root, .. } = top(txn, dir)?;
    let full = if root.depth > 0 {
        count::<RawChild, D>(txn, dir, &root)? >= usize::from(RawChild::MOST)
    } else {
        count::<RawPair, D>(txn, dir, &root)? >= usize::from(RawPair::MOST)
    };
    if !full {
        return Ok(root);
    }
    if root.depth >= MAX_INDEX_DEPTH {
        return Err(Errno::ENOSPC);
    }
    let only = RawChild {
        first: Pair { hash: 0, at: 0 }.raw(),
        block: root.block.0.into(),
    };
    let depth = root.depth + 1;
    let block = new_node(txn, dir, root.block, depth, &[only])?;
    set_root(txn, dir, block, depth)?;
    Ok(Node {
        block,
        depth,
        may_be_empty: false,
    })
}

/// Splits a child where it is full; returns the part where `key` belongs.
fn split<T: Item, D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &mut Inode,
    (parent, index): (&Node, usize),
    child: Node,
    key: Pair,
) -> Result<Node> {
    let len = count::<T, D>(txn, dir, &child)?;
    if len < usize::from(T::MOST) {
        return Ok(child);
    }
    let upper: Vec<T> = tail(txn, dir, &child, len / 2)?;
    let bound = upper.first().ok_or(Errno::EIO)?.pair();
    let block = new_node(txn, dir, child.block, child.depth, &upper)?;
    set_count(txn, child.block, len / 2)?;
    let entry = RawChild {
        first: bound.raw(),
        block: block.0.into(),
    };
    insert_at(txn, dir, parent, index + 1, entry)?;
    Ok(if key >= bound {
        Node { block, ..child }
    } else {
        child
    })
}

/// Removes a pair.
pub(in crate::dir) fn remove<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &mut Inode,
    pair: Pair,
) -> Result {
    let mut path = Vec::new();
    let mut node = top(txn, dir)?.root;
    while node.depth > 0 {
        let (index, child, _) = child_of(txn, dir, &node, pair)?;
        path.push((node, index));
        node = child;
    }
    let place = view(txn, dir, &node, |pairs: &[RawPair]| {
        pairs.binary_search_by_key(&pair, Item::pair)
    })?;
    let place = place.map_err(|_| CorruptKind::IndexMissing.at(node.block))?;
    remove_at::<RawPair, D>(txn, dir, &node, place)?;
    while let Some((parent, index)) = path.pop() {
        let gone = if node.depth > 0 {
            shrink::<RawChild, D>(txn, dir, (&parent, index), &node)?
        } else {
            shrink::<RawPair, D>(txn, dir, (&parent, index), &node)?
        };
        if !gone {
            return Ok(());
        }
        node = parent;
    }
    lower_root(txn, dir)
}

/// A node has lost an item: it goes where it is empty, and is merged with a neighbour where both
/// have little left. Returns whether the parent has lost a child by that.
fn shrink<T: Item, D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &mut Inode,
    (parent, index): (&Node, usize),
    node: &Node,
) -> Result<bool> {
    let node = Node {
        may_be_empty: true,
        ..*node
    };
    let left = count::<T, D>(txn, dir, &node)?;
    if left == 0 {
        give_back(txn, dir, node.block)?;
        remove_at::<RawChild, D>(txn, dir, parent, index)?;
        return Ok(true);
    }
    let most = usize::from(T::MOST);
    if left > most / 4 {
        return Ok(false);
    }
    for second in [index + 1, index] {
        let pair = view(txn, dir, parent, |children: &[RawChild]| {
            let first = children.get(second.checked_sub(1)?)?;
            Some((*first, *children.get(second)?))
        })?;
        let Some((first, next)) = pair else { continue };
        let (into, from) = (parent.child(&first), parent.child(&next));
        let kept = count::<T, D>(txn, dir, &into)?;
        let moved = count::<T, D>(txn, dir, &from)?;
        if kept + moved <= most * 3 / 4 {
            let mut items: Vec<T> = tail(txn, dir, &from, 0)?;
            if let Some(item) = items.first_mut() {
                item.set_bound(next.pair());
            }
            set_tail(txn, &into, kept, &items)?;
            give_back(txn, dir, from.block)?;
            remove_at::<RawChild, D>(txn, dir, parent, second)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// An only child becomes the root; without any, the root becomes an empty leaf.
fn lower_root<D: BlockDevice>(txn: &mut Txn<'_, D>, dir: &mut Inode) -> Result {
    for _ in 0..MAX_INDEX_DEPTH {
        let root = Node {
            may_be_empty: true,
            ..top(txn, dir)?.root
        };
        if root.depth == 0 {
            break;
        }
        let (len, first) = view(txn, dir, &root, |children: &[RawChild]| {
            (children.len(), children.first().copied())
        })?;
        match first {
            None => {
                write_head(txn, dir, root.block, layout::INDEX_MAGIC, (0, 0))?;
                set_root(txn, dir, root.block, 0)?;
            }
            Some(child) if len == 1 => {
                set_root(txn, dir, root.child(&child).block, root.depth - 1)?;
                give_back(txn, dir, root.block)?;
            }
            Some(_) => break,
        }
    }
    Ok(())
}

/// Frees the last node of the index of a directory that is going away; `false` where that was
/// the root.
pub(in crate::dir) fn drop_node<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    dir: &mut Inode,
) -> Result<bool> {
    let mut parent = None;
    let mut node = top(txn, dir)?.root;
    while node.depth > 0 {
        node.may_be_empty = true;
        let last = view(txn, dir, &node, |children: &[RawChild]| {
            let index = children.len().checked_sub(1)?;
            Some((index, node.child(children.last()?)))
        })?;
        let Some((index, child)) = last else { break };
        parent = Some((node, index));
        node = child;
    }
    give_back(txn, dir, node.block)?;
    let Some((parent, index)) = parent else {
        return Ok(false);
    };
    set_count(txn, parent.block, index)?;
    Ok(true)
}
