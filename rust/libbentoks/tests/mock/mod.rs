// SPDX-License-Identifier: GPL-2.0-only
//! The services of bentofs in user space, with what tests want to know about their use.
//!
//! Shared by the tests of `libbentoks` and `libbentofs`. One thread per device; locks never wait.

use bento_sys::{bento_buf, bento_dev, bento_state, bento_write};
use core::ffi::{c_int, c_void};
use std::collections::BTreeMap;
use std::sync::Mutex;

const BLOCK: usize = 4096;

/// One cached block; its address is the handle.
struct Cached {
    lock: u32,
    count: u64,
    data: [u8; BLOCK],
}

/// A device in memory with a cache above it.
#[derive(Default)]
pub(crate) struct MockDisk {
    /// What a crash would leave.
    pub(crate) medium: BTreeMap<u64, Vec<u8>>,
    /// Size in blocks.
    pub(crate) blocks: u64,
    /// Groups of targets, in the order of the writes, with their flags.
    pub(crate) writes: Vec<(Vec<u64>, u32)>,
    /// Ranges of blocks that were discarded.
    pub(crate) discards: Vec<(u64, u64)>,
    /// What the last reading asked for besides.
    pub(crate) ahead: u32,
    /// How often it was flushed.
    pub(crate) flushes: u32,
    /// What the next service returns instead of doing anything, once; 0 for nothing.
    pub(crate) fail: c_int,
    cache: BTreeMap<u64, Box<Cached>>,
}

impl MockDisk {
    /// An empty device of `blocks` blocks.
    pub(crate) fn new(blocks: u64) -> Box<Self> {
        Box::new(Self {
            blocks,
            ..Self::default()
        })
    }

    /// As the services take it.
    pub(crate) fn raw(&mut self) -> *mut bento_dev {
        (&raw mut *self).cast()
    }

    /// Handles of blocks that were not given back.
    pub(crate) fn held(&self) -> u64 {
        self.cache.values().map(|block| block.count).sum()
    }

    /// The lock word of a cached block.
    pub(crate) fn lock_word(&self, block: u64) -> u32 {
        self.cache.get(&block).map_or(0, |cached| cached.lock)
    }

    fn get(&mut self, block: u64, zero: bool, out: &mut bento_buf) -> c_int {
        if self.fail != 0 {
            return core::mem::take(&mut self.fail);
        }
        if block >= self.blocks {
            return -5;
        }
        let on_medium = self.medium.get(&block);
        let cached = self.cache.entry(block).or_insert_with(|| {
            let mut data = [0; BLOCK];
            if let Some(bytes) = on_medium {
                data.copy_from_slice(bytes);
            }
            Box::new(Cached {
                lock: 0,
                count: 0,
                data,
            })
        });
        if zero {
            cached.data.fill(0);
        }
        cached.count += 1;
        out.data = cached.data.as_mut_ptr();
        out.lock = &raw mut cached.lock;
        out.handle = (&raw mut **cached).addr() as u64;
        0
    }
}

/// # Safety
/// `dev` came from `MockDisk::raw()`.
unsafe fn disk<'a>(dev: *const bento_dev) -> &'a mut MockDisk {
    // SAFETY: the caller guarantees it; tests use a device on one thread.
    unsafe { &mut *dev.cast_mut().cast::<MockDisk>() }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bento_ks_dev_blocks(dev: *const bento_dev) -> u64 {
    // SAFETY: the contract of the service.
    unsafe { disk(dev) }.blocks
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bento_ks_dev_read_only(_dev: *const bento_dev) -> u32 {
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bento_ks_buf_read(
    dev: *mut bento_dev,
    no: u64,
    ahead: u32,
    out: *mut bento_buf,
) -> c_int {
    // SAFETY: the contract of the service.
    let out = unsafe { &mut *out };
    // SAFETY: the contract of the service.
    unsafe { disk(dev) }.ahead = ahead;
    // SAFETY: the contract of the service.
    unsafe { disk(dev) }.get(no, false, out)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bento_ks_buf_zeroed(
    dev: *mut bento_dev,
    no: u64,
    out: *mut bento_buf,
) -> c_int {
    // SAFETY: the contract of the service.
    let out = unsafe { &mut *out };
    // SAFETY: the contract of the service.
    unsafe { disk(dev) }.get(no, true, out)
}

fn cached(handle: u64) -> *mut Cached {
    core::ptr::with_exposed_provenance_mut(usize::try_from(handle).expect("64-bit host"))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bento_ks_buf_get(handle: u64) {
    // SAFETY: the block is counted, so it is in the cache.
    unsafe { (*cached(handle)).count += 1 };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bento_ks_buf_put(handle: u64) {
    // SAFETY: the block is counted, so it is in the cache.
    let block = unsafe { &mut *cached(handle) };
    block.count = block.count.checked_sub(1).expect("put without get");
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bento_ks_write(
    dev: *mut bento_dev,
    writes: *const bento_write,
    count: u32,
    flags: u32,
) -> c_int {
    // SAFETY: the contract of the service.
    let disk = unsafe { disk(dev) };
    if disk.fail != 0 {
        return core::mem::take(&mut disk.fail);
    }
    // SAFETY: the contract of the service.
    let writes = unsafe { core::slice::from_raw_parts(writes, count as usize) };
    for write in writes {
        // SAFETY: the contract of the service: a whole block.
        let data = unsafe { core::slice::from_raw_parts(write.data, BLOCK) };
        disk.medium.insert(write.block, data.to_vec());
    }
    let targets = writes.iter().map(|write| write.block).collect();
    disk.writes.push((targets, flags));
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bento_ks_flush(dev: *mut bento_dev) -> c_int {
    // SAFETY: the contract of the service.
    let disk = unsafe { disk(dev) };
    disk.flushes += 1;
    core::mem::take(&mut disk.fail)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bento_ks_discard(dev: *mut bento_dev, block: u64, count: u64) -> c_int {
    // SAFETY: the contract of the service.
    let disk = unsafe { disk(dev) };
    disk.discards.push((block, count));
    core::mem::take(&mut disk.fail)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bento_ks_state_write(
    state: *mut bento_state,
    data: *const u8,
    len: u64,
) -> c_int {
    // SAFETY: the contract of the service.
    let data = unsafe { core::slice::from_raw_parts(data, usize::try_from(len).expect("64 bit")) };
    // SAFETY: tests pass a `Vec<u8>`.
    unsafe { &mut *state.cast::<Vec<u8>>() }.extend_from_slice(data);
    0
}

/// What was logged: level and text.
pub(crate) static LOG: Mutex<Vec<(u32, String)>> = Mutex::new(Vec::new());

#[unsafe(no_mangle)]
unsafe extern "C" fn bento_ks_log(_: *mut bento_dev, level: u32, text: *const u8, len: u32) {
    // SAFETY: the contract of the service.
    let text = unsafe { core::slice::from_raw_parts(text, len as usize) };
    let text = String::from_utf8_lossy(text).into_owned();
    LOG.lock().expect("no test panics here").push((level, text));
}

#[unsafe(no_mangle)]
extern "C" fn bento_ks_lock_wait(_word: *const u32, _expected: u32) -> c_int {
    panic!("a lock is held for good: there is one thread");
}

#[unsafe(no_mangle)]
extern "C" fn bento_ks_lock_wake(_word: *const u32) {}

#[unsafe(no_mangle)]
extern "C" fn bento_ks_panicking() -> u32 {
    u32::from(std::thread::panicking())
}

/// A heap of its own, for `KernelAlloc` under test.
fn layout(size: u64, align: u64) -> core::alloc::Layout {
    let (size, align) = (size as usize, align as usize);
    core::alloc::Layout::from_size_align(size + 4096, align.max(16)).expect("sane")
}

#[unsafe(no_mangle)]
extern "C" fn bento_ks_alloc(size: u64, align: u64) -> *mut c_void {
    // SAFETY: the size is not zero.
    unsafe { std::alloc::alloc(layout(size, align)) }.cast()
}

#[unsafe(no_mangle)]
extern "C" fn bento_ks_alloc_zeroed(size: u64, align: u64) -> *mut c_void {
    // SAFETY: the size is not zero.
    unsafe { std::alloc::alloc_zeroed(layout(size, align)) }.cast()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bento_ks_realloc(
    memory: *mut c_void,
    old: u64,
    new: u64,
    align: u64,
) -> *mut c_void {
    let size = layout(new, align).size();
    // SAFETY: `memory` came from here with `old`.
    unsafe { std::alloc::realloc(memory.cast(), layout(old, align), size) }.cast()
}

#[unsafe(no_mangle)]
extern "C" fn bento_ks_free(_memory: *mut c_void) {
    // The size is not known here: leaked, as these are tests.
}
