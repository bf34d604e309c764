// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One operation whose errno is the test.

use crate::latency;
use anyhow::{Context, bail};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to do
    operation: Operation,
    /// The file or directory to do it to
    path: PathBuf,
    /// OK or the expected errno
    #[arg(long, default_value = "OK")]
    expect: String,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Operation {
    Create,
    Mkdir,
    Unlink,
    Rmdir,
    Stat,
    List,
    Read,
    Append,
    Fsync,
    Truncate,
}

/// The errnos that tests expect by name.
const NAMES: [(&str, Errno); 14] = [
    ("EBUSY", Errno::BUSY),
    ("EEXIST", Errno::EXIST),
    ("EFBIG", Errno::FBIG),
    ("EINVAL", Errno::INVAL),
    ("EIO", Errno::IO),
    ("EISDIR", Errno::ISDIR),
    ("ENOENT", Errno::NOENT),
    ("ENOSPC", Errno::NOSPC),
    ("ENOTDIR", Errno::NOTDIR),
    ("ENOTEMPTY", Errno::NOTEMPTY),
    ("EPERM", Errno::PERM),
    ("EROFS", Errno::ROFS),
    ("ESTALE", Errno::STALE),
    ("EUCLEAN", Errno::UCLEAN),
];

/// The name of the errno in `error`, or its number.
pub(crate) fn name(error: &io::Error) -> String {
    let Some(raw) = error.raw_os_error() else {
        return error.to_string();
    };
    NAMES
        .iter()
        .find(|(_, errno)| errno.raw_os_error() == raw)
        .map_or_else(|| format!("errno {raw}"), |(name, _)| (*name).to_owned())
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if args.expect != "OK" && !NAMES.iter().any(|(name, _)| *name == args.expect) {
        bail!("'{}' is not an errno that this program knows", args.expect);
    }
    let start = latency::now();
    let result = perform(args.operation, &args.path);
    let took = (latency::now() - start) / 1000;
    let got = result.as_ref().map_or_else(name, |()| "OK".to_owned());
    println!(
        "{:?} {}: {got} after {took} us",
        args.operation,
        args.path.display()
    );
    if got == args.expect {
        return Ok(());
    }
    result.with_context(|| format!("expected {}", args.expect))?;
    bail!("{:?} succeeded, expected {}", args.operation, args.expect)
}

fn perform(operation: Operation, path: &Path) -> io::Result<()> {
    match operation {
        Operation::Create => File::create_new(path).map(drop),
        Operation::Mkdir => fs::create_dir(path),
        Operation::Unlink => fs::remove_file(path),
        Operation::Rmdir => fs::remove_dir(path),
        Operation::Stat => fs::symlink_metadata(path).map(drop),
        Operation::List => fs::read_dir(path)?.try_for_each(|entry| entry.map(drop)),
        Operation::Read => File::open(path)?.read_to_end(&mut Vec::new()).map(drop),
        Operation::Append => OpenOptions::new()
            .append(true)
            .open(path)?
            .write_all(b"one line\n"),
        Operation::Fsync => File::open(path)?.sync_all(),
        Operation::Truncate => OpenOptions::new().write(true).open(path)?.set_len(0),
    }
}
