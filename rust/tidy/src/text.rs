// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Rules for every text file.

use crate::Finding;
use crate::repository::{Repository, Source};

/// Lines per file.
const MAX_LINES: usize = 800;
/// An SPDX line stands within the first lines (a shebang may come before it).
const SPDX_LINES: usize = 3;

const DUAL: &str = "GPL-2.0-only OR MIT";
const KERNEL: &str = "GPL-2.0-only";
/// What is linked into the kernel.
const KERNEL_FOLDERS: [&str; 5] = [
    "kernel-module/",
    "rust/bento-sys/",
    "rust/bento-sync/",
    "rust/libbentofs/",
    "rust/libbentoks/",
];

/// Words that stand for work that was put off, in two parts so that this file passes.
const PUT_OFF: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];
/// Paths of a build machine, and hosts that only the package tools should know.
const PLACES: [&str; 7] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("deb.deb", "ian.org"),
    concat!("snapshot.deb", "ian.org"),
    concat!("static.rust-", "lang.org"),
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
];

pub(crate) fn check(file: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if file.path.starts_with("LICENSE") {
        return findings;
    }
    findings.extend(licence(file));
    findings.extend(words(file));
    if !file.generated() {
        findings.extend(shape(file));
    }
    findings
}

/// The licence that a file must have.
fn expected(path: &str) -> &'static str {
    let kernel_module = |p: &str| p.split('/').nth(1).is_some_and(|c| c.ends_with("-kmod"));
    if KERNEL_FOLDERS.iter().any(|folder| path.starts_with(folder))
        || (path.starts_with("rust/") && kernel_module(path))
    {
        KERNEL
    } else {
        DUAL
    }
}

fn licence(file: &Source) -> Option<Finding> {
    if file.generated() && file.extension() != "rs" {
        return None;
    }
    let want = expected(&file.path);
    let mark = "SPDX-License-Identifier: ";
    let lines = file.text.lines().take(SPDX_LINES).enumerate();
    for (at, line) in lines {
        if let Some((_, licence)) = line.split_once(mark) {
            let licence = licence
                .trim_end_matches("-->")
                .trim_end_matches("*/")
                .trim();
            let text = format!("the licence here is '{want}', not '{licence}'");
            return (licence != want).then(|| Finding::new(&file.path, at + 1, text));
        }
    }
    let text = format!("no line '{mark}{want}' at the top");
    Some(Finding::new(&file.path, 1, text))
}

fn words(file: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The lock names the registry by itself.
    if file.extension() == "lock" {
        return findings;
    }
    for (at, line) in file.text.lines().enumerate() {
        for word in PUT_OFF {
            if crate::code::has_word(line, word) {
                let text = format!("'{word}': do it, or say in a sentence what is missing and why");
                findings.push(Finding::new(&file.path, at + 1, text));
            }
        }
        for place in PLACES {
            // A longer path such as /home/someone/work/ is not meant.
            let found = line.match_indices(place).any(|(start, _)| {
                let before = line[..start].chars().next_back();
                !place.starts_with('/')
                    || !before.is_some_and(|c| c.is_alphanumeric() || "}.~_-)".contains(c))
            });
            if found {
                let text = format!("'{place}' is a place that only one machine knows");
                findings.push(Finding::new(&file.path, at + 1, text));
            }
        }
    }
    findings
}

fn shape(file: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = file.text.lines().count();
    if lines > MAX_LINES {
        let text = format!("{lines} lines, at most {MAX_LINES}: split it by concept");
        findings.push(Finding::new(&file.path, lines, text));
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        findings.push(Finding::new(
            &file.path,
            lines,
            "no line end at the end of the file",
        ));
    }
    // A Markdown table or quoted program output may need more than ASCII; source does not.
    let prose = file.extension() == "md";
    for (at, line) in file.text.lines().enumerate() {
        if !prose && let Some(c) = line.chars().find(|c| !c.is_ascii()) {
            let text = format!("'{}' is not ASCII", c.escape_unicode());
            findings.push(Finding::new(&file.path, at + 1, text));
        }
        if line.ends_with([' ', '\t', '\r']) {
            findings.push(Finding::new(
                &file.path,
                at + 1,
                "white space at the end of the line",
            ));
        }
    }
    findings
}

/// Relative links in Markdown lead to files that exist.
pub(crate) fn links(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    let markdown = repository
        .files
        .iter()
        .filter(|file| file.extension() == "md");
    for file in markdown {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (at, line) in prose(&file.text) {
            for part in line.split("](").skip(1) {
                let target = part.split([')', '#', ' ']).next().unwrap_or("");
                if !target.is_empty()
                    && !target.contains("://")
                    && !exists(repository, folder, target)
                {
                    let text = format!("the link leads to '{target}', which does not exist");
                    findings.push(Finding::new(&file.path, at + 1, text));
                }
            }
        }
    }
    findings
}

/// The numbered lines outside of code blocks, fenced or indented.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence && !line.starts_with("    ")
    })
}

fn exists(repository: &Repository, folder: &str, target: &str) -> bool {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    let path = parts.join("/");
    let inside = format!("{path}/");
    let known = |p: &str| p == path || p.starts_with(&inside);
    path.is_empty() || repository.files.iter().any(|file| known(&file.path))
}

#[cfg(test)]
mod tests {
    use super::{MAX_LINES, PLACES, PUT_OFF, check, links};
    use crate::Repository;

    const DUAL: &str = "// SPDX-License-Identifier: GPL-2.0-only OR MIT\n";
    const GPL: &str = "// SPDX-License-Identifier: GPL-2.0-only\n";

    fn findings(path: &str, text: &str) -> usize {
        let repository = Repository::of(&[(path, text)]);
        repository.files.iter().flat_map(check).count()
    }

    #[test]
    fn each_folder_has_its_licence() {
        assert_eq!(findings("rust/xv6/src/lib.rs", DUAL), 0);
        assert_eq!(findings("rust/xv6/src/lib.rs", GPL), 1);
        assert_eq!(findings("rust/xv6-kmod/src/lib.rs", GPL), 0);
        assert_eq!(findings("rust/xv6-kmod/src/lib.rs", DUAL), 1);
        assert_eq!(findings("kernel-module/super.c", GPL), 0);
        assert_eq!(findings("kernel-module/super.c", "/* no licence */\n"), 1);
        assert_eq!(
            findings(
                "kernel-module/a.h",
                "/* SPDX-License-Identifier: GPL-2.0-only */\n"
            ),
            0
        );
        assert_eq!(
            findings(
                "a.md",
                "<!-- SPDX-License-Identifier: GPL-2.0-only OR MIT -->\n"
            ),
            0
        );
        assert_eq!(findings("dev", &format!("#!/bin/sh\n{DUAL}")), 0);
    }

    #[test]
    fn put_off_work_and_places_are_found() {
        for word in PUT_OFF {
            assert_eq!(findings("a.rs", &format!("{DUAL}// {word}: later\n")), 1);
        }
        for place in PLACES {
            assert_eq!(findings("a.rs", &format!("{DUAL}// see {place}x\n")), 1);
        }
        assert_eq!(
            findings("a.rs", &format!("{DUAL}// ${{HOME}}{}x\n", PLACES[0])),
            0
        );
    }

    #[test]
    fn shape_of_source_is_checked() {
        assert_eq!(findings("a.rs", &format!("{DUAL}// caf\u{e9}\n")), 1);
        assert_eq!(findings("a.rs", &format!("{DUAL}// end ")), 2);
        assert_eq!(
            findings("a.rs", &format!("{DUAL}{}", "//\n".repeat(MAX_LINES))),
            1
        );
        assert_eq!(
            findings("a.rs", &format!("{DUAL}{}", "//\n".repeat(MAX_LINES - 1))),
            0
        );
    }

    #[test]
    fn dead_links_are_found() {
        let text = "[a](b.md) [c](../x/y.rs#z) [d](https://example.org) [e](gone.md) [f](..)\n";
        let text = format!("{text}    x[1](2)\n```\nx[1](3)\n```\n");
        let files = [
            ("doc/a.md", text.as_str()),
            ("doc/b.md", ""),
            ("x/y.rs", ""),
        ];
        let found = links(&Repository::of(&files));
        assert_eq!(found.len(), 1);
        assert!(found[0].text.contains("gone.md"));
    }
}
