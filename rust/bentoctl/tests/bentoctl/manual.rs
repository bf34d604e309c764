// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Arguments, manual pages and completions.

use crate::support::{NEW, OLD, Tree};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

#[test]
fn wrong_arguments_have_exit_code_2() {
    let tree = Tree::new("wrong_arguments_have_exit_code_2");
    for args in [
        &["frobnicate"][..],
        &["load"],
        &["unload"],
        &["status", "a", "b"],
        &["upgrade", NEW, "--drain-ms", "0"],
        &[],
    ] {
        assert_eq!(tree.failure(args).0, 2, "{args:?}");
    }
    assert!(tree.text(&["--help"]).contains("Exit codes:\n  0  done\n"));
}

#[test]
fn there_is_a_manual_page_for_every_subcommand() {
    let tree = Tree::new("there_is_a_manual_page_for_every_subcommand");
    let share = tree.path("share");
    tree.text(&["share", share.to_str().expect("UTF-8")]);
    let help = tree.text(&["--help"]);
    let commands = help.split("Commands:\n").nth(1).expect("a list");
    let names: Vec<&str> = commands
        .lines()
        .map_while(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(
        names.contains(&"status") && names.contains(&"load"),
        "{names:?}"
    );
    for name in names {
        let page = fs::read_to_string(share.join(format!("man/man8/bentoctl-{name}.8")));
        let page = page.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            page.contains(".TH") && page.contains("\\-\\-json"),
            "{page}"
        );
    }
    let page = fs::read_to_string(share.join("man/man8/bentoctl.8")).expect("a page");
    assert!(page.contains("Exit codes:"), "{page}");
    assert!(page.contains("bentoctl\\-status(8)"), "{page}");
    let json = fs::read_to_string(share.join("man/man5/bentoctl-json.5")).expect("a page");
    assert!(json.contains(".TH bentoctl-json 5"), "{json}");
    for file in [
        "bash-completion/completions/bentoctl",
        "zsh/site-functions/_bentoctl",
        "fish/vendor_completions.d/bentoctl.fish",
    ] {
        let text = fs::read_to_string(share.join(file)).expect(file);
        assert!(text.contains("history"), "{file}");
    }
    assert!(
        tree.text(&["completions", "bash"])
            .contains("complete -F _bentoctl")
    );
}

/// Every name of a field in a document.
fn fields(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| fields(value, names)),
        Value::Object(object) => {
            for (name, value) in object {
                names.insert(name.clone());
                fields(value, names);
            }
        }
        _ => {}
    }
}

#[test]
fn every_field_of_the_json_documents_is_described() {
    let tree = Tree::new("every_field_of_the_json_documents_is_described");
    tree.mount("vdb", "254:16", "/mnt");
    tree.set(
        "vdb",
        "history",
        &format!("1 upgrade {OLD} {NEW} 0 412345 -"),
    );
    tree.set("vdb", "ops", "lookup 1 0");
    let latency = format!("lookup 1 0 70 70 1{}", " 0".repeat(23));
    tree.put("sys/kernel/debug/bentofs/vdb/latency", &latency);
    let mut names = BTreeSet::new();
    for args in [
        &["list"][..],
        &["load", NEW],
        &["unload", "nothing"],
        &["status"],
        &["history"],
        &["stats"],
        &["rollback"],
        &["upgrade", OLD],
    ] {
        fields(&tree.json(args), &mut names);
    }
    assert!(names.len() > 40, "{names:?}");
    let page = include_str!("../../man/bentoctl-json.5");
    let page = page.replace("\\fI", " ").replace("\\fR", " ");
    let described: BTreeSet<&str> = page
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .collect();
    for name in names {
        assert!(described.contains(name.as_str()), "{name} is not described");
    }
}
