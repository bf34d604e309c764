// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `bentoctl list`: the builds that are loaded, and which mounts they serve.

use crate::builds::{self, Build};
use crate::failure::Result;
use crate::host::{Host, read_number};
use crate::mounts;
use crate::output::{Output, table};
use clap::Parser;
use serde::Serialize;

/// Lists the loaded builds of file systems and the mounts that each serves
#[derive(Debug, Parser)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Listing {
    abi: Option<u64>,
    builds: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    build: Build,
    /// Ids of the mounts that it serves.
    mounts: Vec<String>,
}

pub(crate) fn run(_args: &Args, host: &Host, out: &Output) -> Result {
    let mounts = mounts::all(host)?;
    let row = |build: Build| {
        let served = mounts.iter().filter(|mount| mount.build == build.module);
        Row {
            mounts: served.map(|mount| mount.id.clone()).collect(),
            build,
        }
    };
    let listing = Listing {
        abi: read_number(&host.bentofs().join("abi"))?,
        builds: builds::all(host)?.into_iter().map(row).collect(),
    };
    out.print(&listing, || text(&listing))
}

fn text(listing: &Listing) -> String {
    if listing.builds.is_empty() {
        return "no build of a file system is loaded; `bentoctl load` loads one\n".to_owned();
    }
    let head = ["TYPE", "VERSION", "MODULE", "NEW MOUNTS", "STATE", "MOUNTS"];
    let mut rows = vec![head.map(str::to_owned)];
    for Row { build, mounts } in &listing.builds {
        let state = build.state_schema.map(|schemas| {
            format!(
                "{} (reads {}-{})",
                schemas.writes, schemas.reads_min, schemas.reads_max
            )
        });
        rows.push([
            build.fs.clone(),
            build.version.clone(),
            build.module.clone(),
            if build.preferred { "yes" } else { "-" }.to_owned(),
            state.unwrap_or_else(|| "-".to_owned()),
            if mounts.is_empty() {
                "-".to_owned()
            } else {
                mounts.join(", ")
            },
        ]);
    }
    table(&rows)
}
