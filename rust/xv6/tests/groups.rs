// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Where new directories and files go on a device of several allocation groups.

mod host;

use bento::{ExtentKind, FileSystem};
use bento_sim::MemDisk;
use host::{Host, pattern};
use std::collections::BTreeSet;
use xv6::check::check;
use xv6::layout::BITS_PER_BLOCK;
use xv6::{FormatOptions, format};

const GROUPS: u64 = 5;

fn fresh() -> Host<MemDisk> {
    let blocks = GROUPS * u64::from(BITS_PER_BLOCK);
    let disk = MemDisk::new(usize::try_from(blocks).expect("small"));
    let options = FormatOptions {
        inodes: Some(16 * 500),
        log_blocks: Some(64),
        ..FormatOptions::default()
    };
    format(&disk, &options).expect("it fits");
    Host::mount(disk).expect("mounts")
}

/// The group of the first block of a file.
fn group_of(host: &Host<MemDisk>, path: &str) -> u64 {
    let node = host.open(path).expect("there");
    let extent = host.fs.map(&node, 0, 1).expect("mapped");
    match extent.kind {
        ExtentKind::Mapped(start) | ExtentKind::Unwritten(start) => {
            start / 4096 / u64::from(BITS_PER_BLOCK)
        }
        ExtentKind::Hole => panic!("{path} has no block"),
    }
}

#[test]
fn directories_are_spread_and_their_files_stay_with_them() {
    let host = fresh();
    let mut groups = BTreeSet::new();
    for dir in 0..GROUPS {
        let dir = format!("dir{dir}");
        host.mkdir(&dir).expect("mkdir");
        host.mkdir(&format!("{dir}/sub")).expect("mkdir");
        let mut of_files = BTreeSet::new();
        for file in ["a", "b", "sub/c"] {
            let path = format!("{dir}/{file}");
            host.create(&path).expect("create");
            host.write(&path, 0, &pattern(10_000, 1)).expect("write");
            of_files.insert(group_of(&host, &path));
        }
        assert_eq!(of_files.len(), 1, "{dir}: {of_files:?}");
        groups.extend(of_files);
    }
    assert_eq!(groups.len(), 5, "every group is used: {groups:?}");
    let report = check(&host.unmount()).expect("a superblock");
    assert!(report.is_clean(), "{:?}", report.findings);
}

#[test]
fn a_full_group_sends_new_directories_and_data_elsewhere_and_counts_stay_right() {
    let host = fresh();
    host.mkdir("full").expect("mkdir");
    host.create("full/large").expect("create");
    let free = host.fs.statfs().expect("counted").blocks_free;
    let node = host.open("full/large").expect("there");
    // Without data: space is taken in advance.
    let mut at = 0;
    let end = u64::from(BITS_PER_BLOCK) * 4096;
    while at < end {
        let extent = host
            .fs
            .allocate(&host.req(), &node, at, end - at)
            .expect("space");
        at = extent.offset + extent.len;
    }
    let home = group_of(&host, "full/large");
    host.mkdir("full/sub").expect("mkdir");
    host.create("full/sub/file").expect("create");
    host.write("full/sub/file", 0, &pattern(5000, 2))
        .expect("write");
    assert_ne!(group_of(&host, "full/sub/file"), home);
    let taken = free - host.fs.statfs().expect("counted").blocks_free;
    let report = check(&{
        host.fs.sync(&host.req()).expect("sync");
        host.dev.clone()
    });
    let report = report.expect("a superblock");
    assert!(report.is_clean(), "{:?}", report.findings);
    // "full" had its entry of one block before.
    assert_eq!(report.used_blocks, taken + 2);
}
