// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `fsck.xv6`: checks a file system, and repairs what can be repaired without guessing: the log
//! is replayed, and a lost superblock comes back from its copy in the last block.

use crate::{logger, signature, usage};
use anyhow::{Context, Result, bail};
use bento::{BlockBuf, BlockDevice, BlockNo, BlockWrite, Errno, WriteOrder};
use bento_fuse::{Access, FileDisk};
use clap::Parser;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use xv6::check::{Report, check, replay};
use xv6::layout::{self, RawSuper, SUPER_BLOCK};
use xv6::superblock::Super;

/// The exit codes of fsck(8).
const CORRECTED: u8 = 1;
const UNCORRECTED: u8 = 4;
const OPERATIONAL: u8 = 8;
/// The exit code after wrong arguments.
pub(crate) const USAGE_EXIT: u8 = 16;

/// Checks an xv6 file system and repairs what is safe to repair
///
/// Prints one line for each thing that is wrong. Exit codes: 0 clean, 1 repaired, 4 damage is
/// left, 8 could not check, 16 wrong arguments.
#[derive(Debug, Parser)]
#[command(name = "fsck.xv6", version)]
#[command(group = clap::ArgGroup::new("mode").multiple(false))]
pub(crate) struct Args {
    /// Write nothing; a log that a crash has left is looked at as if it had been replayed
    #[arg(short = 'n', group = "mode")]
    no: bool,
    /// Answer all questions with yes
    #[arg(short = 'y', group = "mode")]
    yes: bool,
    /// Ask nothing, and repair only what needs no decision (at boot)
    #[arg(short = 'p', short_alias = 'a', group = "mode")]
    preen: bool,
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
    let mut restored = false;
    if let Err(error) = Super::read(&disk, true) {
        restored = !args.no && restore_super(args, &disk)?;
        if !restored {
            return refused(error).with_context(|| format!("{name}: not checked"));
        }
    }
    match replay(disk.clone()).and_then(|()| check(&disk)) {
        Ok(report) => {
            show(args, &report)?;
            Ok(match (report.is_clean(), restored) {
                (false, _) => Outcome::Damaged,
                (true, true) => Outcome::Corrected,
                (true, false) => Outcome::Clean,
            })
        }
        Err(error) => refused(error).with_context(|| format!("{name}: not checked")),
    }
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
    let Some(backup) = find_backup(disk)? else {
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
    if args.preen || !(args.yes || confirmed()?) {
        log::error!("{name}: the backup superblock is intact; `fsck.xv6 -y` restores it");
        return Ok(false);
    }
    let data = disk.read(backup)?;
    let write = BlockWrite {
        target: BlockNo(SUPER_BLOCK),
        data: &data.bytes()?,
    };
    disk.write(&[write], WriteOrder::Barrier)?;
    // The cache still holds the damaged block: it only ever changes through its handle.
    disk.read(BlockNo(SUPER_BLOCK))?
        .bytes_mut()?
        .copy_from_slice(&data.bytes()?);
    println!("{name}: superblock restored from its backup in block {backup}");
    Ok(true)
}

/// The backup is the last block of the file system, which usually fills the device.
fn find_backup(disk: &FileDisk) -> Result<Option<BlockNo>> {
    let Some(last) = disk.blocks().checked_sub(1).map(BlockNo) else {
        return Ok(None);
    };
    let block = disk.read(last)?;
    let raw: Option<RawSuper> = layout::get(&block.bytes()?, 0);
    let backup = raw.and_then(|raw| Super::try_from(&raw).ok());
    Ok(backup
        .filter(|backup| backup.geometry.backup() == last)
        .map(|_| last))
}

fn confirmed() -> Result<bool> {
    let mut terminal = std::io::stderr();
    write!(
        terminal,
        "fsck.xv6: restore the superblock from its backup? [y/N] "
    )?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim_start().starts_with(['y', 'Y']))
}
