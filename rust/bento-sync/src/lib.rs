// SPDX-License-Identifier: GPL-2.0-only
//! Locks for file systems: one set of names, chosen by target.
#![no_std]
#[cfg(not(target_os = "none"))]
extern crate std;

/// The lock's data was being changed by an operation that panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poisoned;

#[cfg(not(target_os = "none"))]
mod host;
#[cfg(not(target_os = "none"))]
pub use host::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
