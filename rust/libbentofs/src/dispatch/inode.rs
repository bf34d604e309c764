// SPDX-License-Identifier: GPL-2.0-only
//! Inodes: into memory, out of memory, attributes.

use super::{KernelFs, borrow, convert, publish, reclaim, request, reserve};
use crate::guard::guard;
use bento::InodeNo;
use bento_sys::{bento_attr, bento_cx, bento_entry, bento_setattr};
use core::ffi::c_int;

pub(super) unsafe extern "C" fn load<F: KernelFs>(
    _cx: *mut bento_cx,
    fs: u64,
    ino: u64,
    out: *mut bento_entry,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        let memory = reserve::<F::Node>()?;
        let entry = fs.load(InodeNo(ino))?;
        let attr = convert::attr_out(&entry.attr);
        let node = publish(memory, entry.node);
        // SAFETY: out.
        unsafe { out.write(bento_entry { attr, node }) };
        Ok(0)
    })
}

pub(super) unsafe extern "C" fn drop_node<F: KernelFs>(_cx: *mut bento_cx, node: u64) {
    // As for `destroy()`: a panic of the node's `Drop` is logged.
    let _ = guard(move || {
        // SAFETY: node; bentofs calls this once, last.
        drop(unsafe { reclaim::<F::Node>(node) });
        Ok(0)
    });
}

pub(super) unsafe extern "C" fn forget<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: node.
        let node = unsafe { borrow::<F::Node>(node) };
        // SAFETY: cx.
        fs.forget(&unsafe { request(cx) }, node).map(|()| 0)
    })
}

pub(super) unsafe extern "C" fn getattr<F: KernelFs>(
    _cx: *mut bento_cx,
    fs: u64,
    node: u64,
    out: *mut bento_attr,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: node.
        let attr = fs.getattr(unsafe { borrow::<F::Node>(node) })?;
        // SAFETY: out.
        unsafe { out.write(convert::attr_out(&attr)) };
        Ok(0)
    })
}

pub(super) unsafe extern "C" fn setattr<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    input: *const bento_setattr,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: node.
        let node = unsafe { borrow::<F::Node>(node) };
        // SAFETY: in.
        let set = convert::setattr_in(unsafe { &*input });
        // SAFETY: cx.
        fs.setattr(&unsafe { request(cx) }, node, &set).map(|()| 0)
    })
}
