// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Directories with an index: size, cost, stable cookies, a full disk.

mod host;

use bento::{Errno, FileSystem, RenameFlags};
use bento_sim::{Fault, FaultDisk, MemDisk, Rng};
use core::time::Duration;
use host::{Host, assert_clean, fresh};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use xv6::{FormatOptions, Node};

type Counted = FaultDisk<MemDisk>;

fn large(blocks: usize, options: &FormatOptions) -> Host<Counted> {
    let disk = FaultDisk::new(MemDisk::new(blocks));
    xv6::format(&disk, options).expect("it fits");
    Host::mount(disk).expect("a new file system")
}

fn options() -> FormatOptions {
    FormatOptions {
        inodes: Some(64),
        log_blocks: Some(2048),
        uuid: *b"0123456789abcdef",
        ..FormatOptions::default()
    }
}

fn name(number: u64) -> String {
    format!("file-{number:07}.txt")
}

/// What operations cost on average: blocks looked at (all of them in the cache), and time.
#[derive(Clone, Copy, Debug)]
struct Cost {
    reads: f64,
    time: Duration,
}

fn cost(host: &Host<Counted>, count: u64, mut act: impl FnMut(u64)) -> Cost {
    let (reads, start) = (host.dev.count(Fault::Read), Instant::now());
    (0..count).for_each(&mut act);
    let count = u32::try_from(count).expect("few");
    let reads = u32::try_from(host.dev.count(Fault::Read) - reads).expect("few");
    Cost {
        reads: f64::from(reads) / f64::from(count),
        time: start.elapsed() / count,
    }
}

/// Fills a directory up to each of `sizes`, and measures there; then empties it.
fn fill_and_empty(host: &Host<Counted>, sizes: &[u64]) -> Vec<[Cost; 4]> {
    let dir = host.mkdir("d").expect("mkdir");
    let file = host.create("file").expect("create");
    let add = |number| {
        let name = name(number);
        let made = host.fs.link(&host.req(), &file, &dir, name.as_bytes());
        made.expect("link");
    };
    let mut rng = Rng::new(3);
    let mut rows = Vec::new();
    let mut size = 0;
    for next in sizes {
        // The last tenth is measured.
        let measured = (next / 10).min(1000);
        (size..next - measured).for_each(add);
        let added = cost(host, measured, |n| add(next - measured + n));
        size = *next;
        let found = cost(host, 1000, |_| {
            let name = name(rng.below(size));
            let ino = host.fs.lookup(&host.req(), &dir, name.as_bytes());
            assert_eq!(ino, Ok(file.ino().number()));
        });
        let missed = cost(host, 1000, |n| {
            let name = format!("none-{n}");
            let ino = host.fs.lookup(&host.req(), &dir, name.as_bytes());
            assert_eq!(ino, Err(Errno::ENOENT));
        });
        let gone = cost(host, measured, |n| remove(host, &file, &dir, n));
        (0..measured).for_each(add);
        rows.push([added, found, missed, gone]);
    }
    let all = host.list("d", 65536).expect("readable");
    let names: BTreeSet<_> = all.into_iter().map(|(name, _)| name).collect();
    assert!(names.into_iter().eq((0..size).map(name)));
    host.fs.sync(&host.req()).expect("sync");
    assert_clean(&host.dev);
    let blocks = host.attr("d").expect("stat").blocks;
    (0..size).for_each(|number| remove(host, &file, &dir, number));
    let empty = host.attr("d").expect("stat");
    // Top, leaf, gap tables, extent blocks.
    assert!(empty.blocks <= empty.size / 512 + 8 * 40, "{empty:?}");
    println!(
        "{size} entries: {blocks} sectors, {} when empty",
        empty.blocks
    );
    rows
}

fn remove(host: &Host<Counted>, file: &Node, dir: &Node, number: u64) {
    let name = name(number);
    let gone = host.fs.unlink(&host.req(), dir, name.as_bytes(), file);
    gone.expect("unlink");
}

fn print(sizes: &[u64], rows: &[[Cost; 4]]) {
    println!("entries    create            lookup            lookup, no name   unlink");
    for (size, row) in sizes.iter().zip(rows) {
        print!("{size:8}");
        for cost in row {
            let micros = cost.time.as_secs_f64() * 1e6;
            print!("  {:5.1} blk {micros:5.1} us", cost.reads);
        }
        println!();
    }
}

#[test]
fn a_hundred_thousand_entries_cost_little_more_than_a_thousand() {
    let host = large(8192, &options());
    let sizes = [1000, 10_000, 100_000];
    let rows = fill_and_empty(&host, &sizes);
    print(&sizes, &rows);
    for (small, large) in rows[0].iter().zip(&rows[2]) {
        // Two more levels of the index, and one of the extent tree.
        assert!(large.reads <= small.reads + 6.0, "{small:?} {large:?}");
    }
    let [_, found, ..] = rows[2];
    assert!(found.reads <= 7.0, "{found:?}");
    host.rmdir("d").expect("rmdir");
    host.unmount();
}

#[test]
#[ignore = "a minute: ./dev test --long runs it"]
fn a_million_entries_work() {
    let host = large(32768, &options());
    let sizes = [1000, 10_000, 100_000, 1_000_000];
    let rows = fill_and_empty(&host, &sizes);
    print(&sizes, &rows);
    assert!(rows[3][1].reads <= 8.0, "{rows:?}");
    host.rmdir("d").expect("rmdir");
    host.unmount();
}

#[test]
fn a_file_system_without_the_feature_has_no_index() {
    let host = large(
        4096,
        &FormatOptions {
            incompat: 0,
            ..options()
        },
    );
    host.create("f").expect("create");
    for number in 0..700 {
        host.link("f", &name(number)).expect("link");
    }
    let attr = host.attr("").expect("stat");
    assert!(attr.size > 4 * 4096);
    assert_eq!(attr.blocks * 512, attr.size);
    let host = host.remount();
    for number in 0..700 {
        host.remove(&name(number)).expect("remove");
    }
    assert_eq!(host.names(""), ["f"]);
    host.unmount();
}

#[test]
fn cookies_stay_while_others_come_and_go() {
    let host = fresh(2048);
    host.create("f").expect("create");
    host.mkdir("d").expect("mkdir");
    let path = |name: &str| format!("d/{name}");
    for number in 0..3000 {
        host.link("f", &path(&name(number))).expect("link");
    }
    let before = host.list("d", 4096).expect("readable");
    let stays = |name: &String| !name.contains("5.txt") && !name.contains("new");
    let kept: BTreeMap<_, _> = before.iter().filter(|e| stays(&e.0)).cloned().collect();
    // Whoever reads while others change sees what stays exactly once, with its cookie.
    let dir = host.open("d").expect("there");
    let mut seen = Vec::new();
    let mut memory = vec![0; 2000];
    let mut changes = (0..3000).filter(|number| !stays(&name(*number)));
    loop {
        let mut out = bento::DirBuf::new(&mut memory);
        let cookie = seen.last().map_or(0, |(_, cookie)| *cookie);
        host.fs
            .readdir(&host.req(), &dir, cookie, &mut out)
            .expect("readable");
        let used = out.used();
        if used == 0 {
            break;
        }
        seen.extend(bento::dirbuf::records(&memory[..used]).map(|record| {
            let name = String::from_utf8(record.name.to_vec()).expect("ASCII");
            (name, record.cookie)
        }));
        for number in changes.by_ref().take(7) {
            host.remove(&path(&name(number))).expect("remove");
            for part in ["x", "a long name instead"] {
                let name = format!("new-{part}-{number}");
                host.link("f", &path(&name)).expect("link");
            }
        }
    }
    assert_eq!(changes.next(), None, "all changes were made");
    let seen: Vec<_> = seen.into_iter().filter(|(name, _)| stays(name)).collect();
    assert_eq!(seen.len(), kept.len());
    assert_eq!(BTreeMap::from_iter(seen), kept);
    // Renaming within the directory gives a new cookie to the new name alone.
    host.rename(&path(&name(1)), &path("moved"), RenameFlags::empty())
        .expect("rename");
    let after = BTreeMap::from_iter(host.list("d", 4096).expect("readable"));
    let same = |(name, cookie): (&String, &u64)| after.get(name) == Some(cookie);
    assert_eq!(kept.iter().filter(|entry| !same(*entry)).count(), 1);
    let host = host.remount();
    let again = BTreeMap::from_iter(host.list("d", 4096).expect("readable"));
    assert_eq!(again, after);
    host.unmount();
}

#[test]
fn freed_room_is_used_again_wherever_it_lies() {
    let host = fresh(2048);
    host.create("f").expect("create");
    for number in 0..2000 {
        host.link("f", &name(number)).expect("link");
    }
    let before = host.attr("").expect("stat");
    for round in 0..3 {
        for number in (0..2000).filter(|n| n % 3 == round) {
            host.remove(&name(number)).expect("remove");
        }
        for number in (0..2000).filter(|n| n % 3 == round) {
            host.link("f", &name(number)).expect("link");
        }
    }
    let after = host.attr("").expect("stat");
    assert_eq!(after.size, before.size);
    assert!(
        after.blocks <= before.blocks + 8 * 3,
        "{before:?} {after:?}"
    );
    host.unmount();
}

/// Takes space until `left` blocks are there for directories.
fn leave(host: &Host<MemDisk>, left: u64) {
    host.create("ballast").expect("create");
    let available = host.fs.statfs().expect("statfs").blocks_available;
    let blocks = usize::try_from(available - left).expect("small");
    host.write("ballast", 0, &vec![1; 4096 * blocks])
        .expect("write");
    let available = host.fs.statfs().expect("statfs").blocks_available;
    assert_eq!(available, left);
}

/// Fills `d` with `count` names of 8 bytes, then adds one more with `left` free blocks.
fn add_at_the_edge(count: u64, left: u64) -> bool {
    let host = fresh(1024);
    host.create("f").expect("create");
    host.mkdir("d").expect("mkdir");
    for number in 0..count {
        host.link("f", &format!("d/{number:08}")).expect("link");
    }
    leave(&host, left);
    let before = (
        host.list("d", 4096),
        host.attr("d"),
        host.attr("f"),
        host.free(),
    );
    let made = host.link("f", "d/one-more");
    if made.is_err() {
        assert_eq!(made, Err(Errno::ENOSPC));
        let after = (
            host.list("d", 4096),
            host.attr("d"),
            host.attr("f"),
            host.free(),
        );
        assert_eq!(after, before, "nothing has changed");
        // What is there can still be removed, and then there is room.
        host.remove("d/00000007").expect("remove");
        if left == 0 {
            host.link("f", "d/too-long!")
                .expect_err("no gap is so large");
        }
        host.link("f", "d/replaced").expect("there is room now");
    }
    host.unmount();
    made.is_ok()
}

#[test]
fn a_full_disk_stops_an_index_before_anything_has_changed() {
    // 255 entries of 16 bytes fill a block: the next needs a block, top, leaf and gap table.
    let enough = |count| (0..8).position(|left| add_at_the_edge(count, left));
    assert_eq!(enough(254), Some(0));
    assert_eq!(enough(255), Some(4));
    // 510 pairs fill the leaf: a block, a sibling and a new root.
    assert_eq!(enough(510), Some(3));
    // The third block is not full yet, and neither is a leaf.
    assert_eq!(enough(511), Some(0));
}
