// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Changes of the map of a file.
//!
//! Insertion goes down once and splits full nodes on its way, so a parent always has room for
//! one more child. Runs are joined within a leaf only, hence no leaf ever becomes empty here;
//! `extent/cut.rs` removes runs, and nodes with the last of them.

use super::{Around, FileBlock, Found, Mapping, Place, find_leaf, goal, lookup, view};
use crate::corrupt::CorruptKind;
use crate::inode::{self, Inode};
use crate::layout::{self, BLOCK_EXTENTS, MAX_DEPTH, ROOT_EXTENTS};
use crate::layout::{EXTENT_SIZE, NODE_COUNT_AT, NODE_HEAD, RawExtent, RawNode};
use crate::space::Purpose;
use crate::txn::Txn;
use crate::volume::ReadBlock;
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, Errno, Result};
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32};

/// Blocks that one insertion may change: at each level a child, its new sibling and the bitmap
/// of that, and the same once for a new level below the root. (The inode is counted apart.)
pub(crate) const TREE_CREDITS: usize = 3 * 4 + 2;
const _: () = assert!(MAX_DEPTH == 4);

/// As [`TREE_CREDITS`], for the tree as it is.
pub(crate) fn insert_credits(inode: &Inode) -> usize {
    3 * usize::from(inode.area.depth) + 2
}

/// Adds a run where the file has a hole.
fn add<D: BlockDevice>(txn: &mut Txn<'_, D>, inode: &mut Inode, run: Mapping) -> Result {
    inode.blocks += u64::from(run.len);
    let (place, around, limit) = find_leaf(txn, inode, run.first)?;
    debug_assert!(run.end() <= limit, "{run:?} meets the next run");
    if let (Some(raw), Some(last)) = (around.this, around.index.checked_sub(1)) {
        let before = parse(txn, inode, place, &raw)?;
        if before.end() > run.first {
            return Err(CorruptKind::ExtentOrder.at(inode::block_of(txn.geometry(), inode.ino)));
        }
        if before.joins(&run) {
            return set(txn, inode, place, last, &join(&before, &run).raw());
        }
    }
    insert(txn, inode, &run.raw())
}

/// Credits without which [`mark`] would not come far: two insertions, and the leaf where they
/// start.
pub(crate) const MARK_CREDITS: usize = 2 * TREE_CREDITS + 1;

/// Makes all space between `start` and `end` unwritten or written, as far as credits go; returns
/// how far it came.
pub(crate) fn mark<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    start: FileBlock,
    end: FileBlock,
    unwritten: bool,
) -> Result<FileBlock> {
    let mut at = start;
    while at < end {
        at = match lookup(txn, inode, at)? {
            Found::Hole { end } => end,
            Found::Run(run) if run.unwritten == unwritten => run.end(),
            Found::Run(run) => {
                if txn.credits_left() < MARK_CREDITS {
                    return Ok(at);
                }
                let part = at..end.min(run.end());
                convert(txn, inode, &run, part.start, part.end)?;
                part.end
            }
        };
    }
    Ok(end)
}

/// Makes the part `start..end` of `run` unwritten where it was written, and the other way round.
fn convert<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    run: &Mapping,
    start: FileBlock,
    end: FileBlock,
) -> Result {
    let (place, around, _) = find_leaf(txn, inode, start)?;
    let index = around.index.checked_sub(1).ok_or(Errno::EIO)?;
    let middle = Mapping {
        unwritten: !run.unwritten,
        ..run.part(start, end)
    };
    let before = neighbour(txn, inode, place, around.before)?.filter(|m| m.joins(&middle));
    let next = neighbour(txn, inode, place, around.next)?.filter(|m| middle.joins(m));
    let left = run.part(run.first, start);
    let right = run.part(end, run.end());
    match (left.len > 0, right.len > 0) {
        (false, false) => whole(txn, inode, place, &around, before, middle, next),
        (false, true) => {
            if let Some(before) = before {
                set(txn, inode, place, index - 1, &join(&before, &middle).raw())?;
                return set(txn, inode, place, index, &right.raw());
            }
            set(txn, inode, place, index, &middle.raw())?;
            insert(txn, inode, &right.raw())
        }
        (true, false) => {
            set(txn, inode, place, index, &left.raw())?;
            match next {
                Some(next) => set(txn, inode, place, index + 1, &join(&middle, &next).raw()),
                None => insert(txn, inode, &middle.raw()),
            }
        }
        (true, true) => {
            set(txn, inode, place, index, &left.raw())?;
            insert(txn, inode, &middle.raw())?;
            insert(txn, inode, &right.raw())
        }
    }
}

/// Replaces a whole run by `middle`, joined with its neighbours where they fit.
fn whole<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    place: Place,
    around: &Around,
    before: Option<Mapping>,
    middle: Mapping,
    next: Option<Mapping>,
) -> Result {
    let index = around.index.checked_sub(1).ok_or(Errno::EIO)?;
    let mut joined = middle;
    let mut gone = 0;
    if let Some(next) = next {
        joined = join(&joined, &next);
        gone += 1;
    }
    let mut at = index;
    if let Some(before) = before.filter(|m| m.joins(&joined)) {
        joined = join(&before, &joined);
        at = index - 1;
        gone += 1;
    }
    set(txn, inode, place, at, &joined.raw())?;
    remove(txn, inode, place, around.count, at + 1, gone)
}

fn join(a: &Mapping, b: &Mapping) -> Mapping {
    Mapping {
        len: a.len + b.len,
        ..*a
    }
}

pub(super) fn parse<D: BlockDevice>(
    txn: &Txn<'_, D>,
    inode: &Inode,
    place: Place,
    raw: &RawExtent,
) -> Result<Mapping> {
    Mapping::parse(raw, txn.geometry())
        .map_err(|kind| kind.at(place.block(txn.geometry(), inode.ino)))
}

fn neighbour<D: BlockDevice>(
    txn: &Txn<'_, D>,
    inode: &Inode,
    place: Place,
    raw: Option<RawExtent>,
) -> Result<Option<Mapping>> {
    raw.map(|raw| parse(txn, inode, place, &raw)).transpose()
}

/// Where entry `index` of an extent block lies.
fn offset(index: usize) -> Result<u16> {
    let index = u16::try_from(index).map_err(|_| Errno::EIO)?;
    if index > BLOCK_EXTENTS {
        return Err(Errno::EIO);
    }
    Ok(NODE_HEAD + EXTENT_SIZE * index)
}

pub(super) fn set<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    place: Place,
    index: usize,
    raw: &RawExtent,
) -> Result {
    match place {
        Place::Root => {
            let slot = inode.area.slots().get_mut(index).ok_or(Errno::EIO)?;
            *slot = *raw;
            Ok(())
        }
        Place::Block(block) => txn.write(block, offset(index)?, raw.as_bytes()),
    }
}

pub(super) fn set_count<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    place: Place,
    count: usize,
) -> Result {
    let count = u16::try_from(count).map_err(|_| Errno::EIO)?;
    match place {
        Place::Root => {
            inode.area.extents = count;
            let unused = inode.area.slots().get_mut(usize::from(count)..);
            unused.unwrap_or_default().fill(EMPTY);
            Ok(())
        }
        Place::Block(block) => txn.write(block, NODE_COUNT_AT, U16::new(count).as_bytes()),
    }
}

const EMPTY: RawExtent = RawExtent {
    first: U32::ZERO,
    len: U32::ZERO,
    block: zerocopy::little_endian::U64::ZERO,
};

/// The entries of a node from `index` on.
pub(super) fn tail<D: BlockDevice>(
    txn: &Txn<'_, D>,
    inode: &Inode,
    (place, depth): (Place, u16),
    index: usize,
) -> Result<Vec<RawExtent>> {
    view(txn, inode, place, depth, |entries| {
        entries.get(index..).unwrap_or_default().to_vec()
    })
}

/// Writes entries from `index` on; the node then ends with them.
pub(super) fn set_tail<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    place: Place,
    index: usize,
    entries: &[RawExtent],
) -> Result {
    set_count(txn, inode, place, index + entries.len())?;
    match place {
        Place::Root => {
            let slots = inode.area.slots().get_mut(index..).ok_or(Errno::EIO)?;
            for (slot, entry) in slots.iter_mut().zip(entries) {
                *slot = *entry;
            }
            Ok(())
        }
        Place::Block(block) => txn.write(block, offset(index)?, entries.as_bytes()),
    }
}

/// Removes `gone` entries of a leaf from `index` on.
fn remove<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    place: Place,
    count: usize,
    index: usize,
    gone: usize,
) -> Result {
    if gone == 0 {
        return Ok(());
    }
    debug_assert!(index > 0 && index + gone <= count);
    let rest = tail(txn, inode, (place, 0), index + gone)?;
    set_tail(txn, inode, place, index, &rest)
}

/// Adds an entry to a node that has room.
fn insert_at<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    node: (Place, u16),
    index: usize,
    raw: &RawExtent,
) -> Result {
    let mut entries = tail(txn, inode, node, index)?;
    entries.insert(0, *raw);
    set_tail(txn, inode, node.0, index, &entries)
}

/// Adds an entry to the leaf where it belongs.
pub(super) fn insert<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    raw: &RawExtent,
) -> Result {
    if inode.area.extents == ROOT_EXTENTS {
        grow(txn, inode)?;
    }
    let key = FileBlock(raw.first.get());
    let mut place = Place::Root;
    for depth in (1..=inode.area.depth).rev() {
        place = descend(txn, inode, (place, depth), key)?;
    }
    let index = view(txn, inode, place, 0, |entries| {
        Around::of(entries, key).index
    })?;
    insert_at(txn, inode, (place, 0), index, raw)
}

/// The child of an inner node where `key` belongs, split where it was full.
fn descend<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    (place, depth): (Place, u16),
    key: FileBlock,
) -> Result<Place> {
    let (around, first) = view(txn, inode, place, depth, |entries| {
        (Around::of(entries, key), entries.first().copied())
    })?;
    let (index, child) = match (around.index.checked_sub(1), around.this) {
        (Some(index), Some(child)) => (index, child),
        _ => {
            // The key lies before the whole tree: its first child takes it, so its bound falls.
            let mut child = first.ok_or(Errno::EIO)?;
            child.first = key.0.into();
            set(txn, inode, place, 0, &child)?;
            (0, child)
        }
    };
    let child = Place::Block(BlockNo(child.block.get()));
    let entries = tail(txn, inode, (child, depth - 1), 0)?;
    if entries.len() < usize::from(BLOCK_EXTENTS) {
        return Ok(child);
    }
    // A file that is written from start to end leaves full nodes behind.
    let appends = entries.last().is_some_and(|last| last.first.get() <= key.0);
    let cut = if appends {
        entries.len() - 1
    } else {
        entries.len() / 2
    };
    let (_, upper) = entries.split_at_checked(cut).ok_or(Errno::EIO)?;
    let bound = upper.first().ok_or(Errno::EIO)?.first;
    let sibling = new_node(txn, inode, depth - 1, upper)?;
    set_count(txn, inode, child, cut)?;
    let entry = RawExtent {
        first: bound,
        len: U32::ZERO,
        block: sibling.0.into(),
    };
    insert_at(txn, inode, (place, depth), index + 1, &entry)?;
    Ok(if key.0 >= bound.get() {
        Place::Block(sibling)
    } else {
        child
    })
}

/// Moves the entries of the root into a new node below it.
fn grow<D: BlockDevice>(txn: &mut Txn<'_, D>, inode: &mut Inode) -> Result {
    let depth = inode.area.depth;
    if depth >= MAX_DEPTH {
        return Err(Errno::EFBIG);
    }
    let entries = tail(txn, inode, (Place::Root, depth), 0)?;
    let bound = entries.first().ok_or(Errno::EIO)?.first;
    let child = new_node(txn, inode, depth, &entries)?;
    let entry = RawExtent {
        first: bound,
        len: U32::ZERO,
        block: child.0.into(),
    };
    inode.area.depth = depth + 1;
    set_tail(txn, inode, Place::Root, 0, &[entry])
}

/// A new extent block with these entries.
fn new_node<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    depth: u16,
    entries: &[RawExtent],
) -> Result<BlockNo> {
    let block = BlockNo(txn.take_blocks(inode.ino, None, 1, Purpose::Tree)?.start);
    let head = RawNode {
        magic: layout::NODE_MAGIC,
        checksum: U32::ZERO,
        owner: inode.ino.0.into(),
        count: u16::try_from(entries.len()).map_err(|_| Errno::EIO)?.into(),
        depth: depth.into(),
    };
    txn.zero(block)?;
    txn.write(block, 0, head.as_bytes())?;
    txn.write(block, NODE_HEAD, entries.as_bytes())?;
    inode.blocks += 1;
    Ok(block)
}

/// Gives back blocks of the inode.
pub(super) fn free<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    start: u64,
    end: u64,
) -> Result {
    let left = inode.blocks.checked_sub(end - start);
    let at = inode::block_of(txn.geometry(), inode.ino);
    inode.blocks = left.ok_or_else(|| CorruptKind::BlockCount.at(at))?;
    txn.free_blocks(start..end)
}

/// Fills the hole at `at` with up to `want` unwritten blocks.
pub(crate) fn fill<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    at: FileBlock,
    want: u32,
    purpose: Purpose,
) -> Result<Mapping> {
    let goal = goal(txn, inode, at)?;
    let blocks = txn.take_blocks(inode.ino, goal, want, purpose)?;
    let run = Mapping {
        first: at,
        len: u32::try_from(blocks.end - blocks.start).map_err(|_| Errno::EIO)?,
        block: blocks.start,
        unwritten: purpose == Purpose::Data,
    };
    add(txn, inode, run)?;
    Ok(run)
}
