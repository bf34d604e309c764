// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `bentoctl prov`: what a mount that records its use (package `bento-prov`) has recorded.
//!
//! | module | what it does |
//! |---|---|
//! | `log` | the files of a log as one sequence of events |
//! | `names` | inodes as paths, as far as the log tells |
//! | `ancestry` | which processes and files a file came from |
//! | `show` | events and ancestries as text and JSON |

mod ancestry;
mod log;
mod names;
mod show;

use crate::failure::{Failure, Kind, Result};
use crate::host::Host;
use crate::mounts;
use crate::output::{Output, put};
use clap::{Parser, Subcommand};
use core::time::Duration;
use log::Log;
use names::Names;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How often `--follow` looks; the kernel writes as often.
const PERIOD: Duration = Duration::from_millis(250);

/// Shows what a mount has recorded: who did what to which file
///
/// Needs root, as the log may only be read by root. With --json each event is one line.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// Mount point, device or id
    #[arg(required = true)]
    mount: Option<String>,
    /// Go on with what is recorded from now on
    #[arg(short, long)]
    follow: bool,
    #[command(subcommand)]
    question: Option<Question>,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// Shows which processes and files a file came from
    ///
    /// Each process that wrote to the file is shown with what it had read before; what it had
    /// read is traced in the same way.
    Trace {
        /// The file
        file: PathBuf,
    },
}

pub(crate) fn run(args: &Args, host: &Host, out: &Output) -> Result {
    match (&args.question, &args.mount) {
        (Some(Question::Trace { file }), _) => trace(file, out),
        (None, Some(mount)) => print(&root_of(mount, host)?, args.follow, out),
        (None, None) => Err(Failure::new(Kind::NotFound, "name a mount")),
    }
}

/// The root of the file system that `mount` names.
fn root_of(mount: &str, host: &Host) -> Result<PathBuf> {
    let folder = Path::new(mount);
    if folder.join(prov::FOLDER).is_dir() {
        return Ok(folder.to_owned());
    }
    let found = mounts::chosen(host, Some(mount))?;
    let mut points = found.iter().flat_map(|mount| &mount.mount_points);
    let point = points.next().map(PathBuf::from);
    point.ok_or_else(|| Failure::new(Kind::NotFound, format!("{mount} is not seen from here")))
}

fn print(root: &Path, follow: bool, out: &Output) -> Result {
    let mut log = Log::new(root);
    let mut names = Names::default();
    loop {
        for event in log.read()? {
            names.learn(&event);
            let line = match out.is_json() {
                true => show::json(&event, &names)?,
                false => show::text(&event, &names),
            };
            if !put_line(&line)? {
                return Ok(());
            }
        }
        if !follow {
            return Ok(());
        }
        std::thread::sleep(PERIOD);
    }
}

/// Whether there is still a reader.
fn put_line(line: &str) -> Result<bool> {
    use std::io::{ErrorKind, Write};
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::io("stdout", &error)),
    }
}

fn trace(file: &Path, out: &Output) -> Result {
    let failed = |error| Failure::io(file.display(), &error);
    let file = fs::canonicalize(file).map_err(failed)?;
    let attributes = fs::symlink_metadata(&file).map_err(failed)?;
    let root = above(&file, attributes.dev()).ok_or_else(|| {
        let text = format!(
            "{}: no log: there is no folder {} in the root of its file system",
            file.display(),
            prov::FOLDER
        );
        Failure::new(Kind::NotFound, text)
    })?;
    let events = Log::new(&root).read()?;
    let mut names = Names::default();
    events.iter().for_each(|event| names.learn(event));
    let found = ancestry::trace(&events, attributes.ino());
    // What was there before recording began has no name in the log.
    let unknown = found
        .inodes()
        .filter(|ino| names.path(*ino).is_none())
        .collect();
    names.look_for(unknown, &root);
    let told = show::ancestry(&found, &names);
    if out.is_json() {
        return out.print(&told, String::new);
    }
    put(&told.text())
}

/// The folder above `file`, on the same device, that holds a log.
fn above(file: &Path, dev: u64) -> Option<PathBuf> {
    let mut folders = file.ancestors().skip(1);
    let found = folders.find(|folder| {
        let log = fs::symlink_metadata(folder.join(prov::FOLDER));
        log.is_ok_and(|log| log.is_dir() && log.dev() == dev)
    });
    found.map(Path::to_owned)
}
