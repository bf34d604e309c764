// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Rules for the crates: where unsafe code may be, that every module is used, that the lint table
//! holds everywhere.

use crate::repository::{Repository, Source};
use crate::{Finding, code};
use std::collections::BTreeSet;

/// Where the word `unsafe` may be used as code.
const UNSAFE_CRATES: [&str; 4] = ["bento-sys", "bento-sync", "libbentofs", "libbentoks"];
const UNSAFE_FILES: [&str; 1] = ["rust/stress/src/mmap.rs"];
/// Lines of all files of a kernel-module crate together.
const MAX_KMOD_LINES: usize = 40;

pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in names(repository) {
        findings.extend(lint_table(repository, &name));
        findings.extend(forbid(repository, &name));
        findings.extend(kmod_size(repository, &name));
        findings.extend(orphans(repository, &name));
    }
    findings.extend(repository.files.iter().filter_map(unsafe_word));
    findings
}

/// The folders of `rust/` with a manifest.
fn names(repository: &Repository) -> BTreeSet<String> {
    let crates = repository.files.iter().filter_map(|file| {
        let (name, rest) = file.path.strip_prefix("rust/")?.split_once('/')?;
        (rest == "Cargo.toml").then(|| name.to_owned())
    });
    crates.collect()
}

fn is_kmod(name: &str) -> bool {
    name.ends_with("-kmod")
}

fn sources<'a>(repository: &'a Repository, name: &str) -> impl Iterator<Item = &'a Source> {
    let folder = format!("rust/{name}/");
    let ours = move |file: &&Source| file.path.starts_with(&folder) && file.extension() == "rs";
    repository.files.iter().filter(ours)
}

fn lint_table(repository: &Repository, name: &str) -> Option<Finding> {
    let path = format!("rust/{name}/Cargo.toml");
    let text = &repository.get(&path)?.text;
    let used = text
        .split("[lints]")
        .nth(1)
        .is_some_and(|t| t.trim_start().starts_with("workspace = true"));
    (!used).then(|| Finding::new(&path, 0, "no '[lints] workspace = true'"))
}

/// Every crate root forbids unsafe code, unless the crate may have it.
fn forbid(repository: &Repository, name: &str) -> Vec<Finding> {
    if UNSAFE_CRATES.contains(&name) || is_kmod(name) {
        return Vec::new();
    }
    let allowed = UNSAFE_FILES
        .iter()
        .any(|file| file.starts_with(&format!("rust/{name}/")));
    let level = if allowed { "deny" } else { "forbid" };
    let attribute = format!("#![{level}(unsafe_code)]");
    let root = |file: &&Source| {
        let inside = file.path.trim_start_matches(&format!("rust/{name}/src/"));
        inside == "lib.rs" || inside == "main.rs" || inside.starts_with("bin/")
    };
    sources(repository, name)
        .filter(root)
        .filter(|file| !file.text.contains(&attribute))
        .map(|file| Finding::new(&file.path, 1, format!("no '{attribute}'")))
        .collect()
}

fn unsafe_word(file: &Source) -> Option<Finding> {
    if file.extension() != "rs" || UNSAFE_FILES.contains(&file.path.as_str()) {
        return None;
    }
    let name = file
        .path
        .strip_prefix("rust/")
        .and_then(|p| p.split('/').next())
        .unwrap_or("");
    if UNSAFE_CRATES.contains(&name) || is_kmod(name) {
        return None;
    }
    let stripped = code::strip(&file.text);
    let line = stripped
        .lines()
        .position(|line| code::has_word(line, "unsafe"))?;
    Some(Finding::new(
        &file.path,
        line + 1,
        "unsafe code has no place in this crate",
    ))
}

fn kmod_size(repository: &Repository, name: &str) -> Option<Finding> {
    if !is_kmod(name) {
        return None;
    }
    let lines: usize = sources(repository, name)
        .map(|file| file.text.lines().count())
        .sum();
    let text = format!(
        "{lines} lines, at most {MAX_KMOD_LINES}: the code belongs to libbentofs or the file system"
    );
    (lines > MAX_KMOD_LINES).then(|| Finding::new(&format!("rust/{name}"), 0, text))
}

/// Files of a crate that no `mod` leads to: code that is never compiled.
fn orphans(repository: &Repository, name: &str) -> Vec<Finding> {
    let folder = format!("rust/{name}/");
    let mut used = BTreeSet::new();
    let mut queue: Vec<String> = sources(repository, name)
        .filter(|file| is_root(&file.path[folder.len()..]))
        .map(|file| file.path.clone())
        .collect();
    while let Some(path) = queue.pop() {
        if let Some(file) = repository.get(&path)
            && used.insert(path)
        {
            queue.extend(children(file, is_root(&file.path[folder.len()..])));
        }
    }
    sources(repository, name)
        .filter(|file| !used.contains(&file.path))
        .map(|file| {
            Finding::new(
                &file.path,
                0,
                "no 'mod' leads to this file: it is never compiled",
            )
        })
        .collect()
}

/// The files where cargo starts to read.
fn is_root(inside: &str) -> bool {
    let parts: Vec<&str> = inside.split('/').collect();
    matches!(
        parts.as_slice(),
        ["build.rs"]
            | ["src", "lib.rs" | "main.rs"]
            | ["src", "bin", _]
            | ["src", "bin", _, "main.rs"]
            | ["tests" | "benches" | "examples", _]
            | ["fuzz", "fuzz_targets", _]
            | ["tests" | "benches" | "examples", _, "main.rs"]
    )
}

/// The files that the `mod` lines (and `include!`) of `file` may mean.
fn children(file: &Source, root: bool) -> Vec<String> {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let base = if root || name == "mod.rs" {
        folder.to_owned()
    } else {
        format!("{folder}/{}", name.trim_end_matches(".rs"))
    };
    let mut paths = Vec::new();
    let stripped = code::strip(&file.text);
    for (line, raw) in stripped.lines().zip(file.text.lines()) {
        if let Some(module) = module(line) {
            paths.push(format!("{base}/{module}.rs"));
            paths.push(format!("{base}/{module}/mod.rs"));
        }
        if let Some(path) = quoted(raw, "include!(").or_else(|| quoted(raw, "#[path = ")) {
            paths.push(format!("{folder}/{path}"));
        }
    }
    paths
}

/// `x` of a line `mod x;`, with or without visibility and attributes before it.
fn module(line: &str) -> Option<&str> {
    let declaration = line.trim().strip_suffix(';')?;
    let (before, name) = declaration.rsplit_once("mod ").unwrap_or(("no", ""));
    let visible = before.is_empty() || before.ends_with(' ');
    (visible && !name.contains(' ') && !name.is_empty()).then_some(name)
}

/// The string literal behind `mark`.
fn quoted<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.split_once(mark)?
        .1
        .strip_prefix('"')?
        .split('"')
        .next()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::Repository;

    const MANIFEST: (&str, &str) = ("rust/a/Cargo.toml", "[lints]\nworkspace = true\n");
    const ROOT: (&str, &str) = ("rust/a/src/lib.rs", "#![forbid(unsafe_code)]\npub mod b;\n");
    const B: (&str, &str) = ("rust/a/src/b.rs", "mod c;\n// unsafe is a word here\n");
    const C: (&str, &str) = ("rust/a/src/b/c.rs", "");

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let findings = check(&Repository::of(files));
        findings
            .into_iter()
            .map(|f| f.path + ": " + &f.text)
            .collect()
    }

    #[test]
    fn a_good_crate_passes() {
        assert_eq!(found(&[MANIFEST, ROOT, B, C]), Vec::<String>::new());
    }

    #[test]
    fn missing_lint_table_and_forbid_are_found() {
        let out = found(&[
            ("rust/a/Cargo.toml", "[package]\n"),
            ("rust/a/src/lib.rs", ""),
        ]);
        assert_eq!(out.len(), 2, "{out:?}");
        let stress = [
            ("rust/stress/Cargo.toml", MANIFEST.1),
            (
                "rust/stress/src/main.rs",
                "#![deny(unsafe_code)]\nmod mmap;\n",
            ),
            ("rust/stress/src/mmap.rs", "unsafe {}\n"),
        ];
        assert_eq!(found(&stress), Vec::<String>::new());
    }

    #[test]
    fn orphans_are_found() {
        let out = found(&[MANIFEST, ROOT, B, C, ("rust/a/src/dead.rs", "")]);
        assert_eq!(out.len(), 1, "{out:?}");
        assert!(out[0].starts_with("rust/a/src/dead.rs"), "{out:?}");
        // A commented declaration leads nowhere.
        let out = found(&[
            MANIFEST,
            ("rust/a/src/lib.rs", "#![forbid(unsafe_code)]\n// mod b;\n"),
            B,
        ]);
        assert_eq!(out.len(), 1, "{out:?}");
    }

    #[test]
    fn unsafe_is_found_outside_its_crates() {
        let out = found(&[
            MANIFEST,
            ROOT,
            ("rust/a/src/b.rs", "mod c;\nfn f() { unsafe {} }\n"),
            C,
        ]);
        assert_eq!(out.len(), 1, "{out:?}");
        let ks = [
            ("rust/libbentoks/Cargo.toml", MANIFEST.1),
            ("rust/libbentoks/src/lib.rs", "unsafe {}\n"),
        ];
        assert_eq!(found(&ks), Vec::<String>::new());
    }

    #[test]
    fn big_kernel_module_crates_are_found() {
        let files = |n| {
            let text = "x();\n".repeat(n);
            found(&[
                ("rust/a-kmod/Cargo.toml", MANIFEST.1),
                ("rust/a-kmod/src/lib.rs", &text),
            ])
        };
        assert_eq!(files(40).len(), 0);
        assert_eq!(files(41).len(), 1);
    }
}
