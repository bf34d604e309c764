// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Content`]: the bytes of a file of the model.

use crate::op::pattern;
use bento::{Errno, Result};

const BLOCK: usize = 4096;

/// The bytes of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    bytes: Vec<u8>,
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

    /// Sets the size; new bytes are zeros.
    pub fn resize(&mut self, size: u64) {
        self.bytes.resize(small(size), 0);
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
    fn what_is_behind_a_range_moves() {
        let mut content = Content::default();
        content.write(0, 3 * BLOCK + 5, 1);
        let old = content.bytes().to_vec();
        let block = BLOCK as u64;
        content.collapse(block, block).expect("whole");
        assert_eq!(content.bytes(), [&old[..BLOCK], &old[2 * BLOCK..]].concat());
        content.insert(0, block).expect("whole");
        let expected = [&[0; BLOCK], &old[..BLOCK], &old[2 * BLOCK..]].concat();
        assert_eq!(content.bytes(), expected);
        content.zero(block, 9 * block);
        assert_eq!(content.bytes(), [0; 3 * BLOCK + 5]);
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
