// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The tools of xv6 in one binary: `mkfs.xv6`, `fsck.xv6`, `dump.xv6`, `mount.fuse.xv6`.
//!
//! Which one runs is decided by the name it is called by (links with these names are installed),
//! or by the first argument: `xv6-tools mkfs ...`.
#![forbid(unsafe_code)]

mod background;
mod backup;
mod completions;
mod dump;
mod fsck;
mod logger;
mod manual;
mod mkfs;
mod mount;
mod mutate;
mod options;
mod progress;
mod replay;
mod signature;
mod size;
mod usage;
mod uuid;

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// Makes, checks and mounts xv6 file systems.
#[derive(Debug, Parser)]
#[command(name = "xv6-tools", version)]
struct Cli {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Debug, Subcommand)]
enum Tool {
    /// Makes an xv6 file system (also called as mkfs.xv6)
    Mkfs(mkfs::Args),
    /// Checks and repairs an xv6 file system (also called as fsck.xv6)
    Fsck(fsck::Args),
    /// Shows the structures of an xv6 file system (also called as dump.xv6)
    Dump(dump::Args),
    /// Mounts an xv6 image through FUSE (also called as mount.fuse.xv6)
    Mount(mount::Args),
    /// Writes the manual pages below a folder, as share/man has them
    #[command(hide = true)]
    Man(manual::Args),
    /// Writes what makes shells complete the tools' options below a folder, as share has it
    #[command(hide = true)]
    Completions(completions::Args),
    /// Damages an image on purpose, for tests
    #[command(hide = true)]
    Mutate(mutate::Args),
    /// Repeats the operations of a traced mount on a copy of its image
    Replay(replay::Args),
}

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let called = args
        .first()
        .map(Path::new)
        .and_then(Path::file_name)
        .unwrap_or_default();
    match called.to_string_lossy().as_ref() {
        "mkfs.xv6" => run(&args, mkfs::USAGE_EXIT, Tool::Mkfs),
        "fsck.xv6" => run(&args, fsck::USAGE_EXIT, Tool::Fsck),
        "dump.xv6" => run(&args, dump::USAGE_EXIT, Tool::Dump),
        "mount.fuse.xv6" => run(&args, mount::USAGE_EXIT, Tool::Mount),
        _ => run(&args, 2, |cli: Cli| cli.tool),
    }
}

/// Parses the arguments and runs the tool that they ask for.
fn run<A: Parser>(args: &[OsString], usage_exit: u8, tool: impl Fn(A) -> Tool) -> ExitCode {
    let parsed = match A::try_parse_from(args) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Also how clap answers --help and --version. Nothing is left to do without a stdout.
            let _printed = error.print();
            return ExitCode::from(if error.use_stderr() { usage_exit } else { 0 });
        }
    };
    match tool(parsed) {
        Tool::Mkfs(args) => mkfs::main(&args),
        Tool::Fsck(args) => fsck::main(&args),
        Tool::Dump(args) => dump::main(&args),
        Tool::Mount(args) => mount::main(&args),
        Tool::Man(args) => manual::main(&args),
        Tool::Completions(args) => completions::main(&args),
        Tool::Mutate(args) => mutate::main(&args),
        Tool::Replay(args) => replay::main(&args),
    }
}
