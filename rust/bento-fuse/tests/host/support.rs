// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Directories for tests, and how tests of mounts run. The tests of xv6-tools use it, too.

use core::sync::atomic::{AtomicU32, Ordering};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory of its own for each test, removed at the end.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unique = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let name = format!("bento-test-{}-{}", unique.0, unique.1);
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a new directory under the temporary directory");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // Best effort: a test that failed may have left a mount here.
        let _removed = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether this process is to go on with a test of mounts. If FUSE cannot be used it says so on
/// the terminal (not through `eprintln!`, which the test harness hides), or fails where
/// `BENTO_REQUIRE_FUSE` is set, as in CI. Otherwise the test is run again in a mount namespace of
/// its own: a namespace that others make meanwhile would copy the mount, and keep it alive.
pub(crate) fn in_mount_test(test: &str) -> bool {
    const INSIDE: &str = "BENTO_TEST_IN_NAMESPACE";
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
