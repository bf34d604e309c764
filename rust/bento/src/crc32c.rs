// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! CRC-32C (Castagnoli), as in RFC 3720 B.4: reflected polynomial `0x82f63b78`.

use bento_sync::processor;

/// `TABLES[k][b]` is the effect of byte `b` followed by `k` zero bytes.
static TABLES: [[u32; 256]; 8] = tables();

const POLYNOMIAL: u32 = 0x82f6_3b78;

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    // Two counters side by side: a constant function has no conversion between integers but `as`.
    let (mut byte, mut index) = (0, 0);
    while index < 256 {
        let (mut crc, mut zeros) = (byte, 0);
        while zeros < 8 {
            crc = after_eight_bits(crc);
            tables[zeros][index] = crc;
            zeros += 1;
        }
        byte += 1;
        index += 1;
    }
    tables
}

const fn after_eight_bits(mut crc: u32) -> u32 {
    let mut bit = 0;
    while bit < 8 {
        crc = (crc >> 1) ^ (POLYNOMIAL * (crc & 1));
        bit += 1;
    }
    crc
}

/// Continues the checksum `crc` (0 at the start) over `bytes`.
///
/// `crc32c(crc32c(0, a), b)` is the checksum of `a` followed by `b`.
#[must_use]
pub fn crc32c(crc: u32, bytes: &[u8]) -> u32 {
    match processor::crc32c(!crc, bytes) {
        Some(register) => !register,
        None => by_tables(crc, bytes),
    }
}

/// As [`crc32c`], on any processor.
fn by_tables(crc: u32, bytes: &[u8]) -> u32 {
    let mut crc = !crc;
    let (eights, rest) = bytes.as_chunks::<8>();
    let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
    for &[b0, b1, b2, b3, b4, b5, b6, b7] in eights {
        let [c0, c1, c2, c3] = (crc ^ u32::from_le_bytes([b0, b1, b2, b3])).to_le_bytes();
        crc = t7[usize::from(c0)]
            ^ t6[usize::from(c1)]
            ^ t5[usize::from(c2)]
            ^ t4[usize::from(c3)]
            ^ t3[usize::from(b4)]
            ^ t2[usize::from(b5)]
            ^ t1[usize::from(b6)]
            ^ t0[usize::from(b7)];
    }
    for &byte in rest {
        let [low, ..] = crc.to_le_bytes();
        crc = (crc >> 8) ^ t0[usize::from(low ^ byte)];
    }
    !crc
}

/// The checksum of a message in which `before` has become `after` (as long), followed by `behind`
/// more bytes; `crc` is the checksum of the message before.
///
/// Takes time for the changed bytes alone: checksums of messages of one length differ by what
/// their difference contributes, and zeros behind it are a multiplication by a power of x.
#[must_use]
pub fn crc32c_patched(crc: u32, before: &[u8], after: &[u8], behind: usize) -> u32 {
    // Without the inversions that start and end a checksum.
    let mut difference = 0;
    let (mut old, mut new) = (before, after);
    while let (Some((a, a_rest)), Some((b, b_rest))) =
        (old.split_first_chunk(), new.split_first_chunk())
    {
        let word = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        difference = register_word(difference, word);
        (old, new) = (a_rest, b_rest);
    }
    for (a, b) in old.iter().zip(new) {
        difference = register(difference, &[a ^ b]);
    }
    crc ^ shifted(difference, behind)
}

/// Continues a checksum without the inversions that start and end one.
fn register(register: u32, bytes: &[u8]) -> u32 {
    processor::crc32c(register, bytes).unwrap_or_else(|| !by_tables(!register, bytes))
}

/// As [`register`] over the eight bytes of a little-endian number.
fn register_word(register: u32, word: u64) -> u32 {
    processor::crc32c_word(register, word)
        .unwrap_or_else(|| !by_tables(!register, &word.to_le_bytes()))
}

/// The effect of `change` behind `behind` more bytes.
fn shifted(change: u32, behind: usize) -> u32 {
    let Some(power) = WORDS.get(behind / 8) else {
        return by_powers(change, behind);
    };
    let rest = [0; 8];
    let rest = rest.get(..behind % 8).unwrap_or_default();
    if behind < 8 {
        return register(change, rest);
    }
    // The product of two reflected polynomials, taken as eight bytes of a message, is one x too
    // much, and a checksum puts x to the power of 32 behind its message.
    register(register_word(0, carryless(change, *power)), rest)
}

/// `WORDS[n]` is x to the power of 64 * n - 33, modulo the polynomial.
static WORDS: [u32; 513] = words();

const fn words() -> [u32; 513] {
    // Reflected: the highest bit is x to the power of 0.
    let mut words = [1 << 31; 513];
    let mut bit = 0;
    while bit < 33 {
        // Divided by x: the polynomial has a constant term, so this undoes a multiplication by x.
        let odd = words[0] >> 31;
        words[0] = ((words[0] ^ (POLYNOMIAL * odd)) << 1) | odd;
        bit += 1;
    }
    let mut n = 1;
    while n < 513 {
        words[n] = multiply(words[n - 1], POWERS[3]);
        n += 1;
    }
    words
}

/// The product of two polynomials over bits.
///
/// Of each factor every fourth bit is taken at a time: at most eight products meet in one place
/// then, and their sum stays within the four bits up to the next.
fn carryless(a: u32, b: u32) -> u64 {
    const EVERY_FOURTH: u64 = 0x1111_1111_1111_1111;
    let part = |number: u32, shift: u32| u64::from(number) & (EVERY_FOURTH << shift);
    let [a0, a1, a2, a3] = [part(a, 0), part(a, 1), part(a, 2), part(a, 3)];
    let [b0, b1, b2, b3] = [part(b, 0), part(b, 1), part(b, 2), part(b, 3)];
    let sums = [
        (a0 * b0) ^ (a1 * b3) ^ (a2 * b2) ^ (a3 * b1),
        (a0 * b1) ^ (a1 * b0) ^ (a2 * b3) ^ (a3 * b2),
        (a0 * b2) ^ (a1 * b1) ^ (a2 * b0) ^ (a3 * b3),
        (a0 * b3) ^ (a1 * b2) ^ (a2 * b1) ^ (a3 * b0),
    ];
    let [s0, s1, s2, s3] = sums;
    (s0 & EVERY_FOURTH)
        | (s1 & (EVERY_FOURTH << 1))
        | (s2 & (EVERY_FOURTH << 2))
        | (s3 & (EVERY_FOURTH << 3))
}

/// As [`shifted`], for any length.
fn by_powers(mut change: u32, behind: usize) -> u32 {
    let mut rest = behind;
    for power in &POWERS {
        if rest & 1 != 0 {
            change = multiply(change, *power);
        }
        rest >>= 1;
    }
    change
}

/// `POWERS[k]` is x to the power of 8 * 2^k, modulo the polynomial: 2^k bytes of zeros.
const POWERS: [u32; 16] = powers();

const fn powers() -> [u32; 16] {
    // Reflected: the highest bit is x to the power of 0.
    let mut powers = [1 << (31 - 8); 16];
    let mut k = 1;
    while k < 16 {
        powers[k] = multiply(powers[k - 1], powers[k - 1]);
        k += 1;
    }
    powers
}

/// The product of two polynomials modulo the polynomial of the checksum.
const fn multiply(a: u32, mut b: u32) -> u32 {
    let (mut product, mut bit) = (0, 32);
    while bit > 0 {
        bit -= 1;
        product ^= b * ((a >> bit) & 1);
        b = (b >> 1) ^ (POLYNOMIAL * (b & 1));
    }
    product
}

#[cfg(test)]
mod tests {
    use super::{by_powers, by_tables, carryless, crc32c, crc32c_patched, shifted};

    /// The vectors of RFC 3720 B.4, as the register value.
    #[test]
    fn the_vectors_of_rfc_3720_hold() {
        let rising: [u8; 32] = core::array::from_fn(|i| u8::try_from(i).expect("below 32"));
        let falling: [u8; 32] = core::array::from_fn(|i| u8::try_from(31 - i).expect("below 32"));
        assert_eq!(crc32c(0, &[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(0, &[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(0, &rising), 0x46dd_794e);
        assert_eq!(crc32c(0, &falling), 0x113f_db5c);
        assert_eq!(crc32c(0, b"123456789"), 0xe306_9283);
    }

    #[test]
    fn tables_and_the_processor_agree() {
        let text: [u8; 300] = core::array::from_fn(|i| u8::try_from(i * 31 % 256).unwrap_or(0));
        for len in 0..=text.len() {
            let bytes = &text[..len];
            assert_eq!(by_tables(5, bytes), crc32c(5, bytes), "{len} bytes");
        }
        assert_eq!(by_tables(0, b"123456789"), 0xe306_9283);
    }

    #[test]
    fn zeros_behind_a_change_cost_a_product() {
        for behind in 0..=5000 {
            for change in [1, 0x8000_0000, 0xdead_beef, u32::MAX] {
                let expected = by_powers(change, behind);
                assert_eq!(shifted(change, behind), expected, "{behind} bytes");
            }
        }
        let by_bits = |a: u32, b: u32| {
            (0..32).fold(0, |sum, n| {
                sum ^ ((u64::from(a >> n & 1) * u64::from(b)) << n)
            })
        };
        for a in [0, 1, 0xffff_ffff, 0x8000_0001, 0x1234_5678] {
            for b in [0, 1, 0xffff_ffff, 0x8000_0001, 0x9abc_def0] {
                assert_eq!(carryless(a, b), by_bits(a, b), "{a:x} {b:x}");
            }
        }
    }

    #[test]
    fn pieces_of_any_length_chain() {
        let text = b"the quick brown fox jumps over the lazy dog";
        for cut in 0..=text.len() {
            let (a, b) = text.split_at(cut);
            assert_eq!(crc32c(crc32c(0, a), b), crc32c(0, text), "cut at {cut}");
        }
    }

    #[test]
    fn a_patched_checksum_is_that_of_the_new_message() {
        let before: [u8; 4096] = core::array::from_fn(|i| u8::try_from(i * 7 % 251).unwrap_or(0));
        for (start, len) in [
            (0, 1),
            (1, 63),
            (8, 64),
            (100, 65),
            (2000, 300),
            (4000, 96),
            (0, 4096),
        ] {
            let mut after = before;
            for byte in &mut after[start..start + len] {
                *byte = byte.wrapping_mul(3) ^ 0x5a;
            }
            let range = start..start + len;
            let crc = crc32c_patched(
                crc32c(9, &before),
                &before[range.clone()],
                &after[range],
                4096 - start - len,
            );
            assert_eq!(crc, crc32c(9, &after), "{len} bytes at {start}");
        }
    }
}
