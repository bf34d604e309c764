// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The locks of a mount behind those of the journal, in the order in which they are taken; see
//! the head of the crate. Host builds check it.

use bento::sync::LockClass;

/// Nodes. Only the holder of the journal's handle takes several.
pub(crate) const NODE: LockClass = LockClass::new("node", 100).several();
/// Orphans that a read-only mount has left.
pub(crate) const ORPHANS: LockClass = LockClass::new("orphans left", 110);
/// The counts of free space.
pub(crate) const SPACE: LockClass = LockClass::new("counts of free space", 120);
/// What waits for a discard.
pub(crate) const DISCARDS: LockClass = LockClass::new("discards", 130);
