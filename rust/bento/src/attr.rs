// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Attributes of an inode.

use crate::InodeNo;
use bitflags::bitflags;

/// A point in time: seconds since 1970-01-01 UTC (negative before) and `0..1_000_000_000` ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timespec {
    /// Seconds since the epoch.
    pub sec: i64,
    /// Nanoseconds, below 10^9.
    pub nsec: u32,
}

/// The type of an inode, as in the upper bits of `st_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A FIFO.
    Fifo,
    /// A character device.
    CharDevice,
    /// A directory.
    Directory,
    /// A block device.
    BlockDevice,
    /// A regular file.
    Regular,
    /// A symbolic link.
    Symlink,
    /// A socket.
    Socket,
}

impl FileKind {
    /// `S_IFMT`: the bits of `st_mode` that hold the kind.
    pub const MODE_MASK: u32 = 0o170_000;

    /// The `S_IF*` bits of this kind.
    #[must_use]
    pub const fn mode_bits(self) -> u32 {
        match self {
            Self::Fifo => 0o010_000,
            Self::CharDevice => 0o020_000,
            Self::Directory => 0o040_000,
            Self::BlockDevice => 0o060_000,
            Self::Regular => 0o100_000,
            Self::Symlink => 0o120_000,
            Self::Socket => 0o140_000,
        }
    }

    /// The kind in `mode`, or `None` where its bits name none.
    #[must_use]
    pub const fn from_mode(mode: u32) -> Option<Self> {
        match mode & Self::MODE_MASK {
            0o010_000 => Some(Self::Fifo),
            0o020_000 => Some(Self::CharDevice),
            0o040_000 => Some(Self::Directory),
            0o060_000 => Some(Self::BlockDevice),
            0o100_000 => Some(Self::Regular),
            0o120_000 => Some(Self::Symlink),
            0o140_000 => Some(Self::Socket),
            _ => None,
        }
    }

    /// The value of `d_type` in a directory entry (`DT_*` = `S_IF*` >> 12).
    #[must_use]
    pub const fn dirent_type(self) -> u8 {
        match self {
            Self::Fifo => 1,
            Self::CharDevice => 2,
            Self::Directory => 4,
            Self::BlockDevice => 6,
            Self::Regular => 8,
            Self::Symlink => 10,
            Self::Socket => 12,
        }
    }
}

bitflags! {
    /// Flags of an inode, as `chattr(1)` sets them (numbers: `FS_*_FL` in `<linux/fs.h>`).
    ///
    /// The file system stores them. What they mean is enforced by the host. A new inode takes over
    /// those of its directory, but for `IMMUTABLE` and `APPEND`, and those that have no meaning for
    /// its kind.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct InodeFlags: u32 {
        /// Writes are synchronous.
        const SYNC = 0x8;
        /// Nothing of the inode may change.
        const IMMUTABLE = 0x10;
        /// Data may only be appended.
        const APPEND = 0x20;
        /// `dump(8)` leaves it out.
        const NODUMP = 0x40;
        /// Reading does not change the time of the last access.
        const NOATIME = 0x80;
        /// Changes of the directory are synchronous.
        const DIRSYNC = 0x1_0000;
    }
}

/// The attributes of an inode, as `stat(2)` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attr {
    /// Inode number.
    pub ino: InodeNo,
    /// Changes each time the number is used for a new inode (NFS handles).
    pub generation: u32,
    /// Kind and permission bits, as `st_mode`.
    pub mode: u32,
    /// Number of hard links; 0 for an inode that is only held open.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device inode, in the encoding of `new_encode_dev()`; else 0.
    pub rdev: u32,
    /// Size in bytes.
    pub size: u64,
    /// Allocated space in units of 512 bytes, as `st_blocks`.
    pub blocks: u64,
    /// Last access.
    pub atime: Timespec,
    /// Last change of the contents.
    pub mtime: Timespec,
    /// Last change of the inode.
    pub ctime: Timespec,
    /// Creation.
    pub btime: Timespec,
    /// Flags; empty without [`crate::OpSet::FLAGS`].
    pub flags: InodeFlags,
    /// `false`: the inode certainly has no extended attribute, so that hosts need not ask.
    pub has_xattrs: bool,
}

impl Attr {
    /// An empty inode that belongs to root: times at the epoch, generation 1, no size, no flags, no
    /// extended attributes.
    #[must_use]
    pub const fn new(ino: InodeNo, mode: u32, nlink: u32) -> Self {
        const EPOCH: Timespec = Timespec { sec: 0, nsec: 0 };
        Self {
            ino,
            generation: 1,
            mode,
            nlink,
            uid: 0,
            gid: 0,
            rdev: 0,
            size: 0,
            blocks: 0,
            atime: EPOCH,
            mtime: EPOCH,
            ctime: EPOCH,
            btime: EPOCH,
            flags: InodeFlags::empty(),
            has_xattrs: false,
        }
    }

    /// The kind of the inode, or `None` where `mode` names none (a damaged disk).
    #[must_use]
    pub const fn kind(&self) -> Option<FileKind> {
        FileKind::from_mode(self.mode)
    }
}

bitflags! {
    /// Which fields of [`SetAttr`] are to be set.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct SetAttrMask: u32 {
        /// Permission bits.
        const MODE = 1 << 0;
        /// Owner.
        const UID = 1 << 1;
        /// Group.
        const GID = 1 << 2;
        /// Size: truncates or extends; see [`crate::FileSystem::setattr`].
        const SIZE = 1 << 3;
        /// Last access.
        const ATIME = 1 << 4;
        /// Last change of the contents.
        const MTIME = 1 << 5;
        /// Last change of the inode.
        const CTIME = 1 << 6;
        /// Flags; only where the file system has [`crate::OpSet::FLAGS`].
        const FLAGS = 1 << 7;
    }
}

/// New values for attributes; only the fields that `mask` names are valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetAttr {
    /// Which of the fields below to set.
    pub mask: SetAttrMask,
    /// Permission bits (`0o7777`); kind bits are ignored.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
    /// Last access.
    pub atime: Timespec,
    /// Last change of the contents.
    pub mtime: Timespec,
    /// Last change of the inode.
    pub ctime: Timespec,
    /// All flags of the inode, not a difference.
    pub flags: InodeFlags,
}

impl SetAttr {
    /// A request that sets nothing yet.
    #[must_use]
    pub const fn empty() -> Self {
        const ZERO: Timespec = Timespec { sec: 0, nsec: 0 };
        Self {
            mask: SetAttrMask::empty(),
            mode: 0,
            uid: 0,
            gid: 0,
            size: 0,
            atime: ZERO,
            mtime: ZERO,
            ctime: ZERO,
            flags: InodeFlags::empty(),
        }
    }

    /// Copies the fields that the mask names into `attr`; the kind bits of its mode stay.
    pub const fn apply_to(&self, attr: &mut Attr) {
        let mask = self.mask;
        if mask.contains(SetAttrMask::MODE) {
            attr.mode = (attr.mode & FileKind::MODE_MASK) | (self.mode & !FileKind::MODE_MASK);
        }
        if mask.contains(SetAttrMask::UID) {
            attr.uid = self.uid;
        }
        if mask.contains(SetAttrMask::GID) {
            attr.gid = self.gid;
        }
        if mask.contains(SetAttrMask::SIZE) {
            attr.size = self.size;
        }
        if mask.contains(SetAttrMask::ATIME) {
            attr.atime = self.atime;
        }
        if mask.contains(SetAttrMask::MTIME) {
            attr.mtime = self.mtime;
        }
        if mask.contains(SetAttrMask::CTIME) {
            attr.ctime = self.ctime;
        }
        if mask.contains(SetAttrMask::FLAGS) {
            attr.flags = self.flags;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Attr, FileKind, InodeFlags, SetAttr, SetAttrMask};
    use crate::InodeNo;

    #[test]
    fn only_the_fields_of_the_mask_are_applied_and_the_kind_stays() {
        let mut attr = Attr::new(InodeNo(5), 0o100_644, 1);
        let set = SetAttr {
            mask: SetAttrMask::MODE | SetAttrMask::SIZE,
            mode: 0o040_600,
            uid: 7,
            size: 9,
            flags: InodeFlags::APPEND,
            ..SetAttr::empty()
        };
        set.apply_to(&mut attr);
        assert_eq!((attr.mode, attr.uid, attr.size), (0o100_600, 0, 9));
        assert_eq!(attr.flags, InodeFlags::empty());
        let mask = SetAttrMask::FLAGS;
        SetAttr { mask, ..set }.apply_to(&mut attr);
        assert_eq!(attr.flags, InodeFlags::APPEND);
    }

    #[test]
    fn kinds_survive_the_way_through_mode_bits() {
        for bits in (0..16u32).map(|n| n << 12) {
            if let Some(kind) = FileKind::from_mode(bits | 0o7777) {
                assert_eq!(kind.mode_bits(), bits);
                assert_eq!(u32::from(kind.dirent_type()), bits >> 12);
            }
        }
        assert_eq!(FileKind::from_mode(0o030_644), None);
    }
}
