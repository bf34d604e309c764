// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `dump.xv6` and the manual pages.

use crate::mount_test::TempDir;
use crate::support::{failure, image, run, stdout, text};
use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

fn dump(image: &Path, what: &[&str]) -> String {
    let args: Vec<&str> = [text(image)]
        .into_iter()
        .chain(what.iter().copied())
        .collect();
    let shown = run("dump.xv6", &args);
    assert!(shown.status.success(), "{shown:?}");
    stdout(&shown)
}

/// The word behind the first occurrence of `name` at the start of a line.
fn field(dump: &str, name: &str) -> String {
    let mut lines = dump.lines().map(str::trim_start);
    let line = lines.find_map(|line| line.strip_prefix(name));
    let words = line.unwrap_or_else(|| panic!("no {name} in:\n{dump}"));
    words.split_whitespace().next().unwrap_or_default().into()
}

#[test]
fn everything_can_be_shown_and_damage_is_said_so() {
    let dir = TempDir::new();
    let path = image(&dir, "16M");
    let shown = dump(&path, &[]);
    assert_eq!(field(&shown, "magic"), "Bentoxv6");
    assert_eq!(field(&shown, "blocks"), "4096");
    assert!(shown.contains("in order, and so is its backup"), "{shown}");
    let table: u64 = field(&shown, "inode table").parse().expect("a number");
    let root = dump(&path, &["inode", "1"]);
    assert_eq!(
        (field(&root, "mode"), field(&root, "links")),
        ("040755".into(), "2".into())
    );
    assert!(
        root.contains("(Directory)") && root.contains("(right)"),
        "{root}"
    );
    assert!(dump(&path, &["dir", "1"]).contains("cookie"));
    assert_eq!(field(&dump(&path, &["log"]), "log,"), "64");
    let map = field(&shown, "block map");
    assert!(dump(&path, &["block", &map]).contains("XBMP"));

    let file = OpenOptions::new().write(true).open(&path).expect("image");
    file.write_all_at(&[7], table * 4096 + 256 + 4)
        .expect("image");
    let root = dump(&path, &["inode", "1"]);
    assert!(root.contains("(WRONG)"), "{root}");
}

#[test]
fn a_damaged_superblock_is_shown_and_nothing_else_is() {
    let dir = TempDir::new();
    let path = image(&dir, "16M");
    let file = OpenOptions::new().write(true).open(&path).expect("image");
    file.write_all_at(&[9; 8], 100).expect("image");
    let shown = dump(&path, &["super"]);
    assert!(shown.contains("(WRONG)"), "{shown}");
    let (code, error) = failure(&run("dump.xv6", &[text(&path), "inode", "1"]));
    assert_eq!(code, Some(1));
    assert!(error.contains("only `super` can be shown"), "{error}");
}

#[test]
fn numbers_that_do_not_exist_are_refused() {
    let dir = TempDir::new();
    let path = image(&dir, "16M");
    for (what, number, says) in [
        ("inode", "0", "no inode 0: there are inodes 1 to"),
        ("inode", "99999999", "no inode 99999999"),
        ("block", "4096", "block 4096 lies behind the end"),
    ] {
        let (code, error) = failure(&run("dump.xv6", &[text(&path), what, number]));
        assert_eq!(code, Some(1), "{error}");
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(
        run("dump.xv6", &[text(&path), "inode"]).status.code(),
        Some(2)
    );
}

#[test]
fn there_is_a_manual_page_for_every_tool_and_the_format() {
    let dir = TempDir::new();
    let made = run("xv6-tools", &["man", text(dir.path())]);
    assert!(made.status.success(), "{made:?}");
    for (page, says) in [
        ("man8/mkfs.xv6.8", "\\-\\-label"),
        ("man8/fsck.xv6.8", "lost+found"),
        ("man8/dump.xv6.8", "superblock"),
        ("man8/mount.fuse.xv6.8", "FUSE"),
        ("man5/xv6.5", "incompat"),
    ] {
        let text = fs::read_to_string(dir.path().join(page)).expect(page);
        assert!(
            text.contains(says) && text.contains(".TH"),
            "{page}:\n{text}"
        );
    }
}

#[test]
fn every_shell_completes_the_options_of_every_tool() {
    let dir = TempDir::new();
    let made = run("xv6-tools", &["completions", text(dir.path())]);
    assert!(made.status.success(), "{made:?}");
    for tool in ["mkfs.xv6", "fsck.xv6", "dump.xv6", "mount.fuse.xv6"] {
        for path in [
            format!("bash-completion/completions/{tool}"),
            format!("zsh/site-functions/_{tool}"),
            format!("fish/vendor_completions.d/{tool}.fish"),
        ] {
            let text = fs::read_to_string(dir.path().join(&path)).expect(&path);
            assert!(text.contains(tool), "{path}:\n{text}");
        }
    }
    let bash = dir.path().join("bash-completion/completions/mkfs.xv6");
    let text = fs::read_to_string(bash).expect("made above");
    assert!(text.contains("--label"), "{text}");
}
