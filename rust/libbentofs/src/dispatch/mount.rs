// SPDX-License-Identifier: GPL-2.0-only
//! Life of an instance: mount, unmount, statfs, sync, and the hand-over at an upgrade.

use super::args::{bytes, request};
use super::enter::on_fs;
use super::handle::{publish, reclaim, reserve};
use super::{KernelFs, convert};
use crate::guard::guard;
use bento::{Errno, MountOptions, Result, StateReader, StateWriter};
use bento_sys::{
    BENTO_MOUNT_DISCARD, BENTO_MOUNT_NORECOVERY, BENTO_MOUNT_RDONLY, BENTO_MOUNT_REPAIR, bento_cx,
    bento_mount_in, bento_mount_out, bento_state, bento_statfs,
};
use core::ffi::c_int;
use libbentoks::KernelDevice;

/// The options of a mount; `EINVAL` for flags that do not exist or do not fit together.
///
/// # Safety
/// Clause in.
unsafe fn options(input: &bento_mount_in) -> Result<MountOptions<'_>> {
    // SAFETY: the caller's guarantee.
    let text = unsafe { bytes(input.options, input.options_len) };
    let text = core::str::from_utf8(text).map_err(|_| {
        log::error!("mount options are not valid UTF-8");
        Errno::EINVAL
    })?;
    let mut left = input.flags;
    let mut take = |flag: u32| {
        let given = left & flag != 0;
        left &= !flag;
        given
    };
    let options = MountOptions {
        read_only: take(BENTO_MOUNT_RDONLY),
        repair: take(BENTO_MOUNT_REPAIR),
        no_recovery: take(BENTO_MOUNT_NORECOVERY),
        discard: take(BENTO_MOUNT_DISCARD),
        text,
    };
    if left != 0 || (options.no_recovery && !options.read_only) {
        log::error!("impossible mount flags {:#x}", input.flags);
        return Err(Errno::EINVAL);
    }
    Ok(options)
}

/// What bentofs wants to know of a new instance.
const fn mounted<F: KernelFs>(fs: u64) -> bento_mount_out {
    bento_mount_out {
        fs,
        root: F::ROOT.0,
        max_file_size: F::MAX_FILE_SIZE,
    }
}

pub(super) unsafe extern "C" fn mount<F: KernelFs>(
    _cx: *mut bento_cx,
    input: *const bento_mount_in,
    out: *mut bento_mount_out,
) -> c_int {
    guard(move || {
        // SAFETY: in.
        let input = unsafe { &*input };
        // SAFETY: in; bentofs destroys the instance before its device.
        let dev = unsafe { F::Device::from_raw(input.dev) }?;
        // SAFETY: in.
        let options = unsafe { options(input) }?;
        let memory = reserve::<F>()?;
        let fs = F::mount(dev, &options)?;
        // SAFETY: out.
        unsafe { out.write(mounted::<F>(publish(memory, fs))) };
        Ok(0)
    })
}

pub(super) unsafe extern "C" fn import_state<F: KernelFs>(
    _cx: *mut bento_cx,
    input: *const bento_mount_in,
    out: *mut bento_mount_out,
) -> c_int {
    guard(move || {
        // SAFETY: in.
        let input = unsafe { &*input };
        if !F::SCHEMA.contains(&input.schema) {
            log::error!("cannot take over a state of version {}", input.schema);
            return Err(Errno::EINVAL);
        }
        // SAFETY: in; bentofs destroys the instance before its device.
        let dev = unsafe { F::Device::from_raw(input.dev) }?;
        // SAFETY: in.
        let options = unsafe { options(input) }?;
        let len = u32::try_from(input.state_len).map_err(|_| Errno::E2BIG)?;
        // SAFETY: in.
        let state = StateReader::unseal(unsafe { bytes(input.state, len) }).inspect_err(|_| {
            log::error!("the state of {len} bytes is damaged: its checksum is wrong");
        })?;
        let memory = reserve::<F>()?;
        let fs = F::import(dev, &options, input.schema, &state)?;
        // SAFETY: out.
        unsafe { out.write(mounted::<F>(publish(memory, fs))) };
        Ok(0)
    })
}

pub(super) unsafe extern "C" fn unmount<F: KernelFs>(_cx: *mut bento_cx, fs: u64) -> c_int {
    // SAFETY: fs.
    unsafe { on_fs(fs, F::unmount) }
}

pub(super) unsafe extern "C" fn destroy<F: KernelFs>(_cx: *mut bento_cx, fs: u64) {
    // The result tells whether the file system's `Drop` panicked, which is logged and of no other
    // consequence.
    let _ = guard(move || {
        // SAFETY: fs; bentofs calls this once, last.
        drop(unsafe { reclaim::<F>(fs) });
        Ok(0)
    });
}

pub(super) unsafe extern "C" fn prepare<F: KernelFs>(_cx: *mut bento_cx, fs: u64) -> c_int {
    // SAFETY: fs.
    unsafe { on_fs(fs, F::prepare) }
}

pub(super) unsafe extern "C" fn export_state<F: KernelFs>(
    _cx: *mut bento_cx,
    fs: u64,
    state: *mut bento_state,
) -> c_int {
    let call = |fs: &F| {
        let mut writer = StateWriter::new();
        fs.export(&mut writer)?;
        let all = writer.seal()?;
        let len = all.len() as u64;
        // SAFETY: `state` is what bentofs passed for this; the bytes are valid for their length.
        libbentoks::check(unsafe { bento_sys::bento_ks_state_write(state, all.as_ptr(), len) })
    };
    // SAFETY: fs.
    unsafe { on_fs(fs, call) }
}

pub(super) unsafe extern "C" fn statfs<F: KernelFs>(
    _cx: *mut bento_cx,
    fs: u64,
    out: *mut bento_statfs,
) -> c_int {
    let call = |fs: &F| {
        let stat = fs.statfs()?;
        // SAFETY: out.
        unsafe { out.write(convert::statfs_out(&stat)) };
        Ok(())
    };
    // SAFETY: fs.
    unsafe { on_fs(fs, call) }
}

pub(super) unsafe extern "C" fn sync<F: KernelFs>(cx: *mut bento_cx, fs: u64) -> c_int {
    // SAFETY: cx.
    let call = |fs: &F| fs.sync(&unsafe { request(cx) });
    // SAFETY: fs.
    unsafe { on_fs(fs, call) }
}
