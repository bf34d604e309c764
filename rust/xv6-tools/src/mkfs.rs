// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `mkfs.xv6`: makes a file system.

use crate::{logger, signature, size, usage, uuid};
use anyhow::{Context, Result, bail};
use bento::{BlockDevice, Timespec};
use bento_fuse::{Access, FileDisk};
use clap::Parser;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;
use xv6::layout::LABEL_LEN;
use xv6::superblock::Super;
use xv6::{FormatOptions, format};

/// The exit code after wrong arguments.
pub(crate) const USAGE_EXIT: u8 = 1;

/// Makes an xv6 file system on a device or in an image file
#[derive(Debug, Parser)]
#[command(name = "mkfs.xv6", version)]
pub(crate) struct Args {
    /// Overwrite what the device holds without asking
    #[arg(short = 'f', long)]
    force: bool,
    /// Name of the file system, at most 32 bytes
    #[arg(short = 'L', long, value_name = "LABEL", value_parser = parse_label)]
    label: Option<[u8; LABEL_LEN]>,
    /// UUID of the file system [default: a random one]
    #[arg(short = 'U', long, value_name = "UUID", value_parser = uuid::parse)]
    uuid: Option<[u8; 16]>,
    /// Print nothing but errors
    #[arg(short = 'q', long)]
    quiet: bool,
    /// Device or image file; an image that does not exist is created with SIZE
    #[arg(value_name = "DEV")]
    device: PathBuf,
    /// Size of the file system, for example 512M or 10G [default: the whole device]
    #[arg(value_name = "SIZE", value_parser = size::parse)]
    size: Option<u64>,
}

pub(crate) fn main(args: &Args) -> ExitCode {
    logger::start("mkfs.xv6");
    match make(args) {
        Ok(made) => {
            if !args.quiet {
                println!("{}", describe(&args.device, &made));
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn parse_label(text: &str) -> Result<[u8; LABEL_LEN], String> {
    let mut label = [0; LABEL_LEN];
    let place = label.get_mut(..text.len()).ok_or("longer than 32 bytes")?;
    place.copy_from_slice(text.as_bytes());
    Ok(label)
}

fn describe(device: &Path, made: &Super) -> String {
    let g = &made.geometry;
    let mib = g.blocks() / 256;
    format!(
        "{}: xv6, {mib} MiB in {} blocks, {} inodes, log of {} blocks, UUID {}",
        device.display(),
        g.blocks(),
        g.inodes(),
        g.log().1,
        uuid::format(made.uuid),
    )
}

fn make(args: &Args) -> Result<Super> {
    if let Some(usage) = usage::of(&args.device) {
        bail!(
            "{} {usage}; unmount or detach it first",
            args.device.display()
        );
    }
    let created = prepare_image(args)?;
    let made = format_device(args);
    if created && made.is_err() {
        std::fs::remove_file(&args.device).context("the new image could not be removed")?;
    }
    made
}

/// Creates the image file, or extends it, where it is smaller than asked for; says whether it is
/// new.
fn prepare_image(args: &Args) -> Result<bool> {
    let name = args.device.display();
    match std::fs::metadata(&args.device) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let Some(size) = args.size else {
                bail!("{name}: no such file; give a SIZE to create an image");
            };
            let image = File::create_new(&args.device).with_context(|| name.to_string())?;
            image
                .set_len(size)
                .with_context(|| format!("{name}: cannot be {size} bytes"))?;
            Ok(true)
        }
        Err(error) => Err(error).with_context(|| name.to_string()),
        Ok(meta) => {
            if let Some(size) = args
                .size
                .filter(|&size| meta.is_file() && size > meta.len())
            {
                let image = OpenOptions::new().write(true).open(&args.device);
                let extended = image.and_then(|image| image.set_len(size));
                extended.with_context(|| format!("{name}: cannot be {size} bytes"))?;
            }
            Ok(false)
        }
    }
}

fn format_device(args: &Args) -> Result<Super> {
    let disk = FileDisk::open(&args.device, Access::Write)?;
    let name = args.device.display();
    let block = u64::try_from(FileDisk::BLOCK_SIZE)?;
    if args.size.is_some_and(|size| size > disk.bytes()) {
        bail!("{name} has only {} bytes", disk.bytes());
    }
    if let Some(found) = signature::find(&disk)
        && !args.force
        && !confirmed(&format!("{name} holds {}", found.name))?
    {
        bail!(
            "{name} holds {}; not overwritten (-f overwrites it)",
            found.name
        );
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let now = Timespec {
        sec: i64::try_from(now.as_secs())?,
        nsec: now.subsec_nanos(),
    };
    let options = FormatOptions {
        uuid: args
            .uuid
            .map_or_else(uuid::random, Ok)
            .context("no random UUID")?,
        label: args.label.unwrap_or_default(),
        blocks: args.size.map(|size| size / block),
        now,
        ..FormatOptions::default()
    };
    let wiped = signature::wipe(&disk);
    let made = wiped.and_then(|()| format(&disk, &options));
    made.with_context(|| format!("{name}: no file system was made"))
}

/// Asks on the terminal, or reads the answer from a pipe (`yes | mkfs.xv6 ...`).
fn confirmed(found: &str) -> Result<bool> {
    let mut terminal = std::io::stderr();
    write!(terminal, "mkfs.xv6: {found}. Overwrite it? [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.is_empty() {
        writeln!(terminal)?;
    }
    Ok(answer.trim_start().starts_with(['y', 'Y']))
}
