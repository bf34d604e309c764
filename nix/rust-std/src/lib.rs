// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Nothing: what is built here is what every crate depends on.
#![no_std]
