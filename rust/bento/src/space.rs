// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Explicit work on space: `fallocate(2)` in files, `FITRIM` on the device.

/// What [`crate::FileSystem::fallocate`] does with a range of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FallocateMode {
    /// Holes become unwritten space.
    Allocate,
    /// The range becomes a hole (`FALLOC_FL_PUNCH_HOLE`). The size stays.
    Punch,
    /// The range becomes unwritten space, holes included (`FALLOC_FL_ZERO_RANGE`).
    Zero,
    /// The range is cut out and what is behind it moves down (`FALLOC_FL_COLLAPSE_RANGE`).
    Collapse,
    /// A hole of that length is put in at the offset; what is there moves up
    /// (`FALLOC_FL_INSERT_RANGE`).
    Insert,
}

/// One request of [`crate::FileSystem::fallocate`]. Whole blocks only: the host zeroes the parts of
/// blocks at the ends of a range by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallocate {
    /// What to do.
    pub mode: FallocateMode,
    /// Start in the file: bytes, a multiple of the block size.
    pub offset: u64,
    /// Length in bytes: a multiple of the block size, more than 0. `offset + len` does not exceed
    /// the file system's `MAX_FILE_SIZE` by a block or more. Space is released or taken behind the
    /// end of the file, too.
    pub len: u64,
    /// The size that the file has on disk afterwards, in bytes: at least this for `Allocate` and
    /// `Zero` (0 where the size stays); exactly this for `Collapse` and `Insert`, whose range
    /// starts before the end of the file; 0 for `Punch`.
    pub size: u64,
}

/// Which free space [`crate::FileSystem::trim`] shall discard; all in bytes on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrimRange {
    /// Where to start: a multiple of the block size.
    pub start: u64,
    /// Where to end, above `start`; possibly behind the end of the device.
    pub end: u64,
    /// Free ranges below this length are left alone.
    pub min_len: u64,
}

/// How far one step of [`crate::FileSystem::trim`] came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// How many bytes it discarded.
    pub bytes: u64,
    /// Where the next step starts, above the `start` of this one; a multiple of the block size.
    /// At or behind `end` all is done.
    pub next: u64,
}
