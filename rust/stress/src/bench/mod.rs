// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Fixed numbers of operations, timed: the client of the benchmark.
//!
//! Meant for a guest under QEMU's `-icount shift=0`, where a nanosecond of the clock is one
//! instruction of the processor, so that a figure is *guest instructions per operation*. On any
//! other machine it is nanoseconds. Counts and seeds are fixed: two runs do the same.
//!
//! | module | workloads |
//! |---|---|
//! | [`data`] | one file, written and read in blocks |
//! | [`meta`] | many small files: create, stat, open, rename, unlink |
//! | [`grow`] | the same operations in small and in large directories |
//! | [`sizes`] | the same operations in small and in large files |
//! | [`mix`] | loops of programs: a mail server, a file server, a web server |
//! | [`tree`] | whole commands on a tree of files: tar, grep, find, git, rm |
//! | [`guard`] | the machine measures what it is believed to measure |

mod data;
mod grow;
mod guard;
mod meta;
mod meter;
mod mix;
mod sizes;
mod tree;

use meter::Meter;
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Run workloads in DIR, an empty directory; one line of JSON for each
    Run(RunArgs),
    /// What a call into a file system costs: `statfs` of one that does nothing for it (hello), less
    /// that of one without a call (ramfs); one line of JSON
    Tax {
        /// Where hello is mounted
        hello: PathBuf,
        /// Where ramfs is mounted
        ramfs: PathBuf,
    },
    /// Fail unless this machine is fit to measure on, and DIR is mounted as --fs
    Check(guard::Args),
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    dir: PathBuf,
    /// How much of everything
    #[arg(long, value_enum, default_value = "quick")]
    size: Size,
    /// A directory outside of DIR with tree.tar and repository.git, which tree workloads need
    #[arg(long)]
    source: Option<PathBuf>,
    /// A directory of the file system in which that of DIR keeps its files, to be flushed as well
    #[arg(long)]
    lower: Option<PathBuf>,
    /// Run only the workloads whose names begin like this
    #[arg(long)]
    only: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Size {
    /// What the tests of the project run
    Gate,
    Quick,
    Full,
}

impl Size {
    /// One of three numbers, by size.
    const fn pick(self, gate: usize, quick: usize, full: usize) -> usize {
        match self {
            Self::Gate => gate,
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Run(args) => workloads(args),
        Command::Tax { hello, ramfs } => meta::tax(hello, ramfs),
        Command::Check(args) => guard::run(args),
    }
}

fn workloads(args: &RunArgs) -> anyhow::Result<()> {
    let meter = Meter::new(&args.dir, args.lower.as_deref(), &args.only)?;
    data::run(&meter, &args.dir, args.size)?;
    meta::run(&meter, &args.dir, args.size)?;
    grow::run(&meter, &args.dir)?;
    sizes::run(&meter, &args.dir)?;
    mix::run(&meter, &args.dir, args.size)?;
    if let Some(source) = &args.source {
        tree::run(&meter, &args.dir, source)?;
    }
    Ok(())
}
