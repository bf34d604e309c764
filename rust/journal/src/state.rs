// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`State`]: what the handle lock protects.

use crate::running::Running;
use alloc::vec::Vec;
use bento::{Errno, Result};

/// Copies of blocks that are kept for the next operation; more than that is given back.
const SPARE_COPIES: usize = 64;

/// Everything that changes; whoever holds the lock around it is the only writer of metadata.
#[derive(Debug)]
pub(crate) struct State<B> {
    /// Committed operations that are not durable yet.
    pub(crate) running: Running<B>,
    /// The number of the running transaction: one above that of the last durable one.
    pub(crate) sequence: u64,
    /// The log on disk says that there is nothing to replay.
    pub(crate) log_empty: bool,
    /// A write failed: what is on disk is not known, so nothing may be written any more.
    aborted: bool,
    /// Memory for staged copies, each of one block.
    copies: Vec<Vec<u8>>,
    /// Memory for the descriptor blocks of the largest transaction.
    pub(crate) descriptors: Vec<u8>,
}

impl<B> State<B> {
    /// The state before the first operation; the running transaction gets number `sequence`.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn new(sequence: u64, log_empty: bool, descriptor_bytes: usize) -> Result<Self> {
        let mut descriptors = Vec::new();
        descriptors
            .try_reserve_exact(descriptor_bytes)
            .map_err(|_| Errno::ENOMEM)?;
        descriptors.resize(descriptor_bytes, 0);
        Ok(Self {
            running: Running::new(),
            sequence,
            log_empty,
            aborted: false,
            copies: Vec::new(),
            descriptors,
        })
    }

    /// # Errors
    /// `EIO` after an abort.
    pub(crate) fn check(&self) -> Result {
        if self.aborted {
            return Err(Errno::EIO);
        }
        Ok(())
    }

    /// Ends all writing after the error `cause` while doing `what`; logs it the first time.
    pub(crate) fn abort(&mut self, what: &str, cause: Errno) -> Errno {
        if !self.aborted {
            self.aborted = true;
            log::error!(
                "journal: {what} of transaction {} failed ({cause}); nothing more is written, \
                 check the device, unmount and mount again to recover",
                self.sequence
            );
        }
        Errno::EIO
    }

    /// Makes sure that `count` copies of `size` bytes can be taken without allocation.
    pub(crate) fn reserve_copies(&mut self, count: usize, size: usize) -> Result {
        let missing = count.saturating_sub(self.copies.len());
        self.copies
            .try_reserve(missing)
            .map_err(|_| Errno::ENOMEM)?;
        for _ in 0..missing {
            let mut copy = Vec::new();
            copy.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
            copy.resize(size, 0);
            self.copies.push(copy);
        }
        Ok(())
    }

    pub(crate) fn take_copy(&mut self) -> Result<Vec<u8>> {
        self.copies.pop().ok_or(Errno::ENOMEM)
    }

    /// Takes a copy back, or frees it where enough are kept.
    pub(crate) fn give_back(&mut self, copy: Vec<u8>) {
        if self.copies.len() < SPARE_COPIES {
            self.copies.push(copy);
        }
    }
}
