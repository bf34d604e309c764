// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the operations of one mount share: geometry, journal, counts of free space.

use crate::bitmap;
use crate::checksum::{Checked, Sums};
use crate::corrupt::CorruptKind;
use crate::dir::NameHash;
use crate::inode::{self, Ino, Inode};
use crate::layout;
use crate::locks;
use crate::space::Space;
use crate::superblock::{Geometry, Super};
use crate::trim::Discards;
use crate::txn::Txn;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bento::sync::Mutex;
use bento::{BlockDevice, BlockNo, Errno, FileKind, InodeNo, MountOptions, Result, StatFs};
use journal::Journal;

/// Where blocks of metadata are read: as the journal has published them, or as a transaction
/// sees them.
pub(crate) trait ReadBlock {
    /// Runs `look` on the bytes of `block`.
    fn read<R>(&self, block: BlockNo, look: impl FnOnce(&[u8]) -> R) -> Result<R>;

    /// The same for metadata of which `ahead` more blocks follow, which are likely to be wanted
    /// soon: see [`BlockDevice::read_ahead`].
    #[expect(
        unused_variables,
        reason = "who changes something has mostly looked at it before"
    )]
    fn read_ahead<R>(
        &self,
        block: BlockNo,
        ahead: u32,
        look: impl FnOnce(&[u8]) -> R,
    ) -> Result<R> {
        self.read(block, look)
    }

    /// Where everything lies.
    fn geometry(&self) -> &Geometry;

    /// The checksums of the file system.
    fn sums(&self) -> Sums;

    /// The hash of names.
    fn name_hash(&self) -> &NameHash;
}

/// A mounted device.
#[derive(Debug)]
pub(crate) struct Volume<D: BlockDevice> {
    pub(crate) sup: Super,
    sums: Sums,
    pub(crate) names: NameHash,
    pub(crate) journal: Box<Journal<Checked<D>>>,
    pub(crate) space: Mutex<Space>,
    pub(crate) read_only: bool,
    /// What a crash left in the log was not replayed: the disk is shown as it is.
    pub(crate) unrecovered: bool,
    /// What the next `sync` is to finish; see [`crate::orphan::list`].
    pub(crate) orphans_left: Mutex<Vec<Ino>>,
    /// What the next `sync` is to discard.
    pub(crate) discards: Discards,
}

impl<D: BlockDevice> ReadBlock for Volume<D> {
    fn read<R>(&self, block: BlockNo, look: impl FnOnce(&[u8]) -> R) -> Result<R> {
        self.journal.read(block, look)
    }

    fn read_ahead<R>(
        &self,
        block: BlockNo,
        ahead: u32,
        look: impl FnOnce(&[u8]) -> R,
    ) -> Result<R> {
        self.journal.read_ahead(block, ahead, look)
    }

    fn geometry(&self) -> &Geometry {
        &self.sup.geometry
    }

    fn sums(&self) -> Sums {
        self.sums
    }

    fn name_hash(&self) -> &NameHash {
        &self.names
    }
}

impl<D: BlockDevice> Volume<D> {
    /// The volume on a device. (What holds large values on the way is a function of its own, here
    /// and below, for kernel stacks are small.)
    pub(crate) fn open(dev: D, options: &MountOptions<'_>) -> Result<Box<Self>> {
        if options.no_recovery {
            return Self::open_unrecovered(dev, options.read_only);
        }
        let read_only = options.read_only || dev.read_only();
        Self::open_recovered(dev, read_only)
    }

    /// Recovers the journal and counts free space.
    #[inline(never)]
    fn open_recovered(dev: D, read_only: bool) -> Result<Box<Self>> {
        let journal = Self::recovered(dev, read_only)?;
        let volume = Self::uncounted(journal, read_only)?;
        volume.count()?;
        Ok(volume)
    }

    /// Shows the disk as a crash left it.
    #[inline(never)]
    fn open_unrecovered(dev: D, read_only: bool) -> Result<Box<Self>> {
        if !read_only {
            log::error!("without recovery a file system can only be mounted read-only");
            return Err(Errno::EINVAL);
        }
        let mut volume = Self::uncounted(Self::unrecovered(dev)?, read_only)?;
        volume.unrecovered = true;
        match volume.count() {
            Ok(()) => {}
            // The crash may have cut a bitmap in two, and nobody needs the counts here.
            Err(Errno::EUCLEAN) => log::warn!("free space is not known before recovery"),
            Err(error) => return Err(error),
        }
        Ok(volume)
    }

    /// The journal, when what was in its log is on the disk.
    #[inline(never)]
    fn recovered(dev: D, read_only: bool) -> Result<Box<Journal<Checked<D>>>> {
        let (dev, before) = Self::checked(dev, read_only)?;
        let journal = Self::replayed(dev, before.log(), read_only)?;
        // Recovery may have written any block.
        if Super::geometry_of(journal.device(), read_only)? != before {
            return Err(CorruptKind::SuperGeometry.at(BlockNo(layout::SUPER_BLOCK)));
        }
        Ok(journal)
    }

    #[inline(never)]
    fn replayed(
        dev: Checked<D>,
        (log, blocks): (BlockNo, u64),
        read_only: bool,
    ) -> Result<Box<Journal<Checked<D>>>> {
        Journal::open(dev, log, blocks, read_only).map(Box::new)
    }

    /// The journal of a log that nobody looks at.
    #[inline(never)]
    fn unrecovered(dev: D) -> Result<Box<Journal<Checked<D>>>> {
        let (dev, geometry) = Self::checked(dev, true)?;
        let (log, log_blocks) = geometry.log();
        Journal::open_unrecovered(dev, log, log_blocks).map(Box::new)
    }

    /// A volume that does not know yet how much space is free.
    #[inline(never)]
    pub(crate) fn uncounted(
        journal: Box<Journal<Checked<D>>>,
        read_only: bool,
    ) -> Result<Box<Self>> {
        let sup = Super::read(journal.device(), read_only)?;
        Ok(Box::new(Self {
            sums: sup.sums(),
            names: NameHash::new(&sup.uuid),
            sup,
            journal,
            space: Mutex::of(locks::SPACE, Space::empty()),
            read_only,
            unrecovered: false,
            orphans_left: Mutex::of(locks::ORPHANS, Vec::new()),
            discards: Discards::new(false),
        }))
    }

    /// Counts free space.
    #[inline(never)]
    fn count(&self) -> Result {
        let counted = Space::count(self)?;
        *self.space.lock()? = counted;
        Ok(())
    }

    /// The device with verification of what is read from it, and where everything lies.
    #[inline(never)]
    pub(crate) fn checked(dev: D, read_only: bool) -> Result<(Checked<D>, Geometry)> {
        let sup = Super::read(&dev, read_only)?;
        Ok((Checked::new(dev, sup.sums(), sup.geometry), sup.geometry))
    }

    /// Starts a transaction that may change `credits` blocks.
    pub(crate) fn begin(&self, credits: usize) -> Result<Txn<'_, D>> {
        Ok(Txn::new(self, self.journal.begin(credits)?))
    }

    /// Runs an operation, and runs it again where it failed for want of space that the running
    /// transaction has freed: such space can be used once the transaction is durable.
    pub(crate) fn with_space<T>(&self, operation: impl Fn() -> Result<T>) -> Result<T> {
        match operation() {
            Err(Errno::ENOSPC) if self.journal.pending_blocks()? > 0 => {
                self.journal.commit()?;
                operation()
            }
            result => result,
        }
    }

    /// The inode with this number.
    pub(crate) fn load(&self, ino: InodeNo) -> Result<Inode> {
        let ino = self.geometry().ino(ino.0).ok_or(Errno::ESTALE)?;
        Inode::load(self, ino)?.ok_or(Errno::ESTALE)
    }

    /// There is a root directory, and the inode map knows.
    ///
    /// A table block without used inodes is cleared before it is used. This check keeps a damaged
    /// bitmap from clearing the block without which nothing can be mended.
    pub(crate) fn check_root(&self) -> Result {
        let map = BlockNo(self.geometry().inode_map());
        if self.read(map, |b| {
            bitmap::first_clear_run(layout::payload(b), 0..2).is_some()
        })? {
            return Err(CorruptKind::InodeMarkedFree.at(map));
        }
        let root = Inode::load(self, Ino::ROOT)?;
        let valid = root.is_some_and(|inode| {
            inode.kind == FileKind::Directory && inode.nlink > 0 && inode.parent == Ino::ROOT.0
        });
        if valid {
            return Ok(());
        }
        Err(CorruptKind::RootMissing.at(inode::block_of(self.geometry(), Ino::ROOT)))
    }

    /// Space and limits.
    pub(crate) fn statfs(&self) -> Result<StatFs> {
        let space = self.space.lock()?;
        let data = self.geometry().data();
        let free = space.blocks.total();
        let [a, b, c, d, e, f, g, h, ..] = self.sup.uuid;
        Ok(StatFs {
            block_size: layout::BLOCK_SIZE.into(),
            blocks: data.end - data.start,
            blocks_free: free,
            blocks_available: free.saturating_sub(self.geometry().reserve()),
            files: u64::from(self.geometry().inodes()) - 1,
            files_free: space.inodes.total(),
            name_max: layout::NAME_MAX.into(),
            fsid: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        })
    }
}
