// SPDX-License-Identifier: GPL-2.0-only
//! Extended attributes.

use crate::make::{make, xattr};
use crate::{PROBE, cx, errno, mock, mounted, notes_of};
use bento::Errno;
use bento_sys::{BENTO_XATTR_CREATE, BENTO_XATTR_REPLACE, bento_entry};
use core::ptr;

#[test]
fn attributes_are_set_read_listed_and_removed() {
    let mut disk = mock::MockDisk::new(1);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    let given = xattr("user.a", b"value");
    let set = call!(PROBE, setxattr(fs, root, &given, BENTO_XATTR_CREATE));
    assert_eq!(set, 0);
    let name = b"user.a".as_ptr();
    assert_eq!(call!(PROBE, removexattr(fs, root, name, 6)), 0);
    let mut buf = [0; 8];
    let length = call!(PROBE, getxattr(fs, root, name, 6, ptr::null_mut(), 0));
    assert_eq!(length, 6);
    let got = call!(PROBE, getxattr(fs, root, name, 6, buf.as_mut_ptr(), 8));
    assert_eq!((got, &buf[..6]), (6, &b"user.a"[..]));
    let short = call!(PROBE, getxattr(fs, root, name, 6, buf.as_mut_ptr(), 5));
    assert_eq!(errno(short), Errno::ERANGE);
    assert_eq!(call!(PROBE, listxattr(fs, root, ptr::null_mut(), 0)), 8);
    assert_eq!(call!(PROBE, listxattr(fs, root, buf.as_mut_ptr(), 8)), 8);
    assert_eq!(&buf, b"a.b\0c.d\0");
    let notes = notes_of(&PROBE, fs);
    let expected = "setxattr 5 user.a 5 XattrFlags(CREATE)\nremovexattr 5 user.a";
    assert!(notes.ends_with(expected), "{notes}");
    call!(PROBE, drop_node(root));
    call!(PROBE, destroy(fs));
}

#[test]
fn impossible_arguments_and_answers_are_refused() {
    let mut disk = mock::MockDisk::new(1);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    let given = xattr("user.a", b"value");
    for flags in [BENTO_XATTR_CREATE | BENTO_XATTR_REPLACE, 4] {
        let result = call!(PROBE, setxattr(fs, root, &given, flags));
        assert_eq!(errno(result), Errno::EINVAL);
    }
    let long = [b'x'; 256];
    let get = |name: *const u8, len| {
        errno(call!(
            PROBE,
            getxattr(fs, root, name, len, ptr::null_mut(), 0)
        ))
    };
    assert_eq!(get(long.as_ptr(), 256), Errno::ERANGE);
    assert_eq!(get(long.as_ptr(), 0), Errno::ERANGE);
    assert_eq!(get(b"u\0ser.".as_ptr(), 6), Errno::EINVAL);
    assert_eq!(get(b"user.none".as_ptr(), 9), Errno::ENODATA);
    assert_eq!(get(b"user.lie".as_ptr(), 8), Errno::EIO);
    let none = call!(PROBE, removexattr(fs, root, long.as_ptr(), 0));
    assert_eq!(errno(none), Errno::ERANGE);
    // The new inode has the number whose list has no end.
    let mut file = bento_entry::default();
    assert_eq!(call!(PROBE, create(fs, root, &make(&[]), &mut file)), 0);
    let mut buf = [0; 8];
    let list = call!(PROBE, listxattr(fs, file.node, buf.as_mut_ptr(), 8));
    assert_eq!(errno(list), Errno::EIO);
    for node in [root, file.node] {
        call!(PROBE, drop_node(node));
    }
    call!(PROBE, destroy(fs));
}
