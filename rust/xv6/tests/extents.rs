// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The map of a file against a naive model of one entry per block.

mod host;

use bento::prelude::*;
use bento_sim::{Caching, MemDisk, Rng};
use host::{Host, fresh, repeat};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use xv6::Node;

const BLOCK: u64 = 4096;
/// Files in the model end here.
const END: u64 = 600;

/// Nothing is moved behind this block.
const LAST: u64 = 2000;

/// A block of the model: where it lies, and whether it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    device: u64,
    written: bool,
}

/// A file and what its map should be.
struct File {
    node: Rc<Node>,
    blocks: BTreeMap<u64, Place>,
    size: u64,
}

#[derive(Clone, Debug)]
enum Op {
    Allocate {
        at: u64,
        len: u64,
    },
    Commit {
        at: u64,
        len: u64,
        grow: bool,
    },
    Truncate {
        bytes: u64,
    },
    Fallocate {
        mode: FallocateMode,
        at: u64,
        len: u64,
    },
}

fn fallocate() -> impl Strategy<Value = Op> {
    let mode = prop_oneof![
        Just(FallocateMode::Allocate),
        Just(FallocateMode::Zero),
        Just(FallocateMode::Punch),
        Just(FallocateMode::Collapse),
        Just(FallocateMode::Insert),
    ];
    let len = prop_oneof![4 => 1..4u64, 1 => 1..80u64];
    (mode, 0..END, len).prop_map(|(mode, at, len)| Op::Fallocate { mode, at, len })
}

fn op() -> impl Strategy<Value = Op> {
    let range = (0..END, prop_oneof![4 => 1..4u64, 1 => 1..80u64]);
    prop_oneof![
        6 => range.clone().prop_map(|(at, len)| Op::Allocate { at, len }),
        4 => (range, any::<bool>()).prop_map(|((at, len), grow)| Op::Commit { at, len, grow }),
        1 => (0..END * BLOCK).prop_map(|bytes| Op::Truncate { bytes }),
        3 => fallocate(),
    ]
}

impl File {
    fn apply(&mut self, host: &Host<MemDisk>, op: &Op) {
        match *op {
            Op::Allocate { at, len } => self.allocate(host, at, len),
            Op::Commit { at, len, grow } => {
                let size = if grow { (at + len) * BLOCK - 1 } else { 0 };
                let req = host.req();
                let done = host
                    .fs
                    .commit(&req, &self.node, at * BLOCK, len * BLOCK, size);
                done.expect("commit needs no space here");
                for (_, place) in self.blocks.range_mut(at..at + len) {
                    place.written = true;
                }
                self.size = self.size.max(size);
            }
            Op::Truncate { bytes } => {
                let mut set = SetAttr::empty();
                set.mask = SetAttrMask::SIZE;
                set.size = bytes;
                let cut = repeat(|| host.fs.setattr(&host.req(), &self.node, &set));
                cut.expect("truncation needs no space");
                self.blocks.retain(|at, _| at * BLOCK < bytes);
                self.size = bytes;
            }
            Op::Fallocate { mode, at, len } => self.fallocate(host, mode, at, len),
        }
    }

    fn fallocate(&mut self, host: &Host<MemDisk>, mode: FallocateMode, at: u64, len: u64) {
        let (start, end) = (at * BLOCK, (at + len) * BLOCK);
        self.size = match mode {
            FallocateMode::Collapse if end >= self.size => return,
            FallocateMode::Insert if start >= self.size || self.last() + len > LAST => return,
            FallocateMode::Collapse => self.size - len * BLOCK,
            FallocateMode::Insert => self.size + len * BLOCK,
            FallocateMode::Allocate => self.size.max(end - 1),
            FallocateMode::Zero | FallocateMode::Punch => self.size,
        };
        let size = match mode {
            FallocateMode::Zero | FallocateMode::Punch => 0,
            _ => self.size,
        };
        let range = Fallocate {
            mode,
            offset: start,
            len: len * BLOCK,
            size,
        };
        let done = repeat(|| host.fs.fallocate(&host.req(), &self.node, &range));
        done.expect("there is space");
        let moved = |shift: &dyn Fn(u64) -> u64, blocks: &BTreeMap<u64, Place>| {
            blocks
                .iter()
                .map(|(at, place)| (shift(*at), *place))
                .collect()
        };
        match mode {
            FallocateMode::Allocate => self.learn(host, at..at + len),
            FallocateMode::Zero => {
                for (_, place) in self.blocks.range_mut(at..at + len) {
                    place.written = false;
                }
                self.learn(host, at..at + len);
            }
            FallocateMode::Punch => self.blocks.retain(|n, _| !(at..at + len).contains(n)),
            FallocateMode::Collapse => {
                self.blocks.retain(|n, _| !(at..at + len).contains(n));
                self.blocks = moved(&|n| if n < at { n } else { n - len }, &self.blocks);
            }
            FallocateMode::Insert => {
                self.blocks = moved(&|n| if n < at { n } else { n + len }, &self.blocks);
            }
        }
    }

    /// The last block, or 0.
    fn last(&self) -> u64 {
        self.blocks.keys().next_back().copied().unwrap_or(0)
    }

    /// Blocks of the range that the model does not know are new: they must be unwritten.
    fn learn(&mut self, host: &Host<MemDisk>, range: core::ops::Range<u64>) {
        for at in range {
            if self.blocks.contains_key(&at) {
                continue;
            }
            let got = host.fs.map(&self.node, at * BLOCK, 1).expect("map");
            let ExtentKind::Unwritten(device) = got.kind else {
                panic!("new space is unwritten: {got:?}");
            };
            let place = Place {
                device: device / BLOCK + at - got.offset / BLOCK,
                written: false,
            };
            self.blocks.insert(at, place);
        }
    }

    fn allocate(&mut self, host: &Host<MemDisk>, at: u64, len: u64) {
        let req = host.req();
        let got = host.fs.allocate(&req, &self.node, at * BLOCK, len * BLOCK);
        let got = got.expect("there is space");
        let first = got.offset / BLOCK;
        assert!(
            first <= at && at < first + got.len / BLOCK,
            "{got:?} misses {at}"
        );
        if !got.new {
            return self.compare(at, &got);
        }
        let ExtentKind::Unwritten(device) = got.kind else {
            panic!("new space is unwritten: {got:?}");
        };
        assert!(
            first == at && got.len <= len * BLOCK,
            "more than was asked for: {got:?}"
        );
        for n in 0..got.len / BLOCK {
            let device = device / BLOCK + n;
            let written = false;
            let old = self.blocks.insert(at + n, Place { device, written });
            assert_eq!(old, None, "block {} was there already", at + n);
        }
    }

    /// An answer of `map` says of every block what the model says.
    fn compare(&self, at: u64, got: &Extent) {
        let first = got.offset / BLOCK;
        assert!(
            first <= at && at < first + got.len / BLOCK,
            "{got:?} misses {at}"
        );
        // A hole may reach to the end of the largest file.
        for n in 0..(got.len / BLOCK).min(1000) {
            let place = match got.kind {
                ExtentKind::Hole => None,
                ExtentKind::Mapped(device) => Some((device, true)),
                ExtentKind::Unwritten(device) => Some((device, false)),
            };
            let place = place.map(|(device, written)| Place {
                device: device / BLOCK + n,
                written,
            });
            assert_eq!(
                place,
                self.blocks.get(&(first + n)).copied(),
                "block {}",
                first + n
            );
        }
    }

    fn compare_all(&self, host: &Host<MemDisk>) {
        let mut at = 0;
        while at < LAST + 100 {
            let got = host.fs.map(&self.node, at * BLOCK + 17, 1).expect("map");
            self.compare(at, &got);
            at = got.offset / BLOCK + got.len / BLOCK;
        }
        assert_eq!(host.fs.getattr(&self.node).expect("stat").size, self.size);
    }
}

/// No block of the device belongs to two files.
fn assert_disjoint(files: &[File]) {
    let mut all = BTreeSet::new();
    for place in files.iter().flat_map(|file| file.blocks.values()) {
        assert!(all.insert(place.device), "block {} twice", place.device);
    }
}

fn two_files(host: &Host<MemDisk>) -> [File; 2] {
    ["a", "b"].map(|name| File {
        node: host.create(name).expect("create"),
        blocks: BTreeMap::new(),
        size: 0,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn maps_are_what_a_list_of_blocks_would_be(
        ops in proptest::collection::vec((0..2usize, op()), 1..250),
    ) {
        let host = fresh(4096);
        let mut files = two_files(&host);
        for (which, op) in &ops {
            files[*which].apply(&host, op);
        }
        for file in &files {
            file.compare_all(&host);
        }
        assert_disjoint(&files);
        // Also after a crash-free reload from the disk, and the checker agrees.
        drop(files.map(|file| file.blocks));
        host.remount();
    }
}

#[test]
fn a_badly_fragmented_file_grows_a_tree_and_gives_everything_back() {
    let host = fresh(12_000);
    let before = host.free();
    let mut files = two_files(&host);
    let mut rng = Rng::new(7);
    // Every second block, in random order: no two runs can ever join.
    let mut order: Vec<u64> = (0..5000).map(|n| 2 * n).collect();
    for n in (1..order.len()).rev() {
        let other = rng.below(u64::try_from(n).expect("small") + 1);
        order.swap(n, usize::try_from(other).expect("small"));
    }
    for at in &order {
        files[0].apply(&host, &Op::Allocate { at: *at, len: 1 });
        files[0].apply(
            &host,
            &Op::Commit {
                at: *at,
                len: 1,
                grow: true,
            },
        );
    }
    let used = host.fs.getattr(&files[0].node).expect("stat").blocks / 8;
    assert!(used > 5000 + 20 && used < 5000 + 60, "{used} blocks");
    for at in order.iter().take(200) {
        let got = host.fs.map(&files[0].node, at * BLOCK, 1).expect("map");
        assert_eq!(got.len, BLOCK);
        files[0].compare(*at, &got);
    }
    host.truncate("a", 5000 * BLOCK + 1).expect("truncate");
    let kept = host.fs.getattr(&files[0].node).expect("stat").blocks / 8;
    assert!(kept > 2500 && kept < 2540, "{kept} blocks");
    let [a, b] = files;
    drop((a, b));
    let host = host.remount();
    host.remove("a").expect("remove");
    host.remove("b").expect("remove");
    assert_eq!(host.free(), (before.0 - 1, before.1));
    host.unmount();
}

/// A file of 5000 runs of a block with holes between them.
fn fragmented(host: &Host<MemDisk>) -> File {
    let [mut file, _] = two_files(host);
    for n in 0..5000 {
        let at = 2 * n;
        file.apply(host, &Op::Allocate { at, len: 1 });
    }
    let grow = true;
    file.apply(
        host,
        &Op::Commit {
            at: 0,
            len: 10_000,
            grow,
        },
    );
    file
}

#[test]
fn everything_can_happen_to_a_badly_fragmented_file() {
    let host = fresh(12_000);
    let mut file = fragmented(&host);
    let before = host.fs.getattr(&file.node).expect("stat").blocks;
    for (mode, at, len) in [
        (FallocateMode::Insert, 1001, 77),
        (FallocateMode::Collapse, 200, 1500),
        (FallocateMode::Punch, 900, 2500),
        (FallocateMode::Allocate, 1900, 3000),
        (FallocateMode::Zero, 4000, 3000),
        (FallocateMode::Collapse, 0, 600),
        (FallocateMode::Insert, 1, 1),
        (FallocateMode::Punch, 0, 1000),
    ] {
        file.fallocate(&host, mode, at, len);
        let mut at = 0;
        while at < 12_000 {
            let got = host.fs.map(&file.node, at * BLOCK, 1).expect("map");
            file.compare(at, &got);
            at = (got.offset + got.len) / BLOCK;
        }
        host.fs.sync(&host.req()).expect("sync");
        host::assert_clean(&host.dev);
    }
    file.fallocate(&host, FallocateMode::Punch, 0, 12_000);
    assert_eq!(host.fs.getattr(&file.node).expect("stat").blocks, 0);
    assert!(before > 5000 * 8);
    drop(file);
    host.unmount();
}

#[test]
fn a_move_that_does_not_fit_the_log_is_refused_and_changes_nothing() {
    let host = fresh(14_000);
    let mut file = fragmented(&host);
    for n in 5000..12_000 {
        let at = 2 * n;
        file.apply(&host, &Op::Allocate { at, len: 1 });
    }
    let grow = true;
    file.apply(
        &host,
        &Op::Commit {
            at: 0,
            len: 24_000,
            grow,
        },
    );
    let attr = host.fs.getattr(&file.node).expect("stat");
    for mode in [FallocateMode::Collapse, FallocateMode::Insert] {
        let range = Fallocate {
            mode,
            offset: 0,
            len: BLOCK,
            size: attr.size,
        };
        let refused = host.fs.fallocate(&host.req(), &file.node, &range);
        assert_eq!(refused, Err(Errno::EFBIG));
    }
    assert_eq!(host.fs.getattr(&file.node), Ok(attr));
    for at in (0..24_000).step_by(97) {
        let got = host.fs.map(&file.node, at * BLOCK, 1).expect("map");
        file.compare(at, &got);
    }
    // Near the end there is little to move.
    file.fallocate(&host, FallocateMode::Insert, 20_001, 5);
    file.fallocate(&host, FallocateMode::Collapse, 20_001, 700);
    file.fallocate(&host, FallocateMode::Punch, 0, 24_000);
    drop(file);
    host.unmount();
}

/// Were a move not durable when it returns, a write to where a block is now could show after a
/// crash where the block was, with contents that the file never had there.
#[test]
fn moves_are_durable_on_return() {
    let host = fresh(1024);
    let node = host.create("f").expect("create");
    let data = host::pattern(5 * 4096, 1);
    host.write("f", 0, &data).expect("write");
    host.fs.sync(&host.req()).expect("sync");
    let mut want = data;
    for (mode, size) in [(FallocateMode::Collapse, 4), (FallocateMode::Insert, 5)] {
        let range = Fallocate {
            mode,
            offset: BLOCK,
            len: BLOCK,
            size: size * BLOCK,
        };
        host.fs
            .fallocate(&host.req(), &node, &range)
            .expect("moved");
        let tail = want.split_off(4096);
        match mode {
            FallocateMode::Collapse => want.extend_from_slice(&tail[4096..]),
            _ => {
                want.extend_from_slice(&[0; 4096]);
                want.extend_from_slice(&tail);
            }
        }
        host.write("f", 3 * BLOCK, &[7; 100]).expect("write");
        want[3 * 4096..][..100].fill(7);
        let medium = host.dev.image();
        let crashed = Host::mount(MemDisk::from_image(medium, Caching::Short));
        let crashed = crashed.expect("mount");
        assert_eq!(crashed.read("f").expect("read"), want, "{mode:?}");
        crashed.unmount();
    }
    drop(node);
    host.unmount();
}

#[test]
fn impossible_ranges_are_refused() {
    let host = fresh(1024);
    let node = host.create("f").expect("create");
    host.mkdir("d").expect("mkdir");
    let try_on = |node: &Node, mode, offset, len, size| {
        let range = Fallocate {
            mode,
            offset,
            len,
            size,
        };
        host.fs.fallocate(&host.req(), node, &range)
    };
    let max = xv6::inode::MAX_FILE_SIZE;
    for mode in [
        FallocateMode::Allocate,
        FallocateMode::Punch,
        FallocateMode::Insert,
    ] {
        assert_eq!(try_on(&node, mode, 1, BLOCK, 0), Err(Errno::EINVAL));
        assert_eq!(try_on(&node, mode, 0, 0, 0), Err(Errno::EINVAL));
        assert_eq!(try_on(&node, mode, max, BLOCK, 0), Err(Errno::EFBIG));
        assert_eq!(
            try_on(&node, mode, u64::MAX - 4095, BLOCK, 0),
            Err(Errno::EFBIG)
        );
        let directory = host.open("d").expect("open");
        assert_eq!(try_on(&directory, mode, 0, BLOCK, 0), Err(Errno::EISDIR));
    }
    let allocate = FallocateMode::Allocate;
    assert_eq!(
        try_on(&node, allocate, 0, BLOCK, max + 1),
        Err(Errno::EFBIG)
    );
    assert_eq!(try_on(&node, allocate, max - BLOCK, BLOCK, max), Ok(()));
    let insert = try_on(&node, FallocateMode::Insert, 0, BLOCK, max);
    assert_eq!(
        insert,
        Err(Errno::EFBIG),
        "the last block has no place to go"
    );
    assert_eq!(host.attr("f").expect("stat").size, max);
    drop(node);
    host.unmount();
}

#[test]
fn space_that_runs_out_is_an_error_and_a_punch_gives_it_back() {
    let host = fresh(256);
    let node = host.create("f").expect("create");
    let before = host.free();
    let range = |mode, len| Fallocate {
        mode,
        offset: 0,
        len,
        size: 0,
    };
    let try_now = |range| repeat(|| host.fs.fallocate(&host.req(), &node, &range));
    let failed = try_now(range(FallocateMode::Allocate, 1 << 20));
    assert_eq!(failed, Err(Errno::ENOSPC));
    assert_eq!(host.attr("f").expect("stat").size, 0);
    // A hole in the middle of a run needs an entry more, on a full disk, too.
    for n in 0..20 {
        let hole = Fallocate {
            offset: (2 * n + 1) * BLOCK,
            ..range(FallocateMode::Punch, BLOCK)
        };
        assert_eq!(try_now(hole), Ok(()));
    }
    assert_eq!(try_now(range(FallocateMode::Punch, 1 << 30)), Ok(()));
    assert_eq!(host.free(), before);
    drop(node);
    host.unmount();
}

#[test]
fn large_requests_are_met_in_one_piece() {
    let host = fresh(12_000);
    let node = host.create("f").expect("create");
    let got = host
        .fs
        .allocate(&host.req(), &node, 0, 32 << 20)
        .expect("allocate");
    assert_eq!((got.len, got.new), (32 << 20, true));
    // The next piece goes on where the last one ended, and both are one extent then.
    let got = host
        .fs
        .allocate(&host.req(), &node, 32 << 20, 1 << 20)
        .expect("allocate");
    assert_eq!(got.offset, 32 << 20);
    let whole = host.fs.map(&node, 5, 1).expect("map");
    assert_eq!((whole.offset, whole.len), (0, 33 << 20));
}

#[test]
fn offsets_behind_the_largest_file_are_holes_and_cannot_be_filled() {
    let host = fresh(1024);
    let node = host.create("f").expect("create");
    let max = xv6::inode::MAX_FILE_SIZE;
    for offset in [max, max + 5, u64::MAX] {
        let got = host.fs.map(&node, offset, 1).expect("map");
        assert_eq!(got.kind, ExtentKind::Hole);
        assert!(got.offset <= offset && got.len >= BLOCK);
        let failed = host.fs.allocate(&host.req(), &node, offset, 1);
        assert_eq!(failed, Err(Errno::EFBIG));
        let failed = host
            .fs
            .commit(&host.req(), &node, 0, 1, offset.max(max + 1));
        assert_eq!(failed, Err(Errno::EFBIG));
    }
    let last = host
        .fs
        .allocate(&host.req(), &node, max - 1, u64::MAX)
        .expect("allocate");
    assert_eq!((last.offset, last.len), (max - BLOCK, BLOCK));
    host.truncate("f", max).expect("the largest size");
    assert_eq!(host.truncate("f", max + 1), Err(Errno::EFBIG));
}
