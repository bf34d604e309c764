// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The inodes in memory: what the inode cache is in the kernel.
//!
//! An inode stays while the kernel knows it (lookup count) or an operation uses it (a [`Pin`]).
//! Its number never has two nodes: an inode is loaded, and a node is dropped, under the lock of
//! the table. An inode whose last link is gone lives on until its count is zero, which is how a
//! file that is open stays usable after `unlink`; then the file system frees it.

use bento::{Entry, Errno, InodeNo, Result};
use core::ops::Deref;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// An inode in memory.
pub(crate) struct Inode<N> {
    pub(crate) ino: InodeNo,
    pub(crate) node: N,
    /// What "holds: shared" and "holds: exclusive" of [`bento::FileSystem`] mean here.
    pub(crate) lock: RwLock<()>,
}

struct Slot<N> {
    inode: Arc<Inode<N>>,
    /// Lookups of the kernel and pins of operations together.
    count: u64,
}

/// What the table asks of the file system.
pub(crate) trait Source<N> {
    fn load(&self, ino: InodeNo) -> Result<Entry<N>>;
    /// The inode has no link left. Must not block.
    fn is_unlinked(&self, inode: &Inode<N>) -> bool;
    /// Frees an inode without links that nobody uses.
    fn free(&self, inode: &Inode<N>);
}

/// All inodes in memory.
pub(crate) struct InodeTable<N, S: Source<N>> {
    slots: Mutex<HashMap<InodeNo, Slot<N>>>,
    source: S,
}

/// An inode that stays in memory while an operation uses it.
pub(crate) struct Pin<'a, N, S: Source<N>> {
    table: &'a InodeTable<N, S>,
    inode: Arc<Inode<N>>,
}

impl<N, S: Source<N>> Deref for Pin<'_, N, S> {
    type Target = Inode<N>;
    fn deref(&self) -> &Inode<N> {
        &self.inode
    }
}

impl<N, S: Source<N>> Drop for Pin<'_, N, S> {
    fn drop(&mut self) {
        self.table.put(self.ino, 1);
    }
}

impl<N, S: Source<N>> InodeTable<N, S> {
    pub(crate) fn new(source: S) -> Self {
        Self {
            slots: Mutex::default(),
            source,
        }
    }

    pub(crate) const fn source(&self) -> &S {
        &self.source
    }

    /// The inode `ino`, loaded where it is not in memory.
    pub(crate) fn pin(&self, ino: InodeNo) -> Result<Pin<'_, N, S>> {
        let mut slots = self.slots();
        if let Some(slot) = slots.get_mut(&ino) {
            return Ok(self.pin_slot(slot));
        }
        let loaded = self.source.load(ino)?;
        Ok(self.insert(&mut slots, ino, loaded.node))
    }

    /// Takes in an inode that the file system has just made.
    ///
    /// # Errors
    /// `EIO` where the number is in use: the file system gave it out twice.
    pub(crate) fn pin_new(&self, entry: Entry<N>) -> Result<Pin<'_, N, S>> {
        let mut slots = self.slots();
        if slots.contains_key(&entry.attr.ino) {
            log::error!(
                "the file system made inode {}, which is in use",
                entry.attr.ino
            );
            return Err(Errno::EIO);
        }
        Ok(self.insert(&mut slots, entry.attr.ino, entry.node))
    }

    fn insert(
        &self,
        slots: &mut HashMap<InodeNo, Slot<N>>,
        ino: InodeNo,
        node: N,
    ) -> Pin<'_, N, S> {
        let inode = Arc::new(Inode {
            ino,
            node,
            lock: RwLock::new(()),
        });
        let slot = slots.entry(ino).or_insert(Slot { inode, count: 0 });
        self.pin_slot(slot)
    }

    fn pin_slot(&self, slot: &mut Slot<N>) -> Pin<'_, N, S> {
        slot.count += 1;
        Pin {
            table: self,
            inode: Arc::clone(&slot.inode),
        }
    }

    /// The kernel now knows the pinned inode once more: it was named in an answer.
    pub(crate) fn count_lookup(&self, pin: &Pin<'_, N, S>) {
        if let Some(slot) = self.slots().get_mut(&pin.ino) {
            slot.count += 1;
        }
    }

    /// Gives back `count` lookups or pins; the last one takes the inode out of memory.
    pub(crate) fn put(&self, ino: InodeNo, count: u64) {
        let mut slots = self.slots();
        let Some(slot) = slots.get_mut(&ino) else {
            return;
        };
        slot.count = slot.count.saturating_sub(count);
        if slot.count > 0 {
            return;
        }
        let Some(slot) = slots.remove(&ino) else {
            return;
        };
        // Nobody can load an inode without names, so it may be freed without the lock. Any other
        // must be gone before the next one loads it: it is dropped under the lock.
        if self.source.is_unlinked(&slot.inode) {
            drop(slots);
            self.source.free(&slot.inode);
        }
    }

    /// Takes all inodes out of memory, for an unmount: the kernel does not send its last forgets.
    pub(crate) fn clear(&self) {
        let slots = core::mem::take(&mut *self.slots());
        for slot in slots.into_values() {
            if self.source.is_unlinked(&slot.inode) {
                self.source.free(&slot.inode);
            }
        }
    }

    /// How many inodes are in memory.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.slots().len()
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<InodeNo, Slot<N>>> {
        // Calls into the file system are guarded, so no panic leaves the map half changed.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Inode, InodeTable, Source};
    use bento::{Attr, Entry, Errno, InodeNo, Result};
    use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::Mutex;

    #[derive(Default)]
    struct Counts {
        loads: AtomicUsize,
        unlinked: AtomicBool,
        freed: Mutex<Vec<InodeNo>>,
    }

    impl Source<()> for Counts {
        fn load(&self, ino: InodeNo) -> Result<Entry<()>> {
            self.loads.fetch_add(1, Ordering::Relaxed);
            if ino.0 > 9 {
                return Err(Errno::ESTALE);
            }
            Ok(entry(ino))
        }
        fn is_unlinked(&self, _: &Inode<()>) -> bool {
            self.unlinked.load(Ordering::Relaxed)
        }
        fn free(&self, inode: &Inode<()>) {
            self.freed.lock().expect("one thread").push(inode.ino);
        }
    }

    fn entry(ino: InodeNo) -> Entry<()> {
        Entry {
            attr: Attr::new(ino, 0o100_644, 1),
            node: (),
        }
    }

    #[test]
    fn an_inode_is_loaded_once_and_stays_while_counted() {
        let table = InodeTable::new(Counts::default());
        let pin = table.pin(InodeNo(5)).expect("exists");
        table.count_lookup(&pin);
        drop(table.pin(InodeNo(5)).expect("in memory"));
        drop(pin);
        assert_eq!(table.source().loads.load(Ordering::Relaxed), 1);
        assert_eq!(table.len(), 1, "the kernel still knows it");
        table.put(InodeNo(5), 1);
        assert_eq!(table.len(), 0);
        assert!(
            table.source().freed.lock().expect("one thread").is_empty(),
            "it has links"
        );
    }

    #[test]
    fn an_unlinked_inode_is_freed_with_its_last_user() {
        let table = InodeTable::new(Counts::default());
        let pin = table.pin(InodeNo(5)).expect("exists");
        table.count_lookup(&pin);
        table.source().unlinked.store(true, Ordering::Relaxed);
        drop(pin);
        assert!(table.source().freed.lock().expect("one thread").is_empty());
        table.put(InodeNo(5), 1);
        assert_eq!(
            *table.source().freed.lock().expect("one thread"),
            [InodeNo(5)]
        );
    }

    #[test]
    fn numbers_that_are_gone_or_given_out_twice_are_errors() {
        let table = InodeTable::new(Counts::default());
        assert_eq!(table.pin(InodeNo(10)).err(), Some(Errno::ESTALE));
        let pin = table.pin_new(entry(InodeNo(3))).expect("fresh");
        assert_eq!(table.pin_new(entry(InodeNo(3))).err(), Some(Errno::EIO));
        drop(pin);
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn an_unmount_frees_what_the_kernel_did_not_forget() {
        let table = InodeTable::new(Counts::default());
        let pin = table.pin(InodeNo(5)).expect("exists");
        table.count_lookup(&pin);
        drop(pin);
        table.source().unlinked.store(true, Ordering::Relaxed);
        table.clear();
        assert_eq!(
            *table.source().freed.lock().expect("one thread"),
            [InodeNo(5)]
        );
        assert_eq!(table.len(), 0);
    }
}
