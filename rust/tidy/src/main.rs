// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `tidy`: rules of this repository that no compiler checks.
//!
//! `cargo test -p tidy` checks the repository and, for each rule, that it finds what it is for;
//! `cargo run -p tidy` only prints what is wrong. Looked at are the files that git tracks, and
//! those that it does not ignore.
//!
//! | module | rules |
//! |---|---|
//! | [`text`] | SPDX line and licence, ASCII, line ends, file length, forbidden words, links |
//! | [`functions`] | length of functions in C and Rust |
//! | [`crates`] | where `unsafe` may be, `forbid(unsafe_code)`, lint table, kmod size, orphan modules |
//! | [`scripts`] | shell and Python scripts parse |
//! | [`commits`] | subjects of commits |
#![forbid(unsafe_code)]

mod code;
mod commits;
mod crates;
mod functions;
mod repository;
mod scripts;
mod text;

use repository::Repository;
use std::path::Path;
use std::process::ExitCode;

/// Something that breaks a rule: where, what, and what to do.
#[derive(Debug)]
struct Finding {
    path: String,
    /// 1 for the first; 0 for the whole file.
    line: usize,
    text: String,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        let (path, text) = (path.to_owned(), text.into());
        Self { path, line, text }
    }
}

/// All rules on all files.
fn check(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &repository.files {
        findings.extend(text::check(file));
        findings.extend(functions::check(file));
    }
    findings.extend(text::links(repository));
    findings.extend(crates::check(repository));
    findings.extend(scripts::check(repository));
    findings.extend(commits::check(repository));
    findings
}

fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

fn main() -> ExitCode {
    let repository = match Repository::open(root()) {
        Ok(repository) => repository,
        Err(error) => {
            eprintln!(
                "tidy: cannot list the files of {}: {error}",
                root().display()
            );
            return ExitCode::FAILURE;
        }
    };
    let findings = check(&repository);
    for finding in &findings {
        println!("{}:{}: {}", finding.path, finding.line, finding.text);
    }
    println!(
        "tidy: {} files, {} findings ({})",
        repository.files.len(),
        findings.len(),
        repository.origin
    );
    if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use super::{Repository, check, root};

    #[test]
    fn the_repository_is_tidy() {
        let repository = Repository::open(root()).expect("the files of the repository");
        println!("{} files, {}", repository.files.len(), repository.origin);
        assert!(
            repository.files.len() > 50,
            "too few files: not the whole repository"
        );
        let findings = check(&repository);
        let lines: Vec<String> = findings
            .iter()
            .map(|f| format!("{}:{}: {}", f.path, f.line, f.text))
            .collect();
        assert!(
            lines.is_empty(),
            "{} findings:\n{}",
            lines.len(),
            lines.join("\n")
        );
    }
}
