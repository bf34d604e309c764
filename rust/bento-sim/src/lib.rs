// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The simulated host: disks that crash and fail on demand, for tests only.
//!
//! | module | what it holds |
//! |---|---|
//! | [`disk`] | the fault model in prose; [`MemDisk`] |
//! | [`crash`] | [`CrashDisk`]: every medium that a power cut may leave |
//! | [`fault`] | [`FaultDisk`]: the nth read, write or flush fails |
//! | [`tap`] | [`Tapped`]: what passes between a file system and a disk |
//! | [`image`] | [`Image`]: the contents of a medium |
//! | [`op`] | [`Op`]: one step of a workload |
//! | [`host`] | [`Host`]: drives a file system as `bentofs` does |
//! | [`model`] | [`Model`]: what must be there after a workload |
//! | [`content`] | [`Content`]: the bytes of a file of the model |
//! | [`oracle`] | [`Oracle`]: what may be there after a crash |
//! | [`explore`] | crashes and faults everywhere in a workload |
//! | [`rng`] | [`Rng`]: random numbers that a seed repeats |
#![forbid(unsafe_code)]
#![expect(
    clippy::missing_panics_doc,
    reason = "a simulator for tests panics where a test must fail"
)]

pub mod content;
pub mod crash;
pub mod disk;
pub mod explore;
pub mod fault;
pub mod host;
pub mod image;
pub mod model;
pub mod op;
pub mod oracle;
pub mod rng;
pub mod tap;

pub use content::Content;
pub use crash::{Counts, Crash, CrashDisk, Limits, Trace};
pub use disk::{Caching, MemBuf, MemDisk};
pub use explore::{Setting, Target, Tried, Workload};
pub use fault::{Fault, FaultDisk};
pub use host::{Host, Nodes};
pub use image::Image;
pub use model::Model;
pub use op::Op;
pub use oracle::Oracle;
pub use rng::Rng;
pub use tap::{Tap, Tapped};
