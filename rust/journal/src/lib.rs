// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A write-ahead log for file systems: operations on metadata are atomic and durable in order.
//!
//! Metadata lives in the device's cache. An operation asks for a handle ([`Journal::begin`]),
//! changes blocks through it ([`Tx::write`]) and commits it ([`Tx::commit`]): then all of its
//! changes appear in the cache and join the *running transaction*, which [`Journal::commit`]
//! makes durable as one unit. An operation that fails drops its handle, and nothing has happened.
//! The bytes on disk are described in `FORMAT.md`. File data never passes through the log.
//!
//! | module | what it holds |
//! |---|---|
//! | `journal` | [`Journal`]: open, begin, commit, close |
//! | `tx` | [`Tx`]: the staged changes of one operation |
//! | `running`, `pending`, `state` | the running transaction, its freed blocks, what the lock protects |
//! | `commit` | log, barrier, home blocks |
//! | `recover` | replay after a crash |
//! | `handover` | live upgrade |
//! | `area`, `header`, `crc32c` | the bytes of the log |
//!
//! # Why it is correct
//! There is at most one transaction in the log. Write `N` for the last one whose log write
//! returned, and `N+1` for the running one. A device keeps what completed before a barrier, and
//! of what came later any part.
//!
//! 1. *A transaction is durable as a whole or not at all.* The header carries a checksum of the
//!    sequence number, the targets and the contents, and lies in one sector. If the write of
//!    `N+1` is cut off, either the header of `N` is still there, or that of `N+1` with a body
//!    that does not match, or all of it. In the first two cases the log restores `N` or nothing.
//! 2. *Restoring nothing is right.* The barrier in front of the log write of `N+1` put the home
//!    blocks of `N` on the medium, and those of `N+1` are written only after its log is durable.
//! 3. *Restoring `N` is right.* After its own write nobody has changed the home blocks of `N` on
//!    the device but `N` itself: metadata is written by the journal alone, and a block of `N`
//!    that was freed later was freed in `N+1`, which is not durable, so it is still pending and
//!    nobody has reused it (4). Replaying twice writes the same bytes twice.
//! 4. *A freed block that is reused for file data is never overwritten by a replay.* It is pending
//!    until the transaction that frees it is durable. That transaction does not contain it
//!    ([`Tx::free_later`] forgets it), and it has replaced in the log any older transaction that
//!    did. A transaction that only frees or forgets is therefore written to the log, too. The
//!    header block is written through the cache, so a later mount cannot read an older header.
//! 5. *Data before metadata.* What the host has written to the device before [`Journal::commit`]
//!    is on the medium before the log is, by the same barrier.
//!
//! # What it does when things fail
//! After an error of the device during a commit nobody knows what is on the medium: the journal
//! *aborts*, which is logged once, and everything but reading fails with `EIO` until the file
//! system is mounted again and recovers. A panic inside an operation poisons the handle lock.
//!
//! # Locks
//! The handle lock first, then the locks of cached blocks, one at a time; a commit holds those of
//! up to 128 blocks shared while it writes them.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod area;
mod commit;
mod crc32c;
mod handover;
mod header;
mod journal;
mod pending;
mod recover;
mod running;
mod state;
mod tx;

pub use crc32c::{crc32c, crc32c_patched};
pub use journal::Journal;
pub use tx::{Sealing, Tx};
