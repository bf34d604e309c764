// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What `fsync` promised, checked after a power cut.
//!
//! `write` runs until the power goes. Before each step it writes to a log what it intends, and
//! after the `fsync` of the step, that this is now a promise; the log is on another disk (or a
//! file elsewhere) and is itself written synchronously. After the cut, `verify` replays the log
//! and compares: what was promised must be there, the one step that was under way per file may or
//! may not have happened, and nothing else may be seen, above all no content of other files.

mod log;
mod state;
mod verify;
mod write;

use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Work in DIR, which must not exist, until the power goes or time is up
    Write {
        dir: PathBuf,
        /// A file or an empty (zeroed) block device outside of the tested file system
        #[arg(long)]
        log: PathBuf,
        #[arg(long, default_value_t = 600)]
        seconds: u64,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Compare DIR with what LOG promises
    Verify {
        dir: PathBuf,
        #[arg(long)]
        log: PathBuf,
        /// Fail if fewer promises than this were made: the test would prove nothing
        #[arg(long, default_value_t = 1)]
        at_least: usize,
    },
}

/// Where the promised files are, and where files without a promise are.
const DIRS: [&str; 2] = ["a", "b"];
const NOISE: &str = "noise";

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Write {
            dir,
            log,
            seconds,
            seed,
        } => write::run(&dir, &log, seconds, seed),
        Command::Verify { dir, log, at_least } => verify::run(&dir, &log, at_least),
    }
}
