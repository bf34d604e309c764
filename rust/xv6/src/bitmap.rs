// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One block of a bitmap, 64 bits at a time. Bit `n` is bit `n % 8` of byte `n / 8` behind the
//! head, which the functions that work on bits do not see.

use crate::corrupt::CorruptKind;
use crate::layout::{self, RawHead};
use core::ops::Range;
use zerocopy::little_endian::U32;

/// Blocks to ask for with a block of a bitmap that is gone through from start to end, where
/// `behind` more follow.
pub(crate) fn ahead(behind: u64) -> u32 {
    const MOST: u32 = 255;
    u32::try_from(behind).map_or(MOST, |behind| behind.min(MOST))
}

/// Bits per word of a search.
const WORD: u32 = 64;

/// The head of block `index` of a bitmap.
#[must_use]
pub(crate) fn head(magic: U32, index: u64) -> RawHead {
    RawHead {
        magic,
        checksum: U32::ZERO,
        owner: u32::try_from(index).unwrap_or(u32::MAX).into(),
        extra: U32::ZERO,
    }
}

/// Validates the head of block `index` of a bitmap.
pub(crate) fn check_head(block: &[u8], magic: U32, index: u64) -> Result<(), CorruptKind> {
    let found: Option<RawHead> = layout::get(block, 0);
    let blank = found.map(|found| RawHead {
        checksum: U32::ZERO,
        ..found
    });
    if blank == Some(head(magic, index)) {
        return Ok(());
    }
    Err(CorruptKind::MapHead)
}

/// The first run of clear bits within `range`, cut to `range`, or `None` where all are set.
///
/// `range` must lie within the bitmap; bits behind its end count as set.
#[must_use]
pub(crate) fn first_clear_run(bytes: &[u8], range: Range<u32>) -> Option<Range<u32>> {
    first_clear(bytes, range, u32::MAX)
}

/// As [`first_clear_run`], but bits behind the first `most` clear ones are not looked at.
#[must_use]
pub(crate) fn first_clear(bytes: &[u8], range: Range<u32>, most: u32) -> Option<Range<u32>> {
    let start = first(bytes, range.clone(), |word| !word)?;
    let stop = range.end.min(start.saturating_add(most));
    let end = first(bytes, start..stop, |word| word).unwrap_or(stop);
    Some(start..end)
}

/// The first set bit within `range`, which must lie within the bitmap.
#[must_use]
pub(crate) fn first_set(bytes: &[u8], range: Range<u32>) -> Option<u32> {
    first(bytes, range, |word| word)
}

/// The number of clear bits.
#[must_use]
pub(crate) fn clear_bits(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<8>();
    let in_words: u32 = words
        .iter()
        .map(|w| u64::from_le_bytes(*w).count_zeros())
        .sum();
    let in_rest: u32 = rest.iter().map(|b| b.count_zeros()).sum();
    in_words + in_rest
}

/// Sets or clears the bits of `range`; `false` where one of them had that value already or lies
/// behind the end (the bits are then half changed).
#[must_use]
pub(crate) fn change(bytes: &mut [u8], range: Range<u32>, value: bool) -> bool {
    let mut n = range.start;
    while n < range.end {
        let Some(byte) = byte_of(n).and_then(|at| bytes.get_mut(at)) else {
            return false;
        };
        let whole = n.is_multiple_of(8) && range.end - n >= 8;
        let (bits, step) = if whole { (0xff, 8) } else { (mask(n), 1) };
        let expected = if value { 0 } else { bits };
        if *byte & bits != expected {
            return false;
        }
        *byte ^= bits;
        n += step;
    }
    true
}

/// The bytes that hold the bits of `range` (not empty).
#[must_use]
pub(crate) fn bytes_of(range: &Range<u32>) -> Range<u32> {
    range.start / 8..range.end.div_ceil(8)
}

fn byte_of(n: u32) -> Option<usize> {
    usize::try_from(n / 8).ok()
}

fn mask(n: u32) -> u8 {
    1 << (n % 8)
}

/// The first bit of `range` that is set in `wanted(word)`.
fn first(bytes: &[u8], range: Range<u32>, wanted: impl Fn(u64) -> u64) -> Option<u32> {
    let mut base = range.start - range.start % WORD;
    while base < range.end {
        let mut word = wanted(word_at(bytes, base));
        if base < range.start {
            word &= u64::MAX << (range.start - base);
        }
        if word != 0 {
            let bit = base + word.trailing_zeros();
            return (bit < range.end).then_some(bit);
        }
        base += WORD;
    }
    None
}

/// The 64 bits from `base`, a multiple of 64, on.
fn word_at(bytes: &[u8], base: u32) -> u64 {
    let chunk = byte_of(base)
        .and_then(|at| bytes.get(at..))
        .and_then(|rest| rest.first_chunk::<8>());
    chunk.map_or(u64::MAX, |chunk| u64::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::{byte_of, bytes_of, change, clear_bits, first_clear, first_clear_run, mask};
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// Bit `n` is set; bits behind the end are.
    fn is_set(bytes: &[u8], n: u32) -> bool {
        let byte = byte_of(n).and_then(|at| bytes.get(at));
        byte.is_none_or(|byte| byte & mask(n) != 0)
    }

    fn bits(bytes: &[u8]) -> Vec<bool> {
        (0..8 * u32::try_from(bytes.len()).expect("small"))
            .map(|n| is_set(bytes, n))
            .collect()
    }

    proptest! {
        #[test]
        fn a_run_is_found_as_by_looking_at_every_bit(
            bytes in proptest::collection::vec(prop_oneof![Just(0u8), Just(255), any::<u8>()], 64),
            a in 0u32..=512, b in 0u32..=512, most in 1u32..600,
        ) {
            let (start, end) = (a.min(b), a.max(b));
            let model = bits(&bytes);
            let used = |n: u32| model[usize::try_from(n).expect("small")];
            let first = (start..end).find(|n| !used(*n));
            let expected = first.map(|f| f..(f..end).find(|n| used(*n)).unwrap_or(end));
            prop_assert_eq!(first_clear_run(&bytes, start..end), expected.clone());
            let cut = expected.map(|run| run.start..run.end.min(run.start + most));
            prop_assert_eq!(first_clear(&bytes, start..end, most), cut);
            let clear = model.iter().filter(|set| !**set).count();
            prop_assert_eq!(usize::try_from(clear_bits(&bytes)).expect("small"), clear);
        }

        #[test]
        fn changing_a_run_changes_it_and_nothing_else(a in 0u32..512, len in 1u32..100) {
            let range = a..(a + len).min(512);
            let mut bytes = [0u8; 64];
            prop_assert!(change(&mut bytes, range.clone(), true));
            for (n, set) in (0..).zip(bits(&bytes)) {
                prop_assert_eq!(set, range.contains(&n));
            }
            prop_assert!(!change(&mut bytes.clone(), range.clone(), true), "set twice");
            prop_assert!(change(&mut bytes, range.clone(), false));
            prop_assert_eq!(bytes, [0u8; 64]);
            let touched = bytes_of(&range);
            prop_assert!(8 * touched.start <= range.start && range.end <= 8 * touched.end);
        }
    }

    #[test]
    fn bits_behind_the_end_count_as_set() {
        assert!(is_set(&[0], 8));
        assert!(!change(&mut [0], 7..9, true));
    }
}
