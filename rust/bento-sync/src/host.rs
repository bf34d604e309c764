// SPDX-License-Identifier: GPL-2.0-only
//! The locks on a host: those of `std`, and in debug builds a check of the order.
use crate::order::Held;
use crate::{LockClass, Poisoned};
use core::ops::{Deref, DerefMut};
use std::sync;

/// A mutual-exclusion lock.
#[derive(Debug, Default)]
pub struct Mutex<T> {
    lock: sync::Mutex<T>,
    class: Option<LockClass>,
}

/// A lock with many readers or one writer.
#[derive(Debug, Default)]
pub struct RwLock<T> {
    lock: sync::RwLock<T>,
    class: Option<LockClass>,
}

/// Guards: that of `std`, then what the check knows of it.
macro_rules! guards {
    ($($(#[$doc:meta])* $guard:ident)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "the lock is given back at once"]
        pub struct $guard<'a, T> {
            guard: sync::$guard<'a, T>,
            _held: Held,
        }

        impl<T> Deref for $guard<'_, T> {
            type Target = T;

            fn deref(&self) -> &T {
                &self.guard
            }
        }
    )+};
}

guards! {
    /// The lock on a [`Mutex`]; dropping it gives the lock back.
    MutexGuard
    /// A share of an [`RwLock`]; dropping it gives the share back.
    RwLockReadGuard
    /// The exclusive lock on an [`RwLock`]; dropping it gives the lock back.
    RwLockWriteGuard
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T> Mutex<T> {
    /// An unlocked lock around `value`, whose order nobody checks.
    pub const fn new(value: T) -> Self {
        Self {
            lock: sync::Mutex::new(value),
            class: None,
        }
    }

    /// An unlocked lock of `class` around `value`.
    pub const fn of(class: LockClass, value: T) -> Self {
        Self {
            lock: sync::Mutex::new(value),
            class: Some(class),
        }
    }

    /// Waits for the lock and takes it.
    ///
    /// # Errors
    /// [`Poisoned`] where an operation panicked while it held the lock.
    ///
    /// # Panics
    /// Against the order of its [`LockClass`].
    #[track_caller]
    pub fn lock(&self) -> Result<MutexGuard<'_, T>, Poisoned> {
        let _held = Held::new(self.class);
        let guard = self.lock.lock().map_err(|_| Poisoned)?;
        Ok(MutexGuard { guard, _held })
    }

    /// Exclusive access without locking.
    ///
    /// # Errors
    /// As [`Mutex::lock`].
    pub fn get_mut(&mut self) -> Result<&mut T, Poisoned> {
        self.lock.get_mut().map_err(|_| Poisoned)
    }
}

impl<T> RwLock<T> {
    /// An unlocked lock around `value`, whose order nobody checks.
    pub const fn new(value: T) -> Self {
        Self {
            lock: sync::RwLock::new(value),
            class: None,
        }
    }

    /// An unlocked lock of `class` around `value`.
    pub const fn of(class: LockClass, value: T) -> Self {
        Self {
            lock: sync::RwLock::new(value),
            class: Some(class),
        }
    }

    /// Waits for the lock and takes it for reading.
    ///
    /// # Errors
    /// [`Poisoned`] where an operation panicked while it held the lock for writing.
    ///
    /// # Panics
    /// Against the order of its [`LockClass`].
    #[track_caller]
    pub fn read(&self) -> Result<RwLockReadGuard<'_, T>, Poisoned> {
        let _held = Held::new(self.class);
        let guard = self.lock.read().map_err(|_| Poisoned)?;
        Ok(RwLockReadGuard { guard, _held })
    }

    /// Waits for the lock and takes it for writing.
    ///
    /// # Errors
    /// As [`RwLock::read`].
    ///
    /// # Panics
    /// Against the order of its [`LockClass`].
    #[track_caller]
    pub fn write(&self) -> Result<RwLockWriteGuard<'_, T>, Poisoned> {
        let _held = Held::new(self.class);
        let guard = self.lock.write().map_err(|_| Poisoned)?;
        Ok(RwLockWriteGuard { guard, _held })
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::{Mutex, RwLock};
    use crate::LockClass;
    use core::panic::AssertUnwindSafe;
    use std::panic::catch_unwind;

    const FIRST: LockClass = LockClass::new("first", 1);
    const SECOND: LockClass = LockClass::new("second", 2).several();

    /// What `take` panics with.
    fn refused(take: impl FnOnce()) -> std::string::String {
        let panic = catch_unwind(AssertUnwindSafe(take)).expect_err("it must panic");
        *panic.downcast().expect("a message")
    }

    #[test]
    fn a_wrong_order_panics_even_where_nobody_waits() {
        let (first, second) = (Mutex::of(FIRST, ()), RwLock::of(SECOND, ()));
        drop((first.lock(), second.read(), second.read()));
        let message = refused(|| drop((second.read(), first.lock())));
        assert_eq!(
            message,
            "lock order: \"first\" (rank 1) is wanted by a task that holds \"second\" (rank 2)"
        );
        // The panic has given back what was held.
        drop((first.lock(), second.write()));
    }

    #[test]
    fn two_locks_of_a_class_need_its_permission() {
        let (one, two) = (Mutex::of(FIRST, ()), Mutex::of(FIRST, ()));
        assert!(refused(|| drop((one.lock(), two.lock()))).contains("\"first\""));
        let (one, two) = (RwLock::of(SECOND, ()), RwLock::of(SECOND, ()));
        drop((one.write(), two.write()));
    }

    #[test]
    fn the_order_is_that_of_a_thread_and_locks_without_a_class_have_none() {
        let (first, second) = (Mutex::of(FIRST, ()), RwLock::of(SECOND, ()));
        let (plain, held) = (Mutex::new(()), second.write());
        drop(plain.lock());
        std::thread::scope(|scope| {
            scope.spawn(|| drop(first.lock()));
        });
        drop(held);
        let guard = plain.lock();
        drop((first.lock(), guard));
    }
}
