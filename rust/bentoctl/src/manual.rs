// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Manual pages and shell completions as packages install them, from the argument parser; and the
//! written page of the JSON documents.

use crate::Cli;
use crate::failure::{Failure, Result};
use clap::{Command, CommandFactory, Parser};
use clap_complete::Shell;
use std::fs;
use std::path::{Path, PathBuf};

/// Where `man 5 bentoctl-json` comes from.
const JSON: &str = include_str!("../man/bentoctl-json.5");
/// Where each shell looks below `share`.
const COMPLETIONS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash-completion/completions/bentoctl"),
    (Shell::Zsh, "zsh/site-functions/_bentoctl"),
    (Shell::Fish, "fish/vendor_completions.d/bentoctl.fish"),
];

/// Writes the manual pages and completions
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// The folder "share" of a package
    folder: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result {
    let json = args.folder.join("man/man5/bentoctl-json.5");
    put(&json, JSON.as_bytes())?;
    let pages = args.folder.join("man/man8");
    let mut command = Cli::command();
    command.build();
    page(&pages, &command, "bentoctl")?;
    for part in command.get_subcommands().filter(|part| !part.is_hide_set()) {
        if part.get_name() != "help" {
            page(&pages, part, &format!("bentoctl-{}", part.get_name()))?;
        }
    }
    for (shell, path) in COMPLETIONS {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "bentoctl", &mut text);
        put(&args.folder.join(path), &text)?;
    }
    Ok(())
}

fn page(folder: &Path, command: &Command, name: &str) -> Result {
    // A build twice gives the same bytes: no date.
    let page = clap_mangen::Man::new(command.clone())
        .title(name)
        .section("8")
        .date("")
        .manual("Bento");
    let mut text = Vec::new();
    page.render(&mut text)
        .map_err(|error| Failure::io(name, &error))?;
    text.extend_from_slice(b".SH \"SEE ALSO\"\nbentoctl(8), bentoctl\\-json(5)\n");
    put(&folder.join(format!("{name}.8")), &text)
}

fn put(path: &Path, text: &[u8]) -> Result {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| Failure::io(path.display(), &error))
}
