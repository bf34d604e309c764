// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Whole commands on a tree of files. One operation is one command.

use super::meter::Meter;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const NAMES: [&str; 10] = [
    "untar",
    "tar_c",
    "grep_warm",
    "grep_cold",
    "find_stat",
    "find_cold",
    "git_clone",
    "git_status",
    "rm_rf",
    "rm_rf_clone",
];

/// Runs a command; its exit code must be `expect`.
fn command(line: &[&str], expect: i32) -> anyhow::Result<()> {
    let (program, arguments) = line.split_first().expect("a command has a name");
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    anyhow::ensure!(status.code() == Some(expect), "{line:?}: {status}");
    Ok(())
}

pub(super) fn run(meter: &Meter, dir: &Path, source: &Path) -> anyhow::Result<()> {
    if !meter.wants(&NAMES) {
        return Ok(());
    }
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (tar, repository, packed) = (
        text(&source.join("tree.tar")),
        text(&source.join("repository.git")),
        text(&source.join("packed.tar")),
    );
    let (tree, clone) = (text(&dir.join("tree")), text(&dir.join("clone")));
    fs::create_dir(&tree)?;
    // Nothing has this word, so that grep reads every file to its end.
    let grep = || command(&["grep", "-r", "no-such-word-anywhere", &tree], 1);
    let find = || command(&["find", &tree, "-printf", "%s %m %T@\n"], 0);
    meter.warm("untar", 1, || command(&["tar", "xf", &tar, "-C", &tree], 0))?;
    meter.cold("find_cold", 1, find)?;
    meter.cold("grep_cold", 1, grep)?;
    meter.warm("grep_warm", 1, grep)?;
    meter.warm("find_stat", 1, find)?;
    meter.warm("tar_c", 1, || {
        command(&["tar", "cf", &packed, "-C", &tree, "."], 0)
    })?;
    fs::remove_file(&packed)?;
    meter.warm("git_clone", 1, || {
        command(
            &["git", "clone", "-q", "--no-local", &repository, &clone],
            0,
        )
    })?;
    meter.warm("git_status", 1, || {
        command(&["git", "-C", &clone, "status", "--porcelain"], 0)
    })?;
    meter.warm("rm_rf_clone", 1, || command(&["rm", "-rf", &clone], 0))?;
    meter.warm("rm_rf", 1, || command(&["rm", "-rf", &tree], 0))
}
