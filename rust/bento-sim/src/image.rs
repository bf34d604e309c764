// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Image`]: the contents of a medium; cheap to copy, so that thousands of crashes can be tried.

use bento::{Errno, Result};
use std::sync::{Arc, LazyLock};

/// Bytes per block of every simulated disk.
pub const BLOCK_SIZE: usize = 4096;
/// Bytes that a disk writes as a whole, whatever happens.
pub const SECTOR_SIZE: usize = 512;

static ZEROS: LazyLock<Arc<[u8]>> = LazyLock::new(|| Arc::from([0; BLOCK_SIZE]));

/// The contents of a medium. Copies share the blocks that they do not change.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    blocks: Vec<Arc<[u8]>>,
}

impl Image {
    /// A medium of `blocks` blocks, full of zeros.
    #[must_use]
    pub fn new(blocks: usize) -> Self {
        Self {
            blocks: vec![Arc::clone(&ZEROS); blocks],
        }
    }

    /// A medium of `blocks` blocks, full of what somebody else has left there: a file system that
    /// shows a block that was never written gives itself away.
    #[must_use]
    pub fn used(blocks: usize) -> Self {
        let left_over: Arc<[u8]> = Arc::from([0xa4; BLOCK_SIZE]);
        Self {
            blocks: vec![left_over; blocks],
        }
    }

    /// The size in blocks.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        u64::try_from(self.blocks.len()).unwrap_or(u64::MAX)
    }

    /// The contents of one block.
    ///
    /// # Errors
    /// `EIO`: behind the end.
    pub fn block(&self, block: u64) -> Result<&Arc<[u8]>> {
        let index = usize::try_from(block).map_err(|_| Errno::EIO)?;
        self.blocks.get(index).ok_or(Errno::EIO)
    }

    /// Replaces bytes within one block.
    ///
    /// # Errors
    /// `EIO`: behind the end of the medium or of the block.
    pub fn write(&mut self, block: u64, offset: usize, bytes: &[u8]) -> Result {
        let index = usize::try_from(block).map_err(|_| Errno::EIO)?;
        let slot = self.blocks.get_mut(index).ok_or(Errno::EIO)?;
        let mut whole = slot.to_vec();
        let end = offset.checked_add(bytes.len()).ok_or(Errno::EIO)?;
        let place = whole.get_mut(offset..end).ok_or(Errno::EIO)?;
        place.copy_from_slice(bytes);
        *slot = Arc::from(whole);
        Ok(())
    }

    /// Replaces bytes within one block by all of `data`, sharing it where it is a whole block.
    pub(crate) fn put(&mut self, block: u64, offset: usize, data: &Arc<[u8]>) -> Result {
        let index = usize::try_from(block).map_err(|_| Errno::EIO)?;
        match self.blocks.get_mut(index) {
            Some(slot) if data.len() == BLOCK_SIZE => *slot = Arc::clone(data),
            _ => return self.write(block, offset, data),
        }
        Ok(())
    }

    /// The blocks in which two media of one size differ.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<u64> {
        let pairs = (0..).zip(self.blocks.iter().zip(&other.blocks));
        let differ = pairs.filter(|(_, (a, b))| !Arc::ptr_eq(a, b) && a != b);
        differ.map(|(block, _)| block).collect()
    }

    /// All bytes, for tools that want a file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.blocks.iter().flat_map(|b| b.iter().copied()).collect()
    }
}

impl core::fmt::Debug for Image {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Image({} blocks)", self.blocks.len())
    }
}

/// Cuts a run of bytes at block borders: block, offset within it, and the range of the run.
pub(crate) fn pieces(
    offset: u64,
    len: usize,
) -> impl Iterator<Item = (u64, usize, core::ops::Range<usize>)> {
    let size = u64::try_from(BLOCK_SIZE).unwrap_or(u64::MAX);
    let mut done = 0;
    core::iter::from_fn(move || {
        let left = len.checked_sub(done).filter(|left| *left > 0)?;
        let at = offset.checked_add(u64::try_from(done).ok()?)?;
        let within = usize::try_from(at % size).ok()?;
        let now = left.min(BLOCK_SIZE - within);
        let range = done..done + now;
        done += now;
        Some((at / size, within, range))
    })
}

#[cfg(test)]
mod tests {
    use super::{BLOCK_SIZE, Image, pieces};

    #[test]
    fn copies_do_not_see_each_others_changes() {
        let mut a = Image::new(4);
        let b = a.clone();
        a.write(2, 5, b"hello").expect("inside");
        assert_eq!(a.differences(&b), [2]);
        assert_ne!(a, b);
        assert!(a.write(4, 0, b"x").is_err());
        assert!(a.write(3, BLOCK_SIZE - 1, b"xy").is_err());
    }

    #[test]
    fn runs_are_cut_at_block_borders() {
        let got: Vec<_> = pieces(4090, 4110).collect();
        assert_eq!(got, [(0, 4090, 0..6), (1, 0, 6..4102), (2, 0, 4102..4110)]);
        assert_eq!(pieces(7, 0).count(), 0);
    }
}
