// SPDX-License-Identifier: GPL-2.0-only
//! [`LockClass`]: the order in which a file system takes its locks.

/// The place of a lock in the order of all locks: a task that holds one may only wait for locks of
/// a higher rank. So no two tasks can wait for each other.
///
/// Host builds with debug assertions check it at every lock, whether or not somebody else holds
/// it, and panic where it does not hold. The kernel build leaves the check out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockClass {
    pub(crate) name: &'static str,
    pub(crate) rank: u8,
    pub(crate) several: bool,
}

impl LockClass {
    /// Cached blocks of a device, behind all locks of file systems. One at a time.
    pub const BLOCK: Self = Self::new("cached block", u8::MAX);

    /// Locks of which a task holds one at a time. Two classes should not have the same rank.
    #[must_use]
    pub const fn new(name: &'static str, rank: u8) -> Self {
        Self {
            name,
            rank,
            several: false,
        }
    }

    /// Locks of which a task may hold several: something else sees to it that no two tasks wait
    /// for each other's, a lock of a lower rank for example.
    #[must_use]
    pub const fn several(self) -> Self {
        Self {
            several: true,
            ..self
        }
    }
}
