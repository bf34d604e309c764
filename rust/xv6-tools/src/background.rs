// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Going into the background without `fork` (which no safe Rust program can call): the tool
//! starts itself again, and the first process leaves when the second reports that it serves.

use crate::logger;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

/// The environment variable that tells the second process what it is.
const CHILD: &str = "_XV6_MOUNT_IN_BACKGROUND";
const READY: &[u8] = b"ready";

/// This is the second process.
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs the same command line in a second process; returns when that serves, or has failed.
pub(crate) fn start() -> Result<ExitCode> {
    let mut args = std::env::args_os();
    let mut command = Command::new(std::env::current_exe().context("/proc is not mounted")?);
    if let Some(name) = args.next() {
        command.arg0(name);
    }
    command
        .args(args)
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start the server")?;
    let mut report = Vec::new();
    if let Some(stdout) = &mut child.stdout {
        stdout
            .read_to_end(&mut report)
            .context("no report of the server")?;
    }
    if report == READY {
        return Ok(ExitCode::SUCCESS);
    }
    let code = child
        .wait()?
        .code()
        .and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// In the second process: reports that it serves, and lets go of terminal and directory.
pub(crate) fn detach() -> Result<()> {
    rustix::process::setsid().context("cannot leave the session")?;
    std::env::set_current_dir("/")?;
    let mut stdout = std::io::stdout();
    stdout.write_all(READY)?;
    stdout.flush()?;
    logger::to_syslog();
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stderr(&null)?;
    // Closes the pipe, which is what the first process waits for: the last step.
    rustix::stdio::dup2_stdout(&null)?;
    Ok(())
}
