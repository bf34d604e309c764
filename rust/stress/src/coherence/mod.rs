// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One file seen through `read`, `write`, mmap and `O_DIRECT` at once.
//!
//! [`seq`] does one operation after the other and knows the whole content; [`par`] runs all kinds
//! of access at the same time and knows only to which file and place each byte belongs.

mod par;
mod seq;

pub(crate) use seq::check_holes;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The largest unit in which files are cached and allocated.
const PAGE: usize = 4096;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Random operations one after the other, compared with a copy in memory
    Seq(seq::Args),
    /// Eight threads on two files for some seconds
    Par(par::Args),
}

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Seq(args) => seq::run(&args),
        Command::Par(args) => par::run(&args),
    }
}

/// A new empty file and a second, direct handle of it.
fn create(path: &Path) -> io::Result<(File, File)> {
    let mut options = OpenOptions::new();
    let buffered = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    Ok((buffered, open_direct(path)?))
}

pub(crate) fn open_direct(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::DIRECT.bits().cast_signed();
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open(path)
}
