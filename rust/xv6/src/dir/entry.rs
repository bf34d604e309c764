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
        let entry = Self::skim(block, at)?;
        if entry.kind.is_some() && check_name(entry.name).is_err() {
            return Err(CorruptKind::DirEntryName);
        }
        Ok(entry)
    }

    /// As [`Dirent::parse`], but for the bytes of the name: for searches, which pass over most
    /// entries and compare the names of the others with a valid one.
    #[inline]
    pub(crate) fn skim(block: &'a [u8], at: u16) -> core::result::Result<Self, CorruptKind> {
        let raw: RawDirent = layout::get(block, at).ok_or(CorruptKind::DirEntryLength)?;
        let rec_len = raw.rec_len.get();
        let fits = rec_len >= DIRENT_HEAD
            && rec_len.is_multiple_of(DIR_ALIGN)
            && rec_len <= BLOCK_SIZE.saturating_sub(at);
        if !fits || u16::from(raw.name_len) > rec_len - DIRENT_HEAD {
            return Err(CorruptKind::DirEntryLength);
        }
        let free = raw.ino == U32::ZERO;
        let kind = KINDS.get(usize::from(raw.kind)).copied().flatten();
        if free && (raw.name_len, raw.kind) != (0, 0) {
            return Err(CorruptKind::DirEntryInode);
        }
        if !free && kind.is_none() {
            return Err(CorruptKind::DirEntryKind);
        }
        let start = usize::from(at + DIRENT_HEAD);
        let name = block.get(start..start + usize::from(raw.name_len));
        Ok(Self {
            at,
            rec_len,
            ino: raw.ino.get(),
            kind,
            name: name.ok_or(CorruptKind::DirEntryLength)?,
        })
    }

    /// It is an entry of this name. Names of one directory often begin alike, so the end comes
    /// first.
    #[inline]
    pub(crate) fn is(&self, name: &[u8]) -> bool {
        self.name.len() == name.len()
            && self.name.last() == name.last()
            && self.kind.is_some()
            && self.name == name
    }
}

/// The kinds by the number that an entry has for them; see [`FileKind::dirent_type`].
static KINDS: [Option<FileKind>; 16] = {
    use FileKind::{BlockDevice, CharDevice, Directory, Fifo, Regular, Socket, Symlink};
    let mut kinds = [None; 16];
    kinds[1] = Some(Fifo);
    kinds[2] = Some(CharDevice);
    kinds[4] = Some(Directory);
    kinds[6] = Some(BlockDevice);
    kinds[8] = Some(Regular);
    kinds[10] = Some(Symlink);
    kinds[12] = Some(Socket);
    kinds
};

/// The entries of a block, free space included; ends with the first damaged one.
pub(crate) fn entries(
    block: &[u8],
) -> impl Iterator<Item = core::result::Result<Dirent<'_>, CorruptKind>> {
    walk(|at| Dirent::parse(block, at))
}

/// As [`entries`], by [`Dirent::skim`].
pub(crate) fn skim(
    block: &[u8],
) -> impl Iterator<Item = core::result::Result<Dirent<'_>, CorruptKind>> {
    walk(|at| Dirent::skim(block, at))
}

#[inline]
fn walk<'a>(
    entry_at: impl Fn(u16) -> core::result::Result<Dirent<'a>, CorruptKind>,
) -> impl Iterator<Item = core::result::Result<Dirent<'a>, CorruptKind>> {
    let mut at = DIR_START;
    core::iter::from_fn(move || {
        if at >= BLOCK_SIZE {
            return None;
        }
        let entry = entry_at(at);
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
    use super::{CorruptKind, Dirent, KINDS, check_name, encode, entries, size, skim};
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

    #[test]
    fn each_kind_has_its_number() {
        for (number, kind) in (0..).zip(KINDS) {
            assert_eq!(kind, FileKind::from_mode(number << 12), "{number}");
            assert!(kind.is_none_or(|kind| u32::from(kind.dirent_type()) == number));
        }
    }

    proptest! {
        #[test]
        fn skimming_finds_all_damage_but_that_of_names(
            entries_of in proptest::collection::vec(("[a-z]{1,9}", any::<bool>()), 1..40),
            at in 0usize..600, byte: u8,
        ) {
            let mut block = vec![0u8; 4096];
            let mut end = 16;
            for (name, last) in &entries_of {
                let bytes = encode(Ino(7), FileKind::Regular, name.as_bytes(), 24);
                let bytes = bytes.expect("a valid name");
                block[end..end + bytes.len()].copy_from_slice(&bytes);
                end += 24;
                if *last { break; }
            }
            block[end + 4..end + 6].copy_from_slice(&u16::try_from(4096 - end).expect("fits").to_le_bytes());
            block[16 + at] = byte;
            for (full, quick) in entries(&block).zip(skim(&block)) {
                match full {
                    Err(CorruptKind::DirEntryName) => {
                        let name = quick.expect("only its name is damaged").name;
                        prop_assert!(check_name(name).is_err());
                    }
                    full => prop_assert_eq!(full, quick),
                }
            }
        }

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
