// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a `.ko` file says of itself, looked at before the kernel is asked to load it.
//!
//! A kernel module is a relocatable ELF file; its section `.modinfo` holds `key=value` texts that
//! end in NUL (`include/linux/moduleparam.h`). A Bento file system has besides the table
//! `bento_rust_ops`, whose first three fields never move (`bento_abi.h`): magic, ABI, size.

use crate::failure::{Failure, Kind, Result};
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSection, ObjectSymbol};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `BENTO_ABI_MAGIC` of `bento_abi.h`.
const ABI_MAGIC: u64 = 0x4f_544e_4542;
/// The symbol of the table of operations.
const OPS: &str = "bento_rust_ops";

/// A module of a Bento file system.
#[derive(Clone, Debug)]
pub(crate) struct ModuleFile {
    pub(crate) path: PathBuf,
    /// What a compressed file holds.
    pub(crate) unpacked: Option<Vec<u8>>,
    /// The name that the kernel will give it.
    pub(crate) name: String,
    /// Checksum of its C sources.
    pub(crate) srcversion: Option<String>,
    /// Kernel release that it was built for.
    pub(crate) release: String,
    /// ABI of the bentofs that it was built for.
    pub(crate) abi: u32,
}

impl ModuleFile {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let image = fs::read(path).map_err(|error| Failure::io(path.display(), &error))?;
        let Some(program) = unpacker(path) else {
            return Self::parse(path, &image);
        };
        let image = unpack(path, program)?;
        let mut module = Self::parse(path, &image)?;
        module.unpacked = Some(image);
        Ok(module)
    }

    fn parse(path: &Path, image: &[u8]) -> Result<Self> {
        let refuse =
            |what: &str| Failure::new(Kind::Refused, format!("{}: {what}", path.display()));
        let elf = ElfFile64::<Endianness>::parse(image)
            .map_err(|_| refuse("not a kernel module: no ELF file of 64 bits"))?;
        let info = elf.section_by_name(".modinfo");
        let info = info.and_then(|section| section.data().ok());
        let info = info.ok_or_else(|| refuse("not a kernel module: it has no .modinfo"))?;
        let stranger = || refuse("a kernel module, but not a Bento file system");
        let abi = abi(&elf).ok_or_else(stranger)?;
        let field = |key: &'static str| {
            let value = values(info, key).next();
            value.ok_or_else(|| refuse(&format!("its .modinfo has no {key}")))
        };
        let release = field("vermagic")?.split(' ').next().unwrap_or_default();
        let srcversion = values(info, "srcversion").next();
        Ok(Self {
            path: path.to_owned(),
            unpacked: None,
            name: field("name")?.to_owned(),
            srcversion: srcversion.map(str::to_owned),
            release: release.to_owned(),
            abi,
        })
    }
}

/// All values of a key of `.modinfo`.
fn values<'a>(info: &'a [u8], key: &'a str) -> impl Iterator<Item = &'a str> {
    let texts = info.split(|byte| *byte == 0);
    texts.filter_map(move |text| {
        let text = core::str::from_utf8(text).ok()?;
        text.strip_prefix(key)?.strip_prefix('=')
    })
}

/// The ABI version in the table of operations; `None` where there is no such table.
fn abi(elf: &ElfFile64<'_, Endianness>) -> Option<u32> {
    let symbol = elf.symbols().find(|symbol| symbol.name() == Ok(OPS))?;
    let section = elf.section_by_index(symbol.section_index()?).ok()?;
    let start = usize::try_from(symbol.address()).ok()?;
    let table = section.data().ok()?.get(start..)?;
    let (magic, rest) = table.split_first_chunk::<8>()?;
    let (abi, _) = rest.split_first_chunk::<4>()?;
    (u64::from_le_bytes(*magic) == ABI_MAGIC).then(|| u32::from_le_bytes(*abi))
}

/// The program that unpacks a file of this name; those that kmod(8) knows.
fn unpacker(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()? {
        "xz" => Some("xz"),
        "zst" => Some("zstd"),
        "gz" => Some("gzip"),
        _ => None,
    }
}

fn unpack(path: &Path, program: &str) -> Result<Vec<u8>> {
    let what = format!("{}: `{program}`, which unpacks it", path.display());
    let mut command = Command::new(program);
    let output = command.arg("-dc").arg("--").arg(path).output();
    let output = output.map_err(|error| Failure::io(&what, &error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let text = format!("{what}, failed: {}", said.trim());
        return Err(Failure::new(Kind::Failed, text));
    }
    Ok(output.stdout)
}
