// SPDX-License-Identifier: GPL-2.0-only
//! `hello` as a kernel module: `bento_hello_*.ko`.
#![no_std]

libbentofs::bento_module! { fs: hello::Hello }
