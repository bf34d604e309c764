// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Inodes: from bytes to a validated value and back, and the node that a host keeps.

use crate::corrupt::CorruptKind;
use crate::layout::{self, AREA_SIZE, RawExtent, RawInode};
use crate::locks;
use crate::superblock::Geometry;
use crate::txn::Txn;
use crate::volume::ReadBlock;
use alloc::boxed::Box;
use bento::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use bento::{Attr, BlockDevice, BlockNo, Errno, FileKind, InodeFlags, InodeNo, Result, Timespec};
use zerocopy::little_endian::{I64, U32};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// The number of an inode of this file system: below the number of slots, and not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ino(pub(crate) u32);

impl Ino {
    /// The root directory.
    pub const ROOT: Self = Self(1);

    /// As the number that hosts use.
    #[must_use]
    pub fn number(self) -> InodeNo {
        InodeNo(self.0.into())
    }
}

impl core::fmt::Display for Ino {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

/// The most names of an inode.
pub const LINK_MAX: u32 = 1 << 30;
/// The largest file in bytes (8 TiB).
pub const MAX_FILE_SIZE: u64 = 1 << 43;
/// The longest target of a symbolic link.
pub const LINK_TARGET_MAX: u64 = 4095;
const PERMISSIONS: u32 = 0o7777;
const NSEC: u32 = 1_000_000_000;

/// The root of an extent tree, or a short symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    /// Used entries.
    pub(crate) extents: u16,
    /// Levels of extent blocks below.
    pub(crate) depth: u16,
    /// Unused bytes are zero.
    pub(crate) bytes: [u8; AREA_SIZE],
}

impl Area {
    pub(crate) const EMPTY: Self = Self {
        extents: 0,
        depth: 0,
        bytes: [0; AREA_SIZE],
    };

    /// The used entries.
    pub(crate) fn entries(&self) -> &[RawExtent] {
        let all = <[RawExtent]>::ref_from_bytes(&self.bytes).unwrap_or_default();
        all.get(..usize::from(self.extents)).unwrap_or(all)
    }

    /// All entries, used or not.
    pub(crate) fn slots(&mut self) -> &mut [RawExtent] {
        <[RawExtent]>::mut_from_bytes(&mut self.bytes).unwrap_or_default()
    }
}

/// A validated inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inode {
    pub(crate) ino: Ino,
    pub(crate) kind: FileKind,
    pub(crate) permissions: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) nlink: u32,
    pub(crate) size: u64,
    pub(crate) blocks: u64,
    pub(crate) atime: Timespec,
    pub(crate) mtime: Timespec,
    pub(crate) ctime: Timespec,
    pub(crate) btime: Timespec,
    pub(crate) generation: u32,
    /// A truncation is unfinished: blocks behind the size are left-overs.
    pub(crate) cut: bool,
    pub(crate) rdev: u32,
    /// The directory that holds this directory; 0 for other kinds.
    pub(crate) parent: u32,
    /// The block of extended attributes; 0 where there are none.
    pub(crate) xattr: u64,
    /// Some of [`layout::ATTRIBUTES`], and only those of its kind ([`attributes_of`]).
    pub(crate) attributes: u32,
    /// The top of the index of a directory; 0 where there is none.
    pub(crate) index: u64,
    pub(crate) area: Area,
}

impl Inode {
    /// An empty directory in the root directory, of the superuser, with all times `now`.
    pub(crate) const fn empty_directory(ino: Ino, now: Timespec) -> Self {
        Self {
            ino,
            kind: FileKind::Directory,
            permissions: 0o755,
            uid: 0,
            gid: 0,
            nlink: 2,
            size: 0,
            blocks: 0,
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
            generation: 1,
            cut: false,
            rdev: 0,
            parent: Ino::ROOT.0,
            xattr: 0,
            attributes: 0,
            index: 0,
            area: Area::EMPTY,
        }
    }

    /// Validates the inode `ino`, but for its checksum; `None` for a free slot.
    pub(crate) fn parse(
        ino: Ino,
        raw: &RawInode,
        geometry: &Geometry,
    ) -> core::result::Result<Option<Self>, CorruptKind> {
        if raw.mode == U32::ZERO {
            return Ok(None);
        }
        let mode = raw.mode.get();
        let kind = FileKind::from_mode(mode).ok_or(CorruptKind::InodeKind)?;
        let flags = raw.flags.get();
        ensure(
            mode == (kind.mode_bits() | (mode & PERMISSIONS)),
            CorruptKind::InodeMode,
        )?;
        ensure(flags & !layout::INODE_FLAGS == 0, CorruptKind::InodeFlags)?;
        let inode = Self {
            ino,
            kind,
            permissions: mode & PERMISSIONS,
            uid: raw.uid.get(),
            gid: raw.gid.get(),
            nlink: raw.nlink.get(),
            size: raw.size.get(),
            blocks: raw.blocks.get(),
            atime: time(raw.atime, raw.atime_ns)?,
            mtime: time(raw.mtime, raw.mtime_ns)?,
            ctime: time(raw.ctime, raw.ctime_ns)?,
            btime: time(raw.btime, raw.btime_ns)?,
            generation: raw.generation.get(),
            cut: flags & layout::INODE_CUT != 0,
            rdev: raw.rdev.get(),
            parent: raw.parent.get(),
            xattr: raw.xattr.get(),
            attributes: raw.attributes.get(),
            index: raw.index.get(),
            area: Area {
                extents: raw.extents.get(),
                depth: raw.depth.get(),
                bytes: raw.area,
            },
        };
        let zeros = raw.reserved == [0; 4];
        ensure(zeros, CorruptKind::InodeReserved)?;
        inode.validate(geometry)?;
        Ok(Some(inode))
    }

    /// The rules that hold for the fields together.
    pub(crate) fn validate(&self, geometry: &Geometry) -> core::result::Result<(), CorruptKind> {
        let directory = self.kind == FileKind::Directory;
        let size_fits = match self.kind {
            FileKind::Regular => self.size <= MAX_FILE_SIZE,
            FileKind::Directory => self.size <= MAX_FILE_SIZE && self.size.is_multiple_of(4096),
            FileKind::Symlink => (1..=LINK_TARGET_MAX).contains(&self.size),
            _ => self.size == 0,
        };
        ensure(size_fits, CorruptKind::InodeSize)?;
        let links = self.nlink <= LINK_MAX && !(directory && self.nlink == 1);
        ensure(links, CorruptKind::InodeLinks)?;
        ensure(
            !self.cut || self.kind == FileKind::Regular,
            CorruptKind::InodeFlags,
        )?;
        let device = matches!(self.kind, FileKind::CharDevice | FileKind::BlockDevice);
        ensure(device || self.rdev == 0, CorruptKind::InodeDevice)?;
        let parent = if directory {
            geometry.ino(self.parent.into()).is_some()
        } else {
            self.parent == 0
        };
        ensure(parent, CorruptKind::InodeParent)?;
        let attributes = self.attributes & !attributes_of(self.kind) == 0;
        ensure(attributes, CorruptKind::InodeFlags)?;
        let xattr = self.xattr == 0 || geometry.is_data(self.xattr, 1);
        ensure(xattr, CorruptKind::XattrRange)?;
        let index = directory && geometry.is_data(self.index, 1);
        ensure(index || self.index == 0, CorruptKind::IndexRange)?;
        ensure(self.blocks <= geometry.blocks(), CorruptKind::InodeExtents)?;
        self.validate_area()
    }

    fn validate_area(&self) -> core::result::Result<(), CorruptKind> {
        let area = &self.area;
        let used = if self.is_inline_link() {
            usize::try_from(self.size).unwrap_or(AREA_SIZE)
        } else {
            size_of::<RawExtent>() * usize::from(area.extents) + self.link_rest()
        };
        let tail_is_zero = area
            .bytes
            .get(used..)
            .is_some_and(|tail| tail.iter().all(|byte| *byte == 0));
        let tree = match self.kind {
            FileKind::Regular | FileKind::Directory => {
                area.depth <= layout::MAX_DEPTH && (area.depth == 0 || area.extents > 0)
            }
            FileKind::Symlink => {
                area.depth == 0 && area.extents == u16::from(!self.is_inline_link())
            }
            _ => area.depth == 0 && area.extents == 0,
        };
        ensure(tail_is_zero && tree, CorruptKind::InodeExtents)?;
        let target = match (self.is_inline_link(), self.link_rest()) {
            (true, _) => area.bytes.get(..used),
            (false, 0) => None,
            (false, _) => area.bytes.get(layout::LINK_REST_AT..used),
        };
        let valid = target.is_none_or(|target| !target.contains(&0));
        ensure(valid, CorruptKind::LinkTarget)
    }

    /// Bytes of the target of a symbolic link that its block has no room for.
    pub(crate) fn link_rest(&self) -> usize {
        let rest = self.size.saturating_sub(layout::BLOCK_PAYLOAD.into());
        let link = self.kind == FileKind::Symlink;
        usize::try_from(rest).ok().filter(|_| link).unwrap_or(0)
    }

    /// The inode belongs into the orphan map: after a crash work is left to do for it.
    pub(crate) fn is_orphan(&self) -> bool {
        self.nlink == 0 || self.cut
    }

    /// A symbolic link whose target lies in the inode.
    pub(crate) fn is_inline_link(&self) -> bool {
        self.kind == FileKind::Symlink && usize::try_from(self.size).is_ok_and(|s| s <= AREA_SIZE)
    }

    /// The bytes of this inode, but for its checksum.
    pub(crate) fn raw(&self) -> RawInode {
        let flags = if self.cut { layout::INODE_CUT } else { 0 };
        RawInode {
            mode: U32::new(self.mode()),
            uid: self.uid.into(),
            gid: self.gid.into(),
            nlink: self.nlink.into(),
            size: self.size.into(),
            blocks: self.blocks.into(),
            atime: self.atime.sec.into(),
            mtime: self.mtime.sec.into(),
            ctime: self.ctime.sec.into(),
            btime: self.btime.sec.into(),
            atime_ns: self.atime.nsec.into(),
            mtime_ns: self.mtime.nsec.into(),
            ctime_ns: self.ctime.nsec.into(),
            btime_ns: self.btime.nsec.into(),
            generation: self.generation.into(),
            flags: flags.into(),
            rdev: self.rdev.into(),
            parent: self.parent.into(),
            xattr: self.xattr.into(),
            checksum: U32::ZERO,
            extents: self.area.extents.into(),
            depth: self.area.depth.into(),
            attributes: self.attributes.into(),
            reserved: [0; 4],
            index: self.index.into(),
            area: self.area.bytes,
        }
    }

    /// A free slot that remembers its generation.
    pub(crate) fn free_slot(generation: u32) -> RawInode {
        RawInode {
            generation: generation.into(),
            ..RawInode::new_zeroed()
        }
    }

    /// Kind and permissions.
    pub(crate) fn mode(&self) -> u32 {
        self.kind.mode_bits() | self.permissions
    }

    /// As the host wants it.
    pub(crate) fn attr(&self) -> Attr {
        Attr {
            ino: self.ino.number(),
            generation: self.generation,
            mode: self.mode(),
            nlink: self.nlink,
            uid: self.uid,
            gid: self.gid,
            rdev: self.rdev,
            size: self.size,
            blocks: self.blocks.saturating_mul(8),
            atime: self.atime,
            mtime: self.mtime,
            ctime: self.ctime,
            btime: self.btime,
            flags: InodeFlags::from_bits_truncate(self.attributes),
            has_xattrs: self.xattr != 0,
        }
    }

    /// The contents of a directory or the inode itself changed.
    pub(crate) fn touch(&mut self, now: Timespec) {
        self.mtime = now;
        self.ctime = now;
    }

    /// Reads the inode `ino`; `None` for a free slot.
    pub(crate) fn load(from: &impl ReadBlock, ino: Ino) -> Result<Option<Self>> {
        let geometry = from.geometry();
        let (block, offset) = geometry.inode_place(ino);
        let raw: RawInode = from.read_ahead(block, geometry.inodes_behind(block), |bytes| {
            layout::get(bytes, offset).ok_or(Errno::EIO)
        })??;
        if !from.sums().inode_is_valid(ino, &raw) {
            return Err(CorruptKind::InodeChecksum.at(block));
        }
        Self::parse(ino, &raw, geometry).map_err(|kind| kind.at(block))
    }

    /// Writes the inode.
    pub(crate) fn store<D: BlockDevice>(&self, txn: &mut Txn<'_, D>) -> Result {
        debug_assert_eq!(self.validate(txn.geometry()), Ok(()), "{self:?}");
        store_raw(txn, self.ino, &self.raw())
    }
}

/// The attributes that an inode of this kind can have: as with ext4, what steers writing is of no
/// use for devices and links.
pub(crate) const fn attributes_of(kind: FileKind) -> u32 {
    match kind {
        FileKind::Directory => layout::ATTRIBUTES,
        FileKind::Regular => layout::ATTRIBUTES & !layout::ATTRIBUTE_DIRSYNC,
        _ => layout::ATTRIBUTE_NODUMP | layout::ATTRIBUTE_NOATIME,
    }
}

/// Writes a slot of the inode table, with its checksum.
pub(crate) fn store_raw<D: BlockDevice>(txn: &mut Txn<'_, D>, ino: Ino, raw: &RawInode) -> Result {
    let (block, offset) = txn.geometry().inode_place(ino);
    let sealed = txn.sums().seal_inode(ino, raw);
    txn.write(block, offset, sealed.as_bytes())
}

/// Where an inode lies, for reports.
pub(crate) fn block_of(geometry: &Geometry, ino: Ino) -> BlockNo {
    geometry.inode_place(ino).0
}

fn ensure(holds: bool, kind: CorruptKind) -> core::result::Result<(), CorruptKind> {
    if holds { Ok(()) } else { Err(kind) }
}

fn time(sec: I64, nsec: U32) -> core::result::Result<Timespec, CorruptKind> {
    let (sec, nsec) = (sec.get(), nsec.get());
    ensure(nsec < NSEC, CorruptKind::InodeTime)?;
    Ok(Timespec { sec, nsec })
}

/// What a node guards.
#[derive(Debug)]
pub(crate) struct State {
    /// As the journal has it: changed only after the journal took the change.
    pub(crate) inode: Inode,
    /// The transaction of the last change, or a later one from before the inode was loaded.
    pub(crate) sequence: u64,
    /// The inode was freed; the node is about to be dropped.
    pub(crate) freed: bool,
}

/// An inode in use.
#[derive(Debug)]
pub struct Node {
    ino: Ino,
    /// Boxed, since nodes are moved about by value and a kernel stack is small.
    state: Box<RwLock<State>>,
}

impl Node {
    /// `inode` may have been changed by transaction `sequence` or older ones; for a new one that
    /// is not known yet.
    #[inline(never)]
    pub(crate) fn new(inode: Inode, sequence: u64) -> Self {
        Self {
            ino: inode.ino,
            state: Box::new(RwLock::of(
                locks::NODE,
                State {
                    inode,
                    sequence,
                    freed: false,
                },
            )),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn ino(&self) -> Ino {
        self.ino
    }

    pub(crate) fn read(&self) -> Result<RwLockReadGuard<'_, State>> {
        Ok(self.state.read()?)
    }

    pub(crate) fn write(&self) -> Result<RwLockWriteGuard<'_, State>> {
        Ok(self.state.write()?)
    }

    /// A copy of the inode.
    pub(crate) fn inode(&self) -> Result<Inode> {
        Ok(self.read()?.inode)
    }
}

#[cfg(test)]
mod tests {
    use super::{Area, Ino, Inode};
    use crate::layout::RawInode;
    use crate::superblock::Geometry;
    use alloc::vec::Vec;
    use bento::{FileKind, Timespec};
    use proptest::prelude::*;
    use zerocopy::FromBytes;

    fn geometry() -> Geometry {
        Geometry::new(1024, 64, 64).expect("it fits")
    }

    fn example(kind: FileKind, size: u64) -> Inode {
        let time = Timespec {
            sec: -5,
            nsec: 999_999_999,
        };
        Inode {
            ino: Ino(9),
            kind,
            permissions: 0o7777,
            uid: u32::MAX,
            gid: 1,
            nlink: 2,
            size,
            blocks: 0,
            atime: time,
            mtime: time,
            ctime: time,
            btime: time,
            generation: 3,
            cut: kind == FileKind::Regular,
            rdev: 0,
            parent: u32::from(kind == FileKind::Directory),
            xattr: 1000,
            attributes: super::attributes_of(kind),
            index: if kind == FileKind::Directory { 1000 } else { 0 },
            area: Area::EMPTY,
        }
    }

    #[test]
    fn inodes_of_every_kind_survive_a_round_trip() {
        let kinds = [
            (FileKind::Regular, 1 << 43),
            (FileKind::Directory, 8192),
            (FileKind::Fifo, 0),
            (FileKind::Socket, 0),
            (FileKind::CharDevice, 0),
            (FileKind::BlockDevice, 0),
        ];
        for (kind, size) in kinds {
            let inode = example(kind, size);
            assert_eq!(
                Inode::parse(Ino(9), &inode.raw(), &geometry()),
                Ok(Some(inode))
            );
        }
        let mut link = example(FileKind::Symlink, 128);
        link.area.bytes = [b'x'; 128];
        assert_eq!(
            Inode::parse(Ino(9), &link.raw(), &geometry()),
            Ok(Some(link))
        );
        let free = Inode::free_slot(7);
        assert_eq!(Inode::parse(Ino(9), &free, &geometry()), Ok(None));
    }

    proptest! {
        /// What is accepted is understood completely: writing it gives the same bytes. (The
        /// checksum is looked at elsewhere.)
        #[test]
        fn no_accepted_byte_is_ignored(at in 0usize..256, value: u8, size in 0u64..1 << 43) {
            let raw = example(FileKind::Regular, size).raw();
            let mut bytes: Vec<u8> = zerocopy::IntoBytes::as_bytes(&raw).to_vec();
            bytes[at] = value;
            let raw = RawInode::read_from_bytes(&bytes).expect("256 bytes");
            if let Ok(Some(inode)) = Inode::parse(Ino(9), &raw, &geometry()) {
                prop_assert_eq!(RawInode { checksum: raw.checksum, ..inode.raw() }, raw);
            }
        }
    }
}
