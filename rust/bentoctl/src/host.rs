// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Where the kernel shows itself: `/sys/fs/bentofs`, `/sys/module`, debugfs, `/proc`.

use crate::failure::{Failure, Kind, Result};
use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The roots of the kernel's files. For tests, `BENTOCTL_ROOT` puts another folder before them.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    root: PathBuf,
}

impl Host {
    pub(crate) fn new(root: Option<OsString>) -> Self {
        Self {
            root: root.map_or_else(|| PathBuf::from("/"), PathBuf::from),
        }
    }

    /// Whether this is the running system, not a folder of a test.
    pub(crate) fn is_real(&self) -> bool {
        self.root == Path::new("/")
    }

    /// `/sys/fs/bentofs`
    pub(crate) fn bentofs(&self) -> PathBuf {
        self.root.join("sys/fs/bentofs")
    }

    /// `/sys/kernel/debug/bentofs/<id>`
    pub(crate) fn debug(&self, id: &str) -> PathBuf {
        self.root.join("sys/kernel/debug/bentofs").join(id)
    }

    /// `/sys/module/<name>`
    pub(crate) fn module(&self, name: &str) -> PathBuf {
        self.root.join("sys/module").join(name)
    }

    /// A file below `/proc`.
    pub(crate) fn proc(&self, name: &str) -> PathBuf {
        self.root.join("proc").join(name)
    }

    /// Fails with advice where bentofs is not loaded.
    pub(crate) fn require_bentofs(&self) -> Result {
        if self.bentofs().is_dir() {
            return Ok(());
        }
        let text =
            "bentofs is not loaded: there is no /sys/fs/bentofs; `modprobe bentofs` loads it";
        Err(Failure::new(Kind::NotFound, text))
    }

    /// The release of the running kernel, as `uname -r` prints it.
    pub(crate) fn release(&self) -> Result<String> {
        read(&self.proc("sys/kernel/osrelease"))
    }
}

/// The text of a file of the kernel, without white space around it.
pub(crate) fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(|error| Failure::io(path.display(), &error))?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// The same, `None` where there is no such file: another version of bentofs, or it went away.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(Failure::io(path.display(), &error)),
    }
}

/// A number of the kernel; `None` where the file is not there.
pub(crate) fn read_number(path: &Path) -> Result<Option<u64>> {
    let Some(text) = read_if_there(path)? else {
        return Ok(None);
    };
    let number = text.parse().map_err(|_| {
        let text = format!("{}: {text:?} is no number", path.display());
        Failure::new(Kind::Failed, text)
    })?;
    Ok(Some(number))
}

/// The lines of a file of the kernel, each read by `parse`; one that it cannot read is a failure.
pub(crate) fn lines<T>(
    path: &Path,
    text: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>> {
    let read = |line: &str| {
        parse(line).ok_or_else(|| {
            let text = format!("{}: cannot read the line {line:?}", path.display());
            Failure::new(Kind::Failed, text)
        })
    };
    text.lines().map(read).collect()
}

/// One write(2) of `text`, as the kernel's attributes want it. The error is the kernel's answer.
pub(crate) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    file.write_all(text.as_bytes())
}

/// ENODEV: the file was open when what it belongs to went away.
fn is_gone(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::NotFound
        || rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::NODEV)
}
