// SPDX-License-Identifier: GPL-2.0-only
//! `xv6` that records its use, as a kernel module: `bento_xv6_prov_*.ko`.
#![no_std]

libbentofs::bento_module! { fs: prov::Prov<xv6::Xv6<libbentoks::KernelDisk>> }
