// SPDX-License-Identifier: GPL-2.0-only
// Generated from kernel-module/include/bento_abi.h by generate.sh: do not edit.

pub const BENTO_ABI_MAGIC: u64 = 340716832066;
pub const BENTO_ABI_VERSION: u32 = 6;
pub const BENTO_NAME_MAX: u32 = 255;
pub const BENTO_BLOCK_SIZE: u32 = 4096;
pub const BENTO_STATE_MAX: u32 = 67108864;
pub const BENTO_XATTR_NAME_MAX: u32 = 255;
pub const BENTO_XATTR_SIZE_MAX: u32 = 65536;
pub const BENTO_MAKE_XATTRS_MAX: u32 = 8;
pub const BENTO_LOG_INODES_MAX: u32 = 8;
pub const BENTO_LOG_BATCH_MAX: u32 = 65536;
pub const BENTO_CX_COMMIT_SOON: u32 = 1;
pub const BENTO_CX_COMMIT_WAIT: u32 = 2;
pub const BENTO_CX_DRAIN: u32 = 4;
pub const BENTO_FLAG_SYNC: u32 = 8;
pub const BENTO_FLAG_IMMUTABLE: u32 = 16;
pub const BENTO_FLAG_APPEND: u32 = 32;
pub const BENTO_FLAG_NODUMP: u32 = 64;
pub const BENTO_FLAG_NOATIME: u32 = 128;
pub const BENTO_FLAG_DIRSYNC: u32 = 65536;
pub const BENTO_SET_MODE: u32 = 1;
pub const BENTO_SET_UID: u32 = 2;
pub const BENTO_SET_GID: u32 = 4;
pub const BENTO_SET_SIZE: u32 = 8;
pub const BENTO_SET_ATIME: u32 = 16;
pub const BENTO_SET_MTIME: u32 = 32;
pub const BENTO_SET_CTIME: u32 = 64;
pub const BENTO_SET_FLAGS: u32 = 128;
pub const BENTO_XATTR_CREATE: u32 = 1;
pub const BENTO_XATTR_REPLACE: u32 = 2;
pub const BENTO_FALLOC_ALLOCATE: u32 = 0;
pub const BENTO_FALLOC_PUNCH: u32 = 1;
pub const BENTO_FALLOC_ZERO: u32 = 2;
pub const BENTO_FALLOC_COLLAPSE: u32 = 3;
pub const BENTO_FALLOC_INSERT: u32 = 4;
pub const BENTO_EXTENT_HOLE: u32 = 0;
pub const BENTO_EXTENT_MAPPED: u32 = 1;
pub const BENTO_EXTENT_UNWRITTEN: u32 = 2;
pub const BENTO_MOUNT_RDONLY: u32 = 1;
pub const BENTO_MOUNT_REPAIR: u32 = 2;
pub const BENTO_MOUNT_NORECOVERY: u32 = 4;
pub const BENTO_MOUNT_DISCARD: u32 = 8;
pub const BENTO_RENAME_NOREPLACE: u32 = 1;
pub const BENTO_RENAME_EXCHANGE: u32 = 2;
pub const BENTO_RENAME_WHITEOUT: u32 = 4;
pub const BENTO_EVENT_OPEN: u32 = 1;
pub const BENTO_EVENT_RELEASE: u32 = 2;
pub const BENTO_EVENT_FIRST_READ: u32 = 3;
pub const BENTO_EVENT_FIRST_WRITE: u32 = 4;
pub const BENTO_LOG_RESTART: u32 = 1;
pub const BENTO_LOG_MORE: u32 = 2;
pub const BENTO_OPS_CREATE: u32 = 1;
pub const BENTO_OPS_MKDIR: u32 = 2;
pub const BENTO_OPS_SYMLINK: u32 = 4;
pub const BENTO_OPS_LINK: u32 = 8;
pub const BENTO_OPS_UNLINK: u32 = 16;
pub const BENTO_OPS_RENAME: u32 = 32;
pub const BENTO_OPS_SETATTR: u32 = 64;
pub const BENTO_OPS_MAP: u32 = 128;
pub const BENTO_OPS_ALLOCATE: u32 = 256;
pub const BENTO_OPS_READ: u32 = 512;
pub const BENTO_OPS_WRITE: u32 = 1024;
pub const BENTO_OPS_SYNC: u32 = 2048;
pub const BENTO_OPS_XATTR: u32 = 4096;
pub const BENTO_OPS_FALLOCATE: u32 = 8192;
pub const BENTO_OPS_TMPFILE: u32 = 16384;
pub const BENTO_OPS_FLAGS: u32 = 32768;
pub const BENTO_OPS_TRIM: u32 = 65536;
pub const BENTO_OPS_EXPORT: u32 = 131072;
pub const BENTO_OPS_EVENTS: u32 = 262144;
pub const BENTO_OPS_LOG: u32 = 524288;
pub const BENTO_OPS_ORPHANS: u32 = 1048576;
pub const BENTO_CAP_DEVICE: u32 = 1;
pub const BENTO_REGISTER_HOLD: u32 = 1;
pub const BENTO_REGISTER_PREFERRED: u32 = 2;
pub const BENTO_WRITE_BARRIER: u32 = 1;
pub type __u8 = ::core::ffi::c_uchar;
pub type __s32 = ::core::ffi::c_int;
pub type __u32 = ::core::ffi::c_uint;
pub type __s64 = ::core::ffi::c_longlong;
pub type __u64 = ::core::ffi::c_ulonglong;
#[repr(C)]
#[derive(Debug)]
pub struct bento_dev {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct bento_state {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct bento_time {
    pub sec: __s64,
    pub nsec: __u32,
    pub pad: __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_time"][::core::mem::size_of::<bento_time>() - 16usize];
    ["Alignment of bento_time"][::core::mem::align_of::<bento_time>() - 8usize];
    ["Offset of field: bento_time::sec"][::core::mem::offset_of!(bento_time, sec) - 0usize];
    ["Offset of field: bento_time::nsec"][::core::mem::offset_of!(bento_time, nsec) - 8usize];
    ["Offset of field: bento_time::pad"][::core::mem::offset_of!(bento_time, pad) - 12usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct bento_cx {
    pub magic: __u64,
    pub task: __u64,
    pub inst: __u64,
    pub op: __u32,
    pub flags: __u32,
    pub uid: __u32,
    pub gid: __u32,
    pub pid: __u32,
    pub pad: __u32,
    pub now: bento_time,
    pub comm: [__u8; 16usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_cx"][::core::mem::size_of::<bento_cx>() - 80usize];
    ["Alignment of bento_cx"][::core::mem::align_of::<bento_cx>() - 8usize];
    ["Offset of field: bento_cx::magic"][::core::mem::offset_of!(bento_cx, magic) - 0usize];
    ["Offset of field: bento_cx::task"][::core::mem::offset_of!(bento_cx, task) - 8usize];
    ["Offset of field: bento_cx::inst"][::core::mem::offset_of!(bento_cx, inst) - 16usize];
    ["Offset of field: bento_cx::op"][::core::mem::offset_of!(bento_cx, op) - 24usize];
    ["Offset of field: bento_cx::flags"][::core::mem::offset_of!(bento_cx, flags) - 28usize];
    ["Offset of field: bento_cx::uid"][::core::mem::offset_of!(bento_cx, uid) - 32usize];
    ["Offset of field: bento_cx::gid"][::core::mem::offset_of!(bento_cx, gid) - 36usize];
    ["Offset of field: bento_cx::pid"][::core::mem::offset_of!(bento_cx, pid) - 40usize];
    ["Offset of field: bento_cx::pad"][::core::mem::offset_of!(bento_cx, pad) - 44usize];
    ["Offset of field: bento_cx::now"][::core::mem::offset_of!(bento_cx, now) - 48usize];
    ["Offset of field: bento_cx::comm"][::core::mem::offset_of!(bento_cx, comm) - 64usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct bento_attr {
    pub ino: __u64,
    pub size: __u64,
    pub blocks: __u64,
    pub atime: bento_time,
    pub mtime: bento_time,
    pub ctime: bento_time,
    pub btime: bento_time,
    pub generation: __u32,
    pub mode: __u32,
    pub nlink: __u32,
    pub uid: __u32,
    pub gid: __u32,
    pub rdev: __u32,
    pub flags: __u32,
    pub xattrs: __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_attr"][::core::mem::size_of::<bento_attr>() - 120usize];
    ["Alignment of bento_attr"][::core::mem::align_of::<bento_attr>() - 8usize];
    ["Offset of field: bento_attr::ino"][::core::mem::offset_of!(bento_attr, ino) - 0usize];
    ["Offset of field: bento_attr::size"][::core::mem::offset_of!(bento_attr, size) - 8usize];
    ["Offset of field: bento_attr::blocks"][::core::mem::offset_of!(bento_attr, blocks) - 16usize];
    ["Offset of field: bento_attr::atime"][::core::mem::offset_of!(bento_attr, atime) - 24usize];
    ["Offset of field: bento_attr::mtime"][::core::mem::offset_of!(bento_attr, mtime) - 40usize];
    ["Offset of field: bento_attr::ctime"][::core::mem::offset_of!(bento_attr, ctime) - 56usize];
    ["Offset of field: bento_attr::btime"][::core::mem::offset_of!(bento_attr, btime) - 72usize];
    ["Offset of field: bento_attr::generation"]
        [::core::mem::offset_of!(bento_attr, generation) - 88usize];
    ["Offset of field: bento_attr::mode"][::core::mem::offset_of!(bento_attr, mode) - 92usize];
    ["Offset of field: bento_attr::nlink"][::core::mem::offset_of!(bento_attr, nlink) - 96usize];
    ["Offset of field: bento_attr::uid"][::core::mem::offset_of!(bento_attr, uid) - 100usize];
    ["Offset of field: bento_attr::gid"][::core::mem::offset_of!(bento_attr, gid) - 104usize];
    ["Offset of field: bento_attr::rdev"][::core::mem::offset_of!(bento_attr, rdev) - 108usize];
    ["Offset of field: bento_attr::flags"][::core::mem::offset_of!(bento_attr, flags) - 112usize];
    ["Offset of field: bento_attr::xattrs"][::core::mem::offset_of!(bento_attr, xattrs) - 116usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct bento_entry {
    pub attr: bento_attr,
    pub node: __u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_entry"][::core::mem::size_of::<bento_entry>() - 128usize];
    ["Alignment of bento_entry"][::core::mem::align_of::<bento_entry>() - 8usize];
    ["Offset of field: bento_entry::attr"][::core::mem::offset_of!(bento_entry, attr) - 0usize];
    ["Offset of field: bento_entry::node"][::core::mem::offset_of!(bento_entry, node) - 120usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct bento_setattr {
    pub mask: __u32,
    pub mode: __u32,
    pub uid: __u32,
    pub gid: __u32,
    pub size: __u64,
    pub atime: bento_time,
    pub mtime: bento_time,
    pub ctime: bento_time,
    pub flags: __u32,
    pub pad: __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_setattr"][::core::mem::size_of::<bento_setattr>() - 80usize];
    ["Alignment of bento_setattr"][::core::mem::align_of::<bento_setattr>() - 8usize];
    ["Offset of field: bento_setattr::mask"][::core::mem::offset_of!(bento_setattr, mask) - 0usize];
    ["Offset of field: bento_setattr::mode"][::core::mem::offset_of!(bento_setattr, mode) - 4usize];
    ["Offset of field: bento_setattr::uid"][::core::mem::offset_of!(bento_setattr, uid) - 8usize];
    ["Offset of field: bento_setattr::gid"][::core::mem::offset_of!(bento_setattr, gid) - 12usize];
    ["Offset of field: bento_setattr::size"]
        [::core::mem::offset_of!(bento_setattr, size) - 16usize];
    ["Offset of field: bento_setattr::atime"]
        [::core::mem::offset_of!(bento_setattr, atime) - 24usize];
    ["Offset of field: bento_setattr::mtime"]
        [::core::mem::offset_of!(bento_setattr, mtime) - 40usize];
    ["Offset of field: bento_setattr::ctime"]
        [::core::mem::offset_of!(bento_setattr, ctime) - 56usize];
    ["Offset of field: bento_setattr::flags"]
        [::core::mem::offset_of!(bento_setattr, flags) - 72usize];
    ["Offset of field: bento_setattr::pad"][::core::mem::offset_of!(bento_setattr, pad) - 76usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct bento_xattr {
    pub name: *const __u8,
    pub value: *const __u8,
    pub name_len: __u32,
    pub value_len: __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_xattr"][::core::mem::size_of::<bento_xattr>() - 24usize];
    ["Alignment of bento_xattr"][::core::mem::align_of::<bento_xattr>() - 8usize];
    ["Offset of field: bento_xattr::name"][::core::mem::offset_of!(bento_xattr, name) - 0usize];
    ["Offset of field: bento_xattr::value"][::core::mem::offset_of!(bento_xattr, value) - 8usize];
    ["Offset of field: bento_xattr::name_len"]
        [::core::mem::offset_of!(bento_xattr, name_len) - 16usize];
    ["Offset of field: bento_xattr::value_len"]
        [::core::mem::offset_of!(bento_xattr, value_len) - 20usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct bento_fallocate_in {
    pub offset: __u64,
    pub len: __u64,
    pub size: __u64,
    pub mode: __u32,
    pub pad: __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_fallocate_in"][::core::mem::size_of::<bento_fallocate_in>() - 32usize];
    ["Alignment of bento_fallocate_in"][::core::mem::align_of::<bento_fallocate_in>() - 8usize];
    ["Offset of field: bento_fallocate_in::offset"]
        [::core::mem::offset_of!(bento_fallocate_in, offset) - 0usize];
    ["Offset of field: bento_fallocate_in::len"]
        [::core::mem::offset_of!(bento_fallocate_in, len) - 8usize];
    ["Offset of field: bento_fallocate_in::size"]
        [::core::mem::offset_of!(bento_fallocate_in, size) - 16usize];
    ["Offset of field: bento_fallocate_in::mode"]
        [::core::mem::offset_of!(bento_fallocate_in, mode) - 24usize];
    ["Offset of field: bento_fallocate_in::pad"]
        [::core::mem::offset_of!(bento_fallocate_in, pad) - 28usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct bento_trim {
    pub start: __u64,
    pub end: __u64,
    pub min_len: __u64,
    pub trimmed: __u64,
    pub next: __u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_trim"][::core::mem::size_of::<bento_trim>() - 40usize];
    ["Alignment of bento_trim"][::core::mem::align_of::<bento_trim>() - 8usize];
    ["Offset of field: bento_trim::start"][::core::mem::offset_of!(bento_trim, start) - 0usize];
    ["Offset of field: bento_trim::end"][::core::mem::offset_of!(bento_trim, end) - 8usize];
    ["Offset of field: bento_trim::min_len"]
        [::core::mem::offset_of!(bento_trim, min_len) - 16usize];
    ["Offset of field: bento_trim::trimmed"]
        [::core::mem::offset_of!(bento_trim, trimmed) - 24usize];
    ["Offset of field: bento_trim::next"][::core::mem::offset_of!(bento_trim, next) - 32usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct bento_extent {
    pub offset: __u64,
    pub len: __u64,
    pub addr: __u64,
    pub kind: __u32,
    pub is_new: __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_extent"][::core::mem::size_of::<bento_extent>() - 32usize];
    ["Alignment of bento_extent"][::core::mem::align_of::<bento_extent>() - 8usize];
    ["Offset of field: bento_extent::offset"]
        [::core::mem::offset_of!(bento_extent, offset) - 0usize];
    ["Offset of field: bento_extent::len"][::core::mem::offset_of!(bento_extent, len) - 8usize];
    ["Offset of field: bento_extent::addr"][::core::mem::offset_of!(bento_extent, addr) - 16usize];
    ["Offset of field: bento_extent::kind"][::core::mem::offset_of!(bento_extent, kind) - 24usize];
    ["Offset of field: bento_extent::is_new"]
        [::core::mem::offset_of!(bento_extent, is_new) - 28usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct bento_statfs {
    pub blocks: __u64,
    pub blocks_free: __u64,
    pub blocks_available: __u64,
    pub files: __u64,
    pub files_free: __u64,
    pub fsid: __u64,
    pub block_size: __u32,
    pub name_max: __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_statfs"][::core::mem::size_of::<bento_statfs>() - 56usize];
    ["Alignment of bento_statfs"][::core::mem::align_of::<bento_statfs>() - 8usize];
    ["Offset of field: bento_statfs::blocks"]
        [::core::mem::offset_of!(bento_statfs, blocks) - 0usize];
    ["Offset of field: bento_statfs::blocks_free"]
        [::core::mem::offset_of!(bento_statfs, blocks_free) - 8usize];
    ["Offset of field: bento_statfs::blocks_available"]
        [::core::mem::offset_of!(bento_statfs, blocks_available) - 16usize];
    ["Offset of field: bento_statfs::files"]
        [::core::mem::offset_of!(bento_statfs, files) - 24usize];
    ["Offset of field: bento_statfs::files_free"]
        [::core::mem::offset_of!(bento_statfs, files_free) - 32usize];
    ["Offset of field: bento_statfs::fsid"][::core::mem::offset_of!(bento_statfs, fsid) - 40usize];
    ["Offset of field: bento_statfs::block_size"]
        [::core::mem::offset_of!(bento_statfs, block_size) - 48usize];
    ["Offset of field: bento_statfs::name_max"]
        [::core::mem::offset_of!(bento_statfs, name_max) - 52usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct bento_dirent {
    pub ino: [__u8; 8usize],
    pub cookie: [__u8; 8usize],
    pub dirent_type: __u8,
    pub name_len: __u8,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_dirent"][::core::mem::size_of::<bento_dirent>() - 18usize];
    ["Alignment of bento_dirent"][::core::mem::align_of::<bento_dirent>() - 1usize];
    ["Offset of field: bento_dirent::ino"][::core::mem::offset_of!(bento_dirent, ino) - 0usize];
    ["Offset of field: bento_dirent::cookie"]
        [::core::mem::offset_of!(bento_dirent, cookie) - 8usize];
    ["Offset of field: bento_dirent::dirent_type"]
        [::core::mem::offset_of!(bento_dirent, dirent_type) - 16usize];
    ["Offset of field: bento_dirent::name_len"]
        [::core::mem::offset_of!(bento_dirent, name_len) - 17usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct bento_mount_in {
    pub dev: *mut bento_dev,
    pub options: *const __u8,
    pub options_len: __u32,
    pub flags: __u32,
    pub state: *const __u8,
    pub state_len: __u64,
    pub schema: __u32,
    pub pad: __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_mount_in"][::core::mem::size_of::<bento_mount_in>() - 48usize];
    ["Alignment of bento_mount_in"][::core::mem::align_of::<bento_mount_in>() - 8usize];
    ["Offset of field: bento_mount_in::dev"][::core::mem::offset_of!(bento_mount_in, dev) - 0usize];
    ["Offset of field: bento_mount_in::options"]
        [::core::mem::offset_of!(bento_mount_in, options) - 8usize];
    ["Offset of field: bento_mount_in::options_len"]
        [::core::mem::offset_of!(bento_mount_in, options_len) - 16usize];
    ["Offset of field: bento_mount_in::flags"]
        [::core::mem::offset_of!(bento_mount_in, flags) - 20usize];
    ["Offset of field: bento_mount_in::state"]
        [::core::mem::offset_of!(bento_mount_in, state) - 24usize];
    ["Offset of field: bento_mount_in::state_len"]
        [::core::mem::offset_of!(bento_mount_in, state_len) - 32usize];
    ["Offset of field: bento_mount_in::schema"]
        [::core::mem::offset_of!(bento_mount_in, schema) - 40usize];
    ["Offset of field: bento_mount_in::pad"]
        [::core::mem::offset_of!(bento_mount_in, pad) - 44usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct bento_mount_out {
    pub fs: __u64,
    pub root: __u64,
    pub max_file_size: __u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_mount_out"][::core::mem::size_of::<bento_mount_out>() - 24usize];
    ["Alignment of bento_mount_out"][::core::mem::align_of::<bento_mount_out>() - 8usize];
    ["Offset of field: bento_mount_out::fs"][::core::mem::offset_of!(bento_mount_out, fs) - 0usize];
    ["Offset of field: bento_mount_out::root"]
        [::core::mem::offset_of!(bento_mount_out, root) - 8usize];
    ["Offset of field: bento_mount_out::max_file_size"]
        [::core::mem::offset_of!(bento_mount_out, max_file_size) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct bento_make_in {
    pub name: *const __u8,
    pub target: *const __u8,
    pub name_len: __u32,
    pub target_len: __u32,
    pub mode: __u32,
    pub rdev: __u32,
    pub xattrs: *const bento_xattr,
    pub xattr_count: __u32,
    pub pad: __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_make_in"][::core::mem::size_of::<bento_make_in>() - 48usize];
    ["Alignment of bento_make_in"][::core::mem::align_of::<bento_make_in>() - 8usize];
    ["Offset of field: bento_make_in::name"][::core::mem::offset_of!(bento_make_in, name) - 0usize];
    ["Offset of field: bento_make_in::target"]
        [::core::mem::offset_of!(bento_make_in, target) - 8usize];
    ["Offset of field: bento_make_in::name_len"]
        [::core::mem::offset_of!(bento_make_in, name_len) - 16usize];
    ["Offset of field: bento_make_in::target_len"]
        [::core::mem::offset_of!(bento_make_in, target_len) - 20usize];
    ["Offset of field: bento_make_in::mode"]
        [::core::mem::offset_of!(bento_make_in, mode) - 24usize];
    ["Offset of field: bento_make_in::rdev"]
        [::core::mem::offset_of!(bento_make_in, rdev) - 28usize];
    ["Offset of field: bento_make_in::xattrs"]
        [::core::mem::offset_of!(bento_make_in, xattrs) - 32usize];
    ["Offset of field: bento_make_in::xattr_count"]
        [::core::mem::offset_of!(bento_make_in, xattr_count) - 40usize];
    ["Offset of field: bento_make_in::pad"][::core::mem::offset_of!(bento_make_in, pad) - 44usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct bento_rename_in {
    pub old_dir: __u64,
    pub new_dir: __u64,
    pub node: __u64,
    pub replaced: __u64,
    pub old_name: *const __u8,
    pub new_name: *const __u8,
    pub old_name_len: __u32,
    pub new_name_len: __u32,
    pub flags: __u32,
    pub pad: __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_rename_in"][::core::mem::size_of::<bento_rename_in>() - 64usize];
    ["Alignment of bento_rename_in"][::core::mem::align_of::<bento_rename_in>() - 8usize];
    ["Offset of field: bento_rename_in::old_dir"]
        [::core::mem::offset_of!(bento_rename_in, old_dir) - 0usize];
    ["Offset of field: bento_rename_in::new_dir"]
        [::core::mem::offset_of!(bento_rename_in, new_dir) - 8usize];
    ["Offset of field: bento_rename_in::node"]
        [::core::mem::offset_of!(bento_rename_in, node) - 16usize];
    ["Offset of field: bento_rename_in::replaced"]
        [::core::mem::offset_of!(bento_rename_in, replaced) - 24usize];
    ["Offset of field: bento_rename_in::old_name"]
        [::core::mem::offset_of!(bento_rename_in, old_name) - 32usize];
    ["Offset of field: bento_rename_in::new_name"]
        [::core::mem::offset_of!(bento_rename_in, new_name) - 40usize];
    ["Offset of field: bento_rename_in::old_name_len"]
        [::core::mem::offset_of!(bento_rename_in, old_name_len) - 48usize];
    ["Offset of field: bento_rename_in::new_name_len"]
        [::core::mem::offset_of!(bento_rename_in, new_name_len) - 52usize];
    ["Offset of field: bento_rename_in::flags"]
        [::core::mem::offset_of!(bento_rename_in, flags) - 56usize];
    ["Offset of field: bento_rename_in::pad"]
        [::core::mem::offset_of!(bento_rename_in, pad) - 60usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct bento_log_start {
    pub inos: [__u64; 8usize],
    pub count: __u32,
    pub made: __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_log_start"][::core::mem::size_of::<bento_log_start>() - 72usize];
    ["Alignment of bento_log_start"][::core::mem::align_of::<bento_log_start>() - 8usize];
    ["Offset of field: bento_log_start::inos"]
        [::core::mem::offset_of!(bento_log_start, inos) - 0usize];
    ["Offset of field: bento_log_start::count"]
        [::core::mem::offset_of!(bento_log_start, count) - 64usize];
    ["Offset of field: bento_log_start::made"]
        [::core::mem::offset_of!(bento_log_start, made) - 68usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct bento_log_drain {
    pub ino: __u64,
    pub len: __u32,
    pub flags: __u32,
    pub result: __s32,
    pub pad: __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_log_drain"][::core::mem::size_of::<bento_log_drain>() - 24usize];
    ["Alignment of bento_log_drain"][::core::mem::align_of::<bento_log_drain>() - 8usize];
    ["Offset of field: bento_log_drain::ino"]
        [::core::mem::offset_of!(bento_log_drain, ino) - 0usize];
    ["Offset of field: bento_log_drain::len"]
        [::core::mem::offset_of!(bento_log_drain, len) - 8usize];
    ["Offset of field: bento_log_drain::flags"]
        [::core::mem::offset_of!(bento_log_drain, flags) - 12usize];
    ["Offset of field: bento_log_drain::result"]
        [::core::mem::offset_of!(bento_log_drain, result) - 16usize];
    ["Offset of field: bento_log_drain::pad"]
        [::core::mem::offset_of!(bento_log_drain, pad) - 20usize];
};
pub const BENTO_OP_NONE: bento_op = 0;
pub const BENTO_OP_MOUNT: bento_op = 1;
pub const BENTO_OP_UNMOUNT: bento_op = 2;
pub const BENTO_OP_DESTROY: bento_op = 3;
pub const BENTO_OP_STATFS: bento_op = 4;
pub const BENTO_OP_LOAD: bento_op = 5;
pub const BENTO_OP_DROP_NODE: bento_op = 6;
pub const BENTO_OP_FORGET: bento_op = 7;
pub const BENTO_OP_LOOKUP: bento_op = 8;
pub const BENTO_OP_GETATTR: bento_op = 9;
pub const BENTO_OP_SETATTR: bento_op = 10;
pub const BENTO_OP_READDIR: bento_op = 11;
pub const BENTO_OP_CREATE: bento_op = 12;
pub const BENTO_OP_MKNOD: bento_op = 13;
pub const BENTO_OP_MKDIR: bento_op = 14;
pub const BENTO_OP_SYMLINK: bento_op = 15;
pub const BENTO_OP_READLINK: bento_op = 16;
pub const BENTO_OP_LINK: bento_op = 17;
pub const BENTO_OP_UNLINK: bento_op = 18;
pub const BENTO_OP_RMDIR: bento_op = 19;
pub const BENTO_OP_RENAME: bento_op = 20;
pub const BENTO_OP_MAP: bento_op = 21;
pub const BENTO_OP_ALLOCATE: bento_op = 22;
pub const BENTO_OP_COMMIT: bento_op = 23;
pub const BENTO_OP_READ: bento_op = 24;
pub const BENTO_OP_WRITE: bento_op = 25;
pub const BENTO_OP_FSYNC: bento_op = 26;
pub const BENTO_OP_SYNC: bento_op = 27;
pub const BENTO_OP_PREPARE: bento_op = 28;
pub const BENTO_OP_EXPORT: bento_op = 29;
pub const BENTO_OP_IMPORT: bento_op = 30;
pub const BENTO_OP_GETXATTR: bento_op = 31;
pub const BENTO_OP_SETXATTR: bento_op = 32;
pub const BENTO_OP_REMOVEXATTR: bento_op = 33;
pub const BENTO_OP_LISTXATTR: bento_op = 34;
pub const BENTO_OP_FALLOCATE: bento_op = 35;
pub const BENTO_OP_TMPFILE: bento_op = 36;
pub const BENTO_OP_TRIM: bento_op = 37;
pub const BENTO_OP_PARENT: bento_op = 38;
pub const BENTO_OP_TRY_EXPORT: bento_op = 39;
pub const BENTO_OP_TRY_IMPORT: bento_op = 40;
pub const BENTO_OP_EVENT: bento_op = 41;
pub const BENTO_OP_START_LOG: bento_op = 42;
pub const BENTO_OP_DRAIN_LOG: bento_op = 43;
pub const BENTO_OP_NEXT_ORPHAN: bento_op = 44;
pub const BENTO_OP_MAX: bento_op = 45;
pub type bento_op = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct bento_fs_ops {
    pub magic: __u64,
    pub abi_version: __u32,
    pub size: __u32,
    pub ops: __u64,
    pub caps: __u64,
    pub schema_min: __u32,
    pub schema: __u32,
    pub name: [__u8; 16usize],
    pub version: [__u8; 32usize],
    pub mount: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            in_: *const bento_mount_in,
            out: *mut bento_mount_out,
        ) -> ::core::ffi::c_int,
    >,
    pub import_state: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            in_: *const bento_mount_in,
            out: *mut bento_mount_out,
        ) -> ::core::ffi::c_int,
    >,
    pub unmount: ::core::option::Option<
        unsafe extern "C" fn(cx: *mut bento_cx, fs: __u64) -> ::core::ffi::c_int,
    >,
    pub destroy: ::core::option::Option<unsafe extern "C" fn(cx: *mut bento_cx, fs: __u64)>,
    pub prepare: ::core::option::Option<
        unsafe extern "C" fn(cx: *mut bento_cx, fs: __u64) -> ::core::ffi::c_int,
    >,
    pub export_state: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            state: *mut bento_state,
        ) -> ::core::ffi::c_int,
    >,
    pub statfs: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            out: *mut bento_statfs,
        ) -> ::core::ffi::c_int,
    >,
    pub sync: ::core::option::Option<
        unsafe extern "C" fn(cx: *mut bento_cx, fs: __u64) -> ::core::ffi::c_int,
    >,
    pub load: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            ino: __u64,
            out: *mut bento_entry,
        ) -> ::core::ffi::c_int,
    >,
    pub drop_node: ::core::option::Option<unsafe extern "C" fn(cx: *mut bento_cx, node: __u64)>,
    pub forget: ::core::option::Option<
        unsafe extern "C" fn(cx: *mut bento_cx, fs: __u64, node: __u64) -> ::core::ffi::c_int,
    >,
    pub lookup: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            dir: __u64,
            name: *const __u8,
            name_len: __u32,
            ino: *mut __u64,
        ) -> ::core::ffi::c_int,
    >,
    pub getattr: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            node: __u64,
            out: *mut bento_attr,
        ) -> ::core::ffi::c_int,
    >,
    pub setattr: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            node: __u64,
            in_: *const bento_setattr,
        ) -> ::core::ffi::c_int,
    >,
    pub readdir: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            dir: __u64,
            cookie: __u64,
            buf: *mut __u8,
            len: __u32,
            used: *mut __u32,
            more: *mut __u32,
        ) -> ::core::ffi::c_int,
    >,
    pub create: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            dir: __u64,
            in_: *const bento_make_in,
            out: *mut bento_entry,
        ) -> ::core::ffi::c_int,
    >,
    pub mknod: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            dir: __u64,
            in_: *const bento_make_in,
            out: *mut bento_entry,
        ) -> ::core::ffi::c_int,
    >,
    pub mkdir: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            dir: __u64,
            in_: *const bento_make_in,
            out: *mut bento_entry,
        ) -> ::core::ffi::c_int,
    >,
    pub symlink: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            dir: __u64,
            in_: *const bento_make_in,
            out: *mut bento_entry,
        ) -> ::core::ffi::c_int,
    >,
    pub readlink: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            node: __u64,
            buf: *mut __u8,
            len: __u32,
        ) -> ::core::ffi::c_int,
    >,
    pub link: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            node: __u64,
            dir: __u64,
            name: *const __u8,
            name_len: __u32,
        ) -> ::core::ffi::c_int,
    >,
    pub unlink: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            dir: __u64,
            name: *const __u8,
            name_len: __u32,
            child: __u64,
        ) -> ::core::ffi::c_int,
    >,
    pub rmdir: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            dir: __u64,
            name: *const __u8,
            name_len: __u32,
            child: __u64,
        ) -> ::core::ffi::c_int,
    >,
    pub rename: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            in_: *const bento_rename_in,
        ) -> ::core::ffi::c_int,
    >,
    pub map: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            node: __u64,
            offset: __u64,
            len: __u64,
            out: *mut bento_extent,
        ) -> ::core::ffi::c_int,
    >,
    pub allocate: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            node: __u64,
            offset: __u64,
            len: __u64,
            out: *mut bento_extent,
        ) -> ::core::ffi::c_int,
    >,
    pub commit: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            node: __u64,
            offset: __u64,
            len: __u64,
            size: __u64,
        ) -> ::core::ffi::c_int,
    >,
    pub read: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            node: __u64,
            offset: __u64,
            buf: *mut __u8,
            len: __u32,
        ) -> ::core::ffi::c_int,
    >,
    pub write: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            node: __u64,
            offset: __u64,
            buf: *const __u8,
            len: __u32,
        ) -> ::core::ffi::c_int,
    >,
    pub fsync: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            node: __u64,
            datasync: __u32,
        ) -> ::core::ffi::c_int,
    >,
    pub getxattr: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            node: __u64,
            name: *const __u8,
            name_len: __u32,
            buf: *mut __u8,
            len: __u32,
        ) -> ::core::ffi::c_int,
    >,
    pub setxattr: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            node: __u64,
            in_: *const bento_xattr,
            flags: __u32,
        ) -> ::core::ffi::c_int,
    >,
    pub removexattr: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            node: __u64,
            name: *const __u8,
            name_len: __u32,
        ) -> ::core::ffi::c_int,
    >,
    pub listxattr: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            node: __u64,
            buf: *mut __u8,
            len: __u32,
        ) -> ::core::ffi::c_int,
    >,
    pub fallocate: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            node: __u64,
            in_: *const bento_fallocate_in,
        ) -> ::core::ffi::c_int,
    >,
    pub tmpfile: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            dir: __u64,
            in_: *const bento_make_in,
            out: *mut bento_entry,
        ) -> ::core::ffi::c_int,
    >,
    pub trim: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            inout: *mut bento_trim,
        ) -> ::core::ffi::c_int,
    >,
    pub parent: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            dir: __u64,
            ino: *mut __u64,
        ) -> ::core::ffi::c_int,
    >,
    pub event: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            node: __u64,
            kind: __u32,
        ) -> ::core::ffi::c_int,
    >,
    pub start_log: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            root: __u64,
            out: *mut bento_log_start,
        ) -> ::core::ffi::c_int,
    >,
    pub drain_log: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            buf: *mut __u8,
            cap: __u32,
            io: *mut bento_log_drain,
        ) -> ::core::ffi::c_int,
    >,
    pub next_orphan: ::core::option::Option<
        unsafe extern "C" fn(
            cx: *mut bento_cx,
            fs: __u64,
            from: __u64,
            ino: *mut __u64,
        ) -> ::core::ffi::c_int,
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_fs_ops"][::core::mem::size_of::<bento_fs_ops>() - 424usize];
    ["Alignment of bento_fs_ops"][::core::mem::align_of::<bento_fs_ops>() - 8usize];
    ["Offset of field: bento_fs_ops::magic"][::core::mem::offset_of!(bento_fs_ops, magic) - 0usize];
    ["Offset of field: bento_fs_ops::abi_version"]
        [::core::mem::offset_of!(bento_fs_ops, abi_version) - 8usize];
    ["Offset of field: bento_fs_ops::size"][::core::mem::offset_of!(bento_fs_ops, size) - 12usize];
    ["Offset of field: bento_fs_ops::ops"][::core::mem::offset_of!(bento_fs_ops, ops) - 16usize];
    ["Offset of field: bento_fs_ops::caps"][::core::mem::offset_of!(bento_fs_ops, caps) - 24usize];
    ["Offset of field: bento_fs_ops::schema_min"]
        [::core::mem::offset_of!(bento_fs_ops, schema_min) - 32usize];
    ["Offset of field: bento_fs_ops::schema"]
        [::core::mem::offset_of!(bento_fs_ops, schema) - 36usize];
    ["Offset of field: bento_fs_ops::name"][::core::mem::offset_of!(bento_fs_ops, name) - 40usize];
    ["Offset of field: bento_fs_ops::version"]
        [::core::mem::offset_of!(bento_fs_ops, version) - 56usize];
    ["Offset of field: bento_fs_ops::mount"]
        [::core::mem::offset_of!(bento_fs_ops, mount) - 88usize];
    ["Offset of field: bento_fs_ops::import_state"]
        [::core::mem::offset_of!(bento_fs_ops, import_state) - 96usize];
    ["Offset of field: bento_fs_ops::unmount"]
        [::core::mem::offset_of!(bento_fs_ops, unmount) - 104usize];
    ["Offset of field: bento_fs_ops::destroy"]
        [::core::mem::offset_of!(bento_fs_ops, destroy) - 112usize];
    ["Offset of field: bento_fs_ops::prepare"]
        [::core::mem::offset_of!(bento_fs_ops, prepare) - 120usize];
    ["Offset of field: bento_fs_ops::export_state"]
        [::core::mem::offset_of!(bento_fs_ops, export_state) - 128usize];
    ["Offset of field: bento_fs_ops::statfs"]
        [::core::mem::offset_of!(bento_fs_ops, statfs) - 136usize];
    ["Offset of field: bento_fs_ops::sync"][::core::mem::offset_of!(bento_fs_ops, sync) - 144usize];
    ["Offset of field: bento_fs_ops::load"][::core::mem::offset_of!(bento_fs_ops, load) - 152usize];
    ["Offset of field: bento_fs_ops::drop_node"]
        [::core::mem::offset_of!(bento_fs_ops, drop_node) - 160usize];
    ["Offset of field: bento_fs_ops::forget"]
        [::core::mem::offset_of!(bento_fs_ops, forget) - 168usize];
    ["Offset of field: bento_fs_ops::lookup"]
        [::core::mem::offset_of!(bento_fs_ops, lookup) - 176usize];
    ["Offset of field: bento_fs_ops::getattr"]
        [::core::mem::offset_of!(bento_fs_ops, getattr) - 184usize];
    ["Offset of field: bento_fs_ops::setattr"]
        [::core::mem::offset_of!(bento_fs_ops, setattr) - 192usize];
    ["Offset of field: bento_fs_ops::readdir"]
        [::core::mem::offset_of!(bento_fs_ops, readdir) - 200usize];
    ["Offset of field: bento_fs_ops::create"]
        [::core::mem::offset_of!(bento_fs_ops, create) - 208usize];
    ["Offset of field: bento_fs_ops::mknod"]
        [::core::mem::offset_of!(bento_fs_ops, mknod) - 216usize];
    ["Offset of field: bento_fs_ops::mkdir"]
        [::core::mem::offset_of!(bento_fs_ops, mkdir) - 224usize];
    ["Offset of field: bento_fs_ops::symlink"]
        [::core::mem::offset_of!(bento_fs_ops, symlink) - 232usize];
    ["Offset of field: bento_fs_ops::readlink"]
        [::core::mem::offset_of!(bento_fs_ops, readlink) - 240usize];
    ["Offset of field: bento_fs_ops::link"][::core::mem::offset_of!(bento_fs_ops, link) - 248usize];
    ["Offset of field: bento_fs_ops::unlink"]
        [::core::mem::offset_of!(bento_fs_ops, unlink) - 256usize];
    ["Offset of field: bento_fs_ops::rmdir"]
        [::core::mem::offset_of!(bento_fs_ops, rmdir) - 264usize];
    ["Offset of field: bento_fs_ops::rename"]
        [::core::mem::offset_of!(bento_fs_ops, rename) - 272usize];
    ["Offset of field: bento_fs_ops::map"][::core::mem::offset_of!(bento_fs_ops, map) - 280usize];
    ["Offset of field: bento_fs_ops::allocate"]
        [::core::mem::offset_of!(bento_fs_ops, allocate) - 288usize];
    ["Offset of field: bento_fs_ops::commit"]
        [::core::mem::offset_of!(bento_fs_ops, commit) - 296usize];
    ["Offset of field: bento_fs_ops::read"][::core::mem::offset_of!(bento_fs_ops, read) - 304usize];
    ["Offset of field: bento_fs_ops::write"]
        [::core::mem::offset_of!(bento_fs_ops, write) - 312usize];
    ["Offset of field: bento_fs_ops::fsync"]
        [::core::mem::offset_of!(bento_fs_ops, fsync) - 320usize];
    ["Offset of field: bento_fs_ops::getxattr"]
        [::core::mem::offset_of!(bento_fs_ops, getxattr) - 328usize];
    ["Offset of field: bento_fs_ops::setxattr"]
        [::core::mem::offset_of!(bento_fs_ops, setxattr) - 336usize];
    ["Offset of field: bento_fs_ops::removexattr"]
        [::core::mem::offset_of!(bento_fs_ops, removexattr) - 344usize];
    ["Offset of field: bento_fs_ops::listxattr"]
        [::core::mem::offset_of!(bento_fs_ops, listxattr) - 352usize];
    ["Offset of field: bento_fs_ops::fallocate"]
        [::core::mem::offset_of!(bento_fs_ops, fallocate) - 360usize];
    ["Offset of field: bento_fs_ops::tmpfile"]
        [::core::mem::offset_of!(bento_fs_ops, tmpfile) - 368usize];
    ["Offset of field: bento_fs_ops::trim"][::core::mem::offset_of!(bento_fs_ops, trim) - 376usize];
    ["Offset of field: bento_fs_ops::parent"]
        [::core::mem::offset_of!(bento_fs_ops, parent) - 384usize];
    ["Offset of field: bento_fs_ops::event"]
        [::core::mem::offset_of!(bento_fs_ops, event) - 392usize];
    ["Offset of field: bento_fs_ops::start_log"]
        [::core::mem::offset_of!(bento_fs_ops, start_log) - 400usize];
    ["Offset of field: bento_fs_ops::drain_log"]
        [::core::mem::offset_of!(bento_fs_ops, drain_log) - 408usize];
    ["Offset of field: bento_fs_ops::next_orphan"]
        [::core::mem::offset_of!(bento_fs_ops, next_orphan) - 416usize];
};
pub const BENTO_PANIC_MESSAGE: bento_panic = 1;
pub const BENTO_PANIC_INDEX: bento_panic = 2;
pub const BENTO_PANIC_OVERFLOW: bento_panic = 3;
pub const BENTO_PANIC_UNWRAP: bento_panic = 4;
pub const BENTO_PANIC_SLICE: bento_panic = 5;
pub const BENTO_PANIC_MEMORY: bento_panic = 6;
pub const BENTO_PANIC_DROP: bento_panic = 7;
pub const BENTO_PANIC_DOUBLE: bento_panic = 8;
pub const BENTO_PANIC_END: bento_panic = 9;
pub type bento_panic = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct bento_buf {
    pub handle: __u64,
    pub data: *mut __u8,
    pub lock: *mut __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_buf"][::core::mem::size_of::<bento_buf>() - 24usize];
    ["Alignment of bento_buf"][::core::mem::align_of::<bento_buf>() - 8usize];
    ["Offset of field: bento_buf::handle"][::core::mem::offset_of!(bento_buf, handle) - 0usize];
    ["Offset of field: bento_buf::data"][::core::mem::offset_of!(bento_buf, data) - 8usize];
    ["Offset of field: bento_buf::lock"][::core::mem::offset_of!(bento_buf, lock) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct bento_write {
    pub block: __u64,
    pub data: *const __u8,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of bento_write"][::core::mem::size_of::<bento_write>() - 16usize];
    ["Alignment of bento_write"][::core::mem::align_of::<bento_write>() - 8usize];
    ["Offset of field: bento_write::block"][::core::mem::offset_of!(bento_write, block) - 0usize];
    ["Offset of field: bento_write::data"][::core::mem::offset_of!(bento_write, data) - 8usize];
};
unsafe extern "C" {
    pub fn bento_ks_alloc(size: __u64, align: __u64) -> *mut ::core::ffi::c_void;
    pub fn bento_ks_alloc_zeroed(size: __u64, align: __u64) -> *mut ::core::ffi::c_void;
    pub fn bento_ks_realloc(
        ptr: *mut ::core::ffi::c_void,
        old_size: __u64,
        new_size: __u64,
        align: __u64,
    ) -> *mut ::core::ffi::c_void;
    pub fn bento_ks_free(ptr: *mut ::core::ffi::c_void);
    pub fn bento_ks_log(dev: *mut bento_dev, level: __u32, text: *const __u8, len: __u32);
    pub fn bento_ks_on_panic(text: *const __u8, len: __u32);
    pub fn bento_ks_panicking() -> __u32;
    pub fn bento_ks_panic_done();
    pub fn bento_ks_bug();
    pub fn bento_ks_lock_wait(word: *const __u32, expected: __u32) -> ::core::ffi::c_int;
    pub fn bento_ks_lock_wake(word: *const __u32);
    pub fn bento_ks_dev_blocks(dev: *const bento_dev) -> __u64;
    pub fn bento_ks_dev_read_only(dev: *const bento_dev) -> __u32;
    pub fn bento_ks_buf_read(
        dev: *mut bento_dev,
        block: __u64,
        ahead: __u32,
        out: *mut bento_buf,
    ) -> ::core::ffi::c_int;
    pub fn bento_ks_buf_zeroed(
        dev: *mut bento_dev,
        block: __u64,
        out: *mut bento_buf,
    ) -> ::core::ffi::c_int;
    pub fn bento_ks_buf_get(handle: __u64);
    pub fn bento_ks_buf_put(handle: __u64);
    pub fn bento_ks_write(
        dev: *mut bento_dev,
        writes: *const bento_write,
        count: __u32,
        flags: __u32,
    ) -> ::core::ffi::c_int;
    pub fn bento_ks_flush(dev: *mut bento_dev) -> ::core::ffi::c_int;
    pub fn bento_ks_discard(dev: *mut bento_dev, block: __u64, count: __u64) -> ::core::ffi::c_int;
    pub fn bento_ks_state_write(
        state: *mut bento_state,
        data: *const __u8,
        len: __u64,
    ) -> ::core::ffi::c_int;
}
