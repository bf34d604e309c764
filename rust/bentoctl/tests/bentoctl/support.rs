// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A folder with the files that the kernel would show, and runs of `bentoctl` on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) const OLD: &str = "bento_xv6_1_0_0_11111111";
pub(crate) const NEW: &str = "bento_xv6_1_1_0_22222222";

/// What `bentoctl` takes for `/`.
#[derive(Clone)]
pub(crate) struct Tree(PathBuf);

impl Tree {
    /// With bentofs and two builds of xv6; nothing is mounted.
    pub(crate) fn new(test: &str) -> Self {
        let tree = Self::without_bentofs(test);
        tree.put("sys/fs/bentofs/abi", "3");
        let types =
            format!("xv6 1.0.0 {OLD} * schema=1 reads=1-1\nxv6 1.1.0 {NEW} - schema=2 reads=1-2");
        tree.put("sys/fs/bentofs/types", &types);
        tree
    }

    pub(crate) fn without_bentofs(test: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        // What an earlier run has left.
        let _removed = fs::remove_dir_all(&root);
        let tree = Self(root);
        tree.put(
            "proc/self/mountinfo",
            "21 1 254:0 / / rw - ext4 /dev/vda rw",
        );
        tree.put("proc/sys/kernel/osrelease", "6.12.0-test");
        tree
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file with a line end, as the kernel's files have one.
    pub(crate) fn put(&self, name: &str, text: &str) {
        let path = self.path(name);
        let folder = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(folder).expect("a new folder");
        fs::write(path, format!("{text}\n")).expect("a new file");
    }

    /// An attribute of a mount.
    pub(crate) fn set(&self, id: &str, attribute: &str, text: &str) {
        self.put(&format!("sys/fs/bentofs/{id}/{attribute}"), text);
    }

    /// Mounts `/dev/<id>`, served by the build `OLD`.
    pub(crate) fn mount(&self, id: &str, dev: &str, point: &str) {
        for (attribute, text) in [
            ("fs", "xv6"),
            ("version", "1.0.0"),
            ("build", OLD),
            ("state", "active"),
            ("dev", dev),
            ("nodes", "17"),
            ("upgrades", "0"),
            ("panics", "0"),
            ("ops_failed", "0"),
            ("drain_ms", "1000"),
            ("pause_ns", "0"),
            ("pause_steps", "drain 0\nexport 0\nimport 0\nwake 0"),
            ("last_error", ""),
            ("history", ""),
            ("upgrade", ""),
        ] {
            self.set(id, attribute, text);
        }
        let path = self.path("proc/self/mountinfo");
        let mut mounts = fs::read_to_string(&path).expect("mountinfo");
        mounts += &format!("40 21 {dev} / {point} rw shared:7 - xv6 /dev/{id} rw\n");
        fs::write(path, mounts).expect("mountinfo");
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bentoctl"));
        command.env("BENTOCTL_ROOT", &self.0).args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("bentoctl starts")
    }

    /// What a run that must succeed prints.
    pub(crate) fn text(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The document of a run with `--json`, whatever its exit code.
    pub(crate) fn json(&self, args: &[&str]) -> serde_json::Value {
        let args: Vec<&str> = ["--json"].into_iter().chain(args.iter().copied()).collect();
        let output = self.run(&args);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{args:?}: {error}: {output:?}");
        })
    }

    /// The exit code and the message of a run that must fail.
    pub(crate) fn failure(&self, args: &[&str]) -> (i32, String) {
        let output = self.run(args);
        let code = output.status.code().expect("no signal");
        assert_ne!(code, 0, "{args:?}: {output:?}");
        let message = String::from_utf8(output.stderr).expect("UTF-8");
        (code, message)
    }
}
