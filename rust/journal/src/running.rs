// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Running`]: operations that become durable together.

use crate::area::Area;
use crate::pending::Pending;
use crate::record::ESCAPED;
use alloc::vec::Vec;
use bento::{BlockNo, Errno, Result};
use core::ops::Range;

/// A changed block: the handle keeps its new contents in the cache until they are on disk.
#[derive(Debug)]
pub(crate) struct Member<B> {
    pub(crate) block: BlockNo,
    pub(crate) buf: B,
    /// Its contents, where the cache has those of a later transaction.
    pub(crate) frozen: Option<Vec<u8>>,
    /// Its contents need [`ESCAPED`] in the log.
    pub(crate) escaped: bool,
}

impl<B> Member<B> {
    /// The number of its target in a record.
    pub(crate) fn number(&self) -> u64 {
        self.block.0 | if self.escaped { ESCAPED } else { 0 }
    }
}

/// A transaction that is not durable yet.
///
/// # Invariants
/// Members are ascending by block, and so are revoked blocks. No member lies in a pending range.
/// There are at most [`Area::REVOKED`] revoked blocks.
#[derive(Debug)]
pub(crate) struct Running<B> {
    members: Vec<Member<B>>,
    /// Blocks freed by it.
    pub(crate) pending: Pending,
    /// Blocks that older transactions in the log contain, and that are no metadata any more.
    revoked: Vec<u64>,
    /// There are more of these than one transaction may name: the log must be emptied before this
    /// transaction is written.
    pub(crate) revokes_all: bool,
}

impl<B> Running<B> {
    pub(crate) const fn new() -> Self {
        Self {
            members: Vec::new(),
            pending: Pending::new(),
            revoked: Vec::new(),
            revokes_all: false,
        }
    }

    /// Nothing would be lost if the log were not written.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
            && self.pending.ranges().is_empty()
            && self.revoked.is_empty()
            && !self.revokes_all
    }

    pub(crate) fn members(&self) -> &[Member<B>] {
        &self.members
    }

    pub(crate) fn members_mut(&mut self) -> &mut [Member<B>] {
        &mut self.members
    }

    pub(crate) fn revoked(&self) -> &[u64] {
        &self.revoked
    }

    /// Makes room for `more` calls of [`Running::insert`], and for all of [`Running::revoke`],
    /// which then cannot fail.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn reserve(&mut self, more: usize) -> Result {
        let most = usize::try_from(Area::REVOKED).map_err(|_| Errno::ENOMEM)?;
        let left = most.saturating_sub(self.revoked.len());
        let revoked = self.revoked.try_reserve_exact(left);
        let members = self.members.try_reserve(more);
        revoked.and(members).map_err(|_| Errno::ENOMEM)
    }

    /// Adds a changed block, once.
    pub(crate) fn insert(&mut self, block: BlockNo, buf: B) {
        if let Err(at) = self.find(block) {
            let member = Member {
                block,
                buf,
                frozen: None,
                escaped: false,
            };
            self.members.insert(at, member);
        }
    }

    /// A block that is changed already.
    pub(crate) fn get(&self, block: BlockNo) -> Option<&Member<B>> {
        self.members.get(self.find(block).ok()?)
    }

    pub(crate) fn get_mut(&mut self, block: BlockNo) -> Option<&mut Member<B>> {
        let at = self.find(block).ok()?;
        self.members.get_mut(at)
    }

    /// The members within a range of blocks.
    pub(crate) fn range(&self, range: &Range<u64>) -> &[Member<B>] {
        self.members.get(self.places(range)).unwrap_or_default()
    }

    /// Blocks that are no metadata any more will not be written.
    pub(crate) fn forget(&mut self, range: &Range<u64>) {
        self.members.drain(self.places(range));
    }

    /// `block` is in the log, and is no metadata any more.
    pub(crate) fn revoke(&mut self, block: u64) {
        let Err(at) = self.revoked.binary_search(&block) else {
            return;
        };
        let full = u64::try_from(self.revoked.len()).is_ok_and(|n| n >= Area::REVOKED);
        if self.revokes_all || full {
            self.revokes_all = true;
            return;
        }
        self.revoked.insert(at, block);
    }

    /// Nothing older is in the log.
    pub(crate) fn revoke_nothing(&mut self) {
        self.revoked.clear();
        self.revokes_all = false;
    }

    /// Takes the members out; the memory for them stays.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Member<B>> {
        self.members.drain(..)
    }

    /// Everything is durable. Keeps the memory for the next transaction.
    pub(crate) fn clear(&mut self) {
        self.members.clear();
        self.pending.clear();
        self.revoke_nothing();
    }

    fn find(&self, block: BlockNo) -> core::result::Result<usize, usize> {
        self.members.binary_search_by_key(&block, |m| m.block)
    }

    fn places(&self, range: &Range<u64>) -> Range<usize> {
        let from = self.members.partition_point(|m| m.block.0 < range.start);
        let to = self.members.partition_point(|m| m.block.0 < range.end);
        from..to.max(from)
    }
}

#[cfg(test)]
mod tests {
    use super::Running;
    use crate::area::Area;
    use alloc::vec::Vec;
    use bento::BlockNo;

    #[test]
    fn members_stay_sorted_single_and_can_be_forgotten() {
        let mut running = Running::new();
        for block in [5, 2, 9, 5, 7] {
            running.insert(BlockNo(block), block);
        }
        assert_eq!(running.range(&(5..9)).len(), 2);
        running.forget(&(5..9));
        let left: Vec<_> = running.members().iter().map(|m| m.block.0).collect();
        assert_eq!(left, [2, 9]);
        running.clear();
        assert!(running.is_empty());
    }

    #[test]
    fn revoked_blocks_stay_sorted_and_have_a_limit() {
        let mut running = Running::<()>::new();
        for block in (0..Area::REVOKED).rev() {
            running.revoke(block);
            running.revoke(block);
        }
        assert!(running.revoked().iter().copied().eq(0..Area::REVOKED));
        assert!(!running.revokes_all && !running.is_empty());
        running.revoke(Area::REVOKED);
        assert!(running.revokes_all);
        running.revoke_nothing();
        assert!(running.is_empty());
    }
}
