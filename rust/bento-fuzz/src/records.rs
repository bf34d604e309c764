// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The log of prov, as whoever reads it finds it: each byte belongs to a record or to damage.

use prov::record::{Item, Reader};

/// Any bytes.
pub fn records(input: &[u8]) {
    let covered: usize = Reader::new(input)
        .map(|item| match item {
            Item::Record(record) => record.size(),
            Item::Damage(len) => len,
        })
        .sum();
    assert_eq!(covered, input.len(), "bytes were left out");
}
