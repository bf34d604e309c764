// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `bentoctl upgrade`: moves mounts in use to another build.

use crate::builds::Build;
use crate::failure::{Failure, Kind, Result, describe};
use crate::host::Host;
use crate::mounts::{self, Mount};
use crate::output::Output;
use crate::switch::{self, How, Move, Outcome};
use crate::{kmod, load, prefer, summary};
use clap::Parser;
use serde::Serialize;

/// Moves mounts in use to another build of their file system
///
/// Loads the build where it is not loaded yet. Then, mount by mount: the old build hands its state
/// to the new one while operations wait, for less than a millisecond as a rule. Where that does
/// not work the old build serves on. A mount that has failed is repaired. An older build is
/// taken as well as a newer one.
///
/// After a mount that could not be upgraded the ones behind it are not tried, unless --keep-going
/// is given; the ones before it keep the new build. When all mounts of the type have the build,
/// new mounts get it, too.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// A build that is loaded (module or version), an installed module, or a .ko file
    #[arg(value_name = "MODULE|FILE")]
    module: String,
    /// Only this mount: mount point, device or id
    #[arg(long, value_name = "MOUNT")]
    mount: Option<String>,
    #[command(flatten)]
    how: How,
}

/// The document of upgrade and rollback.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) dry_run: bool,
    pub(crate) mounts: Vec<Outcome>,
    /// Builds that new mounts use from now on.
    pub(crate) preferred: Vec<String>,
}

impl Report {
    pub(crate) fn new(how: How, mounts: Vec<Outcome>) -> Self {
        Self {
            dry_run: how.dry_run,
            mounts,
            preferred: Vec::new(),
        }
    }
}

pub(crate) fn run(args: &Args, host: &Host, out: &Output) -> Result {
    let (build, already) = load::build(host, &args.module, true)?;
    let done = upgrade(args, host, out, &build);
    if args.how.dry_run && !already {
        // It was loaded to be tried.
        if let Err(error) = kmod::unload(host, &build.module)? {
            let why = describe(&error.into());
            out.warn(&format!("{} stays loaded: {why}", build.module));
        }
    }
    done
}

fn upgrade(args: &Args, host: &Host, out: &Output, build: &Build) -> Result {
    let chosen = mounts::chosen(host, args.mount.as_deref())?;
    let moves = moves(args, chosen, build)?;
    if moves.is_empty() {
        let report = Report::new(args.how, Vec::new());
        return out.print(&report, || format!("no {} is mounted\n", build.fs));
    }
    let outcomes = switch::all(host, &moves, args.how)?;
    let verdict = switch::verdict(&outcomes);
    let mut report = Report::new(args.how, outcomes);
    if verdict.is_ok() && args.mount.is_none() && !args.how.dry_run {
        report.preferred.extend(prefer::build(host, build)?);
    }
    out.print(&report, || summary::text(&report.mounts, "upgraded"))?;
    verdict
}

/// The mounts of the build's type.
fn moves(args: &Args, mounts: Vec<Mount>, build: &Build) -> Result<Vec<Move>> {
    let to = |mount| Move {
        mount,
        to: build.clone(),
    };
    if let (Some(_), Some(other)) = (&args.mount, mounts.iter().find(|m| m.fs != build.fs)) {
        let text = format!(
            "{} is a mount of {}, but {} is a build of {}",
            other.name(),
            other.fs,
            build.module,
            build.fs
        );
        return Err(Failure::new(Kind::Refused, text));
    }
    let ours = mounts.into_iter().filter(|mount| mount.fs == build.fs);
    Ok(ours.map(to).collect())
}
