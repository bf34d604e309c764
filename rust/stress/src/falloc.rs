// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `fallocate(2)` in all its modes, and what each does to the copy in memory.

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io;
use std::fs::File;

/// The largest block of a file system, and the unit of cached data.
const PAGE: usize = 4096;

/// A mode of `fallocate(2)`; all but `Allocate` exist with and without `KEEP_SIZE` as the kernel
/// defines them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Takes space; the file grows.
    Allocate,
    /// Takes space; the file keeps its size.
    Reserve,
    /// Gives space back.
    Punch,
    /// Zeros a range; the file grows.
    Zero,
    /// Zeros a range; the file keeps its size.
    ZeroKeep,
    /// Cuts a range out and moves up what follows.
    Collapse,
    /// Makes room and moves back what follows.
    Insert,
}

pub(crate) const MODES: [Mode; 7] = [
    Mode::Allocate,
    Mode::Reserve,
    Mode::Punch,
    Mode::Zero,
    Mode::ZeroKeep,
    Mode::Collapse,
    Mode::Insert,
];

impl Mode {
    const fn flags(self) -> FallocateFlags {
        match self {
            Self::Allocate => FallocateFlags::empty(),
            Self::Reserve => FallocateFlags::KEEP_SIZE,
            Self::Punch => FallocateFlags::PUNCH_HOLE.union(FallocateFlags::KEEP_SIZE),
            Self::Zero => FallocateFlags::ZERO_RANGE,
            Self::ZeroKeep => FallocateFlags::ZERO_RANGE.union(FallocateFlags::KEEP_SIZE),
            Self::Collapse => FallocateFlags::COLLAPSE_RANGE,
            Self::Insert => FallocateFlags::INSERT_RANGE,
        }
    }

    /// The range near `at` to which this can be done in a file of `size` bytes that may grow to
    /// `max`: whole blocks of the file system where data moves. `None` where it cannot be done.
    pub(crate) fn fit(
        self,
        at: usize,
        len: usize,
        size: usize,
        max: usize,
    ) -> Option<(usize, usize)> {
        if !matches!(self, Self::Collapse | Self::Insert) {
            return Some((at, len));
        }
        let at = at % size.max(1) / PAGE * PAGE;
        let len = len.next_multiple_of(PAGE).min(8 * PAGE);
        let possible = match self {
            Self::Collapse => at + len < size,
            _ => at < size && size + len <= max,
        };
        possible.then_some((at, len))
    }

    /// Does it to the file and to the copy of its content.
    pub(crate) fn perform(
        self,
        file: &File,
        data: &mut Vec<u8>,
        at: usize,
        len: usize,
    ) -> io::Result<()> {
        fallocate(file, self.flags(), at as u64, len as u64)?;
        let end = at + len;
        if matches!(self, Self::Allocate | Self::Zero) && data.len() < end {
            data.resize(end, 0);
        }
        let inside = at.min(data.len())..end.min(data.len());
        match self {
            Self::Allocate | Self::Reserve => {}
            Self::Punch | Self::Zero | Self::ZeroKeep => data[inside].fill(0),
            Self::Collapse => drop(data.drain(at..end)),
            Self::Insert => drop(data.splice(at..at, vec![0; len])),
        }
        Ok(())
    }
}
