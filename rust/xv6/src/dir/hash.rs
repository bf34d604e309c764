// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The hash of names: SipHash-2-4 (J.-P. Aumasson, D. J. Bernstein: "SipHash: a fast short-input
//! PRF", 2012) with the UUID of the file system as the key, cut to its low 32 bits.
//!
//! A key of its own for each file system keeps one list of colliding names from slowing down all
//! of them.

use core::num::Wrapping;

/// The hash of one file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameHash {
    key: [u64; 2],
    /// The bits in use: all, except in tests that want collisions.
    mask: u32,
}

impl NameHash {
    pub(crate) fn new(uuid: &[u8; 16]) -> Self {
        let (low, high) = uuid.split_at(8);
        Self {
            key: [word(low), word(high)],
            mask: u32::MAX,
        }
    }

    /// A hash of few values.
    #[cfg(test)]
    pub(crate) fn weak(mask: u32) -> Self {
        Self {
            mask,
            ..Self::new(&[0; 16])
        }
    }

    pub(crate) fn of(&self, name: &[u8]) -> u32 {
        let [a, b, c, d, ..] = self.sip(name).to_le_bytes();
        u32::from_le_bytes([a, b, c, d]) & self.mask
    }

    fn sip(&self, bytes: &[u8]) -> u64 {
        let [low, high] = self.key;
        let mut state = [
            Wrapping(low ^ 0x736f_6d65_7073_6575),
            Wrapping(high ^ 0x646f_7261_6e64_6f6d),
            Wrapping(low ^ 0x6c79_6765_6e65_7261),
            Wrapping(high ^ 0x7465_6462_7974_6573),
        ];
        let chunks = bytes.chunks_exact(8);
        let len = u8::try_from(bytes.len() % 256).unwrap_or(0);
        let last = word(chunks.remainder()) | u64::from(len) << 56;
        for message in chunks.map(word).chain([last]) {
            absorb(&mut state, message);
        }
        let [_, _, c, _] = &mut state;
        *c ^= 0xff;
        for _ in 0..4 {
            round(&mut state);
        }
        let [a, b, c, d] = state;
        (a ^ b ^ c ^ d).0
    }
}

/// Up to 8 bytes as a little-endian number.
fn word(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

type Words = [Wrapping<u64>; 4];

fn absorb(state: &mut Words, message: u64) {
    let [_, _, _, d] = state;
    *d ^= message;
    round(state);
    round(state);
    let [a, ..] = state;
    *a ^= message;
}

fn round([a, b, c, d]: &mut Words) {
    let turn = |word: Wrapping<u64>, bits| Wrapping(word.0.rotate_left(bits));
    *a += *b;
    *b = turn(*b, 13) ^ *a;
    *a = turn(*a, 32);
    *c += *d;
    *d = turn(*d, 16) ^ *c;
    *a += *d;
    *d = turn(*d, 21) ^ *a;
    *c += *b;
    *b = turn(*b, 17) ^ *c;
    *c = turn(*c, 32);
}

#[cfg(test)]
mod tests {
    use super::NameHash;
    use core::hash::Hasher;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_paper_comes_out() {
        let key = core::array::from_fn(|i| u8::try_from(i).expect("small"));
        let message: [u8; 15] = core::array::from_fn(|i| u8::try_from(i).expect("small"));
        assert_eq!(NameHash::new(&key).sip(&message), 0xa129_ca61_49be_45e5);
    }

    proptest! {
        /// The standard library has the same function, deprecated for another reason.
        #[test]
        fn the_standard_library_agrees(key: [u64; 2], name in proptest::collection::vec(any::<u8>(), 0..256)) {
            let mut uuid = [0; 16];
            uuid[..8].copy_from_slice(&key[0].to_le_bytes());
            uuid[8..].copy_from_slice(&key[1].to_le_bytes());
            #[expect(deprecated, reason = "the keyed SipHash-2-4 of the standard library")]
            let mut other = core::hash::SipHasher::new_with_keys(key[0], key[1]);
            other.write(&name);
            prop_assert_eq!(NameHash::new(&uuid).sip(&name), other.finish());
        }
    }
}
