// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What follows `-o`: sorted into what FUSE, what mount(8), and what the file system knows.

/// The options of a mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) read_only: bool,
    pub(crate) allow_other: bool,
    /// For the VFS, such as `noexec`.
    pub(crate) flags: Vec<String>,
    /// For the file system, which names the one that it does not know.
    pub(crate) text: Vec<String>,
}

/// What the VFS does; the last of `dev` and `nodev` wins, and so on.
const FLAGS: [&str; 8] = [
    "dev", "nodev", "suid", "nosuid", "exec", "noexec", "sync", "dirsync",
];

/// What is for mount(8), fstab(5) or the other host, or asks for what is done anyway.
const IGNORED: [&str; 22] = [
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
];

impl Options {
    /// Sorts the options of all `-o`. For root the mount is what a kernel mount would be: devices
    /// and set-id programs work, and all users may use it.
    pub(crate) fn parse<'a>(given: impl IntoIterator<Item = &'a str>, root: bool) -> Self {
        let mut options = Self {
            allow_other: root,
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
                flag if FLAGS.contains(&flag) => options.set_flag(flag),
                ignored if IGNORED.contains(&ignored) || ignored.starts_with("x-") => {}
                text => options.text.push(text.into()),
            }
        }
        options
    }

    fn set_flag(&mut self, flag: &str) {
        let positive = flag.strip_prefix("no").unwrap_or(flag);
        self.flags
            .retain(|other| other.strip_prefix("no").unwrap_or(other) != positive);
        self.flags.push(flag.into());
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn options_go_where_they_belong_and_the_last_one_wins() {
        let given = [
            "rw,ro,nodev,noexec,exec",
            "defaults,x-systemd.automount,,future=1,other",
        ];
        let user = Options::parse(given, false);
        assert!(user.read_only && !user.allow_other);
        assert_eq!(user.flags, ["nodev", "exec"]);
        assert_eq!(user.text, ["future=1", "other"]);
        let root = Options::parse(given, true);
        assert!(root.allow_other);
        assert_eq!(root.flags, ["suid", "nodev", "exec"]);
    }
}
