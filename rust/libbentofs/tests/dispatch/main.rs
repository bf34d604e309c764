// SPDX-License-Identifier: GPL-2.0-only
//! File systems behind the C table, called as bentofs calls them.

/// Calls an operation of a table.
macro_rules! call {
    ($table:expr, $op:ident($($argument:expr),* $(,)?)) => {{
        let function = $table.$op.expect("all are set");
        // SAFETY: the tests pass what `bento_abi.h` asks for.
        unsafe { function(&mut cx(), $($argument),*) }
    }};
}

mod log;
mod make;
#[path = "../../../libbentoks/tests/mock/mod.rs"]
mod mock;
mod probe;
mod refuse;
mod space;
mod xattr;

use bento::{Errno, StateReader};
use bento_sys::{
    BENTO_CAP_DEVICE, BENTO_MOUNT_REPAIR, bento_attr, bento_cx, bento_entry, bento_extent,
    bento_fs_ops, bento_mount_in, bento_mount_out, bento_rename_in, bento_setattr, bento_statfs,
};
use core::ffi::c_int;
use core::ptr;
use hello::Hello;
use probe::Probe;

const PROBE: bento_fs_ops = libbentofs::table::<Probe>(None);

fn cx() -> bento_cx {
    bento_cx {
        uid: 1000,
        gid: 100,
        pid: 42,
        now: bento_sys::bento_time {
            sec: 7,
            nsec: 8,
            pad: 0,
        },
        comm: *b"probe\0\0\0\0\0\0\0\0\0\0\0",
        ..bento_cx::default()
    }
}

fn input(disk: Option<&mut mock::MockDisk>, options: &str) -> bento_mount_in {
    bento_mount_in {
        dev: disk.map_or(ptr::null_mut(), |disk| disk.raw()),
        options: options.as_ptr(),
        options_len: u32::try_from(options.len()).expect("short"),
        flags: BENTO_MOUNT_REPAIR,
        state: ptr::null(),
        state_len: 0,
        schema: 0,
        pad: 0,
    }
}

/// Mounts and loads the root: instance and node.
fn mounted(table: &bento_fs_ops, disk: Option<&mut mock::MockDisk>) -> (u64, u64) {
    let (mut out, mut root) = (bento_mount_out::default(), bento_entry::default());
    assert_eq!(call!(table, mount(&input(disk, ""), &mut out)), 0);
    assert_eq!(call!(table, load(out.fs, out.root, &mut root)), 0);
    assert!(out.fs != 0 && root.node != 0);
    (out.fs, root.node)
}

fn state_of(table: &bento_fs_ops, fs: u64) -> Vec<u8> {
    let mut state: Vec<u8> = Vec::new();
    let result = call!(table, export_state(fs, (&raw mut state).cast()));
    assert_eq!(result, 0);
    state
}

/// The notes that the probe exports, which are the only record of its state.
fn notes_of(table: &bento_fs_ops, fs: u64) -> String {
    let bytes = state_of(table, fs);
    let state = StateReader::unseal(&bytes).expect("a sealed state");
    assert_eq!(state.records().count(), 1);
    let notes = state.find(1).expect("the notes");
    String::from_utf8_lossy(notes).into_owned()
}

fn errno(result: c_int) -> Errno {
    assert!(result < 0, "{result} is no error");
    Errno::from_raw(-result)
}

#[test]
fn the_head_of_the_table_names_the_build() {
    let table = PROBE;
    assert_eq!((table.magic, table.abi_version), (0x4f_544e_4542, 6));
    assert_eq!(table.size as usize, size_of::<bento_fs_ops>());
    assert_eq!(&table.name, b"probe\0\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(&table.version[..6], b"1.2.3\0");
    assert_eq!((table.schema_min, table.schema), (2, 3));
    assert_eq!(table.caps, u64::from(BENTO_CAP_DEVICE));
    assert_eq!(table.ops, 0x1f_ffff);
    let hello = libbentofs::table::<Hello>(Some("9.9"));
    assert_eq!(hello.caps, 0);
    assert_eq!(&hello.version[..4], b"9.9\0");
}

#[test]
fn arguments_and_answers_pass_unchanged() {
    let mut disk = mock::MockDisk::new(100);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    let (mut attr, mut stat, mut ino) = (bento_attr::default(), bento_statfs::default(), 0);
    assert_eq!(call!(PROBE, getattr(fs, root, &mut attr)), 0);
    assert_eq!(
        (attr.ino, attr.size, attr.blocks, attr.generation),
        (5, 10, 8, 77)
    );
    assert_eq!((attr.mode, attr.nlink), (0o100_644, 3));
    assert_eq!((attr.uid, attr.gid, attr.rdev), (1, 2, 4));
    assert_eq!((attr.btime.sec, attr.ctime.nsec), (-1, 999));
    assert_eq!((attr.flags, attr.xattrs), (0x1_0020, 1));
    assert_eq!(call!(PROBE, statfs(fs, &mut stat)), 0);
    assert_eq!((stat.blocks, stat.name_max), (100, 255));
    assert_eq!(
        call!(PROBE, lookup(fs, root, b"four".as_ptr(), 4, &mut ino)),
        0
    );
    assert_eq!(ino, 9);
    assert_eq!(call!(PROBE, next_orphan(fs, 6, &mut ino)), 0);
    assert_eq!(ino, 6);
    let none = call!(PROBE, next_orphan(fs, 7, &mut ino));
    assert_eq!(errno(none), Errno::ENOENT);
    let mut extent = bento_extent::default();
    assert_eq!(call!(PROBE, map(fs, root, 4096, 8192, &mut extent)), 0);
    assert_eq!((extent.offset, extent.len, extent.addr), (4096, 8192, 8192));
    assert_eq!((extent.kind, extent.is_new), (2, 1));
    let set = bento_setattr {
        mask: 1 << 3 | 1 << 6 | 1 << 7,
        size: 11,
        flags: 0x40,
        ..bento_setattr::default()
    };
    assert_eq!(call!(PROBE, setattr(fs, root, &set)), 0);
    let rename = bento_rename_in {
        old_dir: root,
        new_dir: root,
        node: root,
        replaced: 0,
        old_name: b"a".as_ptr(),
        new_name: b"bc".as_ptr(),
        old_name_len: 1,
        new_name_len: 2,
        flags: 1,
        pad: 0,
    };
    assert_eq!(call!(PROBE, rename(fs, &rename)), 0);
    let notes = notes_of(&PROBE, fs);
    let expected = "mount MountOptions { read_only: false, repair: true, no_recovery: false, \
        discard: false, text: \"\" }\n\
        setattr 5 SetAttrMask(SIZE | CTIME | FLAGS) 11 Timespec { sec: 0, nsec: 0 } InodeFlags(NODUMP)\n\
        rename (InodeNo(5), [97]) (InodeNo(5), [98, 99]) 5 None RenameFlags(NOREPLACE)";
    assert_eq!(notes, expected);
    call!(PROBE, drop_node(root));
    call!(PROBE, destroy(fs));
}

#[test]
fn a_directory_comes_in_parts() {
    let mut disk = mock::MockDisk::new(1);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    let (mut buf, mut used, mut more) = ([0u8; 60], 0, 0);
    let result = call!(
        PROBE,
        readdir(fs, root, 0, buf.as_mut_ptr(), 60, &mut used, &mut more)
    );
    assert_eq!((result, used, more), (0, 44, 1));
    let records = bento::dirbuf::records(&buf[..44]);
    let cookies: Vec<_> = records.map(|record| record.cookie).collect();
    assert_eq!(cookies, [2, 3]);
    call!(PROBE, drop_node(root));
    call!(PROBE, destroy(fs));
}

#[test]
fn errors_panics_and_lies_become_errnos() {
    let mut disk = mock::MockDisk::new(10);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    let mut entry = bento_entry::default();
    assert_eq!(
        errno(call!(PROBE, load(fs, 404, &mut entry))),
        Errno::ESTALE
    );
    assert_eq!(errno(call!(PROBE, load(fs, 666, &mut entry))), Errno::EIO);
    let mut buf = [0u8; 16];
    let lie = call!(PROBE, readlink(fs, root, buf.as_mut_ptr(), 16));
    assert_eq!(errno(lie), Errno::EIO);
    assert_eq!(call!(PROBE, write(fs, root, 3, b"abcd".as_ptr(), 4)), 3);
    disk.fail = 1;
    let inject = call!(PROBE, write(fs, root, 3, b"abcd".as_ptr(), 4));
    assert_eq!(errno(inject), Errno::EIO, "fault injection panics");
    disk.fail = -28;
    let full = call!(PROBE, write(fs, root, 3, b"abcd".as_ptr(), 4));
    assert_eq!(errno(full), Errno::ENOSPC);
    assert_eq!((disk.held(), disk.lock_word(3)), (0, 0));
    call!(PROBE, drop_node(root));
    call!(PROBE, destroy(fs));
}

#[test]
fn a_mount_that_fails_leaves_no_instance() {
    let mut out = bento_mount_out::default();
    let no_device = call!(PROBE, mount(&input(None, ""), &mut out));
    assert_eq!(errno(no_device), Errno::EINVAL);
    let mut disk = mock::MockDisk::new(1);
    let panics = call!(PROBE, mount(&input(Some(&mut disk), "panic"), &mut out));
    assert_eq!(errno(panics), Errno::EIO);
    let mut bad = input(Some(&mut disk), "xyz");
    bad.options = b"\xff\xfe\xfd".as_ptr();
    assert_eq!(errno(call!(PROBE, mount(&bad, &mut out))), Errno::EINVAL);
    assert_eq!(out.fs, 0);
}

#[test]
fn state_goes_from_one_instance_to_the_next_if_the_version_fits() {
    let mut disk = mock::MockDisk::new(1);
    let (old, root) = mounted(&PROBE, Some(&mut disk));
    let state = state_of(&PROBE, old);
    let mut next = input(Some(&mut disk), "");
    (next.state, next.state_len) = (state.as_ptr(), state.len() as u64);
    let mut out = bento_mount_out::default();
    for (schema, fits) in [(1, false), (2, true), (3, true), (4, false)] {
        next.schema = schema;
        let result = call!(PROBE, import_state(&next, &mut out));
        if fits {
            assert_eq!(result, 0);
            let notes = notes_of(&PROBE, out.fs);
            assert!(notes.ends_with(&format!("import {schema} true")), "{notes}");
            call!(PROBE, destroy(out.fs));
        } else {
            assert_eq!(errno(result), Errno::EINVAL);
        }
    }
    next.schema = 3;
    next.state_len -= 1;
    let cut = call!(PROBE, import_state(&next, &mut out));
    assert_eq!(errno(cut), Errno::EINVAL);
    call!(PROBE, drop_node(root));
    call!(PROBE, destroy(old));
}

#[test]
fn hello_reads_and_writes_without_a_device() {
    let table = libbentofs::table::<Hello>(Some("9.9"));
    let (fs, root) = mounted(&table, None);
    let (mut ino, mut file) = (0, bento_entry::default());
    assert_eq!(
        call!(table, lookup(fs, root, b"hello".as_ptr(), 5, &mut ino)),
        0
    );
    assert_eq!(call!(table, load(fs, ino, &mut file)), 0);
    let node = file.node;
    assert_eq!(call!(table, write(fs, node, 6, b"with".as_ptr(), 4)), 4);
    let mut buf = [0u8; 64];
    let len = call!(table, read(fs, node, 0, buf.as_mut_ptr(), 64));
    let text = &buf[..usize::try_from(len).expect("no error")];
    assert_eq!(text, b"Hello with Bento!\n");
    call!(table, drop_node(node));
    call!(table, drop_node(root));
    call!(table, destroy(fs));
}
