// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `bentoctl unload`: takes builds that no mount uses out of memory.

use crate::builds::{self, Build, module_name};
use crate::failure::{Failure, Kind, Result, describe};
use crate::host::Host;
use crate::kmod;
use crate::mounts::{self, Mount};
use crate::output::Output;
use clap::Parser;
use rustix::io::Errno;
use serde::Serialize;

/// Unloads builds of file systems
///
/// A build that serves a mount is refused. Where the build goes that new mounts use, they get the
/// one that was loaded last of those that are left.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Modules or versions; bentofs for bentofs itself
    #[arg(value_name = "MODULE", required_unless_present = "unused")]
    modules: Vec<String>,
    /// All builds that serve no mount, but for those that new mounts use
    #[arg(long, conflicts_with = "modules")]
    unused: bool,
}

#[derive(Serialize)]
struct Report {
    unloaded: Vec<String>,
}

pub(crate) fn run(args: &Args, host: &Host, out: &Output) -> Result {
    let builds = builds::all(host)?;
    let mounts = mounts::all(host)?;
    let mut report = Report {
        unloaded: Vec::new(),
    };
    for name in names(args, &builds, &mounts)? {
        unload(host, &name, &mounts)?;
        report.unloaded.push(name);
    }
    out.print(&report, || match report.unloaded.as_slice() {
        [] => "nothing to unload\n".to_owned(),
        names => format!("unloaded {}\n", names.join(", ")),
    })
}

/// The modules that are meant. Only modules of Bento can be named.
fn names(args: &Args, builds: &[Build], mounts: &[Mount]) -> Result<Vec<String>> {
    if args.unused {
        let idle = |build: &&Build| !build.preferred && users(&build.module, mounts).is_empty();
        let idle = builds.iter().filter(idle);
        return Ok(idle.map(|build| build.module.clone()).collect());
    }
    let mut names = Vec::new();
    for name in &args.modules {
        if module_name(name) == "bentofs" {
            names.push("bentofs".to_owned());
            continue;
        }
        let build = builds::find(builds, name)?.ok_or_else(|| {
            let text = format!("{name}: no build that is loaded; `bentoctl list` shows them");
            Failure::new(Kind::NotFound, text)
        })?;
        names.push(build.module.clone());
    }
    Ok(names)
}

/// The ids of the mounts that a build serves.
fn users<'a>(module: &str, mounts: &'a [Mount]) -> Vec<&'a str> {
    let served = mounts.iter().filter(|mount| mount.build == module);
    served.map(|mount| mount.id.as_str()).collect()
}

fn unload(host: &Host, name: &str, mounts: &[Mount]) -> Result {
    let users = users(name, mounts);
    if !users.is_empty() {
        let text = format!(
            "{name} serves {}: unmount, or upgrade to another build first",
            users.join(", ")
        );
        return Err(Failure::new(Kind::Busy, text));
    }
    let Err(error) = kmod::unload(host, name)? else {
        return Ok(());
    };
    let (kind, why) = match error {
        Errno::PERM => (Kind::Permission, "only root may unload modules".to_owned()),
        // bentofs is used by the modules of file systems, these by inodes that go lazily.
        Errno::BUSY | Errno::AGAIN => (
            Kind::Busy,
            "it is in use; /sys/module/*/holders tells by whom".to_owned(),
        ),
        Errno::NOENT => (Kind::NotFound, "it is not loaded".to_owned()),
        error => (Kind::Failed, describe(&error.into())),
    };
    Err(Failure::new(
        kind,
        format!("{name} was not unloaded: {why}"),
    ))
}
