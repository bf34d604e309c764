// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Shared file mappings, and buffers for `O_DIRECT`. The only file with unsafe code.
#![expect(
    unsafe_code,
    reason = "a mapping is memory that other processes and the kernel change; std has no name for it"
)]

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU8, Ordering};
use rustix::mm::{MapFlags, MsyncFlags, ProtFlags, mmap, msync, munmap};
use std::fs::File;
use std::io;

/// A `MAP_SHARED` mapping of a part of a file.
///
/// No reference to the mapped memory is ever made, because others change it at any time; all
/// access goes byte by byte through relaxed atomics. Access behind the end of the file raises
/// `SIGBUS`, which ends the process: the caller keeps the file long enough.
///
/// # Invariants
/// `start` is the address of a mapping of `len` bytes, readable and writable, which this value
/// owns until it is dropped.
#[derive(Debug)]
pub(crate) struct SharedMap {
    start: NonNull<u8>,
    len: usize,
}

impl SharedMap {
    /// Maps `len` > 0 bytes of `file` from `offset`, a multiple of the page size.
    pub(crate) fn new(file: &File, offset: u64, len: usize) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: with a null hint and without MAP_FIXED the kernel picks a free range, so no
        // memory that Rust knows is replaced; the result is checked by `?`.
        let start = unsafe { mmap(ptr::null_mut(), len, access, MapFlags::SHARED, file, offset) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        // INVARIANT: mmap succeeded, and nobody else knows the range.
        Ok(Self { start, len })
    }

    fn byte(&self, at: usize) -> &AtomicU8 {
        assert!(
            at < self.len,
            "byte {at} of a mapping of {} bytes",
            self.len
        );
        // SAFETY: `at` is below the length of the mapping (asserted), so the address is in it.
        let address = unsafe { self.start.add(at) };
        // SAFETY: the byte is mapped while `self` lives (invariant), an AtomicU8 needs no
        // alignment, and all accesses of this program to it are atomic.
        unsafe { AtomicU8::from_ptr(address.as_ptr()) }
    }

    /// Copies the bytes from `at` to `out`. Panics behind the end of the mapping.
    pub(crate) fn read(&self, at: usize, out: &mut [u8]) {
        for (i, byte) in out.iter_mut().enumerate() {
            *byte = self.byte(at + i).load(Ordering::Relaxed);
        }
    }

    /// Copies `data` to the bytes from `at`. Panics behind the end of the mapping.
    pub(crate) fn write(&self, at: usize, data: &[u8]) {
        for (i, &byte) in data.iter().enumerate() {
            self.byte(at + i).store(byte, Ordering::Relaxed);
        }
    }

    /// Writes what was changed to the file and waits (`msync` with `MS_SYNC`).
    pub(crate) fn sync(&self) -> io::Result<()> {
        let start = self.start.as_ptr().cast::<c_void>();
        // SAFETY: the range is exactly the mapping that `self` owns (invariant); msync does not
        // change memory.
        unsafe { msync(start, self.len, MsyncFlags::SYNC) }?;
        Ok(())
    }
}

impl Drop for SharedMap {
    fn drop(&mut self) {
        let start = self.start.as_ptr().cast::<c_void>();
        // SAFETY: `self` owns the range (invariant) and gave out no reference that outlives it.
        let unmapped = unsafe { munmap(start, self.len) };
        debug_assert_eq!(unmapped, Ok(()), "munmap of an owned mapping");
    }
}

/// A buffer whose content starts at a multiple of 4096, as `O_DIRECT` asks for.
#[derive(Debug)]
pub(crate) struct AlignedBuf {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl AlignedBuf {
    /// `len` zero bytes.
    pub(crate) fn new(len: usize) -> Self {
        let memory = vec![0; len + 4095];
        let start = memory.as_ptr().align_offset(4096);
        Self { memory, start, len }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::{AlignedBuf, SharedMap};
    use std::fs;
    use std::os::unix::fs::FileExt;

    #[test]
    fn stores_reach_the_file() {
        let path = std::env::temp_dir().join(format!("stress-mmap-{}", std::process::id()));
        let file = fs::File::create_new(&path).expect("a new file");
        drop(file);
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .expect("the file");
        file.write_all_at(&[1; 8192], 0).expect("8 KiB");
        let map = SharedMap::new(&file, 4096, 4096).expect("a mapping of the second page");
        map.write(10, b"hello");
        map.sync().expect("msync");
        let mut got = [0; 5];
        file.read_exact_at(&mut got, 4106).expect("the bytes");
        assert_eq!(&got, b"hello");
        map.read(10, &mut got);
        assert_eq!(&got, b"hello");
        fs::remove_file(&path).expect("the file goes");
    }

    #[test]
    fn buffers_are_aligned() {
        for len in [1, 512, 4096, 65536] {
            let mut buf = AlignedBuf::new(len);
            assert_eq!(buf.bytes().as_ptr().align_offset(4096), 0);
            assert_eq!(buf.bytes_mut().len(), len);
        }
    }
}
