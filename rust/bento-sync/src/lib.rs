// SPDX-License-Identifier: GPL-2.0-only
//! Locks for file systems: one set of names, chosen by target.
//!
//! | module | what it holds |
//! |---|---|
//! | [`LockClass`] | the order in which locks are taken |
//! | `host`, `order` | on a host: the locks of `std`, in debug builds with a check of the order |
//! | `kernel` | in the kernel: the same names and signatures over [`raw`] |
//! | [`raw`] | a read-write lock in one 32-bit word, which may live in memory of C |
//! | [`processor`] | one instruction beside the locks: a checksum |
//! | [`panicking`] | whether a lock that is given back must be poisoned |
//!
//! Deviations from `std::sync`: there is no `try_lock` and no `Condvar`, and an error carries no
//! guard, as after a panic nobody may see the data.
#![no_std]
#[cfg(any(test, not(target_os = "none")))]
extern crate std;

/// The lock's data was being changed by an operation that panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poisoned;

mod class;
pub use class::LockClass;
pub mod panicking;
pub mod processor;
pub mod raw;

#[cfg(not(target_os = "none"))]
mod host;
#[cfg(not(target_os = "none"))]
mod order;
#[cfg(not(target_os = "none"))]
pub use host::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

// Its tests run on the host, where nothing else uses it.
#[cfg(any(test, target_os = "none"))]
#[cfg_attr(
    not(target_os = "none"),
    expect(unreachable_pub, reason = "the host only tests it")
)]
mod kernel;
#[cfg(target_os = "none")]
pub use kernel::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

#[cfg(test)]
mod mock;
