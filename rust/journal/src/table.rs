// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Table`]: what the log holds of each block.

use alloc::vec::Vec;
use bento::{Errno, Result};
use core::ops::Range;

/// A map from block numbers, which takes many ascending ones at once without an allocation.
///
/// # Invariants
/// Items are ascending by block; `spare` is empty between calls.
#[derive(Debug)]
pub(crate) struct Table<T> {
    items: Vec<(u64, T)>,
    /// Memory to merge into.
    spare: Vec<(u64, T)>,
}

impl<T> Table<T> {
    pub(crate) const fn new() -> Self {
        Self {
            items: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Makes room for `more` new items, so that [`Table::merge`] cannot fail.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn reserve(&mut self, more: usize) -> Result {
        let wanted = self.items.len().saturating_add(more);
        let enough = |vec: &mut Vec<_>| vec.try_reserve(wanted - vec.len());
        enough(&mut self.items).map_err(|_| Errno::ENOMEM)?;
        enough(&mut self.spare).map_err(|_| Errno::ENOMEM)
    }

    /// Adds ascending items; they replace what was there.
    pub(crate) fn merge(&mut self, newer: impl Iterator<Item = (u64, T)>) {
        let mut old = self.items.drain(..).peekable();
        for (block, item) in newer {
            while let Some(before) = old.next_if(|(b, _)| *b < block) {
                self.spare.push(before);
            }
            // What is replaced is dropped.
            old.next_if(|(b, _)| *b == block);
            self.spare.push((block, item));
        }
        self.spare.extend(old);
        core::mem::swap(&mut self.items, &mut self.spare);
    }

    /// Keeps only items for which `keep` says so.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(u64, &T) -> bool) {
        self.items.retain(|(block, item)| keep(*block, item));
    }

    pub(crate) fn get_mut(&mut self, block: u64) -> Option<&mut T> {
        let at = self.items.binary_search_by_key(&block, |(b, _)| *b).ok()?;
        self.items.get_mut(at).map(|(_, item)| item)
    }

    pub(crate) fn get(&self, block: u64) -> Option<&T> {
        let at = self.items.binary_search_by_key(&block, |(b, _)| *b).ok()?;
        self.items.get(at).map(|(_, item)| item)
    }

    /// The items within a range of blocks, ascending.
    pub(crate) fn range(&self, range: &Range<u64>) -> &[(u64, T)] {
        let from = self.items.partition_point(|(b, _)| *b < range.start);
        let to = self.items.partition_point(|(b, _)| *b < range.end);
        self.items.get(from..to).unwrap_or_default()
    }

    /// All items, ascending.
    pub(crate) fn items(&self) -> &[(u64, T)] {
        &self.items
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Table;
    use alloc::vec::Vec;

    /// Every way to merge two sets of four blocks.
    #[test]
    fn newer_items_replace_older_ones_and_all_stay_in_order() {
        let set = |bits: u32| (0..4u64).filter(move |n| bits >> n & 1 == 1);
        for old in 0..16 {
            for new in 0..16 {
                let mut table = Table::new();
                table.reserve(4).expect("little memory");
                table.merge(set(old).map(|n| (n, 'o')));
                table.reserve(4).expect("little memory");
                let capacity = table.items.capacity();
                table.merge(set(new).map(|n| (n, 'n')));
                assert!(table.spare.is_empty() && table.spare.capacity() >= capacity.min(4));
                let want = set(old | new).map(|n| (n, if new >> n & 1 == 1 { 'n' } else { 'o' }));
                let want: Vec<_> = want.collect();
                assert_eq!(table.items(), want);
                assert_eq!(table.get(2), want.iter().find(|i| i.0 == 2).map(|i| &i.1));
                table.retain(|_, item| *item == 'o');
                assert_eq!(table.items().len(), set(old & !new).count());
            }
        }
    }

    #[test]
    fn ranges_have_their_start_and_not_their_end() {
        let mut table = Table::new();
        table.reserve(3).expect("little memory");
        table.merge([3, 5, 9].into_iter().map(|n| (n, ())));
        assert_eq!(table.range(&(3..9)).len(), 2);
        assert_eq!(table.range(&(9..9)).len(), 0);
        assert_eq!(table.get_mut(4), None);
        assert!(!table.is_empty());
    }
}
