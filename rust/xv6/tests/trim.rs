// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Discarding: only what is free, and only what stays free after a crash.

mod host;

use bento::mapped::{self, DataDevice, MappedFile};
use bento::prelude::*;
use bento::{BlockWrite, WriteOrder};
use bento_sim::{Caching, MemDisk};
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use host::{Host, PLAIN, formatted, pattern};
use std::sync::{Arc, Mutex};
use std::thread;
use xv6::{Node, Xv6};

/// A disk that forgets what is discarded, and remembers what that was.
#[derive(Clone)]
struct Thin {
    disk: MemDisk,
    log: Arc<Mutex<Vec<Range<u64>>>>,
    able: bool,
}

impl Thin {
    fn new(blocks: usize) -> Self {
        Self {
            disk: formatted(blocks),
            log: Arc::default(),
            able: true,
        }
    }

    /// What was discarded since the last call.
    fn discarded(&self) -> Vec<Range<u64>> {
        core::mem::take(&mut *self.log.lock().expect("one thread"))
    }
}

impl BlockDevice for Thin {
    type Buf = <MemDisk as BlockDevice>::Buf;

    fn blocks(&self) -> u64 {
        self.disk.blocks()
    }
    fn read_only(&self) -> bool {
        self.disk.read_only()
    }
    fn read(&self, block: BlockNo) -> Result<Self::Buf> {
        self.disk.read(block)
    }
    fn zeroed(&self, block: BlockNo) -> Result<Self::Buf> {
        self.disk.zeroed(block)
    }
    fn write(&self, writes: &[BlockWrite<'_>], order: WriteOrder) -> Result {
        self.disk.write(writes, order)
    }
    fn flush(&self) -> Result {
        self.disk.flush()
    }
    fn discard(&self, block: BlockNo, count: u64) -> Result {
        if !self.able {
            return Err(Errno::EOPNOTSUPP);
        }
        let range = block.0..block.0 + count;
        for block in range.clone() {
            self.disk.damage(block, 0, &[0xdd; 4096])?;
        }
        self.log.lock().expect("one thread").push(range);
        Ok(())
    }
}

impl DataDevice for Thin {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result {
        self.disk.read_at(offset, out)
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> Result {
        self.disk.write_at(offset, data)
    }
}

const ALL: TrimRange = TrimRange {
    start: 0,
    end: u64::MAX,
    min_len: 0,
};

/// Trims as a host does; returns the bytes, and how many steps it took.
fn trim(host: &Host<Thin>, range: &TrimRange) -> Result<(u64, usize)> {
    let (mut bytes, mut steps, mut start) = (0, 0, range.start);
    while start < range.end {
        let step = TrimRange { start, ..*range };
        let done = host.fs.trim(&host.req(), &step)?;
        assert!(done.next > start, "{done:?} after {start}");
        assert!(done.next >= range.end || done.next.is_multiple_of(4096));
        (bytes, steps, start) = (bytes + done.bytes, steps + 1, done.next);
    }
    Ok((bytes, steps))
}

fn length(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

#[test]
fn a_trim_discards_all_that_is_free_and_nothing_else() {
    let host = Host::mount(Thin::new(40_000)).expect("mount");
    for n in 0..150 {
        let path = format!("f{n}");
        host.create(&path).expect("create");
        host.write(&path, 0, &pattern(5000, n)).expect("write");
    }
    for n in (0..150).step_by(2) {
        host.remove(&format!("f{n}")).expect("remove");
    }
    // More holes in one place than one step discards.
    let holes = host.create("holes").expect("create");
    host.write("holes", 0, &pattern(1 << 20, 7)).expect("write");
    for n in (1..256).step_by(2) {
        let hole = Fallocate {
            mode: FallocateMode::Punch,
            offset: n * 4096,
            len: 4096,
            size: 0,
        };
        host::repeat(|| host.fs.fallocate(&host.req(), &holes, &hole)).expect("punch");
    }
    drop(holes);
    host.fs.sync(&host.req()).expect("sync");
    let (bytes, steps) = trim(&host, &ALL).expect("trim");
    let discarded = host.dev.discarded();
    assert_eq!(bytes, host.free().0 * 4096);
    assert_eq!(bytes, length(&discarded) * 4096);
    assert!(discarded.len() > 64 && steps > 2, "{steps} steps");
    for n in (1..150).step_by(2) {
        assert_eq!(host.read(&format!("f{n}")), Ok(pattern(5000, n)));
    }
    host.remount().unmount();
}

#[test]
fn a_trim_keeps_to_its_range_and_its_least_length() {
    let host = Host::mount(Thin::new(2000)).expect("mount");
    host.create("f").expect("create");
    for n in 0..20 {
        host.write("f", n * 8192, &pattern(4096, n)).expect("write");
    }
    host.truncate("f", 8192 * 10).expect("truncate");
    host.fs.sync(&host.req()).expect("sync");
    let range = TrimRange {
        start: 800 * 4096,
        end: 1000 * 4096 + 17,
        min_len: 0,
    };
    trim(&host, &range).expect("trim");
    let discarded = host.dev.discarded();
    assert_eq!(length(&discarded), 200, "{discarded:?}");
    assert!(discarded.iter().all(|r| r.start >= 800 && r.end <= 1000));
    let long = TrimRange {
        min_len: 100 * 4096,
        ..ALL
    };
    trim(&host, &long).expect("trim");
    let discarded = host.dev.discarded();
    assert!(discarded.iter().all(|r| r.end - r.start >= 100));
    assert!(!discarded.is_empty());
    let behind = TrimRange {
        start: 1 << 40,
        ..ALL
    };
    assert_eq!(trim(&host, &behind), Ok((0, 1)));
    host.unmount();
}

#[test]
fn what_a_crash_would_bring_back_is_not_discarded() {
    let host = Host::mount(Thin::new(512)).expect("mount");
    host.create("f").expect("create");
    host.write("f", 0, &pattern(100_000, 1)).expect("write");
    host.fs.sync(&host.req()).expect("sync");
    host.remove("f").expect("remove");
    trim(&host, &ALL).expect("trim");
    let medium = host.dev.disk.image();
    let crashed = Host::mount(MemDisk::from_image(medium, Caching::Short)).expect("mount");
    assert_eq!(crashed.read("f"), Ok(pattern(100_000, 1)));
    crashed.unmount();
    host.dev.discarded();
    host.fs.sync(&host.req()).expect("sync");
    trim(&host, &ALL).expect("trim");
    assert_eq!(length(&host.dev.discarded()), host.free().0);
    host.unmount();
}

#[test]
fn a_device_that_cannot_discard_says_so() {
    let mut dev = Thin::new(512);
    dev.able = false;
    let host = Host::mount(dev).expect("mount");
    assert_eq!(trim(&host, &ALL), Err(Errno::EOPNOTSUPP));
    host.unmount();
    let host = Host::mount(Thin {
        disk: formatted(512).into_read_only(),
        ..Thin::new(512)
    });
    assert_eq!(trim(&host.expect("mount"), &ALL), Err(Errno::EROFS));
}

const DISCARD: MountOptions<'static> = MountOptions {
    discard: true,
    ..PLAIN
};

#[test]
fn the_mount_option_discards_what_was_freed_once_that_is_durable() {
    let host = Host::mount_with(Thin::new(512), &DISCARD).expect("mount");
    host.create("kept").expect("create");
    host.create("f").expect("create");
    host.write("f", 0, &pattern(40_960, 1)).expect("write");
    host.fs.sync(&host.req()).expect("sync");
    assert_eq!(host.dev.discarded(), []);
    host.truncate("f", 8192).expect("truncate");
    assert_eq!(
        host.dev.discarded(),
        [],
        "the truncation is not durable yet"
    );
    host.fs.sync(&host.req()).expect("sync");
    assert_eq!(length(&host.dev.discarded()), 8);
    host.remove("f").expect("remove");
    host.fs.sync(&host.req()).expect("sync");
    assert_eq!(length(&host.dev.discarded()), 2);
    host.fs.sync(&host.req()).expect("sync");
    assert_eq!(host.dev.discarded(), [], "once");
    host.unmount();
}

#[test]
fn what_is_in_use_again_is_not_discarded() {
    let host = Host::mount_with(Thin::new(256), &DISCARD).expect("mount");
    host.create("f").expect("create");
    host.create("g").expect("create");
    let mut n = 0;
    while host.write("f", n * 4096, &pattern(4096, n)).is_ok() {
        n += 1;
    }
    host.truncate("f", 0).expect("truncate");
    // The disk is full but for what was just freed: this makes that durable and takes it.
    let data = pattern(usize::try_from(n / 2 * 4096).expect("small"), 7);
    assert_eq!(host.write("g", 0, &data), Ok(data.len()));
    host.fs.sync(&host.req()).expect("sync");
    let discarded = length(&host.dev.discarded());
    // Up to 8 blocks of "g" may lie in what had been kept back from "f".
    assert!(
        discarded > 0 && discarded <= n - n / 2 + 8,
        "{discarded} of {n}"
    );
    assert_eq!(host.read("g"), Ok(data));
    host.unmount();
}

#[test]
fn the_mount_option_does_no_harm_where_the_device_cannot() {
    let mut dev = Thin::new(512);
    dev.able = false;
    let host = Host::mount_with(dev, &DISCARD).expect("mount");
    host.create("f").expect("create");
    host.write("f", 0, &pattern(40_960, 1)).expect("write");
    host.remove("f").expect("remove");
    host.fs.sync(&host.req()).expect("sync");
    host.unmount();
}

/// Writes files below its directory, reads them again, and removes them.
fn churn(fs: &Xv6<Thin>, dev: &Thin, dir: &Node, seed: u64) {
    for round in 0..40 {
        let req = Request::default();
        let new = NewInode::plain(0o100_644);
        let node = fs.create(&req, dir, b"f", &new).expect("create").node;
        let file = MappedFile {
            fs,
            node: &node,
            dev,
        };
        let data = pattern(30_000, seed * 1000 + round);
        assert_eq!(mapped::write(file, &req, 0, &data), Ok(data.len()));
        if round % 3 == 0 {
            fs.sync(&req).expect("sync");
        }
        let mut found = vec![0; data.len()];
        assert_eq!(mapped::read(file, 0, &mut found), Ok(data.len()));
        assert_eq!(found, data, "round {round} of {seed}");
        fs.unlink(&req, dir, b"f", &node).expect("unlink");
        host::repeat(|| fs.forget(&req, &node)).expect("forget");
    }
}

#[test]
fn trims_and_discards_harm_nobody_who_writes_meanwhile() {
    let dev = Thin::new(700);
    let fs = Xv6::mount(dev.clone(), &DISCARD).expect("mount");
    let root = fs.load(Xv6::<Thin>::ROOT).expect("root").node;
    let req = Request::default();
    let dirs = [b"a", b"b", b"c"].map(|name| {
        let made = fs.mkdir(&req, &root, name, &NewInode::plain(0o040_755));
        made.expect("mkdir").node
    });
    let (fs, dev, done) = (&fs, &dev, &AtomicBool::new(false));
    thread::scope(|scope| {
        let workers: Vec<_> = dirs
            .iter()
            .zip(1..)
            .map(|(dir, seed)| scope.spawn(move || churn(fs, dev, dir, seed)))
            .collect();
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let mut range = ALL;
                while range.start < range.end {
                    let step = fs.trim(&Request::default(), &range).expect("trim");
                    range.start = step.next;
                }
            }
        });
        for worker in workers {
            worker.join().expect("no panic");
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(length(&dev.discarded()) > 1000, "there was much to discard");
    fs.sync(&req).expect("sync");
    fs.unmount().expect("unmount");
    host::assert_clean(dev);
}
