// SPDX-License-Identifier: GPL-2.0-only
//! Extended attributes.

use super::args::{bytes_mut, count, xattr, xattr_name};
use super::enter::{on_node, on_request};
use super::{KernelFs, convert};
use bento::{Errno, Result, Xattr};
use bento_sys::{bento_cx, bento_xattr};
use core::ffi::c_int;

/// A length that was read into a buffer of `given` bytes, or (0) only asked for.
fn length(done: usize, given: u32, most: usize) -> Result<c_int> {
    count(done, if given == 0 { most } else { given as usize })
}

pub(super) unsafe extern "C" fn getxattr<F: KernelFs>(
    _cx: *mut bento_cx,
    fs: u64,
    node: u64,
    name: *const u8,
    name_len: u32,
    buf: *mut u8,
    len: u32,
) -> c_int {
    let call = |fs: &F, node: &F::Node| {
        // SAFETY: in.
        let name = unsafe { xattr_name(name, name_len) }?;
        // SAFETY: out.
        let out = unsafe { bytes_mut(buf, len) };
        length(fs.getxattr(node, name, out)?, len, Xattr::VALUE_MAX)
    };
    // SAFETY: fs, node.
    unsafe { on_node((fs, node), call) }
}

pub(super) unsafe extern "C" fn setxattr<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    input: *const bento_xattr,
    flags: u32,
) -> c_int {
    let call = |fs: &F, req: &_, node: &_| {
        // SAFETY: in.
        let input = unsafe { &*input };
        // SAFETY: in.
        let attr = unsafe { xattr(input) }?;
        fs.setxattr(req, node, &attr, convert::xattr_flags_in(flags)?)
    };
    // SAFETY: cx, fs, node.
    unsafe { on_request((cx, fs, node), call) }
}

pub(super) unsafe extern "C" fn removexattr<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    name: *const u8,
    name_len: u32,
) -> c_int {
    let call = |fs: &F, req: &_, node: &_| {
        // SAFETY: in.
        let name = unsafe { xattr_name(name, name_len) }?;
        fs.removexattr(req, node, name)
    };
    // SAFETY: cx, fs, node.
    unsafe { on_request((cx, fs, node), call) }
}

pub(super) unsafe extern "C" fn listxattr<F: KernelFs>(
    _cx: *mut bento_cx,
    fs: u64,
    node: u64,
    buf: *mut u8,
    len: u32,
) -> c_int {
    let call = |fs: &F, node: &F::Node| {
        // SAFETY: out.
        let out = unsafe { bytes_mut(buf, len) };
        let done = length(fs.listxattr(node, out)?, len, Xattr::LIST_MAX)?;
        // bentofs walks the list from NUL to NUL.
        let list = out.get(..done as usize).unwrap_or_default();
        if list.last().is_some_and(|last| *last != 0) {
            log::error!("the file system lists a name without an end");
            return Err(Errno::EIO);
        }
        Ok(done)
    };
    // SAFETY: fs, node.
    unsafe { on_node((fs, node), call) }
}
