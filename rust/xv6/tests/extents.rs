// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The map of a file against a naive model of one entry per block.

mod host;

use bento::prelude::*;
use bento_sim::{MemDisk, Rng};
use host::{Host, fresh, repeat};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use xv6::Node;

const BLOCK: u64 = 4096;
/// Files in the model end here.
const END: u64 = 600;

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
    Allocate { at: u64, len: u64 },
    Commit { at: u64, len: u64, grow: bool },
    Truncate { bytes: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    let range = (0..END, prop_oneof![4 => 1..4u64, 1 => 1..80u64]);
    prop_oneof![
        6 => range.clone().prop_map(|(at, len)| Op::Allocate { at, len }),
        4 => (range, any::<bool>()).prop_map(|((at, len), grow)| Op::Commit { at, len, grow }),
        1 => (0..END * BLOCK).prop_map(|bytes| Op::Truncate { bytes }),
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
        while at < END + 100 {
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
        let host = fresh(2048);
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
