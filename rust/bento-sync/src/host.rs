// SPDX-License-Identifier: GPL-2.0-only
//! The locks on a host: those of `std`.
use crate::Poisoned;
use std::sync;

pub use sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

/// A mutual-exclusion lock.
#[derive(Debug, Default)]
pub struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    /// An unlocked lock around `value`.
    pub const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Waits for the lock and takes it.
    ///
    /// # Errors
    /// [`Poisoned`] where an operation panicked while it held the lock.
    pub fn lock(&self) -> Result<MutexGuard<'_, T>, Poisoned> {
        self.0.lock().map_err(|_| Poisoned)
    }

    /// Exclusive access without locking.
    ///
    /// # Errors
    /// As [`Mutex::lock`].
    pub fn get_mut(&mut self) -> Result<&mut T, Poisoned> {
        self.0.get_mut().map_err(|_| Poisoned)
    }
}

/// A lock with many readers or one writer.
#[derive(Debug, Default)]
pub struct RwLock<T>(sync::RwLock<T>);

impl<T> RwLock<T> {
    /// An unlocked lock around `value`.
    pub const fn new(value: T) -> Self {
        Self(sync::RwLock::new(value))
    }

    /// Waits for the lock and takes it for reading.
    ///
    /// # Errors
    /// [`Poisoned`] where an operation panicked while it held the lock for writing.
    pub fn read(&self) -> Result<RwLockReadGuard<'_, T>, Poisoned> {
        self.0.read().map_err(|_| Poisoned)
    }

    /// Waits for the lock and takes it for writing.
    ///
    /// # Errors
    /// As [`RwLock::read`].
    pub fn write(&self) -> Result<RwLockWriteGuard<'_, T>, Poisoned> {
        self.0.write().map_err(|_| Poisoned)
    }
}
