// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Files: where their data lies, how space is added, filled and given back.
//!
//! Data never passes here. Space is taken unwritten and becomes written once the host says that
//! data is on the device, and only then does the size on disk move: a crash exposes no stale
//! block.

use crate::dir;
use crate::extent::{self, FileBlock, Found, Mapping, TREE_CREDITS};
use crate::inode::{Inode, MAX_FILE_SIZE, Node, attributes_of};
use crate::layout::BLOCK_SIZE;
use crate::space::Purpose;
use crate::txn::{Change, Slot};
use crate::volume::Volume;
use crate::xattr;
use bento::{BlockDevice, Errno, Extent, ExtentKind, FileKind, Request, Result, SetAttr};
use bento::{SetAttrMask, Timespec};

/// Inode, orphan map, and the inode map.
pub(crate) const INODE_CREDITS: usize = 3;
/// A run, its bitmap, its inode.
const ALLOCATE_CREDITS: usize = INODE_CREDITS + 1 + TREE_CREDITS;
/// Enough for a run to be split twice; what is left converts more.
const COMMIT_CREDITS: usize = INODE_CREDITS + 1 + 2 * TREE_CREDITS;
/// One step of a truncation: 16 bitmap blocks, and the path to the last leaf; one more bitmap for
/// the extended attributes of an inode that goes as a whole.
const CUT_CREDITS: usize = INODE_CREDITS + 1 + 16 + CUT_RESERVE;
/// What one [`extent::cut_tail`] may change: a bitmap, and each node of the path with its bitmap.
const CUT_RESERVE: usize = 1 + 2 * 4;
/// Runs that one step of a truncation frees at most.
const CUT_RUNS: usize = 2048;

/// What a run is, as hosts want it.
fn extent_of(run: &Mapping, new: bool) -> Extent {
    let device = run.block * u64::from(BLOCK_SIZE);
    Extent {
        offset: run.first.byte(),
        len: u64::from(run.len) * u64::from(BLOCK_SIZE),
        kind: if run.unwritten {
            ExtentKind::Unwritten(device)
        } else {
            ExtentKind::Mapped(device)
        },
        new,
    }
}

fn hole(at: FileBlock, end: FileBlock) -> Extent {
    Extent::hole(at.byte(), end.byte() - at.byte())
}

pub(crate) fn regular(inode: &Inode) -> Result {
    match inode.kind {
        FileKind::Regular => Ok(()),
        FileKind::Directory => Err(Errno::EISDIR),
        _ => Err(Errno::EINVAL),
    }
}

impl<D: BlockDevice> Volume<D> {
    /// What lies at byte `offset`.
    pub(crate) fn map(&self, node: &Node, offset: u64) -> Result<Extent> {
        let state = node.read()?;
        regular(&state.inode)?;
        let Some(at) = FileBlock::of_byte(offset) else {
            let block = u64::from(BLOCK_SIZE);
            return Ok(Extent::hole(offset - offset % block, block));
        };
        // Blocks behind the size of a half-truncated file are on their way out.
        let visible = if state.inode.cut {
            FileBlock::behind_byte(state.inode.size)
        } else {
            FileBlock::MAX
        };
        if at >= visible {
            return Ok(hole(at, FileBlock::MAX));
        }
        Ok(match extent::lookup(self, &state.inode, at)? {
            Found::Hole { end } => hole(at, end),
            Found::Run(run) => extent_of(&run.part(run.first, run.end().min(visible)), false),
        })
    }

    /// As [`Volume::map`], but fills a hole with unwritten space: up to `len` bytes.
    pub(crate) fn allocate(&self, node: &Node, offset: u64, len: u64) -> Result<Extent> {
        let at = FileBlock::of_byte(offset).ok_or(Errno::EFBIG)?;
        let wanted = FileBlock::behind_byte(offset.saturating_add(len.max(1)));
        loop {
            let mut change = Change::begin(self, ALLOCATE_CREDITS.max(CUT_CREDITS))?;
            let slot = change.stage(node)?;
            regular(change.inode(slot))?;
            if change.inode(slot).cut {
                // Left over from a truncation that failed: its blocks must not come back.
                let size = FileBlock::behind_byte(change.inode(slot).size);
                change.inode(slot).cut = cut(&mut change, slot, size)?;
                change.finish()?;
                continue;
            }
            let (txn, inode) = change.parts(slot);
            let hole_end = match extent::lookup(txn, inode, at)? {
                Found::Run(run) => return Ok(extent_of(&run, false)),
                Found::Hole { end } => end,
            };
            let want = hole_end.min(wanted).0 - at.0;
            let run = extent::fill(txn, inode, at, want, Purpose::Data)?;
            change.finish()?;
            return Ok(extent_of(&run, true));
        }
    }

    /// Data of `len` bytes from `offset` on is on the device; the size becomes at least `size`.
    pub(crate) fn commit(&self, node: &Node, offset: u64, len: u64, size: u64) -> Result {
        if size > MAX_FILE_SIZE {
            return Err(Errno::EFBIG);
        }
        let end = FileBlock::behind_byte(offset.saturating_add(len));
        let mut at = FileBlock::of_byte(offset).unwrap_or(FileBlock::MAX);
        loop {
            let mut change = Change::begin(self, COMMIT_CREDITS)?;
            let slot = change.stage(node)?;
            let (txn, inode) = change.parts(slot);
            regular(inode)?;
            if at < end {
                at = extent::mark(txn, inode, at, end, false)?;
            }
            if at >= end {
                inode.size = inode.size.max(size);
                return change.finish();
            }
            change.finish()?;
        }
    }

    /// Sets attributes; `EAGAIN` while blocks are left to free.
    pub(crate) fn setattr(&self, node: &Node, set: &SetAttr) -> Result {
        let resizes = set.mask.contains(SetAttrMask::SIZE);
        let credits = if resizes { CUT_CREDITS } else { INODE_CREDITS };
        let mut change = Change::begin(self, credits)?;
        let slot = change.stage(node)?;
        let mut again = false;
        if resizes {
            again = resize(&mut change, slot, set.size)?;
        }
        assign(change.inode(slot), set)?;
        change.finish()?;
        if again { Err(Errno::EAGAIN) } else { Ok(()) }
    }

    /// Frees blocks behind the size of a half-truncated file; `EAGAIN` while some are left.
    pub(crate) fn finish_cut(&self, node: &Node) -> Result {
        let mut change = Change::begin(self, CUT_CREDITS)?;
        let slot = change.stage(node)?;
        let size = FileBlock::behind_byte(change.inode(slot).size);
        let again = cut(&mut change, slot, size)?;
        change.inode(slot).cut = again;
        change.finish()?;
        if again { Err(Errno::EAGAIN) } else { Ok(()) }
    }

    /// Frees an inode without a name; `EAGAIN` while blocks of it are left.
    #[inline(never)]
    pub(crate) fn forget(&self, node: &Node) -> Result {
        {
            let state = node.read()?;
            if state.inode.nlink > 0 || state.freed {
                return Ok(());
            }
        }
        let mut change = Change::begin(self, CUT_CREDITS)?;
        let slot = change.stage(node)?;
        if change.inode(slot).kind != FileKind::Symlink {
            change.inode(slot).size = 0;
        }
        let (txn, inode) = change.parts(slot);
        xattr::free(txn, inode)?;
        let kept = INODE_CREDITS + CUT_RESERVE;
        let again = dir::drop_index(txn, inode, kept)? || cut(&mut change, slot, FileBlock(0))?;
        if !again {
            change.free(slot)?;
        }
        change.finish()?;
        if again { Err(Errno::EAGAIN) } else { Ok(()) }
    }

    /// Makes an inode durable.
    pub(crate) fn fsync(&self, node: &Node) -> Result {
        let sequence = node.read()?.sequence;
        self.journal.commit_through(sequence)
    }
}

/// Gives a file a new size; returns whether blocks are left to free.
fn resize<D: BlockDevice>(change: &mut Change<'_, '_, D>, slot: Slot, size: u64) -> Result<bool> {
    let inode = change.inode(slot);
    regular(inode)?;
    if size > MAX_FILE_SIZE {
        return Err(Errno::EFBIG);
    }
    // Where an earlier truncation is unfinished, its blocks go before the file may grow.
    let keep = if inode.cut {
        size.min(inode.size)
    } else {
        size
    };
    inode.size = keep;
    let again = cut(change, slot, FileBlock::behind_byte(keep))?;
    let inode = change.inode(slot);
    inode.cut = again;
    if !again {
        inode.size = size;
    }
    Ok(again)
}

/// Frees blocks of the file at or behind `from`, as far as one transaction goes; returns whether
/// some are left.
fn cut<D: BlockDevice>(
    change: &mut Change<'_, '_, D>,
    slot: Slot,
    from: FileBlock,
) -> Result<bool> {
    let (txn, inode) = change.parts(slot);
    for _ in 0..CUT_RUNS {
        if txn.credits_left() < INODE_CREDITS + CUT_RESERVE {
            return Ok(true);
        }
        if !extent::cut_tail(txn, inode, from)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Takes over everything but the size.
fn assign(inode: &mut Inode, set: &SetAttr) -> Result {
    let wants = |bit| set.mask.contains(bit);
    let valid = |time: &Timespec| time.nsec < 1_000_000_000;
    if ![&set.atime, &set.mtime, &set.ctime].into_iter().all(valid) {
        return Err(Errno::EINVAL);
    }
    if wants(SetAttrMask::MODE) {
        inode.permissions = set.mode & 0o7777;
    }
    if wants(SetAttrMask::UID) {
        inode.uid = set.uid;
    }
    if wants(SetAttrMask::GID) {
        inode.gid = set.gid;
    }
    if wants(SetAttrMask::FLAGS) {
        inode.attributes = set.flags.bits() & attributes_of(inode.kind);
    }
    if wants(SetAttrMask::ATIME) {
        inode.atime = set.atime;
    }
    if wants(SetAttrMask::MTIME) {
        inode.mtime = set.mtime;
    }
    if wants(SetAttrMask::CTIME) {
        inode.ctime = set.ctime;
    }
    Ok(())
}

/// The times of a request must be storable.
pub(crate) fn valid_now(req: &Request) -> Result<Timespec> {
    if req.now.nsec >= 1_000_000_000 {
        return Err(Errno::EINVAL);
    }
    Ok(req.now)
}
