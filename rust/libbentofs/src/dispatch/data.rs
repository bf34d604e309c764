// SPDX-License-Identifier: GPL-2.0-only
//! File data: where it lies (mapped I/O), or the bytes themselves (fallback); fsync.

use super::args::{bytes, bytes_mut, count};
use super::enter::{on_node, on_request};
use super::{KernelFs, convert};
use bento_sys::{bento_cx, bento_extent};
use core::ffi::c_int;

pub(super) unsafe extern "C" fn map<F: KernelFs>(
    _cx: *mut bento_cx,
    fs: u64,
    node: u64,
    offset: u64,
    len: u64,
    out: *mut bento_extent,
) -> c_int {
    let call = |fs: &F, node: &F::Node| {
        let extent = fs.map(node, offset, len)?;
        // SAFETY: out.
        unsafe { out.write(convert::extent_out(&extent)) };
        Ok(())
    };
    // SAFETY: fs, node.
    unsafe { on_node((fs, node), call) }
}

pub(super) unsafe extern "C" fn allocate<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    offset: u64,
    len: u64,
    out: *mut bento_extent,
) -> c_int {
    let call = |fs: &F, req: &_, node: &F::Node| {
        let extent = fs.allocate(req, node, offset, len)?;
        // SAFETY: out.
        unsafe { out.write(convert::extent_out(&extent)) };
        Ok(())
    };
    // SAFETY: cx, fs, node.
    unsafe { on_request((cx, fs, node), call) }
}

pub(super) unsafe extern "C" fn commit<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    offset: u64,
    len: u64,
    size: u64,
) -> c_int {
    let call = |fs: &F, req: &_, node: &_| fs.commit(req, node, offset, len, size);
    // SAFETY: cx, fs, node.
    unsafe { on_request((cx, fs, node), call) }
}

pub(super) unsafe extern "C" fn read<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    offset: u64,
    buf: *mut u8,
    len: u32,
) -> c_int {
    let call = |fs: &F, req: &_, node: &_| {
        // SAFETY: out.
        let out = unsafe { bytes_mut(buf, len) };
        count(fs.read(req, node, offset, out)?, len as usize)
    };
    // SAFETY: cx, fs, node.
    unsafe { on_request((cx, fs, node), call) }
}

pub(super) unsafe extern "C" fn write<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    offset: u64,
    buf: *const u8,
    len: u32,
) -> c_int {
    let call = |fs: &F, req: &_, node: &_| {
        // SAFETY: in.
        let data = unsafe { bytes(buf, len) };
        count(fs.write(req, node, offset, data)?, len as usize)
    };
    // SAFETY: cx, fs, node.
    unsafe { on_request((cx, fs, node), call) }
}

pub(super) unsafe extern "C" fn fsync<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    datasync: u32,
) -> c_int {
    let call = |fs: &F, req: &_, node: &_| fs.fsync(req, node, datasync != 0);
    // SAFETY: cx, fs, node.
    unsafe { on_request((cx, fs, node), call) }
}
