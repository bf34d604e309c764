// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A toy store on the journal, and the model that it is compared with.
//!
//! Every block of a small region is free, metadata, or data. A table in block 1 says which; it
//! also holds the number of operations, so a recovered disk names the one state of the past that
//! it claims to be, and all blocks must then be as they were in that state. Data is written past
//! the journal, into blocks that the table says are free, before the operation that claims them:
//! as a file system does.

use bento::mapped::DataDevice;
use bento::{BlockDevice, BlockNo, Result};
use bento_sim::Rng;
use journal::{Journal, Tx};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const TABLE: BlockNo = BlockNo(1);
pub(crate) const LOG_START: BlockNo = BlockNo(2);
pub(crate) const LOG_BLOCKS: u64 = 32;
pub(crate) const SEED: u64 = 0x5eed;
pub(crate) const FIRST: u64 = 36;
pub(crate) const BLOCKS: u64 = 56;
const BLOCK_SIZE: usize = 4096;
const COUNTER_AT: usize = 3000;
pub(crate) const CREDITS: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Metadata = 1,
    Data = 2,
}

/// What the store holds after some operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) operations: u64,
    pub(crate) blocks: BTreeMap<u64, (Role, Vec<u8>)>,
}

/// What an operation does to one block.
#[derive(Clone, Debug)]
enum Change {
    Claim(u64, Role, Vec<u8>),
    Modify(u64, usize, Vec<u8>),
    Free(u64),
}

pub(crate) struct Store<D: BlockDevice> {
    pub(crate) journal: Arc<Journal<D>>,
    pub(crate) model: Model,
    /// The model at the start and after every operation.
    pub(crate) history: Vec<Model>,
    /// A broken store: freed blocks are used at once. The simulation must notice.
    pub(crate) hasty: bool,
}

/// Writes an empty store.
pub(crate) fn format<D: BlockDevice>(dev: &D) -> Result {
    Journal::format(dev, LOG_START, LOG_BLOCKS, SEED)
}

impl<D: DataDevice + Clone> Store<D> {
    pub(crate) fn open(dev: D) -> Result<Self> {
        let journal = Journal::open(dev, LOG_START, LOG_BLOCKS, false)?;
        let mut store = Self {
            journal: Arc::new(journal),
            model: Model::default(),
            history: Vec::new(),
            hasty: false,
        };
        store.model = store.load()?;
        store.history.push(store.model.clone());
        Ok(store)
    }

    /// What the disk holds, by the table.
    pub(crate) fn load(&self) -> Result<Model> {
        let (table, operations) = self.journal.read(TABLE, |bytes| {
            let count = bytes[COUNTER_AT..]
                .first_chunk()
                .expect("the table is longer");
            (bytes.to_vec(), u64::from_le_bytes(*count))
        })?;
        let mut blocks = BTreeMap::new();
        for block in FIRST..BLOCKS {
            let (role, bytes) = match table[index(block)] {
                0 => continue,
                1 => (
                    Role::Metadata,
                    self.journal.read(BlockNo(block), <[u8]>::to_vec)?,
                ),
                2 => {
                    let mut bytes = vec![0; BLOCK_SIZE];
                    let at = block * 4096;
                    self.journal.device().read_at(at, &mut bytes)?;
                    (Role::Data, bytes)
                }
                other => panic!("the table says {other} about block {block}"),
            };
            blocks.insert(block, (role, bytes));
        }
        Ok(Model { operations, blocks })
    }

    /// One random operation of one to three changes; the model follows only where it succeeds.
    pub(crate) fn operate(&mut self, rng: &mut Rng) -> Result {
        let mut next = self.model.clone();
        let mut tx = self.journal.begin(CREDITS)?;
        for _ in 0..=rng.below(3) {
            let Some(change) = self.choose(rng, &next, &tx) else {
                continue;
            };
            self.apply(&mut tx, &mut next, change)?;
        }
        next.operations += 1;
        tx.write(TABLE, COUNTER_AT, &next.operations.to_le_bytes())?;
        if rng.below(8) == 0 {
            // Dropped: nothing of it may ever be seen.
            return Ok(());
        }
        tx.commit()?;
        self.history.push(next.clone());
        self.model = next;
        Ok(())
    }

    fn choose(&self, rng: &mut Rng, now: &Model, tx: &Tx<'_, D>) -> Option<Change> {
        let used: Vec<_> = now.blocks.keys().copied().collect();
        let is_free =
            |b: &u64| !now.blocks.contains_key(b) && (self.hasty || !tx.is_pending(BlockNo(*b)));
        let free: Vec<_> = (FIRST..BLOCKS).filter(is_free).collect();
        match rng.below(4) {
            0 | 1 if !free.is_empty() => {
                let role = *rng.pick(&[Role::Metadata, Role::Data]);
                let fill = rng.next().to_le_bytes().repeat(BLOCK_SIZE / 8);
                Some(Change::Claim(*rng.pick(&free), role, fill))
            }
            2 if !used.is_empty() => Some(Change::Free(*rng.pick(&used))),
            _ => {
                let is_metadata = |b: &&u64| now.blocks[*b].0 == Role::Metadata;
                let metadata: Vec<_> = used.iter().filter(is_metadata).copied().collect();
                let at = usize::try_from(rng.below(4000)).expect("small");
                let bytes = rng.next().to_le_bytes().to_vec();
                (!metadata.is_empty()).then(|| Change::Modify(*rng.pick(&metadata), at, bytes))
            }
        }
    }

    fn apply(&self, tx: &mut Tx<'_, D>, next: &mut Model, change: Change) -> Result {
        match change {
            Change::Claim(block, role, bytes) => {
                if role == Role::Metadata {
                    tx.zero(BlockNo(block))?;
                    tx.write(BlockNo(block), 0, &bytes)?;
                } else {
                    self.journal.device().write_at(block * 4096, &bytes)?;
                }
                tx.write(
                    TABLE,
                    index(block),
                    &[if role == Role::Data { 2 } else { 1 }],
                )?;
                next.blocks.insert(block, (role, bytes));
            }
            Change::Modify(block, at, bytes) => {
                tx.write(BlockNo(block), at, &bytes)?;
                let (_, old) = next.blocks.get_mut(&block).expect("chosen from the model");
                old[at..at + bytes.len()].copy_from_slice(&bytes);
            }
            Change::Free(block) => {
                tx.write(TABLE, index(block), &[0])?;
                if self.hasty {
                    tx.forget(BlockNo(block))?;
                } else {
                    tx.free_later(block..block + 1)?;
                }
                next.blocks.remove(&block);
            }
        }
        Ok(())
    }
}

fn index(block: u64) -> usize {
    usize::try_from(block).expect("a small disk")
}
