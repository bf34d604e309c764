// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `bentoctl` as operators run it, on a folder that looks like the kernel's files.

mod kernel;
mod load;
mod manual;
mod show;
mod stats;
mod support;
mod upgrade;
