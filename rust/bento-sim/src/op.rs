// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Op`]: what a workload does, by path.

use bento::{FallocateMode, InodeFlags, RenameFlags, XattrFlags};

/// The path that stands for what was opened last: how a file without a name is reached.
pub const LAST_OPENED: &str = "%";

/// One step of a workload. Paths are relative to the root, without a leading `/`; symbolic links
/// are not followed. [`LAST_OPENED`] may stand where an existing file or directory is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A new regular file.
    Create(String),
    /// A new directory.
    Mkdir(String),
    /// A new symbolic link: target, path.
    Symlink(String, String),
    /// A second name: existing path, new path.
    Link(String, String),
    /// A new regular file that starts with extended attributes: name and value of each.
    CreateWith(String, Vec<(String, Vec<u8>)>),
    /// Opens a new regular file without a name, in a directory.
    Tmpfile(String),
    /// Removes a name of a file.
    Unlink(String),
    /// Removes an empty directory.
    Rmdir(String),
    /// Renames: from, to.
    Rename(String, String, RenameFlags),
    /// Writes `len` bytes at `offset`, of a pattern that `fill` chooses, through to the device.
    Write {
        /// The file.
        path: String,
        /// Where, in bytes.
        offset: u64,
        /// How many bytes.
        len: usize,
        /// Which bytes; see [`pattern`].
        fill: u8,
    },
    /// Takes space without writing: path, offset, length. Changes nothing that can be read.
    Allocate(String, u64, u64),
    /// Sets the size.
    Truncate(String, u64),
    /// Changes the space under a range, with `KEEP_SIZE` or without.
    Fallocate {
        /// The file.
        path: String,
        /// What to do with the range.
        mode: FallocateMode,
        /// Where, in bytes.
        offset: u64,
        /// How many bytes.
        len: u64,
        /// The size stays.
        keep_size: bool,
    },
    /// Sets an extended attribute: path, name, value.
    SetXattr(String, String, Vec<u8>, XattrFlags),
    /// Removes an extended attribute: path, name.
    RemoveXattr(String, String),
    /// Sets all flags. Only those that every kind of inode can have and that forbid nothing: the
    /// simulator does not enforce them.
    SetFlags(String, InodeFlags),
    /// Opens a file or directory, which then lives on without a name.
    Open(String),
    /// Closes what was opened longest ago, if anything is open.
    Close,
    /// Makes one inode durable.
    Fsync(String),
    /// Makes everything durable.
    Sync,
}

impl Op {
    /// A shorthand for [`Op::Write`].
    #[must_use]
    pub fn write(path: &str, offset: u64, len: usize, fill: u8) -> Self {
        Self::Write {
            path: path.into(),
            offset,
            len,
            fill,
        }
    }

    /// A shorthand for [`Op::Rename`] without flags.
    #[must_use]
    pub fn rename(from: &str, to: &str) -> Self {
        Self::Rename(from.into(), to.into(), RenameFlags::empty())
    }
}

/// The bytes that a write of `len` bytes at `offset` brings: never zero, different in every
/// sector and for every `fill`, so that a byte in the wrong place or of the wrong age shows.
#[must_use]
pub fn pattern(offset: u64, len: usize, fill: u8) -> Vec<u8> {
    let byte = |at: u64| {
        let sector = (at / 512).to_le_bytes();
        let mixed = fill
            .wrapping_mul(37)
            .wrapping_add(sector[0].wrapping_mul(11));
        mixed | 1
    };
    (offset..).take(len).map(byte).collect()
}
