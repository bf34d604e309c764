// SPDX-License-Identifier: GPL-2.0-only
//! A read-write lock in one 32-bit word. C: `bento_ks_lock_wait()`, `bento_ks_lock_wake()`.
//!
//! | bits | meaning |
//! |---|---|
//! | 0 | a writer holds the lock |
//! | 1 | a task may be asleep: whoever frees the lock clears the bit and wakes all |
//! | 2 | poisoned: a writer panicked; for good, unless the owner of the word makes it new |
//! | 3 | a mark that users of the data set ([`RawRwLock::set_mark`]); no lock depends on it |
//! | 4..32 | number of readers |
//!
//! Zero is an unlocked lock, so a word in zeroed memory of C is one. A reader is let in while there
//! are only readers, also where a writer waits: a stream of readers can hold up a writer, but a
//! task that reads twice does not stop itself.

use crate::{Poisoned, panicking};
use core::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};

const WRITER: u32 = 1 << 0;
const WAITERS: u32 = 1 << 1;
const POISON: u32 = 1 << 2;
const MARK: u32 = 1 << 3;
const READER: u32 = 1 << 4;

/// The word. It protects nothing by itself: `Mutex`, `RwLock` and the block buffers of `libbentoks`
/// put the data beside it.
///
/// # Invariants
/// While the writer bit is set there are no readers, and others change the waiters bit alone.
#[repr(transparent)]
#[derive(Debug, Default)]
pub struct RawRwLock(AtomicU32);

impl RawRwLock {
    /// An unlocked lock.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// The lock in a word that C owns.
    ///
    /// # Safety
    /// `word` is valid and aligned for all of `'a`, was zero when the word became a lock, and is
    /// only used as a lock of this type during `'a`.
    #[inline]
    #[must_use]
    pub const unsafe fn from_ptr<'a>(word: *mut u32) -> &'a Self {
        // SAFETY: the type is a transparent wrapper of an `AtomicU32`, which has the layout of
        // `u32`; the caller vouches for the rest.
        unsafe { &*word.cast::<Self>() }
    }

    /// Waits for the lock and takes it exclusively. May sleep.
    ///
    /// # Errors
    /// [`Poisoned`]: a writer panicked, or the instance of the file system failed.
    #[inline]
    pub fn lock(&self) -> Result<(), Poisoned> {
        self.lock_fast::<false>()
    }

    /// Waits for the lock and takes it together with other readers. May sleep.
    ///
    /// # Errors
    /// As [`RawRwLock::lock`].
    #[inline]
    pub fn lock_shared(&self) -> Result<(), Poisoned> {
        self.lock_fast::<true>()
    }

    #[inline]
    fn lock_fast<const SHARED: bool>(&self) -> Result<(), Poisoned> {
        let word = self.0.load(Relaxed);
        if let Some(taken) = with_me::<SHARED>(word)
            && self
                .0
                .compare_exchange(word, taken, Acquire, Relaxed)
                .is_ok()
        {
            return Ok(());
        }
        self.lock_slow::<SHARED>()
    }

    /// Gives the lock back; in the same step poisons it where this task is panicking.
    ///
    /// # Safety
    /// The caller holds the lock exclusively and gives it up.
    #[inline]
    pub unsafe fn unlock(&self) {
        let poison = if panicking::is_panicking() { POISON } else { 0 };
        // Nobody else sets or clears the mark now. (Where somebody sets it without a share of the
        // lock, it may get lost; the lock itself does not care.)
        let mark = self.0.load(Relaxed) & MARK;
        let before = self.0.swap(mark | poison, Release);
        if before & WAITERS != 0 {
            self.wake();
        }
    }

    /// Gives a share of the lock back. A reader that panics has changed nothing: no poison.
    ///
    /// # Safety
    /// The caller holds a share of the lock and gives it up.
    #[inline]
    pub unsafe fn unlock_shared(&self) {
        let before = self.0.fetch_sub(READER, Release);
        if before & WAITERS != 0 && before < 2 * READER {
            // A writer may have come in between. It then finds nobody to wake when it leaves,
            // which is right: all are woken here and say anew that they wait.
            self.0.fetch_and(!WAITERS, Relaxed);
            self.wake();
        }
    }

    /// A writer panicked while it held the lock.
    #[inline]
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.0.load(Relaxed) & POISON != 0
    }

    /// The mark is set. A word in zeroed memory has none, so the mark lasts as long as what the
    /// word guards.
    #[inline]
    #[must_use]
    pub fn is_marked(&self) -> bool {
        self.0.load(Acquire) & MARK != 0
    }

    /// Sets the mark, for good. The caller holds the lock, or a share of it.
    #[inline]
    pub fn set_mark(&self) {
        self.0.fetch_or(MARK, Release);
    }

    #[cold]
    fn lock_slow<const SHARED: bool>(&self) -> Result<(), Poisoned> {
        let mut word = self.0.load(Relaxed);
        loop {
            if word & POISON != 0 {
                return Err(Poisoned);
            }
            let free = with_me::<SHARED>(word);
            let next = free.unwrap_or(word | WAITERS);
            // A success without effect (the bit is set already) needs no write.
            if next != word
                && let Err(now) = self.0.compare_exchange_weak(word, next, Acquire, Relaxed)
            {
                word = now;
                continue;
            }
            if free.is_some() {
                return Ok(());
            }
            self.wait(next)?;
            word = self.0.load(Relaxed);
        }
    }

    /// Sleeps until the word may differ from `seen`.
    fn wait(&self, seen: u32) -> Result<(), Poisoned> {
        // SAFETY: the word outlives the call, as `self` is borrowed; the service only reads it.
        let result = unsafe { bento_sys::bento_ks_lock_wait(self.0.as_ptr(), seen) };
        if result < 0 { Err(Poisoned) } else { Ok(()) }
    }

    #[cold]
    fn wake(&self) {
        // SAFETY: the service uses the address as a name only.
        unsafe { bento_sys::bento_ks_lock_wake(self.0.as_ptr()) };
    }
}

/// What `word` becomes when one more holder gets the lock, or `None` where it has to wait.
#[inline]
const fn with_me<const SHARED: bool>(word: u32) -> Option<u32> {
    if SHARED && word & (WRITER | POISON) == 0 {
        // All 2^28 places taken: wait for one.
        word.checked_add(READER)
    } else if !SHARED && word & !(WAITERS | MARK) == 0 {
        Some(word | WRITER)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{AtomicU32, MARK, POISON, READER, RawRwLock, Relaxed, WAITERS, WRITER};
    use crate::{Poisoned, mock, panicking};
    use core::panic::AssertUnwindSafe;
    use std::panic::catch_unwind;
    use std::thread;

    fn word(lock: &RawRwLock) -> u32 {
        lock.0.load(Relaxed)
    }

    #[test]
    fn an_uncontended_lock_goes_from_zero_to_zero() {
        let lock = RawRwLock::new();
        assert_eq!(lock.lock(), Ok(()));
        assert_eq!(word(&lock), WRITER);
        // SAFETY: taken above.
        unsafe { lock.unlock() };
        assert_eq!(word(&lock), 0);
        assert_eq!(lock.lock_shared(), Ok(()));
        assert_eq!(lock.lock_shared(), Ok(()));
        assert_eq!(word(&lock), 2 * READER);
        // SAFETY: two shares were taken above.
        unsafe { lock.unlock_shared() };
        assert_eq!(word(&lock), READER);
        // SAFETY: one share is left.
        unsafe { lock.unlock_shared() };
        assert_eq!(word(&lock), 0);
    }

    #[test]
    fn a_mark_survives_readers_writers_and_panics_and_stops_nobody() {
        let lock = RawRwLock::new();
        assert!(!lock.is_marked());
        assert_eq!(lock.lock_shared(), Ok(()));
        lock.set_mark();
        assert_eq!(lock.lock_shared(), Ok(()));
        assert_eq!(word(&lock), MARK | (2 * READER));
        // SAFETY: two shares were taken above.
        unsafe { lock.unlock_shared() };
        // SAFETY: one share is left.
        unsafe { lock.unlock_shared() };
        assert_eq!(lock.lock(), Ok(()));
        assert!(lock.is_marked());
        thread::scope(|scope| {
            let waiter = scope.spawn(|| lock.lock_shared());
            wait_for_sleepers(&lock, 1);
            // SAFETY: this thread holds the lock.
            unsafe { lock.unlock() };
            assert_eq!(waiter.join().expect("no panic"), Ok(()));
        });
        // SAFETY: the thread above took a share.
        unsafe { lock.unlock_shared() };
        assert_eq!(word(&lock), MARK);
        assert_eq!(lock.lock(), Ok(()));
        poison(&lock);
        assert_eq!(word(&lock), MARK | POISON);
        assert_eq!(lock.lock_shared(), Err(Poisoned));
    }

    /// Gives the lock back as a panicking task would.
    fn poison(lock: &RawRwLock) {
        struct Unlock<'a>(&'a RawRwLock);
        impl Drop for Unlock<'_> {
            fn drop(&mut self) {
                // SAFETY: the caller holds the lock.
                unsafe { self.0.unlock() };
            }
        }
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _unlock = Unlock(lock);
            panicking::begin();
            std::panic::resume_unwind(std::boxed::Box::new(()));
        }));
        assert!(caught.is_err());
        panicking::end();
    }

    #[test]
    fn a_word_of_c_is_a_lock() {
        let memory = AtomicU32::new(0);
        // SAFETY: the word is zero, outlives the lock and is not used in another way.
        let lock = unsafe { RawRwLock::from_ptr(memory.as_ptr()) };
        assert_eq!(lock.lock(), Ok(()));
        assert_eq!(memory.load(Relaxed), WRITER);
        // SAFETY: taken above.
        unsafe { lock.unlock() };
    }

    /// A holder of the lock waits until `waiters` tasks sleep for it.
    fn wait_for_sleepers(lock: &RawRwLock, waiters: usize) {
        while mock::sleepers(lock.0.as_ptr()) < waiters {
            thread::yield_now();
        }
        assert_ne!(word(lock) & WAITERS, 0);
    }

    #[test]
    fn the_last_reader_and_the_writer_wake_all_who_sleep() {
        let lock = RawRwLock::new();
        for exclusive in [true, false] {
            let taken = if exclusive {
                lock.lock()
            } else {
                lock.lock_shared()
            };
            assert_eq!(taken, Ok(()));
            thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        assert_eq!(lock.lock(), Ok(()));
                        // SAFETY: taken above.
                        unsafe { lock.unlock() };
                    });
                }
                wait_for_sleepers(&lock, 3);
                if exclusive {
                    // SAFETY: this thread holds the lock.
                    unsafe { lock.unlock() };
                } else {
                    // SAFETY: this thread holds a share.
                    unsafe { lock.unlock_shared() };
                }
            });
            assert_eq!(word(&lock) & !WAITERS, 0, "all have left");
        }
    }

    #[test]
    fn a_panic_poisons_in_the_step_that_unlocks_and_sleepers_leave() {
        let lock = RawRwLock::new();
        assert_eq!(lock.lock(), Ok(()));
        thread::scope(|scope| {
            let waiter = scope.spawn(|| lock.lock());
            wait_for_sleepers(&lock, 1);
            poison(&lock);
            let refused = waiter.join().expect("the waiter does not panic");
            assert_eq!(refused, Err(Poisoned));
        });
        assert_eq!(word(&lock), POISON);
        assert!(lock.is_poisoned());
        assert_eq!(lock.lock(), Err(Poisoned));
        assert_eq!(lock.lock_shared(), Err(Poisoned));
    }

    #[test]
    fn a_panic_elsewhere_does_not_poison() {
        let lock = RawRwLock::new();
        panicking::begin();
        assert_eq!(lock.lock(), Ok(()));
        // SAFETY: taken above.
        unsafe { lock.unlock() };
        panicking::end();
        assert_eq!(word(&lock), 0);
    }

    #[test]
    fn who_waits_for_a_leaked_lock_leaves_when_the_instance_fails() {
        let lock = RawRwLock::new();
        assert_eq!(lock.lock(), Ok(()));
        thread::scope(|scope| {
            let writer = scope.spawn(|| lock.lock());
            let reader = scope.spawn(|| lock.lock_shared());
            wait_for_sleepers(&lock, 2);
            mock::fail(lock.0.as_ptr());
            assert_eq!(writer.join().expect("no panic"), Err(Poisoned));
            assert_eq!(reader.join().expect("no panic"), Err(Poisoned));
        });
        assert_eq!(word(&lock), WRITER | WAITERS);
    }
}
