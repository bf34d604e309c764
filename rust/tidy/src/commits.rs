// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Subjects of commits: `area: what it does`, short enough for every tool that lists them.

use crate::Finding;
use crate::repository::Repository;
use std::process::Command;

const MAX: usize = 72;
/// Only recent commits: nobody rewrites old ones.
const LAST: &str = "-50";

pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    let output = Command::new("git")
        .arg("-C")
        .arg(&repository.root)
        .args(["log", "--no-merges", LAST, "--format=%h %s"])
        .output();
    // A copy without history has no subjects to check; `Repository::origin` says so.
    let Ok(output) = output else {
        return Vec::new();
    };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(commit, subject)| {
            let text = complaint(subject)?;
            Some(Finding::new(&format!("commit {commit}"), 0, text))
        })
        .collect()
}

fn complaint(subject: &str) -> Option<String> {
    let area = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_/., .".contains(c);
    let good = subject
        .split_once(": ")
        .is_some_and(|(a, rest)| !a.is_empty() && a.chars().all(area) && !rest.is_empty());
    if !good {
        return Some(format!(
            "'{subject}' is not of the form 'area: what it does'"
        ));
    }
    let len = subject.chars().count();
    (len > MAX).then(|| format!("the subject has {len} characters, at most {MAX}"))
}

#[cfg(test)]
mod tests {
    use super::{MAX, complaint};

    #[test]
    fn subjects_are_checked() {
        assert_eq!(complaint("xv6: write the superblock last"), None);
        assert_eq!(complaint("xv6, journal: share the checksum"), None);
        assert!(complaint("Fix things").is_some());
        assert!(complaint(": no area").is_some());
        assert!(complaint(&format!("xv6: {}", "x".repeat(MAX))).is_some());
    }
}
