// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One record of the log, as bytes and back. `FORMAT.md` has the table.

use alloc::vec::Vec;
use bento::{Errno, Result, Timespec, crc32c};

/// The first bytes of each record.
pub const MAGIC: [u8; 4] = *b"PROV";
/// Bytes before the names.
pub const HEAD: usize = 96;
/// The longest record: head, two names of 255 bytes, padding.
pub const MAX: usize = 608;
/// Records lie at multiples of this.
pub const ALIGN: usize = 8;
/// Where the checksum lies.
const SUM: core::ops::Range<usize> = 8..12;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Recording begins: after a mount or an upgrade. `name`: the build.
    Start,
    /// `extra` records were lost since the one before.
    Lost,
    /// A file was opened.
    Open,
    /// An open file was closed.
    Close,
    /// The first read (or mapping) of an open file.
    Read,
    /// The first write (or writable mapping) of an open file.
    Write,
    /// A new inode that is no directory; `flags`: its mode. Without a name: `O_TMPFILE`.
    Create,
    /// A new directory; `flags`: its mode.
    Mkdir,
    /// A second name.
    Link,
    /// A name was removed; `flags` 1: of a directory.
    Unlink,
    /// A name was changed: from `name` in `parent` to `name2` in `other`. `extra`: the inode that
    /// had the new name, or 0. `flags`: those of `renameat2(2)`.
    Rename,
    /// The size was set, to `extra`.
    Truncate,
}

impl Kind {
    /// All kinds, in the order of their numbers, which begin with 1.
    pub const ALL: [Self; 12] = [
        Self::Start,
        Self::Lost,
        Self::Open,
        Self::Close,
        Self::Read,
        Self::Write,
        Self::Create,
        Self::Mkdir,
        Self::Link,
        Self::Unlink,
        Self::Rename,
        Self::Truncate,
    ];

    /// The word that stands for it in text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Lost => "lost",
            Self::Open => "open",
            Self::Close => "close",
            Self::Read => "read",
            Self::Write => "write",
            Self::Create => "create",
            Self::Mkdir => "mkdir",
            Self::Link => "link",
            Self::Unlink => "unlink",
            Self::Rename => "rename",
            Self::Truncate => "truncate",
        }
    }

    fn number(self) -> u8 {
        let place = Self::ALL.iter().position(|kind| *kind == self);
        place.map_or(0, |at| u8::try_from(at + 1).unwrap_or(0))
    }

    fn from_number(number: u8) -> Option<Self> {
        let at = usize::from(number).checked_sub(1)?;
        Self::ALL.get(at).copied()
    }
}

/// One record. What a kind has no use for is 0 or empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What happened.
    pub kind: Kind,
    /// Counts the records since recording began; a gap tells of lost ones.
    pub seq: u64,
    /// When, by the clock of the host.
    pub time: Timespec,
    /// The process.
    pub pid: u32,
    /// Its file-system user id.
    pub uid: u32,
    /// Name of its command, NUL-padded.
    pub comm: [u8; 16],
    /// The inode.
    pub ino: u64,
    /// The directory of `name`.
    pub parent: u64,
    /// The directory of `name2`.
    pub other: u64,
    /// See the kind.
    pub extra: u64,
    /// See the kind.
    pub flags: u32,
    /// At most 255 bytes.
    pub name: &'a [u8],
    /// At most 255 bytes.
    pub name2: &'a [u8],
}

impl<'a> Record<'a> {
    /// A record of this kind with nothing in it.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            seq: 0,
            time: Timespec { sec: 0, nsec: 0 },
            pid: 0,
            uid: 0,
            comm: [0; 16],
            ino: 0,
            parent: 0,
            other: 0,
            extra: 0,
            flags: 0,
            name: &[],
            name2: &[],
        }
    }

    /// How many bytes it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        (HEAD + self.name.len() + self.name2.len()).next_multiple_of(ALIGN)
    }

    /// Appends its bytes.
    ///
    /// # Errors
    /// `ENAMETOOLONG`, `ENOMEM`: nothing is appended.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result {
        let name_len = u16::try_from(self.name.len()).map_err(|_| Errno::ENAMETOOLONG)?;
        let name2_len = u16::try_from(self.name2.len()).map_err(|_| Errno::ENAMETOOLONG)?;
        let len = self.size();
        if len > MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let short = u16::try_from(len).map_err(|_| Errno::ENAMETOOLONG)?;
        out.try_reserve(len).map_err(|_| Errno::ENOMEM)?;
        let start = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&short.to_le_bytes());
        out.extend_from_slice(&[self.kind.number(), 0]);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.pid.to_le_bytes());
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&self.time.sec.to_le_bytes());
        out.extend_from_slice(&self.time.nsec.to_le_bytes());
        out.extend_from_slice(&self.uid.to_le_bytes());
        for word in [self.ino, self.parent, self.other, self.extra] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.comm);
        out.extend_from_slice(&self.flags.to_le_bytes());
        out.extend_from_slice(&name_len.to_le_bytes());
        out.extend_from_slice(&name2_len.to_le_bytes());
        out.extend_from_slice(self.name);
        out.extend_from_slice(self.name2);
        out.resize(start + len, 0);
        let bytes = out.get_mut(start..).unwrap_or_default();
        let sum = crc32c(0, bytes);
        if let Some(field) = bytes.get_mut(SUM) {
            field.copy_from_slice(&sum.to_le_bytes());
        }
        Ok(())
    }

    /// The record at the start of `bytes`, and its length. `None`: there is none, or it is
    /// damaged or cut off.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let mut fields = Fields(bytes);
        let magic = fields.take::<4>()?;
        let len = usize::from(u16::from_le_bytes(fields.take()?));
        let [number, zero] = fields.take::<2>()?;
        if magic != MAGIC || zero != 0 || !(HEAD..=MAX).contains(&len) || len % ALIGN != 0 {
            return None;
        }
        let all = bytes.get(..len)?;
        let stored = u32::from_le_bytes(fields.take()?);
        let sum = crc32c(0, all.get(..SUM.start)?);
        let sum = crc32c(crc32c(sum, &[0; 4]), all.get(SUM.end..)?);
        if stored != sum {
            return None;
        }
        let pid = u32::from_le_bytes(fields.take()?);
        let seq = u64::from_le_bytes(fields.take()?);
        let sec = i64::from_le_bytes(fields.take()?);
        let nsec = u32::from_le_bytes(fields.take()?);
        let uid = u32::from_le_bytes(fields.take()?);
        let [ino, parent, other, extra] = [
            fields.take()?,
            fields.take()?,
            fields.take()?,
            fields.take()?,
        ]
        .map(u64::from_le_bytes);
        let comm = fields.take()?;
        let flags = u32::from_le_bytes(fields.take()?);
        let name_len = usize::from(u16::from_le_bytes(fields.take()?));
        let name2_len = usize::from(u16::from_le_bytes(fields.take()?));
        let (name, rest) = all.get(HEAD..)?.split_at_checked(name_len)?;
        let (name2, padding) = rest.split_at_checked(name2_len)?;
        if padding.len() >= ALIGN {
            return None;
        }
        let record = Self {
            kind: Kind::from_number(number)?,
            seq,
            time: Timespec { sec, nsec },
            pid,
            uid,
            comm,
            ino,
            parent,
            other,
            extra,
            flags,
            name,
            name2,
        };
        Some((record, len))
    }
}

/// The fields of a head, one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

/// What a log holds, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A whole record.
    Record(Record<'a>),
    /// So many bytes are no records: a crash tore them, or somebody wrote them.
    Damage(usize),
}

/// Reads the bytes of a log.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader from the start of a file, or from where another has stopped.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes have been looked at: up to the end of the last item.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        let start = self.at;
        while let Some(rest) = self.bytes.get(self.at..)
            && !rest.is_empty()
        {
            match Record::decode(rest) {
                Some((record, len)) if self.at == start => {
                    self.at += len;
                    return Some(Item::Record(record));
                }
                Some(_) => break,
                None => self.at = (self.at + ALIGN).min(self.bytes.len()),
            }
        }
        (self.at > start).then(|| Item::Damage(self.at - start))
    }
}
