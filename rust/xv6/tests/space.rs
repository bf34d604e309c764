// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Running out of space and inodes: `ENOSPC`, nothing lost, nothing left behind.

mod host;

use bento::prelude::*;
use bento_sim::MemDisk;
use core::time::Duration;
use host::{Host, formatted, fresh, pattern};
use proptest::prelude::*;
use std::time::Instant;
use xv6::{FormatOptions, Xv6};

/// Fills the disk with one file per step until there is no space; returns their names.
fn fill(host: &Host<MemDisk>, bytes: usize) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let name = format!("fill-{}", names.len());
        match host.create(&name) {
            Err(Errno::ENOSPC) => return names,
            other => drop(other.expect("create")),
        }
        names.push(name.clone());
        match host.write(&name, 0, &vec![0xaa; bytes]) {
            Ok(done) if done == bytes => {}
            Ok(_) | Err(Errno::ENOSPC) => return names,
            Err(error) => panic!("{error}"),
        }
    }
}

fn available(host: &Host<MemDisk>) -> u64 {
    host.fs.statfs().expect("statfs").blocks_available
}

#[test]
fn a_full_disk_refuses_space_and_keeps_every_file() {
    let host = fresh(512);
    host.mkdir("d").expect("mkdir");
    host.create("d/kept").expect("create");
    let data = pattern(30_000, 3);
    host.write("d/kept", 0, &data).expect("write");
    let names = fill(&host, 100_000);
    assert_eq!(available(&host), 0);
    // Everything that needs space fails and changes nothing; everything else works.
    let before = host.free();
    let long = "l".repeat(500);
    assert_eq!(host.symlink("long", &long).err(), Some(Errno::ENOSPC));
    assert_eq!(host.write("d/kept", 1 << 20, b"x"), Err(Errno::ENOSPC));
    assert_eq!(host.free(), before);
    assert_eq!(host.write("d/kept", 0, &data), Ok(data.len()));
    host.create("d/empty")
        .expect("there is room in the directory and the inode table");
    host.rename("d/empty", "d/renamed", RenameFlags::empty())
        .expect("rename");
    host.link("d/kept", "d/link").expect("link");
    host.symlink("d/short", "target").expect("symlink");
    let host = host.remount();
    assert_eq!(host.read("d/kept"), Ok(data));
    assert_eq!(host.names("d"), ["kept", "link", "renamed", "short"]);
    for name in &names {
        host.remove(name).expect("a full disk can be emptied");
    }
    host.write("d/kept", 1 << 20, b"x")
        .expect("there is space again");
    host.unmount();
}

#[test]
fn space_that_was_just_freed_can_be_used() {
    let host = fresh(512);
    let names = fill(&host, 100_000);
    for name in &names {
        host.remove(name).expect("remove");
    }
    let again = fill(&host, 100_000);
    assert_eq!(again.len(), names.len());
    host.unmount();
}

#[test]
fn a_directory_that_cannot_grow_stays_as_it_is() {
    let host = fresh(512);
    host.mkdir("d").expect("mkdir");
    host.create("f").expect("create");
    let names = fill(&host, 50_000);
    let mut links = 0;
    let error = loop {
        match host.link("f", &format!("d/{links:0200}")) {
            Ok(()) => links += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, Errno::ENOSPC);
    assert_eq!(host.attr("f").expect("stat").nlink, 1 + links);
    assert_eq!(
        host.names("d").len(),
        usize::try_from(links).expect("small")
    );
    host.remove(&names[0]).expect("remove");
    host.link("f", &format!("d/{links:0200}")).expect("link");
    host.unmount();
}

#[test]
fn inodes_run_out_before_space_does() {
    let host = fresh(1024);
    let before = host.free();
    let mut made = 0;
    while host.create(&format!("f{made}")).is_ok() {
        made += 1;
    }
    // Slot 0 and the root are taken.
    assert_eq!(made, 254);
    assert_eq!(host.free().1, 0);
    assert_eq!(host.mkdir("d").err(), Some(Errno::ENOSPC));
    let host = host.remount();
    host.remove("f100").expect("remove");
    let attr = host
        .fs
        .getattr(&*host.create("again").expect("one is free"))
        .expect("stat");
    assert!(attr.generation > 0);
    for name in host.names("") {
        host.remove(&name).expect("remove");
    }
    assert_eq!(host.free().1, before.1);
    host.unmount();
}

#[test]
fn accepted_data_becomes_part_of_the_file_on_a_full_disk() {
    let host = fresh(512);
    // Space for many pieces is taken first; then the disk fills up; then the data arrives in
    // pieces that split each run, which needs extent blocks.
    let node = host.create("f").expect("create");
    for n in 0..8 {
        let got = host
            .fs
            .allocate(&host.req(), &node, n * 8 * 8192, 5 * 4096)
            .expect("allocate");
        assert_eq!(got.len, 5 * 4096);
    }
    fill(&host, 10_000);
    assert_eq!(available(&host), 0);
    for n in 0..8 {
        for piece in [1, 3] {
            let offset = n * 8 * 8192 + piece * 4096;
            let done = host
                .fs
                .commit(&host.req(), &node, offset, 4096, offset + 4096);
            assert_eq!(done, Ok(()));
        }
    }
    let attr = host.fs.getattr(&node).expect("stat");
    assert_eq!(attr.size, 7 * 8 * 8192 + 4 * 4096);
    // The eight runs filled the root of the tree: its first node came out of the reserve.
    assert_eq!(attr.blocks / 8, 8 * 5 + 1);
    drop(node);
    host.unmount();
}

#[test]
fn a_file_without_a_name_keeps_its_space_until_it_is_closed() {
    let host = fresh(512);
    let before = host.free();
    host.create("f").expect("create");
    host.write("f", 0, &pattern(50_000, 5)).expect("write");
    let open = host.unlink("f").expect("unlink");
    assert_eq!(host.read_node(&open), Ok(pattern(50_000, 5)));
    assert!(host.free().0 < before.0 - 10);
    host.close(open).expect("close");
    assert_eq!(host.free(), (before.0 - 1, before.1));
    host.unmount();
}

#[test]
fn truncation_of_a_huge_file_comes_in_steps() {
    let disk = MemDisk::new(20 * 32768);
    xv6::format(&disk, &FormatOptions::default()).expect("it fits");
    let host = Host::mount(disk).expect("mount");
    let before = host.free();
    let node = host.create("f").expect("create");
    let mut at = 0;
    while at < 18 * 32768 * 4096 {
        at += host
            .fs
            .allocate(&host.req(), &node, at, 1 << 40)
            .expect("allocate")
            .len;
    }
    let mut set = SetAttr::empty();
    set.mask = SetAttrMask::SIZE;
    set.size = 4096;
    let mut steps = 1;
    while let Err(error) = host.fs.setattr(&host.req(), &node, &set) {
        assert_eq!(error, Errno::EAGAIN);
        steps += 1;
    }
    assert!(steps > 1, "2.4 GiB in one step");
    assert_eq!(host.fs.getattr(&node).expect("stat").blocks, 8);
    drop(node);
    host.remove("f").expect("remove");
    assert_eq!(host.free(), (before.0 - 1, before.1));
    host.unmount();
}

#[test]
fn a_gibibyte_is_formatted_in_less_than_a_second() {
    let disk = MemDisk::new(262_144);
    let start = Instant::now();
    let sup = xv6::format(&disk, &FormatOptions::default()).expect("it fits");
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(sup.geometry.inodes(), 65_536);
    host::assert_clean(&disk);
}

#[test]
fn devices_that_are_too_small_are_refused_and_the_smallest_works() {
    for blocks in 0..=90 {
        let disk = MemDisk::new(blocks);
        let options = FormatOptions {
            inodes: Some(16),
            ..FormatOptions::default()
        };
        match xv6::format(&disk, &options) {
            Ok(_) => return drop(Host::mount(disk).expect("mount").unmount()),
            Err(error) => assert_eq!(error, Errno::EINVAL),
        }
    }
    panic!("90 blocks are enough");
}

#[test]
fn nothing_is_written_by_a_read_only_mount() {
    let disk = formatted(512);
    let host = Host::mount(disk.clone()).expect("mount");
    host.create("f").expect("create");
    host.unmount();
    let before = disk.image();
    let options = MountOptions {
        read_only: true,
        ..host::PLAIN
    };
    for device in [disk.clone(), disk.clone().into_read_only()] {
        let host = Host::mount_with(device, &options).expect("mount");
        assert_eq!(host.names(""), ["f"]);
        assert_eq!(host.create("g").err(), Some(Errno::EROFS));
        assert_eq!(host.unlink("f").err(), Some(Errno::EROFS));
        assert_eq!(host.truncate("f", 1), Err(Errno::EROFS));
        host.fs.sync(&host.req()).expect("nothing to do");
        host.fs.unmount().expect("unmount");
    }
    assert_eq!(disk.image().differences(&before), [0u64; 0]);
}

#[test]
fn an_unknown_mount_option_is_refused() {
    let options = MountOptions {
        text: ",,quota=on",
        ..host::PLAIN
    };
    assert_eq!(
        Xv6::mount(formatted(512), &options).err(),
        Some(Errno::EINVAL)
    );
}

/// One step of the allocator's property test: which file, what it asks for.
#[derive(Clone, Debug)]
enum Step {
    Take { file: usize, at: u64, blocks: u64 },
    Cut { file: usize, blocks: u64 },
    Sync,
}

fn step() -> impl Strategy<Value = Step> {
    let sizes = prop_oneof![6 => 1..8u64, 3 => 8..60u64, 1 => 60..400u64];
    prop_oneof![
        6 => (0..5usize, 0..800u64, sizes)
            .prop_map(|(file, at, blocks)| Step::Take { file, at, blocks }),
        3 => (0..5usize, 0..500u64).prop_map(|(file, blocks)| Step::Cut { file, blocks }),
        1 => Just(Step::Sync),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn space_is_counted_exactly_and_refused_only_where_none_is_left(
        steps in proptest::collection::vec(step(), 1..150),
    ) {
        let host = fresh(400);
        let files: Vec<_> = (0..5).map(|n| host.create(&format!("f{n}")).expect("create")).collect();
        let empty = host.free().0;
        for step in &steps {
            let req = host.req();
            let used = || -> u64 {
                files.iter().map(|f| host.fs.getattr(f).expect("stat").blocks / 8).sum()
            };
            match step {
                Step::Take { file, at, blocks } => {
                    let before = (used(), available(&host));
                    match host.fs.allocate(&req, &files[*file], at * 4096, blocks * 4096) {
                        Ok(got) if got.new => {
                            prop_assert_eq!(got.offset, at * 4096);
                            let blocks = got.len / 4096;
                            // Extent blocks come on top.
                            prop_assert!(used() >= before.0 + blocks);
                            prop_assert!(used() <= before.0 + blocks + 2);
                        }
                        Ok(_) => prop_assert_eq!(used(), before.0),
                        Err(error) => {
                            prop_assert_eq!(error, Errno::ENOSPC);
                            // Extent blocks are not the straw: they come out of the reserve.
                            prop_assert_eq!((before.1, used()), (0, before.0));
                        }
                    }
                }
                Step::Cut { file, blocks } => {
                    let mut set = SetAttr::empty();
                    (set.mask, set.size) = (SetAttrMask::SIZE, blocks * 4096);
                    let cut = host::repeat(|| host.fs.setattr(&req, &files[*file], &set));
                    prop_assert_eq!(cut, Ok(()));
                }
                Step::Sync => host.fs.sync(&req).expect("sync"),
            }
            prop_assert_eq!(host.free().0, empty - used());
        }
        drop(files);
        host.unmount();
    }
}
