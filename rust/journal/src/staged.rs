// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Staged`]: a block as one operation wants it to become, and no more of it than it needs.
//!
//! Most operations change a few bytes of many blocks, so a block is not copied when it is staged.
//! The copy has the changed bytes, and what lies between two changes; the rest comes when
//! somebody asks for the whole block.

use alloc::vec::Vec;
use bento::{BlockBuf, BlockNo, Errno, Result};
use core::cell::RefCell;
use core::ops::Range;

/// Bytes of a block that are to become others.
///
/// # Invariants
/// The bytes of `known` are those that the operation wants; all others may be anything.
#[derive(Debug)]
struct Copy {
    bytes: Vec<u8>,
    known: Range<usize>,
}

impl Copy {
    /// Takes over bytes of the cached block.
    fn fetch<B: BlockBuf>(&mut self, buf: &B, range: Range<usize>) -> Result {
        if range.is_empty() {
            return Ok(());
        }
        let to = self.bytes.get_mut(range.clone()).ok_or(Errno::EINVAL)?;
        to.copy_from_slice(buf.bytes()?.get(range).ok_or(Errno::EINVAL)?);
        Ok(())
    }

    /// Takes over what lies between the known bytes and `range`.
    fn reach<B: BlockBuf>(&mut self, buf: &B, range: &Range<usize>) -> Result {
        if self.known.is_empty() {
            return Ok(());
        }
        let before = self.known.end..range.start;
        let behind = range.end..self.known.start;
        self.fetch(buf, before)?;
        self.fetch(buf, behind)
    }

    /// Takes over what is not known of `range`, and of what lies between.
    fn know<B: BlockBuf>(&mut self, buf: &B, range: &Range<usize>) -> Result {
        if self.known.is_empty() {
            self.fetch(buf, range.clone())?;
        } else {
            self.fetch(buf, self.known.end..range.end)?;
            self.fetch(buf, range.start..self.known.start)?;
        }
        self.known = cover(&self.known, range);
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.known == (0..self.bytes.len())
    }

    fn complete<B: BlockBuf>(&mut self, buf: &B) -> Result {
        let Range { start, end } = self.known;
        self.fetch(buf, 0..start)?;
        self.fetch(buf, end..self.bytes.len())?;
        self.known = 0..self.bytes.len();
        Ok(())
    }
}

/// A few bytes that complete a block, such as a checksum over all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The byte of the block where they lie.
    pub at: usize,
    /// What becomes of them, whatever the operation has written there.
    pub bytes: [u8; 4],
}

/// A block that an operation is about to publish; see [`crate::Tx::seal`].
#[derive(Debug)]
pub struct Sealing<'a> {
    /// Which block.
    pub block: BlockNo,
    /// Its bytes as everybody sees them until now. (Anything, where the operation zeroed it.)
    pub before: &'a [u8],
    /// Which of them become others.
    pub changed: Range<usize>,
    /// What these become: as many bytes as `changed` has.
    pub after: &'a [u8],
}

impl Sealing<'_> {
    /// The whole block as it will be, in three parts.
    ///
    /// # Errors
    /// `EIO`: the parts do not fit.
    pub fn parts(&self) -> Result<[&[u8]; 3]> {
        let start = self.before.get(..self.changed.start);
        let end = self.before.get(self.changed.end..);
        match (start, end) {
            (Some(start), Some(end)) => Ok([start, self.after, end]),
            _ => Err(Errno::EIO),
        }
    }
}

/// A block as one operation wants it to become.
///
/// # Invariants
/// `changed` lies in the known bytes of `copy`; outside of it these are those of the cached block.
/// Nobody else changes the cached block: the operation holds the handle lock.
#[derive(Debug)]
pub(crate) struct Staged<B> {
    pub(crate) block: BlockNo,
    buf: B,
    copy: RefCell<Copy>,
    changed: Range<usize>,
    seal: Option<Seal>,
}

impl<B: BlockBuf> Staged<B> {
    /// Nothing has changed yet. `memory` is as large as the block, with any contents.
    pub(crate) fn new(block: BlockNo, buf: B, memory: Vec<u8>) -> Self {
        let copy = Copy {
            bytes: memory,
            known: 0..0,
        };
        Self {
            block,
            buf,
            copy: RefCell::new(copy),
            changed: 0..0,
            seal: None,
        }
    }

    /// Shows all of the block.
    pub(crate) fn view<R>(&self, look: impl FnOnce(&[u8]) -> R) -> Result<R> {
        // Not where it is whole: somebody up the stack may be looking at it.
        if !self.copy.borrow().is_whole() {
            self.copy.borrow_mut().complete(&self.buf)?;
        }
        Ok(look(&self.copy.borrow().bytes))
    }

    /// Moves the bytes `from` to where byte `to` is; both lie in the block.
    pub(crate) fn copy_within(&mut self, from: Range<usize>, to: usize) -> Result {
        if from.is_empty() {
            return Ok(());
        }
        let target = to..to + from.len();
        let copy = self.copy.get_mut();
        copy.know(&self.buf, &from)?;
        copy.know(&self.buf, &target)?;
        copy.bytes.copy_within(from, to);
        self.changed = cover(&self.changed, &target);
        Ok(())
    }

    /// Replaces the bytes from `range.start` on; `range` is as long as `bytes`.
    pub(crate) fn write(&mut self, range: &Range<usize>, bytes: &[u8]) -> Result {
        let copy = self.copy.get_mut();
        copy.reach(&self.buf, range)?;
        let place = copy.bytes.get_mut(range.clone()).ok_or(Errno::EINVAL)?;
        place.copy_from_slice(bytes);
        copy.known = cover(&copy.known, range);
        self.changed = cover(&self.changed, range);
        Ok(())
    }

    /// Makes it a block of zeros, whatever it was.
    pub(crate) fn zero(&mut self) {
        let copy = self.copy.get_mut();
        copy.bytes.fill(0);
        copy.known = 0..copy.bytes.len();
        self.changed = copy.known.clone();
    }

    /// Asks `seal` for what completes the block.
    pub(crate) fn seal(
        &mut self,
        seal: impl FnOnce(&Sealing<'_>) -> Result<Option<Seal>>,
    ) -> Result {
        let copy = self.copy.get_mut();
        let before = self.buf.bytes()?;
        self.seal = seal(&Sealing {
            block: self.block,
            before: &before,
            changed: self.changed.clone(),
            after: copy.bytes.get(self.changed.clone()).ok_or(Errno::EIO)?,
        })?;
        Ok(())
    }

    /// Makes the cached block what the operation wants; returns it, and the memory. With `keep`
    /// that memory then holds the block as it was.
    pub(crate) fn publish(self, keep: bool) -> Result<(BlockNo, B, Vec<u8>)> {
        let mut bytes = self.buf.bytes_mut()?;
        let Copy {
            bytes: mut copy, ..
        } = self.copy.into_inner();
        let from = copy.get_mut(self.changed.clone()).ok_or(Errno::EINVAL)?;
        let to = bytes.get_mut(self.changed.clone()).ok_or(Errno::EINVAL)?;
        if keep {
            to.swap_with_slice(from);
            for rest in [0..self.changed.start, self.changed.end..copy.len()] {
                let to = copy.get_mut(rest.clone()).ok_or(Errno::EINVAL)?;
                to.copy_from_slice(bytes.get(rest).ok_or(Errno::EINVAL)?);
            }
        } else {
            to.copy_from_slice(from);
        }
        if let Some(seal) = self.seal {
            let rest = bytes.get_mut(seal.at..).ok_or(Errno::EINVAL)?;
            *rest.first_chunk_mut().ok_or(Errno::EINVAL)? = seal.bytes;
        }
        drop(bytes);
        Ok((self.block, self.buf, copy))
    }

    /// Gives the memory back.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.copy.into_inner().bytes
    }
}

/// The smallest range that includes both; an empty one includes nothing.
fn cover(a: &Range<usize>, b: &Range<usize>) -> Range<usize> {
    if a.is_empty() {
        return b.clone();
    }
    if b.is_empty() {
        return a.clone();
    }
    a.start.min(b.start)..a.end.max(b.end)
}
