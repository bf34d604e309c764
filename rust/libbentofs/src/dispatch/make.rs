// SPDX-License-Identifier: GPL-2.0-only
//! New inodes.

use super::args::{NO_XATTRS, bytes, name, new_inode};
use super::enter::on_request;
use super::handle::{publish, reserve};
use super::{KernelFs, convert};
use bento::{Entry, Errno, FileKind, NewInode, OpSet, Request, Result};
use bento_sys::{bento_cx, bento_entry, bento_make_in};
use core::ffi::c_int;

/// What all functions here share: everything but the call itself.
///
/// # Safety
/// Clauses cx, fs, node, in and out.
#[inline]
unsafe fn make<F: KernelFs>(
    (cx, fs, dir): (*mut bento_cx, u64, u64),
    input: *const bento_make_in,
    out: *mut bento_entry,
    call: impl FnOnce(&F, &Request, &F::Node, &NewInode<'_>) -> Result<Entry<F::Node>>,
) -> c_int {
    let call = |fs: &F, req: &Request, dir: &F::Node| {
        let mut room = NO_XATTRS;
        // SAFETY: in.
        let given = unsafe { &*input };
        // SAFETY: in.
        let new = unsafe { new_inode(given, &mut room) }?;
        if !new.xattrs.is_empty() && !F::OPS.contains(OpSet::XATTR) {
            return Err(Errno::EOPNOTSUPP);
        }
        let memory = reserve::<F::Node>()?;
        let entry = call(fs, req, dir, &new)?;
        let attr = convert::attr_out(&entry.attr);
        let node = publish(memory, entry.node);
        // SAFETY: out.
        unsafe { out.write(bento_entry { attr, node }) };
        Ok(())
    };
    // SAFETY: the caller's guarantee.
    unsafe { on_request((cx, fs, dir), call) }
}

/// The name of the new inode.
///
/// # Safety
/// Clause in.
unsafe fn new_name<'a>(input: *const bento_make_in) -> Result<&'a [u8]> {
    // SAFETY: the caller's guarantee.
    let input = unsafe { &*input };
    // SAFETY: the caller's guarantee.
    unsafe { name(input.name, input.name_len) }
}

/// The target of the new symbolic link.
///
/// # Safety
/// Clause in.
unsafe fn target<'a>(input: *const bento_make_in) -> Result<&'a [u8]> {
    // SAFETY: the caller's guarantee.
    let input = unsafe { &*input };
    if input.target_len > TARGET_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    // SAFETY: the caller's guarantee.
    let target = unsafe { bytes(input.target, input.target_len) };
    if target.is_empty() || target.contains(&0) {
        return Err(Errno::EINVAL);
    }
    Ok(target)
}

/// `PATH_MAX` without the NUL.
const TARGET_MAX: u32 = 4095;

/// Functions of one signature; in each body all clauses hold.
macro_rules! makers {
    ($($op:ident: |$fs:ident, $req:ident, $dir:ident, $input:ident, $new:ident| $call:expr;)+) => {$(
        pub(super) unsafe extern "C" fn $op<F: KernelFs>(
            cx: *mut bento_cx,
            fs: u64,
            dir: u64,
            $input: *const bento_make_in,
            out: *mut bento_entry,
        ) -> c_int {
            let call = |$fs: &F, $req: &Request, $dir: &F::Node, $new: &NewInode<'_>| $call;
            // SAFETY: the clauses hold, as this is a function of the table.
            unsafe { make((cx, fs, dir), $input, out, call) }
        }
    )+};
}

makers! {
    create: |fs, req, dir, input, new| {
        // SAFETY: in.
        fs.create(req, dir, unsafe { new_name(input) }?, new)
    };
    mknod: |fs, req, dir, input, new| {
        // SAFETY: in.
        let rdev = unsafe { (*input).rdev };
        // SAFETY: in.
        fs.mknod(req, dir, unsafe { new_name(input) }?, new, rdev)
    };
    mkdir: |fs, req, dir, input, new| {
        // SAFETY: in.
        fs.mkdir(req, dir, unsafe { new_name(input) }?, new)
    };
    symlink: |fs, req, dir, input, new| {
        // SAFETY: in.
        let target = unsafe { target(input) }?;
        let new = NewInode {
            mode: FileKind::Symlink.mode_bits() | 0o777,
            ..*new
        };
        // SAFETY: in.
        fs.symlink(req, dir, unsafe { new_name(input) }?, target, &new)
    };
    tmpfile: |fs, req, dir, _input, new| fs.tmpfile(req, dir, new);
}
