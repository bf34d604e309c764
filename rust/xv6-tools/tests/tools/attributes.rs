// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Extended attributes, access control lists and flags of xv6, through FUSE.

use crate::mount_test::{TempDir, in_mount_test};
use crate::support::{FuseMount, assert_clean, image};
use rustix::fs::{IFlags, RenameFlags, XattrFlags, getxattr, listxattr, removexattr, setxattr};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const ANY: XattrFlags = XattrFlags::empty();
const ACCESS: &str = "system.posix_acl_access";
const DEFAULT: &str = "system.posix_acl_default";

fn value(path: &Path, name: &str) -> Result<Vec<u8>, Errno> {
    let mut value = vec![0; 65_536];
    let len = getxattr(path, name, value.as_mut_slice())?;
    value.truncate(len);
    Ok(value)
}

fn names(path: &Path) -> Vec<String> {
    let mut list = vec![0u8; 65_536];
    let len = listxattr(path, list.as_mut_slice()).expect("listxattr");
    let names = list[..len]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty());
    let mut names: Vec<_> = names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn extended_attributes_survive_a_remount() {
    if !in_mount_test("attributes::extended_attributes_survive_a_remount") {
        return;
    }
    let dir = TempDir::new();
    let image = image(&dir, "16M");
    let mount = FuseMount::new(&dir, &image);
    let (file, sub) = (mount.path("file"), mount.path("sub"));
    fs::write(&file, b"data").expect("create");
    fs::create_dir(&sub).expect("mkdir");
    assert_eq!(value(&file, "user.a"), Err(Errno::NODATA));
    setxattr(&file, "user.a", b"one", XattrFlags::CREATE).expect("new");
    assert_eq!(
        setxattr(&file, "user.a", b"two", XattrFlags::CREATE),
        Err(Errno::EXIST)
    );
    assert_eq!(
        setxattr(&file, "user.b", b"two", XattrFlags::REPLACE),
        Err(Errno::NODATA)
    );
    setxattr(&file, "user.a", b"three", XattrFlags::REPLACE).expect("there");
    setxattr(&file, "user.empty", b"", ANY).expect("no value");
    setxattr(&file, "security.label", &[7; 1000], ANY).expect("large");
    setxattr(&sub, "trusted.t", b"root", ANY).expect("of a directory");
    assert_eq!(
        getxattr(&file, "user.a", [0u8; 4].as_mut_slice()),
        Err(Errno::RANGE)
    );
    let expected = ["security.label", "user.a", "user.empty"];
    assert_eq!(names(&file), expected);
    mount.unmount();
    assert_clean(&image);

    let mount = FuseMount::new(&dir, &image);
    assert_eq!(names(&file), expected);
    assert_eq!(value(&file, "user.a"), Ok(b"three".to_vec()));
    assert_eq!(value(&file, "user.empty"), Ok(Vec::new()));
    assert_eq!(value(&file, "security.label"), Ok(vec![7; 1000]));
    assert_eq!(value(&sub, "trusted.t"), Ok(b"root".to_vec()));
    removexattr(&file, "user.a").expect("there");
    assert_eq!(removexattr(&file, "user.a"), Err(Errno::NODATA));
    assert_eq!(names(&file), ["security.label", "user.empty"]);
    mount.unmount();
    assert_clean(&image);
    let mount = FuseMount::with(&dir, &image, "ro");
    assert_eq!(setxattr(&file, "user.a", b"x", ANY), Err(Errno::ROFS));
    mount.unmount();
}

/// A list as setfacl(1) passes it: tag, permissions, number.
fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut value = vec![2, 0, 0, 0];
    for (tag, perm, id) in entries {
        value.extend(tag.to_le_bytes());
        value.extend(perm.to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    value
}

const NOBODY: u32 = u32::MAX;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("stat").mode() & 0o7777
}

#[test]
fn access_control_lists_are_inherited_and_agree_with_the_mode() {
    if !in_mount_test("attributes::access_control_lists_are_inherited_and_agree_with_the_mode") {
        return;
    }
    let dir = TempDir::new();
    let image = image(&dir, "16M");
    let mount = FuseMount::new(&dir, &image);
    let (plain, sub) = (mount.path("plain"), mount.path("sub"));
    let old = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o027));
    File::create(&plain).expect("create");
    assert_eq!(
        mode(&plain),
        0o640,
        "the umask counts where there is no default list"
    );
    fs::create_dir(&sub).expect("mkdir");
    assert_eq!(mode(&sub), 0o750);

    // user::rwx user:1000:rwx group::r-x mask::rwx other::---
    let named = [
        (1, 7, NOBODY),
        (2, 7, 1000),
        (4, 5, NOBODY),
        (16, 7, NOBODY),
        (32, 0, NOBODY),
    ];
    setxattr(&sub, DEFAULT, &acl(&named), ANY).expect("default list");
    let (file, below) = (sub.join("file"), sub.join("below"));
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o666)
        .open(&file)
        .expect("create");
    fs::create_dir(&below).expect("mkdir");
    rustix::process::umask(old);
    assert_eq!(mode(&file), 0o660, "the list takes the place of the umask");
    let inherited = acl(&[
        (1, 6, NOBODY),
        (2, 7, 1000),
        (4, 5, NOBODY),
        (16, 6, NOBODY),
        (32, 0, NOBODY),
    ]);
    assert_eq!(value(&file, ACCESS), Ok(inherited));
    assert_eq!(value(&file, DEFAULT), Err(Errno::NODATA));
    assert_eq!(value(&below, DEFAULT), Ok(acl(&named)));

    fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).expect("chmod");
    let changed = acl(&[
        (1, 6, NOBODY),
        (2, 7, 1000),
        (4, 5, NOBODY),
        (16, 0, NOBODY),
        (32, 4, NOBODY),
    ]);
    assert_eq!(value(&file, ACCESS), Ok(changed));
    setxattr(&file, ACCESS, &acl(&named), ANY).expect("list");
    assert_eq!(
        mode(&file),
        0o770,
        "the mask is shown as the group's permissions"
    );
    let minimal = acl(&[(1, 4, NOBODY), (4, 0, NOBODY), (32, 0, NOBODY)]);
    setxattr(&file, ACCESS, &minimal, ANY).expect("list");
    assert_eq!((mode(&file), names(&file)), (0o400, vec![]));
    assert_eq!(
        setxattr(&file, ACCESS, b"\x02\0\0\0x", ANY),
        Err(Errno::INVAL)
    );
    mount.unmount();
    assert_clean(&image);
}

#[test]
fn flags_are_stored_and_enforced() {
    if !in_mount_test("attributes::flags_are_stored_and_enforced") {
        return;
    }
    let dir = TempDir::new();
    let image = image(&dir, "16M");
    let mount = FuseMount::new(&dir, &image);
    let (file, sub) = (mount.path("file"), mount.path("sub"));
    fs::write(&file, b"data").expect("create");
    fs::create_dir(&sub).expect("mkdir");
    let set = |path: &Path, flags| {
        let open = File::open(path).expect("open");
        rustix::fs::ioctl_setflags(&open, flags).expect("set flags");
        assert_eq!(rustix::fs::ioctl_getflags(&open), Ok(flags));
    };
    let denied = |result: std::io::Result<()>| {
        assert_eq!(
            result.expect_err("refused").raw_os_error(),
            Some(Errno::PERM.raw_os_error())
        );
    };
    set(&file, IFlags::IMMUTABLE);
    denied(fs::write(&file, b"x"));
    denied(fs::remove_file(&file));
    denied(fs::rename(&file, mount.path("other")));
    denied(fs::hard_link(&file, mount.path("other")));
    denied(fs::set_permissions(
        &file,
        fs::Permissions::from_mode(0o600),
    ));
    assert_eq!(setxattr(&file, "user.a", b"x", ANY), Err(Errno::PERM));
    assert_eq!(fs::read(&file).expect("read"), b"data");

    set(&file, IFlags::APPEND);
    denied(OpenOptions::new().write(true).open(&file).map(|_| ()));
    let append = || OpenOptions::new().append(true).open(&file);
    std::io::Write::write_all(&mut append().expect("append"), b"more").expect("write");
    denied(append().expect("append").set_len(1));
    denied(fs::remove_file(&file));

    set(&sub, IFlags::APPEND);
    fs::write(sub.join("new"), b"").expect("a name may be added");
    denied(fs::remove_file(sub.join("new")));
    set(&sub, IFlags::IMMUTABLE);
    denied(File::create(sub.join("more")).map(|_| ()));
    mount.unmount();
    assert_clean(&image);

    let mount = FuseMount::new(&dir, &image);
    denied(fs::remove_file(&file));
    for path in [&file, &sub] {
        set(path, IFlags::NODUMP | IFlags::NOATIME);
    }
    assert_eq!(fs::read(&file).expect("read"), b"datamore");
    fs::remove_file(&file).expect("no longer fixed");
    fs::remove_dir_all(&sub).expect("no longer fixed");
    mount.unmount();
    assert_clean(&image);
}

#[test]
fn a_whiteout_stays_under_the_old_name() {
    if !in_mount_test("attributes::a_whiteout_stays_under_the_old_name") {
        return;
    }
    let dir = TempDir::new();
    let image = image(&dir, "16M");
    let mount = FuseMount::new(&dir, &image);
    let (from, to) = (mount.path("from"), mount.path("to"));
    fs::write(&from, b"data").expect("create");
    let here = rustix::fs::CWD;
    rustix::fs::renameat_with(here, &from, here, &to, RenameFlags::WHITEOUT).expect("rename");
    let left = fs::symlink_metadata(&from).expect("something is left");
    assert!(left.file_type().is_char_device());
    assert_eq!(
        (left.rdev(), fs::read(&to).expect("read")),
        (0, b"data".to_vec())
    );
    rustix::fs::renameat_with(here, &from, here, &to, RenameFlags::EXCHANGE).expect("exchange");
    assert_eq!(fs::read(&from).expect("read"), b"data");
    mount.unmount();
    assert_clean(&image);
}
