// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One process: picks operations and counts them.

use super::model::{Body, Key, Model, Name, ROOT};
use crate::falloc::Mode;
use crate::rng::Rng;
use anyhow::Context;
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::path::PathBuf;

/// Nothing is made in directories with longer paths.
const LONG_PATH: usize = 1500;
/// More names than this are not made; then they are removed.
const MAX_NAMES: usize = 120;

/// An operation, by the name that fsstress has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Chmod,
    Chown,
    Creat,
    Dread,
    Dwrite,
    Falloc(Mode),
    Fdatasync,
    Fsync,
    Getattr,
    Getdents,
    Link,
    Mkdir,
    Mknod,
    Mread,
    Mwrite,
    Read,
    Readlink,
    Rename,
    Rexchange,
    Rmdir,
    Rnoreplace,
    Seek,
    Setxattr,
    Getxattr,
    Removexattr,
    Stat,
    Symlink,
    Sync,
    Truncate,
    Unlink,
    Write,
}

/// How often each is chosen, as parts of their sum.
const WEIGHTS: [(Operation, u64); 37] = [
    (Operation::Chmod, 2),
    (Operation::Chown, 3),
    (Operation::Creat, 10),
    (Operation::Dread, 4),
    (Operation::Dwrite, 4),
    (Operation::Falloc(Mode::Allocate), 2),
    (Operation::Falloc(Mode::Reserve), 2),
    (Operation::Falloc(Mode::Punch), 2),
    (Operation::Falloc(Mode::Zero), 2),
    (Operation::Falloc(Mode::ZeroKeep), 2),
    (Operation::Falloc(Mode::Collapse), 2),
    (Operation::Falloc(Mode::Insert), 2),
    (Operation::Fdatasync, 1),
    (Operation::Fsync, 1),
    (Operation::Getattr, 2),
    (Operation::Getdents, 3),
    (Operation::Link, 4),
    (Operation::Mkdir, 5),
    (Operation::Mknod, 3),
    (Operation::Mread, 4),
    (Operation::Mwrite, 4),
    (Operation::Read, 5),
    (Operation::Readlink, 1),
    (Operation::Rename, 6),
    (Operation::Rexchange, 2),
    (Operation::Rmdir, 2),
    (Operation::Rnoreplace, 2),
    (Operation::Seek, 2),
    (Operation::Setxattr, 4),
    (Operation::Getxattr, 2),
    (Operation::Removexattr, 2),
    (Operation::Stat, 4),
    (Operation::Symlink, 3),
    (Operation::Truncate, 4),
    (Operation::Unlink, 5),
    (Operation::Write, 10),
    (Operation::Sync, 1),
];

/// What a process has done.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) missing: BTreeSet<String>,
    pub(super) names: usize,
}

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) model: Model,
    pub(super) rng: Rng,
    pub(super) root: bool,
    /// In the stamps of what is written.
    pub(super) number: u16,
    pub(super) counter: u64,
    counts: BTreeMap<String, u64>,
    missing: BTreeSet<String>,
    history: VecDeque<String>,
}

impl Worker {
    pub(super) fn new(dir: PathBuf, number: u16, seed: u64) -> anyhow::Result<Self> {
        let context = || format!("{}", dir.display());
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(context);
            }
            _ => fs::create_dir(&dir).with_context(context)?,
        }
        rustix::fs::chmod(&dir, 0o755.into()).with_context(context)?;
        let user = rustix::process::geteuid();
        let owner = (user.as_raw(), rustix::process::getegid().as_raw());
        Ok(Self {
            model: Model::new(dir, owner),
            rng: Rng::new(seed),
            root: user.is_root(),
            number,
            counter: 0,
            counts: BTreeMap::new(),
            missing: BTreeSet::new(),
            history: VecDeque::new(),
        })
    }

    /// Does so many operations, then compares the whole tree.
    pub(super) fn all(mut self, operations: u32) -> anyhow::Result<Outcome> {
        for number in 0..operations {
            self.step().with_context(|| self.story(number))?;
        }
        self.verify_all()
            .with_context(|| self.story(operations))
            .context("at the end")?;
        Ok(Outcome {
            counts: self.counts,
            missing: self.missing,
            names: self.model.names.len(),
        })
    }

    fn story(&self, number: u32) -> String {
        let steps: Vec<String> = self.history.iter().cloned().collect();
        format!(
            "process {}, operation {number}, the last ones:\n  {}\n",
            self.number,
            steps.join("\n  ")
        )
    }

    fn step(&mut self) -> anyhow::Result<()> {
        let mut operation = self.pick();
        let makes = matches!(
            operation,
            Operation::Creat
                | Operation::Link
                | Operation::Mkdir
                | Operation::Mknod
                | Operation::Symlink
        );
        if makes && self.model.names.len() >= MAX_NAMES {
            operation = Operation::Unlink;
        }
        if self.missing.contains(&format!("{operation:?}")) {
            return Ok(());
        }
        match self.perform(operation) {
            Err(error) if unsupported(&error) => {
                self.missing.insert(format!("{operation:?}"));
                Ok(())
            }
            result => result.with_context(|| format!("{operation:?}")),
        }
    }

    fn pick(&mut self) -> Operation {
        let sum = WEIGHTS.iter().map(|(_, weight)| weight).sum();
        let mut at = self.rng.below(sum);
        for (operation, weight) in WEIGHTS {
            if at < weight {
                return operation;
            }
            at -= weight;
        }
        Operation::Stat
    }

    fn perform(&mut self, operation: Operation) -> anyhow::Result<()> {
        match operation {
            Operation::Creat => self.creat(),
            Operation::Mkdir => self.mkdir(),
            Operation::Mknod => self.mknod(),
            Operation::Symlink => self.symlink(),
            Operation::Link => self.link(),
            Operation::Unlink => self.unlink(),
            Operation::Rmdir => self.rmdir(),
            Operation::Rename => self.rename(),
            Operation::Rnoreplace => self.rename_noreplace(),
            Operation::Rexchange => self.rename_exchange(),
            Operation::Write | Operation::Dwrite => self.write(operation == Operation::Dwrite),
            Operation::Read | Operation::Dread => self.read(operation == Operation::Dread),
            Operation::Mread | Operation::Mwrite => self.mapped(operation == Operation::Mwrite),
            Operation::Truncate => self.truncate(),
            Operation::Falloc(mode) => self.fallocate(mode),
            Operation::Seek => self.seek(),
            Operation::Fsync | Operation::Fdatasync => self.fsync(operation == Operation::Fsync),
            Operation::Sync => {
                self.note("sync");
                rustix::fs::sync();
                Ok(())
            }
            Operation::Stat | Operation::Getattr => self.stat(),
            Operation::Getdents => self.list(),
            Operation::Readlink => self.readlink(),
            Operation::Chmod => self.chmod(),
            Operation::Chown => self.chown(),
            Operation::Setxattr => self.set_xattr(),
            Operation::Getxattr => self.get_xattr(),
            Operation::Removexattr => self.remove_xattr(),
        }
    }

    /// Counts an operation that is about to be done. What comes first in `text` is its name.
    pub(super) fn note(&mut self, text: &str) {
        let name = text.split(' ').next().unwrap_or_default().to_owned();
        *self.counts.entry(name).or_default() += 1;
        self.history.push_back(text.to_owned());
        if self.history.len() > 24 {
            self.history.pop_front();
        }
    }

    /// A random name of something that `wanted` accepts, by its place in the model.
    pub(super) fn some(&mut self, wanted: impl Fn(&Body) -> bool) -> Option<usize> {
        let found: Vec<usize> = (0..self.model.names.len())
            .filter(|&at| wanted(&self.model.inode(self.model.names[at].inode).body))
            .collect();
        (!found.is_empty()).then(|| found[self.rng.index(found.len())])
    }

    /// A random regular file: its inode and one of its paths.
    pub(super) fn some_file(&mut self) -> Option<(Key, PathBuf)> {
        let at = self.some(|body| matches!(body, Body::File(_)))?;
        Some(self.at(at))
    }

    /// The inode and the path of a name of the model.
    pub(super) fn at(&self, at: usize) -> (Key, PathBuf) {
        let name = &self.model.names[at];
        (name.inode, self.model.path(name))
    }

    /// A random directory, the topmost one included.
    pub(super) fn some_dir(&mut self) -> Key {
        if self.rng.one_in(3) {
            return ROOT;
        }
        self.some(|body| matches!(body, Body::Dir))
            .map_or(ROOT, |at| self.model.names[at].inode)
    }

    /// A name that no entry has, of many lengths, the longest of 255 bytes among them.
    pub(super) fn fresh(&mut self, kind: char) -> Name {
        self.counter += 1;
        let pad = match self.rng.below(16) {
            0 => 255,
            1 => 100,
            n => n as usize,
        };
        let mut name = format!("{kind}{}-{}", self.counter, "x".repeat(pad));
        name.truncate(255);
        let dir = self.some_dir();
        let long = self.model.dir_path(dir).as_os_str().len() > LONG_PATH;
        Name {
            parent: if long { ROOT } else { dir },
            name,
            inode: ROOT,
        }
    }
}

/// Whether the file system, or its kernel, says that it does not have this operation.
fn unsupported(error: &anyhow::Error) -> bool {
    let number = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error())
        .or_else(|| {
            error
                .chain()
                .find_map(|cause| Some(cause.downcast_ref::<Errno>()?.raw_os_error()))
        });
    // (EOPNOTSUPP and ENOTSUP are one number on Linux.)
    number.is_some_and(|number| {
        [Errno::OPNOTSUPP, Errno::NOSYS].contains(&Errno::from_raw_os_error(number))
    })
}
