// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The bytes of the log: header and descriptors (see `FORMAT.md`).

use crate::area::Area;
use crate::crc32c::crc32c;
use bento::{Errno, Result};

/// Bytes of the header that mean something; all of them lie in the first sector of its block, so
/// that a torn write leaves the old header or the new one.
pub(crate) const HEADER_SIZE: usize = 64;
/// Bytes per target in a descriptor block.
pub(crate) const TARGET_SIZE: usize = 8;

const MAGIC: u32 = u32::from_le_bytes(*b"BLog");
const VERSION: u32 = 1;
/// Offset of the header's own checksum.
const CHECKSUM_AT: usize = 60;

/// The header: which transaction the log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Number of the transaction; the next one has the next number.
    pub(crate) sequence: u64,
    /// How many blocks it changed; 0 where there is nothing to replay.
    pub(crate) count: u64,
    /// Checksum of sequence, descriptors and contents ([`body_checksum`]).
    pub(crate) body: u32,
}

impl Header {
    /// A log without a transaction, after transaction `sequence`.
    pub(crate) fn empty(sequence: u64) -> Self {
        Self {
            sequence,
            count: 0,
            body: body_checksum(sequence),
        }
    }

    /// The bytes on disk, for the log in `area`.
    pub(crate) fn encode(&self, area: Area) -> [u8; HEADER_SIZE] {
        let mut out = [0; HEADER_SIZE];
        let fields = [
            &MAGIC.to_le_bytes()[..],
            &VERSION.to_le_bytes(),
            &self.sequence.to_le_bytes(),
            &area.start.to_le_bytes(),
            &area.blocks.to_le_bytes(),
            &self.count.to_le_bytes(),
            &self.body.to_le_bytes(),
        ];
        let bytes = fields.into_iter().flatten();
        for (to, from) in out.iter_mut().zip(bytes) {
            *to = *from;
        }
        let (head, checksum) = out.split_at_mut(CHECKSUM_AT);
        checksum.copy_from_slice(&crc32c(0, head).to_le_bytes());
        out
    }

    /// The header in `bytes`, which must be one of the log in `area`.
    ///
    /// # Errors
    /// `EUCLEAN`, logged: no header, damaged, or that of another area. A crash cannot cause this:
    /// the header is written within one sector.
    pub(crate) fn decode(bytes: &[u8], area: Area) -> Result<Self> {
        let header = Fields(bytes).header(area);
        header.map_err(|what| {
            log::error!("journal: log header at block {}: {what}", area.start);
            Errno::EUCLEAN
        })
    }
}

/// Takes the fields of a header in order.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn header(mut self, area: Area) -> core::result::Result<Header, &'static str> {
        const SHORT: &str = "block is too short";
        let whole = self.0;
        let (covered, rest) = whole.split_at_checked(CHECKSUM_AT).ok_or(SHORT)?;
        let stored = rest.first_chunk().ok_or(SHORT)?;
        if self.u32().ok_or(SHORT)? != MAGIC {
            return Err("no magic number; the area does not hold a log");
        }
        if self.u32().ok_or(SHORT)? != VERSION {
            return Err("unknown version");
        }
        if crc32c(0, covered) != u32::from_le_bytes(*stored) {
            return Err("checksum is wrong; the header is damaged");
        }
        let sequence = self.u64().ok_or(SHORT)?;
        if self.u64().ok_or(SHORT)? != area.start || self.u64().ok_or(SHORT)? != area.blocks {
            return Err("belongs to a log of another place or size");
        }
        let count = self.u64().ok_or(SHORT)?;
        if count > area.capacity() {
            return Err("holds more blocks than the log has room for");
        }
        // The next transaction needs a number above this one.
        if sequence == u64::MAX {
            return Err("sequence number is used up");
        }
        let body = self.u32().ok_or(SHORT)?;
        Ok(Header {
            sequence,
            count,
            body,
        })
    }

    fn u32(&mut self) -> Option<u32> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*head))
    }

    fn u64(&mut self) -> Option<u64> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*head))
    }
}

/// The start of a body checksum: it covers the sequence number, then the descriptor blocks, then
/// the contents, each continued with [`crc32c`].
pub(crate) fn body_checksum(sequence: u64) -> u32 {
    crc32c(0, &sequence.to_le_bytes())
}

/// Puts `targets` into descriptor blocks; what is left of the last one becomes zero.
pub(crate) fn encode_targets(targets: impl Iterator<Item = u64>, descriptors: &mut [u8]) {
    descriptors.fill(0);
    let (slots, _) = descriptors.as_chunks_mut::<TARGET_SIZE>();
    for (slot, target) in slots.iter_mut().zip(targets) {
        *slot = target.to_le_bytes();
    }
}

/// The targets in descriptor blocks.
pub(crate) fn decode_targets(descriptors: &[u8]) -> impl Iterator<Item = u64> {
    let (slots, _) = descriptors.as_chunks::<TARGET_SIZE>();
    slots.iter().map(|slot| u64::from_le_bytes(*slot))
}

#[cfg(test)]
mod tests {
    use super::{HEADER_SIZE, Header};
    use crate::area::Area;
    use bento::Errno;

    const AREA: Area = Area {
        start: 3,
        blocks: 64,
    };

    #[test]
    fn a_header_comes_back() {
        let header = Header {
            sequence: 77,
            count: 62,
            body: 0xdead_beef,
        };
        assert_eq!(Header::decode(&header.encode(AREA), AREA), Ok(header));
    }

    #[test]
    fn any_changed_bit_is_noticed() {
        let good = Header::empty(5).encode(AREA);
        for bit in 0..HEADER_SIZE * 8 {
            let mut bad = good;
            if let Some(byte) = bad.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            assert_eq!(Header::decode(&bad, AREA), Err(Errno::EUCLEAN), "bit {bit}");
        }
    }

    #[test]
    fn impossible_fields_behind_a_right_checksum_are_refused() {
        let other = Area {
            start: 4,
            blocks: 64,
        };
        let full = Header {
            sequence: 1,
            count: AREA.capacity() + 1,
            body: 0,
        };
        for bytes in [
            Header::empty(1).encode(other),
            full.encode(AREA),
            Header::empty(u64::MAX).encode(AREA),
        ] {
            assert_eq!(Header::decode(&bytes, AREA), Err(Errno::EUCLEAN));
        }
        assert_eq!(Header::decode(&[0; 12], AREA), Err(Errno::EUCLEAN));
    }
}
