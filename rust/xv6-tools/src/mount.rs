// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `mount.fuse.xv6`: mounts an image or device in user space.

use crate::options::Options;
use crate::{background, logger, usage};
use anyhow::{Context, Result, bail};
use bento::MountOptions;
use bento_fuse::{Access, FileDisk, Host, Settings, serve};
use clap::Parser;
use rustix::mount::UnmountFlags;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use xv6::Xv6;

/// The exit code after wrong arguments; see mount(8).
pub(crate) const USAGE_EXIT: u8 = 1;
/// The exit code where the mount failed; see mount(8).
const FAILED_EXIT: u8 = 32;

/// Mounts an xv6 image or device through FUSE; `umount DIR` unmounts it
#[derive(Debug, Parser)]
#[command(name = "mount.fuse.xv6", version)]
pub(crate) struct Args {
    /// Image file or block device
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Where to mount
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Options as for mount(8), separated by commas: ro, noexec, allow_other and so on
    ///
    /// norecovery: with ro, show the image as a crash left it, without replaying the log.
    ///
    /// discard: give blocks that became free back to the device, or to the file system below the
    /// image, once that is durable.
    ///
    /// commit=SECONDS: make changes durable that often (1 to 900, usually 5).
    #[arg(short = 'o', value_name = "OPTIONS")]
    options: Vec<String>,
    /// Stay in the foreground, for debuggers and service managers
    #[arg(short = 'f', long)]
    foreground: bool,
    /// Taken for the sake of mount(8): sloppy, no mtab, verbose
    #[arg(short = 's', short_aliases = ['n', 'v'], action = clap::ArgAction::Count, hide = true)]
    ignored: u8,
    /// Taken for the sake of mount(8): the type
    #[arg(short = 't', value_name = "TYPE", hide = true)]
    kind: Option<String>,
}

pub(crate) fn main(args: &Args) -> ExitCode {
    logger::start("mount.fuse.xv6");
    let result = if args.foreground || background::is_child() {
        run(args).map(|()| ExitCode::SUCCESS)
    } else {
        background::start()
    };
    result.unwrap_or_else(|error| {
        log::error!("{error:#}");
        ExitCode::from(FAILED_EXIT)
    })
}

fn run(args: &Args) -> Result<()> {
    let root = rustix::process::geteuid().is_root();
    let options = Options::parse(args.options.iter().map(String::as_str), root)?;
    // Found out before the image is touched: both are beside the point for its contents.
    let dir = args
        .dir
        .canonicalize()
        .with_context(|| args.dir.display().to_string())?;
    if !dir.is_dir() {
        bail!("{}: not a directory", dir.display());
    }
    if let Some(reason) = bento_fuse::unusable() {
        bail!("FUSE cannot be used: {reason}");
    }
    let host = open(&args.image, &options)?;
    let settings = Settings {
        source: args.image.display().to_string(),
        subtype: "xv6".into(),
        read_only: options.read_only,
        allow_other: options.allow_other,
        commit: options.commit,
        flags: options.flags,
    };
    let mounted = serve(host, &dir, &settings).with_context(|| dir.display().to_string())?;
    unmount_on_signal(dir)?;
    if background::is_child() {
        background::detach()?;
    }
    mounted
        .wait()
        .context("the last write to the image failed; it is as after a crash")
}

fn open(image: &Path, options: &Options) -> Result<Host<Xv6<FileDisk>>> {
    let name = image.display();
    if let Some(usage) = usage::of(image) {
        bail!("{name} {usage}; unmount or detach it first");
    }
    let access = if options.read_only {
        Access::Read
    } else {
        Access::Write
    };
    let disk = FileDisk::open(image, access)?;
    let text = options.text.join(",");
    let options = MountOptions {
        read_only: options.read_only,
        no_recovery: options.no_recovery,
        discard: options.discard,
        text: &text,
        ..MountOptions::DEFAULT
    };
    Host::mount(disk, &options).with_context(|| format!("{name}: not mounted"))
}

/// A signal that asks to stop unmounts; where the mount is in use, it goes on.
fn unmount_on_signal(dir: PathBuf) -> Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("no signal handler")?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in &mut signals {
                match unmount(&dir) {
                    Ok(()) => return,
                    Err(error) => log::error!("signal {signal}: {}: {error:#}", dir.display()),
                }
            }
        })?;
    Ok(())
}

fn unmount(dir: &Path) -> Result<()> {
    match rustix::mount::unmount(dir, UnmountFlags::empty()) {
        Err(rustix::io::Errno::PERM) => {
            let status = Command::new("fusermount3").arg("-u").arg(dir).status()?;
            if !status.success() {
                bail!("fusermount3 could not unmount it");
            }
            Ok(())
        }
        result => Ok(result.context("still mounted")?),
    }
}
