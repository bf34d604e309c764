// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Seen`]: the cached blocks that one operation has looked at.
//!
//! An operation looks at most of its blocks several times, and each search of the device's cache
//! costs more than the look itself.

use bento::{BlockNo, Result};
use core::cell::OnceCell;

/// Blocks that are remembered; those that come later are searched for each time.
const SLOTS: usize = 8;

/// Handles of cached blocks. Nobody else changes these blocks: the operation holds the handle lock.
#[derive(Debug)]
pub(crate) struct Seen<B> {
    slots: [OnceCell<(BlockNo, B)>; SLOTS],
}

/// A block that was looked for.
pub(crate) enum Handle<'s, B> {
    Kept(&'s B),
    Own(B),
}

impl<B> Handle<'_, B> {
    pub(crate) fn buf(&self) -> &B {
        match self {
            Self::Kept(buf) => buf,
            Self::Own(buf) => buf,
        }
    }
}

impl<B> Seen<B> {
    pub(crate) const fn new() -> Self {
        Self {
            slots: [const { OnceCell::new() }; SLOTS],
        }
    }

    /// The block, by `read` where it was not seen before.
    ///
    /// # Errors
    /// Those of `read`.
    pub(crate) fn get(
        &self,
        block: BlockNo,
        read: impl FnOnce() -> Result<B>,
    ) -> Result<Handle<'_, B>> {
        let mut free = None;
        for slot in &self.slots {
            match slot.get() {
                Some((number, buf)) if *number == block => return Ok(Handle::Kept(buf)),
                Some(_) => {}
                None => free = free.or(Some(slot)),
            }
        }
        let buf = read()?;
        Ok(match free {
            Some(slot) => Handle::Kept(&slot.get_or_init(|| (block, buf)).1),
            None => Handle::Own(buf),
        })
    }

    /// Takes the block out, where it was seen.
    pub(crate) fn take(&mut self, block: BlockNo) -> Option<B> {
        let mut slots = self.slots.iter_mut();
        let slot = slots.find(|slot| slot.get().is_some_and(|(number, _)| *number == block))?;
        slot.take().map(|(_, buf)| buf)
    }

    /// The operation has ended.
    pub(crate) fn clear(&mut self) {
        for slot in &mut self.slots {
            slot.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SLOTS, Seen};
    use alloc::vec::Vec;
    use bento::{BlockNo, Errno};

    #[test]
    fn a_block_is_read_once_until_there_are_too_many() {
        let mut seen = Seen::new();
        let mut reads = Vec::new();
        let mut look = |seen: &Seen<u64>, number: u64| {
            let read = || {
                reads.push(number);
                Ok(number * 10)
            };
            let found = *seen.get(BlockNo(number), read).expect("it is read").buf();
            assert_eq!(found, number * 10);
            reads.len()
        };
        let most = u64::try_from(SLOTS).expect("few");
        for number in (0..most).chain(0..most) {
            look(&seen, number);
        }
        assert_eq!(look(&seen, 0), SLOTS, "all were seen");
        assert_eq!(look(&seen, most), SLOTS + 1);
        assert_eq!(look(&seen, most), SLOTS + 2, "there is no room for it");
        assert_eq!(
            (seen.take(BlockNo(3)), seen.take(BlockNo(3))),
            (Some(30), None)
        );
        assert_eq!(look(&seen, 3), SLOTS + 3);
        assert_eq!(look(&seen, 3), SLOTS + 3, "it has got the room");
        assert_eq!(look(&seen, 7), SLOTS + 3, "those behind it are still known");
        seen.clear();
        assert_eq!(look(&seen, 0), SLOTS + 4);
    }

    #[test]
    fn what_cannot_be_read_is_not_seen() {
        let seen = Seen::<u64>::new();
        let failed = seen.get(BlockNo(1), || Err(Errno::EIO));
        assert!(matches!(failed, Err(Errno::EIO)));
        assert!(seen.get(BlockNo(1), || Ok(1)).is_ok());
    }
}
