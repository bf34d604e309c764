// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `fsck.xv6`: exit codes, and that `-n` writes nothing.

use crate::mount_test::TempDir;
use crate::support::{answer, failure, image, run, stdout, text};
use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

fn code(args: &[&str]) -> Option<i32> {
    run("fsck.xv6", args).status.code()
}

fn damage(image: &Path, offset: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(image).expect("image");
    file.write_all_at(bytes, offset).expect("image");
}

#[test]
fn a_lost_superblock_comes_back_from_its_backup_only_when_asked() {
    let dir = TempDir::new();
    let path = image(&dir, "16M");
    let whole = fs::read(&path).expect("image");
    damage(&path, 0, &[0; 4096]);
    let damaged = fs::read(&path).expect("image");
    let (refused, error) = failure(&run("fsck.xv6", &["-n", text(&path)]));
    assert_eq!(refused, Some(8));
    assert!(error.contains("not an xv6 file system"), "{error}");
    let (refused, error) = failure(&run("fsck.xv6", &["-p", text(&path)]));
    assert_eq!(refused, Some(8));
    assert!(error.contains("`fsck.xv6 -y` restores it"), "{error}");
    let refused = answer("fsck.xv6", &[text(&path)], "n\n");
    assert_eq!(refused.status.code(), Some(8));
    assert!(
        fs::read(&path).expect("image") == damaged,
        "nothing was written"
    );

    let repaired = run("fsck.xv6", &["-y", text(&path)]);
    assert_eq!(repaired.status.code(), Some(1), "{repaired:?}");
    assert!(
        stdout(&repaired).contains("superblock restored"),
        "{repaired:?}"
    );
    assert!(fs::read(&path).expect("image")[..256] == whole[..256]);
    assert_eq!(code(&["-n", text(&path)]), Some(0));
}

#[test]
fn a_device_that_was_given_to_another_file_system_is_left_to_it() {
    let dir = TempDir::new();
    let path = image(&dir, "16M");
    damage(&path, 0, &[0; 4096]);
    damage(&path, 0x438, b"\x53\xef");
    let before = fs::read(&path).expect("image");
    let (refused, error) = failure(&run("fsck.xv6", &["-y", text(&path)]));
    assert_eq!(refused, Some(8));
    assert!(error.contains("holds an ext2/3/4 file system"), "{error}");
    assert!(fs::read(&path).expect("image") == before);
}

/// A line of its own for the damage, and exit code 4; then 1 for the repair, and 0.
fn finds_and_repairs(path: &Path, mode: &str, line: &str) {
    let before = fs::read(path).expect("image");
    let checked = run("fsck.xv6", &["-n", text(path)]);
    assert_eq!(checked.status.code(), Some(4), "{checked:?}");
    assert!(stdout(&checked).contains(line), "{checked:?}");
    assert!(
        fs::read(path).expect("image") == before,
        "-n writes nothing"
    );
    let repaired = run("fsck.xv6", &[mode, text(path)]);
    assert_eq!(repaired.status.code(), Some(1), "{repaired:?}");
    let lines = stdout(&repaired);
    assert!(
        lines.contains(line) && lines.ends_with("image: repaired\n"),
        "{lines}"
    );
    assert!(repaired.stderr.is_empty(), "no progress without a terminal");
    assert_eq!(code(&["-n", text(path)]), Some(0));
    assert_eq!(code(&["-y", text(path)]), Some(0));
}

#[test]
fn damage_is_a_line_of_its_own_and_is_repaired_when_asked() {
    let dir = TempDir::new();
    let path = image(&dir, "16M");
    for mode in ["-y", "-p", "-a"] {
        // The label in the backup: the last block of 4096.
        damage(&path, 4095 * 4096 + 48, b"other");
        let line = "image: block 4095: the backup superblock differs";
        finds_and_repairs(&path, mode, line);
    }
}

#[test]
fn questions_are_answered_and_boot_decides_nothing() {
    let dir = TempDir::new();
    let path = image(&dir, "16M");
    // The owner of the root directory, in slot 1 of the inode table.
    let bytes = fs::read(&path).expect("image");
    let table = u64::from_le_bytes(bytes[136..144].try_into().expect("8 bytes"));
    damage(&path, table * 4096 + 256 + 4, b"\x07");
    let before = fs::read(&path).expect("image");
    let (refused, error) = failure(&run("fsck.xv6", &["-p", text(&path)]));
    assert_eq!(refused, Some(4));
    assert!(error.contains("`fsck.xv6 -y` does it"), "{error}");
    let refused = answer("fsck.xv6", &[text(&path)], "n\n");
    assert_eq!(refused.status.code(), Some(4));
    assert!(fs::read(&path).expect("image") == before, "not asked for");
    let repaired = answer("fsck.xv6", &[text(&path)], "y\n");
    assert_eq!(repaired.status.code(), Some(1), "{repaired:?}");
    assert_eq!(code(&["-n", text(&path)]), Some(0));
}

#[test]
fn the_backup_superblock_can_be_named() {
    let dir = TempDir::new();
    let path = image(&dir, "16M");
    // The file system is smaller than the device now, and the superblock does not say where it
    // ends.
    let file = OpenOptions::new().write(true).open(&path).expect("image");
    file.set_len(20 << 20).expect("image");
    damage(&path, 0, &[0; 4096]);
    assert_eq!(code(&["-y", text(&path)]), Some(8));
    let (refused, error) = failure(&run("fsck.xv6", &["-y", "-b", "4094", text(&path)]));
    assert_eq!(refused, Some(8));
    assert!(error.contains("block 4094 holds no superblock"), "{error}");
    let before = fs::read(&path).expect("image");
    assert_eq!(code(&["-n", "-b", "4095", text(&path)]), Some(1));
    assert!(
        fs::read(&path).expect("image") == before,
        "-n writes nothing"
    );
    assert_eq!(code(&["-y", "-b", "4095", text(&path)]), Some(1));
    assert_eq!(code(&["-n", text(&path)]), Some(0));
    // With its field of the size alone a superblock leads to its backup.
    damage(&path, 0, b"garbage!");
    assert_eq!(code(&["-y", text(&path)]), Some(1));
    assert_eq!(code(&["-n", text(&path)]), Some(0));
}

#[test]
fn wrong_arguments_are_16_and_what_cannot_be_opened_8() {
    let dir = TempDir::new();
    let path = image(&dir, "16M");
    assert_eq!(code(&["-n", "-y", text(&path)]), Some(16));
    assert_eq!(code(&["--what", text(&path)]), Some(16));
    assert_eq!(code(&[]), Some(16));
    let (missing, error) = failure(&run("fsck.xv6", &["-n", text(&dir.path().join("none"))]));
    assert_eq!(missing, Some(8));
    assert!(
        error.ends_with("none: No such file or directory (os error 2)\n"),
        "{error}"
    );
    assert_eq!(code(&["-a", "-f", text(&path)]), Some(0));
    assert_eq!(code(&["--help"]), Some(0));
}
