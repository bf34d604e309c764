// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Renaming and exchanging names.

use crate::corrupt::CorruptKind;
use crate::dir;
use crate::file::valid_now;
use crate::inode::{self, Ino, Node};
use crate::namei::{self, add_link, alive_directory, lose_name};
use crate::superblock::MIN_LOG_BLOCKS;
use crate::txn::{Change, Slot};
use crate::volume::{ReadBlock, Volume};
use bento::{BlockDevice, Errno, FileKind, NewInode, RenameFlags, Request, Result};

/// Four inodes, the orphan map, an entry that changes in place.
const RENAME_CREDITS: usize = 6;
/// An inode that stays under the old name, and the inode map.
const WHITEOUT_CREDITS: usize = 2;
/// No operation on names needs more: the smallest log has room for it, its header and a list.
const _: () = assert!(RENAME_CREDITS + WHITEOUT_CREDITS + dir::MOST_CREDITS + 2 <= 64);
const _: () = assert!(MIN_LOG_BLOCKS == 64);

/// A name in a directory that takes part in the change.
#[derive(Clone, Copy, Debug)]
struct Name<'a> {
    dir: Slot,
    name: &'a [u8],
}

impl<D: BlockDevice> Volume<D> {
    /// Moves a name, or exchanges two.
    pub(crate) fn rename(
        &self,
        req: &Request,
        from: (&Node, &[u8]),
        to: (&Node, &[u8]),
        node: &Node,
        replaced: Option<&Node>,
        flags: RenameFlags,
    ) -> Result {
        let now = valid_now(req)?;
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        let leaves_whiteout = flags.contains(RenameFlags::WHITEOUT);
        if exchange && leaves_whiteout {
            return Err(Errno::EINVAL);
        }
        match replaced {
            Some(_) if flags.contains(RenameFlags::NOREPLACE) => return Err(Errno::EEXIST),
            None if exchange => return Err(Errno::ENOENT),
            Some(other) if other.ino() == node.ino() => return Ok(()),
            _ => {}
        }
        let credits = RENAME_CREDITS + WHITEOUT_CREDITS;
        let mut change = Change::begin_names(self, credits, Some(to.0), Some(from.0))?;
        let child = change.stage(node)?;
        let from = Name {
            dir: change.stage(from.0)?,
            name: from.1,
        };
        let to = Name {
            dir: change.stage(to.0)?,
            name: to.1,
        };
        for dir in [from.dir, to.dir] {
            alive_directory(change.inode(dir))?;
            change.inode(dir).touch(now);
        }
        let whiteout = if leaves_whiteout {
            Some(new_whiteout(&mut change, from.dir, req)?)
        } else {
            None
        };
        if let Some(whiteout) = &whiteout {
            change.stage_new(whiteout)?;
        }
        let stays = whiteout.as_ref().map(Node::ino);
        let other = replaced.map(|other| change.stage(other)).transpose()?;
        match other {
            Some(other) if exchange => swap(&mut change, from, to, child, other)?,
            Some(other) => replace(&mut change, (from, stays), to, child, other)?,
            None => shift(&mut change, (from, stays), to, child)?,
        }
        for slot in [Some(child), other].into_iter().flatten() {
            change.inode(slot).ctime = now;
        }
        change.finish()
    }
}

/// The entry of a name, which must lead to `child`.
fn entry<D: BlockDevice>(
    change: &mut Change<'_, '_, D>,
    name: Name<'_>,
    child: Slot,
) -> Result<dir::Found> {
    let inode = *change.inode(child);
    let (txn, dir) = change.parts(name.dir);
    let found = dir::find(txn, dir, name.name)?.ok_or(Errno::ENOENT)?;
    found.leads_to(&inode)?;
    Ok(found)
}

/// The inode that an overlay wants to find where a name was: a device 0:0.
fn new_whiteout<D: BlockDevice>(
    change: &mut Change<'_, '_, D>,
    dir: Slot,
    req: &Request,
) -> Result<Node> {
    let (txn, dir) = change.parts(dir);
    let new = NewInode::plain(WHITEOUT.mode_bits());
    Ok(Node::new(*namei::take(txn, dir, req, WHITEOUT, &new)?, 0))
}

/// What a whiteout is.
const WHITEOUT: FileKind = FileKind::CharDevice;

/// The old name of `child` goes, or leads to the whiteout `stays`.
fn leave<D: BlockDevice>(
    change: &mut Change<'_, '_, D>,
    (from, stays): (Name<'_>, Option<Ino>),
    child: Slot,
) -> Result {
    let old = entry(change, from, child)?;
    match stays {
        Some(ino) => dir::replace(&mut change.txn, &old, ino, WHITEOUT),
        None => {
            let (txn, dir) = change.parts(from.dir);
            dir::remove(txn, dir, &old)
        }
    }
}

fn is_directory<D: BlockDevice>(change: &mut Change<'_, '_, D>, slot: Slot) -> bool {
    change.inode(slot).kind == FileKind::Directory
}

/// A directory moves to another one.
fn reparent<D: BlockDevice>(
    change: &mut Change<'_, '_, D>,
    child: Slot,
    from: Slot,
    to: Slot,
) -> Result {
    if from == to || !is_directory(change, child) {
        return Ok(());
    }
    let new_parent = change.inode(to).ino.0;
    change.inode(child).parent = new_parent;
    add_link(change.inode(to))?;
    let (txn, old) = change.parts(from);
    let left = old.nlink.checked_sub(1).filter(|left| *left >= 2);
    let at = inode::block_of(txn.geometry(), old.ino);
    old.nlink = left.ok_or_else(|| CorruptKind::LinkCount.at(at))?;
    Ok(())
}

/// To a name that does not exist.
fn shift<D: BlockDevice>(
    change: &mut Change<'_, '_, D>,
    (from, stays): (Name<'_>, Option<Ino>),
    to: Name<'_>,
    child: Slot,
) -> Result {
    let (ino, kind) = (change.inode(child).ino, change.inode(child).kind);
    let (txn, dir) = change.parts(to.dir);
    dir::insert(txn, dir, to.name, ino, kind)?;
    // Found only now: the new entry may have taken the tail of the old one.
    leave(change, (from, stays), child)?;
    reparent(change, child, from.dir, to.dir)
}

/// To a name that exists: its entry is changed in place.
fn replace<D: BlockDevice>(
    change: &mut Change<'_, '_, D>,
    (from, stays): (Name<'_>, Option<Ino>),
    to: Name<'_>,
    child: Slot,
    other: Slot,
) -> Result {
    match (is_directory(change, child), is_directory(change, other)) {
        (true, false) => return Err(Errno::ENOTDIR),
        (false, true) => return Err(Errno::EISDIR),
        _ => {}
    }
    let (ino, kind) = (change.inode(child).ino, change.inode(child).kind);
    let new = entry(change, to, other)?;
    dir::replace(&mut change.txn, &new, ino, kind)?;
    leave(change, (from, stays), child)?;
    // The mover's link first: within one directory its count may not fall below 2 in between.
    reparent(change, child, from.dir, to.dir)?;
    lose_name(change, to.dir, other)
}

/// Both names stay, and each gets what the other had.
fn swap<D: BlockDevice>(
    change: &mut Change<'_, '_, D>,
    from: Name<'_>,
    to: Name<'_>,
    child: Slot,
    other: Slot,
) -> Result {
    let (ino, kind) = (change.inode(child).ino, change.inode(child).kind);
    let (other_ino, other_kind) = (change.inode(other).ino, change.inode(other).kind);
    let first = entry(change, from, child)?;
    let second = entry(change, to, other)?;
    dir::replace(&mut change.txn, &first, other_ino, other_kind)?;
    dir::replace(&mut change.txn, &second, ino, kind)?;
    reparent(change, child, from.dir, to.dir)?;
    reparent(change, other, to.dir, from.dir)
}
