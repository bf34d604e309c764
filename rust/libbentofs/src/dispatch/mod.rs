// SPDX-License-Identifier: GPL-2.0-only
//! One `extern "C"` function per operation. C: `struct bento_fs_ops`.
//!
//! | module | operations |
//! |---|---|
//! | `mount` | mount, unmount, statfs, sync; hand-over at an upgrade |
//! | `inode` | load, drop, forget, attributes |
//! | `names` | directories and links |
//! | `data` | mapped I/O and its fallback |
//! | `convert` | structs of the ABI from and to types of the API |
//!
//! # Contract
//! Each function relies on what `bento_abi.h` promises. SAFETY comments refer to these clauses:
//!
//! - **cx**: the context is valid and not changed during the call.
//! - **fs**: the value is `bento_mount_out.fs` of this very type, not yet destroyed.
//! - **node**: the value is `bento_entry.node` of an instance of this type, not yet dropped.
//! - **in**: an input struct is valid during the call; bytes are valid for their length.
//! - **out**: an output is valid for writes and nobody else looks at it during the call.

mod convert;
mod data;
mod inode;
mod mount;
mod names;

use alloc::boxed::Box;
use bento::{Errno, Request, Result, Upgrade};
use bento_sys::{
    BENTO_ABI_MAGIC, BENTO_ABI_VERSION, BENTO_OPS_ALLOCATE, BENTO_OPS_CREATE, BENTO_OPS_LINK,
    BENTO_OPS_MAP, BENTO_OPS_MKDIR, BENTO_OPS_READ, BENTO_OPS_RENAME, BENTO_OPS_SETATTR,
    BENTO_OPS_SYMLINK, BENTO_OPS_SYNC, BENTO_OPS_UNLINK, BENTO_OPS_WRITE, bento_cx, bento_fs_ops,
};
use core::mem::MaybeUninit;
use core::ptr;
use libbentoks::KernelDevice;

/// A file system that can be a kernel module.
pub trait KernelFs: Upgrade<Device: KernelDevice> {}

impl<F: Upgrade<Device: KernelDevice>> KernelFs for F {}

/// The table of a file system; `version` replaces `F::VERSION` where it is given.
///
/// # Panics
/// While the module is compiled, where name or version are too long or empty.
#[must_use]
pub const fn table<F: KernelFs>(version: Option<&str>) -> bento_fs_ops {
    bento_fs_ops {
        magic: BENTO_ABI_MAGIC,
        abi_version: BENTO_ABI_VERSION,
        size: size_of::<bento_fs_ops>() as u32,
        ops: F::OPS.bits(),
        caps: <F::Device as KernelDevice>::CAPS,
        schema_min: *F::SCHEMA.start(),
        schema: *F::SCHEMA.end(),
        name: padded(F::NAME),
        version: padded(match version {
            Some(version) => version,
            None => F::VERSION,
        }),
        mount: Some(mount::mount::<F>),
        import_state: Some(mount::import_state::<F>),
        unmount: Some(mount::unmount::<F>),
        destroy: Some(mount::destroy::<F>),
        prepare: Some(mount::prepare::<F>),
        export_state: Some(mount::export_state::<F>),
        statfs: Some(mount::statfs::<F>),
        sync: Some(mount::sync::<F>),
        load: Some(inode::load::<F>),
        drop_node: Some(inode::drop_node::<F>),
        forget: Some(inode::forget::<F>),
        getattr: Some(inode::getattr::<F>),
        setattr: Some(inode::setattr::<F>),
        lookup: Some(names::lookup::<F>),
        readdir: Some(names::readdir::<F>),
        create: Some(names::create::<F>),
        mknod: Some(names::mknod::<F>),
        mkdir: Some(names::mkdir::<F>),
        symlink: Some(names::symlink::<F>),
        readlink: Some(names::readlink::<F>),
        link: Some(names::link::<F>),
        unlink: Some(names::unlink::<F>),
        rmdir: Some(names::rmdir::<F>),
        rename: Some(names::rename::<F>),
        map: Some(data::map::<F>),
        allocate: Some(data::allocate::<F>),
        commit: Some(data::commit::<F>),
        read: Some(data::read::<F>),
        write: Some(data::write::<F>),
        fsync: Some(data::fsync::<F>),
    }
}

/// `text` with zeros behind it; at least one.
const fn padded<const N: usize>(text: &str) -> [u8; N] {
    assert!(
        !text.is_empty() && text.len() < N,
        "name or version: too long or empty"
    );
    let mut bytes = [0; N];
    let mut at = 0;
    while at < text.len() {
        bytes[at] = text.as_bytes()[at];
        at += 1;
    }
    bytes
}

// The bits of `bento::OpSet` are those of the ABI.
const _: () = {
    use bento::OpSet;
    let same = [
        (OpSet::CREATE, BENTO_OPS_CREATE),
        (OpSet::MKDIR, BENTO_OPS_MKDIR),
        (OpSet::SYMLINK, BENTO_OPS_SYMLINK),
        (OpSet::LINK, BENTO_OPS_LINK),
        (OpSet::UNLINK, BENTO_OPS_UNLINK),
        (OpSet::RENAME, BENTO_OPS_RENAME),
        (OpSet::SETATTR, BENTO_OPS_SETATTR),
        (OpSet::MAP, BENTO_OPS_MAP),
        (OpSet::ALLOCATE, BENTO_OPS_ALLOCATE),
        (OpSet::READ, BENTO_OPS_READ),
        (OpSet::WRITE, BENTO_OPS_WRITE),
        (OpSet::SYNC, BENTO_OPS_SYNC),
    ];
    let (mut at, mut all) = (0, 0);
    while at < same.len() {
        assert!(same[at].0.bits() == same[at].1 as u64);
        all |= same[at].0.bits();
        at += 1;
    }
    assert!(OpSet::all().bits() == all, "an operation is missing above");
};

/// The request that a context stands for.
///
/// # Safety
/// Clause cx.
#[inline]
unsafe fn request(cx: *const bento_cx) -> Request {
    // SAFETY: the caller's guarantee.
    let cx = unsafe { &*cx };
    Request {
        uid: cx.uid,
        gid: cx.gid,
        pid: cx.pid,
        now: convert::time_in(&cx.now),
    }
}

/// The value behind a handle: an instance or a node.
///
/// # Safety
/// Clause fs or node, for `T`.
#[inline]
unsafe fn borrow<'a, T>(handle: u64) -> &'a T {
    // SAFETY: by those clauses the handle came from `publish()` and is not yet dropped; values are
    // only ever shared.
    unsafe { &*ptr::with_exposed_provenance(handle as usize) }
}

/// Takes a value back to drop it.
///
/// # Safety
/// As `borrow()`; and the handle is used nowhere else, now and later.
#[inline]
unsafe fn reclaim<T>(handle: u64) -> Box<T> {
    let value = ptr::with_exposed_provenance_mut(handle as usize);
    // SAFETY: the handle came from `publish()`, and nobody else uses it.
    unsafe { Box::from_raw(value) }
}

/// Bytes of the caller.
///
/// # Safety
/// Clause in: valid for `len` bytes during the call. With `len` 0 the pointer may be NULL.
#[inline]
unsafe fn bytes<'a>(start: *const u8, len: u32) -> &'a [u8] {
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
unsafe fn bytes_mut<'a>(start: *mut u8, len: u32) -> &'a mut [u8] {
    if len == 0 {
        return &mut [];
    }
    // SAFETY: the caller's guarantee; the length is not zero, so neither is the pointer.
    unsafe { core::slice::from_raw_parts_mut(start, len as usize) }
}

/// Memory for a value that bentofs will hold. Taken before the operation that makes the value, so
/// that nothing is changed where there is none.
#[inline]
fn reserve<T>() -> Result<Box<MaybeUninit<T>>> {
    if size_of::<T>() == 0 {
        return Ok(Box::new_uninit());
    }
    // SAFETY: the size is not zero.
    let memory = unsafe { alloc::alloc::alloc(core::alloc::Layout::new::<T>()) };
    if memory.is_null() {
        return Err(Errno::ENOMEM);
    }
    // SAFETY: the memory comes from the global allocator, with the layout of `T`.
    Ok(unsafe { Box::from_raw(memory.cast()) })
}

/// Gives a value to bentofs: its handle, never 0.
#[inline]
fn publish<T>(memory: Box<MaybeUninit<T>>, value: T) -> u64 {
    let value = Box::into_raw(Box::write(memory, value));
    value.expose_provenance() as u64
}
