// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the tree of one process should look like.

use rustix::fs::FileType;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Names an inode of the model for as long as the process runs.
pub(super) type Key = u32;

/// The directory in which all others are.
pub(super) const ROOT: Key = 0;

/// What an inode holds.
#[derive(Debug)]
pub(super) enum Body {
    File(Vec<u8>),
    Dir,
    Link(String),
    /// A FIFO, a socket or a device of this number.
    Special(FileType, u64),
}

/// A file of any kind, with however many names.
#[derive(Debug)]
pub(super) struct Inode {
    pub(super) body: Body,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) xattrs: BTreeMap<String, Vec<u8>>,
}

/// An entry of a directory.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) parent: Key,
    pub(super) name: String,
    pub(super) inode: Key,
}

/// All inodes and names below one directory.
///
/// # Invariants
/// Each name's parent is a directory, and each inode but [`ROOT`] has a name: a directory one.
#[derive(Debug)]
pub(super) struct Model {
    top: PathBuf,
    pub(super) inodes: BTreeMap<Key, Inode>,
    pub(super) names: Vec<Name>,
    next: Key,
}

impl Model {
    pub(super) fn new(top: PathBuf, owner: (u32, u32)) -> Self {
        let root = Inode {
            body: Body::Dir,
            mode: 0o755,
            owner,
            xattrs: BTreeMap::new(),
        };
        Self {
            top,
            inodes: BTreeMap::from([(ROOT, root)]),
            names: Vec::new(),
            next: ROOT + 1,
        }
    }

    /// A new inode with its first name.
    pub(super) fn add(&mut self, parent: Key, name: String, inode: Inode) -> Key {
        let key = self.next;
        self.next += 1;
        self.inodes.insert(key, inode);
        self.names.push(Name {
            parent,
            name,
            inode: key,
        });
        key
    }

    /// Takes a name away, and the inode if that was its last one.
    pub(super) fn remove(&mut self, at: usize) {
        let gone = self.names.swap_remove(at);
        self.forget_nameless(gone.inode);
    }

    /// Drops an inode that has no name any more.
    pub(super) fn forget_nameless(&mut self, key: Key) {
        if !self.names.iter().any(|name| name.inode == key) {
            self.inodes.remove(&key);
        }
    }

    pub(super) fn inode(&self, key: Key) -> &Inode {
        &self.inodes[&key]
    }

    pub(super) fn inode_mut(&mut self, key: Key) -> &mut Inode {
        self.inodes.get_mut(&key).expect("an inode of the model")
    }

    pub(super) fn dir_path(&self, dir: Key) -> PathBuf {
        let mut parts = Vec::new();
        let mut at = dir;
        while at != ROOT {
            let name = self.name_of(at);
            parts.push(&name.name);
            at = name.parent;
        }
        parts
            .iter()
            .rev()
            .fold(self.top.clone(), |path, part| path.join(part))
    }

    pub(super) fn path(&self, name: &Name) -> PathBuf {
        self.dir_path(name.parent).join(&name.name)
    }

    /// The path for a message: without what is above the tree.
    pub(super) fn short<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.top).unwrap_or(path).display()
    }

    /// The first name of an inode, the only one of a directory.
    fn name_of(&self, key: Key) -> &Name {
        self.names
            .iter()
            .find(|name| name.inode == key)
            .expect("each inode but the root has a name")
    }

    pub(super) fn is_dir(&self, key: Key) -> bool {
        matches!(self.inode(key).body, Body::Dir)
    }

    pub(super) fn children(&self, dir: Key) -> impl Iterator<Item = &Name> {
        self.names.iter().filter(move |name| name.parent == dir)
    }

    /// Whether `dir` is `above` or lies somewhere below it.
    pub(super) fn within(&self, dir: Key, above: Key) -> bool {
        let mut at = dir;
        while at != ROOT && at != above {
            at = self.name_of(at).parent;
        }
        at == above
    }

    /// The length of the longest path below an inode, the longest name of its own included.
    pub(super) fn height(&self, key: Key) -> usize {
        let below = self
            .names
            .iter()
            .filter(|name| self.within(name.parent, key));
        let longest = below
            .map(|name| {
                let above = self.dir_path(key).as_os_str().len();
                self.path(name).as_os_str().len() - above
            })
            .max();
        256 + longest.unwrap_or(0)
    }

    /// The link count that stat(2) must give.
    pub(super) fn links(&self, key: Key) -> u64 {
        if self.is_dir(key) {
            let below = self.children(key).filter(|name| self.is_dir(name.inode));
            return 2 + below.count() as u64;
        }
        self.names.iter().filter(|name| name.inode == key).count() as u64
    }
}
