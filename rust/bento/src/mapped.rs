// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Read, write, truncate and fallocate of a mapped file system, for hosts without iomap.
//!
//! In the kernel `bentofs` and iomap move file data, and the file system only answers where it
//! lies ([`FileSystem::map`], [`FileSystem::allocate`], [`FileSystem::commit`]). These functions
//! do the same on top of a device with positional I/O, in the same order: space is taken as
//! unwritten, data goes to the device, and only then `commit` makes it visible. So both builds
//! run the same file-system code and share one image.
//!
//! There is no cache here: when [`write()`] returns, the size that `getattr` reports is the size in
//! use. The caller holds the inode shared for [`read`] and [`seek`], else exclusively.

mod fallocate;

pub use fallocate::fallocate;

use crate::{
    BlockDevice, Errno, Extent, ExtentKind, FileSystem, NoDevice, OpSet, Request, Result, SetAttr,
    SetAttrMask,
};

/// A device whose bytes a host can read and write directly, past the cache of metadata blocks.
///
/// Every method may sleep.
pub trait DataDevice: BlockDevice {
    /// Fills `out` from byte `offset` of the device.
    ///
    /// # Errors
    /// `EIO` where the device fails or the range does not lie on it.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result;

    /// Writes `data` at byte `offset` of the device. Durable after [`BlockDevice::flush`].
    ///
    /// # Errors
    /// As [`DataDevice::read_at`]; `EROFS`.
    fn write_at(&self, offset: u64, data: &[u8]) -> Result;
}

impl DataDevice for NoDevice {
    fn read_at(&self, _: u64, _: &mut [u8]) -> Result {
        Err(Errno::EIO)
    }
    fn write_at(&self, _: u64, _: &[u8]) -> Result {
        Err(Errno::EIO)
    }
}

/// A file of a mapped file system: the instance, the node, and the device of both.
#[derive(Debug)]
pub struct MappedFile<'a, F: FileSystem> {
    /// The file system.
    pub fs: &'a F,
    /// The file.
    pub node: &'a F::Node,
    /// The device that the file system lives on.
    pub dev: &'a F::Device,
}

impl<F: FileSystem> Clone for MappedFile<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: FileSystem> Copy for MappedFile<'_, F> {}

/// What [`seek`] looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeekTo {
    /// The next byte that is stored (`SEEK_DATA`).
    Data,
    /// The next byte that is not, or the end of the file (`SEEK_HOLE`).
    Hole,
}

/// Reads from byte `offset` on; short only at the end of the file.
///
/// # Errors
/// Those of [`FileSystem::map`] and [`DataDevice::read_at`].
pub fn read<F>(file: MappedFile<'_, F>, offset: u64, out: &mut [u8]) -> Result<usize>
where
    F: FileSystem<Device: DataDevice>,
{
    let left = file.size()?.saturating_sub(offset);
    let len = usize::try_from(left).map_or(out.len(), |left| left.min(out.len()));
    let mut rest = out.get_mut(..len).unwrap_or_default();
    let mut pos = offset;
    while !rest.is_empty() {
        let extent = file.map(pos, length(rest))?;
        let (part, tail) = rest.split_at_mut(run_in(&extent, pos, rest.len())?);
        match extent.kind {
            ExtentKind::Hole | ExtentKind::Unwritten(_) => part.fill(0),
            ExtentKind::Mapped(device) => file.dev.read_at(place(&extent, device, pos)?, part)?,
        }
        pos = end_of(pos, part)?;
        rest = tail;
    }
    Ok(len)
}

/// Writes `data` at byte `offset` and extends the file where needed. A gap between the old end
/// and `offset` reads as zeros. Times are left alone.
///
/// Returns how much was written: less than `data` where an error came after the first part.
///
/// # Errors
/// `EFBIG` where `offset` is not below the largest file size; those of the file system and of the
/// device where nothing was written.
pub fn write<F>(file: MappedFile<'_, F>, req: &Request, offset: u64, data: &[u8]) -> Result<usize>
where
    F: FileSystem<Device: DataDevice>,
{
    let room = F::MAX_FILE_SIZE.saturating_sub(offset);
    let len = usize::try_from(room).map_or(data.len(), |room| room.min(data.len()));
    if len == 0 && !data.is_empty() {
        return Err(Errno::EFBIG);
    }
    let size = file.size()?;
    if size < offset && len > 0 {
        zero_tail(file, size, offset)?;
    }
    let mut rest = data.get(..len).unwrap_or_default();
    let mut pos = offset;
    while !rest.is_empty() {
        match write_run(file, req, pos, rest) {
            Ok(done) => {
                (_, rest) = rest.split_at(done);
                pos += u64::try_from(done).map_err(|_| Errno::EFBIG)?;
            }
            // What is written stays written: the caller gets the error with its next write.
            Err(_) if pos > offset => break,
            Err(error) => return Err(error),
        }
    }
    Ok(len - rest.len())
}

/// Sets attributes, the size included: [`FileSystem::setattr`] with the zeroing of the partial
/// last block that its contract leaves to the host, and called again as long as it asks for it.
///
/// # Errors
/// `EFBIG`, and those of the file system and of the device.
pub fn setattr<F>(file: MappedFile<'_, F>, req: &Request, set: &SetAttr) -> Result
where
    F: FileSystem<Device: DataDevice>,
{
    if set.mask.contains(SetAttrMask::SIZE) {
        if set.size > F::MAX_FILE_SIZE {
            return Err(Errno::EFBIG);
        }
        // Shrinking: what would stay behind the end must not come back when the file grows.
        // Growing: the same for a tail that an earlier host (or a crash) has left.
        zero_tail(file, file.size()?.min(set.size), u64::MAX)?;
    }
    loop {
        match file.fs.setattr(req, file.node, set) {
            Err(Errno::EAGAIN) => {}
            result => return result,
        }
    }
}

/// Where the next data or hole at or behind `offset` begins. The end of the file counts as a
/// hole; unwritten space does, too.
///
/// # Errors
/// `ENXIO` where `offset` is not inside the file, or no data follows.
pub fn seek<F: FileSystem>(file: MappedFile<'_, F>, offset: u64, to: SeekTo) -> Result<u64> {
    let size = file.size()?;
    let mut pos = offset;
    while pos < size {
        let extent = file.map(pos, size - pos)?;
        run_in(&extent, pos, 1)?;
        let found = match extent.kind {
            ExtentKind::Mapped(_) => SeekTo::Data,
            ExtentKind::Hole | ExtentKind::Unwritten(_) => SeekTo::Hole,
        };
        if found == to {
            return Ok(pos);
        }
        pos = extent.end().unwrap_or(u64::MAX);
    }
    match to {
        SeekTo::Hole if offset < size => Ok(size),
        _ => Err(Errno::ENXIO),
    }
}

/// Makes the file durable, data and inode.
///
/// # Errors
/// Those of [`FileSystem::fsync`], or of the flush where the file system has no `fsync`.
pub fn fsync<F: FileSystem>(file: MappedFile<'_, F>, req: &Request, datasync: bool) -> Result {
    if F::OPS.contains(OpSet::SYNC) {
        file.fs.fsync(req, file.node, datasync)
    } else {
        file.dev.flush()
    }
}

impl<F: FileSystem> MappedFile<'_, F> {
    /// The size of a block; it fits, for no block is larger than memory.
    fn block() -> u64 {
        u64::try_from(F::Device::BLOCK_SIZE).unwrap_or(u64::MAX)
    }

    fn size(self) -> Result<u64> {
        Ok(self.fs.getattr(self.node)?.size)
    }

    fn map(self, offset: u64, len: u64) -> Result<Extent> {
        self.fs.map(self.node, offset, len)
    }
}

/// Writes the first part of `data` that lies in one extent; returns its length.
fn write_run<F>(file: MappedFile<'_, F>, req: &Request, pos: u64, data: &[u8]) -> Result<usize>
where
    F: FileSystem<Device: DataDevice>,
{
    let mut extent = file.map(pos, length(data))?;
    if extent.kind == ExtentKind::Hole {
        extent = file.fs.allocate(req, file.node, pos, length(data))?;
    }
    let len = run_in(&extent, pos, data.len())?;
    let (data, _) = data.split_at(len);
    let end = end_of(pos, data)?;
    match extent.kind {
        ExtentKind::Hole => return Err(broken(&extent, pos)),
        ExtentKind::Mapped(device) => {
            file.dev.write_at(place(&extent, device, pos)?, data)?;
            if end > file.size()? {
                file.fs.commit(req, file.node, pos, length(data), end)?;
            }
        }
        ExtentKind::Unwritten(device) => {
            // The whole blocks become visible: what lies around the data in them must be zeros.
            let block = MappedFile::<F>::block();
            let (first, last) = (pos - pos % block, end.next_multiple_of(block));
            write_zeros(file.dev, place(&extent, device, first)?, pos - first)?;
            file.dev.write_at(place(&extent, device, pos)?, data)?;
            write_zeros(file.dev, place(&extent, device, end)?, last - end)?;
            file.fs.commit(req, file.node, first, last - first, end)?;
        }
    }
    Ok(len)
}

/// Fills the block around `from` with zeros, from there to its end or to `until`.
fn zero_tail<F>(file: MappedFile<'_, F>, from: u64, until: u64) -> Result
where
    F: FileSystem<Device: DataDevice>,
{
    let block_end = from.next_multiple_of(MappedFile::<F>::block()).min(until);
    if from == block_end {
        return Ok(());
    }
    let extent = file.map(from, block_end - from)?;
    run_in(&extent, from, 1)?;
    match extent.kind {
        ExtentKind::Hole | ExtentKind::Unwritten(_) => Ok(()),
        ExtentKind::Mapped(device) => {
            write_zeros(file.dev, place(&extent, device, from)?, block_end - from)
        }
    }
}

fn write_zeros<D: DataDevice>(dev: &D, offset: u64, len: u64) -> Result {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut done = 0;
    while done < len {
        let some = usize::try_from(len - done).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
        let (zeros, _) = ZEROS.split_at(some);
        dev.write_at(offset + done, zeros)?;
        done += length(zeros);
    }
    Ok(())
}

/// How many of `len` bytes at `pos` lie in `extent`: at least one.
fn run_in(extent: &Extent, pos: u64, len: usize) -> Result<usize> {
    let end = extent.end().ok_or_else(|| broken(extent, pos))?;
    if extent.offset > pos || end <= pos {
        return Err(broken(extent, pos));
    }
    Ok(usize::try_from(end - pos).map_or(len, |run| run.min(len)))
}

/// Where byte `pos` of the file lies, in an extent that starts at byte `device` of the device.
fn place(extent: &Extent, device: u64, pos: u64) -> Result<u64> {
    let distance = pos.checked_sub(extent.offset);
    let place = distance.and_then(|distance| device.checked_add(distance));
    place.ok_or_else(|| broken(extent, pos))
}

/// A file system that answers with an extent that does not hold the byte asked for is broken, or
/// its disk is; reading or writing there would touch the data of others.
fn broken(extent: &Extent, pos: u64) -> Errno {
    log::error!("the file system answered {extent:?} for byte {pos} of a file");
    Errno::EIO
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn end_of(pos: u64, bytes: &[u8]) -> Result<u64> {
    pos.checked_add(length(bytes)).ok_or(Errno::EFBIG)
}
