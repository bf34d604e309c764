// SPDX-License-Identifier: GPL-2.0-only
//! Rules of `bento_abi.h` that a compiler does not check by itself.

use bento_sys::{
    bento_attr, bento_buf, bento_cx, bento_dirent, bento_entry, bento_extent, bento_fallocate_in,
    bento_fs_ops, bento_log_drain, bento_log_start, bento_make_in, bento_mount_in, bento_mount_out,
    bento_rename_in, bento_setattr, bento_statfs, bento_time, bento_trim, bento_write, bento_xattr,
};

/// Asserts that the fields fill the struct: padding would carry stack bytes across the boundary.
/// The pattern names all fields, so a field that is added to the header must be added here.
macro_rules! assert_no_padding {
    ($($name:ident { $($field:ident),+ })+) => {$(
        let sizes = |value: &$name| {
            let $name { $($field),+ } = value;
            0 $(+ size_of_val($field))+
        };
        let zeroed = core::mem::MaybeUninit::<$name>::zeroed();
        // SAFETY: the structs consist of integers, arrays of them and raw pointers, for all of
        // which zero is a value.
        let filled = sizes(unsafe { zeroed.assume_init_ref() });
        assert_eq!(filled, size_of::<$name>(), "padding in {}", stringify!($name));
    )+};
}

#[test]
fn no_struct_has_implicit_padding() {
    assert_no_padding! {
        bento_time { sec, nsec, pad }
        bento_cx { magic, task, inst, op, flags, uid, gid, pid, pad, now, comm }
        bento_attr { ino, size, blocks, atime, mtime, ctime, btime, generation, mode, nlink, uid,
            gid, rdev, flags, xattrs }
        bento_entry { attr, node }
        bento_setattr { mask, mode, uid, gid, size, atime, mtime, ctime, flags, pad }
        bento_xattr { name, value, name_len, value_len }
        bento_fallocate_in { offset, len, size, mode, pad }
        bento_trim { start, end, min_len, trimmed, next }
        bento_extent { offset, len, addr, kind, is_new }
        bento_statfs { blocks, blocks_free, blocks_available, files, files_free, fsid, block_size,
            name_max }
        bento_dirent { ino, cookie, dirent_type, name_len }
        bento_mount_in { dev, options, options_len, flags, state, state_len, schema, pad }
        bento_mount_out { fs, root, max_file_size }
        bento_make_in { name, target, name_len, target_len, mode, rdev, xattrs, xattr_count,
            pad }
        bento_rename_in { old_dir, new_dir, node, replaced, old_name, new_name, old_name_len,
            new_name_len, flags, pad }
        bento_log_start { inos, count, made }
        bento_log_drain { ino, len, flags, result, pad }
        bento_buf { handle, data, lock }
        bento_write { block, data }
    }
}

#[test]
fn the_table_is_a_head_and_one_pointer_per_operation() {
    let head = core::mem::offset_of!(bento_fs_ops, mount);
    assert_eq!(head, 8 + 4 + 4 + 8 + 8 + 4 + 4 + 16 + 32);
    assert_eq!((size_of::<bento_fs_ops>() - head) % size_of::<usize>(), 0);
    assert_eq!(
        core::mem::offset_of!(bento_fs_ops, next_orphan) + size_of::<usize>(),
        size_of::<bento_fs_ops>()
    );
}
