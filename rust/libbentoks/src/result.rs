// SPDX-License-Identifier: GPL-2.0-only
//! The only place of this crate that knows what the numbers of the services mean.

use bento::{Errno, Result};
use core::ffi::c_int;

/// From the result of a service that reports success, a negative errno, or (fault injection) the
/// order to panic.
///
/// # Errors
/// What the service answered.
///
/// # Panics
/// Where it was ordered to.
#[inline]
pub fn check(result: c_int) -> Result {
    if result == 0 { Ok(()) } else { failed(result) }
}

#[cold]
fn failed(result: c_int) -> Result {
    match u32::try_from(result) {
        Ok(way) => crate::inject::panic_as_ordered(way),
        Err(_) => Err(Errno::from_raw(result.saturating_neg())),
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use bento::Errno;

    #[test]
    fn numbers_below_zero_are_errors() {
        assert_eq!(check(0), Ok(()));
        assert_eq!(check(-28), Err(Errno::ENOSPC));
        assert_eq!(check(i32::MIN), Err(Errno::EIO));
    }

    #[test]
    #[should_panic(expected = "fault injection ordered a panic")]
    fn one_is_the_order_to_panic() {
        let _ = check(1);
    }
}
