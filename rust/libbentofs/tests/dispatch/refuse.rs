// SPDX-License-Identifier: GPL-2.0-only
//! Arguments that break the rules of `bento_abi.h` never reach the file system.

use crate::make::make;
use crate::{PROBE, cx, errno, input, mock, mounted, notes_of};
use bento::Errno;
use bento_sys::{
    BENTO_MOUNT_DISCARD, BENTO_MOUNT_NORECOVERY, BENTO_MOUNT_RDONLY, bento_entry, bento_make_in,
    bento_mount_out, bento_rename_in, bento_setattr, bento_time,
};

/// A change with one thing wrong.
type Wrong<T> = fn(&mut T);

#[test]
fn names() {
    let mut disk = mock::MockDisk::new(1);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    let long = "x".repeat(256);
    for (name, expected) in [
        ("", Errno::EINVAL),
        (".", Errno::EINVAL),
        ("..", Errno::EINVAL),
        ("a/b", Errno::EINVAL),
        ("a\0", Errno::EINVAL),
        (&long, Errno::ENAMETOOLONG),
    ] {
        let (start, len) = (name.as_ptr(), u32::try_from(name.len()).expect("short"));
        let (mut ino, mut out) = (0, bento_entry::default());
        let new = bento_make_in {
            name: start,
            name_len: len,
            ..make(&[])
        };
        let results = [
            call!(PROBE, lookup(fs, root, start, len, &mut ino)),
            call!(PROBE, create(fs, root, &new, &mut out)),
            call!(PROBE, link(fs, root, root, start, len)),
            call!(PROBE, unlink(fs, root, start, len, root)),
        ];
        assert_eq!(results.map(errno), [expected; 4], "{name}");
    }
    let longest = &long.as_bytes()[..255];
    let link = call!(PROBE, link(fs, root, root, longest.as_ptr(), 255));
    assert_eq!(link, 0);
    let notes = notes_of(&PROBE, fs);
    assert_eq!(notes.lines().count(), 2, "mount and link: {notes}");
    call!(PROBE, drop_node(root));
    call!(PROBE, destroy(fs));
}

#[test]
fn targets_of_symbolic_links() {
    let mut disk = mock::MockDisk::new(1);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    let long = "x".repeat(4096);
    for (target, expected) in [
        ("", Errno::EINVAL),
        ("a\0", Errno::EINVAL),
        (&long, Errno::ENAMETOOLONG),
    ] {
        let new = bento_make_in {
            target: target.as_ptr(),
            target_len: u32::try_from(target.len()).expect("short"),
            ..make(&[])
        };
        let result = call!(PROBE, symlink(fs, root, &new, &mut bento_entry::default()));
        assert_eq!(errno(result), expected);
    }
    call!(PROBE, drop_node(root));
    call!(PROBE, destroy(fs));
}

#[test]
fn attributes_and_flags() {
    let mut disk = mock::MockDisk::new(1);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    let wrong: [Wrong<bento_setattr>; 3] = [
        |set| set.mask = 1 << 8,
        |set| set.flags = 0x1,
        |set| {
            set.mtime = bento_time {
                sec: 0,
                nsec: 1_000_000_000,
                pad: 0,
            }
        },
    ];
    for spoil in wrong {
        let mut set = bento_setattr::default();
        spoil(&mut set);
        let result = call!(PROBE, setattr(fs, root, &set));
        assert_eq!(errno(result), Errno::EINVAL);
    }
    let rename = |flags| {
        let input = bento_rename_in {
            old_dir: root,
            new_dir: root,
            node: root,
            replaced: 0,
            old_name: b"a".as_ptr(),
            new_name: b"b".as_ptr(),
            old_name_len: 1,
            new_name_len: 1,
            flags,
            pad: 0,
        };
        call!(PROBE, rename(fs, &input))
    };
    for flags in [0b011, 0b110, 0b1000] {
        assert_eq!(errno(rename(flags)), Errno::EINVAL);
    }
    assert_eq!(rename(0b101), 0);
    let notes = notes_of(&PROBE, fs);
    assert!(
        notes.ends_with("RenameFlags(NOREPLACE | WHITEOUT)"),
        "{notes}"
    );
    call!(PROBE, drop_node(root));
    call!(PROBE, destroy(fs));
}

#[test]
fn mount_flags() {
    let mut disk = mock::MockDisk::new(1);
    let mut out = bento_mount_out::default();
    let mut mount = |flags| {
        let mut given = input(Some(&mut disk), "");
        given.flags = flags;
        call!(PROBE, mount(&given, &mut out))
    };
    assert_eq!(errno(mount(1 << 4)), Errno::EINVAL);
    assert_eq!(errno(mount(BENTO_MOUNT_NORECOVERY)), Errno::EINVAL);
    let all = BENTO_MOUNT_RDONLY | BENTO_MOUNT_NORECOVERY | BENTO_MOUNT_DISCARD;
    assert_eq!(mount(all), 0);
    let notes = notes_of(&PROBE, out.fs);
    let expected = "read_only: true, repair: false, no_recovery: true, discard: true";
    assert!(notes.contains(expected), "{notes}");
    call!(PROBE, destroy(out.fs));
}

#[test]
fn an_inode_of_number_zero() {
    let mut disk = mock::MockDisk::new(1);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    let mut ino = 77;
    // There the parent's number is that of the directory less 5.
    let none = call!(PROBE, parent(fs, root, &mut ino));
    assert_eq!((errno(none), ino), (Errno::EIO, 77));
    let mut other = bento_entry::default();
    assert_eq!(call!(PROBE, load(fs, 8, &mut other)), 0);
    assert_eq!(call!(PROBE, parent(fs, other.node, &mut ino)), 0);
    assert_eq!(ino, 3);
    for node in [root, other.node] {
        call!(PROBE, drop_node(node));
    }
    call!(PROBE, destroy(fs));
}
