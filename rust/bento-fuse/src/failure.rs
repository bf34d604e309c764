// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Containment of panics: the caller gets `EIO`, and the mount fails for good.
//!
//! As in the kernel, a mount is failed *before* any destructor runs: the panic hook sets the flag,
//! so a lock that unwinding releases protects nothing that could still reach the disk.

use bento::{Errno, Result};
use core::cell::RefCell;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, Ordering};
use std::panic;
use std::sync::{Arc, Once};

thread_local! {
    /// The mount that this thread is working for.
    static CURRENT: RefCell<Option<Failure>> = const { RefCell::new(None) };
}

/// Whether a mount has failed. All clones share one flag.
#[derive(Clone, Debug, Default)]
pub struct Failure(Arc<AtomicBool>);

impl Failure {
    /// A flag of a mount that has not failed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The mount has failed.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Passes while the mount has not failed.
    ///
    /// # Errors
    /// `EIO` afterwards.
    pub fn check(&self) -> Result {
        if self.is_set() {
            return Err(Errno::EIO);
        }
        Ok(())
    }

    /// Runs a call into the file system. A panic in it fails the mount.
    ///
    /// # Errors
    /// Those of the call; `EIO` where it panicked or the mount has failed before.
    pub fn guard<T>(&self, call: impl FnOnce() -> Result<T>) -> Result<T> {
        install_hook();
        self.check()?;
        CURRENT.with(|current| current.replace(Some(self.clone())));
        // The file system is never called again after a panic, so nobody sees its broken state.
        let result = panic::catch_unwind(AssertUnwindSafe(call));
        CURRENT.with(RefCell::take);
        result.unwrap_or_else(|_| {
            log::error!("the file system panicked: every operation on this mount fails with EIO");
            Err(Errno::EIO)
        })
    }
}

/// Puts our hook before the one that prints the panic; once per process.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            CURRENT.with(|current| {
                if let Some(failure) = &*current.borrow() {
                    failure.0.store(true, Ordering::Release);
                }
            });
            print(info);
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::Failure;
    use bento::Errno;

    #[test]
    fn a_panic_fails_the_mount_before_destructors_run_and_no_other_mount() {
        struct SeesFailure<'a>(&'a Failure);
        impl Drop for SeesFailure<'_> {
            fn drop(&mut self) {
                assert!(self.0.is_set(), "failed before unwinding");
            }
        }
        let (failed, other) = (Failure::new(), Failure::new());
        let result: bento::Result = failed.guard(|| {
            let _dropped_by_unwinding = SeesFailure(&failed);
            panic!("this panic is part of the test");
        });
        assert_eq!(result, Err(Errno::EIO));
        assert_eq!(failed.guard(|| Ok(1)), Err(Errno::EIO), "for good");
        assert_eq!(other.guard(|| Ok(1)), Ok(1));
        assert_eq!(
            other.guard(|| Err::<(), _>(Errno::ENOENT)),
            Err(Errno::ENOENT)
        );
        assert!(!other.is_set(), "an error is no panic");
    }
}
