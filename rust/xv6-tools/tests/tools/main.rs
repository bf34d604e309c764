// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The tools as users run them.

mod attributes;
mod bad_input;
mod dump;
mod fsck;
mod mkfs;
mod mount;
mod mutate;
mod replay;
mod space;
mod support;

#[path = "../../../bento-fuse/tests/host/support.rs"]
mod mount_test;
