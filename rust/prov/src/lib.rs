// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Provenance, for any Bento file system: who did what to which file.
//!
//! [`Prov<F>`] is `F`, and records its use: open and close, create, mkdir, rename, link, unlink,
//! truncate, and the first read and write of each open file, with time, process, user, command
//! and inode. The records go to a log inside the same file system (`/.prov`), which nobody can
//! change while it is recording. `FORMAT.md` describes every byte of it.
//!
//! `Prov<F>` takes over the state of `F`, and the other way round: a live upgrade turns a mount
//! into a recording one, and back.
//!
//! | module | job |
//! |---|---|
//! | [`record`] | one record as bytes, and back; finding records in damaged bytes |
//! | `pending` | records on their way to the log, and what was lost |
//! | `files` | the folder and the files of the log |
//! | `vfs` | [`bento::FileSystem`]: does what `F` does, and records it |
//! | `upgrade` | [`bento::Upgrade`]: taking over from `F` or from another `Prov<F>` |
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::as_conversions, clippy::indexing_slicing, clippy::unwrap_used)
)]

extern crate alloc;

mod files;
mod pending;
pub mod record;
mod upgrade;
mod vfs;

pub use files::{FILES, FOLDER, file_name};

use alloc::sync::Arc;
use bento::sync::Mutex;
use bento::{FileSystem, InodeNo};
use core::sync::atomic::AtomicBool;
use files::LogFiles;
use pending::Pending;

/// A file system that records its use.
#[derive(Debug)]
pub struct Prov<F: FileSystem> {
    fs: F,
    /// Nothing is recorded on a read-only mount: there is nowhere to write it.
    recording: bool,
    files: LogFiles<F::Node>,
    pending: Mutex<Pending>,
    /// Enough waits for the host to come at once; it is told so once.
    urgent: AtomicBool,
}

/// What is kept in memory of an inode.
#[derive(Debug)]
pub struct Node<N> {
    ino: InodeNo,
    inner: Inner<N>,
}

/// An inode never has two nodes of `F`. Those of the log are used by `Prov` itself, too, so the
/// host gets a share of them.
#[derive(Debug)]
enum Inner<N> {
    Own(N),
    Shared(Arc<N>),
}

impl<N> Node<N> {
    fn get(&self) -> &N {
        match &self.inner {
            Inner::Own(node) => node,
            Inner::Shared(node) => node,
        }
    }
}
