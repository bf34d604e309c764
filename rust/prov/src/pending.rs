// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Records on their way to the log: a bounded buffer, and a count of what was lost.

use crate::record::{Kind, Record};
use alloc::vec::Vec;
use bento::{Errno, LogBatch, Result, Timespec};

/// The most bytes that wait; what comes on top is counted and lost.
pub(crate) const CAPACITY: usize = 512 << 10;
/// From here on the host should come at once.
pub(crate) const URGENT: usize = 64 << 10;

/// Numbers in front of the records in an exported state.
const WORDS: usize = 6;

/// The state behind one lock.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Whole records, oldest first.
    bytes: Vec<u8>,
    /// The number of the next record.
    seq: u64,
    /// Records that found no room, or that the host could not store, and no record tells of yet.
    lost: u64,
    /// What is lost if the host cannot store the batch that it has now: its records, and those
    /// that a record of it says are lost.
    handed: u64,
    /// That batch was the first of a file that was to be emptied.
    restarted: bool,
    /// Where the next batch goes; `None` until the log is started.
    pub(crate) target: Option<Target>,
}

/// The file that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Which of [`crate::FILES`].
    pub(crate) index: usize,
    /// About how many bytes it has: what the host has in its cache may be more.
    pub(crate) size: u64,
    /// It is to be emptied first.
    pub(crate) restart: bool,
}

impl Pending {
    /// Adds a record; its number is set here.
    pub(crate) fn add(&mut self, record: &Record<'_>) {
        let record = Record {
            seq: self.seq,
            ..*record
        };
        self.seq += 1;
        let fits = self.bytes.len() + record.size() <= CAPACITY;
        if !fits || record.encode(&mut self.bytes).is_err() {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// How many bytes wait.
    pub(crate) fn waiting(&self) -> usize {
        self.bytes.len()
    }

    /// The host says what became of the last batch.
    pub(crate) fn settle(&mut self, last: Result) {
        if last.is_err() {
            self.lost = self.lost.saturating_add(self.handed);
            if let Some(target) = &mut self.target {
                target.restart |= self.restarted;
            }
        }
        self.handed = 0;
        self.restarted = false;
    }

    /// The place of the next batch, which has `len` bytes. A file that is full is left for the
    /// next one.
    pub(crate) fn place(&mut self, len: usize, limit: u64) -> Option<Target> {
        let target = self.target?.advanced(limit);
        self.restarted = target.restart;
        self.target = Some(Target {
            size: target.size + u64::try_from(len).unwrap_or(0),
            restart: false,
            ..target
        });
        Some(target)
    }

    /// Moves whole records to `out`; returns how many bytes. The last record that was lost is
    /// followed by one that says how many there were.
    pub(crate) fn take(&mut self, now: Timespec, out: &mut [u8]) -> usize {
        self.tell_lost(now);
        let limit = out.len().min(LogBatch::MAX);
        let (mut len, mut handed) = (0, 0_u64);
        while let Some((record, next)) = self.bytes.get(len..).and_then(Record::decode) {
            if len + next > limit {
                break;
            }
            len += next;
            let told = match record.kind {
                Kind::Lost => record.extra,
                _ => 1,
            };
            handed = handed.saturating_add(told);
        }
        if let (Some(to), Some(from)) = (out.get_mut(..len), self.bytes.get(..len)) {
            to.copy_from_slice(from);
            self.bytes.drain(..len);
            self.handed = handed;
        }
        len
    }

    fn tell_lost(&mut self, now: Timespec) {
        if self.lost == 0 {
            return;
        }
        let count = core::mem::take(&mut self.lost);
        let record = Record {
            extra: count,
            time: now,
            seq: self.seq,
            ..Record::new(Kind::Lost)
        };
        // It may exceed the capacity by one record.
        match record.encode(&mut self.bytes) {
            Ok(()) => self.seq += 1,
            Err(_) => self.lost = count,
        }
    }

    /// What another instance needs to go on.
    pub(crate) fn export(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        out.try_reserve_exact(WORDS * 8 + self.bytes.len())
            .map_err(|_| Errno::ENOMEM)?;
        let target = self.target.map_or([u64::MAX, 0, 0], |target| {
            let index = u64::try_from(target.index).unwrap_or(u64::MAX);
            [index, target.size, u64::from(target.restart)]
        });
        // The next instance hears what became of the batch that the host has now.
        for word in [self.seq, self.lost, self.handed].into_iter().chain(target) {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.bytes);
        Ok(out)
    }

    /// The inverse of [`Pending::export`]; `EINVAL` where it cannot be.
    pub(crate) fn import(state: &[u8]) -> Result<Self> {
        let (words, rest) = state
            .split_first_chunk::<{ WORDS * 8 }>()
            .ok_or(Errno::EINVAL)?;
        let (words, _) = words.as_chunks::<8>();
        let [seq, lost, handed, index, size, restart] = *words else {
            return Err(Errno::EINVAL);
        };
        let [seq, lost, handed, index, size, restart] =
            [seq, lost, handed, index, size, restart].map(u64::from_le_bytes);
        let target = match usize::try_from(index) {
            Ok(index) if index < crate::FILES => Some(Target {
                index,
                size,
                restart: restart != 0,
            }),
            _ => None,
        };
        let mut end = 0;
        while let Some((_, len)) = rest.get(end..).and_then(Record::decode) {
            end += len;
        }
        if end != rest.len() || end > CAPACITY + crate::record::MAX {
            return Err(Errno::EINVAL);
        }
        let mut bytes = Vec::new();
        bytes.try_reserve(end).map_err(|_| Errno::ENOMEM)?;
        bytes.extend_from_slice(rest);
        Ok(Self {
            bytes,
            seq,
            lost,
            handed,
            restarted: false,
            target,
        })
    }
}
