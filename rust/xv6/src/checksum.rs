// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Checksums of all metadata, and when they are made and verified.
//!
//! Every checksum is a crc32c with the field that holds it taken as zero. It starts with the UUID
//! and the place ([`Sums`]): what was left by an earlier file system, or was written to another
//! place than it was meant for, does not match.
//!
//! * **Made** when a transaction is committed ([`crate::txn::Txn::commit`]): for inodes when they
//!   are stored, for blocks from what changed in them, so that the cost does not depend on the
//!   size of a block. A block in the cache therefore always matches its checksum.
//! * **Verified** when a block comes from the device: [`Checked`] marks a cached block that it has
//!   verified, and asks the mark from then on. Inodes are verified one by one when they are
//!   loaded, so damage of one does not stop the other 15 of its block.

use crate::corrupt::CorruptKind;
use crate::inode::Ino;
use crate::layout::{self, BLOCK_HEAD, CHECKSUM_AT, INODE_SIZE, RawInode, RawSuper};
use crate::superblock::Geometry;
use bento::{
    BlockBuf, BlockDevice, BlockNo, BlockWrite, Result, WriteOrder, crc32c, crc32c_patched,
};
use core::ops::Range;
use journal::{Seal, Sealing};
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// Changes of more bytes than this are not worth the detour of a patch: the processor's own
/// instruction goes through a whole block in about 1400 instructions.
const PATCH_MAX: usize = 512;

/// The checksum of a superblock. It has no other start than others: it holds the UUID itself.
#[must_use]
pub fn of_super(raw: &RawSuper) -> u32 {
    let blank = RawSuper {
        checksum: U32::ZERO,
        ..*raw
    };
    crc32c(0, blank.as_bytes())
}

/// The checksums of one file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sums {
    /// crc32c of the UUID.
    start: u32,
}

impl Sums {
    /// Those of the file system with this UUID.
    #[must_use]
    pub fn new(uuid: &[u8; 16]) -> Self {
        Self {
            start: crc32c(0, uuid),
        }
    }

    /// The checksum of a metadata block with a head ([`layout::RawHead`]).
    #[must_use]
    pub fn of_block(&self, block: BlockNo, bytes: &[u8]) -> u32 {
        self.of_parts(block, [bytes, &[], &[]])
    }

    /// The same of a block that lies in parts one after the other.
    fn of_parts(&self, block: BlockNo, parts: [&[u8]; 3]) -> u32 {
        let field = field();
        let mut sum = crc32c(self.start, &block.0.to_le_bytes());
        let mut at = 0;
        for part in parts {
            let end = at + part.len();
            let inside = |range: Range<usize>| {
                let range = range.start.clamp(at, end)..range.end.clamp(at, end);
                (range.start - at, range.end - at)
            };
            let (from, to) = inside(field.clone());
            let (before, rest) = part.split_at_checked(from).unwrap_or_default();
            let (blank, behind) = rest.split_at_checked(to - from).unwrap_or_default();
            sum = crc32c(sum, before);
            sum = blank.iter().fold(sum, |sum, _| crc32c(sum, &[0]));
            sum = crc32c(sum, behind);
            at = end;
        }
        sum
    }

    /// The block has the checksum that it should have.
    #[must_use]
    pub fn block_is_valid(&self, block: BlockNo, bytes: &[u8]) -> bool {
        let stored: Option<U32> = layout::get(bytes, CHECKSUM_AT);
        stored.is_some_and(|stored| stored.get() == self.of_block(block, bytes))
    }

    /// Gives a whole block its checksum.
    pub fn seal(&self, block: BlockNo, bytes: &mut [u8]) {
        let sum = self.of_block(block, bytes);
        if let Some(place) = bytes.get_mut(field()) {
            place.copy_from_slice(&sum.to_le_bytes());
        }
    }

    /// The checksum of a changed block. Looks at the changed bytes alone where they are few: the
    /// block matched its checksum before.
    pub(crate) fn reseal(&self, sealing: &Sealing<'_>) -> Result<Seal> {
        let (block, changed) = (sealing.block, &sealing.changed);
        let parts = sealing.parts()?;
        let [_, _, behind] = parts;
        let old: Option<U32> = layout::get(sealing.before, CHECKSUM_AT);
        let few = changed.start >= BLOCK_HEAD.into() && changed.len() <= PATCH_MAX;
        // Whoever changes the head has made the block anew, or touched much of it.
        let patched = old.zip(sealing.before.get(changed.clone())).filter(|_| few);
        let sum = match patched {
            Some((old, from)) => crc32c_patched(old.get(), from, sealing.after, behind.len()),
            None => self.of_parts(block, parts),
        };
        debug_assert_eq!(
            sum,
            self.of_parts(block, parts),
            "block {block} was not sealed"
        );
        Ok(Seal {
            at: field().start,
            bytes: sum.to_le_bytes(),
        })
    }

    /// The checksum of an inode.
    #[must_use]
    pub fn of_inode(&self, ino: Ino, raw: &RawInode) -> u32 {
        let blank = RawInode {
            checksum: U32::ZERO,
            ..*raw
        };
        let start = crc32c(self.start, &ino.0.to_le_bytes());
        crc32c(start, blank.as_bytes())
    }

    /// The inode with its checksum.
    #[must_use]
    pub fn seal_inode(&self, ino: Ino, raw: &RawInode) -> RawInode {
        RawInode {
            checksum: self.of_inode(ino, raw).into(),
            ..*raw
        }
    }

    /// Makes every checksum right that a whole block of metadata holds, wherever it lies outside
    /// of the log. For whoever changes a disk by hand: tests, and tools that damage.
    pub fn seal_any(&self, geometry: &Geometry, block: BlockNo, bytes: &mut [u8]) {
        if block.0 == layout::SUPER_BLOCK || block == geometry.backup() {
            if let Ok((raw, _)) = RawSuper::mut_from_prefix(bytes) {
                raw.checksum = of_super(raw).into();
            }
        } else if geometry.has_head(block) {
            self.seal(block, bytes);
        } else if let Some(first) = geometry.first_inode_of(block) {
            for (number, slot) in (first..).zip(bytes.chunks_mut(INODE_SIZE.into())) {
                let ino = geometry.ino(number);
                if let (Some(ino), Ok(raw)) = (ino, RawInode::mut_from_bytes(slot))
                    && *raw != RawInode::new_zeroed()
                {
                    *raw = self.seal_inode(ino, raw);
                }
            }
        }
    }

    /// The inode has the checksum that it should have. A slot that was never used has none: it
    /// came into being as zeros, together with its block.
    #[must_use]
    pub fn inode_is_valid(&self, ino: Ino, raw: &RawInode) -> bool {
        raw.checksum.get() == self.of_inode(ino, raw) || *raw == RawInode::new_zeroed()
    }
}

/// Where a block holds its checksum.
fn field() -> Range<usize> {
    let start = usize::from(CHECKSUM_AT);
    start..start + 4
}

/// A device that verifies what it reads: the first reading of a block since it came into the
/// cache fails with `EUCLEAN` where the checksum is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Checked<D> {
    inner: D,
    sums: Sums,
    geometry: Geometry,
}

impl<D: BlockDevice> Checked<D> {
    pub(crate) fn new(inner: D, sums: Sums, geometry: Geometry) -> Self {
        Self {
            inner,
            sums,
            geometry,
        }
    }

    #[inline]
    fn checked(&self, buf: D::Buf, block: BlockNo) -> Result<D::Buf> {
        if !buf.is_checked() {
            self.verify(&buf, block)?;
        }
        Ok(buf)
    }

    #[cold]
    fn verify(&self, buf: &D::Buf, block: BlockNo) -> Result {
        if !self.geometry.has_head(block) {
            return Ok(());
        }
        let bytes = buf.bytes()?;
        if !self.sums.block_is_valid(block, &bytes) {
            return Err(CorruptKind::BlockChecksum.at(block));
        }
        buf.set_checked();
        Ok(())
    }
}

impl<D: BlockDevice> BlockDevice for Checked<D> {
    type Buf = D::Buf;
    const BLOCK_SIZE: usize = D::BLOCK_SIZE;

    fn blocks(&self) -> u64 {
        self.inner.blocks()
    }

    fn read_only(&self) -> bool {
        self.inner.read_only()
    }

    #[inline]
    fn read(&self, block: BlockNo) -> Result<D::Buf> {
        self.checked(self.inner.read(block)?, block)
    }

    #[inline]
    fn read_ahead(&self, block: BlockNo, ahead: u32) -> Result<D::Buf> {
        self.checked(self.inner.read_ahead(block, ahead)?, block)
    }

    fn zeroed(&self, block: BlockNo) -> Result<D::Buf> {
        self.inner.zeroed(block)
    }

    fn write(&self, writes: &[BlockWrite<'_>], order: WriteOrder) -> Result {
        self.inner.write(writes, order)
    }

    fn flush(&self) -> Result {
        self.inner.flush()
    }

    fn discard(&self, block: BlockNo, count: u64) -> Result {
        self.inner.discard(block, count)
    }
}

#[cfg(test)]
mod tests {
    use super::Sums;
    use crate::inode::Ino;
    use crate::layout::RawInode;
    use alloc::vec;
    use bento::BlockNo;
    use journal::Sealing;
    use proptest::prelude::*;
    use zerocopy::{FromBytes, FromZeros};

    #[test]
    fn a_checksum_holds_for_one_place_of_one_file_system() {
        let sums = Sums::new(&[1; 16]);
        let mut block = vec![7; 4096];
        sums.seal(BlockNo(5), &mut block);
        assert!(sums.block_is_valid(BlockNo(5), &block));
        assert!(!sums.block_is_valid(BlockNo(6), &block));
        assert!(!Sums::new(&[2; 16]).block_is_valid(BlockNo(5), &block));
        assert!(!sums.block_is_valid(BlockNo(0), &[0; 4096]));
    }

    #[test]
    fn inodes_are_sealed_with_their_number_and_untouched_slots_are_zero() {
        let sums = Sums::new(&[1; 16]);
        let raw = RawInode::read_from_bytes(&[3; 256]).expect("256 bytes");
        let sealed = sums.seal_inode(Ino(9), &raw);
        assert!(sums.inode_is_valid(Ino(9), &sealed) && !sums.inode_is_valid(Ino(9), &raw));
        assert!(!sums.inode_is_valid(Ino(8), &sealed));
        assert!(sums.inode_is_valid(Ino(9), &RawInode::new_zeroed()));
    }

    proptest! {
        #[test]
        fn a_patched_block_is_as_valid_as_one_sealed_anew(
            start in 0usize..4096, len in 1usize..2000, byte: u8, flip in 0usize..8 * 4096,
        ) {
            let sums = Sums::new(&[9; 16]);
            let mut before = vec![0x33; 4096];
            sums.seal(BlockNo(3), &mut before);
            let mut after = before.clone();
            let changed = start..(start + len).min(4096);
            after[changed.clone()].fill(byte);
            let patch = after[changed.clone()].to_vec();
            let sealing = Sealing { block: BlockNo(3), before: &before, changed, after: &patch };
            let seal = sums.reseal(&sealing).expect("it fits");
            after[seal.at..seal.at + 4].copy_from_slice(&seal.bytes);
            prop_assert!(sums.block_is_valid(BlockNo(3), &after));
            after[flip / 8] ^= 1 << (flip % 8);
            prop_assert!(!sums.block_is_valid(BlockNo(3), &after), "a flipped bit is noticed");
        }
    }
}
