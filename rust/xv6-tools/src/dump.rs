// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `dump.xv6`: shows what lies on a device, byte by byte where need be, and believes none of it.

mod inode;
mod log;
mod superblock;

use crate::logger;
use anyhow::{Context, Result, bail};
use bento::{BlockBuf, BlockDevice, BlockNo};
use bento_fuse::{Access, FileDisk};
use clap::{Parser, ValueEnum};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use xv6::layout::{self, Bytes, RawHead, RawSuper};
use xv6::superblock::Super;

/// The exit code after wrong arguments.
pub(crate) const USAGE_EXIT: u8 = 2;

/// Shows the structures of an xv6 file system as text
///
/// Nothing is written, and the log is not replayed: what is shown is what the device holds. See
/// xv6(5) for the format.
#[derive(Debug, Parser)]
#[command(name = "dump.xv6", version)]
pub(crate) struct Args {
    /// Device or image file
    #[arg(value_name = "DEV")]
    device: PathBuf,
    /// What to show
    #[arg(value_enum, default_value_t = What::Super)]
    what: What,
    /// Which inode or block
    #[arg(value_name = "NUMBER", required_if_eq_any([("what", "inode"), ("what", "dir"), ("what", "block")]))]
    number: Option<u64>,
}

/// What to show.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// The superblock and where everything lies
    Super,
    /// The fields and extents of an inode
    Inode,
    /// The entries of a directory, by its inode number
    Dir,
    /// The log of transactions
    Log,
    /// The head of a block and its bytes
    Block,
}

pub(crate) fn main(args: &Args) -> ExitCode {
    logger::start("dump.xv6");
    let mut out = BufWriter::new(std::io::stdout().lock());
    let shown = show(args, &mut out);
    match shown.and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ::log::error!("{}: {error:#}", args.device.display());
            ExitCode::FAILURE
        }
    }
}

fn show(args: &Args, out: &mut impl Write) -> Result<()> {
    let dump = Dump {
        disk: FileDisk::open(&args.device, Access::Read)?,
    };
    let number = args.number.unwrap_or(0);
    match args.what {
        What::Super => superblock::show(&dump, out),
        What::Inode => inode::show(&dump, number, out),
        What::Dir => inode::show_entries(&dump, number, out),
        What::Log => log::show(&dump, out),
        What::Block => show_block(&dump, number, out),
    }
}

/// A device that is looked at.
struct Dump {
    disk: FileDisk,
}

impl Dump {
    fn block(&self, block: u64) -> Result<Vec<u8>> {
        if block >= self.disk.blocks() {
            bail!("block {block} lies behind the end");
        }
        Ok(self.disk.read(BlockNo(block))?.bytes()?.to_vec())
    }

    fn get<T: Bytes>(&self, block: u64, offset: u16) -> Result<T> {
        layout::get(&self.block(block)?, offset).context("outside of the block")
    }

    fn raw_super(&self) -> Result<RawSuper> {
        self.get(layout::SUPER_BLOCK, 0)
    }

    /// The superblock, for what needs to know where things lie.
    fn sup(&self) -> Result<Super> {
        let raw = self.raw_super()?;
        Super::try_from(&raw).map_err(|kind| anyhow::anyhow!("{kind}; only `super` can be shown"))
    }
}

fn good(valid: bool) -> &'static str {
    if valid { "right" } else { "WRONG" }
}

fn show_block(dump: &Dump, block: u64, out: &mut impl Write) -> Result<()> {
    let bytes = dump.block(block)?;
    writeln!(out, "block {block}")?;
    let sup = dump.sup()?;
    if sup.geometry.has_head(BlockNo(block))
        && let Some(head) = layout::get::<RawHead>(&bytes, 0)
    {
        let valid = sup.sums().block_is_valid(BlockNo(block), &bytes);
        let magic = head.magic.get().to_le_bytes();
        writeln!(out, "  magic      {}", magic.escape_ascii())?;
        writeln!(
            out,
            "  checksum   {:#010x} ({})",
            head.checksum,
            good(valid)
        )?;
        writeln!(out, "  owner      {}", head.owner)?;
    }
    let mut skipped = false;
    for (number, line) in bytes.chunks(16).enumerate() {
        // As hexdump(1) does, but for zeros alone.
        if line.iter().all(|byte| *byte == 0) {
            if !skipped {
                writeln!(out, "*")?;
            }
            skipped = true;
            continue;
        }
        skipped = false;
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String = line.iter().map(|byte| printable(*byte)).collect();
        writeln!(out, "{:04x}  {}  {text}", number * 16, hex.join(" "))?;
    }
    Ok(())
}

fn printable(byte: u8) -> char {
    match byte {
        b' '..=b'~' => char::from(byte),
        _ => '.',
    }
}
