// SPDX-License-Identifier: GPL-2.0-only
//! New inodes: what they start with and to whom they belong.

use crate::probe::NODES;
use crate::{PROBE, cx, errno, mock, mounted, notes_of};
use bento::Errno;
use bento_sys::{bento_entry, bento_make_in, bento_xattr};
use core::ptr;
use core::sync::atomic::Ordering;

/// An attribute as C passes it.
pub(crate) fn xattr(name: &'static str, value: &'static [u8]) -> bento_xattr {
    bento_xattr {
        name: name.as_ptr(),
        value: value.as_ptr(),
        name_len: u32::try_from(name.len()).expect("short"),
        value_len: u32::try_from(value.len()).expect("short"),
    }
}

/// A new inode `n` that starts with `xattrs`.
pub(crate) fn make(xattrs: &[bento_xattr]) -> bento_make_in {
    bento_make_in {
        name: b"n".as_ptr(),
        target: b"to".as_ptr(),
        name_len: 1,
        target_len: 2,
        mode: 0o100_640,
        rdev: 0x1_23,
        xattrs: if xattrs.is_empty() {
            ptr::null()
        } else {
            xattrs.as_ptr()
        },
        xattr_count: u32::try_from(xattrs.len()).expect("few"),
        pad: 0,
    }
}

#[test]
fn new_inodes_carry_the_request_and_belong_to_the_caller() {
    let mut disk = mock::MockDisk::new(1);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    let plain = make(&[]);
    let xattrs = [
        xattr("security.selinux", b"label"),
        xattr("system.posix_acl_access", b""),
    ];
    let labelled = make(&xattrs);
    let mut entries = [bento_entry::default(); 4];
    let [file, device, link, unnamed] = &mut entries;
    assert_eq!(call!(PROBE, create(fs, root, &plain, file)), 0);
    assert_eq!(call!(PROBE, mknod(fs, root, &labelled, device)), 0);
    assert_eq!(call!(PROBE, symlink(fs, root, &labelled, link)), 0);
    assert_eq!(call!(PROBE, tmpfile(fs, root, &plain, unnamed)), 0);
    assert_eq!(entries[0].attr.ino, 9);
    // `mkdir` is not implemented there: the default.
    let none = call!(PROBE, mkdir(fs, root, &plain, &mut bento_entry::default()));
    assert_eq!(errno(none), Errno::ENOSYS);
    let notes = notes_of(&PROBE, fs);
    let comm = *b"probe\0\0\0\0\0\0\0\0\0\0\0";
    let request = "Request { uid: 1000, gid: 100, pid: 42, now: Timespec { sec: 7, nsec: 8 },";
    let request = format!("{request} comm: {comm:?} }}");
    let given = "[(\"security.selinux\", 5), (\"system.posix_acl_access\", 0)]";
    for expected in [
        format!("create 5 [110] 100640 [] {request}"),
        format!("mknod [110] 100640 {given} 0x123 {request}"),
        format!("symlink [110] [116, 111] 120777 {given} {request}"),
        format!("tmpfile 5 100640 [] {request}"),
    ] {
        assert!(notes.contains(&expected), "{expected} in {notes}");
    }
    for node in entries.map(|entry| entry.node).into_iter().chain([root]) {
        let before = NODES.load(Ordering::Relaxed);
        call!(PROBE, drop_node(node));
        assert!(NODES.load(Ordering::Relaxed) > before);
    }
    call!(PROBE, destroy(fs));
}

#[test]
fn impossible_attributes_of_a_new_inode_are_refused_before_anything_is_made() {
    let mut disk = mock::MockDisk::new(1);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    let one = xattr("user.a", b"1");
    let too_large = bento_xattr {
        value_len: 65_537,
        ..one
    };
    let unnamed = bento_xattr { name_len: 0, ..one };
    let mut out = bento_entry::default();
    for (xattrs, expected) in [
        (&[one; 9][..], Errno::E2BIG),
        (&[one, too_large], Errno::E2BIG),
        (&[unnamed], Errno::ERANGE),
        (&[xattr("user.\0", b"")], Errno::EINVAL),
    ] {
        let result = call!(PROBE, create(fs, root, &make(xattrs), &mut out));
        assert_eq!(errno(result), expected);
    }
    let odd = bento_make_in {
        mode: 0o200_000,
        ..make(&[])
    };
    let result = call!(PROBE, tmpfile(fs, root, &odd, &mut out));
    assert_eq!(errno(result), Errno::EINVAL);
    assert_eq!(
        call!(PROBE, create(fs, root, &make(&[one; 8]), &mut out)),
        0
    );
    let notes = notes_of(&PROBE, fs);
    assert_eq!(notes.matches("create").count(), 1, "{notes}");
    for node in [root, out.node] {
        call!(PROBE, drop_node(node));
    }
    call!(PROBE, destroy(fs));
}
