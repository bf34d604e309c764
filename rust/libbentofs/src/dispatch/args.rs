// SPDX-License-Identifier: GPL-2.0-only
//! Arguments of C as borrowed values, each held against the rules of `bento_abi.h`.

use super::convert;
use bento::{Errno, InodeNo, NewInode, Pressure, Request, Result, Xattr};
use bento_sys::{
    BENTO_CX_COMMIT_SOON, BENTO_CX_COMMIT_WAIT, BENTO_MAKE_XATTRS_MAX, BENTO_NAME_MAX,
    BENTO_XATTR_NAME_MAX, BENTO_XATTR_SIZE_MAX, bento_cx, bento_make_in, bento_xattr,
};
use core::ffi::c_int;

/// The request that a context stands for.
///
/// # Safety
/// Clause cx.
#[inline]
pub(super) unsafe fn request(cx: *const bento_cx) -> Request {
    // SAFETY: the caller's guarantee.
    let cx = unsafe { &*cx };
    Request {
        uid: cx.uid,
        gid: cx.gid,
        pid: cx.pid,
        now: convert::time_in(&cx.now),
        comm: cx.comm,
    }
}

/// Tells the caller what the file system asks for.
///
/// # Safety
/// Clause cx.
#[inline]
pub(super) unsafe fn ask(cx: *mut bento_cx, pressure: Pressure) {
    let flags = match pressure {
        Pressure::None => return,
        Pressure::Soon => BENTO_CX_COMMIT_SOON,
        Pressure::Wait => BENTO_CX_COMMIT_SOON | BENTO_CX_COMMIT_WAIT,
    };
    // SAFETY: the caller's guarantee.
    let cx = unsafe { &mut *cx };
    cx.flags |= flags;
}

/// Bytes of the caller.
///
/// # Safety
/// Clause in: valid for `len` bytes during the call. With `len` 0 the pointer may be NULL.
#[inline]
pub(super) unsafe fn bytes<'a>(start: *const u8, len: u32) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: the caller's guarantee; the length is not zero, so neither is the pointer.
    unsafe { core::slice::from_raw_parts(start, len as usize) }
}

/// Memory of the caller to be filled.
///
/// # Safety
/// Clause out: valid for `len` bytes during the call, initialised, and ours alone.
#[inline]
pub(super) unsafe fn bytes_mut<'a>(start: *mut u8, len: u32) -> &'a mut [u8] {
    if len == 0 {
        return &mut [];
    }
    // SAFETY: the caller's guarantee; the length is not zero, so neither is the pointer.
    unsafe { core::slice::from_raw_parts_mut(start, len as usize) }
}

/// The name of a directory entry.
///
/// # Errors
/// `ENAMETOOLONG`; `EINVAL` where it is empty, `.` or `..`, or holds a slash or NUL.
///
/// # Safety
/// Clause in.
#[inline]
pub(super) unsafe fn name<'a>(start: *const u8, len: u32) -> Result<&'a [u8]> {
    if len > BENTO_NAME_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    // SAFETY: the caller's guarantee.
    let name = unsafe { bytes(start, len) };
    let wrong = matches!(name, b"" | b"." | b"..") || name.iter().any(|b| matches!(b, b'/' | 0));
    if wrong { Err(Errno::EINVAL) } else { Ok(name) }
}

/// The name of an extended attribute.
///
/// # Errors
/// `ERANGE` where it is empty or too long, `EINVAL` where it holds a NUL.
///
/// # Safety
/// Clause in.
#[inline]
pub(super) unsafe fn xattr_name<'a>(start: *const u8, len: u32) -> Result<&'a [u8]> {
    if len == 0 || len > BENTO_XATTR_NAME_MAX {
        return Err(Errno::ERANGE);
    }
    // SAFETY: the caller's guarantee.
    let name = unsafe { bytes(start, len) };
    if name.contains(&0) {
        return Err(Errno::EINVAL);
    }
    Ok(name)
}

/// An extended attribute.
///
/// # Errors
/// Those of `xattr_name()`; `E2BIG` where the value is too long.
///
/// # Safety
/// Clause in.
#[inline]
pub(super) unsafe fn xattr<'a>(input: &bento_xattr) -> Result<Xattr<'a>> {
    if input.value_len > BENTO_XATTR_SIZE_MAX {
        return Err(Errno::E2BIG);
    }
    // SAFETY: the caller's guarantee.
    let name = unsafe { xattr_name(input.name, input.name_len) }?;
    // SAFETY: the caller's guarantee.
    let value = unsafe { bytes(input.value, input.value_len) };
    Ok(Xattr { name, value })
}

/// Room for the attributes that a new inode starts with.
pub(super) type Xattrs<'a> = [Xattr<'a>; BENTO_MAKE_XATTRS_MAX as usize];

pub(super) const NO_XATTRS: Xattrs<'static> = [Xattr {
    name: &[],
    value: &[],
}; BENTO_MAKE_XATTRS_MAX as usize];

/// What a new inode starts with; its attributes go to `room`.
///
/// # Errors
/// `EINVAL` where the mode has unknown bits; `E2BIG` for too many attributes; those of `xattr()`.
///
/// # Safety
/// Clause in.
#[inline]
pub(super) unsafe fn new_inode<'a, 'b: 'a>(
    input: &bento_make_in,
    room: &'a mut Xattrs<'b>,
) -> Result<NewInode<'a>> {
    if input.mode > 0o177_777 {
        return Err(Errno::EINVAL);
    }
    let given = match input.xattr_count as usize {
        0 => &[],
        // SAFETY: the caller's guarantee; the length is not zero, so neither is the pointer.
        count => unsafe { core::slice::from_raw_parts(input.xattrs, count) },
    };
    let xattrs = room.get_mut(..given.len()).ok_or(Errno::E2BIG)?;
    for (to, from) in xattrs.iter_mut().zip(given) {
        // SAFETY: the caller's guarantee.
        *to = unsafe { xattr(from) }?;
    }
    Ok(NewInode {
        mode: input.mode,
        xattrs,
    })
}

/// A count of bytes that an operation reports, as C takes it: never above what it was given.
#[inline]
pub(super) fn count(done: usize, given: usize) -> Result<c_int> {
    match c_int::try_from(done) {
        Ok(number) if done <= given => Ok(number),
        _ => {
            log::error!("the file system reports {done} bytes of {given}");
            Err(Errno::EIO)
        }
    }
}

/// The number of an inode that an operation found.
#[inline]
pub(super) fn found(ino: InodeNo) -> Result<u64> {
    if ino.0 == 0 {
        log::error!("the file system reports an inode of number 0");
        return Err(Errno::EIO);
    }
    Ok(ino.0)
}
