// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a dry run has written: blocks in memory that cover those of the disk.

use bento::Result;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

const BLOCK: usize = 4096;

/// The blocks written so far, by number.
#[derive(Debug, Default)]
pub(crate) struct Overlay(Mutex<BTreeMap<u64, Box<[u8]>>>);

impl Overlay {
    /// Replaces in `out`, read from byte `offset` of the disk, what has been written since.
    pub(crate) fn cover(&self, offset: u64, out: &mut [u8]) {
        let blocks = self.blocks();
        let mut rest = out;
        let mut at = offset;
        while !rest.is_empty() && !blocks.is_empty() {
            let (block, inside) = split(at);
            let (part, tail) = rest.split_at_mut(rest.len().min(BLOCK - inside));
            let written = blocks.get(&block).and_then(|bytes| bytes.get(inside..));
            if let Some((written, _)) = written.and_then(|w| w.split_at_checked(part.len())) {
                part.copy_from_slice(written);
            }
            at += length(part);
            rest = tail;
        }
    }

    /// Takes `data` for byte `offset` of the disk; `load` reads a block of the disk at a byte.
    pub(crate) fn write(
        &self,
        offset: u64,
        data: &[u8],
        load: impl Fn(u64) -> Result<Box<[u8]>>,
    ) -> Result {
        let mut blocks = self.blocks();
        let mut rest = data;
        let mut at = offset;
        while !rest.is_empty() {
            let (block, inside) = split(at);
            let (part, tail) = rest.split_at(rest.len().min(BLOCK - inside));
            let bytes = match blocks.entry(block) {
                Entry::Occupied(written) => written.into_mut(),
                Entry::Vacant(vacant) => vacant.insert(load(at - at % length(&[0; BLOCK]))?),
            };
            let place = bytes.get_mut(inside..);
            if let Some((place, _)) = place.and_then(|b| b.split_at_mut_checked(part.len())) {
                place.copy_from_slice(part);
            }
            at += length(part);
            rest = tail;
        }
        Ok(())
    }

    fn blocks(&self) -> MutexGuard<'_, BTreeMap<u64, Box<[u8]>>> {
        // Nothing panics while the map is half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The block that holds byte `at`, and the place of the byte in it.
fn split(at: u64) -> (u64, usize) {
    let size = length(&[0; BLOCK]);
    (at / size, usize::try_from(at % size).unwrap_or_default())
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Overlay};

    #[test]
    fn what_was_written_covers_the_disk_and_nothing_else_does() {
        let overlay = Overlay::default();
        let load = |at: u64| Ok(vec![u8::try_from(at / 4096).expect("small"); BLOCK].into());
        overlay.write(4096 - 2, b"data", load).expect("loads");
        let mut out = vec![9; 3 * BLOCK];
        overlay.cover(0, &mut out);
        assert_eq!(&out[BLOCK - 3..BLOCK + 3], b"\0data\x01");
        assert!(
            out[2 * BLOCK..].iter().all(|&byte| byte == 9),
            "not written, not covered"
        );
        let mut inside = [9; 2];
        overlay.cover(4096 - 1, &mut inside);
        assert_eq!(&inside, b"at");
    }
}
