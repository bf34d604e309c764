// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What makes bash, zsh and fish complete the options of the tools, from their argument parsers.

use crate::manual;
use anyhow::Result;
use clap::Parser;
use clap_complete::{Shell, generate};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where each shell looks below `share`, and how it wants the file of a tool to be called.
const SHELLS: [(Shell, &str, &str, &str); 3] = [
    (Shell::Bash, "bash-completion/completions", "", ""),
    (Shell::Zsh, "zsh/site-functions", "_", ""),
    (Shell::Fish, "fish/vendor_completions.d", "", ".fish"),
];

/// Writes completions for shells
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// The folder `share` that they are made in
    folder: PathBuf,
}

pub(crate) fn main(args: &Args) -> ExitCode {
    manual::fill(&args.folder, write)
}

fn write(share: &Path) -> Result<()> {
    for mut tool in manual::tools() {
        let name = tool.get_name().to_owned();
        for (shell, folder, before, after) in SHELLS {
            let mut text = Vec::new();
            generate(shell, &mut tool, name.as_str(), &mut text);
            manual::put(
                &share.join(folder),
                &format!("{before}{name}{after}"),
                &text,
            )?;
        }
    }
    Ok(())
}
