// SPDX-License-Identifier: GPL-2.0-only
//! Explicit work on space: fallocate in files, trim on the device.

use super::args::request;
use super::enter::{on_fs, on_request};
use super::{KernelFs, convert};
use bento::{Errno, TrimRange};
use bento_sys::{BENTO_BLOCK_SIZE, bento_cx, bento_fallocate_in, bento_trim};
use core::ffi::c_int;

pub(super) unsafe extern "C" fn fallocate<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    input: *const bento_fallocate_in,
) -> c_int {
    let call = |fs: &F, req: &_, node: &_| {
        // SAFETY: in.
        let range = convert::fallocate_in(unsafe { &*input }, F::MAX_FILE_SIZE)?;
        fs.fallocate(req, node, &range)
    };
    // SAFETY: cx, fs, node.
    unsafe { on_request((cx, fs, node), call) }
}

pub(super) unsafe extern "C" fn trim<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    inout: *mut bento_trim,
) -> c_int {
    let call = |fs: &F| {
        // SAFETY: in.
        let given = unsafe { inout.read() };
        let (start, end, min_len) = (given.start, given.end, given.min_len);
        if start >= end || start % u64::from(BENTO_BLOCK_SIZE) != 0 {
            return Err(Errno::EINVAL);
        }
        let range = TrimRange {
            start,
            end,
            min_len,
        };
        // SAFETY: cx.
        let done = fs.trim(&unsafe { request(cx) }, &range)?;
        if done.next <= start || done.bytes > done.next - start {
            // Numbers alone: what prints a structure takes a lot of stack.
            let (bytes, next) = (done.bytes, done.next);
            log::error!("the file system trims {bytes} bytes of {start} to {end}, up to {next}");
            return Err(Errno::EIO);
        }
        let (trimmed, next) = (done.bytes, done.next);
        // SAFETY: out.
        unsafe {
            inout.write(bento_trim {
                trimmed,
                next,
                ..given
            })
        };
        Ok(())
    };
    // SAFETY: fs.
    unsafe { on_fs(fs, call) }
}
