// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `bentoctl load`: makes a build known to bentofs.

use crate::builds::{self, Build};
use crate::failure::{Failure, Kind, Result};
use crate::host::{Host, read_number};
use crate::kmod;
use crate::module_file::ModuleFile;
use crate::output::Output;
use clap::Parser;
use serde::Serialize;
use std::path::Path;

/// Loads a build of a file system
///
/// The build is registered and serves no mount yet; `bentoctl upgrade` moves mounts to it. It is
/// looked at first: a file that is no Bento module, or was built for another kernel or another
/// bentofs, is refused with the reason. Loads bentofs where need be. To load what is loaded
/// already is no error.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Name of an installed module, or a .ko file (.ko.xz, .ko.zst, .ko.gz)
    #[arg(value_name = "MODULE|FILE")]
    module: String,
    /// Register only (this is the default; --no-hold is the other way)
    #[arg(long, overrides_with = "no_hold")]
    hold: bool,
    /// Upgrade all mounts of its type at once, as a plain insmod does
    #[arg(long)]
    no_hold: bool,
}

#[derive(Serialize)]
struct Report {
    build: Build,
    /// It was there before.
    already: bool,
}

pub(crate) fn run(args: &Args, host: &Host, out: &Output) -> Result {
    let (build, already) = build(host, &args.module, !args.no_hold || args.hold)?;
    let report = Report { build, already };
    out.print(&report, || {
        let Build {
            fs,
            version,
            module,
            ..
        } = &report.build;
        if report.already {
            format!("{fs} {version} was loaded already: {module}\n")
        } else {
            format!("loaded {fs} {version}: {module}\n")
        }
    })
}

/// The build that `name` means, loaded where it was not: the second value tells that it was.
pub(crate) fn build(host: &Host, name: &str, hold: bool) -> Result<(Build, bool)> {
    if !kmod::is_file(name) {
        if host.bentofs().is_dir()
            && let Some(build) = builds::find(&builds::all(host)?, name)?
        {
            return Ok((build.clone(), true));
        }
        let file = kmod::installed(name)?;
        return load_file(host, &file, hold);
    }
    load_file(host, Path::new(name), hold)
}

fn load_file(host: &Host, path: &Path, hold: bool) -> Result<(Build, bool)> {
    let module = ModuleFile::read(path)?;
    check(host, &module)?;
    let already = is_loaded(host, &module)?;
    if !already {
        kmod::load(host, &module, hold)?;
    }
    let builds = builds::all(host)?;
    let build = builds.into_iter().find(|build| build.module == module.name);
    let build = build.ok_or_else(|| {
        let text = format!(
            "{}: {} is loaded but offers no file system; dmesg says why",
            path.display(),
            module.name
        );
        Failure::new(Kind::Failed, text)
    })?;
    Ok((build, already))
}

/// Whether the kernel that runs can take the module.
fn check(host: &Host, module: &ModuleFile) -> Result {
    let refuse = |text: String| {
        let text = format!("{}: {text}", module.path.display());
        Err(Failure::new(Kind::Refused, text))
    };
    let running = host.release()?;
    if module.release != running {
        return refuse(format!(
            "built for kernel {}, but {running} runs; build it for this kernel",
            module.release
        ));
    }
    kmod::load_bentofs(host)?;
    let abi = read_number(&host.bentofs().join("abi"))?;
    if abi != Some(u64::from(module.abi)) {
        return refuse(format!(
            "built for bentofs ABI {}, but the loaded bentofs has ABI {}; build both from one tree",
            module.abi,
            abi.map_or_else(|| "unknown".to_owned(), |abi| abi.to_string())
        ));
    }
    Ok(())
}

fn is_loaded(host: &Host, module: &ModuleFile) -> Result<bool> {
    let Some(srcversion) = kmod::loaded(host, &module.name)? else {
        return Ok(false);
    };
    if srcversion == module.srcversion {
        return Ok(true);
    }
    let text = format!(
        "{}: another module is loaded under the name {}; build this one with another version, \
         or unload that one first",
        module.path.display(),
        module.name
    );
    Err(Failure::new(Kind::Busy, text))
}
