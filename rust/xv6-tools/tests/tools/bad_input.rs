// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Images that are none: clear errors, no hang, no panic, not one byte changed.

use crate::mount_test::TempDir;
use crate::support::{failure, image, run, text};
use std::fs;
use std::path::Path;

/// Checks, and mounts where FUSE can be used; both must fail with a message that says `expected`.
fn refused(dir: &TempDir, image: &Path, expected: &str) {
    let before = fs::read(image).expect("image");
    let at = dir.path().join("mnt");
    fs::create_dir_all(&at).expect("mount point");
    let check = failure(&run("fsck.xv6", &["-y", text(image)]));
    assert!(matches!(check.0, Some(4 | 8)), "{check:?}");
    assert!(check.1.contains(expected), "{check:?}");
    if bento_fuse::unusable().is_none() {
        for options in ["rw", "ro"] {
            let mount = failure(&run(
                "mount.fuse.xv6",
                &["-o", options, text(image), text(&at)],
            ));
            assert_eq!(mount.0, Some(32), "{mount:?}");
            assert!(mount.1.contains(expected), "{mount:?}");
        }
    }
    assert!(fs::read(image).expect("image") == before, "changed");
}

#[test]
fn what_is_no_xv6_image_is_refused() {
    let dir = TempDir::new();
    let path = dir.path().join("image");
    for bytes in [
        vec![0; 1 << 20],
        vec![0xff; 1 << 20],
        b"#!/bin/sh\n".repeat(1000),
    ] {
        fs::write(&path, bytes).expect("image");
        refused(&dir, &path, "not an xv6 file system");
    }
    fs::write(&path, b"").expect("image");
    refused(&dir, &path, "smaller than one block");
}

#[test]
fn another_version_is_refused_with_both_numbers() {
    let dir = TempDir::new();
    let path = image(&dir, "16M");
    let mut bytes = fs::read(&path).expect("image");
    bytes[8] = 9;
    // The backup as well, or fsck would offer it.
    bytes[4095 * 4096 + 8] = 9;
    fs::write(&path, bytes).expect("image");
    refused(
        &dir,
        &path,
        "version 9 of the format, but this build knows only version 1",
    );
}

#[test]
fn a_truncated_image_is_refused_at_every_length() {
    let dir = TempDir::new();
    let path = image(&dir, "16M");
    let bytes = fs::read(&path).expect("image");
    for blocks in [1, 2, 65, 100, 4095] {
        fs::write(&path, &bytes[..blocks * 4096]).expect("image");
        refused(&dir, &path, "truncated image?");
    }
}

/// Every byte of the superblock's fields, one at a time.
#[test]
fn garbage_in_any_byte_of_the_superblock_is_refused_or_harmless() {
    let dir = TempDir::new();
    let path = image(&dir, "2M");
    let bytes = fs::read(&path).expect("image");
    for offset in (0..256).step_by(3) {
        let mut garbage = bytes.clone();
        garbage[offset] ^= 0xa5;
        fs::write(&path, &garbage).expect("image");
        let checked = run("fsck.xv6", &["-n", text(&path)]);
        let code = checked.status.code();
        assert!(matches!(code, Some(4 | 8)), "byte {offset}: {checked:?}");
        assert!(
            fs::read(&path).expect("image") == garbage,
            "byte {offset}: changed"
        );
    }
}
