// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Transactions: the only way to write metadata.
//!
//! [`Txn`] is the token without which nothing can be written. [`Change`] adds the inodes that an
//! operation changes: it works on copies, and memory follows only once the journal has taken
//! the change, so an operation that fails or panics halfway leaves no trace.

use crate::checksum::{Checked, Sums};
use crate::dir::{self, NameHash};
use crate::inode::{Inode, Node, State};
use crate::orphan;
use crate::space::CountChange;
use crate::superblock::Geometry;
use crate::volume::{ReadBlock, Volume};
use alloc::vec::Vec;
use bento::sync::RwLockWriteGuard;
use bento::{BlockDevice, BlockNo, Errno, Result};
use core::ops::Range;
use journal::Tx;

/// A transaction: one operation on its way into the journal. Dropping it undoes everything.
#[derive(Debug)]
pub(crate) struct Txn<'f, D: BlockDevice> {
    volume: &'f Volume<D>,
    tx: Tx<'f, Checked<D>>,
    /// What the counts of free space will change by.
    pub(crate) counts: Vec<CountChange>,
    /// What is to be discarded later; empty where nobody wants that.
    freed: Vec<Range<u64>>,
}

impl<D: BlockDevice> ReadBlock for Txn<'_, D> {
    fn read<R>(&self, block: BlockNo, look: impl FnOnce(&[u8]) -> R) -> Result<R> {
        self.tx.read(block, look)
    }

    fn geometry(&self) -> &Geometry {
        self.volume.geometry()
    }

    fn sums(&self) -> Sums {
        self.volume.sums()
    }

    fn name_hash(&self) -> &NameHash {
        self.volume.name_hash()
    }
}

impl<'f, D: BlockDevice> Txn<'f, D> {
    pub(crate) fn new(volume: &'f Volume<D>, tx: Tx<'f, Checked<D>>) -> Self {
        Self {
            volume,
            tx,
            counts: Vec::new(),
            freed: Vec::new(),
        }
    }

    pub(crate) fn volume(&self) -> &'f Volume<D> {
        self.volume
    }

    /// Blocks that this transaction may still change.
    pub(crate) fn credits_left(&self) -> usize {
        self.tx.credits_left()
    }

    /// Changes bytes of a block.
    pub(crate) fn write(&mut self, block: BlockNo, offset: u16, bytes: &[u8]) -> Result {
        self.tx.write(block, usize::from(offset), bytes)
    }

    /// Moves bytes of a block to where byte `to` is.
    pub(crate) fn copy_within(&mut self, block: BlockNo, from: Range<u16>, to: u16) -> Result {
        let from = usize::from(from.start)..usize::from(from.end);
        self.tx.copy_within(block, from, usize::from(to))
    }

    /// A newly allocated block of metadata, all zero.
    pub(crate) fn zero(&mut self, block: BlockNo) -> Result {
        self.tx.zero(block)
    }

    /// Blocks whose bits were cleared: not to be used before the transaction is durable.
    pub(crate) fn free_later(&mut self, range: Range<u64>) -> Result {
        if self.volume.discards.wanted() {
            self.freed.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            self.freed.push(range.clone());
        }
        self.tx.free_later(range)
    }

    /// The first part of `range` that was freed but may not be used yet.
    pub(crate) fn pending_in(&self, range: Range<u64>) -> Option<Range<u64>> {
        self.tx.pending_in(range)
    }

    /// Publishes everything; in memory first, durable with the next commit of the journal.
    ///
    /// Blocks get their checksums here; see [`crate::checksum`].
    pub(crate) fn commit(mut self) -> Result {
        let (sums, geometry) = (self.sums(), self.volume.geometry());
        self.tx.seal(|sealing| {
            if geometry.has_head(sealing.block) {
                sums.reseal(sealing).map(Some)
            } else {
                Ok(None)
            }
        })?;
        self.tx.commit()?;
        self.volume.space.lock()?.apply(&self.counts);
        self.volume.discards.note(&self.freed)
    }
}

/// An inode that a [`Change`] changes.
#[derive(Debug)]
struct Staged<'n> {
    node: &'n Node,
    inode: Inode,
    /// The orphan map has it.
    listed: bool,
    freed: bool,
}

/// How many inodes most changes have.
const MANY: usize = 2;
/// The most that one can have: a rename has two directories, what is renamed, what it replaces,
/// and what is left in its place.
const MOST: usize = 5;

/// Which of the inodes of a [`Change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(usize);

/// A transaction and the inodes that it changes.
#[derive(Debug)]
pub(crate) struct Change<'f, 'n, D: BlockDevice> {
    pub(crate) txn: Txn<'f, D>,
    staged: Vec<Staged<'n>>,
}

impl<'f, 'n, D: BlockDevice> Change<'f, 'n, D> {
    /// Starts a transaction that may change `credits` blocks, those of the inodes included.
    pub(crate) fn begin(volume: &'f Volume<D>, credits: usize) -> Result<Self> {
        let mut staged = Vec::new();
        staged.try_reserve_exact(MANY).map_err(|_| Errno::ENOMEM)?;
        let txn = volume.begin(credits)?;
        Ok(Self { txn, staged })
    }

    /// As [`Change::begin`] with `credits` blocks and what it takes to add a name to the directory
    /// `add` and to remove one from the directory `remove`.
    pub(crate) fn begin_names(
        volume: &'f Volume<D>,
        credits: usize,
        add: Option<&Node>,
        remove: Option<&Node>,
    ) -> Result<Self> {
        let needed = || -> Result<usize> {
            let mut sum = credits;
            if let Some(node) = add {
                sum += dir::insert_credits(&node.read()?.inode);
            }
            if let Some(node) = remove {
                sum += dir::remove_credits(&node.read()?.inode);
            }
            Ok(sum)
        };
        loop {
            let credits = needed()?;
            let change = Self::begin(volume, credits)?;
            // Only now nobody else changes the directories.
            if needed()? <= credits {
                return Ok(change);
            }
        }
    }

    /// Takes part in the change; the same node twice gives the same slot.
    pub(crate) fn stage(&mut self, node: &'n Node) -> Result<Slot> {
        let known = self.staged.iter().position(|s| s.node.ino() == node.ino());
        if let Some(index) = known {
            return Ok(Slot(index));
        }
        if self.staged.len() >= MOST {
            return Err(Errno::EIO);
        }
        let inode = node.inode()?;
        self.staged.push(Staged {
            node,
            inode,
            listed: inode.is_orphan(),
            freed: false,
        });
        Ok(Slot(self.staged.len() - 1))
    }

    /// The copy of an inode that this change works on.
    pub(crate) fn inode(&mut self, slot: Slot) -> &mut Inode {
        self.parts(slot).1
    }

    /// A new inode takes part in the change: it is stored, and not compared with the disk. One
    /// without a name becomes an orphan.
    pub(crate) fn stage_new(&mut self, node: &'n Node) -> Result {
        let slot = self.stage(node)?;
        let (txn, staged) = self.staged(slot);
        staged.listed = false;
        staged.inode.store(txn)
    }

    /// The transaction and an inode, for functions that need both.
    pub(crate) fn parts(&mut self, slot: Slot) -> (&mut Txn<'f, D>, &mut Inode) {
        let (txn, staged) = self.staged(slot);
        (txn, &mut staged.inode)
    }

    /// The inode itself goes back to the free ones; its blocks have gone before.
    pub(crate) fn free(&mut self, slot: Slot) -> Result {
        let (txn, staged) = self.staged(slot);
        staged.freed = true;
        txn.free_inode(&staged.inode)
    }

    fn staged(&mut self, slot: Slot) -> (&mut Txn<'f, D>, &mut Staged<'n>) {
        let staged = self.staged.get_mut(slot.0);
        let staged = staged.expect("slots come from stage(), and nothing is ever unstaged");
        (&mut self.txn, staged)
    }

    /// Publishes the change, then lets memory follow.
    ///
    /// The nodes stay locked in between: whoever maps a file sees inode and extent blocks of one
    /// moment. Nobody else holds two node locks, so their order does not matter.
    pub(crate) fn finish(mut self) -> Result {
        for staged in &self.staged {
            let orphan = staged.inode.is_orphan() && !staged.freed;
            if orphan != staged.listed {
                orphan::mark(&mut self.txn, staged.inode.ino, orphan)?;
            }
            if !staged.freed && staged.inode != staged.node.read()?.inode {
                staged.inode.store(&mut self.txn)?;
            }
        }
        let sequence = self.txn.tx.sequence();
        let mut locked = [const { None::<RwLockWriteGuard<'_, State>> }; MOST];
        for (lock, staged) in locked.iter_mut().zip(&self.staged) {
            *lock = Some(staged.node.write()?);
        }
        self.txn.commit()?;
        for (state, staged) in locked.iter_mut().flatten().zip(&self.staged) {
            **state = State {
                inode: staged.inode,
                sequence,
                freed: staged.freed,
            };
        }
        Ok(())
    }
}
