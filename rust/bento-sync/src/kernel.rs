// SPDX-License-Identifier: GPL-2.0-only
//! The locks in the kernel: data beside a [`RawRwLock`], with the names of `std::sync`.
//!
//! A kernel `struct mutex` refers to itself and has another size in each kernel. A word does not:
//! these locks may be moved, are made in a `const`, and the data is freed with its owner.

use crate::{LockClass, Poisoned, raw::RawRwLock};
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

/// Makes a guard that no other task may drop: bentofs counts on a lock going back to its taker.
type NotSend = PhantomData<*mut ()>;

/// A mutual-exclusion lock. Waiting for it may sleep.
#[derive(Default)]
pub struct Mutex<T>(RwLock<T>);

/// The lock on a [`Mutex`]; dropping it gives the lock back.
#[must_use = "the lock is given back at once"]
pub struct MutexGuard<'a, T>(RwLockWriteGuard<'a, T>);

impl<T> Mutex<T> {
    /// An unlocked lock around `value`.
    pub const fn new(value: T) -> Self {
        Self(RwLock::new(value))
    }

    /// As [`Mutex::new`]: hosts check the order, the kernel does not.
    pub const fn of(_: LockClass, value: T) -> Self {
        Self::new(value)
    }

    /// Waits for the lock and takes it.
    ///
    /// # Errors
    /// [`Poisoned`] where an operation panicked while it held the lock.
    #[inline]
    pub fn lock(&self) -> Result<MutexGuard<'_, T>, Poisoned> {
        self.0.write().map(MutexGuard)
    }

    /// Exclusive access without locking.
    ///
    /// # Errors
    /// As [`Mutex::lock`].
    pub fn get_mut(&mut self) -> Result<&mut T, Poisoned> {
        if self.0.raw.is_poisoned() {
            return Err(Poisoned);
        }
        Ok(self.0.value.get_mut())
    }
}

/// A lock with many readers or one writer. Waiting for it may sleep.
#[derive(Default)]
pub struct RwLock<T> {
    raw: RawRwLock,
    value: UnsafeCell<T>,
}

/// A share of an [`RwLock`]; dropping it gives the share back.
///
/// # Invariants
/// A share of the lock is held while the guard exists.
#[must_use = "the lock is given back at once"]
pub struct RwLockReadGuard<'a, T> {
    lock: &'a RwLock<T>,
    not_send: NotSend,
}

/// The exclusive lock on an [`RwLock`]; dropping it gives the lock back.
///
/// # Invariants
/// The lock is held exclusively while the guard exists.
#[must_use = "the lock is given back at once"]
pub struct RwLockWriteGuard<'a, T> {
    lock: &'a RwLock<T>,
    not_send: NotSend,
}

// SAFETY: the lock hands out `&T` to many tasks at once (`Sync`) and `&mut T`, out of which a `T`
// can be moved, to one at a time (`Send`).
unsafe impl<T: Send + Sync> Sync for RwLock<T> {}

// SAFETY: only one task at a time gets at the value, so `Send` is enough.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> RwLock<T> {
    /// An unlocked lock around `value`.
    pub const fn new(value: T) -> Self {
        Self {
            raw: RawRwLock::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// As [`RwLock::new`]: hosts check the order, the kernel does not.
    pub const fn of(_: LockClass, value: T) -> Self {
        Self::new(value)
    }

    /// Waits for the lock and takes it for reading.
    ///
    /// # Errors
    /// [`Poisoned`] where an operation panicked while it held the lock for writing.
    #[inline]
    pub fn read(&self) -> Result<RwLockReadGuard<'_, T>, Poisoned> {
        self.raw.lock_shared()?;
        // INVARIANT: the share was taken in the line above.
        Ok(RwLockReadGuard {
            lock: self,
            not_send: PhantomData,
        })
    }

    /// Waits for the lock and takes it for writing.
    ///
    /// # Errors
    /// As [`RwLock::read`].
    #[inline]
    pub fn write(&self) -> Result<RwLockWriteGuard<'_, T>, Poisoned> {
        self.raw.lock()?;
        // INVARIANT: the lock was taken in the line above.
        Ok(RwLockWriteGuard {
            lock: self,
            not_send: PhantomData,
        })
    }
}

impl<T> Deref for RwLockReadGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: by the invariant a share is held, so nobody has exclusive access.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: by the invariant a share is held; the guard ends here.
        unsafe { self.lock.raw.unlock_shared() };
    }
}

impl<T> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: by the invariant the lock is held, and `&mut` access needs `&mut self`.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: by the invariant the lock is held exclusively, and `self` is borrowed so.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: by the invariant the lock is held; the guard ends here.
        unsafe { self.lock.raw.unlock() };
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

macro_rules! debug_like_the_value {
    ($($guard:ident)+) => {$(
        impl<T: fmt::Debug> fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    )+};
}
debug_like_the_value! { MutexGuard RwLockReadGuard RwLockWriteGuard }

macro_rules! debug_without_locking {
    ($($lock:ident)+) => {$(
        impl<T> fmt::Debug for $lock<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($lock)).finish_non_exhaustive()
            }
        }
    )+};
}
debug_without_locking! { Mutex RwLock }

#[cfg(test)]
mod tests {
    use super::{LockClass, Mutex, RwLock};
    use crate::{Poisoned, panicking};
    use core::panic::AssertUnwindSafe;
    use std::panic::{catch_unwind, resume_unwind};
    use std::thread;

    const THREADS: usize = 8;
    const ROUNDS: u64 = 100_000;

    #[test]
    fn no_increment_of_many_threads_is_lost() {
        let count = Mutex::of(LockClass::BLOCK, 0u64);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        *count.lock().expect("nobody panics") += 1;
                    }
                });
            }
        });
        assert_eq!(*count.lock().expect("nobody panics"), 8 * ROUNDS);
    }

    #[test]
    fn readers_never_see_a_half_done_change() {
        let pair = RwLock::new((0u64, 0u64));
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let pair = &pair;
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        if thread < 2 {
                            let mut both = pair.write().expect("nobody panics");
                            both.0 = round;
                            core::hint::spin_loop();
                            both.1 = round;
                        } else {
                            let both = pair.read().expect("nobody panics");
                            assert_eq!(both.0, both.1);
                        }
                    }
                });
            }
        });
    }

    #[test]
    fn only_the_lock_that_was_held_for_writing_is_poisoned() {
        let (mut written, read, free) = (Mutex::new(1), RwLock::new(2), Mutex::new(3));
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let mut value = written.lock().expect("new");
            let _shared = read.read().expect("new");
            *value = 10;
            panicking::begin();
            resume_unwind(std::boxed::Box::new(()));
        }));
        assert!(caught.is_err());
        panicking::end();
        assert_eq!(written.lock().err(), Some(Poisoned));
        assert_eq!(written.get_mut().err(), Some(Poisoned));
        assert_eq!(*read.write().expect("only read"), 2);
        assert_eq!(*free.lock().expect("not held"), 3);
    }

    #[test]
    fn a_task_may_read_twice_while_a_writer_waits() {
        let lock = RwLock::of(LockClass::BLOCK, 7);
        let first = lock.read().expect("new");
        thread::scope(|scope| {
            scope.spawn(|| *lock.write().expect("nobody panics") = 8);
            thread::sleep(core::time::Duration::from_millis(20));
            assert_eq!(*lock.read().expect("not stopped by the writer"), 7);
            drop(first);
        });
        assert_eq!(*lock.read().expect("nobody panics"), 8);
    }
}
