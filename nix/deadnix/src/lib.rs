// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Nothing: see Cargo.toml.
