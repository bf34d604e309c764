// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A block device in an image file or on a real block device.

use crate::Failure;
use crate::cache::{BlockCache, CachedBlock};
use crate::overlay::Overlay;
use bento::mapped::DataDevice;
use bento::{BlockDevice, BlockNo, BlockWrite, Errno, NoDevice, Result, WriteOrder};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use rustix::fs::{FallocateFlags, OFlags, fallocate};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// How long to wait for another user of the image: after `umount` has returned, a FUSE server
/// still writes its last blocks.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// Neighbouring blocks are written together up to this many bytes.
const WRITE_RUN: usize = 1 << 20;

/// What a disk is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only to read; others may read it at the same time.
    Read,
    /// To read and write, alone.
    Write,
    /// To see what writing would do: what is written stays in memory, and is read from there.
    DryRun,
}

/// Why a disk could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system said no.
    #[error("{path}: {reason}", path = .path.display())]
    Io {
        /// The image or device.
        path: PathBuf,
        /// The reason.
        reason: io::Error,
    },
    /// A mount, or another program, is using it.
    #[error("{path}: in use (mounted, or open in another program); unmount it first",
            path = .0.display())]
    InUse(PathBuf),
    /// A directory, a pipe and so on.
    #[error("{path}: neither a regular file nor a block device", path = .0.display())]
    NotADisk(PathBuf),
}

/// A device that a host of this crate can mount.
pub trait HostDevice: DataDevice + Clone {
    /// The flag that stops this device once its mount has failed.
    fn failure(&self) -> Failure;
}

impl HostDevice for NoDevice {
    fn failure(&self) -> Failure {
        Failure::new()
    }
}

/// An image file or block device. Clones share the device and its cache of metadata blocks.
#[derive(Clone, Debug)]
pub struct FileDisk(Arc<Disk>);

#[derive(Debug)]
struct Disk {
    file: File,
    path: PathBuf,
    bytes: u64,
    access: Access,
    cache: BlockCache,
    failure: Failure,
    overlay: Overlay,
    /// How many writes have ended, and how many of them a flush has made durable.
    written: AtomicU64,
    durable: AtomicU64,
}

impl FileDisk {
    /// Opens the disk at `path`. With [`Access::Write`] it is locked, so that no second user of
    /// this crate writes to it, and a block device must not be mounted.
    ///
    /// # Errors
    /// See [`OpenError`]; [`OpenError::InUse`] comes after five seconds of waiting.
    pub fn open(path: &Path, access: Access) -> core::result::Result<Self, OpenError> {
        let io = |reason| OpenError::Io {
            path: path.into(),
            reason,
        };
        let kind = std::fs::metadata(path).map_err(io)?.file_type();
        if !kind.is_file() && !kind.is_block_device() {
            return Err(OpenError::NotADisk(path.into()));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(access == Access::Write);
        if kind.is_block_device() && access == Access::Write {
            // Without O_CREAT this asks for a device that is neither mounted nor swapped to.
            options.custom_flags(OFlags::EXCL.bits().cast_signed());
        }
        let mut file = options.open(path).map_err(|error| match error.kind() {
            io::ErrorKind::ResourceBusy => OpenError::InUse(path.into()),
            _ => io(error),
        })?;
        lock(&file, access).map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::InUse(path.into()),
            TryLockError::Error(error) => io(error),
        })?;
        Ok(Self(Arc::new(Disk {
            bytes: file.seek(SeekFrom::End(0)).map_err(io)?,
            file,
            path: path.into(),
            access,
            cache: BlockCache::new(),
            failure: Failure::new(),
            overlay: Overlay::default(),
            // What another program has left in the page cache counts as one.
            written: AtomicU64::new(1),
            durable: AtomicU64::new(0),
        })))
    }

    /// The size in bytes; a part of a block at the end is not part of the device.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// The path that was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }
}

fn lock(file: &File, access: Access) -> core::result::Result<(), TryLockError> {
    let give_up = Instant::now() + LOCK_PATIENCE;
    loop {
        let result = match access {
            Access::Read | Access::DryRun => file.try_lock_shared(),
            Access::Write => file.try_lock(),
        };
        match result {
            Err(TryLockError::WouldBlock) if Instant::now() < give_up => {
                std::thread::sleep(Duration::from_millis(20));
            }
            result => return result,
        }
    }
}

impl Disk {
    /// The byte at which `block` starts, where it lies on the device.
    fn place(&self, block: BlockNo) -> Result<u64> {
        let size = length(FileDisk::BLOCK_SIZE);
        let start = block.0.checked_mul(size).ok_or(Errno::EIO)?;
        self.range(start, FileDisk::BLOCK_SIZE)?;
        Ok(start)
    }

    fn range(&self, offset: u64, len: usize) -> Result {
        match offset.checked_add(length(len)) {
            Some(end) if end <= self.bytes => Ok(()),
            _ => Err(self.failed("access", offset, &"behind the end of the device")),
        }
    }

    fn writable(&self) -> Result {
        self.failure.check()?;
        match self.access {
            Access::Read => Err(Errno::EROFS),
            Access::Write | Access::DryRun => Ok(()),
        }
    }

    fn failed(&self, what: &str, offset: u64, why: &dyn core::fmt::Display) -> Errno {
        log::error!("{}: {what} at byte {offset}: {why}", self.path.display());
        Errno::EIO
    }

    /// Makes what has been written durable; does nothing where all of it is.
    fn sync(&self) -> Result {
        if self.access != Access::Write {
            return Ok(());
        }
        let written = self.written.load(Ordering::SeqCst);
        if self.durable.load(Ordering::SeqCst) == written {
            return Ok(());
        }
        let synced = self.file.sync_data();
        synced.map_err(|e| self.failed("flush", 0, &e))?;
        // Another task may have flushed more meanwhile.
        self.durable.fetch_max(written, Ordering::SeqCst);
        Ok(())
    }

    fn put(&self, offset: u64, data: &[u8]) -> Result {
        if self.access == Access::DryRun {
            return self.overlay.write(offset, data, |start| {
                let mut bytes = vec![0; FileDisk::BLOCK_SIZE].into_boxed_slice();
                self.fetch_from_file(start, &mut bytes)?;
                Ok(bytes)
            });
        }
        if data.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all_at(data, offset);
        // A part of it may be there even if it failed.
        self.written.fetch_add(1, Ordering::SeqCst);
        written.map_err(|error| self.failed("write", offset, &error))
    }

    fn fetch(&self, offset: u64, out: &mut [u8]) -> Result {
        self.fetch_from_file(offset, out)?;
        self.overlay.cover(offset, out);
        Ok(())
    }

    fn fetch_from_file(&self, offset: u64, out: &mut [u8]) -> Result {
        let read = self.file.read_exact_at(out, offset);
        read.map_err(|error| self.failed("read", offset, &error))
    }
}

fn length(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

impl BlockDevice for FileDisk {
    type Buf = CachedBlock;

    fn blocks(&self) -> u64 {
        self.0.bytes / length(Self::BLOCK_SIZE)
    }

    fn read_only(&self) -> bool {
        self.0.access == Access::Read
    }

    fn read(&self, block: BlockNo) -> Result<CachedBlock> {
        self.0.failure.check()?;
        let start = self.0.place(block)?;
        self.0.cache.get(block, || {
            let mut bytes = vec![0; Self::BLOCK_SIZE].into_boxed_slice();
            self.0.fetch(start, &mut bytes)?;
            Ok(bytes)
        })
    }

    fn zeroed(&self, block: BlockNo) -> Result<CachedBlock> {
        use bento::BlockBuf;
        self.0.failure.check()?;
        self.0.place(block)?;
        let zeros = || Ok(vec![0; Self::BLOCK_SIZE].into_boxed_slice());
        let cached = self.0.cache.get(block, zeros)?;
        cached.bytes_mut()?.fill(0);
        Ok(cached)
    }

    fn write(&self, writes: &[BlockWrite<'_>], order: WriteOrder) -> Result {
        self.0.writable()?;
        if order == WriteOrder::Barrier {
            self.0.sync()?;
        }
        let mut run = Vec::new();
        let mut run_start = 0;
        for write in writes {
            let start = self.0.place(write.target)?;
            if write.data.len() != Self::BLOCK_SIZE {
                return Err(self.0.failed("write", start, &"not one block of data"));
            }
            if start != run_start + length(run.len()) || run.len() >= WRITE_RUN {
                self.0.put(run_start, &run)?;
                run.clear();
                run_start = start;
            }
            run.extend_from_slice(write.data);
        }
        self.0.put(run_start, &run)?;
        match order {
            WriteOrder::Any => Ok(()),
            WriteOrder::Barrier => self.0.sync(),
        }
    }

    fn flush(&self) -> Result {
        self.0.failure.check()?;
        match self.0.access {
            Access::Read | Access::DryRun => Ok(()),
            Access::Write => self.0.sync(),
        }
    }

    /// An image file gets holes, a block device is asked to unmap.
    fn discard(&self, block: BlockNo, count: u64) -> Result {
        self.0.writable()?;
        let behind = block.0.checked_add(count).ok_or(Errno::EIO)?;
        if behind > self.blocks() {
            return Err(self.0.failed("discard", 0, &"behind the end of the device"));
        }
        if count == 0 || self.0.access == Access::DryRun {
            return Ok(());
        }
        let size = length(Self::BLOCK_SIZE);
        let (offset, len) = (block.0 * size, count * size);
        let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match fallocate(&self.0.file, how, offset, len) {
            Err(rustix::io::Errno::OPNOTSUPP) => Err(Errno::EOPNOTSUPP),
            result => result.map_err(|error| self.0.failed("discard", offset, &error)),
        }
    }
}

impl DataDevice for FileDisk {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result {
        self.0.failure.check()?;
        self.0.range(offset, out.len())?;
        self.0.fetch(offset, out)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result {
        self.0.writable()?;
        self.0.range(offset, data.len())?;
        self.0.put(offset, data)
    }
}

impl HostDevice for FileDisk {
    fn failure(&self) -> Failure {
        self.0.failure.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, FileDisk, Ordering};
    use bento::mapped::DataDevice;
    use bento::{BlockDevice, BlockNo, BlockWrite, WriteOrder};

    #[test]
    fn a_flush_is_for_writes_since_the_last_one() {
        let name = format!("bento-disk-{}-flush", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, [0; 8192]).expect("a temporary file");
        let disk = FileDisk::open(&path, Access::Write).expect("nobody else uses it");
        std::fs::remove_file(&path).expect("it is there");
        let counts = || [&disk.0.written, &disk.0.durable].map(|n| n.load(Ordering::SeqCst));
        assert_eq!(counts(), [1, 0], "others may have written before");
        disk.flush().expect("works");
        assert_eq!(counts(), [1, 1]);
        disk.write_at(10, &[1]).expect("inside");
        let block = BlockWrite {
            target: BlockNo(1),
            data: &[2; 4096],
        };
        disk.write(&[block], WriteOrder::Any).expect("inside");
        assert_eq!(counts(), [3, 1]);
        disk.write(&[block], WriteOrder::Barrier).expect("inside");
        assert_eq!(counts(), [4, 4], "a barrier is a flush, too");
        disk.flush().expect("works");
        assert_eq!(counts(), [4, 4]);
    }
}
