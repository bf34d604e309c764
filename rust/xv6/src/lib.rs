// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! xv6: a small file system that one can read in an afternoon and use every day.
//!
//! The name and the shape come from the teaching system: superblock, log, inodes, bitmap, data.
//! `FORMAT.md` describes every byte.
//!
//! ```text
//! block 0     1         ...        ...         ...        ...          ...          last
//! +-----+-----------+----------+-----------+-----------+-------------+------------+--------+
//! |super|    log    |  inode   |  orphan   |   block   |    inode    |    data    | backup |
//! |block|           |  map     |  map      |   map     |    table    |            | super  |
//! +-----+-----------+----------+-----------+-----------+-------------+------------+--------+
//! ```
//!
//! | module | job |
//! |---|---|
//! | [`layout`] | every byte on the disk, and nothing else |
//! | [`corrupt`] | what can be wrong with those bytes |
//! | [`checksum`] | the checksums of all of them |
//! | [`superblock`] | where everything lies |
//! | [`inode`] | inodes, and the node that a host keeps for each in use |
//! | `bitmap`, `space`, `groups` | which blocks and inodes are free, and which to take |
//! | `txn` | transactions: the only way to write metadata |
//! | `locks` | the order of locks |
//! | `volume` | what all operations share: journal, counts |
//! | `extent` | which block of the device holds which block of a file |
//! | `dir`, `symlink` | directories and symbolic links |
//! | `orphan` | what a crash leaves to do |
//! | `file` | map, allocate, commit, truncate |
//! | `trim` | telling the device what is free |
//! | `fallocate` | explicit work on the space of a file |
//! | `xattr` | extended attributes |
//! | `namei`, `rename` | create, link, unlink, rename |
//! | `vfs` | [`bento::FileSystem`] in terms of the above |
//! | `upgrade` | [`bento::Upgrade`]: handing a live mount to the next build |
//! | [`mod@mkfs`] | making a file system |
//! | [`check`] | finding what is wrong with one |
//! | [`mod@mend`] | repairing it |
//!
//! # Locks, in order
//! 1. The journal's handle: one changing operation at a time (`txn::Txn` holds it).
//! 2. Nodes. Only the holder of 1 locks them exclusively, in `Change::finish`, and only then more
//!    than one; everybody else holds at most one, shared, and waits for 3 and 4 alone.
//! 3. The counts of free space (`Volume::space`) and what waits for a discard
//!    (`Volume::discards`): never held while waiting for anything.
//! 4. Cached blocks, one at a time.
//!
//! `locks` gives them their ranks, which debug builds check at every lock on a host.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::as_conversions, clippy::indexing_slicing, clippy::unwrap_used)
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bitmap;
pub mod check;
pub mod checksum;
pub mod corrupt;
mod dir;
mod extent;
mod fallocate;
mod file;
mod groups;
pub mod inode;
pub mod layout;
mod locks;
pub mod mend;
pub mod mkfs;
mod namei;
mod orphan;
mod rename;
mod space;
pub mod superblock;
mod symlink;
mod trim;
mod txn;
mod upgrade;
mod vfs;
mod volume;
mod xattr;

pub use corrupt::{Corrupt, CorruptKind};
pub use inode::Node;
pub use mkfs::{FormatOptions, format};

use alloc::boxed::Box;
use bento::BlockDevice;

/// The name of the type, as in `mount -t xv6`.
const NAME: &str = "xv6";

/// A mounted file system.
#[derive(Debug)]
pub struct Xv6<D: BlockDevice> {
    /// Boxed, since a mount moves it about by value and a kernel stack is small.
    volume: Box<volume::Volume<D>>,
}
