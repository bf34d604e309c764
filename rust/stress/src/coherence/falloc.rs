// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `fallocate(2)` in all its modes, and what each does to the copy in memory.

use super::PAGE;
use super::seq::{MAX, Run};
use anyhow::Context;
use rustix::fs::{FallocateFlags, fallocate};

/// A mode of `fallocate(2)`; all but `Allocate` exist with and without `KEEP_SIZE` as the kernel
/// defines them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
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

pub(super) const MODES: [Mode; 7] = [
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
}

impl Run {
    /// Does it to the file and to the copy. What the mode cannot do there (a cut at the end of
    /// the file, a longer file than [`MAX`]) is left out.
    pub(super) fn fallocate(&mut self, mode: Mode, at: usize, len: usize) -> anyhow::Result<()> {
        let moves = matches!(mode, Mode::Collapse | Mode::Insert);
        let (at, len) = if moves {
            // Whole blocks of the file system, within the file.
            let at = at % self.data.len().max(1) / PAGE * PAGE;
            (at, len.next_multiple_of(PAGE).min(8 * PAGE))
        } else {
            (at, len)
        };
        let end = at + len;
        let size = self.data.len();
        let impossible = match mode {
            Mode::Collapse => end >= size,
            Mode::Insert => at >= size || size + len > MAX,
            _ => false,
        };
        if impossible {
            return Ok(());
        }
        fallocate(&self.file, mode.flags(), at as u64, len as u64).context("fallocate")?;
        if matches!(mode, Mode::Allocate | Mode::Zero) && size < end {
            self.data.resize(end, 0);
        }
        let inside = at.min(self.data.len())..end.min(self.data.len());
        match mode {
            Mode::Allocate | Mode::Reserve => {}
            Mode::Punch | Mode::Zero | Mode::ZeroKeep => self.data[inside].fill(0),
            Mode::Collapse => drop(self.data.drain(at..end)),
            Mode::Insert => drop(self.data.splice(at..at, vec![0; len])),
        }
        Ok(())
    }
}
