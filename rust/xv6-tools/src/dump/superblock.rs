// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The superblock as text.

use super::{Dump, good};
use crate::uuid;
use anyhow::Result;
use bento::BlockDevice;
use std::io::Write;
use xv6::checksum::of_super;
use xv6::superblock::Super;

pub(super) fn show(dump: &Dump, out: &mut impl Write) -> Result<()> {
    let raw = dump.raw_super()?;
    let label = raw
        .label
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default();
    writeln!(out, "superblock")?;
    writeln!(out, "  magic           {}", raw.magic.escape_ascii())?;
    writeln!(out, "  version         {}", raw.version)?;
    writeln!(out, "  block size      {}", raw.block_size)?;
    writeln!(out, "  UUID            {}", uuid::format(raw.uuid))?;
    writeln!(out, "  label           {}", label.escape_ascii())?;
    writeln!(out, "  made            {} s since 1970", raw.created)?;
    writeln!(out, "  compat          {:#x}", raw.compat)?;
    writeln!(out, "  ro_compat       {:#x}", raw.ro_compat)?;
    writeln!(out, "  incompat        {:#x}", raw.incompat)?;
    let valid = raw.checksum.get() == of_super(&raw);
    writeln!(
        out,
        "  checksum        {:#010x} ({})",
        raw.checksum,
        good(valid)
    )?;
    writeln!(
        out,
        "  blocks          {} of {}",
        raw.blocks,
        dump.disk.blocks()
    )?;
    writeln!(out, "  inodes          {}", raw.inodes)?;
    writeln!(out, "regions, by their first block")?;
    for (name, first) in [
        ("log", raw.log_start),
        ("inode map", raw.inode_map),
        ("orphan map", raw.orphan_map),
        ("block map", raw.block_map),
        ("inode table", raw.inode_table),
        ("data", raw.data_start),
        ("backup", raw.backup),
    ] {
        writeln!(out, "  {name:<15} {first}")?;
    }
    let backup = dump.get::<xv6::layout::RawSuper>(raw.backup.get(), 0);
    let state = match (Super::try_from(&raw), backup) {
        (Err(kind), _) => kind.to_string(),
        (Ok(_), Ok(backup)) if backup == raw => "in order, and so is its backup".into(),
        (Ok(_), _) => "in order, but its backup is not".into(),
    };
    writeln!(out, "the superblock is: {state}")?;
    Ok(())
}
