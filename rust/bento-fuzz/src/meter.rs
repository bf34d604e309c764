// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Meter`]: ends what reads a disk without end.
//!
//! Time is no oracle for an ordinary test: machines differ. What a disk is asked for does not.

use bento::{BlockDevice, Result};
use bento_sim::{Caching, Image, MemDisk, Tap, Tapped};
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// Reads of one disk: hundreds for each of its blocks.
const READS: u64 = 300_000;

/// Counts reads. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<AtomicU64>);

impl<D: BlockDevice> Tap<D> for Meter {
    fn on_read(&self) -> Result {
        let reads = self.0.fetch_add(1, Ordering::Relaxed);
        assert!(reads < READS, "more than {READS} reads: does it ever end?");
        Ok(())
    }
}

/// A disk with a meter.
pub type Disk = Tapped<MemDisk, Meter>;

/// A disk that holds this image.
#[must_use]
pub fn disk(image: Image, caching: Caching) -> Disk {
    Tapped::around(MemDisk::from_image(image, caching), Meter::default())
}

#[cfg(test)]
mod tests {
    use super::{READS, disk};
    use bento::{BlockDevice, BlockNo};
    use bento_sim::{Caching, Image};

    #[test]
    #[should_panic(expected = "does it ever end")]
    fn an_endless_loop_ends() {
        let disk = disk(Image::new(4), Caching::Short);
        for _ in 0..=READS {
            disk.read(BlockNo(1)).expect("inside");
        }
    }
}
