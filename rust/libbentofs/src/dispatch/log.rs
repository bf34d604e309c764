// SPDX-License-Identifier: GPL-2.0-only
//! What the file system records: events of open files, and the log on its way to the disk.

use super::KernelFs;
use super::args::{bytes_mut, count, found, request};
use super::enter::{on_fs, on_request};
use bento::{Errno, FileEvent, LogBatch, LogStart, Result};
use bento_sys::{
    BENTO_EVENT_FIRST_READ, BENTO_EVENT_FIRST_WRITE, BENTO_EVENT_OPEN, BENTO_EVENT_RELEASE,
    BENTO_LOG_BATCH_MAX, BENTO_LOG_INODES_MAX, BENTO_LOG_MORE, BENTO_LOG_RESTART, bento_cx,
    bento_log_drain, bento_log_start,
};
use core::ffi::c_int;

const _: () = assert!(LogStart::INODES_MAX == BENTO_LOG_INODES_MAX as usize);
const _: () = assert!(LogBatch::MAX == BENTO_LOG_BATCH_MAX as usize);

fn kind(number: u32) -> Result<FileEvent> {
    match number {
        BENTO_EVENT_OPEN => Ok(FileEvent::Open),
        BENTO_EVENT_RELEASE => Ok(FileEvent::Release),
        BENTO_EVENT_FIRST_READ => Ok(FileEvent::FirstRead),
        BENTO_EVENT_FIRST_WRITE => Ok(FileEvent::FirstWrite),
        _ => Err(Errno::EINVAL),
    }
}

pub(super) unsafe extern "C" fn event<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    node: u64,
    number: u32,
) -> c_int {
    let call = |fs: &F, req: &_, node: &_| fs.event(req, node, kind(number)?);
    // SAFETY: cx, fs, node.
    unsafe { on_request((cx, fs, node), call) }
}

pub(super) unsafe extern "C" fn start_log<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    root: u64,
    out: *mut bento_log_start,
) -> c_int {
    let call = |fs: &F, req: &_, root: &_| {
        let started = fs.start_log(req, root)?;
        let mut answer = bento_log_start {
            made: u32::from(started.made),
            ..bento_log_start::default()
        };
        let inodes = started.inodes.into_iter().flatten();
        for (slot, ino) in answer.inos.iter_mut().zip(inodes) {
            *slot = found(ino)?;
            answer.count += 1;
        }
        // SAFETY: out.
        unsafe { out.write(answer) };
        Ok(())
    };
    // SAFETY: cx, fs, node.
    unsafe { on_request((cx, fs, root), call) }
}

pub(super) unsafe extern "C" fn drain_log<F: KernelFs>(
    cx: *mut bento_cx,
    fs: u64,
    buf: *mut u8,
    cap: u32,
    io: *mut bento_log_drain,
) -> c_int {
    let call = |fs: &F| {
        // SAFETY: cx.
        let req = unsafe { request(cx) };
        // SAFETY: in.
        let last = match unsafe { (*io).result } {
            0 => Ok(()),
            error => Err(Errno::from_raw(error.saturating_neg())),
        };
        // SAFETY: out.
        let out = unsafe { bytes_mut(buf, cap) };
        let batch = fs.drain_log(&req, last, out)?;
        let len = count(batch.len, cap as usize)?;
        let mut flags = 0;
        if batch.restart {
            flags |= BENTO_LOG_RESTART;
        }
        if batch.more {
            flags |= BENTO_LOG_MORE;
        }
        let answer = bento_log_drain {
            ino: if len > 0 { found(batch.ino)? } else { 0 },
            len: len.unsigned_abs(),
            flags,
            result: 0,
            pad: 0,
        };
        // SAFETY: out.
        unsafe { io.write(answer) };
        Ok(())
    };
    // SAFETY: fs.
    unsafe { on_fs(fs, call) }
}
