// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Space of files and of the image, through FUSE.

use crate::mount_test::{TempDir, in_mount_test};
use crate::support::{FuseMount, assert_clean, image};
use rustix::fs::{FallocateFlags, SeekFrom, copy_file_range, fallocate, seek};
use rustix::io::Errno;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

const KEEP: FallocateFlags = FallocateFlags::KEEP_SIZE;

/// Size, and space in blocks of 4096 bytes.
fn size(path: &Path) -> (u64, u64) {
    let meta = fs::metadata(path).expect("stat");
    (meta.len(), meta.blocks() / 8)
}

#[test]
fn ranges_are_allocated_punched_and_zeroed() {
    if !in_mount_test("space::ranges_are_allocated_punched_and_zeroed") {
        return;
    }
    let dir = TempDir::new();
    let image = image(&dir, "16M");
    let mount = FuseMount::new(&dir, &image);
    let path = mount.path("file");
    let mut expected = vec![7; 5 * 4096];
    fs::write(&path, &expected).expect("create");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .expect("open");
    let punch = FallocateFlags::PUNCH_HOLE | KEEP;
    fallocate(&file, punch, 1000, 9000).expect("punch");
    expected[1000..10_000].fill(0);
    assert_eq!(fs::read(&path).expect("read"), expected);
    assert_eq!(size(&path), (5 * 4096, 4));
    assert_eq!(seek(&file, SeekFrom::Hole(0)), Ok(4096));
    assert_eq!(seek(&file, SeekFrom::Data(5000)), Ok(8192));

    fallocate(&file, FallocateFlags::ZERO_RANGE, 4 * 4096 - 5, 8192).expect("zero");
    expected.truncate(4 * 4096 - 5);
    expected.resize(6 * 4096 - 5, 0);
    assert_eq!(fs::read(&path).expect("read"), expected);
    assert_eq!(size(&path), (6 * 4096 - 5, 5));
    fallocate(&file, KEEP, 0, 10 * 4096).expect("behind the end");
    assert_eq!(size(&path), (6 * 4096 - 5, 10));
    fallocate(&file, FallocateFlags::empty(), 0, 7 * 4096).expect("allocate");
    expected.resize(7 * 4096, 0);
    assert_eq!(
        (fs::read(&path).expect("read"), size(&path).1),
        (expected.clone(), 10)
    );
    // The kernel's FUSE does not pass these on.
    for mode in [FallocateFlags::COLLAPSE_RANGE, FallocateFlags::INSERT_RANGE] {
        assert_eq!(fallocate(&file, mode, 0, 4096), Err(Errno::OPNOTSUPP));
    }
    drop(file);
    mount.unmount();
    assert_clean(&image);
    let mount = FuseMount::new(&dir, &image);
    assert_eq!(
        (fs::read(&path).expect("read"), size(&path).1),
        (expected, 10)
    );
    mount.unmount();
}

#[test]
fn a_full_image_refuses_to_allocate_and_stays_clean() {
    if !in_mount_test("space::a_full_image_refuses_to_allocate_and_stays_clean") {
        return;
    }
    let dir = TempDir::new();
    let image = image(&dir, "16M");
    let mount = FuseMount::new(&dir, &image);
    let path = mount.path("file");
    let file = fs::File::create(&path).expect("create");
    let full = fallocate(&file, FallocateFlags::empty(), 0, 64 << 20);
    assert_eq!(full, Err(Errno::NOSPC));
    assert_eq!(size(&path).0, 0, "the size stays");
    file.set_len(0).expect("gives back what was taken");
    fs::write(mount.path("other"), [1; 1 << 20]).expect("there is space again");
    drop(file);
    mount.unmount();
    assert_clean(&image);
}

#[test]
fn the_kernel_copies_between_files_without_reading_them() {
    if !in_mount_test("space::the_kernel_copies_between_files_without_reading_them") {
        return;
    }
    let dir = TempDir::new();
    let image = image(&dir, "32M");
    let mount = FuseMount::new(&dir, &image);
    let (from, to) = (mount.path("from"), mount.path("to"));
    let data: Vec<u8> = (0..3_000_000u32).map(|at| at.to_le_bytes()[1]).collect();
    fs::write(&from, &data).expect("create");
    fs::write(&to, b"start").expect("create");
    let source = fs::File::open(&from).expect("open");
    let target = OpenOptions::new().write(true).open(&to).expect("open");
    let (mut at, mut out) = (1000u64, 5u64);
    while copy_file_range(&source, Some(&mut at), &target, Some(&mut out), 5 << 20)
        .expect("copy_file_range")
        > 0
    {}
    let expected = [b"start", &data[1000..]].concat();
    assert!(fs::read(&to).expect("read") == expected);
    drop((source, target));
    mount.unmount();
    assert_clean(&image);
}

/// FUSE has no `syncfs(2)`, but making a new file durable takes along all that came before it.
fn sync(mount: &FuseMount) {
    let file = mount.path("synced");
    fs::write(&file, b"x").expect("write");
    fs::File::open(&file)
        .and_then(|file| file.sync_all())
        .expect("fsync");
}

/// Space of the image file, in units of 512 bytes.
fn stored(image: &Path) -> u64 {
    fs::metadata(image).expect("stat").blocks()
}

#[test]
fn freed_space_of_the_image_is_given_back() {
    if !in_mount_test("space::freed_space_of_the_image_is_given_back") {
        return;
    }
    let dir = TempDir::new();
    let image = image(&dir, "32M");
    for discard in [false, true] {
        let options = if discard { "discard,commit=1" } else { "rw" };
        let mount = FuseMount::with(&dir, &image, options);
        let path = mount.path("file");
        fs::write(&path, vec![9; 8 << 20]).expect("create");
        sync(&mount);
        let full = stored(&image);
        let free = || rustix::fs::statvfs(mount.path("")).expect("statfs").f_bfree;
        let before = free();
        fs::remove_file(&path).expect("unlink");
        // The kernel forgets the inode a little later.
        let started = std::time::Instant::now();
        while free() < before + 2048 {
            assert!(started.elapsed().as_secs() < 10, "it is not freed");
            std::thread::sleep(core::time::Duration::from_millis(10));
        }
        sync(&mount);
        if !discard {
            let trimmed = Command::new("fstrim").arg(mount.path("")).output();
            let trimmed = trimmed.expect("fstrim(8) of util-linux");
            assert!(trimmed.status.success(), "{trimmed:?}");
        }
        mount.unmount();
        let left = stored(&image);
        assert!(
            left + (15 << 10) < full,
            "discard {discard}: {left} of {full} are left"
        );
        assert_clean(&image);
    }
}
