// SPDX-License-Identifier: GPL-2.0-only
//! File data: where it lies (mapped I/O), or the bytes themselves (fallback); fsync.

use super::{KernelFs, borrow, bytes, bytes_mut, convert, request};
use crate::guard::guard;
use bento::{Errno, Result};
use bento_sys::{bento_cx, bento_extent};
use core::ffi::c_int;

/// A count of bytes that an operation reports, as C takes it: never above what it was given.
#[inline]
pub(super) fn count(done: usize, given: u32) -> Result<c_int> {
    match c_int::try_from(done) {
        Ok(number) if done <= given as usize => Ok(number),
        _ => {
            log::error!("the file system reports {done} bytes of {given}");
            Err(Errno::EIO)
        }
    }
}

pub(super) unsafe extern "C" fn map<F: KernelFs>(
    _cx: *mut bento_cx,
    fs: u64,
    node: u64,
    offset: u64,
    len: u64,
    out: *mut bento_extent,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: node.
        let node = unsafe { borrow::<F::Node>(node) };
        let extent = fs.map(node, offset, len)?;
        // SAFETY: out.
        unsafe { out.write(convert::extent_out(&extent)) };
        Ok(0)
    })
}

pub(super) unsafe extern "C" fn allocate<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    offset: u64,
    len: u64,
    out: *mut bento_extent,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: node.
        let node = unsafe { borrow::<F::Node>(node) };
        // SAFETY: cx.
        let extent = fs.allocate(&unsafe { request(cx) }, node, offset, len)?;
        // SAFETY: out.
        unsafe { out.write(convert::extent_out(&extent)) };
        Ok(0)
    })
}

pub(super) unsafe extern "C" fn commit<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    offset: u64,
    len: u64,
    size: u64,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: node.
        let node = unsafe { borrow::<F::Node>(node) };
        // SAFETY: cx.
        let req = unsafe { request(cx) };
        fs.commit(&req, node, offset, len, size).map(|()| 0)
    })
}

pub(super) unsafe extern "C" fn read<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    offset: u64,
    buf: *mut u8,
    len: u32,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: node.
        let node = unsafe { borrow::<F::Node>(node) };
        // SAFETY: out.
        let out = unsafe { bytes_mut(buf, len) };
        // SAFETY: cx.
        let done = fs.read(&unsafe { request(cx) }, node, offset, out)?;
        count(done, len)
    })
}

pub(super) unsafe extern "C" fn write<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    offset: u64,
    buf: *const u8,
    len: u32,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: node.
        let node = unsafe { borrow::<F::Node>(node) };
        // SAFETY: in.
        let data = unsafe { bytes(buf, len) };
        // SAFETY: cx.
        let done = fs.write(&unsafe { request(cx) }, node, offset, data)?;
        count(done, len)
    })
}

pub(super) unsafe extern "C" fn fsync<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    datasync: u32,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: node.
        let node = unsafe { borrow::<F::Node>(node) };
        // SAFETY: cx.
        let req = unsafe { request(cx) };
        fs.fsync(&req, node, datasync != 0).map(|()| 0)
    })
}
