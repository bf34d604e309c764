// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `bentoctl completions`: what a shell needs to complete arguments.

use crate::Cli;
use crate::failure::Result;
use crate::output::put;
use clap::{CommandFactory, Parser};
use clap_complete::Shell;

/// Prints the completions for a shell
///
/// For example: bentoctl completions bash > /etc/bash_completion.d/bentoctl
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bentoctl", &mut text);
    put(&String::from_utf8_lossy(&text))
}
