// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The log as text. (The format is described in `../../../journal/FORMAT.md`.)

use super::{Dump, good};
use anyhow::Result;
use bento::crc32c;
use std::io::Write;

/// The header's magic, and that of the record of a transaction.
const HEADER: &[u8] = b"BLog";
const RECORD: &[u8] = b"BLogTxn2";

fn number(bytes: &[u8], at: usize) -> u64 {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
    field.map_or(0, |field| u64::from_le_bytes(*field))
}

fn small(bytes: &[u8], at: usize) -> u32 {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    field.map_or(0, |field| u32::from_le_bytes(*field))
}

pub(super) fn show(dump: &Dump, out: &mut impl Write) -> Result<()> {
    let (start, blocks) = dump.sup()?.geometry.log();
    let bytes = dump.block(start.0)?;
    let valid = crc32c(0, bytes.get(..60).unwrap_or_default()) == small(&bytes, 60);
    let version = small(&bytes, 4);
    writeln!(out, "log, {blocks} blocks from block {start} on")?;
    if !bytes.starts_with(HEADER) {
        writeln!(out, "  NO HEADER")?;
        return Ok(());
    }
    writeln!(out, "  version    {version}")?;
    writeln!(out, "  sequence   {}", number(&bytes, 8))?;
    writeln!(
        out,
        "  checksum   {:#010x} ({})",
        small(&bytes, 60),
        good(valid)
    )?;
    if version == 1 {
        let count = number(&bytes, 32);
        writeln!(out, "  blocks     {count} to replay")?;
        return show_targets(&dump.block(start.0 + 1)?, 0, count.min(512), out);
    }
    writeln!(out, "  position   {}", number(&bytes, 32))?;
    show_records(dump, out)
}

/// All that looks like a transaction, replayed or not, in the order of the places.
fn show_records(dump: &Dump, out: &mut impl Write) -> Result<()> {
    let (start, blocks) = dump.sup()?.geometry.log();
    for place in 1..blocks {
        let bytes = dump.block(start.0 + place)?;
        if !bytes.starts_with(RECORD) {
            continue;
        }
        let (count, revoked) = (u64::from(small(&bytes, 24)), small(&bytes, 28));
        writeln!(
            out,
            "transaction {} at place {place}: {count} blocks, {revoked} revoked",
            number(&bytes, 16)
        )?;
        show_targets(&bytes, 64, count.min(504), out)?;
    }
    Ok(())
}

/// Block numbers, as many as the first block of the record holds.
fn show_targets(bytes: &[u8], at: usize, count: u64, out: &mut impl Write) -> Result<()> {
    let fields = bytes.get(at..).unwrap_or_default().chunks(8);
    for field in fields.take(usize::try_from(count).unwrap_or(0)) {
        // Bit 63 says that the contents were changed so that they do not look like a record.
        writeln!(out, "  block      {}", number(field, 0) & !(1 << 63))?;
    }
    Ok(())
}
