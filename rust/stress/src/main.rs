// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Under construction.
fn main() {}
