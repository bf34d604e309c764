// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Taking a mount over from the file system below, or from another build of this one.
//!
//! The state is that of the file system below, with one more record, which it skips where it
//! takes the mount back.

use crate::Prov;
use crate::pending::Pending;
use bento::{FileSystem, MountOptions, Result, StateReader, StateWriter, Upgrade};
use core::ops::RangeInclusive;

/// What waits for the log, and where it goes: `Pending::export`. Large, so that no file system's
/// own tags come near it.
const TAG: u32 = u32::from_le_bytes(*b"PRV1");

impl<F: Upgrade> Upgrade for Prov<F> {
    const SCHEMA: RangeInclusive<u32> = F::SCHEMA;

    fn prepare(&self) -> Result {
        self.below().prepare()
    }

    fn export(&self, out: &mut StateWriter) -> Result {
        self.below().export(out)?;
        out.record(TAG, &self.pending().lock()?.export()?)
    }

    fn import(
        dev: <F as FileSystem>::Device,
        options: &MountOptions<'_>,
        schema: u32,
        state: &StateReader<'_>,
    ) -> Result<Self> {
        let pending = match state.find(TAG) {
            Some(state) => Pending::import(state)?,
            None => Pending::default(),
        };
        let fs = F::import(dev, options, schema, state)?;
        Self::around(fs, options.read_only, pending)
    }
}
