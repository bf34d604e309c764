// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The simulated host: disks that crash and fail on demand, for tests only.
//!
//! | module | what it holds |
//! |---|---|
//! | [`disk`] | the fault model in prose; [`MemDisk`] |
//! | [`crash`] | [`CrashDisk`]: every medium that a power cut may leave |
//! | [`fault`] | [`FaultDisk`]: the nth read, write or flush fails |
//! | [`image`] | [`Image`]: the contents of a medium |
//! | [`rng`] | [`Rng`]: random numbers that a seed repeats |
#![forbid(unsafe_code)]
#![expect(
    clippy::missing_panics_doc,
    reason = "a simulator for tests panics where a test must fail"
)]

pub mod crash;
pub mod disk;
pub mod fault;
pub mod image;
pub mod rng;

pub use crash::{Crash, CrashDisk, Limits, Trace};
pub use disk::{Caching, MemBuf, MemDisk};
pub use fault::{Fault, FaultDisk};
pub use image::Image;
pub use rng::Rng;
