// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The API of Bento file systems.
//!
//! A file system is a type that implements [`FileSystem`], generic over its [`BlockDevice`]. The
//! same crate, unchanged, runs on three hosts: in the kernel (`libbentofs`), in user space
//! (`bento-fuse`) and in the simulator (`bento-sim`). This crate does no I/O and knows no host.
//!
//! | module | what it holds |
//! |---|---|
//! | [`fs`] | the trait [`FileSystem`]: names and argument order of `fuser`, but typed returns |
//! | [`upgrade`] | the trait [`Upgrade`]: how one build hands a live mount to the next |
//! | [`device`] | [`BlockDevice`] and [`BlockBuf`]: metadata blocks, ordered writes, flush |
//! | [`xattr`] | [`Xattr`], and [`NewInode`]: what an inode starts with |
//! | [`space`] | [`Fallocate`] in files, [`TrimRange`] on the device |
//! | [`events`] | what a file system records: [`FileEvent`], [`LogBatch`] |
//! | [`extent`] | [`Extent`]: where the bytes of a file lie, for mapped I/O |
//! | [`attr`] | [`Attr`], [`SetAttr`], [`InodeFlags`], [`FileKind`], [`Timespec`] |
//! | [`request`] | [`Request`]: who asks, and when |
//! | [`dirbuf`] | [`DirBuf`]: where `readdir` puts its entries |
//! | [`mapped`] | data paths of a mapped file system, for hosts without iomap |
//! | `crc32c` | [`crc32c()`] and [`crc32c_patched()`]: checksums of what is on a disk or in a state |
//! | [`errno`] | [`Errno`] and [`Result`] |
//! | [`sync`] | `Mutex` and `RwLock` whose `lock()?` fails with `EIO` after a panic |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod attr;
mod crc32c;
pub mod device;
pub mod dirbuf;
pub mod errno;
pub mod events;
pub mod extent;
pub mod fs;
pub mod mapped;
pub mod request;
pub mod space;
pub mod upgrade;
pub mod xattr;

/// Locks: names and signatures of `std::sync`; `lock()` fails only after a panic (`EIO`).
pub mod sync {
    pub use bento_sync::{
        LockClass, Mutex, MutexGuard, Poisoned, RwLock, RwLockReadGuard, RwLockWriteGuard,
    };
}

pub use attr::{Attr, FileKind, InodeFlags, SetAttr, SetAttrMask, Timespec};
pub use crc32c::{crc32c, crc32c_patched};
pub use device::{BlockBuf, BlockDevice, BlockNo, BlockWrite, NoDevice, WriteOrder};
pub use dirbuf::DirBuf;
pub use errno::{Errno, Result};
pub use events::{FileEvent, LogBatch, LogStart};
pub use extent::{Extent, ExtentKind};
pub use fs::{Entry, FileSystem, MountOptions, OpSet, Pressure, RenameFlags, StatFs};
pub use request::Request;
pub use space::{Fallocate, FallocateMode, TrimRange, Trimmed};
pub use upgrade::{StateReader, StateWriter, Upgrade};
pub use xattr::{NewInode, Xattr, XattrFlags};

/// What a file system imports: `use bento::prelude::*` is the one glob import that is welcome.
pub mod prelude {
    pub use crate::{
        Attr, BlockBuf, BlockDevice, BlockNo, DirBuf, Entry, Errno, Extent, ExtentKind, Fallocate,
        FallocateMode, FileEvent, FileKind, FileSystem, InodeFlags, InodeNo, LogBatch, LogStart,
        MountOptions, NewInode, OpSet, Pressure, RenameFlags, Request, Result, SetAttr,
        SetAttrMask, StatFs, StateReader, StateWriter, Timespec, TrimRange, Trimmed, Upgrade,
        Xattr, XattrFlags,
    };
}

/// The number of an inode. Never 0; the root of a file system is [`FileSystem::ROOT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeNo(pub u64);

impl core::fmt::Display for InodeNo {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}
