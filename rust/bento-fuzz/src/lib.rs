// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Arbitrary bytes for everything that reads bytes: disks, logs, states of upgrades, records.
//!
//! A *target* takes bytes, builds damage from them, and panics where something is wrong: a panic
//! of the code under test, more work than any disk of this size may cause ([`meter`]), or one of
//! the promises that the target's module names. The same targets run
//! * on the inputs of `corpus/`, as an ordinary test (`tests/corpus.rs`);
//! * under libFuzzer, which looks for new inputs (`fuzz/`, by `./dev fuzz`), there also with a
//!   limit for memory and for time;
//! * on one file (`cargo run -p bento-fuzz run TARGET FILE`), as under a debugger.
//!
//! | module | what it holds |
//! |---|---|
//! | [`script`] | bytes as decisions |
//! | [`base`] | the images that are damaged |
//! | [`edit`] | damage |
//! | [`meter`] | the disk that ends an endless loop |
//! | [`user`] | whoever uses a mount |
//! | [`image`] | damaged file systems: targets `image`, `directory`, `extents` |
//! | [`log`] | damaged logs: target `journal` |
//! | [`state`] | what one build hands to the next: target `state` |
//! | [`records`] | the log of prov: target `records` |
//! | [`corpus`] | the inputs that are kept |
#![forbid(unsafe_code)]
#![expect(
    clippy::missing_panics_doc,
    reason = "a target panics where it has found something"
)]

pub mod base;
pub mod corpus;
pub mod edit;
pub mod image;
pub mod log;
pub mod meter;
pub mod records;
pub mod script;
pub mod state;
pub mod user;

/// What takes an input.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: [(&str, Target); 6] = [
    ("image", image::any),
    ("directory", image::directory),
    ("extents", image::extents),
    ("journal", log::journal),
    ("state", state::state),
    ("records", records::records),
];

/// The target with this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, target)| *target)
}
