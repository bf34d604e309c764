// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One directory entry, and the entries of one block.

use crate::corrupt::CorruptKind;
use crate::inode::Ino;
use crate::layout::{
    self, BLOCK_SIZE, DIR_ALIGN, DIR_START, DIRENT_HEAD, NAME_MAX, RawDirHead, RawDirent,
};
use alloc::vec::Vec;
use bento::{Errno, FileKind, Result};
use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

/// A validated entry; free space is an entry without a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dirent<'a> {
    /// Where in the block it lies.
    pub(crate) at: u16,
    /// Bytes up to the next entry.
    pub(crate) rec_len: u16,
    /// The inode; its range has not been checked.
    pub(crate) ino: u32,
    pub(crate) kind: Option<FileKind>,
    pub(crate) name: &'a [u8],
}

impl<'a> Dirent<'a> {
    /// Bytes that the entry needs: 0 for free space.
    pub(crate) fn needed(&self) -> u16 {
        let len = u8::try_from(self.name.len()).unwrap_or(NAME_MAX);
        if self.kind.is_some() { size(len) } else { 0 }
    }

    /// Bytes behind it that a new entry can have.
    pub(crate) fn gap(&self) -> u16 {
        self.rec_len.saturating_sub(self.needed())
    }

    /// Validates the entry at `at`.
    pub(crate) fn parse(block: &'a [u8], at: u16) -> core::result::Result<Self, CorruptKind> {
        let raw: RawDirent = layout::get(block, at).ok_or(CorruptKind::DirEntryLength)?;
        let rec_len = raw.rec_len.get();
        let fits = rec_len >= DIRENT_HEAD
            && rec_len.is_multiple_of(DIR_ALIGN)
            && rec_len <= BLOCK_SIZE.saturating_sub(at);
        if !fits || u16::from(raw.name_len) > rec_len - DIRENT_HEAD {
            return Err(CorruptKind::DirEntryLength);
        }
        let free = raw.ino == U32::ZERO;
        let kind = FileKind::from_mode(u32::from(raw.kind) << 12);
        if free && (raw.name_len, raw.kind) != (0, 0) {
            return Err(CorruptKind::DirEntryInode);
        }
        if !free && (kind.is_none() || raw.kind > 15) {
            return Err(CorruptKind::DirEntryKind);
        }
        let start = usize::from(at + DIRENT_HEAD);
        let name = block
            .get(start..)
            .and_then(|rest| rest.get(..raw.name_len.into()));
        let name = name.ok_or(CorruptKind::DirEntryLength)?;
        if !free && check_name(name).is_err() {
            return Err(CorruptKind::DirEntryName);
        }
        Ok(Self {
            at,
            rec_len,
            ino: raw.ino.get(),
            kind: kind.filter(|_| !free),
            name,
        })
    }
}

/// The entries of a block, free space included; ends with the first damaged one.
pub(crate) fn entries(
    block: &[u8],
) -> impl Iterator<Item = core::result::Result<Dirent<'_>, CorruptKind>> {
    let mut at = DIR_START;
    core::iter::from_fn(move || {
        if at >= BLOCK_SIZE {
            return None;
        }
        let entry = Dirent::parse(block, at);
        // A valid entry ends at or before the end of the block.
        at = entry.map_or(BLOCK_SIZE, |entry| at + entry.rec_len);
        Some(entry)
    })
}

/// Validates the head of a block of the directory `owner`.
pub(crate) fn check_head(block: &[u8], owner: Ino) -> core::result::Result<(), CorruptKind> {
    let head: RawDirHead = layout::get(block, 0).ok_or(CorruptKind::DirMagic)?;
    if head.magic != layout::DIR_MAGIC {
        return Err(CorruptKind::DirMagic);
    }
    if head.owner.get() != owner.0 {
        return Err(CorruptKind::DirOwner);
    }
    if head.reserved != U32::ZERO {
        return Err(CorruptKind::DirReserved);
    }
    Ok(())
}

/// The length of a valid name.
///
/// # Errors
/// `ENAMETOOLONG`: more than 255 bytes. `EINVAL`: empty, `.`, `..`, or with `/` or NUL.
pub(crate) fn check_name(name: &[u8]) -> Result<u8> {
    let len = u8::try_from(name.len()).map_err(|_| Errno::ENAMETOOLONG)?;
    let bad = matches!(name, b"" | b"." | b"..") || name.iter().any(|b| matches!(b, 0 | b'/'));
    if bad { Err(Errno::EINVAL) } else { Ok(len) }
}

/// Bytes of an entry with a name of `name_len` bytes.
pub(crate) fn size(name_len: u8) -> u16 {
    (DIRENT_HEAD + u16::from(name_len)).next_multiple_of(DIR_ALIGN)
}

/// The bytes of an entry.
pub(crate) fn encode(ino: Ino, kind: FileKind, name: &[u8], rec_len: u16) -> Result<Vec<u8>> {
    let head = RawDirent {
        ino: ino.0.into(),
        rec_len: rec_len.into(),
        name_len: check_name(name)?,
        kind: kind.dirent_type(),
    };
    debug_assert!(rec_len >= size(head.name_len));
    let mut bytes = Vec::with_capacity(usize::from(DIRENT_HEAD) + name.len());
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(name);
    Ok(bytes)
}

/// Free space.
pub(crate) fn free(rec_len: u16) -> RawDirent {
    RawDirent {
        ino: U32::ZERO,
        rec_len: rec_len.into(),
        name_len: 0,
        kind: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{CorruptKind, Dirent, check_name, encode, entries, size};
    use crate::inode::Ino;
    use alloc::vec;
    use alloc::vec::Vec;
    use bento::{Errno, FileKind};
    use proptest::prelude::*;

    #[test]
    fn names_that_no_path_can_hold_are_refused() {
        for bad in [&b""[..], b".", b"..", b"a/b", b"a\0b"] {
            assert_eq!(check_name(bad), Err(Errno::EINVAL), "{bad:?}");
        }
        assert_eq!(check_name(&[b'x'; 256]), Err(Errno::ENAMETOOLONG));
        assert_eq!(check_name(&[b'x'; 255]), Ok(255));
        assert_eq!(check_name(b"..."), Ok(3));
    }

    proptest! {
        #[test]
        fn entries_survive_a_round_trip(ino in 1u32.., name in "[a-z]{1,255}", slack in 0u16..9) {
            let len = u8::try_from(name.len()).expect("at most 255");
            let rec_len = size(len) + 8 * slack;
            let bytes = encode(Ino(ino), FileKind::Symlink, name.as_bytes(), rec_len);
            let mut block = vec![0u8; 4096];
            let bytes = bytes.expect("a valid name");
            block[64..64 + bytes.len()].copy_from_slice(&bytes);
            let entry = Dirent::parse(&block, 64).expect("valid");
            prop_assert_eq!((entry.ino, entry.kind), (ino, Some(FileKind::Symlink)));
            prop_assert_eq!(entry.name, name.as_bytes());
            prop_assert_eq!(entry.needed(), size(len));
            prop_assert_eq!(entry.rec_len, rec_len);
        }

        #[test]
        fn garbage_ends_the_walk_with_an_error(bytes in proptest::collection::vec(any::<u8>(), 4096)) {
            let walked: Vec<_> = entries(&bytes).collect();
            prop_assert!(walked.len() <= 511);
            let covered: u16 = walked.iter().flatten().map(|entry| entry.rec_len).sum();
            let damaged = walked.last().is_some_and(|entry| entry.is_err());
            prop_assert!(damaged || covered == 4080);
            prop_assert!(walked.iter().rev().skip(1).all(|entry| entry.is_ok()));
            prop_assert!(!walked.contains(&Err(CorruptKind::DirMagic)));
        }
    }
}
