// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Oracle`]: what a file system may look like after a crash.
//!
//! A file system with a log forgets its last operations, never one in the middle: what is found
//! after a crash must be the names, sizes, link counts and targets of *one* moment of the past,
//! not older than what `fsync` and `sync` promised. That includes that rename and unlink happened
//! or did not, and the same for extended attributes and flags. File data is not in the log; each
//! byte of a file may be as old as that moment or as new as the crash, but nothing else: never from
//! another file, never what lay in a block before, never at another place than it was written to
//! (as it would be where a `Collapse` or `Insert` is lost, but not what was written after it).

use crate::content::Content;
use crate::host::{Seen, Tree};
use crate::model::{Body, Id, Model, ROOT};
use crate::op::Op;
use bento::FileKind;
use std::collections::BTreeMap;

/// A moment of a workload.
#[derive(Clone, Debug)]
struct Step {
    /// Events on the disk before the operation began, and after it returned.
    events: (usize, usize),
    /// Number of the oldest state that may be found from then on.
    promised: usize,
}

/// All states of a workload, and what was promised when.
#[derive(Clone, Debug)]
pub struct Oracle {
    states: Vec<Model>,
    steps: Vec<Step>,
    /// The state in which an inode was changed last.
    changed: BTreeMap<Id, usize>,
    skipped: usize,
}

impl Oracle {
    /// At the start everything in `start` is durable.
    #[must_use]
    pub fn new(start: Model) -> Self {
        Self {
            states: vec![start],
            steps: Vec::new(),
            changed: BTreeMap::new(),
            skipped: 0,
        }
    }

    /// The state now.
    #[must_use]
    pub fn now(&self) -> &Model {
        self.states.last().expect("there is always a first state")
    }

    /// Adds an operation; `events` are the points in time before and after it. Returns what it
    /// must return.
    ///
    /// # Errors
    /// What the file system must return.
    pub fn apply(&mut self, op: &Op, events: (usize, usize)) -> bento::Result {
        let mut next = self.now().clone();
        let result = next.apply(op);
        let number = self.states.len();
        for id in next.touched() {
            self.changed.insert(*id, number);
        }
        let promise = match op {
            Op::Sync => Some(number),
            Op::Fsync(path) => next
                .find(path)
                .ok()
                .and_then(|id| self.changed.get(&id).copied()),
            _ => None,
        };
        let before = self.steps.last().map_or(0, |s| s.promised);
        let promised = promise.filter(|_| result.is_ok()).unwrap_or(0).max(before);
        self.states.push(next);
        self.steps.push(Step { events, promised });
        result
    }

    /// Adds an operation that failed and changed nothing.
    pub fn skip(&mut self, events: (usize, usize)) {
        let promised = self.steps.last().map_or(0, |s| s.promised);
        self.states.push(self.now().clone());
        self.steps.push(Step { events, promised });
        self.skipped += 1;
    }

    /// How often [`Oracle::skip`] was called.
    #[must_use]
    pub const fn skipped(&self) -> usize {
        self.skipped
    }

    /// Adds an operation that failed halfway: it may be found, but promises nothing.
    pub fn begin(&mut self, op: &Op) {
        let mut next = self.now().clone();
        // What it would return is of no interest: the caller got an error.
        let _ = next.apply(op);
        let promised = self.steps.last().map_or(0, |s| s.promised);
        self.states.push(next);
        self.steps.push(Step {
            events: (0, usize::MAX),
            promised,
        });
    }

    /// Whether `tree` may be found after a crash at `at`; else what is wrong with it.
    ///
    /// # Errors
    /// Why it matches no state: the state that comes closest is explained.
    pub fn judge(&self, tree: &Tree, at: usize) -> Result<(), String> {
        let finished = self.steps.iter().take_while(|s| s.events.1 <= at);
        let oldest = finished.last().map_or(0, |s| s.promised);
        let newest = self.steps.iter().take_while(|s| s.events.0 <= at).count();
        let mut first = None;
        for number in (oldest..=newest).rev() {
            match self.compare(tree, number, newest) {
                Ok(()) => return Ok(()),
                Err(why) => first = first.or(Some(format!("state {number}: {why}"))),
            }
        }
        let why = first.unwrap_or_default();
        Err(format!("no state from {oldest} to {newest} matches; {why}"))
    }

    /// Whether `tree` is exactly the state now.
    ///
    /// # Errors
    /// What differs.
    pub fn judge_now(&self, tree: &Tree) -> Result<(), String> {
        let newest = self.states.len() - 1;
        self.compare(tree, newest, newest)
    }

    fn compare(&self, tree: &Tree, number: usize, newest: usize) -> Result<(), String> {
        let versions = self.states.get(number..=newest).unwrap_or_default();
        let model = versions.first().ok_or("no such state")?;
        let mut inodes = BTreeMap::new();
        let mut seen_names = 0;
        let mut todo = vec![(String::new(), ROOT)];
        while let Some((path, id)) = todo.pop() {
            let seen = tree.get(&path).ok_or(format!("/{path} is missing"))?;
            seen_names += 1;
            let same = *inodes.entry(id).or_insert(seen.attr.ino);
            if same != seen.attr.ino {
                return Err(format!("/{path} is inode {}, not {same}", seen.attr.ino));
            }
            check_inode(model, id, seen).map_err(|why| format!("/{path}: {why}"))?;
            match model.body(id) {
                Some(Body::Directory(names)) => {
                    for (name, child) in names {
                        let below = [path.as_str(), name].join("/");
                        todo.push((below.trim_start_matches('/').into(), *child));
                    }
                }
                Some(Body::File(_)) => {
                    check_data(versions, id, &seen.bytes)
                        .map_err(|why| format!("/{path}: {why}"))?;
                }
                _ => {}
            }
        }
        if seen_names != tree.len() {
            let known = |path: &&String| model.find(path).is_err();
            let extra: Vec<_> = tree.keys().filter(known).collect();
            return Err(format!("there should be no {extra:?}"));
        }
        Ok(())
    }
}

/// Kind, size, link count, target, extended attributes and flags.
fn check_inode(model: &Model, id: Id, seen: &Seen) -> Result<(), String> {
    let (kind, size) = match model.body(id) {
        Some(Body::File(content)) => (FileKind::Regular, Some(content.bytes().len())),
        Some(Body::Symlink(target)) => {
            if target.as_bytes() != seen.bytes {
                return Err(format!("target is not {target:?}"));
            }
            (FileKind::Symlink, Some(target.len()))
        }
        Some(Body::Directory(_)) => (FileKind::Directory, None),
        Some(Body::Whiteout) => (FileKind::CharDevice, None),
        None => return Err("is gone in the model".into()),
    };
    if seen.attr.kind() != Some(kind) {
        return Err(format!(
            "mode {:o} is not that of a {kind:?}",
            seen.attr.mode
        ));
    }
    let size = size.map_or(Some(seen.attr.size), |size| u64::try_from(size).ok());
    if size != Some(seen.attr.size) {
        return Err(format!("size is {}, not {size:?}", seen.attr.size));
    }
    let links = model.links(id);
    if links != seen.attr.nlink {
        return Err(format!("link count is {}, not {links}", seen.attr.nlink));
    }
    if kind == FileKind::CharDevice && (seen.attr.rdev, seen.attr.mode & 0o7777) != (0, 0) {
        return Err(format!("is no whiteout: {:?}", seen.attr));
    }
    let extras = model.extras_of(id);
    if extras.xattrs != seen.xattrs {
        let (wrong, right) = (&seen.xattrs, &extras.xattrs);
        return Err(format!("extended attributes are {wrong:?}, not {right:?}"));
    }
    if extras.flags != seen.attr.flags {
        let (wrong, right) = (seen.attr.flags, extras.flags);
        return Err(format!("flags are {wrong:?}, not {right:?}"));
    }
    Ok(())
}

/// Every byte is that of some version. A version that ends before the byte, or in which the inode
/// is gone, stands for zero: the host clears the tail before it truncates.
fn check_data(versions: &[Model], id: Id, bytes: &[u8]) -> Result<(), String> {
    let contents = versions.iter().map(|model| match model.body(id) {
        Some(Body::File(content)) => Some(content),
        _ => None,
    });
    let contents: Vec<&Content> = contents.flatten().map(AsRef::as_ref).collect();
    if contents.iter().any(|content| content.bytes() == bytes) {
        return Ok(());
    }
    for (at, byte) in bytes.iter().enumerate() {
        let of = |content: &&Content| content.bytes().get(at).copied().unwrap_or(0);
        if !contents.iter().map(of).any(|allowed| allowed == *byte) {
            let allowed: Vec<_> = contents.iter().map(of).collect();
            return Err(format!("byte {at} is {byte:#x}, none of {allowed:x?}"));
        }
    }
    Ok(())
}
