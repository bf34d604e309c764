// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `stats`: counts for everybody, latencies for root.

use crate::support::Tree;
use serde_json::json;
use std::fs;

fn counted(test: &str) -> Tree {
    let tree = Tree::new(test);
    tree.mount("vdb", "254:16", "/mnt");
    tree.set("vdb", "ops", "lookup 1000 3\ncreate 20 0");
    tree
}

fn measured(test: &str) -> Tree {
    let tree = counted(test);
    let buckets = format!("0 500 0 490 9 1{}", " 0".repeat(18));
    let folder = "sys/kernel/debug/bentofs/vdb";
    tree.put(&format!("{folder}/latency_enable"), "1");
    tree.put(
        &format!("{folder}/latency"),
        &format!("lookup 1000 3 500000 3900 {buckets}"),
    );
    tree
}

#[test]
fn calls_are_counted_for_everybody() {
    let tree = counted("calls_are_counted_for_everybody");
    assert_eq!(
        tree.text(&["stats", "/mnt"]),
        "vdb  (latencies: for root alone)\n  \
         OPERATION  CALLS  ERRORS\n  \
         lookup     1000   3\n  \
         create     20     0\n"
    );
    let json = tree.json(&["stats"]);
    assert_eq!(json["mounts"][0]["latency_enabled"], json!(null));
    assert_eq!(
        json["mounts"][0]["ops"][1],
        json!({"op": "create", "count": 20, "errors": 0, "latency": null})
    );
    let (code, message) = tree.failure(&["stats", "--enable"]);
    assert_eq!(code, 4);
    assert!(
        message.contains("mount -t debugfs none /sys/kernel/debug"),
        "{message}"
    );
}

#[test]
fn latencies_are_told_as_percentiles() {
    let tree = measured("latencies_are_told_as_percentiles");
    assert_eq!(
        tree.text(&["stats"]),
        "vdb  (latencies: being measured)\n  \
         OPERATION  CALLS  ERRORS  MEAN    P50     P90     P99     P99.9   MAX\n  \
         lookup     1000   3       500 ns  256 ns  1.0 us  1.0 us  2.0 us  3.9 us\n  \
         create     20     0       -       -       -       -       -       -\n"
    );
    let latency = &tree.json(&["stats"])["mounts"][0]["ops"][0]["latency"];
    assert_eq!(latency["mean_ns"], 500);
    assert_eq!(latency["p99_ns"], 1_024);
    assert_eq!(latency["max_ns"], 3_900);
    assert_eq!(latency["buckets"].as_array().map(Vec::len), Some(24));
}

#[test]
fn measuring_is_switched() {
    let tree = measured("measuring_is_switched");
    let read = |name: &str| {
        let path = tree.path("sys/kernel/debug/bentofs/vdb").join(name);
        fs::read_to_string(path).expect("a file")
    };
    tree.text(&["stats", "--disable"]);
    assert!(read("latency_enable").starts_with('0'));
    tree.text(&["stats", "--enable", "--reset"]);
    assert!(read("latency_enable").starts_with('1'));
    assert!(read("latency").starts_with('0'));
}
