// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finding what is wrong with a file system: the heart of `fsck.xv6`, and the oracle after every
//! simulated crash.
//!
//! The checker reads the device itself and trusts no bitmap. It shares the layout and the parsers
//! of single structures with the file system, but no code that walks, allocates or counts.
//!
//! 1. `inodes`: which inodes are in use; their extent trees and indexes (`index`); which blocks
//!    those take.
//! 2. `names`: the entries of all directories, against their indexes; links, parents,
//!    reachability.
//! 3. `maps`: the three bitmaps against what 1 and 2 have found.

mod index;
mod inodes;
mod maps;
mod names;
mod used;
mod xattrs;

use crate::corrupt::CorruptKind;
use crate::dir::NameHash;
use crate::extent::Mapping;
use crate::inode::{self, Ino, Inode};
use crate::layout;
use crate::superblock::{Geometry, Super};
use alloc::vec::Vec;
use bento::{BlockBuf, BlockDevice, BlockNo, Errno, FileKind, Result};
use core::ops::Range;
use journal::Journal;
use used::Used;

/// Findings that a report holds at most: a badly damaged device could have millions.
pub const MAX_FINDINGS: usize = 10_000;

/// One thing that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What is wrong.
    pub kind: CorruptKind,
    /// With which inode, where it concerns one.
    pub ino: Option<Ino>,
    /// In which block.
    pub block: BlockNo,
}

impl Finding {
    /// Repairing it costs nothing and decides nothing: it concerns only what follows from
    /// something else.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        match self.kind {
            // Bitmaps are made anew, and so are indexes, which have a kind of their own; other
            // blocks may have lost what they held.
            CorruptKind::BlockChecksum => self.ino.is_none(),
            kind => kind.is_derived(),
        }
    }
}

impl core::fmt::Display for Finding {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.ino {
            Some(ino) => write!(f, "inode {ino}, block {}: {}", self.block, self.kind),
            None => write!(f, "block {}: {}", self.block, self.kind),
        }
    }
}

/// What a check has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Everything that is wrong, in the order of the checks; at most [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// There were more findings than the report holds.
    pub more: bool,
    /// Inodes in use that are no directories.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Inodes for which the next mount has work to do. They are no damage.
    pub orphans: u64,
    /// Blocks that files and directories use.
    pub used_blocks: u64,
    /// Blocks that files can use.
    pub data_blocks: u64,
}

impl Report {
    /// Nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// This kind of damage was found.
    #[must_use]
    pub fn has(&self, kind: CorruptKind) -> bool {
        self.findings.iter().any(|finding| finding.kind == kind)
    }
}

/// Replays the log where the last use ended in a crash, as a mount would. [`check`] needs that
/// first: before it, half of an operation may be on the device and the other half in the log.
///
/// # Errors
/// `EROFS`: a replay is needed and the device is read-only. Otherwise as [`check`].
pub fn replay<D: BlockDevice>(dev: D) -> Result {
    let read_only = dev.read_only();
    let sup = Super::read(&dev, true)?;
    let (log, log_blocks) = sup.geometry.log();
    let journal = Journal::open(dev, log, log_blocks, read_only)?;
    if read_only {
        return Ok(());
    }
    journal.close()
}

/// Checks the file system on `dev`, which must not be in use, or must have been synced and stay
/// quiet. Changes nothing.
///
/// # Errors
/// As [`Super::read`] where there is no file system to check; `EIO`; `ENOMEM`.
pub fn check<D: BlockDevice>(dev: &D) -> Result<Report> {
    check_watched(dev, &mut |_| ())
}

/// As [`check`]; `watch` is told how much is done, in percent, each time that has grown.
///
/// # Errors
/// As [`check`].
pub fn check_watched<D: BlockDevice>(dev: &D, watch: &mut dyn FnMut(u8)) -> Result<Report> {
    let sup = Super::read(dev, true)?;
    check_names_by(dev, sup, NameHash::new(&sup.uuid), watch)
}

/// As [`check`], for a file system that was used with another hash.
#[cfg(test)]
pub(crate) fn check_hashed<D: BlockDevice>(dev: &D, names: NameHash) -> Result<Report> {
    check_names_by(dev, Super::read(dev, true)?, names, &mut |_| ())
}

fn check_names_by<D: BlockDevice>(
    dev: &D,
    sup: Super,
    names: NameHash,
    watch: &mut dyn FnMut(u8),
) -> Result<Report> {
    let data = sup.geometry.data();
    let mut checker = Checker {
        dev,
        sup,
        names,
        report: Report {
            data_blocks: data.end - data.start,
            ..Report::default()
        },
        used: Used::new(&sup.geometry)?,
        inodes: Vec::new(),
        directories: Vec::new(),
        watch,
        done: 0,
    };
    checker.check_backup()?;
    checker.check_inodes()?;
    checker.check_names()?;
    checker.check_maps()?;
    Ok(checker.report)
}

/// An inode in use, as far as it matters for others.
#[derive(Clone, Copy, Debug)]
struct Seen {
    ino: Ino,
    kind: FileKind,
    nlink: u32,
    /// As the inode says.
    parent: u32,
    orphan: bool,
    /// Entries that name it.
    names: u32,
    /// The directory of one of those entries; 0 where there is none.
    found_in: u32,
    /// Directories among its entries.
    subdirs: u32,
    reach: Reach,
}

/// Whether a directory can be reached from the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Not looked at yet.
    Unknown,
    /// Looked at right now: meeting it again means that directories contain each other.
    OnTheWay,
    /// It was looked at.
    Known,
}

/// A directory, between the passes.
struct Directory {
    inode: Inode,
    /// Its blocks, ascending.
    runs: Vec<Mapping>,
    index: index::Index,
}

/// A check in progress.
struct Checker<'d, D: BlockDevice> {
    dev: &'d D,
    sup: Super,
    names: NameHash,
    report: Report,
    used: Used,
    /// Ascending by number.
    inodes: Vec<Seen>,
    directories: Vec<Directory>,
    /// Is told how many percent are done.
    watch: &'d mut dyn FnMut(u8),
    done: u8,
}

/// The parts of a check, in percent: most of what is read is read by the first.
const INODES: Range<u8> = 0..80;
const NAMES: Range<u8> = 80..95;
const MAPS: Range<u8> = 95..100;

impl<D: BlockDevice> Checker<'_, D> {
    /// `now` of `all` steps of a part are done.
    fn advance(&mut self, part: &Range<u8>, now: u64, all: u64) {
        let share = u64::from(part.end - part.start).saturating_mul(now) / all.max(1);
        let done = u8::try_from(share).map_or(part.end, |share| part.start.saturating_add(share));
        if done > self.done {
            self.done = done;
            (self.watch)(done);
        }
    }

    fn geometry(&self) -> Geometry {
        self.sup.geometry
    }

    fn find(&mut self, kind: CorruptKind, ino: Option<Ino>, block: BlockNo) {
        if self.report.findings.len() >= MAX_FINDINGS {
            self.report.more = true;
            return;
        }
        self.report.findings.push(Finding { kind, ino, block });
    }

    /// A finding about an inode as a whole.
    fn find_inode(&mut self, kind: CorruptKind, ino: Ino) {
        let block = inode::block_of(&self.geometry(), ino);
        self.find(kind, Some(ino), block);
    }

    fn read<R>(&self, block: BlockNo, look: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let buf = self.dev.read(block)?;
        let bytes = buf.bytes()?;
        Ok(look(&bytes))
    }

    /// A copy of a metadata block, whose checksum should be right. Its contents are looked at in
    /// any case: where they are wrong, too, they say more.
    fn sealed_copy(&mut self, block: BlockNo, ino: Option<Ino>) -> Result<Vec<u8>> {
        self.copy_and_verify(block, CorruptKind::BlockChecksum, ino)
    }

    fn copy_and_verify(
        &mut self,
        block: BlockNo,
        wrong: CorruptKind,
        ino: Option<Ino>,
    ) -> Result<Vec<u8>> {
        let bytes = self.copy(block)?;
        if !self.sup.sums().block_is_valid(block, &bytes) {
            self.find(wrong, ino, block);
        }
        Ok(bytes)
    }

    /// A copy of a block, for checks that change the report while they look at it.
    fn copy(&self, block: BlockNo) -> Result<Vec<u8>> {
        self.read(block, <[u8]>::to_vec)
    }

    fn seen(&mut self, ino: u32) -> Option<&mut Seen> {
        let index = self.inodes.binary_search_by_key(&ino, |seen| seen.ino.0);
        index.ok().and_then(|index| self.inodes.get_mut(index))
    }

    fn check_backup(&mut self) -> Result {
        let super_block = BlockNo(layout::SUPER_BLOCK);
        let backup = self.geometry().backup();
        let first: Option<layout::RawSuper> = self.read(super_block, |b| layout::get(b, 0))?;
        let second: Option<layout::RawSuper> = self.read(backup, |b| layout::get(b, 0))?;
        if first != second {
            self.find(CorruptKind::SuperBackup, None, backup);
        }
        Ok(())
    }
}

/// Room for one more element, or `ENOMEM`.
pub(crate) fn push<T>(list: &mut Vec<T>, value: T) -> Result {
    list.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    list.push(value);
    Ok(())
}
