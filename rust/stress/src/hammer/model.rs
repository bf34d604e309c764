// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What one worker believes to be in its directory.

use std::fs::File;

/// A regular file as it should be.
#[derive(Debug)]
pub(super) struct Node {
    /// Its name in the directory of the worker.
    pub(super) name: String,
    /// A second name (hard link), where there is one.
    pub(super) alias: Option<String>,
    /// The id in its stamps.
    pub(super) id: u16,
    /// Its whole content.
    pub(super) data: Vec<u8>,
    /// Kept open over many operations by some files, so that old handles are used, too.
    pub(super) handle: Option<File>,
}

impl Node {
    /// The link count that `stat` should show.
    pub(super) const fn links(&self) -> u64 {
        if self.alias.is_some() { 2 } else { 1 }
    }

    /// Puts `piece` at `offset`; a gap becomes zeros.
    pub(super) fn put(&mut self, offset: usize, piece: &[u8]) {
        let end = offset + piece.len();
        if self.data.len() < end {
            self.data.resize(end, 0);
        }
        self.data[offset..end].copy_from_slice(piece);
    }
}

/// The names that a listing of the directory should give, sorted.
pub(super) fn names(
    nodes: &[Option<Node>],
    dirs: &[String],
    links: &[(String, String)],
) -> Vec<String> {
    let mut names: Vec<String> = nodes
        .iter()
        .flatten()
        .flat_map(|node| core::iter::once(&node.name).chain(&node.alias))
        .chain(dirs)
        .chain(links.iter().map(|(name, _)| name))
        .cloned()
        .collect();
    names.sort();
    names
}
