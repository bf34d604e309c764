// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Content`]: the bytes of a file of the model, and which block each of them lies in.
//!
//! A block keeps its identity when `Collapse` or `Insert` move it. So the oracle can tell where a
//! byte that was written after such a move lies when the move itself is lost in a crash.

use crate::op::pattern;
use bento::{Errno, Result};
use core::sync::atomic::{AtomicU64, Ordering};

const BLOCK: usize = 4096;

/// The bytes of a file.
#[derive(Clone, Debug, Default)]
pub struct Content {
    bytes: Vec<u8>,
    /// Identity of each block, holes included; unique among all files of this process.
    blocks: Vec<u64>,
}

/// Files with the same bytes are equal.
impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Content {}

fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn small(number: u64) -> usize {
    usize::try_from(number).expect("files of the model are small")
}

impl Content {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The byte that this version has where byte `at` lies in the version `base`; 0 where it has
    /// none there.
    #[must_use]
    pub fn byte_of(&self, base: &Self, at: usize) -> u8 {
        let block = base.blocks.get(at / BLOCK);
        let moved = self.blocks.iter().position(|own| Some(own) == block);
        let place = moved.map(|number| number * BLOCK + at % BLOCK);
        place
            .and_then(|place| self.bytes.get(place))
            .copied()
            .unwrap_or(0)
    }

    /// Sets the size; new bytes are zeros.
    pub fn resize(&mut self, size: u64) {
        self.bytes.resize(small(size), 0);
        self.blocks
            .resize_with(self.bytes.len().div_ceil(BLOCK), fresh);
    }

    /// Writes [`pattern`].
    pub fn write(&mut self, offset: u64, len: usize, fill: u8) {
        let at = small(offset);
        if self.bytes.len() < at + len {
            self.resize(offset + len as u64);
        }
        if let Some(place) = self.bytes.get_mut(at..at + len) {
            place.copy_from_slice(&pattern(offset, len, fill));
        }
    }

    /// Zeroes what the file has of a range.
    pub fn zero(&mut self, offset: u64, len: u64) {
        let end = self.bytes.len().min(small(offset + len));
        if let Some(range) = self.bytes.get_mut(small(offset)..end) {
            range.fill(0);
        }
    }

    /// Cuts whole blocks out.
    ///
    /// # Errors
    /// `EINVAL` where the range is not made of blocks inside the file.
    pub fn collapse(&mut self, offset: u64, len: u64) -> Result {
        let (start, end) = whole(offset, len)?;
        if end >= self.bytes.len() {
            return Err(Errno::EINVAL);
        }
        self.bytes.drain(start..end);
        self.blocks.drain(start / BLOCK..end / BLOCK);
        Ok(())
    }

    /// Puts blocks of zeros in.
    ///
    /// # Errors
    /// `EINVAL` where the range is not made of blocks, or does not start inside the file.
    pub fn insert(&mut self, offset: u64, len: u64) -> Result {
        let (start, end) = whole(offset, len)?;
        if start >= self.bytes.len() {
            return Err(Errno::EINVAL);
        }
        let zeros = core::iter::repeat_n(0, end - start);
        self.bytes.splice(start..start, zeros);
        let (first, new) = (start / BLOCK, (end - start) / BLOCK);
        let blocks = core::iter::repeat_with(fresh).take(new);
        self.blocks.splice(first..first, blocks);
        Ok(())
    }
}

fn whole(offset: u64, len: u64) -> Result<(usize, usize)> {
    let (start, len) = (small(offset), small(len));
    if start.is_multiple_of(BLOCK) && len.is_multiple_of(BLOCK) {
        Ok((start, start + len))
    } else {
        Err(Errno::EINVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Content};
    use bento::Errno;

    #[test]
    fn a_byte_is_followed_to_where_its_block_has_moved() {
        let mut old = Content::default();
        old.write(0, 3 * BLOCK, 1);
        let mut new = old.clone();
        new.collapse(0, BLOCK as u64).expect("whole");
        new.write(0, 1, 9);
        // The second block of the old version is the first one of the new version.
        assert_eq!(new.byte_of(&old, BLOCK), new.bytes()[0]);
        assert_eq!(new.byte_of(&old, 0), 0, "that block is gone");
        new.insert(0, 2 * BLOCK as u64).expect("whole");
        assert_eq!(new.byte_of(&old, BLOCK), new.bytes()[2 * BLOCK]);
        assert_eq!(new.size(), 4 * BLOCK as u64);
    }

    #[test]
    fn ranges_that_are_not_whole_or_not_inside_are_refused() {
        let mut content = Content::default();
        content.write(0, 2 * BLOCK, 1);
        let before = content.clone();
        let block = BLOCK as u64;
        for result in [
            content.collapse(1, block),
            content.collapse(0, block + 1),
            content.collapse(block, block),
            content.insert(2 * block, block),
            content.insert(1, block),
        ] {
            assert_eq!(result, Err(Errno::EINVAL));
        }
        assert_eq!(content, before);
    }
}
