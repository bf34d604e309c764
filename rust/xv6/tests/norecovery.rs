// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Looking at a disk as a crash left it: `-o ro,norecovery`.

mod host;

use bento::prelude::*;
use bento_sim::{Caching, MemDisk};
use host::{Host, PLAIN, fresh, pattern};
use xv6::Xv6;
use xv6::superblock::Super;

const LOOK: MountOptions<'static> = MountOptions {
    read_only: true,
    no_recovery: true,
    ..PLAIN
};

/// A disk whose log would be replayed by a mount, which then shows "new", too.
fn crashed() -> MemDisk {
    let host = fresh(512);
    host.create("f").expect("create");
    host.write("f", 0, &pattern(10_000, 1)).expect("write");
    let host = host.remount();
    let new = host.create("new").expect("create");
    host.fs.fsync(&host.req(), &new, false).expect("fsync");
    drop(new);
    MemDisk::from_image(host.dev.image(), Caching::Short)
}

#[test]
fn nothing_is_written_and_everything_can_be_read() {
    let disk = crashed();
    let before = disk.image();
    let host = Host::mount_with(disk.clone(), &LOOK).expect("mount");
    assert_eq!(host.names(""), ["f"]);
    assert_eq!(host.read("f"), Ok(pattern(10_000, 1)));
    assert_eq!(host.create("h").err(), Some(Errno::EROFS));
    assert_eq!(host.free().1, 256 - 3);
    host.fs.sync(&host.req()).expect("nothing to do");
    host.fs.unmount().expect("nothing to do");
    assert_eq!(disk.image(), before);
    // A real mount finds what is in the log.
    let host = Host::mount(disk).expect("mount");
    assert_eq!(host.names(""), ["f", "new"]);
    host.unmount();
}

#[test]
fn a_device_that_cannot_be_written_is_no_obstacle() {
    let disk = crashed().into_read_only();
    let plain = MountOptions {
        no_recovery: false,
        ..LOOK
    };
    let refused = Host::mount_with(disk.clone(), &plain);
    assert_eq!(refused.err(), Some(Errno::EROFS), "a replay is needed");
    let host = Host::mount_with(disk, &LOOK).expect("mount");
    assert_eq!(host.names(""), ["f"]);
}

#[test]
fn a_damaged_log_is_no_obstacle() {
    let disk = crashed();
    let log = Super::read(&disk, true).expect("valid").geometry.log().0;
    disk.damage(log.0, 0, &[0xff; 64]).expect("inside");
    assert_eq!(Host::mount(disk.clone()).err(), Some(Errno::EUCLEAN));
    let host = Host::mount_with(disk, &LOOK).expect("mount");
    assert_eq!(host.names(""), ["f"]);
}

#[test]
fn a_bitmap_that_a_crash_cut_in_two_only_costs_the_counts() {
    let disk = crashed();
    let map = Super::read(&disk, true)
        .expect("valid")
        .geometry
        .block_map();
    disk.damage(map, 100, &[0x55]).expect("inside");
    let host = Host::mount_with(disk, &LOOK).expect("mount");
    assert_eq!(host.free(), (0, 0));
    assert_eq!(host.names(""), ["f"]);
}

#[test]
fn it_is_never_writable() {
    let disk = crashed();
    let writable = MountOptions {
        read_only: false,
        ..LOOK
    };
    let refused = Host::mount_with(disk.clone(), &writable);
    assert_eq!(refused.err(), Some(Errno::EINVAL));
    let host = Host::mount_with(disk.clone(), &LOOK).expect("mount");
    let mut out = StateWriter::new();
    host.fs.export(&mut out).expect("export");
    let state = StateReader::new(out.as_bytes()).expect("valid");
    let schema = *Xv6::<MemDisk>::SCHEMA.end();
    // What a remount to read-write does.
    let refused = Xv6::import(disk.clone(), &PLAIN, schema, &state);
    assert_eq!(refused.err(), Some(Errno::EROFS));
    let next = Xv6::import(disk.clone(), &LOOK, schema, &state).expect("import");
    let host = Host::around(next, disk);
    assert_eq!(host.names(""), ["f"]);
    assert_eq!(host.create("h").err(), Some(Errno::EROFS));
}
