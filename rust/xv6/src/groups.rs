// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Allocation groups: what belongs together lies together, and what does not is spread.
//!
//! A group is the blocks of one block of the block map (about 127 MiB), as far as files can use
//! them, and an equal share of the inode numbers. Nothing on the disk says so: it is only where
//! the search for something free begins.
//!
//! * A new directory of the root goes to the next group with much free space, so that trees that
//!   grow later do not get into each other's way; other directories stay in the group of theirs
//!   while there is room.
//! * New inodes follow their directory in the inode table, so they are in its group.
//! * Blocks of a new file go to the group of its inode; those of directories, links and extents
//!   are kept apart from data, at its start.

use crate::inode::Ino;
use crate::layout::BITS_PER_BLOCK;
use crate::superblock::Geometry;
use core::ops::Range;

/// Groups for which memory knows where the last search ended.
const REMEMBERED: usize = 16;
/// The part of a group that is kept for metadata, as long as there is other space: 1 / this.
const META_SHARE: u64 = 32;

/// How a file system is divided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Groups {
    /// The first group with blocks for files.
    first: u64,
    count: u64,
    inodes: u64,
    data: (u64, u64),
}

impl Groups {
    pub(crate) fn of(geometry: &Geometry) -> Self {
        let bits = u64::from(BITS_PER_BLOCK);
        let data = geometry.data();
        let first = data.start / bits;
        Self {
            first,
            count: data.end.div_ceil(bits) - first,
            inodes: geometry.inodes().into(),
            data: (data.start, data.end),
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The group `number`, counted from any number without end.
    pub(crate) fn nth(&self, number: u64) -> u64 {
        self.first + number % self.count
    }

    /// The place of a group among those that files use.
    pub(crate) fn position(&self, group: u64) -> u64 {
        group.saturating_sub(self.first)
    }

    /// The group of an inode.
    pub(crate) fn of_inode(&self, ino: Ino) -> u64 {
        // At most 2^32 inodes and 2^17 groups.
        self.first + u64::from(ino.0) * self.count / self.inodes
    }

    /// The first inode of a group.
    pub(crate) fn first_inode(&self, group: u64) -> Ino {
        let number = (self.position(group) * self.inodes).div_ceil(self.count);
        Ino(u32::try_from(number).unwrap_or(1).max(1))
    }

    /// The blocks of a group that files can use.
    fn blocks(&self, group: u64) -> Range<u64> {
        let bits = u64::from(BITS_PER_BLOCK);
        let start = (group * bits).max(self.data.0);
        start..((group + 1) * bits).min(self.data.1).max(start)
    }

    /// Where data and metadata begin in a group of which nothing is known.
    fn fresh(&self, group: u64) -> Hint {
        let blocks = self.blocks(group);
        Hint {
            group,
            data: blocks.start + (blocks.end - blocks.start) / META_SHARE,
            meta: blocks.start,
        }
    }
}

/// Where the next search in a group begins.
#[derive(Clone, Copy, Debug)]
struct Hint {
    group: u64,
    data: u64,
    meta: u64,
}

/// Where searches begin, for the groups that were used last.
#[derive(Debug)]
pub(crate) struct Hints([Option<Hint>; REMEMBERED]);

impl Hints {
    pub(crate) const fn new() -> Self {
        Self([None; REMEMBERED])
    }

    fn slot(group: u64) -> usize {
        usize::try_from(group).unwrap_or(0) % REMEMBERED
    }

    fn get(&self, groups: &Groups, group: u64) -> Hint {
        let known = self.0.get(Self::slot(group)).copied().flatten();
        let known = known.filter(|hint| hint.group == group);
        known.unwrap_or_else(|| groups.fresh(group))
    }

    /// The block from which data, or metadata, of a group is looked for.
    pub(crate) fn goal(&self, groups: &Groups, group: u64, data: bool) -> u64 {
        let hint = self.get(groups, group);
        if data { hint.data } else { hint.meta }
    }

    /// A search for the sake of `group` has ended before block `end`.
    pub(crate) fn advance(&mut self, groups: &Groups, group: u64, data: bool, end: u64) {
        let mut hint = self.get(groups, group);
        *if data { &mut hint.data } else { &mut hint.meta } = end;
        if let Some(slot) = self.0.get_mut(Self::slot(group)) {
            *slot = Some(hint);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Groups, Hints};
    use crate::inode::Ino;
    use crate::superblock::Geometry;
    use proptest::prelude::*;

    #[test]
    fn a_small_file_system_is_one_group() {
        let groups = Groups::of(&Geometry::new(1024, 64, 64).expect("it fits"));
        assert_eq!((groups.count(), groups.of_inode(Ino(63))), (1, 0));
        assert_eq!(groups.first_inode(0), Ino(1));
    }

    #[test]
    fn hints_follow_what_was_taken_and_forget_old_groups() {
        let groups = Groups::of(&Geometry::new(1 << 22, 1 << 16, 64).expect("it fits"));
        let mut hints = Hints::new();
        let fresh = hints.goal(&groups, 3, true);
        assert!(hints.goal(&groups, 3, false) < fresh);
        hints.advance(&groups, 3, true, fresh + 9);
        assert_eq!(hints.goal(&groups, 3, true), fresh + 9);
        hints.advance(&groups, 19, true, 5);
        assert_eq!(hints.goal(&groups, 3, true), fresh);
    }

    proptest! {
        #[test]
        fn every_inode_has_a_group_with_blocks(
            blocks in 4096u64..1 << 32, share in 1u64..64, at in any::<u32>(),
        ) {
            let inodes = (blocks / 16 / share).next_multiple_of(16).max(16);
            let Some(geometry) = Geometry::new(blocks, inodes, 64) else { return Ok(()) };
            let groups = Groups::of(&geometry);
            let ino = Ino(at % geometry.inodes());
            let group = groups.of_inode(ino);
            let range = groups.blocks(group);
            prop_assert!(range.start < range.end && geometry.is_data(range.start, 1));
            let first = groups.first_inode(group);
            prop_assert!(first.0 <= ino.0.max(1));
            prop_assert!(groups.of_inode(first) == group);
        }
    }
}
