// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Where the bytes of a file lie: the answers of mapped I/O.

/// What lies behind a range of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtentKind {
    /// Nothing: reads as zeros, takes no space.
    Hole,
    /// Data at this byte offset of the device.
    Mapped(u64),
    /// Space at this byte offset of the device that was never written: reads as zeros until
    /// [`crate::FileSystem::commit`] says that data has reached it.
    Unwritten(u64),
}

/// A run of a file whose bytes lie in one run of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First byte in the file; a multiple of the block size, not above the byte asked for.
    pub offset: u64,
    /// Length in bytes; a multiple of the block size, above 0, past the byte asked for.
    pub len: u64,
    /// What lies there.
    pub kind: ExtentKind,
    /// The space was taken by this very call ([`crate::FileSystem::allocate`] only).
    pub new: bool,
}

impl Extent {
    /// A hole.
    #[must_use]
    pub const fn hole(offset: u64, len: u64) -> Self {
        Self {
            offset,
            len,
            kind: ExtentKind::Hole,
            new: false,
        }
    }

    /// The first byte behind the run, or `None` where it does not fit 64 bits.
    #[must_use]
    pub const fn end(&self) -> Option<u64> {
        self.offset.checked_add(self.len)
    }
}
