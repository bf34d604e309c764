// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `fsck.xv6`: checks a file system and repairs it.

use crate::progress::Progress;
use crate::{backup, logger, signature, usage};
use anyhow::{Context, Result, bail};
use bento::Errno;
use bento_fuse::{Access, FileDisk};
use clap::Parser;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use xv6::check::{Finding, Report, check_watched, replay};
use xv6::mend::mend;
use xv6::superblock::Super;

/// The exit codes of fsck(8).
const CORRECTED: u8 = 1;
const UNCORRECTED: u8 = 4;
const OPERATIONAL: u8 = 8;
/// The exit code after wrong arguments.
pub(crate) const USAGE_EXIT: u8 = 16;

/// Checks an xv6 file system and repairs it
///
/// Prints one line for each thing that is wrong, and asks before it repairs anything. What has
/// lost its name is put into the directory lost+found, under its inode number.
///
/// Exit codes: 0 clean, 1 repaired, 4 damage is left, 8 could not check, 16 wrong arguments.
#[derive(Debug, Parser)]
#[command(name = "fsck.xv6", version)]
#[command(group = clap::ArgGroup::new("mode").multiple(false))]
pub(crate) struct Args {
    /// Write nothing; a log that a crash has left is looked at as if it had been replayed
    #[arg(short = 'n', group = "mode")]
    no: bool,
    /// Repair everything without asking
    #[arg(short = 'y', group = "mode")]
    yes: bool,
    /// Ask nothing, and repair only where no file can lose anything (at boot)
    #[arg(short = 'p', short_alias = 'a', group = "mode")]
    preen: bool,
    /// Take the superblock from its copy in this block, the last one of the file system. (Where
    /// the superblock is damaged, its copy is looked for without this.)
    #[arg(short = 'b', value_name = "BLOCK")]
    backup: Option<u64>,
    /// Taken for the sake of fsck(8): the check is always complete
    #[arg(short = 'f', hide = true)]
    force: bool,
    /// Device or image file
    #[arg(value_name = "DEV")]
    device: PathBuf,
}

/// What is left after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Clean,
    Corrected,
    Damaged,
}

pub(crate) fn main(args: &Args) -> ExitCode {
    logger::start("fsck.xv6");
    match run(args) {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Corrected) => ExitCode::from(CORRECTED),
        Ok(Outcome::Damaged) => ExitCode::from(UNCORRECTED),
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::from(OPERATIONAL)
        }
    }
}

fn run(args: &Args) -> Result<Outcome> {
    let name = args.device.display();
    match usage::of(&args.device) {
        Some(usage) if !args.no => bail!("{name} {usage}; unmount or detach it first"),
        Some(usage) => log::warn!("{name} {usage}; findings may only be changes in progress"),
        None => {}
    }
    let access = if args.no {
        Access::DryRun
    } else {
        Access::Write
    };
    let disk = FileDisk::open(&args.device, access)?;
    let mut restored = args.backup.is_some();
    if let Some(block) = args.backup {
        let block = backup::at(&disk, block).with_context(|| name.to_string())?;
        backup::restore(&disk, block)?;
        println!("{name}: superblock taken from its backup in block {block}");
    } else if let Err(error) = Super::read(&disk, true) {
        restored = !args.no && restore_super(args, &disk)?;
        if !restored {
            return refused(error).with_context(|| format!("{name}: not checked"));
        }
    }
    let progress = Progress::new();
    progress.show("checking");
    let percent = &mut |done| progress.show(&format!("checking {done}%"));
    let checked = replay(disk.clone()).and_then(|()| check_watched(&disk, percent));
    progress.clear();
    let outcome = match checked {
        Ok(report) if report.is_clean() => {
            show(args, &report)?;
            Ok(Outcome::Clean)
        }
        Ok(report) => repair(args, &disk, &report, &progress),
        Err(error) => refused(error),
    };
    let outcome = outcome.with_context(|| format!("{name}: not checked"))?;
    Ok(match outcome {
        Outcome::Clean if restored => Outcome::Corrected,
        other => other,
    })
}

/// Shows what is wrong, and repairs it where that is wanted.
fn repair(args: &Args, disk: &FileDisk, report: &Report, progress: &Progress) -> Result<Outcome> {
    let name = args.device.display();
    show(args, report)?;
    if args.no {
        return Ok(Outcome::Damaged);
    }
    let harmless = report.findings.iter().all(Finding::is_harmless) && !report.more;
    if args.preen && !harmless {
        log::error!("{name}: a repair may cost files or names; `fsck.xv6 -y` does it");
        return Ok(Outcome::Damaged);
    }
    if !(args.preen || args.yes || confirmed("repair all of that?")?) {
        return Ok(Outcome::Damaged);
    }
    let mended = mend(disk, |stage| progress.show(stage));
    progress.clear();
    let mended = mended?;
    if mended.after.is_clean() {
        println!("{name}: repaired");
        return Ok(Outcome::Corrected);
    }
    println!("{name}: not all could be repaired; what is left:");
    show(args, &mended.after)?;
    Ok(Outcome::Damaged)
}

/// Damage that ends the check early is a finding like any other; the line that says what it is
/// was logged by the file system.
fn refused(error: Errno) -> Result<Outcome> {
    match error {
        Errno::EUCLEAN => Ok(Outcome::Damaged),
        error => Err(error.into()),
    }
}

fn show(args: &Args, report: &Report) -> Result<()> {
    let name = args.device.display();
    let mut out = std::io::stdout().lock();
    for finding in &report.findings {
        writeln!(out, "{name}: {finding}")?;
    }
    if report.more {
        writeln!(out, "{name}: and more")?;
    }
    let state = match report.findings.len() {
        0 => "clean".to_owned(),
        1 => "1 finding".to_owned(),
        many => format!("{many} findings"),
    };
    writeln!(
        out,
        "{name}: {state}; {} files, {} directories, {} of {} blocks used",
        report.files, report.directories, report.used_blocks, report.data_blocks
    )?;
    Ok(())
}

/// Writes the superblock again from its backup, where that is valid, nothing else claims the
/// device, and the user agrees.
fn restore_super(args: &Args, disk: &FileDisk) -> Result<bool> {
    let Some(block) = backup::find(disk)? else {
        return Ok(false);
    };
    let name = args.device.display();
    if let Some(other) = signature::find(disk).filter(|other| !other.is_xv6()) {
        log::error!(
            "{name} holds {}; the old backup superblock is not used",
            other.name
        );
        return Ok(false);
    }
    if args.preen || !(args.yes || confirmed("restore the superblock from its backup?")?) {
        log::error!("{name}: the backup superblock is intact; `fsck.xv6 -y` restores it");
        return Ok(false);
    }
    backup::restore(disk, block)?;
    println!("{name}: superblock restored from its backup in block {block}");
    Ok(true)
}

fn confirmed(question: &str) -> Result<bool> {
    let mut terminal = std::io::stderr();
    write!(terminal, "fsck.xv6: {question} [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim_start().starts_with(['y', 'Y']))
}
