// SPDX-License-Identifier: GPL-2.0-only
//! Directories and links.

use super::args::{ask, bytes_mut, count, found, name, request};
use super::enter::{on_fs, on_name, on_node, on_request};
use super::handle::borrow;
use super::{KernelFs, convert};
use bento::DirBuf;
use bento_sys::{bento_cx, bento_rename_in};
use core::ffi::c_int;

pub(super) unsafe extern "C" fn lookup<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    dir: u64,
    name: *const u8,
    name_len: u32,
    ino: *mut u64,
) -> c_int {
    let call = |fs: &F, req: &_, dir: &_, name: &_| {
        let number = found(fs.lookup(req, dir, name)?)?;
        // SAFETY: out.
        unsafe { ino.write(number) };
        Ok(())
    };
    // SAFETY: cx, fs, node, in.
    unsafe { on_name((cx, fs, dir), (name, name_len), call) }
}

pub(super) unsafe extern "C" fn parent<F: KernelFs>(
    _cx: *mut bento_cx,
    fs: u64,
    dir: u64,
    ino: *mut u64,
) -> c_int {
    let call = |fs: &F, dir: &F::Node| {
        let number = found(fs.parent(dir)?)?;
        // SAFETY: out.
        unsafe { ino.write(number) };
        Ok(())
    };
    // SAFETY: fs, node.
    unsafe { on_node((fs, dir), call) }
}

pub(super) unsafe extern "C" fn readdir<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    dir: u64,
    cookie: u64,
    buf: *mut u8,
    len: u32,
    used: *mut u32,
    more: *mut u32,
) -> c_int {
    let call = |fs: &F, req: &_, dir: &_| {
        // SAFETY: out.
        let mut out = DirBuf::new(unsafe { bytes_mut(buf, len) });
        fs.readdir(req, dir, cookie, &mut out)?;
        // SAFETY: out. The buffer has `len` bytes, so the number fits.
        unsafe { used.write(out.used() as u32) };
        // SAFETY: out.
        unsafe { more.write(u32::from(out.is_full())) };
        Ok(())
    };
    // SAFETY: cx, fs, node.
    unsafe { on_request((cx, fs, dir), call) }
}

pub(super) unsafe extern "C" fn readlink<F: KernelFs>(
    _cx: *mut bento_cx,
    fs: u64,
    node: u64,
    buf: *mut u8,
    len: u32,
) -> c_int {
    let call = |fs: &F, node: &F::Node| {
        // SAFETY: out.
        let out = unsafe { bytes_mut(buf, len) };
        count(fs.readlink(node, out)?, len as usize)
    };
    // SAFETY: fs, node.
    unsafe { on_node((fs, node), call) }
}

pub(super) unsafe extern "C" fn link<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    dir: u64,
    name: *const u8,
    name_len: u32,
) -> c_int {
    let call = |fs: &F, req: &_, dir: &_, name: &_| {
        // SAFETY: node.
        let node = unsafe { borrow::<F::Node>(node) };
        fs.link(req, node, dir, name)
    };
    // SAFETY: cx, fs, node, in.
    unsafe { on_name((cx, fs, dir), (name, name_len), call) }
}

/// Functions that remove a name.
macro_rules! removals {
    ($($op:ident)+) => {$(
        pub(super) unsafe extern "C" fn $op<F: KernelFs>(
            cx: *mut bento_cx,
            fs: u64,
            dir: u64,
            name: *const u8,
            name_len: u32,
            child: u64,
        ) -> c_int {
            let call = |fs: &F, req: &_, dir: &_, name: &_| {
                // SAFETY: node.
                let child = unsafe { borrow::<F::Node>(child) };
                fs.$op(req, dir, name, child)
            };
            // SAFETY: cx, fs, node, in.
            unsafe { on_name((cx, fs, dir), (name, name_len), call) }
        }
    )+};
}

removals! { unlink rmdir }

pub(super) unsafe extern "C" fn rename<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    input: *const bento_rename_in,
) -> c_int {
    let call = |fs: &F| {
        // SAFETY: in.
        let input = unsafe { &*input };
        // SAFETY: node.
        let node = |handle| unsafe { borrow::<F::Node>(handle) };
        // SAFETY: in.
        let old_name = unsafe { name(input.old_name, input.old_name_len) }?;
        // SAFETY: in.
        let new_name = unsafe { name(input.new_name, input.new_name_len) }?;
        let replaced = (input.replaced != 0).then(|| node(input.replaced));
        let flags = convert::rename_flags_in(input.flags)?;
        // SAFETY: cx.
        let req = unsafe { request(cx) };
        let from = (node(input.old_dir), old_name);
        let to = (node(input.new_dir), new_name);
        let result = fs.rename(&req, from, to, node(input.node), replaced, flags);
        // SAFETY: cx.
        unsafe { ask(cx, fs.pressure()) };
        result
    };
    // SAFETY: fs.
    unsafe { on_fs(fs, call) }
}
