// SPDX-License-Identifier: GPL-2.0-only
//! Directories and links.

use super::{KernelFs, borrow, bytes, bytes_mut, convert, data, publish, request, reserve};
use crate::guard::guard;
use bento::{DirBuf, Entry, RenameFlags, Request, Result};
use bento_sys::{bento_cx, bento_entry, bento_make_in, bento_rename_in};
use core::ffi::c_int;

pub(super) unsafe extern "C" fn lookup<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    dir: u64,
    name: *const u8,
    name_len: u32,
    ino: *mut u64,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: node.
        let dir = unsafe { borrow::<F::Node>(dir) };
        // SAFETY: in.
        let name = unsafe { bytes(name, name_len) };
        // SAFETY: cx.
        let found = fs.lookup(&unsafe { request(cx) }, dir, name)?;
        // SAFETY: out.
        unsafe { ino.write(found.0) };
        Ok(0)
    })
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
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: node.
        let dir = unsafe { borrow::<F::Node>(dir) };
        // SAFETY: out.
        let mut out = DirBuf::new(unsafe { bytes_mut(buf, len) });
        // SAFETY: cx.
        fs.readdir(&unsafe { request(cx) }, dir, cookie, &mut out)?;
        // SAFETY: out. The buffer has `len` bytes, so the number fits.
        unsafe { used.write(out.used() as u32) };
        // SAFETY: out.
        unsafe { more.write(u32::from(out.is_full())) };
        Ok(0)
    })
}

/// What `create`, `mknod`, `mkdir` and `symlink` share: everything but the call itself.
///
/// # Safety
/// Clauses cx, fs, node, in and out.
#[inline]
unsafe fn make<F: KernelFs>(
    (cx, fs, dir): (*mut bento_cx, u64, u64),
    input: *const bento_make_in,
    out: *mut bento_entry,
    call: impl FnOnce(&F, &Request, &F::Node, &[u8], &bento_make_in) -> Result<Entry<F::Node>>,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: node.
        let dir = unsafe { borrow::<F::Node>(dir) };
        // SAFETY: in.
        let input = unsafe { &*input };
        // SAFETY: in.
        let name = unsafe { bytes(input.name, input.name_len) };
        // SAFETY: cx.
        let req = unsafe { request(cx) };
        let memory = reserve::<F::Node>()?;
        let entry = call(fs, &req, dir, name, input)?;
        let attr = convert::attr_out(&entry.attr);
        let node = publish(memory, entry.node);
        // SAFETY: out.
        unsafe { out.write(bento_entry { attr, node }) };
        Ok(0)
    })
}

pub(super) unsafe extern "C" fn create<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    dir: u64,
    input: *const bento_make_in,
    out: *mut bento_entry,
) -> c_int {
    let call = |fs: &F, req: &Request, dir: &F::Node, name: &[u8], input: &bento_make_in| {
        fs.create(req, dir, name, input.mode)
    };
    // SAFETY: the clauses hold, as this is a function of the table.
    unsafe { make((cx, fs, dir), input, out, call) }
}

pub(super) unsafe extern "C" fn mknod<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    dir: u64,
    input: *const bento_make_in,
    out: *mut bento_entry,
) -> c_int {
    let call = |fs: &F, req: &Request, dir: &F::Node, name: &[u8], input: &bento_make_in| {
        fs.mknod(req, dir, name, input.mode, input.rdev)
    };
    // SAFETY: the clauses hold, as this is a function of the table.
    unsafe { make((cx, fs, dir), input, out, call) }
}

pub(super) unsafe extern "C" fn mkdir<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    dir: u64,
    input: *const bento_make_in,
    out: *mut bento_entry,
) -> c_int {
    let call = |fs: &F, req: &Request, dir: &F::Node, name: &[u8], input: &bento_make_in| {
        fs.mkdir(req, dir, name, input.mode)
    };
    // SAFETY: the clauses hold, as this is a function of the table.
    unsafe { make((cx, fs, dir), input, out, call) }
}

pub(super) unsafe extern "C" fn symlink<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    dir: u64,
    input: *const bento_make_in,
    out: *mut bento_entry,
) -> c_int {
    let call = |fs: &F, req: &Request, dir: &F::Node, name: &[u8], input: &bento_make_in| {
        // SAFETY: in.
        let target = unsafe { bytes(input.target, input.target_len) };
        fs.symlink(req, dir, name, target)
    };
    // SAFETY: the clauses hold, as this is a function of the table.
    unsafe { make((cx, fs, dir), input, out, call) }
}

pub(super) unsafe extern "C" fn readlink<F: KernelFs>(
    _cx: *mut bento_cx,
    fs: u64,
    node: u64,
    buf: *mut u8,
    len: u32,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: node.
        let node = unsafe { borrow::<F::Node>(node) };
        // SAFETY: out.
        let done = fs.readlink(node, unsafe { bytes_mut(buf, len) })?;
        data::count(done, len)
    })
}

pub(super) unsafe extern "C" fn link<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    dir: u64,
    name: *const u8,
    name_len: u32,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: node.
        let node = unsafe { borrow::<F::Node>(node) };
        // SAFETY: node.
        let dir = unsafe { borrow::<F::Node>(dir) };
        // SAFETY: in.
        let name = unsafe { bytes(name, name_len) };
        // SAFETY: cx.
        fs.link(&unsafe { request(cx) }, node, dir, name)
            .map(|()| 0)
    })
}

pub(super) unsafe extern "C" fn unlink<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    dir: u64,
    name: *const u8,
    name_len: u32,
    child: u64,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: node.
        let dir = unsafe { borrow::<F::Node>(dir) };
        // SAFETY: node.
        let child = unsafe { borrow::<F::Node>(child) };
        // SAFETY: in.
        let name = unsafe { bytes(name, name_len) };
        // SAFETY: cx.
        let req = unsafe { request(cx) };
        fs.unlink(&req, dir, name, child).map(|()| 0)
    })
}

pub(super) unsafe extern "C" fn rmdir<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    dir: u64,
    name: *const u8,
    name_len: u32,
    child: u64,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: node.
        let dir = unsafe { borrow::<F::Node>(dir) };
        // SAFETY: node.
        let child = unsafe { borrow::<F::Node>(child) };
        // SAFETY: in.
        let name = unsafe { bytes(name, name_len) };
        // SAFETY: cx.
        let req = unsafe { request(cx) };
        fs.rmdir(&req, dir, name, child).map(|()| 0)
    })
}

pub(super) unsafe extern "C" fn rename<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    input: *const bento_rename_in,
) -> c_int {
    guard(move || {
        // SAFETY: fs.
        let fs = unsafe { borrow::<F>(fs) };
        // SAFETY: in.
        let input = unsafe { &*input };
        // SAFETY: node.
        let node = |handle| unsafe { borrow::<F::Node>(handle) };
        // SAFETY: in.
        let old_name = unsafe { bytes(input.old_name, input.old_name_len) };
        // SAFETY: in.
        let new_name = unsafe { bytes(input.new_name, input.new_name_len) };
        let replaced = (input.replaced != 0).then(|| node(input.replaced));
        // SAFETY: cx.
        let req = unsafe { request(cx) };
        let (from, to) = (node(input.old_dir), node(input.new_dir));
        let flags = RenameFlags::from_bits_truncate(input.flags);
        let (from, to) = ((from, old_name), (to, new_name));
        fs.rename(&req, from, to, node(input.node), replaced, flags)
            .map(|()| 0)
    })
}
