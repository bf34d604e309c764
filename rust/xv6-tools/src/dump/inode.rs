// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Inodes and directories as text.

use super::{Dump, good};
use anyhow::{Context, Result};
use bento::FileKind;
use std::io::Write;
use xv6::inode::Ino;
use xv6::layout::{self, RawDirent, RawExtent, RawInode, RawNode};
use zerocopy::FromBytes;

/// Blocks of an extent tree that are followed at most: a damaged tree may be a circle.
const MOST_NODES: usize = 1 << 20;

fn find(dump: &Dump, number: u64) -> Result<(Ino, RawInode, bool)> {
    let sup = dump.sup()?;
    let last = sup.geometry.inodes() - 1;
    let ino = sup.geometry.ino(number);
    let ino = ino.with_context(|| format!("no inode {number}: there are inodes 1 to {last}"))?;
    let (block, offset) = sup.geometry.inode_place(ino);
    let raw = dump.get(block.0, offset)?;
    Ok((ino, raw, sup.sums().inode_is_valid(ino, &raw)))
}

fn kind_of(raw: &RawInode) -> Option<FileKind> {
    FileKind::from_mode(raw.mode.get())
}

pub(super) fn show(dump: &Dump, number: u64, out: &mut impl Write) -> Result<()> {
    let (ino, raw, valid) = find(dump, number)?;
    let (block, offset) = dump.sup()?.geometry.inode_place(ino);
    writeln!(out, "inode {ino}, at byte {offset} of block {block}")?;
    let kind = match kind_of(&raw) {
        _ if raw.mode.get() == 0 => "free".into(),
        Some(kind) => format!("{kind:?}"),
        None => "UNKNOWN".into(),
    };
    writeln!(out, "  mode        {:06o} ({kind})", raw.mode)?;
    writeln!(out, "  owner       {}:{}", raw.uid, raw.gid)?;
    writeln!(out, "  links       {}", raw.nlink)?;
    writeln!(out, "  size        {}", raw.size)?;
    writeln!(out, "  blocks      {}", raw.blocks)?;
    for (name, sec, nsec) in [
        ("accessed", raw.atime, raw.atime_ns),
        ("modified", raw.mtime, raw.mtime_ns),
        ("changed", raw.ctime, raw.ctime_ns),
        ("born", raw.btime, raw.btime_ns),
    ] {
        writeln!(out, "  {name:<11} {sec}.{:09}", nsec.get())?;
    }
    writeln!(out, "  generation  {}", raw.generation)?;
    writeln!(out, "  flags       {:#x}", raw.flags)?;
    writeln!(out, "  attributes  {:#x}", raw.attributes)?;
    writeln!(out, "  device      {:#x}", raw.rdev)?;
    writeln!(out, "  parent      {}", raw.parent)?;
    writeln!(out, "  xattr block {}", raw.xattr)?;
    writeln!(out, "  index       {}", raw.index)?;
    writeln!(
        out,
        "  checksum    {:#010x} ({})",
        raw.checksum,
        good(valid)
    )?;
    show_area(dump, ino, &raw, out)
}

/// The target of a short symbolic link, or the extents.
fn show_area(dump: &Dump, ino: Ino, raw: &RawInode, out: &mut impl Write) -> Result<()> {
    let size = usize::try_from(raw.size.get()).unwrap_or(usize::MAX);
    if kind_of(raw) == Some(FileKind::Symlink)
        && let Some(target) = raw.area.get(..size)
    {
        writeln!(out, "  target      {}", target.escape_ascii())?;
        return Ok(());
    }
    writeln!(
        out,
        "  extents     {} in the root, {} levels",
        raw.extents, raw.depth
    )?;
    for run in extents(dump, ino, raw, out)? {
        let unwritten = run.len.get() & layout::UNWRITTEN != 0;
        writeln!(
            out,
            "    {:>10} +{:<8} at block {}{}",
            run.first.get(),
            run.len.get() & !layout::UNWRITTEN,
            run.block,
            if unwritten { ", unwritten" } else { "" }
        )?;
    }
    Ok(())
}

/// All runs of an inode; says which extent blocks cannot be read.
fn extents(dump: &Dump, ino: Ino, raw: &RawInode, out: &mut impl Write) -> Result<Vec<RawExtent>> {
    let root = <[RawExtent]>::ref_from_bytes(&raw.area).unwrap_or_default();
    let used = root.iter().take(raw.extents.get().into());
    // The next entry to look at is the last of the list.
    let mut todo: Vec<(RawExtent, u16)> = used.rev().map(|e| (*e, raw.depth.get())).collect();
    let mut runs = Vec::new();
    let mut nodes = 0;
    while let Some((entry, depth)) = todo.pop() {
        let Some(below) = depth.checked_sub(1) else {
            runs.push(entry);
            continue;
        };
        let block = entry.block.get();
        nodes += 1;
        let bytes = dump.block(block);
        let node = bytes
            .as_ref()
            .ok()
            .and_then(|bytes| layout::get::<RawNode>(bytes, 0));
        let node = node.filter(|node| {
            let whole = node.magic == layout::NODE_MAGIC && node.depth.get() == below;
            whole && node.owner.get() == u32::try_from(ino.number().0).unwrap_or(0)
        });
        let (Some(node), Ok(bytes)) = (node.filter(|_| nodes < MOST_NODES), bytes) else {
            writeln!(
                out,
                "    block {block} is no extent block of this inode at level {below}"
            )?;
            continue;
        };
        let entries = <[RawExtent]>::ref_from_bytes(layout::payload(&bytes)).unwrap_or_default();
        let used = entries.iter().take(node.count.get().into());
        todo.extend(used.rev().map(|entry| (*entry, below)));
    }
    Ok(runs)
}

pub(super) fn show_entries(dump: &Dump, number: u64, out: &mut impl Write) -> Result<()> {
    let (ino, raw, _) = find(dump, number)?;
    if kind_of(&raw) != Some(FileKind::Directory) {
        anyhow::bail!("inode {ino} is no directory");
    }
    writeln!(out, "{:>12} {:>10}  kind          name", "cookie", "inode")?;
    let runs = extents(dump, ino, &raw, out)?;
    for run in runs {
        let len = u64::from(run.len.get() & !layout::UNWRITTEN);
        for (block, at) in (run.block.get()..)
            .zip(u64::from(run.first.get())..)
            .take(usize::try_from(len).unwrap_or(usize::MAX))
        {
            show_entry_block(
                &dump.block(block)?,
                block,
                at * u64::from(layout::BLOCK_SIZE),
                out,
            )?;
        }
    }
    Ok(())
}

fn show_entry_block(bytes: &[u8], block: u64, start: u64, out: &mut impl Write) -> Result<()> {
    let mut at = layout::DIR_START;
    while let Some(entry) = layout::get::<RawDirent>(bytes, at) {
        let next = at
            .checked_add(entry.rec_len.get())
            .filter(|next| *next > at);
        let name = bytes
            .get(usize::from(at + layout::DIRENT_HEAD)..)
            .unwrap_or_default();
        let name = name.get(..entry.name_len.into()).unwrap_or_default();
        if entry.ino.get() != 0 {
            let kind = FileKind::from_mode(u32::from(entry.kind) << 12);
            let kind = kind.map_or_else(|| "UNKNOWN".into(), |kind| format!("{kind:?}"));
            let cookie = start + u64::from(at) + 2;
            let name = name.escape_ascii();
            writeln!(
                out,
                "{cookie:>12} {:>10}  {kind:<12}  {name}",
                entry.ino.get()
            )?;
        }
        let Some(next) = next.filter(|next| *next <= layout::BLOCK_SIZE) else {
            writeln!(out, "block {block}: damaged from byte {at} on")?;
            return Ok(());
        };
        at = next;
    }
    Ok(())
}
