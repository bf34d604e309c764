// SPDX-License-Identifier: GPL-2.0-only
//! Inodes: into memory, out of memory, attributes.

use super::args::found;
use super::enter::{on_fs, on_node, on_request};
use super::handle::{publish, reclaim, reserve};
use super::{KernelFs, convert};
use crate::guard::guard;
use bento::{Errno, InodeNo, OpSet, SetAttrMask};
use bento_sys::{bento_attr, bento_cx, bento_entry, bento_setattr};
use core::ffi::c_int;

pub(super) unsafe extern "C" fn load<F: KernelFs>(
    _cx: *mut bento_cx,
    fs: u64,
    ino: u64,
    out: *mut bento_entry,
) -> c_int {
    let call = |fs: &F| {
        let memory = reserve::<F::Node>()?;
        let entry = fs.load(InodeNo(ino))?;
        let attr = convert::attr_out(&entry.attr);
        let node = publish(memory, entry.node);
        // SAFETY: out.
        unsafe { out.write(bento_entry { attr, node }) };
        Ok(())
    };
    // SAFETY: fs.
    unsafe { on_fs(fs, call) }
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
    let call = |fs: &F, req: &_, node: &_| fs.forget(req, node);
    // SAFETY: cx, fs, node.
    unsafe { on_request((cx, fs, node), call) }
}

pub(super) unsafe extern "C" fn next_orphan<F: KernelFs>(
    _cx: *mut bento_cx,
    fs: u64,
    from: u64,
    ino: *mut u64,
) -> c_int {
    let call = |fs: &F| {
        let number = found(fs.next_orphan(InodeNo(from))?)?;
        // SAFETY: out.
        unsafe { ino.write(number) };
        Ok(())
    };
    // SAFETY: fs.
    unsafe { on_fs(fs, call) }
}

pub(super) unsafe extern "C" fn getattr<F: KernelFs>(
    _cx: *mut bento_cx,
    fs: u64,
    node: u64,
    out: *mut bento_attr,
) -> c_int {
    let call = |fs: &F, node: &F::Node| {
        let attr = fs.getattr(node)?;
        // SAFETY: out.
        unsafe { out.write(convert::attr_out(&attr)) };
        Ok(())
    };
    // SAFETY: fs, node.
    unsafe { on_node((fs, node), call) }
}

pub(super) unsafe extern "C" fn setattr<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    input: *const bento_setattr,
) -> c_int {
    let call = |fs: &F, req: &_, node: &_| {
        // SAFETY: in.
        let set = convert::setattr_in(unsafe { &*input })?;
        if set.mask.contains(SetAttrMask::FLAGS) && !F::OPS.contains(OpSet::FLAGS) {
            return Err(Errno::EOPNOTSUPP);
        }
        fs.setattr(req, node, &set)
    };
    // SAFETY: cx, fs, node.
    unsafe { on_request((cx, fs, node), call) }
}
