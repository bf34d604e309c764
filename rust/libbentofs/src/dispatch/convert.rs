// SPDX-License-Identifier: GPL-2.0-only
//! Structs of the ABI from and to types of the API, field by field.

use bento::{Attr, Extent, ExtentKind, SetAttr, SetAttrMask, StatFs, Timespec};
use bento_sys::{
    BENTO_EXTENT_HOLE, BENTO_EXTENT_MAPPED, BENTO_EXTENT_UNWRITTEN, bento_attr, bento_extent,
    bento_setattr, bento_statfs, bento_time,
};

#[inline]
pub(super) const fn time_in(time: &bento_time) -> Timespec {
    Timespec {
        sec: time.sec,
        nsec: time.nsec,
    }
}

#[inline]
const fn time_out(time: Timespec) -> bento_time {
    bento_time {
        sec: time.sec,
        nsec: time.nsec,
        pad: 0,
    }
}

#[inline]
pub(super) const fn attr_out(attr: &Attr) -> bento_attr {
    bento_attr {
        ino: attr.ino.0,
        size: attr.size,
        blocks: attr.blocks,
        atime: time_out(attr.atime),
        mtime: time_out(attr.mtime),
        ctime: time_out(attr.ctime),
        btime: time_out(attr.btime),
        generation: attr.generation,
        mode: attr.mode,
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        rdev: attr.rdev,
    }
}

/// Bits that a newer bentofs might know are dropped: the ABI version rules them out.
#[inline]
pub(super) const fn setattr_in(set: &bento_setattr) -> SetAttr {
    SetAttr {
        mask: SetAttrMask::from_bits_truncate(set.mask),
        mode: set.mode,
        uid: set.uid,
        gid: set.gid,
        size: set.size,
        atime: time_in(&set.atime),
        mtime: time_in(&set.mtime),
        ctime: time_in(&set.ctime),
    }
}

#[inline]
pub(super) fn extent_out(extent: &Extent) -> bento_extent {
    let (kind, addr) = match extent.kind {
        ExtentKind::Hole => (BENTO_EXTENT_HOLE, 0),
        ExtentKind::Mapped(addr) => (BENTO_EXTENT_MAPPED, addr),
        ExtentKind::Unwritten(addr) => (BENTO_EXTENT_UNWRITTEN, addr),
    };
    bento_extent {
        offset: extent.offset,
        len: extent.len,
        addr,
        kind,
        is_new: u32::from(extent.new),
    }
}

#[inline]
pub(super) const fn statfs_out(stat: &StatFs) -> bento_statfs {
    bento_statfs {
        blocks: stat.blocks,
        blocks_free: stat.blocks_free,
        blocks_available: stat.blocks_available,
        files: stat.files,
        files_free: stat.files_free,
        fsid: stat.fsid,
        block_size: stat.block_size,
        name_max: stat.name_max,
    }
}

// The bits of `bento::SetAttrMask` and `bento::RenameFlags` are those of the ABI.
const _: () = {
    use bento::RenameFlags;
    use bento_sys::{
        BENTO_RENAME_EXCHANGE, BENTO_RENAME_NOREPLACE, BENTO_SET_ATIME, BENTO_SET_CTIME,
        BENTO_SET_GID, BENTO_SET_MODE, BENTO_SET_MTIME, BENTO_SET_SIZE, BENTO_SET_UID,
    };
    assert!(SetAttrMask::MODE.bits() == BENTO_SET_MODE);
    assert!(SetAttrMask::UID.bits() == BENTO_SET_UID);
    assert!(SetAttrMask::GID.bits() == BENTO_SET_GID);
    assert!(SetAttrMask::SIZE.bits() == BENTO_SET_SIZE);
    assert!(SetAttrMask::ATIME.bits() == BENTO_SET_ATIME);
    assert!(SetAttrMask::MTIME.bits() == BENTO_SET_MTIME);
    assert!(SetAttrMask::CTIME.bits() == BENTO_SET_CTIME);
    assert!(RenameFlags::NOREPLACE.bits() == BENTO_RENAME_NOREPLACE);
    assert!(RenameFlags::EXCHANGE.bits() == BENTO_RENAME_EXCHANGE);
    // A record of `DirBuf` is a `struct bento_dirent`.
    assert!(bento::dirbuf::RECORD_HEAD == size_of::<bento_sys::bento_dirent>());
};
