// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Self-describing file content.
//!
//! Each aligned 8-byte word of a file says, little-endian, to which file it belongs, where in the
//! file it stands, and by which write it came:
//!
//! | bits | meaning |
//! |---|---|
//! | 48..64 | file id, never 0 |
//! | 16..48 | word number in the file (offset / 8) |
//! | 0..16 | generation of the write |
//!
//! A word in the wrong place, of another file, or of no file (stale blocks) is thereby seen
//! without knowing what was written before.

/// Who wrote a piece of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// File id, 1..=65535.
    pub(crate) id: u16,
    /// Generation of the write.
    pub(crate) generation: u16,
}

impl Stamp {
    const fn word(self, number: u64) -> u64 {
        ((self.id as u64) << 48) | ((number & 0xffff_ffff) << 16) | self.generation as u64
    }

    /// Fills `buf` with the content of the file from byte `offset`.
    pub(crate) fn fill(self, offset: u64, buf: &mut [u8]) {
        let mut at = offset;
        let mut rest = buf;
        while !rest.is_empty() {
            let word = self.word(at / 8).to_le_bytes();
            let skip = (at % 8) as usize;
            let n = (8 - skip).min(rest.len());
            let (head, tail) = rest.split_at_mut(n);
            head.copy_from_slice(&word[skip..skip + n]);
            rest = tail;
            at += n as u64;
        }
    }

    /// The content of the file from byte `offset`.
    pub(crate) fn bytes(self, offset: u64, len: usize) -> Vec<u8> {
        let mut buf = vec![0; len];
        self.fill(offset, &mut buf);
        buf
    }
}

/// The first byte at which `got` and `want` differ, described for a person.
pub(crate) fn difference(got: &[u8], want: &[u8], offset: u64) -> Option<String> {
    if got == want {
        return None;
    }
    if got.len() != want.len() {
        return Some(format!(
            "{} bytes at {offset}, expected {}",
            got.len(),
            want.len()
        ));
    }
    let at = got.iter().zip(want).position(|(a, b)| a != b)?;
    let byte = offset + at as u64;
    let word = at - at.min((byte % 8) as usize);
    let show = |data: &[u8]| {
        let mut w = [0; 8];
        let part = &data[word..data.len().min(word + 8)];
        w[..part.len()].copy_from_slice(part);
        let w = u64::from_le_bytes(w);
        let (id, number, generation) = (w >> 48, (w >> 16) & 0xffff_ffff, w & 0xffff);
        format!("{w:016x} (file {id} word {number} generation {generation})")
    };
    Some(format!(
        "byte {byte} (block {} + {}): got {}, expected {}",
        byte / 4096,
        byte % 4096,
        show(got),
        show(want)
    ))
}

/// Checks content of which only the file is known: each byte is zero (a hole, if `holes`) or that
/// of file `id` at its place, of any generation in `generations`.
pub(crate) fn foreign(
    data: &[u8],
    offset: u64,
    id: u16,
    generations: &[u16],
    holes: bool,
) -> Option<String> {
    let matches = |at: usize, got: u8| {
        let byte = offset + at as u64;
        let of = |generation| Stamp { id, generation }.word(byte / 8).to_le_bytes();
        let place = (byte % 8) as usize;
        (holes && got == 0)
            || (generations.is_empty() && (place < 2 || of(0)[place] == got))
            || generations
                .iter()
                .any(|&generation| of(generation)[place] == got)
    };
    let at = data
        .iter()
        .enumerate()
        .position(|(at, &got)| !matches(at, got))?;
    let end = data.len().min(at + 8);
    Some(format!(
        "byte {} is not of file {id}: {:02x?}",
        offset + at as u64,
        &data[at..end]
    ))
}

#[cfg(test)]
mod tests {
    use super::{Stamp, difference, foreign};

    const A: Stamp = Stamp {
        id: 3,
        generation: 7,
    };

    #[test]
    fn unaligned_pieces_make_the_same_content() {
        let whole = A.bytes(0, 100);
        let mut pieces = A.bytes(0, 13);
        pieces.extend(A.bytes(13, 30));
        pieces.extend(A.bytes(43, 57));
        assert_eq!(whole, pieces);
    }

    #[test]
    fn a_changed_byte_is_named() {
        let want = A.bytes(4096, 64);
        let mut got = want.clone();
        assert_eq!(difference(&got, &want, 4096), None);
        got[17] ^= 1;
        let text = difference(&got, &want, 4096).expect("one byte differs");
        assert!(text.contains("byte 4113 (block 1 + 17)"), "{text}");
    }

    #[test]
    fn content_of_another_file_or_place_is_foreign() {
        let mut data = A.bytes(0, 4096);
        assert_eq!(foreign(&data, 0, 3, &[], false), None);
        assert_eq!(foreign(&data, 0, 3, &[6, 7], false), None);
        assert!(foreign(&data, 0, 4, &[], true).is_some());
        assert!(foreign(&data, 8, 3, &[], true).is_some());
        assert!(foreign(&data, 0, 3, &[6], true).is_some());
        data[800..808].fill(0);
        assert!(foreign(&data, 0, 3, &[], false).is_some());
        assert_eq!(foreign(&data, 0, 3, &[], true), None);
    }
}
