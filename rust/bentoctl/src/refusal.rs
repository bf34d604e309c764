// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Why an upgrade was refused or failed, in words.

use crate::builds;
use crate::failure::{Failure, Kind, describe};
use crate::host::{Host, read_if_there};
use crate::mounts::Mount;
use crate::output::plain;
use crate::switch::{How, Move};
use rustix::io::Errno;
use std::io;

/// What the kernel's answer to a write to `upgrade` means, and what can be done about it.
pub(crate) fn explain(host: &Host, what: &Move, how: How, error: &io::Error) -> Failure {
    let (mount, to) = (&what.mount, &what.to);
    let step = format!("{}: {} -> {}", mount.name(), mount.version, to.version);
    let number = Errno::from_io_error(error);
    let (kind, why) = match number {
        Some(Errno::ACCESS | Errno::PERM) => (Kind::Permission, "only root may upgrade".to_owned()),
        Some(Errno::BUSY) => (Kind::Busy, frozen(mount)),
        Some(Errno::TIMEDOUT) => (Kind::Busy, drain(mount, how)),
        Some(Errno::OPNOTSUPP) => (Kind::Incompatible, incompatible(host, what)),
        Some(Errno::NOENT) => {
            let text = format!("{} is not loaded any more", to.module);
            (Kind::NotFound, text)
        }
        _ => {
            let said = kernel_says(mount);
            let said = said.map_or_else(String::new, |said| format!(" (bentofs: {said})"));
            (Kind::Failed, format!("{}{said}", describe(error)))
        }
    };
    let mut text = format!("{step}: {why}");
    let state = read_if_there(&mount.folder.join("state"));
    if matches!(state, Ok(Some(state)) if state == "failed") {
        text.push_str("; the mount is failed until an upgrade repairs it");
    } else if kind != Kind::Permission {
        text.push_str(&format!("; {} serves on", mount.build));
    }
    Failure::new(kind, text)
}

fn frozen(mount: &Mount) -> String {
    match mount.mount_points.first() {
        Some(point) => format!("it is frozen; thaw it first (fsfreeze -u {point})"),
        None => "it is frozen; thaw it first".to_owned(),
    }
}

fn drain(mount: &Mount, how: How) -> String {
    let ms = how.drain_ms.map(u64::from).or(mount.drain_ms);
    let within = ms.map_or_else(|| "in time".to_owned(), |ms| format!("within {ms} ms"));
    format!("running operations did not end {within}; try again, or give them more (--drain-ms)")
}

/// Both ranges of state schemas, or what else keeps the two builds apart.
fn incompatible(host: &Host, what: &Move) -> String {
    let builds = builds::all(host).unwrap_or_default();
    let old = builds.iter().find(|build| build.module == what.mount.build);
    if let (Some(old), Some(new)) = (old.and_then(|old| old.state_schema), what.to.state_schema)
        && !(new.reads_min..=new.reads_max).contains(&old.writes)
    {
        return format!(
            "incompatible state: {} writes state schema {} (and reads {} to {}), \
             {} reads {} to {} (and writes {}); go by a build that reads both, or unmount",
            what.mount.build,
            old.writes,
            old.reads_min,
            old.reads_max,
            what.to.module,
            new.reads_min,
            new.reads_max,
            new.writes
        );
    }
    kernel_says(&what.mount).unwrap_or_else(|| {
        format!(
            "{} cannot take over from {}; unmount, and mount with the new build",
            what.to.module, what.mount.build
        )
    })
}

/// What bentofs says of the upgrade that has just failed.
fn kernel_says(mount: &Mount) -> Option<String> {
    let said = read_if_there(&mount.folder.join("last_error")).ok()??;
    // It may also be that of a panic long ago.
    let new = Some(&said) != mount.last_error.as_ref() || said.starts_with("upgrade");
    (new && !said.is_empty()).then(|| plain(&said))
}
