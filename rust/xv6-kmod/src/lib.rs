// SPDX-License-Identifier: GPL-2.0-only
//! `xv6` as a kernel module: `bento_xv6_*.ko`.
#![no_std]

libbentofs::bento_module! { fs: xv6::Xv6<libbentoks::KernelDisk> }
