// SPDX-License-Identifier: GPL-2.0-only
//! From the C boundary of bentofs to the safe file-system trait: the paper's libBentoFS.
//!
//! A kernel module is one line, `libbentofs::bento_module! { fs: MyFs<KernelDisk> }`; everything
//! else is here:
//!
//! | module | what it holds |
//! |---|---|
//! | [`module`] | [`bento_module!`] and what it expands to |
//! | `dispatch` | one `extern "C"` function per operation: borrow, call the trait, map the result |
//! | `guard` | where a panic ends |
//! | `unwind` | how it gets there (kernel target; on a host `std` unwinds) |
//!
//! What must not live here: kernel services (`libbentoks`), and anything about one file system.
#![no_std]
#![cfg_attr(
    target_os = "none",
    feature(core_intrinsics, lang_items),
    expect(internal_features, reason = "a kernel module provides its own runtime")
)]

extern crate alloc;
#[cfg(not(target_os = "none"))]
extern crate std;

mod dispatch;
mod guard;
pub mod module;
#[cfg_attr(
    all(not(target_os = "none"), not(test)),
    expect(dead_code, reason = "the host has the unwinder of std")
)]
mod unwind;

pub use dispatch::{KernelFs, table};
