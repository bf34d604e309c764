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
//! | `journal` | [`Journal`]: open, begin, commit, sync, close |
//! | `tx`, `staged` | [`Tx`]: the staged changes of one operation |
//! | `state`, `running`, `pending`, `table`, `seen` | what the handle lock protects |
//! | `commit` | the running transaction goes to the log |
//! | `checkpoint` | what the log holds goes home; the log may be overwritten |
//! | `recover` | replay after a crash |
//! | `handover` | live upgrade |
//! | `area`, `header`, `record` | the bytes of the log |
//!
//! # Life of a change
//! An operation stages it in its [`Tx`]; [`Tx::commit`] *publishes* it: it is in the cache and in
//! the **running** transaction. A commit makes that the **committing** one, copies its blocks out
//! and writes them to the ring with one barrier; meanwhile operations go on, in a new running
//! transaction. Then its blocks are **live**: durable in the log, in the cache, and not at home. A
//! checkpoint writes them home in batches and moves the *tail*, where recovery begins. It runs with
//! [`Journal::sync`] and [`Journal::close`]; a host that listens to [`Journal::pressure`] syncs in
//! time. Where none does, it runs when an operation finds no room in the log.
//!
//! Where an operation changes a block whose contents a committing or live transaction still needs,
//! these *freeze*: the memory of the operation's staged copy takes them over, and the transaction
//! keeps it. So nobody waits, and no memory is needed that the operation
//! did not take when it began.
//!
//! # Why it is correct
//! A device keeps what completed before a barrier, and of what came later any part. Commits and
//! checkpoints take turns. Let `N` be the last transaction whose write has returned, `N+1` the
//! one that may be in flight, and `T` the one that the header names: the log should hold
//! `T .. N`, and everything older is at home.
//!
//! 1. *Recovery finds all of `T .. N`, and of `N+1` all or nothing.* Each was on the medium before
//!    the next was begun, and none is overwritten before a header that leaves it out is on the
//!    medium. `N+1` counts only if the checksum in its record is right, which covers its number,
//!    targets, revoked blocks and contents; the order in which their sectors arrived is of no
//!    importance. So no wait is needed between contents and record.
//! 2. *It finds nothing else.* A record counts only with the seed of this log and with the number
//!    that its place must have. A number is used once in the life of a log: within a mount they
//!    rise; a recovery skips the number that a cut commit may have used; and where a mount finds
//!    nothing to replay, the first commit moves the header past that number before it writes. So
//!    what older rounds, older file systems and cut commits have left in the ring is neither a
//!    transaction nor completes one. Contents cannot pose as a record: they never begin like one.
//! 3. *Replaying `T .. N` gives the state after `N`.* A block that is in none of them has its
//!    newest contents at home: a header that leaves out a transaction is written behind a barrier
//!    after each block of it has been written home, unless a later transaction in the log has
//!    the block or revokes it. A block that is in some gets the contents of the last. Homes are
//!    written with contents of durable transactions only (that is what freezing is for), so
//!    what a checkpoint or an earlier, interrupted recovery has written already is overwritten by
//!    the same or by newer contents of the same replay. Replaying twice writes the same twice.
//! 4. *A freed block that is reused is never overwritten by what it was.* It is pending until the
//!    transaction `F` that frees it is durable; until then nobody reuses it. `F` does not contain
//!    it ([`Tx::free_later`] forgets it). If a transaction in the log does, or the one that is
//!    being committed, `F` revokes it. So a replay either ends before `F`, and then the block was
//!    not reused; or it includes `F`, and skips the block in everything older; or it begins behind
//!    everything older. When `F` is durable the block leaves the live ones, in the turn of the
//!    commit: no checkpoint is on its way to it then, and no later one writes it. Where `F` would
//!    have to revoke more blocks than its record holds, the log is emptied before `F` is written.
//! 5. *Data before metadata.* What the host has written to the device before [`Journal::commit`]
//!    is on the medium before the log is, by the same barrier.
//! 6. *The log is never full in the middle.* [`Journal::begin`] takes room for the running
//!    transaction with all credits given out, its record included; a commit takes no more.
//!
//! The tests in `tests/crash.rs` take one protection away at a time (either side of the barrier,
//! checksum, revoked blocks, pending blocks) and assert that the simulation then finds a loss:
//! `cargo test -p journal --test crash noticed`.
//!
//! # What it does when things fail
//! After an error of the device during a commit or checkpoint nobody knows what is on the medium:
//! the journal *aborts*, which is logged once, and everything but reading fails with `EIO` until
//! the file system is mounted again and recovers. Blocks that are not at home stay in the cache
//! for readers. A panic inside an operation poisons the handle lock, one inside a commit aborts.
//!
//! # Locks
//! In this order: the *queue*, held only while waiting for the next; the *turn*, held over device
//! I/O by commits and checkpoints; the *handle lock*, held by a [`Tx`] and for short times by a
//! commit, which then copies blocks (a hundred at most); the lock of one cached block. No write is
//! waited for under the handle lock or the lock of a block. A task that wants the turn again and
//! again (a checkpoint between two batches) goes through the queue, behind those who wait. Debug
//! builds check the order at every lock on a host ([`bento::sync::LockClass`]).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod area;
mod checkpoint;
mod commit;
mod handover;
mod header;
mod journal;
mod pending;
mod record;
mod recover;
mod running;
mod seen;
mod staged;
mod state;
mod table;
mod tx;

pub use journal::Journal;
pub use staged::{Seal, Sealing};
pub use tx::Tx;
