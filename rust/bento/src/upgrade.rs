// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! How one build of a file system hands a live mount to the next.
//!
//! State crosses as bytes, never as Rust values: the two builds share no layout. A state is a
//! sequence of records `u32 tag, u32 len, bytes`, little-endian; a reader skips tags that it does
//! not know. On its way it has one more record at its end, the seal: tag [`SEAL`], and the
//! crc32c of all bytes before that record.

use crate::{Errno, FileSystem, MountOptions, Result, crc32c};
use alloc::vec::Vec;
use core::ops::RangeInclusive;

/// The largest state in bytes (64 MiB), its seal included.
pub const MAX_STATE: usize = 64 << 20;
/// The tag of the seal. No other record may have it.
pub const SEAL: u32 = u32::MAX;
/// The bytes of the seal: tag, length, checksum.
const SEAL_LEN: usize = 12;

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
    /// `ENOMEM`; `E2BIG` where the state would exceed [`MAX_STATE`]; `EINVAL` for [`SEAL`].
    pub fn record(&mut self, tag: u32, payload: &[u8]) -> Result {
        if tag == SEAL {
            return Err(Errno::EINVAL);
        }
        self.append(tag, payload, MAX_STATE - SEAL_LEN)
    }

    /// The whole state with its seal, to be read by [`StateReader::unseal`].
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn seal(mut self) -> Result<Vec<u8>> {
        let sum = crc32c(0, &self.bytes);
        self.append(SEAL, &sum.to_le_bytes(), MAX_STATE)?;
        Ok(self.bytes)
    }

    fn append(&mut self, tag: u32, payload: &[u8], limit: usize) -> Result {
        let len = u32::try_from(payload.len()).map_err(|_| Errno::E2BIG)?;
        if self.bytes.len() + payload.len() + 8 > limit {
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

    /// The state so far, without a seal.
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
    /// A reader over what [`StateWriter::seal`] made.
    ///
    /// # Errors
    /// `EINVAL` where the seal is missing or does not fit the bytes before it, or as [`Self::new`].
    pub fn unseal(bytes: &'a [u8]) -> Result<Self> {
        let at = bytes.len().checked_sub(SEAL_LEN).ok_or(Errno::EINVAL)?;
        let (state, seal) = bytes.split_at_checked(at).ok_or(Errno::EINVAL)?;
        let (tag, sum, _) = split_record(seal).ok_or(Errno::EINVAL)?;
        if tag != SEAL || sum != crc32c(0, state).to_le_bytes() {
            return Err(Errno::EINVAL);
        }
        Self::new(state)
    }

    /// A reader over records without a seal.
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
    use super::{SEAL, StateReader, StateWriter};
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
    fn a_sealed_state_comes_back_and_one_that_was_changed_anywhere_does_not() {
        for payloads in [&[][..], &[&b"payload"[..], b""]] {
            let mut out = StateWriter::new();
            for payload in payloads {
                out.record(1, payload).expect("small");
            }
            let mut bytes = out.seal().expect("memory");
            let state = StateReader::unseal(&bytes).expect("well-formed");
            assert!(
                state
                    .records()
                    .map(|(_, payload)| payload)
                    .eq(payloads.iter().copied())
            );
            for at in 0..bytes.len() * 8 {
                bytes[at / 8] ^= 1 << (at % 8);
                assert_eq!(
                    StateReader::unseal(&bytes).err(),
                    Some(Errno::EINVAL),
                    "bit {at}"
                );
                bytes[at / 8] ^= 1 << (at % 8);
            }
            for len in 0..bytes.len() {
                assert_eq!(
                    StateReader::unseal(&bytes[..len]).err(),
                    Some(Errno::EINVAL),
                    "{len}"
                );
            }
        }
    }

    #[test]
    fn a_file_system_cannot_write_a_seal() {
        let mut out = StateWriter::new();
        assert_eq!(out.record(SEAL, b"none"), Err(Errno::EINVAL));
        assert!(out.as_bytes().is_empty());
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
