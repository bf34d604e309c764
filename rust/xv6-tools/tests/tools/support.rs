// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Running the tools under their names, on images in a directory of the test.

use crate::mount_test::TempDir;
use core::time::Duration;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

const TOOLS: &str = env!("CARGO_BIN_EXE_xv6-tools");

/// A new file system of this size.
pub(crate) fn image(dir: &TempDir, size: &str) -> PathBuf {
    let path = dir.path().join("image");
    let made = run("mkfs.xv6", &["-q", text(&path), size]);
    assert!(made.status.success(), "{made:?}");
    path
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are UTF-8")
}

/// Runs a tool by its name, with nothing to read.
pub(crate) fn run(tool: &str, args: &[&str]) -> Output {
    answer(tool, args, "")
}

/// Runs a tool by its name, with `input` to read.
pub(crate) fn answer(tool: &str, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(TOOLS);
    command.arg0(tool).args(args).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the tool starts");
    let mut stdin = child.stdin.take().expect("piped");
    // A tool that does not ask has closed its end.
    let _maybe_closed = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the tool ends")
}

/// The exit code and stderr of a run.
pub(crate) fn failure(output: &Output) -> (Option<i32>, String) {
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Asserts that `fsck.xv6 -n` finds nothing.
pub(crate) fn assert_clean(image: &Path) {
    let checked = run("fsck.xv6", &["-n", text(image)]);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
}

/// A mount by `mount.fuse.xv6 -f`, unmounted at the end of the test.
pub(crate) struct FuseMount {
    server: Child,
    at: PathBuf,
}

impl FuseMount {
    pub(crate) fn new(dir: &TempDir, image: &Path) -> Self {
        Self::with(dir, image, "rw")
    }

    /// With options, as behind `-o`.
    pub(crate) fn with(dir: &TempDir, image: &Path, options: &str) -> Self {
        let at = dir.path().join("mnt");
        fs::create_dir_all(&at).expect("mount point");
        let mut command = Command::new(TOOLS);
        command
            .arg0("mount.fuse.xv6")
            .args(["-f", "-o", options, text(image), text(&at)]);
        let server = command
            .stderr(Stdio::piped())
            .spawn()
            .expect("the tool starts");
        let mount = Self { server, at };
        wait_for("the mount", || is_mounted(&mount.at));
        mount
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.at.join(name)
    }

    /// Unmounts, and returns when the server has written everything.
    pub(crate) fn unmount(mut self) {
        umount(&self.at);
        let status = self.server.wait().expect("the server ends");
        assert!(status.success(), "the server: {status}");
    }

    /// What a power cut does: the server is gone, and what it has not written with it.
    pub(crate) fn kill(mut self) {
        self.server.kill().expect("SIGKILL");
        self.server.wait().expect("the server ends");
        umount(&self.at);
    }
}

impl Drop for FuseMount {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The namespace of the test ends with the test; the server must not outlive it.
            let _gone = self.server.kill();
        }
    }
}

fn is_mounted(at: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("/proc");
    mounts
        .lines()
        .any(|line| line.split(' ').nth(4) == at.to_str())
}

fn umount(at: &Path) {
    let status = Command::new("umount").arg(at).status().expect("umount(8)");
    assert!(status.success(), "umount {}: {status}", at.display());
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(
            Instant::now() < give_up,
            "{what} did not come in 30 seconds"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
