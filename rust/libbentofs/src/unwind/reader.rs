// SPDX-License-Identifier: GPL-2.0-only
//! Reads the bytes of unwind tables. Nothing here panics: whatever does not fit is `None`.

/// How an address is encoded (`DW_EH_PE_*`; Linux Standard Base, chapter 10.5).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding(pub(super) u8);

impl Encoding {
    /// No address is there.
    pub(super) const OMIT: Self = Self(0xff);
    /// An absolute address of pointer size.
    pub(super) const ABSOLUTE: Self = Self(0);

    /// The same format, as a plain number.
    pub(super) const fn format_only(self) -> Self {
        Self(self.0 & 0x0f)
    }
}

/// A place in a table that is mapped into memory.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that are left.
    pub(super) const fn left(&self) -> usize {
        self.bytes.len()
    }

    /// The address in memory of the next byte.
    pub(super) fn address(&self) -> usize {
        self.bytes.as_ptr().addr()
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = rest;
        Some(*chunk)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.chunk().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.chunk().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.chunk().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.chunk().map(u64::from_le_bytes)
    }

    /// The next `len` bytes, as a table of their own.
    pub(super) fn part(&mut self, len: usize) -> Option<Self> {
        let (part, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(Self::new(part))
    }

    pub(super) fn skip(&mut self, len: usize) -> Option<()> {
        self.part(len).map(|_| ())
    }

    /// The bytes up to a zero, which is skipped.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let len = self.bytes.iter().position(|byte| *byte == 0)?;
        let text = self.part(len)?;
        self.skip(1)?;
        Some(text.bytes)
    }

    /// An unsigned number of seven bits per byte (DWARF 5, 7.6).
    pub(super) fn uleb(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0u64, 0u32);
        loop {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            shift = shift.saturating_add(7);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
    }

    /// A signed number of seven bits per byte.
    pub(super) fn sleb(&mut self) -> Option<i64> {
        let (mut value, mut shift) = (0u64, 0u32);
        loop {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            shift = shift.saturating_add(7);
            if byte & 0x80 == 0 {
                if byte & 0x40 != 0 {
                    value |= u64::MAX.checked_shl(shift).unwrap_or(0);
                }
                return Some(value.cast_signed());
            }
        }
    }

    /// `uleb()` as a length or index.
    pub(super) fn size(&mut self) -> Option<usize> {
        self.uleb().and_then(|value| usize::try_from(value).ok())
    }

    /// An address in `encoding`; `None` also for encodings that no compiler uses for our code
    /// (relative to text, data or function, or indirect).
    pub(super) fn encoded(&mut self, encoding: Encoding) -> Option<usize> {
        let base = match encoding.0 & 0xf0 {
            0x00 => 0,
            0x10 => self.address(),
            _ => return None,
        };
        let value = match encoding.0 & 0x0f {
            0x00 | 0x04 | 0x0c => self.u64()?,
            0x01 => self.uleb()?,
            0x02 => u64::from(self.u16()?),
            0x03 => u64::from(self.u32()?),
            0x09 => self.sleb()?.cast_unsigned(),
            0x0a => i64::from(self.u16()?.cast_signed()).cast_unsigned(),
            0x0b => i64::from(self.u32()?.cast_signed()).cast_unsigned(),
            _ => return None,
        };
        Some(base.wrapping_add(usize::try_from(value).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::{Encoding, Reader};

    #[test]
    fn numbers_of_seven_bits_per_byte() {
        // The examples of DWARF 5, 7.6.
        for (bytes, value) in [
            (&[0x7f][..], 127),
            (&[0x80, 1], 128),
            (&[0xb9, 0x64], 12857),
        ] {
            assert_eq!(Reader::new(bytes).uleb(), Some(value));
        }
        for (bytes, value) in [
            (&[0x7e][..], -2),
            (&[0xff, 0], 127),
            (&[0x81, 0x7f], -127),
            (&[0x80, 1], 128),
            (&[0x80, 0x7f], -128),
        ] {
            assert_eq!(Reader::new(bytes).sleb(), Some(value));
        }
        assert_eq!(Reader::new(&[0x80, 0x80]).uleb(), None, "cut short");
        assert_eq!(Reader::new(&[0xff; 12]).uleb(), None, "endless");
        let longest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(Reader::new(&longest).uleb(), Some(u64::MAX));
    }

    #[test]
    fn addresses_relative_to_their_own_place() {
        let bytes = (-4i32).to_le_bytes();
        let mut reader = Reader::new(&bytes);
        let here = reader.address();
        assert_eq!(reader.encoded(Encoding(0x1b)), Some(here - 4));
        assert_eq!(
            Reader::new(&bytes).encoded(Encoding(0x9b)),
            None,
            "indirect"
        );
        assert_eq!(Reader::new(&bytes).encoded(Encoding(0x00)), None, "short");
    }
}
