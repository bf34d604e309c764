// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a file system may record of its use, and how the record gets to the disk.
//!
//! A mapped file system has no way to write file data of its own: the host does that. So it keeps
//! its records in memory, names the files that are to hold them
//! ([`FileSystem::start_log`](crate::FileSystem::start_log)), and hands them over
//! ([`FileSystem::drain_log`](crate::FileSystem::drain_log)); the host appends them to a file
//! through its page cache, outside of any call, a moment later and before `sync`, freeze, upgrade
//! and unmount.

use crate::InodeNo;

/// What happened to an open regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileEvent {
    /// It was opened (or created and opened).
    Open,
    /// The last handle of this open was closed.
    Release,
    /// The first `read` or `mmap` since it was opened.
    FirstRead,
    /// The first `write`, or writable shared `mmap`, since it was opened.
    FirstWrite,
}

/// The answer of [`FileSystem::start_log`](crate::FileSystem::start_log).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogStart {
    /// The inodes of the log, its folder included.
    pub inodes: [Option<InodeNo>; LogStart::INODES_MAX],
    /// Names were made.
    pub made: bool,
}

impl LogStart {
    /// How many inodes a log can have.
    pub const INODES_MAX: usize = 8;
}

/// The answer of [`FileSystem::drain_log`](crate::FileSystem::drain_log).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogBatch {
    /// The file that the bytes are to be appended to.
    pub ino: InodeNo,
    /// How many bytes; 0: nothing waits.
    pub len: usize,
    /// The file is to be emptied first.
    pub restart: bool,
    /// More records wait.
    pub more: bool,
}

impl LogBatch {
    /// The most bytes of one batch.
    pub const MAX: usize = 64 << 10;
    /// Nothing waits.
    pub const EMPTY: Self = Self {
        ino: InodeNo(0),
        len: 0,
        restart: false,
        more: false,
    };
}
