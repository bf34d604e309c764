// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `upgrade` and `rollback`: what is written, what is told, and where it stops.

use crate::kernel::{serve, stall, upgraded};
use crate::support::{NEW, OLD, Tree};
use core::time::Duration;
use rustix::process::{Pid, Signal};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::Instant;

fn three_mounts(test: &str) -> Tree {
    let tree = Tree::new(test);
    tree.mount("vdb", "254:16", "/mnt/b");
    tree.mount("vdc", "254:32", "/mnt/c");
    tree.mount("vdd", "254:48", "/mnt/d");
    tree
}

/// Writes to `upgrade` of this mount fail, as if there were no memory for the new state.
fn obstruct(tree: &Tree, id: &str) {
    let path = tree.path("sys/fs/bentofs").join(id).join("upgrade");
    fs::remove_file(&path).expect("a file is there");
    symlink("/dev/full", path).expect("a new link");
}

#[test]
fn all_mounts_of_the_type_get_the_build() {
    let tree = three_mounts("all_mounts_of_the_type_get_the_build");
    tree.put("sys/fs/bentofs/prefer", "");
    let mut kernel = Vec::new();
    for (id, pause) in [("vdb", "212345"), ("vdc", "412345"), ("vdd", "99")] {
        kernel.push(serve(&tree, id, move |tree| upgraded(tree, id, pause)));
    }
    assert_eq!(
        tree.text(&["upgrade", "1.1.0"]),
        "vdb: 1.0.0 -> 1.1.0: upgraded, pause 0.2 ms\n\
         vdc: 1.0.0 -> 1.1.0: upgraded, pause 0.4 ms\n\
         vdd: 1.0.0 -> 1.1.0: upgraded, pause 99 ns\n\
         upgraded xv6 1.0.0 -> 1.1.0 on 3 mounts, longest pause 0.4 ms, 0 operations failed\n"
    );
    for mount in kernel {
        assert_eq!(mount.join().expect("the kernel"), NEW);
    }
    let prefer = fs::read_to_string(tree.path("sys/fs/bentofs/prefer")).expect("a file");
    assert!(prefer.starts_with(NEW), "new mounts get {prefer}");
    assert_eq!(
        tree.text(&["upgrade", NEW]).lines().last(),
        Some("nothing to do: no mount needs another build")
    );
}

#[test]
fn one_mount_can_be_named_and_its_patience_chosen() {
    let tree = three_mounts("one_mount_can_be_named_and_its_patience_chosen");
    tree.put("sys/fs/bentofs/prefer", "");
    let kernel = serve(&tree, "vdc", |tree| {
        let path = tree.path("sys/fs/bentofs/vdc/drain_ms");
        let patience = fs::read_to_string(path).expect("an attribute");
        assert!(patience.starts_with("250"), "{patience}");
        tree.set("vdc", "ops_failed", "4");
        upgraded(tree, "vdc", "412345");
    });
    tree.set("vdc", "ops_failed", "3");
    let json = tree.json(&["upgrade", NEW, "--mount", "/mnt/c", "--drain-ms", "250"]);
    assert_eq!(
        json,
        json!({"schema": 1, "dry_run": false, "preferred": [], "mounts": [{
            "id": "vdc", "type": "xv6", "mount_points": ["/mnt/c"],
            "from": {"version": "1.0.0", "build": OLD},
            "to": {"version": "1.1.0", "build": NEW},
            "result": "upgraded", "pause_ns": 412_345,
            "pause_steps_ns": {"drain": 1_000, "export": 2_000, "import": 3_000, "wake": 4_000},
            "ops_failed": 1, "error": null,
        }]})
    );
    assert_eq!(kernel.join().expect("the kernel"), NEW);
    assert_eq!(tree.json(&["status", "vdc"])["mounts"][0]["drain_ms"], 1000);
    let prefer = fs::read_to_string(tree.path("sys/fs/bentofs/prefer")).expect("a file");
    assert_eq!(prefer, "\n", "two mounts still have the old build");
}

#[test]
fn a_signal_in_the_middle_leaves_the_patience_as_it_was() {
    let tree = three_mounts("a_signal_in_the_middle_leaves_the_patience_as_it_was");
    let _pipe = stall(&tree, "vdc");
    let patience = || {
        let path = tree.path("sys/fs/bentofs/vdc/drain_ms");
        fs::read_to_string(path).expect("an attribute")
    };
    let before = patience();
    let arguments = ["upgrade", NEW, "--mount", "vdc", "--drain-ms", "250"];
    let mut bentoctl = tree.command(&arguments).spawn().expect("bentoctl starts");
    let give_up = Instant::now() + Duration::from_secs(30);
    while !patience().starts_with("250") {
        assert!(Instant::now() < give_up, "drain_ms was not written");
        thread::sleep(Duration::from_millis(2));
    }
    let pid = Pid::from_child(&bentoctl);
    rustix::process::kill_process(pid, Signal::INT).expect("it runs");
    let status = bentoctl.wait().expect("a child");
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()), "{status}");
    assert_eq!(patience(), before);
}

#[test]
fn after_a_failure_the_others_are_left_alone() {
    let tree = three_mounts("after_a_failure_the_others_are_left_alone");
    tree.set("vdd", "state", "failed");
    obstruct(&tree, "vdc");
    let kernel = serve(&tree, "vdb", |tree| upgraded(tree, "vdb", "412345"));
    let output = tree.run(&["upgrade", NEW]);
    kernel.join().expect("the kernel");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "bentoctl: 1 of 3 mounts failed, 1 not tried after that (--keep-going goes on)\n"
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!(
            "vdb: 1.0.0 -> 1.1.0: upgraded, pause 0.4 ms\n\
             FAILED vdc (/mnt/c): 1.0.0 -> 1.1.0: No space left on device; {OLD} serves on\n\
             vdd: 1.0.0 -> 1.1.0: not tried\n\
             upgraded xv6 1.0.0 -> 1.1.0 on 1 mount, longest pause 0.4 ms, 0 operations failed\n"
        )
    );

    let kernel = serve(&tree, "vdd", |tree| upgraded(tree, "vdd", "612345"));
    let json = tree.json(&["upgrade", NEW, "--keep-going"]);
    kernel.join().expect("the kernel");
    let results: Vec<_> = (0..3)
        .map(|at| json["mounts"][at]["result"].clone())
        .collect();
    assert_eq!(results, ["unchanged", "failed", "repaired"]);
    assert_eq!(json["mounts"][1]["error"]["kind"], "failed");
}

#[test]
fn the_failure_of_the_only_mount_decides_the_exit_code() {
    let tree = Tree::new("the_failure_of_the_only_mount_decides_the_exit_code");
    tree.mount("vdb", "254:16", "/mnt");
    obstruct(&tree, "vdb");
    tree.set(
        "vdb",
        "last_error",
        "upgrade 1.0.0 -> x: import failed (error -28)",
    );
    assert_eq!(
        tree.failure(&["upgrade", NEW]),
        (
            8,
            format!(
                "bentoctl: vdb (/mnt): 1.0.0 -> 1.1.0: No space left on device (bentofs: upgrade \
                 1.0.0 -> x: import failed (error -28)); {OLD} serves on\n"
            )
        )
    );
    tree.set("vdb", "state", "shutdown");
    let (code, message) = tree.failure(&["upgrade", NEW]);
    assert_eq!(code, 8);
    assert!(
        message.contains("vdb (/mnt): it was shut down by ioctl"),
        "{message}"
    );
    let (code, message) = tree.failure(&["upgrade", NEW, "--mount", "vdx"]);
    assert_eq!(code, 4);
    assert!(message.contains("there are vdb"), "{message}");
    tree.set("vdb", "fs", "hello");
    assert_eq!(tree.text(&["upgrade", NEW]), "no xv6 is mounted\n");
    let (code, message) = tree.failure(&["upgrade", NEW, "--mount", "vdb"]);
    assert_eq!(code, 5);
    assert!(
        message.contains("vdb (/mnt) is a mount of hello"),
        "{message}"
    );
}

#[test]
fn a_dry_run_only_checks() {
    let tree = Tree::new("a_dry_run_only_checks");
    tree.mount("vdb", "254:16", "/mnt");
    tree.put("sys/fs/bentofs/prefer", "");
    let kernel = serve(&tree, "vdb", |_| ());
    assert_eq!(
        tree.text(&["upgrade", NEW, "--dry-run"]),
        "dry run: xv6 1.0.0 -> 1.1.0 would work on 1 mount\n"
    );
    assert_eq!(kernel.join().expect("the kernel"), format!("check {NEW}"));
    let prefer = fs::read_to_string(tree.path("sys/fs/bentofs/prefer")).expect("a file");
    assert_eq!(prefer, "\n");
}

#[test]
fn each_step_can_be_watched() {
    let tree = Tree::new("each_step_can_be_watched");
    tree.mount("vdb", "254:16", "/mnt");
    let kernel = serve(&tree, "vdb", |tree| {
        tree.set("vdb", "state", "upgrading");
        thread::sleep(Duration::from_millis(400));
        upgraded(tree, "vdb", "10000");
    });
    let output = tree.run(&["upgrade", NEW, "--watch"]);
    kernel.join().expect("the kernel");
    let text = String::from_utf8_lossy(&output.stderr);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("[1/1] vdb (/mnt): xv6 1.0.0 -> 1.1.0"));
    let state = lines.next().expect("a state");
    assert!(state.starts_with("vdb (/mnt): upgrading, "), "{text}");
    assert_eq!(
        text.lines().last(),
        Some(
            "vdb: 1.0.0 -> 1.1.0: upgraded, pause 10.0 us \
             (drain 1.0 us, export 2.0 us, import 3.0 us, wake 4.0 us)"
        )
    );
}

#[test]
fn rollback_goes_to_the_build_before() {
    let tree = three_mounts("rollback_goes_to_the_build_before");
    for id in ["vdb", "vdc"] {
        tree.set(id, "build", NEW);
        tree.set(id, "version", "1.1.0");
        tree.set(id, "history", &format!("1 upgrade {OLD} {NEW} 0 412345 -"));
    }
    let mut kernel = Vec::new();
    for id in ["vdb", "vdc"] {
        kernel.push(serve(&tree, id, move |tree| {
            tree.set(id, "build", OLD);
            tree.set(id, "pause_ns", "300000");
        }));
    }
    let text = tree.text(&["rollback"]);
    assert_eq!(
        text.lines().last(),
        Some(
            "rolled back xv6 1.1.0 -> 1.0.0 on 2 mounts, longest pause 0.3 ms, 0 operations failed"
        )
    );
    for mount in kernel {
        assert_eq!(mount.join().expect("the kernel"), OLD);
    }
    let (code, message) = tree.failure(&["rollback", "--mount", "vdd"]);
    assert_eq!(code, 4);
    assert!(
        message.contains("vdd (/mnt/d): nothing to go back to"),
        "{message}"
    );
    assert_eq!(
        tree.text(&["rollback"]),
        "nothing to do: no mount was upgraded\n"
    );
}
