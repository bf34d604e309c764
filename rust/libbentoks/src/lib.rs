// SPDX-License-Identifier: GPL-2.0-only
//! Services of the kernel for file systems, made safe: the paper's libBentoKS.
//!
//! | module | what it holds |
//! |---|---|
//! | [`disk`] | [`KernelDisk`]: the block device of a mount |
//! | [`buf`] | [`KernelBuf`]: a cached block, counted, with its lock |
//! | [`memory`] | the allocator behind `alloc`; running out of memory is a panic |
//! | [`logger`] | where `log::error!` and the others go |
//! | `inject` | panics that a test orders from a service |
//! | `panic` | what happens when Rust panics (kernel target only) |
//!
//! What must not live here: anything that knows the trait `FileSystem` (that is `libbentofs`), and
//! any call of a kernel function that is not a `bento_ks_*` service.
#![no_std]
#![cfg_attr(target_os = "none", feature(alloc_error_handler, panic_can_unwind))]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod buf;
pub mod disk;
mod inject;
mod line;
pub mod logger;
pub mod memory;
#[cfg(target_os = "none")]
mod panic;
mod result;

pub use buf::KernelBuf;
pub use disk::{KernelDevice, KernelDisk};
pub use result::check;
