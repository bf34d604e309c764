// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What can go wrong, and the exit code of each kind.

use rustix::io::Errno;
use serde::Serialize;
use std::io;

/// The result of everything that may fail.
pub(crate) type Result<T = ()> = core::result::Result<T, Failure>;

/// The kinds of failure. Each has an exit code and, in JSON, its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Some mounts were served, others not.
    Partial,
    /// The user may not do this.
    Permission,
    /// No such mount, build, file or entry.
    NotFound,
    /// The module cannot be used here.
    Refused,
    /// The build cannot take over the state of the mount.
    Incompatible,
    /// In use, frozen, or operations did not end in time.
    Busy,
    /// Anything else: an I/O error, no memory, a panic.
    Failed,
}

/// For `--help` and the manual page; a test holds it against [`Kind::exit_code`].
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  some of several mounts were served, others were not
  2  wrong arguments
  3  not permitted: changing anything needs root
  4  no such mount, build or file, or bentofs is not loaded
  5  the module was refused: no Bento module, another kernel, another ABI
  6  the build cannot take over the state of the mount
  7  busy: in use, frozen, or operations did not end in time
  8  any other failure";

impl Kind {
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Partial => 1,
            Self::Permission => 3,
            Self::NotFound => 4,
            Self::Refused => 5,
            Self::Incompatible => 6,
            Self::Busy => 7,
            Self::Failed => 8,
        }
    }
}

/// A failure: what, where, and what to do about it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// A failed system call on something that the message names.
    pub(crate) fn io(what: impl core::fmt::Display, error: &io::Error) -> Self {
        let kind = kind_of(error);
        let hint = match kind {
            Kind::Permission => "; run it as root",
            _ => "",
        };
        Self::new(kind, format!("{what}: {}{hint}", describe(error)))
    }
}

fn kind_of(error: &io::Error) -> Kind {
    match Errno::from_io_error(error) {
        Some(Errno::ACCESS | Errno::PERM) => Kind::Permission,
        Some(Errno::NOENT | Errno::NODEV) => Kind::NotFound,
        Some(Errno::BUSY | Errno::AGAIN | Errno::TIMEDOUT) => Kind::Busy,
        _ => Kind::Failed,
    }
}

/// The system's text for an error, without "(os error N)" that only programmers read.
pub(crate) fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::{EXIT_CODES, Failure, Kind};
    use std::io;

    #[test]
    fn every_exit_code_is_documented() {
        for kind in [
            Kind::Partial,
            Kind::Permission,
            Kind::NotFound,
            Kind::Refused,
            Kind::Incompatible,
            Kind::Busy,
            Kind::Failed,
        ] {
            let line = format!("\n  {}  ", kind.exit_code());
            assert!(EXIT_CODES.contains(&line), "{kind:?}");
        }
    }

    #[test]
    fn a_refused_write_says_who_may() {
        let failure = Failure::io("/sys/x", &io::Error::from_raw_os_error(13));
        assert_eq!(failure.kind, Kind::Permission);
        assert_eq!(failure.message, "/sys/x: Permission denied; run it as root");
    }
}
