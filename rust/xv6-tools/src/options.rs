// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What follows `-o`: sorted into what FUSE, what mount(8), and what the file system knows. Names
//! and meanings are those of the kernel mount.

use anyhow::{Context, Result, bail};
use core::time::Duration;

/// The options of a mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) read_only: bool,
    pub(crate) allow_other: bool,
    /// Show the disk as a crash left it; only with `read_only`.
    pub(crate) no_recovery: bool,
    /// Tell the device, or the image file, what is free.
    pub(crate) discard: bool,
    /// Time between two commits.
    pub(crate) commit: Duration,
    /// For the VFS, such as `noexec`.
    pub(crate) flags: Vec<String>,
    /// For the file system, which names the one that it does not know.
    pub(crate) text: Vec<String>,
}

/// Seconds between two commits where the options do not say.
const COMMIT: u64 = 5;
const COMMIT_MAX: u64 = 900;

/// What the VFS does; the last of `dev` and `nodev` wins, and so on.
const FLAGS: [&str; 8] = [
    "dev", "nodev", "suid", "nosuid", "exec", "noexec", "sync", "dirsync",
];

/// What is for mount(8), fstab(5) or the other host, or asks for what is done anyway.
const IGNORED: [&str; 25] = [
    "defaults",
    "async",
    "auto",
    "noauto",
    "user",
    "users",
    "nouser",
    "nofail",
    "_netdev",
    "loop",
    "atime",
    "noatime",
    "relatime",
    "norelatime",
    "strictatime",
    "nostrictatime",
    "diratime",
    "nodiratime",
    "lazytime",
    "nolazytime",
    "default_permissions",
    "silent",
    "acl",
    "user_xattr",
    "barrier",
];

impl Options {
    /// Sorts the options of all `-o`. For root the mount is what a kernel mount would be: devices
    /// and set-id programs work, and all users may use it.
    ///
    /// # Errors
    /// A number that is none; `norecovery` without `ro`.
    pub(crate) fn parse<'a>(given: impl IntoIterator<Item = &'a str>, root: bool) -> Result<Self> {
        let mut options = Self {
            allow_other: root,
            commit: Duration::from_secs(COMMIT),
            ..Self::default()
        };
        if root {
            options.flags = vec!["dev".into(), "suid".into()];
        }
        for option in given.into_iter().flat_map(|list| list.split(',')) {
            match option {
                "" => {}
                "ro" => options.read_only = true,
                "rw" => options.read_only = false,
                "allow_other" => options.allow_other = true,
                "norecovery" => options.no_recovery = true,
                "discard" => options.discard = true,
                "nodiscard" => options.discard = false,
                period if period.starts_with("commit=") => options.commit = commit(period)?,
                flag if FLAGS.contains(&flag) => options.set_flag(flag),
                ignored if IGNORED.contains(&ignored) || ignored.starts_with("x-") => {}
                text => options.text.push(text.into()),
            }
        }
        if options.no_recovery && !options.read_only {
            bail!("norecovery shows the disk as a crash left it: it needs ro");
        }
        Ok(options)
    }

    fn set_flag(&mut self, flag: &str) {
        let positive = flag.strip_prefix("no").unwrap_or(flag);
        self.flags
            .retain(|other| other.strip_prefix("no").unwrap_or(other) != positive);
        self.flags.push(flag.into());
    }
}

/// `commit=SECONDS`.
fn commit(option: &str) -> Result<Duration> {
    let seconds = option.strip_prefix("commit=").unwrap_or_default().parse();
    let seconds = seconds
        .ok()
        .filter(|seconds| (1..=COMMIT_MAX).contains(seconds));
    let wrong = || format!("option {option}: must be 1 to {COMMIT_MAX} seconds");
    seconds.map(Duration::from_secs).with_context(wrong)
}

#[cfg(test)]
mod tests {
    use super::Options;
    use core::time::Duration;

    #[test]
    fn options_go_where_they_belong_and_the_last_one_wins() {
        let given = [
            "rw,ro,nodev,noexec,exec",
            "defaults,x-systemd.automount,,future=1,other",
        ];
        let user = Options::parse(given, false).expect("valid");
        assert!(user.read_only && !user.allow_other);
        assert_eq!(user.flags, ["nodev", "exec"]);
        assert_eq!(user.text, ["future=1", "other"]);
        let root = Options::parse(given, true).expect("valid");
        assert!(root.allow_other);
        assert_eq!(root.flags, ["suid", "nodev", "exec"]);
    }

    #[test]
    fn options_of_the_kernel_mount_are_understood() {
        let parse = |text| Options::parse([text], true);
        let usual = parse("rw").expect("valid");
        assert_eq!(usual.commit, Duration::from_secs(5));
        assert!(!usual.discard && !usual.no_recovery);
        let all = parse("ro,norecovery,discard,commit=30,acl").expect("valid");
        assert!(all.read_only && all.no_recovery && all.discard);
        assert_eq!((all.commit, all.text), (Duration::from_secs(30), vec![]));
        assert!(!parse("discard,nodiscard").expect("valid").discard);
        for wrong in [
            "norecovery",
            "commit=",
            "commit=0",
            "commit=901",
            "commit=x",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
