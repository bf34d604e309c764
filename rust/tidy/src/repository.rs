// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The files to look at.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file of the repository.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the root of the repository.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn extension(&self) -> &str {
        let name = Path::new(&self.path);
        name.extension().and_then(OsStr::to_str).unwrap_or("")
    }

    /// Whether the first line names an interpreter with `word` in it.
    pub(crate) fn shebang(&self, word: &str) -> bool {
        let first = self.text.lines().next().unwrap_or("");
        first.starts_with("#!") && first.contains(word)
    }

    /// A file whose content is not written by people.
    pub(crate) fn generated(&self) -> bool {
        matches!(self.extension(), "lock" | "json" | "snap")
            || self.path.ends_with("bento-sys/src/bindings.rs")
    }
}

#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<Source>,
    /// How the files were found, for the closing line.
    pub(crate) origin: &'static str,
}

impl Repository {
    /// Lists the files by git; in a copy without `.git` (a build), all files but build output.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let (paths, origin) = match git_files(root) {
            Some(paths) => (paths, "listed by git"),
            None => (walk(root)?, "no git here: all files but build output"),
        };
        let mut files = Vec::new();
        for path in paths {
            let full = root.join(&path);
            // A file that is deleted in the work tree is still listed; a link has no text.
            if !fs::symlink_metadata(&full).is_ok_and(|meta| meta.is_file()) {
                continue;
            }
            // Not UTF-8: a binary file, for which there are no rules.
            if let Ok(text) = String::from_utf8(fs::read(&full)?) {
                files.push(Source { path, text });
            }
        }
        let root = root.to_owned();
        Ok(Self {
            root,
            files,
            origin,
        })
    }

    /// For tests of rules.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let source = |&(path, text): &(&str, &str)| Source {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        Self {
            root: PathBuf::new(),
            files: files.iter().map(source).collect(),
            origin: "test",
        }
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Source> {
        self.files.iter().find(|file| file.path == path)
    }
}

fn git_files(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut paths: Vec<String> = text
        .split('\0')
        .filter(|p| !p.is_empty())
        .map(str::to_owned)
        .collect();
    paths.sort();
    paths.dedup();
    (output.status.success() && !paths.is_empty()).then_some(paths)
}

fn walk(root: &Path) -> io::Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or("");
            if path.is_dir() && !path.is_symlink() {
                if !matches!(name, "target" | ".git" | "result") {
                    dirs.push(path);
                }
            } else if let Some(path) = path.strip_prefix(root).ok().and_then(Path::to_str) {
                paths.push(path.to_owned());
            }
        }
    }
    paths.sort();
    Ok(paths)
}
