// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! How one build of a file system hands a live mount to the next.
//!
//! State crosses as bytes, never as Rust values: the two builds share no layout. A state is a
//! sequence of records `u32 tag, u32 len, bytes`, little-endian; a reader skips tags that it does
//! not know.

use crate::{Errno, FileSystem, MountOptions, Result};
use alloc::vec::Vec;
use core::ops::RangeInclusive;

/// The largest state in bytes (64 MiB).
pub const MAX_STATE: usize = 64 << 20;

/// A file system whose mounts survive the replacement of its code.
pub trait Upgrade: FileSystem {
    /// The versions of the state that this build can import. It exports the last of them.
    const SCHEMA: RangeInclusive<u32>;

    /// A last chance to shorten the state, before operations are held up: commit, shrink caches.
    fn prepare(&self) -> Result {
        Ok(())
    }

    /// Writes the state. Runs while no other operation does; changes nothing, so that the mount
    /// goes on with this instance should the new one fail. No I/O.
    ///
    /// Before that it is rehearsed while operations go on: the state is then that of one moment,
    /// as the locks of the file system make sure, and may be old when it is imported.
    fn export(&self, out: &mut StateWriter) -> Result;

    /// An instance that goes on where the exporting one stopped. Runs while no operation does and
    /// while the old instance still exists. Must not write to the device.
    ///
    /// Before that it is rehearsed, from a rehearsed [`Upgrade::export`], and the instance that it
    /// makes is dropped. What goes wrong shows there before anybody has to wait, and what the
    /// import reads is cached afterwards.
    ///
    /// # Errors
    /// `EINVAL`: the state is damaged; the old instance then stays in charge.
    fn import(
        dev: Self::Device,
        options: &MountOptions<'_>,
        schema: u32,
        state: &StateReader<'_>,
    ) -> Result<Self>;
}

/// Collects the records of a state.
#[derive(Debug, Default)]
pub struct StateWriter {
    bytes: Vec<u8>,
}

impl StateWriter {
    /// An empty state.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// `ENOMEM`; `E2BIG` where the state would exceed [`MAX_STATE`].
    pub fn record(&mut self, tag: u32, payload: &[u8]) -> Result {
        let len = u32::try_from(payload.len()).map_err(|_| Errno::E2BIG)?;
        if self.bytes.len() + payload.len() + 8 > MAX_STATE {
            return Err(Errno::E2BIG);
        }
        self.bytes
            .try_reserve(payload.len() + 8)
            .map_err(|_| Errno::ENOMEM)?;
        self.bytes.extend_from_slice(&tag.to_le_bytes());
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(payload);
        Ok(())
    }

    /// The state so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads the records of a state.
#[derive(Clone, Copy, Debug)]
pub struct StateReader<'a> {
    bytes: &'a [u8],
}

impl<'a> StateReader<'a> {
    /// A reader over `bytes`.
    ///
    /// # Errors
    /// `EINVAL` where the records do not fill the bytes exactly.
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        let mut rest = bytes;
        while !rest.is_empty() {
            (_, _, rest) = split_record(rest).ok_or(Errno::EINVAL)?;
        }
        Ok(Self { bytes })
    }

    /// All records in order, as tag and payload.
    pub fn records(&self) -> impl Iterator<Item = (u32, &'a [u8])> {
        let mut rest = self.bytes;
        core::iter::from_fn(move || {
            let (tag, payload, tail) = split_record(rest)?;
            rest = tail;
            Some((tag, payload))
        })
    }

    /// The payload of the first record with this tag.
    #[must_use]
    pub fn find(&self, tag: u32) -> Option<&'a [u8]> {
        self.records()
            .find_map(|(t, payload)| (t == tag).then_some(payload))
    }
}

fn split_record(bytes: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first_chunk::<4>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
    let (payload, rest) = rest.split_at_checked(len)?;
    Some((u32::from_le_bytes(*tag), payload, rest))
}

#[cfg(test)]
mod tests {
    use super::{StateReader, StateWriter};
    use crate::Errno;

    #[test]
    fn records_come_back_and_unknown_tags_are_skipped() {
        let mut out = StateWriter::new();
        out.record(1, b"one").expect("small");
        out.record(99, b"from the future").expect("small");
        out.record(2, b"").expect("small");
        let state = StateReader::new(out.as_bytes()).expect("well-formed");
        assert_eq!(state.find(1), Some(&b"one"[..]));
        assert_eq!(state.find(2), Some(&b""[..]));
        assert_eq!(state.find(3), None);
        assert_eq!(state.records().count(), 3);
    }

    #[test]
    fn a_state_that_is_cut_anywhere_is_refused() {
        let mut out = StateWriter::new();
        out.record(1, b"payload").expect("small");
        for cut in 1..out.as_bytes().len() {
            let short = out.as_bytes().get(..cut).expect("cut is inside");
            assert_eq!(
                StateReader::new(short).err(),
                Some(Errno::EINVAL),
                "cut at {cut}"
            );
        }
    }
}
