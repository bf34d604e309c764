// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `bentoctl status`: the state of mounts.

use crate::failure::Result;
use crate::host::Host;
use crate::mounts::{self, Mount};
use crate::output::{Output, duration, plain};
use clap::Parser;
use core::fmt::Write;
use serde::Serialize;

/// Shows the state of mounts
///
/// Needs no privileges. While a mount is being upgraded this waits for the end of the upgrade.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Mount point, device or id; all mounts without it
    mount: Option<String>,
}

#[derive(Serialize)]
struct Status {
    mounts: Vec<Mount>,
}

pub(crate) fn run(args: &Args, host: &Host, out: &Output) -> Result {
    let status = Status {
        mounts: mounts::chosen(host, args.mount.as_deref())?,
    };
    out.print(&status, || {
        if status.mounts.is_empty() {
            return "nothing is mounted with Bento\n".to_owned();
        }
        let texts: Vec<String> = status.mounts.iter().map(text).collect();
        texts.join("\n")
    })
}

fn text(mount: &Mount) -> String {
    let mut text = format!(
        "{}  {} {}  {}\n",
        mount.id, mount.fs, mount.version, mount.state
    );
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _written = writeln!(text, "  {name:<13}{}", plain(value));
    };
    match mount.mount_points.as_slice() {
        [] => line("mounted on", "nothing that is seen from here"),
        points => line("mounted on", &points.join(", ")),
    }
    match (&mount.device, &mount.dev) {
        (Some(device), Some(dev)) => line("device", &format!("{device} ({dev})")),
        (Some(device), None) => line("device", device),
        (None, Some(dev)) => line("device", &format!("none ({dev})")),
        (None, None) => line("device", "unknown"),
    }
    line("build", &mount.build);
    line("inodes", &format!("{} in memory", mount.nodes));
    line("upgrades", &upgrades(mount));
    line("panics", &mount.panics.to_string());
    line(
        "refused",
        &match mount.ops_failed {
            1 => "1 operation, for the mount had failed".to_owned(),
            number => format!("{number} operations, for the mount had failed"),
        },
    );
    if let Some(stuck) = mount.stuck.filter(|stuck| *stuck > 0) {
        line(
            "stuck",
            &format!("{stuck} calls run longer than the watchdog allows"),
        );
    }
    if let Some(error) = &mount.last_error {
        line("last error", error);
    }
    if mount.state == "failed" {
        line(
            "to repair",
            "bentoctl upgrade a build, the same one or another",
        );
    }
    text
}

fn upgrades(mount: &Mount) -> String {
    if mount.upgrades == 0 {
        return "0".to_owned();
    }
    let mut text = format!(
        "{}, last pause {}",
        mount.upgrades,
        duration(mount.pause_ns)
    );
    if let Some(steps) = mount.pause_steps_ns {
        let _written = write!(
            text,
            " (drain {}, export {}, import {}, wake {})",
            duration(steps.drain),
            duration(steps.export),
            duration(steps.import),
            duration(steps.wake)
        );
    }
    text
}
