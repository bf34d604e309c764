// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Errors: a valid Linux `errno`, and nothing else.

use core::num::NonZeroI32;

/// Result of every operation.
pub type Result<T = ()> = core::result::Result<T, Errno>;

/// A Linux error number (`errno(3)`).
///
/// # Invariants
/// The number is in `1..=4095`, so that its negative is a valid kernel return value.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(NonZeroI32);

macro_rules! errnos {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        impl Errno {
            $(#[doc = $text] pub const $name: Self = Self::constant($value);)*

            /// The symbolic name, or `None` for a number without a constant here.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0.get() {
                    $($value => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

errnos! {
    EPERM = 1, "Operation not permitted.";
    ENOENT = 2, "No such file or directory.";
    EINTR = 4, "Interrupted.";
    EIO = 5, "Input/output error; also every call into a file system that has panicked.";
    ENXIO = 6, "No such device or address; no data behind this offset.";
    E2BIG = 7, "Argument list too long.";
    EBADF = 9, "Bad file descriptor.";
    EAGAIN = 11, "Try again.";
    ENOMEM = 12, "Out of memory.";
    EACCES = 13, "Permission denied.";
    EBUSY = 16, "Device or resource busy.";
    EEXIST = 17, "File exists.";
    EXDEV = 18, "Cross-device link.";
    ENODEV = 19, "No such device.";
    ENOTDIR = 20, "Not a directory.";
    EISDIR = 21, "Is a directory.";
    EINVAL = 22, "Invalid argument.";
    EFBIG = 27, "File too large.";
    ENOSPC = 28, "No space left on device.";
    EROFS = 30, "Read-only file system.";
    EMLINK = 31, "Too many links.";
    ERANGE = 34, "Result too large for the buffer.";
    ENAMETOOLONG = 36, "File name longer than 255 bytes.";
    ENOSYS = 38, "The file system does not implement this operation.";
    ENOTEMPTY = 39, "Directory not empty.";
    ELOOP = 40, "Too many symbolic links.";
    ENODATA = 61, "No data available.";
    EOVERFLOW = 75, "Value too large.";
    EOPNOTSUPP = 95, "Operation not supported.";
    ETIMEDOUT = 110, "Timed out.";
    ESTALE = 116, "Stale handle: the inode is gone.";
    EUCLEAN = 117, "Structure needs cleaning: the disk is damaged, run fsck.";
}

impl Errno {
    const fn constant(value: i32) -> Self {
        match NonZeroI32::new(value) {
            Some(v) => Self(v),
            None => unreachable!(),
        }
    }

    /// From a positive error number; anything outside `1..=4095` becomes [`Errno::EIO`].
    #[must_use]
    pub const fn from_raw(value: i32) -> Self {
        match NonZeroI32::new(value) {
            Some(v) if value > 0 && value <= 4095 => Self(v),
            _ => Self::EIO,
        }
    }

    /// The positive error number.
    #[must_use]
    pub const fn raw(self) -> i32 {
        self.0.get()
    }
}

impl core::fmt::Debug for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl core::fmt::Display for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(self, f)
    }
}

impl core::error::Error for Errno {}

/// A lock that a panicking operation held protects half-changed state: nobody may see it.
impl From<bento_sync::Poisoned> for Errno {
    fn from(_: bento_sync::Poisoned) -> Self {
        Self::EIO
    }
}

#[cfg(test)]
mod tests {
    use super::Errno;

    #[test]
    fn raw_numbers_outside_the_kernel_range_become_eio() {
        for bad in [0, -5, 4096, i32::MAX, i32::MIN] {
            assert_eq!(Errno::from_raw(bad), Errno::EIO);
        }
        assert_eq!(Errno::from_raw(28), Errno::ENOSPC);
        assert_eq!(Errno::from_raw(4095).raw(), 4095);
    }
}
