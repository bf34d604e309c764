// SPDX-License-Identifier: GPL-2.0-only
//! One `extern "C"` function per operation. C: `struct bento_fs_ops`.
//!
//! | module | operations |
//! |---|---|
//! | `mount` | mount, unmount, statfs, sync; hand-over at an upgrade |
//! | `inode` | load, drop, forget, attributes |
//! | `make` | new inodes |
//! | `names` | directories and links |
//! | `data` | mapped I/O and its fallback |
//! | `xattr` | extended attributes |
//! | `space` | fallocate and trim |
//! | `log` | what the file system records |
//!
//! | module | what they share |
//! |---|---|
//! | `enter` | the way in: guard, handles, request |
//! | `handle` | values that bentofs holds |
//! | `args` | arguments of C as checked, borrowed values |
//! | `convert` | structs of the ABI from and to types of the API |
//!
//! What breaks the rules of `bento_abi.h` is refused here, on both sides: an argument of C with an
//! errno, an answer of the file system with `EIO` and a line in the log.
//!
//! # Contract
//! Each function relies on what `bento_abi.h` promises. SAFETY comments refer to these clauses:
//!
//! - **cx**: the context is valid and not changed during the call.
//! - **fs**: the value is `bento_mount_out.fs` of this very type, not yet destroyed.
//! - **node**: the value is `bento_entry.node` of an instance of this type, not yet dropped.
//! - **in**: an input struct is valid during the call; bytes are valid for their length.
//! - **out**: an output is valid for writes and nobody else looks at it during the call.

mod args;
mod convert;
mod data;
mod enter;
mod handle;
mod inode;
mod log;
mod make;
mod mount;
mod names;
mod space;
mod xattr;

use bento::{OpSet, Upgrade};
use bento_sys::{BENTO_ABI_MAGIC, BENTO_ABI_VERSION, bento_fs_ops};
use libbentoks::KernelDevice;

/// A file system that can be a kernel module.
pub trait KernelFs: Upgrade<Device: KernelDevice> {}

impl<F: Upgrade<Device: KernelDevice>> KernelFs for F {}

/// The table of a file system; `version` replaces `F::VERSION` where it is given.
///
/// # Panics
/// While the module is compiled, where name or version are too long or empty, or an operation is
/// offered without another that it needs.
#[must_use]
pub const fn table<F: KernelFs>(version: Option<&str>) -> bento_fs_ops {
    assert!(is_closed(F::OPS), "OPS: an operation needs another one");
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
        create: Some(make::create::<F>),
        mknod: Some(make::mknod::<F>),
        mkdir: Some(make::mkdir::<F>),
        symlink: Some(make::symlink::<F>),
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
        getxattr: Some(xattr::getxattr::<F>),
        setxattr: Some(xattr::setxattr::<F>),
        removexattr: Some(xattr::removexattr::<F>),
        listxattr: Some(xattr::listxattr::<F>),
        fallocate: Some(space::fallocate::<F>),
        tmpfile: Some(make::tmpfile::<F>),
        trim: Some(space::trim::<F>),
        parent: Some(names::parent::<F>),
        event: Some(log::event::<F>),
        start_log: Some(log::start_log::<F>),
        drain_log: Some(log::drain_log::<F>),
        next_orphan: Some(inode::next_orphan::<F>),
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

/// Each operation comes with those that it needs.
const fn is_closed(ops: OpSet) -> bool {
    let needs = [
        (OpSet::ALLOCATE, OpSet::MAP),
        (OpSet::FALLOCATE, OpSet::MAP.union(OpSet::ALLOCATE)),
        (OpSet::TMPFILE, OpSet::CREATE),
        (OpSet::FLAGS, OpSet::SETATTR),
        (OpSet::LOG, OpSet::MAP.union(OpSet::ALLOCATE)),
    ];
    let mut at = 0;
    while at < needs.len() {
        if ops.contains(needs[at].0) && !ops.contains(needs[at].1) {
            return false;
        }
        at += 1;
    }
    true
}

// The bits of `bento::OpSet` are those of the ABI.
const _: () = {
    use bento_sys as abi;
    let same = [
        (OpSet::CREATE, abi::BENTO_OPS_CREATE),
        (OpSet::MKDIR, abi::BENTO_OPS_MKDIR),
        (OpSet::SYMLINK, abi::BENTO_OPS_SYMLINK),
        (OpSet::LINK, abi::BENTO_OPS_LINK),
        (OpSet::UNLINK, abi::BENTO_OPS_UNLINK),
        (OpSet::RENAME, abi::BENTO_OPS_RENAME),
        (OpSet::SETATTR, abi::BENTO_OPS_SETATTR),
        (OpSet::MAP, abi::BENTO_OPS_MAP),
        (OpSet::ALLOCATE, abi::BENTO_OPS_ALLOCATE),
        (OpSet::READ, abi::BENTO_OPS_READ),
        (OpSet::WRITE, abi::BENTO_OPS_WRITE),
        (OpSet::SYNC, abi::BENTO_OPS_SYNC),
        (OpSet::XATTR, abi::BENTO_OPS_XATTR),
        (OpSet::FALLOCATE, abi::BENTO_OPS_FALLOCATE),
        (OpSet::TMPFILE, abi::BENTO_OPS_TMPFILE),
        (OpSet::FLAGS, abi::BENTO_OPS_FLAGS),
        (OpSet::TRIM, abi::BENTO_OPS_TRIM),
        (OpSet::EXPORT, abi::BENTO_OPS_EXPORT),
        (OpSet::EVENTS, abi::BENTO_OPS_EVENTS),
        (OpSet::LOG, abi::BENTO_OPS_LOG),
        (OpSet::ORPHANS, abi::BENTO_OPS_ORPHANS),
    ];
    let (mut at, mut all) = (0, 0);
    while at < same.len() {
        assert!(same[at].0.bits() == same[at].1 as u64);
        all |= same[at].0.bits();
        at += 1;
    }
    assert!(OpSet::all().bits() == all, "an operation is missing above");
};
