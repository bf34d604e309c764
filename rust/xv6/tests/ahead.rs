// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Metadata that lies in one piece comes from the device in few requests.

mod host;

use bento::mapped::DataDevice;
use bento::prelude::*;
use bento::{BlockWrite, WriteOrder};
use bento_sim::MemDisk;
use host::{Host, PLAIN, formatted};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use xv6::FormatOptions;

/// A disk whose cache starts empty and keeps everything, and which counts what it is asked for.
#[derive(Clone)]
struct Counted {
    disk: MemDisk,
    cached: Arc<Mutex<BTreeSet<u64>>>,
    requests: Arc<Mutex<Vec<(u64, u32)>>>,
}

impl Counted {
    fn new(disk: MemDisk) -> Self {
        Self {
            disk,
            cached: Arc::default(),
            requests: Arc::default(),
        }
    }

    /// The requests since the last call: first block, and blocks behind it.
    fn requests(&self) -> Vec<(u64, u32)> {
        core::mem::take(&mut *self.requests.lock().expect("one thread"))
    }
}

impl BlockDevice for Counted {
    type Buf = <MemDisk as BlockDevice>::Buf;

    fn blocks(&self) -> u64 {
        self.disk.blocks()
    }
    fn read_only(&self) -> bool {
        self.disk.read_only()
    }
    fn read(&self, block: BlockNo) -> Result<Self::Buf> {
        self.read_ahead(block, 0)
    }
    fn read_ahead(&self, block: BlockNo, ahead: u32) -> Result<Self::Buf> {
        let mut cached = self.cached.lock().expect("one thread");
        if cached.insert(block.0) {
            cached.extend(block.0..=block.0 + u64::from(ahead));
            let mut requests = self.requests.lock().expect("one thread");
            requests.push((block.0, ahead));
        }
        self.disk.read(block)
    }
    fn zeroed(&self, block: BlockNo) -> Result<Self::Buf> {
        self.cached.lock().expect("one thread").insert(block.0);
        self.disk.zeroed(block)
    }
    fn write(&self, writes: &[BlockWrite<'_>], order: WriteOrder) -> Result {
        self.disk.write(writes, order)
    }
    fn flush(&self) -> Result {
        self.disk.flush()
    }
}

impl DataDevice for Counted {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result {
        self.disk.read_at(offset, out)
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> Result {
        self.disk.write_at(offset, data)
    }
}

#[test]
fn a_mount_reads_a_bitmap_by_the_megabyte() {
    // 62 blocks of bitmap for blocks, and twice 31 for inodes.
    let disk = MemDisk::new(2_000_000);
    let options = FormatOptions {
        inodes: Some(1_000_000),
        log_blocks: Some(64),
        ..FormatOptions::default()
    };
    xv6::format(&disk, &options).expect("it fits");
    let disk = Counted::new(disk);
    let _host = Host::mount(disk.clone()).expect("clean");
    let requests = disk.requests();
    assert!(requests.len() <= 12, "{requests:?}");
    assert!(
        requests.iter().any(|(_, ahead)| *ahead == 61),
        "{requests:?}"
    );
}

#[test]
fn a_log_is_read_in_pieces() {
    let disk = formatted(2000);
    let host = Host::mount(disk.clone()).expect("clean");
    for n in 0..20 {
        host.create(&format!("d{n}")).expect("room");
        host.fs.sync(&host.req()).expect("works");
    }
    // Not unmounted: the log is still full.
    core::mem::forget(host);
    let disk = Counted::new(disk);
    let _host = Host::mount(disk.clone()).expect("recovers");
    let requests = disk.requests();
    assert!(requests.len() <= 14, "{requests:?}");
}

#[test]
fn cold_inodes_and_directories_come_with_their_neighbours() {
    let disk = formatted(2000);
    let host = Host::mount(disk.clone()).expect("clean");
    // Names of 200 bytes: 200 of them take some ten blocks.
    let names: Vec<_> = (0..200).map(|n| format!("{n:0>200}")).collect();
    for name in &names {
        host.create(name).expect("room");
    }
    host.fs.sync(&host.req()).expect("works");
    drop(host);
    let disk = Counted::new(disk);
    let host = Host::mount_with(disk.clone(), &PLAIN).expect("clean");
    disk.requests();
    assert_eq!(host.list("", 400).expect("a directory").len(), names.len());
    let listing = disk.requests();
    assert!(listing.len() <= 4, "{listing:?}");
    for ino in 2..=201 {
        host.node(InodeNo(ino)).expect("in use");
    }
    let loading = disk.requests();
    assert!(loading.len() <= 2, "{loading:?}");
}
