// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Where `readdir` puts its entries.
//!
//! The host owns the memory and shows the entries to its caller after the operation, so that no
//! fault on the caller's memory happens inside the file system. A record is, little-endian:
//! `u64 ino, u64 cookie, u8 dirent_type, u8 name_len, name bytes`, without padding
//! (`struct bento_dirent` in `bento_abi.h`).

use crate::{FileKind, InodeNo};

/// Bytes of a record before the name.
pub const RECORD_HEAD: usize = 18;

/// An output buffer of directory entries.
#[derive(Debug)]
pub struct DirBuf<'a> {
    memory: &'a mut [u8],
    used: usize,
    full: bool,
}

impl<'a> DirBuf<'a> {
    /// An empty buffer over `memory`.
    pub fn new(memory: &'a mut [u8]) -> Self {
        Self {
            memory,
            used: 0,
            full: false,
        }
    }

    /// Adds an entry; `false` means that the buffer is full and the entry was not taken.
    ///
    /// `cookie` is where a later `readdir` goes on *behind* this entry: at least 2 and stable while
    /// the entry exists (0 and 1 stand for `.` and `..`, which the host adds). `name` has 1 to 255
    /// bytes; one of another length is not taken and counts as full.
    #[must_use]
    pub fn push(&mut self, ino: InodeNo, cookie: u64, kind: FileKind, name: &[u8]) -> bool {
        let Ok(name_len @ 1..) = u8::try_from(name.len()) else {
            self.full = true;
            return false;
        };
        let size = RECORD_HEAD + name.len();
        let Some(record) = self
            .memory
            .get_mut(self.used..)
            .and_then(|m| m.get_mut(..size))
        else {
            self.full = true;
            return false;
        };
        let (head, tail) = record.split_at_mut(RECORD_HEAD);
        let head_bytes = ino.0.to_le_bytes().into_iter().chain(cookie.to_le_bytes());
        for (to, from) in head
            .iter_mut()
            .zip(head_bytes.chain([kind.dirent_type(), name_len]))
        {
            *to = from;
        }
        tail.copy_from_slice(name);
        self.used += size;
        true
    }

    /// Bytes filled so far.
    #[must_use]
    pub const fn used(&self) -> usize {
        self.used
    }

    /// An entry was refused: there are more behind the last cookie.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.full
    }
}

/// One decoded record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirRecord<'a> {
    /// Inode number.
    pub ino: InodeNo,
    /// Where to go on behind this entry.
    pub cookie: u64,
    /// The `DT_*` value.
    pub dirent_type: u8,
    /// The name, 1 to 255 bytes.
    pub name: &'a [u8],
}

/// The records of a filled buffer; stops at the first that is cut short.
pub fn records(mut bytes: &[u8]) -> impl Iterator<Item = DirRecord<'_>> {
    core::iter::from_fn(move || {
        let (ino, rest) = bytes.split_first_chunk::<8>()?;
        let (cookie, rest) = rest.split_first_chunk::<8>()?;
        let (&[dirent_type, name_len], rest) = rest.split_first_chunk::<2>()?;
        let (name, rest) = rest.split_at_checked(usize::from(name_len))?;
        bytes = rest;
        let (ino, cookie) = (u64::from_le_bytes(*ino), u64::from_le_bytes(*cookie));
        Some(DirRecord {
            ino: InodeNo(ino),
            cookie,
            dirent_type,
            name,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{DirBuf, records};
    use crate::{FileKind, InodeNo};

    #[test]
    fn entries_come_out_as_they_went_in_until_the_buffer_is_full() {
        let mut memory = [0u8; 50];
        let mut buf = DirBuf::new(&mut memory);
        assert!(buf.push(InodeNo(7), 2, FileKind::Regular, b"one"));
        assert!(buf.push(InodeNo(8), 3, FileKind::Directory, b"four"));
        assert!(!buf.is_full());
        assert!(!buf.push(InodeNo(9), 4, FileKind::Regular, b"does not fit"));
        assert!(buf.is_full());
        let used = buf.used();
        let got: alloc::vec::Vec<_> = records(&memory[..used])
            .map(|r| (r.ino.0, r.cookie, r.dirent_type, r.name))
            .collect();
        assert_eq!(got, [(7, 2, 8, &b"one"[..]), (8, 3, 4, &b"four"[..])]);
    }

    #[test]
    fn names_of_impossible_length_are_refused() {
        let mut memory = [0u8; 600];
        let mut buf = DirBuf::new(&mut memory);
        assert!(!buf.push(InodeNo(1), 2, FileKind::Regular, b""));
        assert!(!buf.push(InodeNo(1), 2, FileKind::Regular, &[b'x'; 256]));
        assert!(buf.push(InodeNo(1), 2, FileKind::Regular, &[b'x'; 255]));
    }
}
