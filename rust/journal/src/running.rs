// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Running`]: the operations that were committed since the last transaction became durable.

use crate::pending::Pending;
use alloc::vec::Vec;
use bento::{BlockNo, Errno, Result};
use core::ops::Range;

/// A changed block: the handle keeps its new contents in the cache until they are on disk.
#[derive(Debug)]
pub(crate) struct Member<B> {
    pub(crate) block: BlockNo,
    pub(crate) buf: B,
}

/// The running transaction.
///
/// # Invariants
/// Members are ascending by block. No member lies in a pending range.
#[derive(Debug)]
pub(crate) struct Running<B> {
    members: Vec<Member<B>>,
    /// Blocks freed by it.
    pub(crate) pending: Pending,
    /// Some block may be in the log of the last transaction, but is no metadata any more.
    pub(crate) forgot: bool,
}

impl<B> Running<B> {
    pub(crate) const fn new() -> Self {
        Self {
            members: Vec::new(),
            pending: Pending::new(),
            forgot: false,
        }
    }

    /// Nothing would be lost if the log were not written.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.pending.ranges().is_empty() && !self.forgot
    }

    pub(crate) fn members(&self) -> &[Member<B>] {
        &self.members
    }

    /// Makes room for `more` calls of [`Running::insert`], which then cannot fail.
    pub(crate) fn reserve(&mut self, more: usize) -> Result {
        self.members.try_reserve(more).map_err(|_| Errno::ENOMEM)
    }

    /// Adds a changed block, once.
    pub(crate) fn insert(&mut self, block: BlockNo, buf: B) {
        if let Err(at) = self.members.binary_search_by_key(&block, |m| m.block) {
            self.members.insert(at, Member { block, buf });
        }
    }

    /// The handle of a block that is changed already.
    pub(crate) fn get(&self, block: BlockNo) -> Option<&B> {
        let at = self.members.binary_search_by_key(&block, |m| m.block);
        at.ok()
            .and_then(|at| self.members.get(at))
            .map(|member| &member.buf)
    }

    /// Blocks that are no metadata any more will not be written.
    pub(crate) fn forget(&mut self, range: &Range<u64>) {
        let from = self.members.partition_point(|m| m.block.0 < range.start);
        let to = self.members.partition_point(|m| m.block.0 < range.end);
        self.members.drain(from..to.max(from));
        self.forgot = true;
    }

    /// Everything is durable. Keeps the memory for the next transaction.
    pub(crate) fn clear(&mut self) {
        self.members.clear();
        self.pending.clear();
        self.forgot = false;
    }
}

#[cfg(test)]
mod tests {
    use super::Running;
    use alloc::vec::Vec;
    use bento::BlockNo;

    #[test]
    fn members_stay_sorted_single_and_can_be_forgotten() {
        let mut running = Running::new();
        for block in [5, 2, 9, 5, 7] {
            running.insert(BlockNo(block), block);
        }
        assert!(!running.forgot);
        running.forget(&(5..9));
        let left: Vec<_> = running.members().iter().map(|m| m.block.0).collect();
        assert_eq!(left, [2, 9]);
        assert!(running.forgot);
        running.clear();
        assert!(running.is_empty());
    }
}
