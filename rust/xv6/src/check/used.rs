// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Which blocks are in use, as far as the checker has seen.

use crate::superblock::Geometry;
use alloc::vec::Vec;
use bento::{Errno, Result};
use core::ops::Range;

/// A set of blocks.
pub(super) struct Used {
    words: Vec<u64>,
}

impl Used {
    /// The blocks outside of the data area.
    pub(super) fn new(geometry: &Geometry) -> Result<Self> {
        let words = usize::try_from(geometry.blocks().div_ceil(64)).map_err(|_| Errno::ENOMEM)?;
        let mut used = Self { words: Vec::new() };
        used.words
            .try_reserve_exact(words)
            .map_err(|_| Errno::ENOMEM)?;
        used.words.resize(words, 0);
        let data = geometry.data();
        for range in [0..data.start, data.end..geometry.blocks()] {
            used.take(range);
        }
        Ok(used)
    }

    /// Adds blocks; returns one that was there before.
    pub(super) fn take(&mut self, range: Range<u64>) -> Option<u64> {
        let mut before = None;
        for block in range {
            if let Some((word, bit)) = self.place(block) {
                if *word & bit != 0 {
                    before = Some(block);
                }
                *word |= bit;
            }
        }
        before
    }

    /// The block is in the set; blocks behind the end are.
    pub(super) fn has(&self, block: u64) -> bool {
        let word = usize::try_from(block / 64)
            .ok()
            .and_then(|i| self.words.get(i));
        word.is_none_or(|word| word & (1 << (block % 64)) != 0)
    }

    fn place(&mut self, block: u64) -> Option<(&mut u64, u64)> {
        let index = usize::try_from(block / 64).ok()?;
        Some((self.words.get_mut(index)?, 1 << (block % 64)))
    }
}
