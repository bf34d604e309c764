// SPDX-License-Identifier: GPL-2.0-only
//! `KernelDisk` and its blocks over services in memory.

mod mock;

use bento::{BlockBuf, BlockDevice, BlockNo, BlockWrite, Errno, WriteOrder};
use core::panic::AssertUnwindSafe;
use libbentoks::{KernelDevice, KernelDisk};
use mock::MockDisk;

fn open(device: &mut MockDisk) -> KernelDisk {
    // SAFETY: each test drops the disk and its blocks before the device.
    unsafe { KernelDisk::from_raw(device.raw()) }.expect("not NULL")
}

#[test]
fn no_device_is_refused() {
    // SAFETY: NULL is allowed.
    let disk = unsafe { KernelDisk::from_raw(core::ptr::null_mut()) };
    assert_eq!(disk.err(), Some(Errno::EINVAL));
}

#[test]
fn a_changed_block_is_shared_and_stays_in_the_cache_until_written() {
    let mut device = MockDisk::new(10);
    device.medium.insert(3, vec![7; 4096]);
    let disk = open(&mut device);
    let block = disk.read(BlockNo(3)).expect("inside");
    let again = disk.read(BlockNo(3)).expect("inside");
    assert_eq!((block.block(), disk.blocks()), (BlockNo(3), 10));
    block.bytes_mut().expect("free")[0] = 9;
    assert_eq!(&again.bytes().expect("free")[..2], [9, 7]);
    assert_eq!(device.medium[&3][0], 7);
    let data = block.bytes().expect("free");
    let target = BlockNo(8);
    let write = BlockWrite {
        target,
        data: &data,
    };
    disk.write(&[write, write], WriteOrder::Any).expect("works");
    disk.write(&[write], WriteOrder::Barrier).expect("works");
    disk.flush().expect("works");
    assert_eq!((device.medium[&8][0], device.medium[&3][0]), (9, 7));
    assert_eq!(device.writes, [(vec![8, 8], 0), (vec![8], 1)]);
    assert_eq!(device.flushes, 1);
}

#[test]
fn what_to_read_ahead_reaches_the_service() {
    let mut device = MockDisk::new(10);
    let disk = open(&mut device);
    disk.read_ahead(BlockNo(3), 6).expect("inside");
    assert_eq!(device.ahead, 6);
    disk.read(BlockNo(3)).expect("inside");
    assert_eq!(device.ahead, 0);
}

#[test]
fn a_zeroed_block_forgets_what_was_cached() {
    let mut device = MockDisk::new(1);
    let disk = open(&mut device);
    let block = disk.read(BlockNo(0)).expect("inside");
    block.bytes_mut().expect("free").fill(1);
    let zeroed = disk.zeroed(BlockNo(0)).expect("inside");
    assert!(zeroed.bytes().expect("free").iter().all(|byte| *byte == 0));
}

#[test]
fn every_handle_and_every_lock_is_given_back() {
    let mut device = MockDisk::new(2);
    let disk = open(&mut device);
    let block = disk.read(BlockNo(1)).expect("inside");
    let copy = block.clone();
    assert_eq!(device.held(), 2);
    {
        let _one = block.bytes().expect("free");
        let _two = copy.bytes().expect("readers share");
        // Readers are counted above the four bits for writer, waiters, poison and mark.
        assert_eq!(device.lock_word(1), 2 << 4);
    }
    drop(block.bytes_mut().expect("free"));
    assert_eq!(device.lock_word(1), 0);
    drop((block, copy));
    assert_eq!(device.held(), 0);
}

#[test]
fn errors_come_through_and_leave_nothing_behind() {
    let mut device = MockDisk::new(2);
    let disk = open(&mut device);
    assert_eq!(disk.read(BlockNo(2)).err(), Some(Errno::EIO));
    device.fail = -12;
    assert_eq!(disk.zeroed(BlockNo(0)).err(), Some(Errno::ENOMEM));
    device.fail = -30;
    let (target, data) = (BlockNo(0), &[0; 4096][..]);
    let write = [BlockWrite { target, data }];
    assert_eq!(disk.write(&write, WriteOrder::Any), Err(Errno::EROFS));
    let data = &data[1..];
    let short = [BlockWrite { target, data }];
    assert_eq!(disk.write(&short, WriteOrder::Any), Err(Errno::EINVAL));
    device.fail = -5;
    assert_eq!(disk.flush(), Err(Errno::EIO));
    assert_eq!((device.held(), device.writes.len()), (0, 0));
}

#[test]
fn a_panic_while_a_block_is_being_changed_poisons_it() {
    let mut device = MockDisk::new(2);
    let disk = open(&mut device);
    let block = disk.read(BlockNo(0)).expect("inside");
    let caught = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let _bytes = block.bytes_mut().expect("free");
        device.fail = 1;
        bento_sync::panicking::begin();
        disk.read(BlockNo(1)).map(|_| ())
    }));
    bento_sync::panicking::end();
    assert!(caught.is_err(), "fault injection panics in the service");
    assert_eq!(block.bytes().err(), Some(Errno::EIO));
    assert_eq!(block.bytes_mut().err(), Some(Errno::EIO));
    drop(block);
    assert_eq!(device.held(), 0);
}

#[test]
fn a_log_message_is_one_clean_line_with_crate_and_level() {
    libbentoks::logger::init();
    log::warn!(target: "xv6::superblock", "bad name {:?} in\nblock {}", "a\x07b", 5);
    log::debug!("not shown by default");
    // A message that names its crate, for hosts that do not, shows it once.
    log::error!(target: "journal::state", "journal: commit failed");
    let text = r#"xv6: bad name "a\u{7}b" in block 5"#;
    let log = mock::LOG.lock().expect("no test panics here");
    let lines = [
        (2, text.to_owned()),
        (1, "journal: commit failed".to_owned()),
    ];
    assert_eq!(*log, lines);
}

#[test]
fn the_allocator_grows_and_aligns() {
    use core::alloc::{GlobalAlloc, Layout};
    let heap = libbentoks::memory::KernelAlloc;
    let layout = Layout::from_size_align(100, 64).expect("valid");
    // SAFETY: the size is not zero.
    let memory = unsafe { heap.alloc_zeroed(layout) };
    assert!(!memory.is_null() && memory.addr() % 64 == 0);
    // SAFETY: `memory` came from this allocator with `layout`.
    let grown = unsafe { heap.realloc(memory, layout, 5000) };
    // SAFETY: the first 100 bytes were zeroed and carried over.
    let bytes = unsafe { core::slice::from_raw_parts(grown, 100) };
    assert!(bytes.iter().all(|byte| *byte == 0));
    let layout = Layout::from_size_align(5000, 64).expect("valid");
    // SAFETY: `grown` came from this allocator with that layout.
    unsafe { heap.dealloc(grown, layout) };
}
