// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests of the FUSE host: the disk, and mounts where FUSE can be used.

mod file_disk;
mod hello_mount;
mod support;
