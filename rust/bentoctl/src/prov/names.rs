// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Inodes as paths, as far as the log tells; the rest can be looked for.

use super::log::Event;
use prov::record::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Longer chains of folders are loops of a damaged log.
const DEEPEST: usize = 1000;

/// The last name of each inode.
#[derive(Debug, Default)]
pub(crate) struct Names {
    root: Option<u64>,
    /// Directory and name.
    names: BTreeMap<u64, (u64, String)>,
    /// Found on disk.
    paths: BTreeMap<u64, String>,
}

impl Names {
    /// Takes note of an event, in the order in which they happened.
    pub(crate) fn learn(&mut self, event: &Event) {
        let named = |parent, name: &String| (parent, name.clone());
        match event.what {
            Kind::Start => self.root = Some(event.ino),
            Kind::Create | Kind::Mkdir | Kind::Link if !event.name.is_empty() => {
                let name = named(event.parent, &event.name);
                self.names.insert(event.ino, name);
            }
            Kind::Rename => {
                let name = named(event.other, &event.name2);
                self.names.insert(event.ino, name);
            }
            // The path stays for what comes after: who still has it open closes it.
            _ => {}
        }
    }

    /// The path from the root, where it is known. A file in an unknown folder has `...` before it.
    pub(crate) fn path(&self, ino: u64) -> Option<String> {
        if Some(ino) == self.root {
            return Some("/".to_owned());
        }
        if let Some(path) = self.paths.get(&ino) {
            return Some(path.clone());
        }
        let mut parts = Vec::new();
        let mut at = ino;
        while Some(at) != self.root && parts.len() < DEEPEST {
            let Some((parent, name)) = self.names.get(&at) else {
                break;
            };
            parts.push(name.as_str());
            at = *parent;
        }
        if parts.is_empty() {
            return None;
        }
        parts.reverse();
        let start = match self.paths.get(&at) {
            _ if Some(at) == self.root => "",
            Some(folder) => folder.as_str(),
            None => "...",
        };
        Some(format!("{start}/{}", parts.join("/")))
    }

    /// Looks for inodes that the log does not name, below `root`.
    pub(crate) fn look_for(&mut self, mut wanted: BTreeSet<u64>, root: &Path) {
        let Ok(dev) = fs::symlink_metadata(root).map(|root| root.dev()) else {
            return;
        };
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            if wanted.is_empty() {
                return;
            }
            // What cannot be read stays without a name.
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let Ok(found) = fs::symlink_metadata(&path) else {
                    continue;
                };
                if found.dev() != dev {
                    continue;
                }
                if wanted.remove(&found.ino()) {
                    let path = path.strip_prefix(root).unwrap_or(&path);
                    let path = format!("/{}", path.display());
                    self.paths.insert(found.ino(), path);
                }
                if found.is_dir() {
                    folders.push(path);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Names;
    use crate::prov::log::Event;
    use crate::prov::log::tests::event;
    use prov::record::Kind;

    fn named(what: Kind, ino: u64, parent: u64, name: &str) -> Event {
        Event {
            parent,
            name: name.to_owned(),
            ..event(what, 1, ino)
        }
    }

    #[test]
    fn paths_follow_renames_and_loops_end() {
        let mut names = Names::default();
        for event in [
            event(Kind::Start, 0, 1),
            named(Kind::Mkdir, 5, 1, "d"),
            named(Kind::Create, 6, 5, "f"),
            named(Kind::Create, 7, 99, "g"),
        ] {
            names.learn(&event);
        }
        assert_eq!(names.path(1).as_deref(), Some("/"));
        assert_eq!(names.path(6).as_deref(), Some("/d/f"));
        assert_eq!(names.path(7).as_deref(), Some(".../g"));
        assert_eq!(names.path(8), None);
        let mut rename = named(Kind::Rename, 5, 1, "d");
        (rename.other, rename.name2) = (1, "e".to_owned());
        names.learn(&rename);
        assert_eq!(names.path(6).as_deref(), Some("/e/f"));
        names.learn(&named(Kind::Mkdir, 5, 6, "loop"));
        assert!(names.path(6).is_some());
    }
}
