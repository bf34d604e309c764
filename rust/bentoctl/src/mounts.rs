// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The mounts that bentofs serves: the folders of `/sys/fs/bentofs`.

use crate::failure::{Failure, Kind, Result};
use crate::host::{Host, read_if_there, read_number};
use crate::mountinfo::{self, Entry};
use crate::output::plain;
use serde::Serialize;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Where the pause of the last upgrade went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct PauseSteps {
    pub(crate) drain: u64,
    pub(crate) export: u64,
    pub(crate) import: u64,
    pub(crate) wake: u64,
}

/// What the kernel says of a mount.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Mount {
    /// Its name in `/sys/fs/bentofs`.
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) fs: String,
    pub(crate) version: String,
    pub(crate) build: String,
    pub(crate) state: String,
    pub(crate) device: Option<String>,
    /// `major:minor`, as in `/proc/self/mountinfo`.
    pub(crate) dev: Option<String>,
    pub(crate) mount_points: Vec<String>,
    /// Inodes that the file system has in memory.
    pub(crate) nodes: u64,
    pub(crate) upgrades: u64,
    pub(crate) panics: u64,
    pub(crate) ops_failed: u64,
    /// Calls that run longer than the watchdog allows.
    pub(crate) stuck: Option<u64>,
    pub(crate) drain_ms: Option<u64>,
    pub(crate) pause_ns: u64,
    pub(crate) pause_steps_ns: Option<PauseSteps>,
    pub(crate) last_error: Option<String>,
    #[serde(skip)]
    pub(crate) folder: PathBuf,
}

impl Mount {
    /// Its id, and where it is seen.
    pub(crate) fn name(&self) -> String {
        match self.mount_points.first() {
            Some(point) => format!("{} ({})", self.id, plain(point)),
            None => self.id.clone(),
        }
    }
}

/// All mounts, by name.
pub(crate) fn all(host: &Host) -> Result<Vec<Mount>> {
    let entries = mountinfo::all(host)?;
    let mut found = Vec::new();
    for id in ids(host)? {
        // One that is unmounted meanwhile is no fault.
        found.extend(one(host, &id, &entries)?);
    }
    Ok(found)
}

/// The mount that `name` means: a mount point, a device or an id. `None`: all of them.
pub(crate) fn chosen(host: &Host, name: Option<&str>) -> Result<Vec<Mount>> {
    let Some(name) = name else {
        return all(host);
    };
    let entries = mountinfo::all(host)?;
    let id = find(host, name, &entries)?;
    let mount = one(host, &id, &entries)?;
    Ok(vec![mount.ok_or_else(|| unknown(host, name))?])
}

/// Reads a mount again, after something was done with it.
pub(crate) fn again(host: &Host, mount: &Mount) -> Result<Mount> {
    let entries = mountinfo::all(host)?;
    one(host, &mount.id, &entries)?.ok_or_else(|| {
        let text = format!("{}: it was unmounted meanwhile", mount.id);
        Failure::new(Kind::NotFound, text)
    })
}

fn ids(host: &Host) -> Result<Vec<String>> {
    host.require_bentofs()?;
    let folder = host.bentofs();
    let listing = fs::read_dir(&folder).map_err(|e| Failure::io(folder.display(), &e))?;
    let folders = listing.flatten().filter(|entry| entry.path().is_dir());
    let mut ids: Vec<String> = folders
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    ids.sort();
    Ok(ids)
}

fn one(host: &Host, id: &str, entries: &[Entry]) -> Result<Option<Mount>> {
    let folder = host.bentofs().join(id);
    let text = |name: &str| read_if_there(&folder.join(name));
    let number = |name: &str| read_number(&folder.join(name));
    // These two are as old as bentofs itself: without them the mount is gone.
    let (Some(fs), Some(state)) = (text("fs")?, text("state")?) else {
        return Ok(None);
    };
    let dev = text("dev")?;
    let here: Vec<&Entry> = entries
        .iter()
        .filter(|e| serves(e, id, dev.as_deref()))
        .collect();
    let source = here.first().map(|entry| entry.source.clone());
    Ok(Some(Mount {
        id: id.to_owned(),
        fs,
        state,
        version: text("version")?.unwrap_or_default(),
        build: text("build")?.unwrap_or_default(),
        device: source.filter(|source| source.starts_with('/')),
        mount_points: here.iter().map(|entry| entry.point.clone()).collect(),
        dev,
        nodes: number("nodes")?.unwrap_or_default(),
        upgrades: number("upgrades")?.unwrap_or_default(),
        panics: number("panics")?.unwrap_or_default(),
        ops_failed: number("ops_failed")?.unwrap_or_default(),
        stuck: number("stuck")?,
        drain_ms: number("drain_ms")?,
        pause_ns: number("pause_ns")?.unwrap_or_default(),
        pause_steps_ns: text("pause_steps")?.as_deref().and_then(pause_steps),
        last_error: text("last_error")?.filter(|text| !text.is_empty()),
        folder,
    }))
}

/// Whether a line of mountinfo is of this mount. Without `dev` (older bentofs) the id decides,
/// which is the name of the device.
fn serves(entry: &Entry, id: &str, dev: Option<&str>) -> bool {
    match dev {
        Some(dev) => entry.dev == dev,
        None => entry.source.strip_prefix("/dev/") == Some(id),
    }
}

fn pause_steps(text: &str) -> Option<PauseSteps> {
    let mut steps = PauseSteps::default();
    for line in text.lines() {
        let (name, value) = line.split_once(' ')?;
        let value = value.trim().parse().ok()?;
        match name {
            "drain" => steps.drain = value,
            "export" => steps.export = value,
            "import" => steps.import = value,
            "wake" => steps.wake = value,
            _ => {}
        }
    }
    Some(steps)
}

/// The id that a mount point, a device or an id means.
fn find(host: &Host, name: &str, entries: &[Entry]) -> Result<String> {
    let known = ids(host)?;
    if known.iter().any(|id| id == name) {
        return Ok(name.to_owned());
    }
    let path = fs::canonicalize(name).unwrap_or_else(|_| PathBuf::from(name));
    let device = device_number(&path);
    // Of several mounts on one point the last is the one that is seen.
    let entry = entries.iter().rev().find(|entry| {
        Path::new(&entry.point) == path
            || Path::new(&entry.source) == path
            || device.as_ref() == Some(&entry.dev)
    });
    let entry = entry.ok_or_else(|| unknown(host, name))?;
    for id in known {
        let dev = read_if_there(&host.bentofs().join(&id).join("dev"))?;
        if serves(entry, &id, dev.as_deref()) {
            return Ok(id);
        }
    }
    let text = format!("{name} is mounted, but not with a Bento file system");
    Err(Failure::new(Kind::NotFound, text))
}

fn device_number(path: &Path) -> Option<String> {
    let meta = fs::metadata(path).ok()?;
    let (major, minor) = (
        rustix::fs::major(meta.rdev()),
        rustix::fs::minor(meta.rdev()),
    );
    meta.file_type()
        .is_block_device()
        .then(|| format!("{major}:{minor}"))
}

fn unknown(host: &Host, name: &str) -> Failure {
    let ids = ids(host).unwrap_or_default();
    let there = match ids.as_slice() {
        [] => "nothing is mounted with Bento".to_owned(),
        ids => format!("there are {}", ids.join(", ")),
    };
    let text = format!("{name}: no mount point, device or id of a Bento mount; {there}");
    Failure::new(Kind::NotFound, text)
}
