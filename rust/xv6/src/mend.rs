// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Repairing a file system: what `fsck.xv6 -y` does.
//!
//! A repair does not follow the findings of the checker one by one. It reads everything that can
//! be understood, decides what the file system is, and writes whatever differs from that. Then
//! the checker, which shares no code with it but the parsers of single structures, has the last
//! word.
//!
//! 1. `slots`: which inodes there are, and fields that are possible.
//! 2. `tree`: the blocks of each inode. Of two users of a block the later one loses it, but
//!    directories and links, which can be recognized, come before files.
//! 3. `names`: the entries of all directories that lead somewhere, each directory once.
//! 4. `lost`: what has no name gets one in `lost+found`, or in the root where that has no room,
//!    and all link counts are set.
//! 5. `index`: the indexes of directories, from their entries.
//! 6. `maps`: the bitmaps, from nothing.
//!
//! Nothing is journaled: a repair that was interrupted is started again, and ends the same way.

mod index;
mod lost;
mod maps;
mod names;
mod slots;
mod tree;

use crate::check::{Report, check, push};
use crate::corrupt::CorruptKind;
use crate::inode::{Ino, Inode};
use crate::layout::{self, RawInode};
use crate::mkfs::put;
use crate::superblock::{Geometry, Super};
use alloc::vec;
use alloc::vec::Vec;
use bento::{BlockBuf, BlockDevice, BlockNo, Errno, FileKind, Result};
use zerocopy::IntoBytes;

/// Repairs that are tried before the rest is left to a human. An inode that only a directory
/// entry knows takes one, and what it holds another.
const ROUNDS: u32 = 32;

/// What a repair has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// What was wrong.
    pub before: Report,
    /// What is left.
    pub after: Report,
}

/// Repairs the file system on `dev`, which must not be in use and whose log must be empty
/// ([`crate::check::replay`]). Durable on return. `stage` is told what comes next.
///
/// # Errors
/// As [`check`]; `EROFS`. What was repaired before stays repaired.
pub fn mend<D: BlockDevice>(dev: &D, mut stage: impl FnMut(&'static str)) -> Result<Mended> {
    stage("checking");
    let before = check(dev)?;
    let mut after = before.clone();
    for _ in 0..ROUNDS {
        if after.is_clean() {
            break;
        }
        Mender::new(dev)?.run(&mut stage)?;
        dev.flush()?;
        stage("checking again");
        after = check(dev)?;
    }
    Ok(Mended { before, after })
}

/// An inode in use.
#[derive(Clone, Copy, Debug)]
struct Item {
    ino: Ino,
    kind: FileKind,
    nlink: u32,
    cut: bool,
    /// Directories: the directory that holds it.
    parent: u32,
    /// Entries that name it, and one of the directories that have them.
    names: u32,
    found_in: u32,
    /// Directories among its entries.
    subdirs: u32,
    /// Some directory has an entry for it.
    known: bool,
    /// Directories: the one that holds it has an entry for it.
    rightful: bool,
    reach: Reach,
}

/// Whether the way up from a directory ends at the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Unknown,
    OnTheWay,
    Known,
}

/// A directory.
#[derive(Debug)]
struct Dir {
    ino: Ino,
    /// Its blocks of entries, in order.
    blocks: Vec<u64>,
    /// Its extent blocks.
    nodes: Vec<u64>,
    /// The tree does not say so yet.
    reshape: bool,
    index: Option<index::Index>,
}

/// A repair in progress.
struct Mender<'d, D: BlockDevice> {
    dev: &'d D,
    sup: Super,
    /// Blocks outside of the data area, and blocks that have an owner.
    claims: Claims,
    /// Ascending by number.
    items: Vec<Item>,
    /// Ascending by number.
    dirs: Vec<Dir>,
    /// Files whose size was lost: they end with their last block.
    sizes_lost: Vec<Ino>,
}

impl<'d, D: BlockDevice> Mender<'d, D> {
    fn new(dev: &'d D) -> Result<Self> {
        // A repair writes: it needs every feature that writing needs.
        let sup = Super::read(dev, false)?;
        Ok(Self {
            dev,
            claims: Claims::new(&sup.geometry)?,
            sup,
            items: Vec::new(),
            dirs: Vec::new(),
            sizes_lost: Vec::new(),
        })
    }

    fn run(mut self, stage: &mut impl FnMut(&'static str)) -> Result {
        stage("repairing inodes");
        self.mend_backup()?;
        self.find_inodes()?;
        self.mend_root()?;
        self.mend_trees()?;
        stage("repairing directories");
        if self.adopt()? {
            // There are more inodes than the map said: look at all of it again.
            return Ok(());
        }
        self.mend_directories()?;
        self.reconnect()?;
        self.write_directories()?;
        self.write_links()?;
        stage("writing bitmaps");
        self.write_maps()
    }

    fn geometry(&self) -> Geometry {
        self.sup.geometry
    }

    fn read(&self, block: BlockNo) -> Result<Vec<u8>> {
        Ok(self.dev.read(block)?.bytes()?.to_vec())
    }

    /// The block has the right checksum.
    fn is_sealed(&self, block: BlockNo, bytes: &[u8]) -> bool {
        self.sup.sums().block_is_valid(block, bytes)
    }

    /// Writes a block with its checksum, unless it is like that already.
    fn write(&self, block: BlockNo, bytes: &mut [u8]) -> Result {
        self.sup.sums().seal(block, bytes);
        if *self.read(block)? != *bytes {
            put(self.dev, block, bytes)?;
        }
        Ok(())
    }

    /// What a slot of the inode table holds.
    fn slot(&self, ino: Ino) -> Result<RawInode> {
        let (block, offset) = self.geometry().inode_place(ino);
        layout::get(&self.read(block)?, offset).ok_or(Errno::EIO)
    }

    /// The inode, which `find_inodes` has made possible.
    fn load(&self, ino: Ino) -> Result<Inode> {
        let inode = Inode::parse(ino, &self.slot(ino)?, &self.geometry());
        inode.ok().flatten().ok_or(Errno::EIO)
    }

    /// Writes an inode with its checksum, unless it is like that already.
    fn store(&self, inode: &Inode) -> Result {
        self.store_slot(inode.ino, &inode.raw())
    }

    fn store_slot(&self, ino: Ino, raw: &RawInode) -> Result {
        let (block, offset) = self.geometry().inode_place(ino);
        let mut bytes = self.read(block)?;
        let place = bytes.get_mut(offset.into()..).unwrap_or_default();
        let place = place.get_mut(..size_of::<RawInode>()).ok_or(Errno::EIO)?;
        let sealed = self.sup.sums().seal_inode(ino, raw);
        if *place == *sealed.as_bytes() {
            return Ok(());
        }
        place.copy_from_slice(sealed.as_bytes());
        put(self.dev, block, &bytes)
    }

    fn item(&mut self, ino: u32) -> Option<&mut Item> {
        let index = self.items.binary_search_by_key(&ino, |item| item.ino.0);
        index.ok().and_then(|index| self.items.get_mut(index))
    }

    fn mend_backup(&self) -> Result {
        let mut bytes = self.read(BlockNo(layout::SUPER_BLOCK))?;
        let fields = size_of::<layout::RawSuper>();
        bytes.get_mut(fields..).unwrap_or_default().fill(0);
        let backup = self.geometry().backup();
        let same = self.read(backup)?.get(..fields) == bytes.get(..fields);
        if same {
            Ok(())
        } else {
            put(self.dev, backup, &bytes)
        }
    }

    /// Takes a free block.
    ///
    /// # Errors
    /// `ENOSPC`.
    fn take_block(&mut self) -> Result<u64> {
        let block = self.claims.first_free(self.geometry().data());
        let block = block.ok_or(Errno::ENOSPC)?;
        self.claims.claim(block);
        Ok(block)
    }
}

/// Which blocks have an owner.
struct Claims {
    words: Vec<u64>,
    /// No block before it is free.
    next: u64,
}

impl Claims {
    fn new(geometry: &Geometry) -> Result<Self> {
        let words = usize::try_from(geometry.blocks().div_ceil(64)).map_err(|_| Errno::ENOMEM)?;
        let mut claims = Self {
            words: Vec::new(),
            next: geometry.data().start,
        };
        claims
            .words
            .try_reserve_exact(words)
            .map_err(|_| Errno::ENOMEM)?;
        claims.words.resize(words, 0);
        for block in (0..geometry.data().start).chain(geometry.data().end..geometry.blocks()) {
            claims.claim(block);
        }
        Ok(claims)
    }

    fn has(&self, block: u64) -> bool {
        let word = usize::try_from(block / 64)
            .ok()
            .and_then(|i| self.words.get(i));
        word.is_none_or(|word| word & (1 << (block % 64)) != 0)
    }

    /// Takes a block; `false` where it has an owner.
    fn claim(&mut self, block: u64) -> bool {
        let word = usize::try_from(block / 64)
            .ok()
            .and_then(|i| self.words.get_mut(i));
        let bit = 1 << (block % 64);
        match word {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                true
            }
            _ => false,
        }
    }

    /// Gives a block back.
    fn give(&mut self, block: u64) {
        if let Some(word) = usize::try_from(block / 64)
            .ok()
            .and_then(|i| self.words.get_mut(i))
        {
            *word &= !(1 << (block % 64));
            self.next = self.next.min(block);
        }
    }

    fn first_free(&mut self, data: core::ops::Range<u64>) -> Option<u64> {
        let found = (self.next.max(data.start)..data.end).find(|block| !self.has(*block));
        self.next = found.unwrap_or(data.end);
        found
    }
}

/// How many blocks.
fn count(blocks: &[u64]) -> u64 {
    u64::try_from(blocks.len()).unwrap_or(u64::MAX)
}

/// A block of zeros.
fn zeros() -> Vec<u8> {
    vec![0; layout::BLOCK_SIZE.into()]
}

/// The inode is worth nothing: its slot becomes free.
const HOPELESS: CorruptKind = CorruptKind::InodeKind;
