// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `list`, `status`, `history`: what is there, as text and as JSON.

use crate::support::{NEW, OLD, Tree};
use serde_json::json;

fn two_mounts(test: &str) -> Tree {
    let tree = Tree::new(test);
    tree.mount("vdb", "254:16", r"/mnt/my\040disk");
    tree.mount("vdc", "254:32", "/srv");
    tree
}

#[test]
fn builds_are_listed_with_their_mounts() {
    let tree = two_mounts("builds_are_listed_with_their_mounts");
    assert_eq!(
        tree.text(&["list"]),
        format!(
            "TYPE  VERSION  MODULE                    NEW MOUNTS  STATE          MOUNTS\n\
             xv6   1.0.0    {OLD}  yes         1 (reads 1-1)  vdb, vdc\n\
             xv6   1.1.0    {NEW}  -           2 (reads 1-2)  -\n"
        )
    );
    let build = |version, module, preferred, writes, mounts: &[&str]| {
        json!({
            "type": "xv6", "version": version, "module": module, "preferred": preferred,
            "state_schema": {"writes": writes, "reads_min": 1, "reads_max": writes},
            "mounts": mounts,
        })
    };
    let builds = [
        build("1.0.0", OLD, true, 1, &["vdb", "vdc"]),
        build("1.1.0", NEW, false, 2, &[]),
    ];
    assert_eq!(
        tree.json(&["list"]),
        json!({"schema": 1, "abi": 3, "builds": builds})
    );
}

#[test]
fn the_state_of_a_mount_is_told() {
    let tree = two_mounts("the_state_of_a_mount_is_told");
    tree.set("vdc", "state", "failed");
    tree.set("vdc", "panics", "1");
    tree.set("vdc", "ops_failed", "12");
    tree.set("vdc", "upgrades", "2");
    tree.set("vdc", "pause_ns", "412345");
    tree.set(
        "vdc",
        "pause_steps",
        "drain 1000\nexport 20000\nimport 391345\nwake 0",
    );
    tree.set(
        "vdc",
        "last_error",
        "panic in create: \u{1b}[31mout of bounds",
    );
    let text = tree.text(&["status"]);
    let mut mounts = text.split("\n\n");
    assert_eq!(
        mounts.next(),
        Some(
            "vdb  xv6 1.0.0  active\n  \
             mounted on   /mnt/my disk\n  \
             device       /dev/vdb (254:16)\n  \
             build        bento_xv6_1_0_0_11111111\n  \
             inodes       17 in memory\n  \
             upgrades     0\n  \
             panics       0\n  \
             refused      0 operations, for the mount had failed"
        )
    );
    let failed = mounts.next().expect("two mounts");
    for line in [
        "vdc  xv6 1.0.0  failed",
        "  upgrades     2, last pause 0.4 ms (drain 1.0 us, export 20.0 us, import 0.4 ms, wake 0 ns)",
        "  panics       1",
        "  refused      12 operations, for the mount had failed",
        "  last error   panic in create: \\u{1b}[31mout of bounds",
        "  to repair    bentoctl upgrade a build, the same one or another",
    ] {
        assert!(failed.contains(line), "{line}: not in\n{failed}");
    }
    assert_eq!(
        tree.json(&["status", "vdc"]),
        json!({"schema": 1, "mounts": [{
            "id": "vdc", "type": "xv6", "version": "1.0.0", "build": OLD, "state": "failed",
            "device": "/dev/vdc", "dev": "254:32", "mount_points": ["/srv"], "nodes": 17,
            "upgrades": 2, "panics": 1, "ops_failed": 12, "stuck": null, "drain_ms": 1000,
            "pause_ns": 412_345,
            "pause_steps_ns": {"drain": 1_000, "export": 20_000, "import": 391_345, "wake": 0},
            "last_error": "panic in create: \u{1b}[31mout of bounds",
        }]})
    );
}

#[test]
fn a_mount_has_three_names() {
    let tree = two_mounts("a_mount_has_three_names");
    for name in ["vdb", "/dev/vdb", "/mnt/my disk"] {
        let json = tree.json(&["status", name]);
        assert_eq!(json["mounts"][0]["id"], "vdb", "{name}: {json}");
        assert_eq!(json["mounts"].as_array().map(Vec::len), Some(1));
    }
    let (code, message) = tree.failure(&["status", "/mnt"]);
    assert_eq!(code, 4);
    assert_eq!(
        message,
        "bentoctl: /mnt: no mount point, device or id of a Bento mount; there are vdb, vdc\n"
    );
    let (code, message) = tree.failure(&["status", "/dev/vda"]);
    assert_eq!(code, 4);
    assert!(
        message.contains("not with a Bento file system"),
        "{message}"
    );
}

#[test]
fn a_bentofs_that_knows_less_is_understood() {
    let tree = two_mounts("a_bentofs_that_knows_less_is_understood");
    for name in ["dev", "drain_ms", "history", "pause_steps"] {
        let path = tree.path("sys/fs/bentofs/vdc").join(name);
        std::fs::remove_file(path).expect("an attribute");
    }
    tree.put("sys/fs/bentofs/types", &format!("xv6 1.0.0 {OLD} *"));
    let json = tree.json(&["status", "/srv"]);
    assert_eq!(json["mounts"][0]["mount_points"], json!(["/srv"]));
    assert_eq!(json["mounts"][0]["dev"], json!(null));
    assert_eq!(
        tree.json(&["list"])["builds"][0]["state_schema"],
        json!(null)
    );
    let (code, message) = tree.failure(&["history", "vdc"]);
    assert_eq!(code, 4);
    assert!(
        message.contains("vdc: the loaded bentofs keeps no history"),
        "{message}"
    );
}

#[test]
fn history_is_shown_oldest_first() {
    let tree = two_mounts("history_is_shown_oldest_first");
    tree.set(
        "vdb",
        "history",
        &format!(
            "1795280649 upgrade {OLD} {NEW} 0 412345 -\n\
             1795280700 check {NEW} {OLD} -95 0 {NEW} exports state schema 2, {OLD} reads 1 to 1"
        ),
    );
    assert_eq!(
        tree.text(&["history"]),
        format!(
            "MOUNT  TIME                     WHAT     FROM                      TO                        PAUSE   RESULT\n\
             vdb    2026-11-21 17:04:09 UTC  upgrade  {OLD}  {NEW}  0.4 ms  ok\n\
             vdb    2026-11-21 17:05:00 UTC  check    {NEW}  {OLD}  -       \
             Operation not supported: {NEW} exports state schema 2, {OLD} reads 1 to 1\n"
        )
    );
    let json = tree.json(&["history", "vdb"]);
    assert_eq!(
        json["mounts"][0]["events"][0],
        json!({
            "time": 1_795_280_649, "kind": "upgrade", "from": OLD, "to": NEW, "result": 0,
            "pause_ns": 412_345, "text": null,
        })
    );
    assert_eq!(json["mounts"][0]["events"][1]["result"], -95);
    assert_eq!(tree.text(&["history", "vdc"]), "nothing has happened yet\n");
}

#[test]
fn nothing_there_is_said_so() {
    let tree = Tree::without_bentofs("nothing_there_is_said_so");
    for args in [&["list"], &["status"], &["history"]] {
        let (code, message) = tree.failure(args);
        assert_eq!(code, 4);
        assert!(message.contains("`modprobe bentofs` loads it"), "{message}");
    }
    let json = tree.json(&["status"]);
    assert_eq!(json["error"]["kind"], "not-found");
    assert_eq!(json["error"]["exit_code"], 4);
    tree.put("sys/fs/bentofs/types", "");
    assert_eq!(tree.text(&["status"]), "nothing is mounted with Bento\n");
    assert!(
        tree.text(&["list"])
            .starts_with("no build of a file system is loaded")
    );
}
