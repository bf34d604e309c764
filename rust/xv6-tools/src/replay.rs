// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `xv6-tools replay TRACE IMAGE`: does in user space what a mount of the kernel was seen doing,
//! with a copy of the disk from before, and under a debugger if wanted.
//!
//! All changes of names, attributes, sizes and space are in a trace. Not in it, and so not the
//! same afterwards: the contents of files (what was written becomes a pattern of inode and
//! offset), times that were not set by anybody, extended attributes that a new inode is born with
//! (an inherited ACL, a security label), and values of extended attributes that the trace has cut
//! off (zeros). Calls are repeated one after the other, in the order in which they ended.

mod call;
mod trace;

use crate::logger;
use anyhow::{Context, Result, ensure};
use bento::{FileSystem, MountOptions};
use bento_fuse::{Access, FileDisk};
use call::Player;
use clap::Parser;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use xv6::Xv6;

/// How many differences are shown.
const SHOWN: usize = 20;

/// Repeats the operations of a traced mount on a copy of its image
///
/// The trace is what tracefs shows of the events bentofs:op_enter and bentofs:op_exit of one mount,
/// from before its mount to behind its unmount; the image is a copy of the disk from before. The
/// image is changed. Exit codes: 0 all calls gave what they gave in the trace, 1 otherwise.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Stop behind the call that ended in this line of the trace
    #[arg(long, value_name = "LINE")]
    until: Option<usize>,
    /// Print each call before it is made
    #[arg(short, long)]
    verbose: bool,
    /// Trace, as text
    trace: PathBuf,
    /// Copy of the disk
    image: PathBuf,
}

pub(crate) fn main(args: &Args) -> ExitCode {
    logger::start("xv6-tools");
    match replay(args) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns how many calls gave something else.
fn replay(args: &Args) -> Result<usize> {
    let name = args.trace.display();
    let text = fs::read_to_string(&args.trace).with_context(|| name.to_string())?;
    let calls = trace::read(&text).with_context(|| name.to_string())?;
    ensure!(
        !calls.is_empty(),
        "{name}: no events of bentofs (op_enter, op_exit)"
    );
    let disk = FileDisk::open(&args.image, Access::Write)?;
    let fs = Xv6::mount(disk.clone(), &MountOptions::DEFAULT).context("mount")?;
    let mut player = Player::new(fs, disk);
    let (mut counts, mut differ) = (BTreeMap::<&str, usize>::new(), 0);
    let last = args.until.unwrap_or(usize::MAX);
    for call in calls.iter().take_while(|call| call.line <= last) {
        if args.verbose {
            println!("{call:?}");
        }
        let Some(result) = player.repeat(call) else {
            continue;
        };
        *counts.entry(call.op.as_str()).or_default() += 1;
        if result != call.result.min(0) {
            differ += 1;
            if differ <= SHOWN {
                println!(
                    "line {}: {} gives {result}, not {}",
                    call.line, call.op, call.result
                );
            }
        }
    }
    player.finish().context("unmount")?;
    let total: usize = counts.values().sum();
    let each: Vec<_> = counts
        .iter()
        .map(|(op, count)| format!("{count} {op}"))
        .collect();
    println!(
        "{total} calls repeated ({}), {differ} gave something else",
        each.join(", ")
    );
    Ok(differ)
}
