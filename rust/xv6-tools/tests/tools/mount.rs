// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! xv6 through FUSE, as a user sees it.

use crate::mount_test::{TempDir, in_mount_test};
use crate::support::{FuseMount, assert_clean, failure, image, run, stdout, text};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

/// What a tree holds: mode, owner, mtime with nanoseconds, and contents or link target.
fn tree(root: &Path) -> BTreeMap<String, (u32, u32, i64, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path).expect("stat");
        let contents = if meta.is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .expect("readdir")
                    .map(|e| e.expect("entry").path()),
            );
            Vec::new()
        } else if meta.is_symlink() {
            text(&fs::read_link(&path).expect("readlink")).into()
        } else {
            fs::read(&path).expect("read")
        };
        let name = text(path.strip_prefix(root).expect("below")).to_owned();
        let value = (
            meta.mode(),
            meta.uid(),
            meta.mtime(),
            meta.mtime_nsec(),
            contents,
        );
        found.insert(name, value);
    }
    found
}

#[test]
fn a_tree_survives_copy_and_remount() {
    if !in_mount_test("mount::a_tree_survives_copy_and_remount") {
        return;
    }
    let dir = TempDir::new();
    let image = image(&dir, "64M");
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .join("xv6");
    let expected = tree(&source);
    assert!(expected.len() > 20, "a source tree worth the name");

    let mount = FuseMount::new(&dir, &image);
    let copied = Command::new("cp")
        .arg("-a")
        .args([&source, &mount.path("copy")])
        .status();
    assert!(copied.expect("cp(1)").success());
    assert!(tree(&mount.path("copy")) == expected, "after the copy");
    mount.unmount();
    assert_clean(&image);
    let mount = FuseMount::new(&dir, &image);
    assert!(tree(&mount.path("copy")) == expected, "after the remount");
    fs::remove_dir_all(mount.path("copy")).expect("rm -r");
    assert_eq!(fs::read_dir(mount.path("")).expect("readdir").count(), 0);
    mount.unmount();
    let checked = run("fsck.xv6", &["-n", text(&image)]);
    assert!(
        stdout(&checked).contains("clean; 0 files, 1 directories"),
        "{checked:?}"
    );
}

#[test]
fn an_unlinked_file_lives_as_long_as_it_is_open() {
    if !in_mount_test("mount::an_unlinked_file_lives_as_long_as_it_is_open") {
        return;
    }
    let dir = TempDir::new();
    let image = image(&dir, "16M");
    let mount = FuseMount::new(&dir, &image);
    let free = |mount: &FuseMount| rustix::fs::statvfs(mount.path("")).expect("statfs").f_bfree;
    fs::write(mount.path("first"), b"").expect("the directory takes its first block");
    let before = free(&mount);
    let path = mount.path("file");
    let mut open = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path);
    let file = open.as_mut().expect("create");
    file.write_all(&[5; 1 << 20]).expect("write");
    fs::remove_file(&path).expect("unlink");
    assert_eq!(file.metadata().expect("fstat").nlink(), 0);
    fs::write(&path, b"another").expect("the name is free");
    file.write_all_at(b"more", 2 << 20).expect("write");
    let mut back = Vec::new();
    file.seek(SeekFrom::Start(0)).expect("seek");
    file.read_to_end(&mut back).expect("read");
    assert_eq!(
        (back.len(), &back[back.len() - 4..]),
        ((2 << 20) + 4, &b"more"[..])
    );
    assert!(back[..1 << 20].iter().all(|&byte| byte == 5));
    fs::remove_file(&path).expect("unlink");
    drop(open);
    // The kernel forgets the inode after close(2) has returned.
    let started = std::time::Instant::now();
    while free(&mount) != before {
        assert!(
            started.elapsed().as_secs() < 10,
            "{} of {before} free",
            free(&mount)
        );
        std::thread::sleep(core::time::Duration::from_millis(10));
    }
    mount.unmount();
    assert_clean(&image);
}

#[test]
fn names_links_and_renames_follow_posix() {
    if !in_mount_test("mount::names_links_and_renames_follow_posix") {
        return;
    }
    let dir = TempDir::new();
    let image = image(&dir, "16M");
    let mount = FuseMount::new(&dir, &image);
    let [a, b, d, e] = ["a", "b", "d", "e"].map(|name| mount.path(name));
    fs::write(&a, b"a").expect("create");
    fs::write(&b, b"b").expect("create");
    fs::create_dir(&d).expect("mkdir");
    fs::create_dir(&e).expect("mkdir");
    fs::hard_link(&a, d.join("link")).expect("link");
    assert_eq!(fs::metadata(&a).expect("stat").nlink(), 2);
    fs::rename(&a, d.join("link")).expect("two names of one inode");
    assert!(a.exists(), "POSIX: nothing happens");
    fs::rename(&a, &b).expect("over a file");
    assert_eq!(fs::read(&b).expect("read"), b"a");
    fs::rename(&b, e.join("b")).expect("to another directory");
    fs::rename(&e, d.join("e")).expect("a directory");
    assert_eq!(fs::read(d.join("e/b")).expect("read"), b"a");
    let kind = |result: std::io::Result<()>| result.expect_err("refused").kind();
    assert_eq!(kind(fs::rename(&d, d.join("e/d"))), ErrorKind::InvalidInput);
    assert_eq!(kind(fs::remove_dir(&d)), ErrorKind::DirectoryNotEmpty);
    assert_eq!(kind(fs::create_dir(&d)), ErrorKind::AlreadyExists);
    assert_eq!(
        kind(fs::write(mount.path(&"x".repeat(256)), b"")),
        ErrorKind::InvalidFilename
    );
    fs::write(mount.path(&"x".repeat(255)), b"").expect("255 bytes are allowed");
    symlink("d/link", mount.path("s")).expect("symlink");
    assert_eq!(fs::read(mount.path("s")).expect("through the link"), b"a");
    fs::set_permissions(&d, fs::Permissions::from_mode(0o2775)).expect("chmod g+s");
    std::os::unix::fs::chown(&d, None, Some(42)).expect("chown");
    fs::create_dir(d.join("sub")).expect("mkdir");
    let sub = fs::metadata(d.join("sub")).expect("stat");
    assert_eq!(
        (sub.gid(), sub.mode() & 0o2000),
        (42, 0o2000),
        "inherits from the directory"
    );
    let names: Vec<String> = (0..500).map(|n| format!("file number {n}")).collect();
    names
        .iter()
        .for_each(|name| drop(File::create(d.join("sub").join(name)).expect("create")));
    let listed = fs::read_dir(d.join("sub"))
        .expect("readdir")
        .map(|e| e.expect("entry"));
    let mut listed: Vec<_> = listed
        .map(|e| e.file_name().into_string().expect("UTF-8"))
        .collect();
    listed.sort_by_key(|name| name.rsplit(' ').next().and_then(|n| n.parse::<u32>().ok()));
    assert_eq!(listed, names);
    mount.unmount();
    assert_clean(&image);
}

#[test]
fn a_full_file_system_says_enospc_and_loses_nothing() {
    if !in_mount_test("mount::a_full_file_system_says_enospc_and_loses_nothing") {
        return;
    }
    let dir = TempDir::new();
    let image = image(&dir, "4M");
    let mount = FuseMount::new(&dir, &image);
    fs::write(mount.path("kept"), [7; 100_000]).expect("write");
    let mut file = File::create(mount.path("filler")).expect("create");
    let mut written = 0;
    let full = loop {
        match file.write(&[9; 65_536]) {
            Ok(some) => written += some,
            Err(error) => break error,
        }
        assert!(written < 4 << 20, "more than the device holds");
    };
    assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
    assert!(written > 1 << 20, "only {written} bytes");
    drop(file);
    let filler = fs::read(mount.path("filler")).expect("read");
    assert_eq!(filler.len(), written);
    assert!(filler.iter().all(|&byte| byte == 9));
    assert!(fs::read(mount.path("kept")).expect("read") == [7; 100_000]);
    fs::remove_file(mount.path("filler")).expect("rm works when full");
    fs::write(mount.path("kept"), [8; 100_000]).expect("there is room again");
    mount.unmount();
    assert_clean(&image);
}

#[test]
fn holes_truncate_and_seek_agree() {
    if !in_mount_test("mount::holes_truncate_and_seek_agree") {
        return;
    }
    let dir = TempDir::new();
    let image = image(&dir, "16M");
    let mount = FuseMount::new(&dir, &image);
    let file = File::create_new(mount.path("sparse")).expect("create");
    file.write_all_at(b"end", 5_000_000).expect("write");
    assert!(
        file.metadata().expect("stat").blocks() < 100,
        "a hole takes no space"
    );
    let seek = |from| rustix::fs::seek(&file, from).map_err(|e| e.raw_os_error());
    assert_eq!(
        seek(rustix::fs::SeekFrom::Data(0)),
        Ok(5_000_000 / 4096 * 4096)
    );
    assert_eq!(seek(rustix::fs::SeekFrom::Hole(0)), Ok(0));
    assert_eq!(seek(rustix::fs::SeekFrom::Data(6_000_000)), Err(6), "ENXIO");
    file.set_len(100).expect("shrink");
    file.set_len(10_000).expect("grow");
    assert!(fs::read(mount.path("sparse")).expect("read") == [0; 10_000]);
    drop(file);
    mount.unmount();
    assert_clean(&image);
}

/// What was synced survives a server that is killed; the log is replayed, and fsck agrees.
#[test]
fn a_killed_server_loses_nothing_that_was_synced() {
    if !in_mount_test("mount::a_killed_server_loses_nothing_that_was_synced") {
        return;
    }
    let dir = TempDir::new();
    let image = image(&dir, "16M");
    let mount = FuseMount::new(&dir, &image);
    for n in 0..50 {
        fs::create_dir(mount.path(&format!("dir{n}"))).expect("mkdir");
        let file = File::create(mount.path(&format!("dir{n}/file"))).expect("create");
        file.write_all_at(&[7; 10_000], 0).expect("write");
        if n == 24 {
            file.sync_all().expect("fsync");
        }
    }
    mount.kill();
    assert_clean(&image);
    let mount = FuseMount::new(&dir, &image);
    for n in 0..25 {
        let path = mount.path(&format!("dir{n}/file"));
        assert!(
            fs::read(path).expect("synced with the last one") == [7; 10_000],
            "{n}"
        );
    }
    mount.unmount();
    assert_clean(&image);
}

#[test]
fn without_recovery_an_image_is_shown_as_the_crash_left_it() {
    if !in_mount_test("mount::without_recovery_an_image_is_shown_as_the_crash_left_it") {
        return;
    }
    let dir = TempDir::new();
    let image = image(&dir, "16M");
    let mount = FuseMount::new(&dir, &image);
    fs::write(mount.path("old"), b"old").expect("create");
    mount.unmount();
    let mount = FuseMount::new(&dir, &image);
    let file = File::create(mount.path("new")).expect("create");
    file.write_all_at(b"new", 0).expect("write");
    file.sync_all().expect("fsync");
    drop(file);
    mount.kill();
    let left = fs::read(&image).expect("read");
    let mount = FuseMount::with(&dir, &image, "ro,norecovery");
    assert_eq!(fs::read(mount.path("old")).expect("read"), b"old");
    let refused = fs::write(mount.path("more"), b"").expect_err("read-only");
    assert_eq!(refused.kind(), ErrorKind::ReadOnlyFilesystem);
    mount.unmount();
    assert!(
        fs::read(&image).expect("read") == left,
        "not a byte is written"
    );

    let at = dir.path().join("mnt");
    let args = ["-o", "norecovery", text(&image), text(&at)];
    let (code, error) = failure(&run("mount.fuse.xv6", &args));
    assert_eq!(code, Some(32));
    assert!(error.contains("needs ro"), "{error}");
    let mount = FuseMount::new(&dir, &image);
    assert_eq!(fs::read(mount.path("new")).expect("read"), b"new");
    mount.unmount();
    assert_clean(&image);
}

#[test]
fn read_only_unknown_options_and_second_users_are_handled() {
    if !in_mount_test("mount::read_only_unknown_options_and_second_users_are_handled") {
        return;
    }
    let dir = TempDir::new();
    let image = image(&dir, "16M");
    let at = dir.path().join("mnt");
    fs::create_dir(&at).expect("mount point");
    let args = ["-o", "noexec,frobnicate=7", text(&image), text(&at)];
    let (code, error) = failure(&run("mount.fuse.xv6", &args));
    assert_eq!(code, Some(32));
    assert!(error.contains("frobnicate=7"), "{error}");

    // In the background this time: the tool returns when the mount works.
    let mounted = run(
        "mount.fuse.xv6",
        &["-o", "ro", text(&image), text(&at), "-s"],
    );
    assert!(mounted.status.success(), "{mounted:?}");
    let refused = fs::write(at.join("file"), b"").expect_err("read-only");
    assert_eq!(refused.kind(), ErrorKind::ReadOnlyFilesystem);
    let (code, error) = failure(&run("mkfs.xv6", &["-f", text(&image)]));
    assert_eq!(code, Some(1));
    assert!(error.contains("in use"), "{error}");
    assert_clean(&image);
    let umount = Command::new("umount").arg(&at).status().expect("umount(8)");
    assert!(umount.success());
    let checked = run("fsck.xv6", &["-y", text(&image)]);
    assert_eq!(
        checked.status.code(),
        Some(0),
        "the server has let go: {checked:?}"
    );
}
