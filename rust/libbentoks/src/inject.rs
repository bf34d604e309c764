// SPDX-License-Identifier: GPL-2.0-only
//! Panics on order: the far end of fault injection. C: `enum bento_panic`, `inject.c`.
//!
//! Each way leads through another part of `core`, of the allocator or of the unwinder, so that a
//! test can see all of them contained in the middle of any operation.

use alloc::vec::Vec;
use bento_sys::{
    BENTO_PANIC_DOUBLE, BENTO_PANIC_DROP, BENTO_PANIC_INDEX, BENTO_PANIC_MEMORY,
    BENTO_PANIC_OVERFLOW, BENTO_PANIC_SLICE, BENTO_PANIC_UNWRAP,
};
use core::hint::black_box;

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("fault injection: panic in a destructor");
    }
}

/// Panics in the way that a service asked for.
#[cold]
pub(crate) fn panic_as_ordered(way: u32) -> ! {
    let bytes: &[u8] = black_box(&[1, 2, 3]);
    let four = black_box(4);
    match way {
        BENTO_PANIC_INDEX => drop(black_box(bytes[four])),
        BENTO_PANIC_OVERFLOW => drop(black_box(u8::MAX - 2 + bytes[2])),
        BENTO_PANIC_UNWRAP => drop(black_box(bytes.get(four).unwrap())),
        BENTO_PANIC_SLICE => drop(black_box(&bytes[four - 1..four - 2])),
        // 1 TiB: more than the allocator gives to anybody.
        BENTO_PANIC_MEMORY => drop(black_box(Vec::<u8>::with_capacity(four << 38))),
        BENTO_PANIC_DROP => drop(Bomb),
        BENTO_PANIC_DOUBLE => {
            let _bomb = Bomb;
            panic!("fault injection: the first of two panics");
        }
        _ => {}
    }
    panic!("fault injection ordered a panic");
}

#[cfg(test)]
mod tests {
    use super::panic_as_ordered;
    use bento_sys::{BENTO_PANIC_END, BENTO_PANIC_MEMORY, BENTO_PANIC_MESSAGE};
    use std::panic::catch_unwind;
    use std::string::String;

    #[test]
    fn each_order_is_a_panic_of_its_own() {
        let mut messages = std::collections::BTreeSet::new();
        let ways = BENTO_PANIC_MESSAGE..BENTO_PANIC_END - 1;
        // `std` aborts where there is no memory, and at the last: a panic during a panic.
        for way in ways.filter(|way| *way != BENTO_PANIC_MEMORY) {
            let payload = catch_unwind(|| panic_as_ordered(way)).expect_err("ordered");
            let message = payload.downcast_ref::<String>().cloned();
            messages.insert(message.or_else(|| payload.downcast_ref().map(|s: &&str| (*s).into())));
        }
        assert_eq!(messages.len(), 6, "{messages:?}");
    }
}
