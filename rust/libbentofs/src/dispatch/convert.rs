// SPDX-License-Identifier: GPL-2.0-only
//! Structs of the ABI from and to types of the API, field by field.

use bento::{
    Attr, Errno, Extent, ExtentKind, Fallocate, FallocateMode, InodeFlags, RenameFlags, Result,
    SetAttr, SetAttrMask, StatFs, Timespec, XattrFlags,
};
use bento_sys::{
    BENTO_BLOCK_SIZE, BENTO_EXTENT_HOLE, BENTO_EXTENT_MAPPED, BENTO_EXTENT_UNWRITTEN,
    BENTO_FALLOC_ALLOCATE, BENTO_FALLOC_COLLAPSE, BENTO_FALLOC_INSERT, BENTO_FALLOC_PUNCH,
    BENTO_FALLOC_ZERO, bento_attr, bento_extent, bento_fallocate_in, bento_setattr, bento_statfs,
    bento_time,
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
        flags: attr.flags.bits(),
        xattrs: attr.has_xattrs as u32,
    }
}

/// `EINVAL` for what the ABI does not know and for times that do not exist.
#[inline]
pub(super) fn setattr_in(set: &bento_setattr) -> Result<SetAttr> {
    let times = [&set.atime, &set.mtime, &set.ctime];
    if times.iter().any(|time| time.nsec >= 1_000_000_000) {
        return Err(Errno::EINVAL);
    }
    Ok(SetAttr {
        mask: SetAttrMask::from_bits(set.mask).ok_or(Errno::EINVAL)?,
        mode: set.mode,
        uid: set.uid,
        gid: set.gid,
        size: set.size,
        atime: time_in(&set.atime),
        mtime: time_in(&set.mtime),
        ctime: time_in(&set.ctime),
        flags: InodeFlags::from_bits(set.flags).ok_or(Errno::EINVAL)?,
    })
}

/// `EINVAL` for flags that do not exist or exclude each other.
#[inline]
pub(super) fn rename_flags_in(flags: u32) -> Result<RenameFlags> {
    let flags = RenameFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    if flags.contains(RenameFlags::EXCHANGE) && flags != RenameFlags::EXCHANGE {
        return Err(Errno::EINVAL);
    }
    Ok(flags)
}

/// `EINVAL` for flags that do not exist or exclude each other.
#[inline]
pub(super) fn xattr_flags_in(flags: u32) -> Result<XattrFlags> {
    let flags = XattrFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    if flags == XattrFlags::all() {
        return Err(Errno::EINVAL);
    }
    Ok(flags)
}

/// `EINVAL` for what breaks the rules of `struct bento_fallocate_in`, `EFBIG` for what lies behind
/// the last block of the largest file.
pub(super) fn fallocate_in(input: &bento_fallocate_in, max_file_size: u64) -> Result<Fallocate> {
    let mode = match input.mode {
        BENTO_FALLOC_ALLOCATE => FallocateMode::Allocate,
        BENTO_FALLOC_PUNCH => FallocateMode::Punch,
        BENTO_FALLOC_ZERO => FallocateMode::Zero,
        BENTO_FALLOC_COLLAPSE => FallocateMode::Collapse,
        BENTO_FALLOC_INSERT => FallocateMode::Insert,
        _ => return Err(Errno::EINVAL),
    };
    let block = u64::from(BENTO_BLOCK_SIZE);
    let (offset, len, size) = (input.offset, input.len, input.size);
    let whole = offset % block == 0 && len % block == 0 && len > 0;
    let size_fits = match mode {
        FallocateMode::Allocate | FallocateMode::Zero => true,
        FallocateMode::Punch => size == 0,
        FallocateMode::Collapse | FallocateMode::Insert => size > 0,
    };
    if !whole || !size_fits {
        return Err(Errno::EINVAL);
    }
    let end = offset.checked_add(len).ok_or(Errno::EFBIG)?;
    if end - block >= max_file_size || size > max_file_size {
        return Err(Errno::EFBIG);
    }
    Ok(Fallocate {
        mode,
        offset,
        len,
        size,
    })
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

// The bits and limits of the API are those of the ABI.
const _: () = {
    use bento::{NewInode, Xattr};
    use bento_sys as abi;
    assert!(SetAttrMask::MODE.bits() == abi::BENTO_SET_MODE);
    assert!(SetAttrMask::UID.bits() == abi::BENTO_SET_UID);
    assert!(SetAttrMask::GID.bits() == abi::BENTO_SET_GID);
    assert!(SetAttrMask::SIZE.bits() == abi::BENTO_SET_SIZE);
    assert!(SetAttrMask::ATIME.bits() == abi::BENTO_SET_ATIME);
    assert!(SetAttrMask::MTIME.bits() == abi::BENTO_SET_MTIME);
    assert!(SetAttrMask::CTIME.bits() == abi::BENTO_SET_CTIME);
    assert!(SetAttrMask::FLAGS.bits() == abi::BENTO_SET_FLAGS);
    assert!(InodeFlags::SYNC.bits() == abi::BENTO_FLAG_SYNC);
    assert!(InodeFlags::IMMUTABLE.bits() == abi::BENTO_FLAG_IMMUTABLE);
    assert!(InodeFlags::APPEND.bits() == abi::BENTO_FLAG_APPEND);
    assert!(InodeFlags::NODUMP.bits() == abi::BENTO_FLAG_NODUMP);
    assert!(InodeFlags::NOATIME.bits() == abi::BENTO_FLAG_NOATIME);
    assert!(InodeFlags::DIRSYNC.bits() == abi::BENTO_FLAG_DIRSYNC);
    assert!(RenameFlags::NOREPLACE.bits() == abi::BENTO_RENAME_NOREPLACE);
    assert!(RenameFlags::EXCHANGE.bits() == abi::BENTO_RENAME_EXCHANGE);
    assert!(RenameFlags::WHITEOUT.bits() == abi::BENTO_RENAME_WHITEOUT);
    assert!(XattrFlags::CREATE.bits() == abi::BENTO_XATTR_CREATE);
    assert!(XattrFlags::REPLACE.bits() == abi::BENTO_XATTR_REPLACE);
    assert!(Xattr::NAME_MAX == abi::BENTO_XATTR_NAME_MAX as usize);
    assert!(Xattr::VALUE_MAX == abi::BENTO_XATTR_SIZE_MAX as usize);
    assert!(NewInode::XATTRS_MAX == abi::BENTO_MAKE_XATTRS_MAX as usize);
    // A record of `DirBuf` is a `struct bento_dirent`.
    assert!(bento::dirbuf::RECORD_HEAD == size_of::<abi::bento_dirent>());
};
