// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Manual pages: those of the tools from their argument parsers, and the written one of the
//! format.

use crate::{dump, fsck, logger, mkfs, mount};
use anyhow::{Context, Result};
use clap::{Command, CommandFactory, Parser};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where `man 5 xv6` comes from.
const FORMAT: &str = include_str!("../man/xv6.5");

/// Writes the manual pages
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// The folder that man5 and man8 are made in
    folder: PathBuf,
}

pub(crate) fn main(args: &Args) -> ExitCode {
    fill(&args.folder, write)
}

/// Has what packages install beside the tools written into a folder.
pub(crate) fn fill(folder: &Path, write: impl FnOnce(&Path) -> Result<()>) -> ExitCode {
    logger::start("xv6-tools");
    match write(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What is installed under a name of its own.
pub(crate) fn tools() -> [Command; 4] {
    [
        mkfs::Args::command(),
        fsck::Args::command(),
        dump::Args::command(),
        mount::Args::command(),
    ]
}

fn write(folder: &Path) -> Result<()> {
    for tool in tools() {
        let name = tool.get_name().to_owned();
        // A build twice gives the same bytes: no date.
        let page = clap_mangen::Man::new(tool)
            .section("8")
            .date("")
            .manual("xv6");
        let mut text = Vec::new();
        page.render(&mut text)?;
        text.extend_from_slice(b".SH \"SEE ALSO\"\nxv6(5)\n");
        put(&folder.join("man8"), &format!("{name}.8"), &text)?;
    }
    put(&folder.join("man5"), "xv6.5", FORMAT.as_bytes())
}

/// Writes a file into a folder that need not be there.
pub(crate) fn put(folder: &Path, name: &str, text: &[u8]) -> Result<()> {
    let path = folder.join(name);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .with_context(|| path.display().to_string())
}
