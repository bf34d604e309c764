// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Header`]: where recovery begins (see `FORMAT.md`).

use crate::area::{Area, Place};
use bento::{Errno, Result, crc32c};

/// Bytes of the header that mean something; all of them lie in the first sector of its block, so
/// that a torn write leaves the old header or the new one.
pub(crate) const HEADER_SIZE: usize = 64;

const MAGIC: u32 = u32::from_le_bytes(*b"BLog");
const VERSION: u32 = 2;
/// Offset of the header's own checksum.
const CHECKSUM_AT: usize = 60;
/// Sequence numbers end here; at a million transactions a second that takes longer than 100 000
/// years.
const LAST_SEQUENCE: u64 = 1 << 62;

/// The header: the first transaction that a recovery looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Number and place of that transaction. It need not be there: then there is nothing to do.
    pub(crate) tail: Place,
    /// Tells the records of this log from those of an older one in the same place.
    pub(crate) seed: u64,
}

impl Header {
    /// The bytes on disk, for the log in `area`.
    pub(crate) fn encode(&self, area: Area) -> [u8; HEADER_SIZE] {
        let mut out = [0; HEADER_SIZE];
        let fields = [
            &MAGIC.to_le_bytes()[..],
            &VERSION.to_le_bytes(),
            &self.tail.sequence.to_le_bytes(),
            &area.start.to_le_bytes(),
            &area.blocks.to_le_bytes(),
            &self.tail.position.to_le_bytes(),
            &self.seed.to_le_bytes(),
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
            return Err("unknown version; use the tools of the version that made it");
        }
        if crc32c(0, covered) != u32::from_le_bytes(*stored) {
            return Err("checksum is wrong; the header is damaged");
        }
        let sequence = self.u64().ok_or(SHORT)?;
        if self.u64().ok_or(SHORT)? != area.start || self.u64().ok_or(SHORT)? != area.blocks {
            return Err("belongs to a log of another place or size");
        }
        let position = self.u64().ok_or(SHORT)?;
        if !area.is_place(position) {
            return Err("names a place outside of the log");
        }
        if sequence == 0 || sequence >= LAST_SEQUENCE {
            return Err("sequence number is impossible");
        }
        let seed = self.u64().ok_or(SHORT)?;
        let tail = Place { sequence, position };
        Ok(Header { tail, seed })
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

#[cfg(test)]
mod tests {
    use super::{HEADER_SIZE, Header, LAST_SEQUENCE};
    use crate::area::{Area, Place};
    use bento::Errno;

    const AREA: Area = Area {
        start: 3,
        blocks: 64,
    };

    const fn header(sequence: u64, position: u64) -> Header {
        Header {
            tail: Place { sequence, position },
            seed: 0xdead_beef_0bad_f00d,
        }
    }

    #[test]
    fn a_header_comes_back() {
        for header in [header(1, 1), header(77, 63), header(LAST_SEQUENCE - 1, 2)] {
            assert_eq!(Header::decode(&header.encode(AREA), AREA), Ok(header));
        }
    }

    #[test]
    fn any_changed_bit_is_noticed() {
        let good = header(5, 6).encode(AREA);
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
        for bytes in [
            header(1, 1).encode(other),
            header(1, 0).encode(AREA),
            header(1, 64).encode(AREA),
            header(0, 1).encode(AREA),
            header(LAST_SEQUENCE, 1).encode(AREA),
        ] {
            assert_eq!(Header::decode(&bytes, AREA), Err(Errno::EUCLEAN));
        }
        assert_eq!(Header::decode(&[0; 12], AREA), Err(Errno::EUCLEAN));
    }
}
