// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Trees of files: copied, listed, compared by sha256.
//!
//! A manifest has one line per entry, sorted by path, so that two trees are the same exactly if
//! their manifests are the same text:
//!
//! ```text
//! d 755 path
//! f 644 SIZE SHA256 path
//! l path -> target
//! ```

use anyhow::{Context, bail, ensure};
use core::fmt::Write as _;
use sha2::{Digest, Sha256};
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Copy SOURCE to TARGET, which must not exist, then compare
    Copy { source: PathBuf, target: PathBuf },
    /// Print the manifest of DIR
    Manifest {
        dir: PathBuf,
        /// Leave out top-level entries of this name
        #[arg(long)]
        exclude: Vec<String>,
    },
    /// Compare DIR with a manifest
    Verify {
        manifest: PathBuf,
        dir: PathBuf,
        /// Leave out top-level entries of this name
        #[arg(long)]
        exclude: Vec<String>,
    },
    /// Compare two trees
    Compare {
        left: PathBuf,
        right: PathBuf,
        /// Leave out top-level entries of this name
        #[arg(long)]
        exclude: Vec<String>,
    },
}

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Copy { source, target } => {
            copy(&source, &target)?;
            same(&manifest(&source, &[])?, &manifest(&target, &[])?)
        }
        Command::Manifest { dir, exclude } => {
            print!("{}", manifest(&dir, &exclude)?);
            Ok(())
        }
        Command::Verify {
            manifest: file,
            dir,
            exclude,
        } => {
            let expected = fs::read_to_string(&file)
                .with_context(|| format!("cannot read the manifest {}", file.display()))?;
            same(&expected, &manifest(&dir, &exclude)?)
        }
        Command::Compare {
            left,
            right,
            exclude,
        } => same(&manifest(&left, &exclude)?, &manifest(&right, &exclude)?),
    }
}

/// Compares two manifests, says how much was compared, names the first differences.
fn same(expected: &str, got: &str) -> anyhow::Result<()> {
    ensure!(!expected.is_empty(), "the tree to compare with is empty");
    if expected == got {
        let files = got.lines().filter(|line| line.starts_with("f ")).count();
        let entries = got.lines().count();
        println!("tree: {files} files of {entries} entries are the same by sha256");
        return Ok(());
    }
    let mut text = String::new();
    let missing = expected
        .lines()
        .filter(|line| !got.lines().any(|l| l == *line));
    for line in missing.take(5) {
        writeln!(text, "  expected {line}")?;
    }
    let extra = got
        .lines()
        .filter(|line| !expected.lines().any(|l| l == *line));
    for line in extra.take(5) {
        writeln!(text, "  found    {line}")?;
    }
    bail!("the trees differ:\n{text}")
}

/// The entries of `dir`, sorted by the bytes of their names.
fn entries(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let list = || -> std::io::Result<Vec<PathBuf>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
    };
    let mut paths = list().with_context(|| format!("cannot list {}", dir.display()))?;
    paths.sort();
    Ok(paths)
}

fn manifest(root: &Path, exclude: &[String]) -> anyhow::Result<String> {
    let mut out = String::new();
    for path in entries(root)? {
        let excluded = |name: &String| path.file_name() == Some(name.as_ref());
        if !exclude.iter().any(excluded) {
            describe(root, &path, &mut out)
                .with_context(|| format!("cannot describe {}", path.display()))?;
        }
    }
    Ok(out)
}

fn describe(root: &Path, path: &Path, out: &mut String) -> anyhow::Result<()> {
    let meta = fs::symlink_metadata(path)?;
    let name = path
        .strip_prefix(root)?
        .as_os_str()
        .as_bytes()
        .escape_ascii();
    let mode = meta.permissions().mode() & 0o7777;
    let kind = meta.file_type();
    if kind.is_dir() {
        writeln!(out, "d {mode:o} {name}")?;
        for entry in entries(path)? {
            describe(root, &entry, out)?;
        }
    } else if kind.is_symlink() {
        let target = fs::read_link(path)?;
        writeln!(
            out,
            "l {name} -> {}",
            target.as_os_str().as_bytes().escape_ascii()
        )?;
    } else if kind.is_file() {
        let digest = digest(path, &meta)?;
        writeln!(out, "f {mode:o} {} {digest} {name}", meta.len())?;
    } else {
        // A FIFO, a socket or a device: its type is in the upper bits of the mode.
        writeln!(out, "n {:o} {:x} {name}", meta.mode(), meta.rdev())?;
    }
    Ok(())
}

/// The sha256 of a file in hexadecimal digits.
fn digest(path: &Path, meta: &Metadata) -> anyhow::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buf = vec![0; 128 * 1024];
    let mut len = 0;
    loop {
        let n = file.read(&mut buf)?;
        if n == 0 {
            break;
        }
        hash.update(&buf[..n]);
        len += n as u64;
    }
    ensure!(
        len == meta.len(),
        "read {len} bytes, but stat says {}",
        meta.len()
    );
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

fn copy(source: &Path, target: &Path) -> anyhow::Result<()> {
    let meta = fs::symlink_metadata(source)
        .with_context(|| format!("cannot read {}", source.display()))?;
    let kind = meta.file_type();
    let done = if kind.is_dir() {
        fs::create_dir(target)
    } else if kind.is_symlink() {
        fs::read_link(source).and_then(|to| symlink(to, target))
    } else {
        fs::copy(source, target).map(drop)
    };
    done.with_context(|| format!("cannot make {}", target.display()))?;
    if kind.is_dir() {
        for path in entries(source)? {
            let name = path.file_name().context("an entry without a name")?;
            copy(&path, &target.join(name))?;
        }
    }
    if !kind.is_symlink() {
        // Last: a directory without write permission could not be filled.
        fs::set_permissions(target, meta.permissions())?;
    }
    Ok(())
}
