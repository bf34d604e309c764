// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finding what is wrong with a file system.
