// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a crash leaves to do, and what a repair must leave alone.

mod host;

use bento::prelude::*;
use bento_sim::{Caching, MemDisk};
use host::{Host, PLAIN, assert_clean, fresh, pattern, repeat};
use std::rc::Rc;
use xv6::check::check;
use xv6::{Node, Xv6};

/// The state that this build exports.
const SCHEMA: u32 = *<Xv6<MemDisk> as Upgrade>::SCHEMA.end();

const REPAIR: MountOptions<'static> = MountOptions {
    repair: true,
    ..PLAIN
};

/// The medium as a power cut right now would leave it, on a new device.
fn crashed(host: &Host<MemDisk>) -> MemDisk {
    MemDisk::from_image(host.dev.image(), Caching::Short)
}

/// A disk that crashed while a file of 50,000 bytes was open and had lost its name.
fn with_open_orphan() -> (MemDisk, InodeNo, (u64, u64)) {
    let host = fresh(512);
    host.create("kept").expect("create");
    host.remove("kept").expect("remove");
    let before = host.free();
    host.create("f").expect("create");
    host.write("f", 0, &pattern(50_000, 5)).expect("write");
    let open = host.unlink("f").expect("unlink");
    host.fs.sync(&host.req()).expect("sync");
    (crashed(&host), open.ino().number(), before)
}

#[test]
fn a_mount_after_a_crash_frees_files_without_a_name() {
    let (disk, ino, before) = with_open_orphan();
    let report = check(&disk).expect("readable");
    assert_eq!((report.orphans, report.is_clean()), (1, true));
    let host = Host::mount(disk).expect("mount");
    assert_eq!(host.free(), before);
    assert_eq!(host.fs.load(ino).err(), Some(Errno::ESTALE));
    assert_eq!(check(&host.unmount()).expect("readable").orphans, 0);
}

#[test]
fn a_repair_keeps_files_without_a_name_until_they_are_forgotten() {
    let (disk, ino, before) = with_open_orphan();
    let host = Host::mount_with(disk, &REPAIR).expect("mount");
    let node = host.node(ino).expect("still there");
    assert_eq!(host.read_node(&node), Ok(pattern(50_000, 5)));
    // The host can find it, to forget it where it has no user any more.
    assert_eq!(host.fs.next_orphan(InodeNo(1)), Ok(ino));
    let next = host.fs.next_orphan(InodeNo(ino.0 + 1));
    assert_eq!(next, Err(Errno::ENOENT));
    host.close(node).expect("forget");
    assert_eq!(host.free(), before);
    assert_eq!(host.fs.next_orphan(InodeNo(0)), Err(Errno::ENOENT));
    host.unmount();
}

#[test]
fn a_crash_in_the_middle_of_a_truncation_is_finished_by_the_next_mount() {
    for options in [PLAIN, REPAIR] {
        let (host, node, before) = half_truncated(5000);
        // What is on its way out is not shown any more.
        let hole = host.fs.map(&node, 1 << 20, 1).expect("map");
        assert_eq!(hole.kind, ExtentKind::Hole);
        host.fs.sync(&host.req()).expect("sync");
        let host = Host::mount_with(crashed(&host), &options).expect("mount");
        let attr = host.attr("f").expect("stat");
        assert_eq!((attr.size, attr.blocks), (5000, 16));
        assert_eq!(host.free(), (before.0 - 2, before.1));
        host.unmount();
    }
}

/// A file of 2.4 GiB whose truncation the host has begun and given up; and what was free before the
/// file had any blocks.
fn half_truncated(size: u64) -> (Host<MemDisk>, Rc<Node>, (u64, u64)) {
    let disk = MemDisk::new(20 * 32768);
    xv6::format(&disk, &xv6::FormatOptions::default()).expect("it fits");
    let host = Host::mount(disk).expect("mount");
    let node = host.create("f").expect("create");
    let before = host.free();
    let mut at = 0;
    while at < 18 * 32768 * 4096 {
        at += host
            .fs
            .allocate(&host.req(), &node, at, 1 << 40)
            .expect("allocate")
            .len;
    }
    host.fs
        .commit(&host.req(), &node, 0, at, at)
        .expect("commit");
    let mut set = SetAttr::empty();
    (set.mask, set.size) = (SetAttrMask::SIZE, size);
    let begun = host.fs.setattr(&host.req(), &node, &set);
    assert_eq!(begun, Err(Errno::EAGAIN));
    (host, node, before)
}

#[test]
fn a_truncation_that_was_given_up_brings_nothing_back_when_a_block_is_filled() {
    let (host, node, _) = half_truncated(0);
    let got = host
        .fs
        .allocate(&host.req(), &node, 1 << 20, 4096)
        .expect("allocate");
    assert!(got.new && got.len == 4096, "{got:?}");
    let hole = host.fs.map(&node, 0, 1).expect("map");
    assert_eq!((hole.kind, hole.len), (ExtentKind::Hole, 1 << 20));
    assert_eq!(host.fs.getattr(&node).expect("stat").blocks, 8);
    drop(node);
    host.unmount();
}

#[test]
fn a_truncation_that_was_given_up_brings_nothing_back_when_the_file_grows() {
    let (host, node, _) = half_truncated(0);
    let mut set = SetAttr::empty();
    (set.mask, set.size) = (SetAttrMask::SIZE, 1 << 30);
    repeat(|| host.fs.setattr(&host.req(), &node, &set)).expect("grow");
    let attr = host.fs.getattr(&node).expect("stat");
    assert_eq!((attr.size, attr.blocks), (1 << 30, 0));
    drop(node);
    host.unmount();
}

#[test]
fn a_read_only_mount_leaves_orphans_alone() {
    let (disk, ino, _) = with_open_orphan();
    // The log was replayed before the medium became read-only.
    xv6::check::replay(disk.clone()).expect("replay");
    let before = disk.image();
    let options = MountOptions {
        read_only: true,
        ..PLAIN
    };
    let host = Host::mount_with(disk.into_read_only(), &options).expect("mount");
    let node = host.node(ino).expect("still there");
    assert_eq!(host.read_node(&node), Ok(pattern(50_000, 5)));
    host.close(node).expect("a read-only forget does nothing");
    assert_eq!(host.dev.image().differences(&before), [0u64; 0]);
}

#[test]
fn an_upgrade_carries_open_files_without_a_name_and_exact_counts() {
    let host = fresh(512);
    host.create("f").expect("create");
    host.write("f", 0, &pattern(50_000, 5)).expect("write");
    host.create("g").expect("create");
    let ino = host.unlink("f").expect("unlink").ino().number();
    let counts = host.free();
    let mut out = StateWriter::new();
    host.fs.export(&mut out).expect("export");
    let state = StateReader::new(out.as_bytes()).expect("well-formed");
    let next = Xv6::import(host.dev.clone(), &PLAIN, SCHEMA, &state).expect("import");
    let (old, host) = (host.fs, Host::around(next, host.dev));
    drop(old);
    assert_eq!(host.free(), counts);
    assert_eq!(host.names(""), ["g"]);
    let node = host.node(ino).expect("still there");
    assert_eq!(host.read_node(&node), Ok(pattern(50_000, 5)));
    host.close(node).expect("forget");
    let dev = host.unmount();
    assert_clean(&dev);
}

#[test]
fn a_read_only_mount_that_becomes_writable_finishes_orphans_but_not_those_in_use() {
    let (disk, _, before) = with_open_orphan();
    xv6::check::replay(disk.clone()).expect("replay");
    let options = MountOptions {
        read_only: true,
        ..PLAIN
    };
    let reader = Xv6::mount(disk.clone(), &options).expect("mount");
    let mut out = StateWriter::new();
    reader.export(&mut out).expect("export");
    let state = StateReader::new(out.as_bytes()).expect("well-formed");
    let writer = Xv6::import(disk.clone(), &PLAIN, SCHEMA, &state).expect("import");
    let host = Host::around(writer, disk);
    assert!(host.free().0 < before.0);
    host.create("f").expect("create");
    host.write("f", 0, &pattern(9000, 1)).expect("write");
    let open = host.unlink("f").expect("unlink");
    host.fs.sync(&host.req()).expect("sync");
    assert_eq!(host.read_node(&open), Ok(pattern(9000, 1)));
    host.close(open).expect("close");
    assert_eq!(host.free(), before);
    host.unmount();
}

#[test]
fn a_damaged_state_is_refused_and_the_old_instance_goes_on() {
    let host = fresh(512);
    host.create("f").expect("create");
    let mut out = StateWriter::new();
    host.fs.export(&mut out).expect("export");
    let import = |schema: u32, bytes: &[u8]| {
        let state = StateReader::new(bytes)?;
        Xv6::import(host.dev.clone(), &PLAIN, schema, &state).map(drop)
    };
    for schema in [SCHEMA - 1, SCHEMA + 1] {
        let refused = import(schema, out.as_bytes());
        assert_eq!(refused, Err(Errno::EINVAL), "schema {schema}");
    }
    let without = |missing: u32| {
        let mut partial = StateWriter::new();
        let state = StateReader::new(out.as_bytes()).expect("well-formed");
        for (tag, payload) in state.records().filter(|(tag, _)| *tag != missing) {
            partial.record(tag, payload).expect("small");
        }
        partial
    };
    for tag in 1..=3 {
        assert_eq!(
            import(SCHEMA, without(tag).as_bytes()),
            Err(Errno::EINVAL),
            "without {tag}"
        );
        let mut short = without(tag);
        short.record(tag, &[1, 2, 3]).expect("small");
        let refused = import(SCHEMA, short.as_bytes());
        assert_eq!(refused, Err(Errno::EINVAL), "{tag} cut");
    }
    host.create("g").expect("the old instance goes on");
    host.unmount();
}
