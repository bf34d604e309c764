// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Read, write and truncate of a mapped file system, for hosts without iomap.
