// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Directories for tests, and the choice between a mount test and a visible skip.

use core::sync::atomic::{AtomicU32, Ordering};
use std::io::Write;
use std::path::{Path, PathBuf};

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

/// Whether mounts can be tested. Where not, says so on the terminal (not through `eprintln!`,
/// which the test harness hides), or fails where `BENTO_REQUIRE_FUSE` is set, as in CI.
pub(crate) fn can_mount(test: &str) -> bool {
    let Some(reason) = bento_fuse::unusable() else {
        return true;
    };
    assert!(
        std::env::var_os("BENTO_REQUIRE_FUSE").is_none(),
        "FUSE is required: {reason}"
    );
    writeln!(std::io::stderr(), "SKIPPED {test}: {reason}").expect("stderr");
    false
}
