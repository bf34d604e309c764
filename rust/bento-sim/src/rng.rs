// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Rng`]: random numbers that a seed repeats on every machine.

/// `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The sequence of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which must not be 0 (slightly uneven, which tests do not mind).
    pub const fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let len = u64::try_from(choices.len()).unwrap_or(1);
        let index = usize::try_from(self.below(len)).unwrap_or(0);
        choices.get(index).expect("choices are not empty")
    }
}
