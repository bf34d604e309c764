// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Which inodes there are, and what their fields can be.

use super::{HOPELESS, Item, Mender, Reach, push};
use crate::bitmap::check_head;
use crate::corrupt::CorruptKind;
use crate::inode::{Ino, Inode, attributes_of};
use crate::layout::{self, BITS_PER_BLOCK, INODES_PER_BLOCK, RawExtent, RawInode};
use crate::mkfs::put;
use crate::superblock::Geometry;
use bento::{BlockDevice, BlockNo, FileKind, Result, Timespec};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromZeros, IntoBytes};

/// Rules of an inode that can be broken at once.
const RULES: u32 = 24;

/// How far a block of the inode map can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marks {
    /// One bit for each slot of a table block.
    bits: u16,
    /// The block of the map is in order.
    trusted: bool,
}

impl<D: BlockDevice> Mender<'_, D> {
    pub(super) fn find_inodes(&mut self) -> Result {
        let slots = self.geometry().inodes();
        let mut base = 0;
        while base < slots {
            let index = u64::from(base / BITS_PER_BLOCK);
            let block = BlockNo(self.geometry().inode_map() + index);
            let map = self.read(block)?;
            let trusted = self.is_sealed(block, &map)
                && check_head(&map, layout::INODE_MAP_MAGIC, index).is_ok();
            let (words, _) = layout::payload(&map).as_chunks::<2>();
            let firsts = (base..slots).step_by(16);
            for (first, word) in firsts.zip(words) {
                let bits = u16::from_le_bytes(*word);
                if bits != 0 || !trusted {
                    self.mend_table_block(first, Marks { bits, trusted })?;
                }
            }
            base = base.saturating_add(BITS_PER_BLOCK);
        }
        Ok(())
    }

    fn mend_table_block(&mut self, first: u32, marks: Marks) -> Result {
        for slot in 0..INODES_PER_BLOCK {
            let ino = Ino(first + slot);
            let raw = self.slot(ino)?;
            let marked = marks.bits & (1 << slot) != 0;
            match self.mended(ino, &raw, marked, marks) {
                Some(inode) => {
                    self.store(&inode)?;
                    self.add_item(&inode)?;
                }
                // A table block without used inodes may hold anything.
                None if marks.bits == 0 => {}
                None => self.clear_slot(ino, &raw)?,
            }
        }
        Ok(())
    }

    /// The inode that the slot holds, where it holds one.
    fn mended(&mut self, ino: Ino, raw: &RawInode, marked: bool, marks: Marks) -> Option<Inode> {
        let geometry = self.geometry();
        if ino.0 == 0 {
            return None;
        }
        let sealed = self.sup.sums().inode_is_valid(ino, raw);
        let parsed = Inode::parse(ino, raw, &geometry);
        match parsed {
            // A slot is cleared when its inode is freed: what matches its checksum is in use.
            Ok(inode) if sealed => inode,
            _ if marks.bits == 0 || (!marked && marks.trusted) => None,
            Ok(inode) => inode,
            Err(_) => {
                let (mended, size_lost) = possible(ino, raw, &geometry)?;
                if size_lost {
                    self.sizes_lost.push(ino);
                }
                Some(mended)
            }
        }
    }

    /// Makes a slot free. It keeps its generation.
    pub(super) fn clear_slot(&self, ino: Ino, raw: &RawInode) -> Result {
        if *raw == RawInode::new_zeroed() {
            return Ok(());
        }
        if ino.0 != 0 {
            return self.store_slot(ino, &Inode::free_slot(raw.generation.get()));
        }
        let (block, offset) = self.geometry().inode_place(ino);
        let mut bytes = self.read(block)?;
        let place = bytes.get_mut(offset.into()..).unwrap_or_default();
        let empty = RawInode::new_zeroed();
        for (to, from) in place.iter_mut().zip(empty.as_bytes()) {
            *to = *from;
        }
        put(self.dev, block, &bytes)
    }

    pub(super) fn add_item(&mut self, inode: &Inode) -> Result {
        let item = Item {
            ino: inode.ino,
            kind: inode.kind,
            nlink: inode.nlink,
            cut: inode.cut,
            parent: inode.parent,
            names: 0,
            found_in: 0,
            subdirs: 0,
            known: false,
            rightful: false,
            reach: Reach::Unknown,
        };
        let at = self.items.partition_point(|other| other.ino < inode.ino);
        push(&mut self.items, item)?;
        self.items.get_mut(at..).unwrap_or_default().rotate_right(1);
        Ok(())
    }

    /// There is a root directory, if need be an empty one.
    pub(super) fn mend_root(&mut self) -> Result {
        if self
            .item(Ino::ROOT.0)
            .is_some_and(|root| root.kind == FileKind::Directory)
        {
            let mut root = self.load(Ino::ROOT)?;
            root.parent = Ino::ROOT.0;
            root.nlink = root.nlink.max(2);
            self.item(Ino::ROOT.0)
                .into_iter()
                .for_each(|item| item.nlink = root.nlink);
            return self.store(&root);
        }
        self.items.retain(|item| item.ino != Ino::ROOT);
        let (block, _) = self.geometry().inode_place(Ino::ROOT);
        if self
            .items
            .first()
            .is_none_or(|item| item.ino.0 >= INODES_PER_BLOCK)
        {
            put(self.dev, block, &super::zeros())?;
        }
        let root = self.new_directory(Ino::ROOT, 0o755)?;
        self.store(&root)?;
        self.add_item(&root)
    }

    /// An empty directory in a free slot.
    pub(super) fn new_directory(&self, ino: Ino, permissions: u32) -> Result<Inode> {
        let now = Timespec {
            sec: self.sup.created,
            nsec: 0,
        };
        let before = self.slot(ino)?.generation.get();
        Ok(Inode {
            permissions,
            generation: before.wrapping_add(1),
            ..Inode::empty_directory(ino, now)
        })
    }
}

/// The inode with all fields that are impossible replaced; whether its size was one of them.
/// `None` where nothing is left.
fn possible(ino: Ino, raw: &RawInode, geometry: &Geometry) -> Option<(Inode, bool)> {
    let mut raw = *raw;
    let mut size_lost = false;
    for _ in 0..RULES {
        let kind = match Inode::parse(ino, &raw, geometry) {
            Ok(inode) => return inode.map(|inode| (inode, size_lost)),
            Err(kind) => kind,
        };
        size_lost |= kind == CorruptKind::InodeSize;
        mend_field(&mut raw, kind, geometry)?;
    }
    None
}

/// Replaces what breaks one rule.
fn mend_field(raw: &mut RawInode, broken: CorruptKind, geometry: &Geometry) -> Option<()> {
    let mode = raw.mode.get();
    let kind = FileKind::from_mode(mode)?;
    let directory = kind == FileKind::Directory;
    match broken {
        CorruptKind::InodeMode => raw.mode = (mode & 0o177_777).into(),
        CorruptKind::InodeFlags => {
            let regular = kind == FileKind::Regular;
            let flags = if regular { layout::INODE_FLAGS } else { 0 };
            raw.flags = (raw.flags.get() & flags).into();
            raw.attributes = (raw.attributes.get() & attributes_of(kind)).into();
        }
        CorruptKind::InodeReserved => raw.reserved.fill(0),
        // The tree says how long files and directories are.
        CorruptKind::InodeSize if kind == FileKind::Symlink => return None,
        CorruptKind::InodeSize => raw.size = U64::ZERO,
        CorruptKind::InodeTime => {
            let all = [
                &mut raw.atime_ns,
                &mut raw.mtime_ns,
                &mut raw.ctime_ns,
                &mut raw.btime_ns,
            ];
            all.into_iter()
                .filter(|nsec| nsec.get() >= 1_000_000_000)
                .for_each(|nsec| *nsec = U32::ZERO);
        }
        CorruptKind::InodeLinks => raw.nlink = if directory { 2 } else { 1 }.into(),
        CorruptKind::InodeDevice => raw.rdev = U32::ZERO,
        CorruptKind::InodeParent => raw.parent = if directory { Ino::ROOT.0 } else { 0 }.into(),
        CorruptKind::IndexRange => raw.index = U64::ZERO,
        CorruptKind::XattrRange => raw.xattr = U64::ZERO,
        CorruptKind::InodeExtents => return mend_area(raw, kind, geometry),
        // The kind, or the target of a link: without it nothing is left.
        HOPELESS => return None,
        _ => return None,
    }
    Some(())
}

/// As [`mend_field`], for the block count and the root of the tree.
fn mend_area(raw: &mut RawInode, kind: FileKind, geometry: &Geometry) -> Option<()> {
    if raw.blocks.get() > geometry.blocks() {
        raw.blocks = U64::ZERO;
        return Some(());
    }
    let tree = matches!(kind, FileKind::Regular | FileKind::Directory);
    if kind == FileKind::Symlink {
        return None;
    }
    let count = raw.extents.get().min(layout::ROOT_EXTENTS);
    let deep = raw.depth.get() > layout::MAX_DEPTH;
    if !tree || deep || count == 0 {
        raw.extents = U16::ZERO;
        raw.depth = U16::ZERO;
        raw.area.fill(0);
        return Some(());
    }
    raw.extents = count.into();
    let used = size_of::<RawExtent>() * usize::from(count);
    raw.area.get_mut(used..).unwrap_or_default().fill(0);
    Some(())
}
