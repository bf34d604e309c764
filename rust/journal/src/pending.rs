// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Pending`]: blocks that were freed but may not be used again yet.

use alloc::vec::Vec;
use bento::{Errno, Result};
use core::ops::Range;

/// A set of blocks, kept as ranges.
///
/// # Invariants
/// The ranges are not empty, ascending, and do not touch each other.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    ranges: Vec<Range<u64>>,
}

impl Pending {
    pub(crate) const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// Makes room for `more` calls of [`Pending::insert`], which then cannot fail.
    pub(crate) fn reserve(&mut self, more: usize) -> Result {
        self.ranges.try_reserve(more).map_err(|_| Errno::ENOMEM)
    }

    /// Adds `range`; what is in the set already stays in it.
    pub(crate) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let from = self.ranges.partition_point(|r| r.end < range.start);
        let to = self.ranges.partition_point(|r| r.start <= range.end);
        let mut merged = range;
        for met in self.ranges.drain(from..to.max(from)) {
            merged = merged.start.min(met.start)..merged.end.max(met.end);
        }
        self.ranges.insert(from, merged);
    }

    /// The first part of `range` that is in the set.
    pub(crate) fn first_in(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let at = self.ranges.partition_point(|r| r.end <= range.start);
        self.ranges.get(at).and_then(|r| overlap(r, range))
    }

    /// All ranges, ascending.
    pub(crate) fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }

    /// How many blocks are in the set.
    pub(crate) fn blocks(&self) -> u64 {
        self.ranges.iter().map(|r| r.end - r.start).sum()
    }

    pub(crate) fn clear(&mut self) {
        self.ranges.clear();
    }
}

/// What two ranges have in common.
pub(crate) fn overlap(a: &Range<u64>, b: &Range<u64>) -> Option<Range<u64>> {
    let both = a.start.max(b.start)..a.end.min(b.end);
    (!both.is_empty()).then_some(both)
}

#[cfg(test)]
mod tests {
    use super::Pending;
    use alloc::vec::Vec;

    /// Every way to insert three ranges into a small space, against a plain bit set.
    #[test]
    fn the_set_equals_a_bit_set() {
        let all: Vec<_> = (0..6u64).flat_map(|s| (s..7).map(move |e| s..e)).collect();
        for a in &all {
            for b in &all {
                for c in &all {
                    let mut set = Pending::new();
                    for r in [a, b, c] {
                        set.insert(r.clone());
                    }
                    let in_bits = |n: u64| [a, b, c].iter().any(|r| r.contains(&n));
                    for n in 0..8 {
                        let found = set.first_in(&(n..n + 1)).is_some();
                        assert_eq!(found, in_bits(n), "{n} in {a:?} {b:?} {c:?}");
                    }
                    let count = (0..8).filter(|&n| in_bits(n)).count();
                    assert_eq!(usize::try_from(set.blocks()), Ok(count));
                    let apart = |w: &[core::ops::Range<u64>]| match w {
                        [x, y] => x.end < y.start,
                        _ => true,
                    };
                    assert!(set.ranges().windows(2).all(apart));
                }
            }
        }
    }

    #[test]
    fn a_query_is_cut_to_what_was_asked() {
        let mut set = Pending::new();
        set.insert(10..20);
        set.insert(30..40);
        assert_eq!(set.first_in(&(0..10)), None);
        assert_eq!(set.first_in(&(0..15)), Some(10..15));
        assert_eq!(set.first_in(&(15..35)), Some(15..20));
        assert_eq!(set.first_in(&(20..35)), Some(30..35));
    }
}
