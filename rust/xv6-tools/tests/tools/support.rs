// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Running the tools under their names, on images in a directory of the test.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

const TOOLS: &str = env!("CARGO_BIN_EXE_xv6-tools");

/// A directory of its own for each test, removed at the end.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unique = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let name = format!("xv6-test-{}-{}", unique.0, unique.1);
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new directory under the temporary directory");
        Self(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A new file system of this size.
    pub(crate) fn image(&self, size: &str) -> PathBuf {
        let path = self.join("image");
        let made = run("mkfs.xv6", &["-q", text(&path), size]);
        assert!(made.status.success(), "{made:?}");
        path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // Best effort: a test that failed may have left a mount here.
        let _removed = fs::remove_dir_all(&self.0);
    }
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

/// Whether this process is to go on with a mount test. If FUSE cannot be used it says so on the
/// terminal (not through `eprintln!`, which the test harness hides), or fails where
/// `BENTO_REQUIRE_FUSE` is set, as in CI. Otherwise the test is run again in a mount namespace of
/// its own: a namespace that others make meanwhile would copy the mount, and keep it alive.
pub(crate) fn in_mount_test(test: &str) -> bool {
    const INSIDE: &str = "XV6_TEST_IN_NAMESPACE";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if let Some(reason) = bento_fuse::unusable() {
        assert!(
            std::env::var_os("BENTO_REQUIRE_FUSE").is_none(),
            "FUSE is required: {reason}"
        );
        writeln!(std::io::stderr(), "SKIPPED {test}: {reason}").expect("stderr");
        return false;
    }
    let mut inside = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        inside.args(["--map-root-user"]);
    }
    inside
        .args(["--mount", "--"])
        .arg(std::env::current_exe().expect("/proc"));
    inside
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1");
    let output = inside.output().expect("unshare(1) of util-linux");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
    false
}

/// A mount by `mount.fuse.xv6 -f`, unmounted at the end of the test.
pub(crate) struct FuseMount {
    server: Child,
    at: PathBuf,
}

impl FuseMount {
    pub(crate) fn new(dir: &TempDir, image: &Path) -> Self {
        let at = dir.join("mnt");
        fs::create_dir_all(&at).expect("mount point");
        let mut command = Command::new(TOOLS);
        command
            .arg0("mount.fuse.xv6")
            .args(["-f", text(image), text(&at)]);
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
