// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Directories with an index against a model, with good hashes and with bad ones, and the index
//! alone with many pairs.

use super::{NameHash, Pair, drop_index, index};
use crate::Xv6;
use crate::check::check_hashed;
use crate::inode::{Inode, Node};
use crate::mkfs::{FormatOptions, format};
use crate::txn::Txn;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;
use bento::prelude::*;
use bento_sim::{MemDisk, Rng};
use proptest::prelude::{Just, ProptestConfig, prop_oneof, proptest};

type Names = BTreeMap<Vec<u8>, u64>;

/// A file system with a directory and two files, which get many names.
struct Bench {
    fs: Xv6<MemDisk>,
    disk: MemDisk,
    dir: Node,
    files: [Node; 2],
}

impl Bench {
    fn new(names: Option<NameHash>) -> Self {
        let disk = MemDisk::new(4096);
        let options = FormatOptions {
            uuid: *b"sixteen bytes!!!",
            inodes: Some(64),
            log_blocks: Some(256),
            ..FormatOptions::default()
        };
        let sup = format(&disk, &options).expect("it fits");
        let options = MountOptions {
            read_only: false,
            repair: false,
            no_recovery: false,
            discard: false,
            text: "",
        };
        let mut fs = Xv6::mount(disk.clone(), &options).expect("a new file system");
        fs.volume.names = names.unwrap_or(NameHash::new(&sup.uuid));
        let root = fs.load(Xv6::<MemDisk>::ROOT).expect("a root").node;
        let new = NewInode {
            mode: 0o700,
            xattrs: &[],
        };
        let make = |name: &[u8]| fs.create(&req(), &root, name, &new).expect("create").node;
        let files = [make(b"a"), make(b"b")];
        let dir = fs.mkdir(&req(), &root, b"d", &new).expect("mkdir").node;
        Self {
            fs,
            disk,
            dir,
            files,
        }
    }

    fn ino(&self, which: usize) -> u64 {
        self.files[which].ino().number().0
    }

    fn add(&self, name: &[u8], which: usize) -> Result {
        self.fs.link(&req(), &self.files[which], &self.dir, name)
    }

    fn remove(&self, name: &[u8]) -> Result {
        let ino = self.fs.lookup(&req(), &self.dir, name)?.0;
        let file = self.files.iter().find(|file| file.ino().number().0 == ino);
        let file = file.expect("one of the two files");
        self.fs.unlink(&req(), &self.dir, name, file)
    }

    fn list(&self) -> Names {
        let mut all = Names::new();
        let mut cookie = 0;
        let mut memory = vec![0; 8192];
        loop {
            let mut out = DirBuf::new(&mut memory);
            self.fs
                .readdir(&req(), &self.dir, cookie, &mut out)
                .expect("readable");
            let used = out.used();
            if used == 0 {
                return all;
            }
            for record in bento::dirbuf::records(&memory[..used]) {
                assert!(record.cookie > cookie, "cookies ascend");
                cookie = record.cookie;
                let before = all.insert(record.name.to_vec(), record.ino.0);
                assert_eq!(before, None, "each name once");
            }
        }
    }

    fn assert_clean(&self) {
        self.fs.sync(&req()).expect("sync");
        let report = check_hashed(&self.disk, self.fs.volume.names).expect("readable");
        assert!(report.is_clean(), "{:?}", report.findings);
    }
}

fn req() -> Request {
    Request {
        uid: 0,
        gid: 0,
        pid: 1,
        now: Timespec { sec: 1, nsec: 0 },
        comm: [0; 16],
    }
}

fn random_name(rng: &mut Rng) -> Vec<u8> {
    let len = match rng.below(8) {
        0 => 1 + rng.below(255),
        _ => 2 + rng.below(12),
    };
    let letter = |rng: &mut Rng| b'a' + u8::try_from(rng.below(26)).expect("small");
    (0..len).map(|_| letter(rng)).collect()
}

/// Adds and removes names in waves, and compares with a map all the way.
fn run(seed: u64, hash: Option<NameHash>, ops: u64) {
    let bench = Bench::new(hash);
    let mut rng = Rng::new(seed);
    let mut model = Names::new();
    for step in 0..ops {
        let grows = (step / (ops / 4)).is_multiple_of(2);
        if rng.below(8) < if grows { 6 } else { 2 } {
            let name = random_name(&mut rng);
            let which = usize::try_from(rng.below(2)).expect("small");
            let expected = match model.contains_key(&name) {
                true => Err(Errno::EEXIST),
                false => Ok(()),
            };
            assert_eq!(bench.add(&name, which), expected);
            model.entry(name).or_insert(bench.ino(which));
        } else if !model.is_empty() {
            let start = random_name(&mut rng);
            let name = model.range(start..).next().or(model.iter().next());
            let name = name.expect("not empty").0.clone();
            bench.remove(&name).expect("it exists");
            model.remove(&name);
            assert_eq!(bench.remove(&name), Err(Errno::ENOENT));
        }
    }
    compare(&bench, &model);
    for name in model.keys() {
        assert_eq!(
            bench.fs.rmdir(&req(), &root(&bench), b"d", &bench.dir),
            Err(Errno::ENOTEMPTY)
        );
        bench.remove(name).expect("it exists");
    }
    compare(&bench, &Names::new());
    go(&bench);
}

fn root(bench: &Bench) -> Node {
    bench.fs.load(Xv6::<MemDisk>::ROOT).expect("a root").node
}

fn compare(bench: &Bench, model: &Names) {
    assert_eq!(&bench.list(), model);
    for (name, ino) in model {
        assert_eq!(bench.fs.lookup(&req(), &bench.dir, name), Ok(InodeNo(*ino)));
    }
    bench.assert_clean();
}

/// The directory itself goes, and all its blocks are free again.
fn go(bench: &Bench) {
    let used = bench.dir.inode().expect("in memory").blocks;
    let free = bench.fs.statfs().expect("statfs").blocks_free;
    let root = root(bench);
    bench
        .fs
        .rmdir(&req(), &root, b"d", &bench.dir)
        .expect("it is empty");
    while let Err(error) = bench.fs.forget(&req(), &bench.dir) {
        assert_eq!(error, Errno::EAGAIN);
    }
    let now = bench.fs.statfs().expect("statfs").blocks_free;
    assert_eq!(now, free + used);
    bench.assert_clean();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_directory_is_a_map(seed: u64, mask in prop_oneof![Just(None), Just(Some(0x3f))]) {
        run(seed, mask.map(NameHash::weak), 4000);
    }
}

#[test]
fn names_that_all_collide_are_kept_apart() {
    run(1, Some(NameHash::weak(0)), 2400);
    run(2, Some(NameHash::weak(0x8000_0000)), 2400);
}

/// The index alone: pairs that lead nowhere, in the inode of a directory.
struct Tree {
    bench: Bench,
    dir: Inode,
    before: u64,
}

impl Tree {
    fn new() -> Self {
        let bench = Bench::new(None);
        bench.add(b"first", 0).expect("link");
        let dir = bench.dir.inode().expect("in memory");
        let mut tree = Self {
            bench,
            dir,
            before: dir.blocks,
        };
        let first = BlockNo(tree.bench.fs.volume.sup.geometry.data().start);
        tree.change(|txn, dir| index::build(txn, dir, first, &[]));
        tree
    }

    fn change(&mut self, act: impl FnOnce(&mut Txn<'_, MemDisk>, &mut Inode) -> Result) {
        let mut txn = self.bench.fs.volume.begin(28).expect("credits");
        act(&mut txn, &mut self.dir).expect("changed");
        txn.commit().expect("committed");
    }

    fn next(&self, key: Pair) -> Option<Pair> {
        index::next(&*self.bench.fs.volume, &self.dir, key).expect("readable")
    }

    fn depth(&self) -> u16 {
        let top = index::top(&*self.bench.fs.volume, &self.dir).expect("readable");
        top.root.depth
    }

    /// The tree has what the model has.
    fn compare(&self, model: &BTreeSet<Pair>, rng: &mut Rng) {
        for _ in 0..2000 {
            let hash = random_pair(rng).hash;
            let mut key = Some(Pair { hash, at: 0 });
            let mut found = Vec::new();
            while let Some(pair) = key.and_then(|key| self.next(key)) {
                found.push(pair);
                key = pair.next_position();
            }
            let least = Pair { hash, at: 0 };
            let last = Pair { hash, at: u32::MAX };
            let expected: Vec<_> = model.range(least..=last).copied().collect();
            assert_eq!(found, expected);
        }
    }

    /// Frees it step by step.
    fn drop_all(mut self) {
        let mut steps = 0;
        let mut left = true;
        while left {
            let volume = &self.bench.fs.volume;
            let mut txn = volume.begin(28).expect("credits");
            left = drop_index(&mut txn, &mut self.dir, 12).expect("freed");
            txn.commit().expect("committed");
            steps += 1;
        }
        assert!(steps > 1, "more than one transaction");
        assert_eq!((self.dir.blocks, self.dir.index), (self.before, 0));
        self.bench.assert_clean();
    }
}

/// Some hashes are frequent.
fn random_pair(rng: &mut Rng) -> Pair {
    let number = |rng: &mut Rng, below| u32::try_from(rng.below(below)).expect("32 bits");
    let hash = match rng.below(4) {
        0 => number(rng, 10),
        _ => number(rng, 1 << 32),
    };
    Pair {
        hash,
        at: number(rng, 1 << 24),
    }
}

#[test]
fn a_tree_of_many_pairs_grows_and_shrinks_level_by_level() {
    let mut tree = Tree::new();
    let mut rng = Rng::new(7);
    let mut model = BTreeSet::new();
    // Ascending pairs leave half-full nodes, so this makes three levels of them.
    for hash in 0..70_000 {
        let pair = Pair { hash, at: hash };
        tree.change(|txn, dir| index::insert(txn, dir, pair));
        model.insert(pair);
    }
    assert_eq!(tree.depth(), 2);
    for _ in 0..20_000 {
        let pair = random_pair(&mut rng);
        if model.insert(pair) {
            tree.change(|txn, dir| index::insert(txn, dir, pair));
        }
    }
    tree.compare(&model, &mut rng);
    let full = tree.dir.blocks;
    let goes: Vec<_> = model
        .iter()
        .copied()
        .filter(|_| rng.below(50) > 0)
        .collect();
    for pair in goes {
        tree.change(|txn, dir| index::remove(txn, dir, pair));
        model.remove(&pair);
    }
    tree.compare(&model, &mut rng);
    assert!(tree.dir.blocks - tree.before < (full - tree.before) / 8);
    assert!(tree.depth() < 2);
    for pair in model {
        tree.change(|txn, dir| index::remove(txn, dir, pair));
    }
    assert!(index::is_empty(&*tree.bench.fs.volume, &tree.dir).expect("readable"));
    // The top and an empty leaf.
    assert_eq!(tree.dir.blocks, tree.before + 2);
}

#[test]
fn a_tree_is_freed_in_several_transactions() {
    let mut tree = Tree::new();
    for hash in 0..30_000 {
        tree.change(|txn, dir| index::insert(txn, dir, Pair { hash, at: 0 }));
    }
    tree.drop_all();
}

#[test]
fn a_pair_twice_or_never_there_is_damage() {
    let tree = Tree::new();
    let pair = Pair { hash: 1, at: 2 };
    let mut dir = tree.dir;
    let mut txn = tree.bench.fs.volume.begin(28).expect("credits");
    assert_eq!(index::remove(&mut txn, &mut dir, pair), Err(Errno::EUCLEAN));
    index::insert(&mut txn, &mut dir, pair).expect("inserted");
    assert_eq!(index::insert(&mut txn, &mut dir, pair), Err(Errno::EUCLEAN));
}
