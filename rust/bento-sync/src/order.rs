// SPDX-License-Identifier: GPL-2.0-only
//! The check of the lock order on a host.

use crate::LockClass;
use core::cell::RefCell;
use core::marker::PhantomData;
use std::vec::Vec;

std::thread_local! {
    /// The classes of the locks that this thread holds.
    static HELD: RefCell<Vec<LockClass>> = const { RefCell::new(Vec::new()) };
}

/// A lock that this thread holds, in the eyes of the check. Not `Send`, like the guard beside it.
#[derive(Debug)]
pub(crate) struct Held {
    class: Option<LockClass>,
    not_send: PhantomData<*mut ()>,
}

impl Held {
    /// A lock of `class` is about to be waited for.
    ///
    /// # Panics
    /// This thread holds a lock that comes behind it, or one of the same class.
    #[track_caller]
    pub(crate) fn new(class: Option<LockClass>) -> Self {
        let class = class.filter(|_| cfg!(debug_assertions));
        if let Some(class) = class {
            let wrong = HELD.with_borrow(|held| {
                let same = |other: &LockClass| class.several && *other == class;
                held.iter()
                    .copied()
                    .find(|o| o.rank >= class.rank && !same(o))
            });
            // Destructors of a panic that is under way must not start another.
            if let Some(other) = wrong.filter(|_| !std::thread::panicking()) {
                panic!(
                    "lock order: \"{}\" (rank {}) is wanted by a task that holds \"{}\" (rank {})",
                    class.name, class.rank, other.name, other.rank
                );
            }
            HELD.with_borrow_mut(|held| held.push(class));
        }
        Self {
            class,
            not_send: PhantomData,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(class) = self.class else { return };
        // At the end of a thread the list may be gone already.
        let _gone = HELD.try_with(|held| {
            let mut held = held.borrow_mut();
            if let Some(at) = held.iter().rposition(|other| *other == class) {
                held.remove(at);
            }
        });
    }
}
