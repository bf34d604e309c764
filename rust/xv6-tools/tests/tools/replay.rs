// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `xv6-tools replay`: a trace written by hand. (The scenario `replay` takes one from a kernel.)

use crate::mount_test::TempDir;
use crate::support::{assert_clean, failure, image, run, stdout, text};
use std::fs;
use std::path::PathBuf;

/// What was asked, and what came of it. The kernel gave the new file the number 77.
const CALLS: [(&str, &str, &str); 9] = [
    (
        "create",
        "ino=1 a=33188 b=4294967301 c=0 name=file name2=",
        "result=0 made=77",
    ),
    (
        "mkdir",
        "ino=1 a=16877 b=0 c=0 name=dir name2=",
        "result=0 made=3",
    ),
    (
        "allocate",
        "ino=77 a=0 b=5000 c=0 name= name2=",
        "result=0 made=0",
    ),
    (
        "commit",
        "ino=77 a=0 b=5000 c=5000 name= name2=",
        "result=0 made=0",
    ),
    (
        "lookup",
        "ino=1 a=0 b=0 c=0 name=none name2=",
        "result=-2 made=0",
    ),
    (
        "rename",
        "ino=1 a=3 b=77 c=0 name=file name2=new\\040name",
        "result=0 made=0",
    ),
    (
        "setattr",
        "ino=77 a=1649267441697 b=0 c=0 name=-,9.000000005,- name2=",
        "result=0 made=0",
    ),
    (
        "setxattr",
        "ino=77 a=0 b=5 c=0 name=user.x name2=value",
        "result=0 made=0",
    ),
    (
        "rmdir",
        "ino=1 a=3 b=0 c=0 name=dir name2=",
        "result=-39 made=0",
    ),
];

fn trace(dir: &TempDir, result_of_rmdir: &str) -> PathBuf {
    let event = |n: usize, kind: &str, op: &str, rest: &str| {
        format!("  bash-9       [000] .....     5.00000{n}: {kind}: 254:16 {op} {rest}\n")
    };
    let lines = (0..).zip(CALLS).map(|(n, (op, asked, gave))| {
        let gave = gave.replace("result=-39", result_of_rmdir);
        event(n, "op_enter", op, asked) + &event(n, "op_exit", op, &gave)
    });
    let path = dir.path().join("trace");
    fs::write(&path, lines.collect::<String>()).expect("trace");
    path
}

#[test]
fn a_trace_is_repeated_on_a_copy() {
    let dir = TempDir::new();
    let path = image(&dir, "16M");
    let trace = trace(&dir, "result=-39");
    let replayed = run("xv6-tools", &["replay", text(&trace), text(&path)]);
    assert!(replayed.status.success(), "{replayed:?}");
    assert!(
        stdout(&replayed).starts_with("8 calls repeated"),
        "{replayed:?}"
    );
    assert_clean(&path);
    let root = stdout(&run("dump.xv6", &[text(&path), "dir", "1"]));
    assert!(root.contains("dir") && !root.contains("file"), "{root}");
    let below = stdout(&run("dump.xv6", &[text(&path), "dir", "3"]));
    assert!(below.contains("new name"), "{below}");
    let file = stdout(&run("dump.xv6", &[text(&path), "inode", "2"]));
    for line in [
        "mode 100600 (Regular)",
        "owner 5:1",
        "size 5000",
        "modified 9.000000005",
    ] {
        let same = |found: &str| found.split_whitespace().eq(line.split(' '));
        assert!(file.lines().any(same), "no {line}: {file}");
    }
    assert!(!file.contains("xattr block 0"), "{file}");
}

#[test]
fn another_answer_is_told() {
    let dir = TempDir::new();
    let path = image(&dir, "16M");
    let trace = trace(&dir, "result=0");
    let replayed = run("xv6-tools", &["replay", text(&trace), text(&path)]);
    assert_eq!(replayed.status.code(), Some(1), "{replayed:?}");
    assert!(
        stdout(&replayed).contains("line 18: rmdir gives -39, not 0"),
        "{replayed:?}"
    );
    fs::write(&trace, "nothing\n").expect("trace");
    let refused = run("xv6-tools", &["replay", text(&trace), text(&path)]);
    let (code, message) = failure(&refused);
    assert!(
        code == Some(1) && message.contains("no events"),
        "{message}"
    );
}
