// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `bentoctl`: loads builds of Bento file systems, upgrades mounts, shows their state.
//!
//! Everything it knows it reads from `/sys/fs/bentofs` and its kin, and everything it does is a
//! write there: what it does can be done by hand.
//!
//! | module | what it does |
//! |---|---|
//! | `host`, `mountinfo` | the kernel's files |
//! | `builds`, `mounts` | what is loaded, what is mounted |
//! | `switch`, `refusal`, `summary`, `progress`, `prefer` | moving mounts to another build |
//! | `module_file`, `kmod` | `.ko` files; loading and unloading them |
//! | `output`, `failure` | text and JSON; errors and exit codes |
//! | `manual`, `completions` | from the argument parser: manual pages, shell completions |
//! | the others | one subcommand each |
#![forbid(unsafe_code)]

mod builds;
mod completions;
mod failure;
mod history;
mod host;
mod kmod;
mod latency;
mod list;
mod load;
mod manual;
mod module_file;
mod mountinfo;
mod mounts;
mod output;
mod patience;
mod prefer;
mod progress;
mod prov;
mod refusal;
mod rollback;
mod stats;
mod status;
mod summary;
mod switch;
mod time;
mod unload;
mod upgrade;

use clap::{Parser, Subcommand};
use failure::{EXIT_CODES, Result};
use host::Host;
use output::Output;
use std::process::ExitCode;

/// Operates Bento file systems: loads builds, upgrades mounts in use, shows their state
///
/// A mount is named by its mount point, its device, or its id in /sys/fs/bentofs. Root may do
/// everything, others may look.
#[derive(Debug, Parser)]
#[command(name = "bentoctl", version, after_help = EXIT_CODES)]
struct Cli {
    /// Print one JSON document instead of text; see bentoctl-json(5)
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Args),
    Status(status::Args),
    Load(load::Args),
    Unload(unload::Args),
    Upgrade(upgrade::Args),
    Rollback(rollback::Args),
    History(history::Args),
    Prov(prov::Args),
    Stats(stats::Args),
    Completions(completions::Args),
    /// Writes the manual pages and completions
    #[command(hide = true)]
    Share(manual::Args),
}

fn main() -> ExitCode {
    // Wrong arguments end the program here, with exit code 2.
    let cli = Cli::parse();
    let host = Host::new(std::env::var_os("BENTOCTL_ROOT"));
    let out = Output::new(cli.json);
    match run(&cli.command, &host, &out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out.fail(&failure);
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

fn run(command: &Command, host: &Host, out: &Output) -> Result {
    match command {
        Command::List(args) => list::run(args, host, out),
        Command::Status(args) => status::run(args, host, out),
        Command::Load(args) => load::run(args, host, out),
        Command::Unload(args) => unload::run(args, host, out),
        Command::Upgrade(args) => upgrade::run(args, host, out),
        Command::Rollback(args) => rollback::run(args, host, out),
        Command::Stats(args) => stats::run(args, host, out),
        Command::History(args) => history::run(args, host, out),
        Command::Prov(args) => prov::run(args, host, out),
        Command::Completions(args) => completions::run(args),
        Command::Share(args) => manual::run(args),
    }
}
