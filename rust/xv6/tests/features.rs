// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Feature bits that this build does not know.

mod host;

use bento::{Errno, MountOptions};
use bento_sim::MemDisk;
use host::{Host, PLAIN, fresh};
use xv6::checksum::of_super;
use xv6::layout::RawSuper;
use xv6::superblock::Super;
use zerocopy::{FromBytes, IntoBytes};

/// A bit that nothing uses.
const UNKNOWN: u32 = 1 << 31;

/// A file system with a file, whose superblock and backup were changed.
fn with(change: impl Fn(&mut RawSuper)) -> MemDisk {
    let host = fresh(300);
    host.create("file").expect("create");
    let disk = host.unmount();
    let backup = Super::read(&disk, false).expect("valid").geometry.backup();
    for block in [0, backup.0] {
        let image = disk.image();
        let bytes = image.block(block).expect("inside");
        let mut raw = RawSuper::read_from_prefix(bytes).expect("256 bytes").0;
        change(&mut raw);
        raw.checksum = of_super(&raw).into();
        disk.damage(block, 0, raw.as_bytes()).expect("inside");
    }
    disk
}

fn read_only() -> MountOptions<'static> {
    MountOptions {
        read_only: true,
        ..PLAIN
    }
}

#[test]
fn an_unknown_compatible_feature_is_kept_and_ignored() {
    let disk = with(|raw| raw.compat = UNKNOWN.into());
    let host = Host::mount(disk).expect("mounts");
    host.create("new").expect("may be written");
    let disk = host.unmount();
    assert_eq!(Super::read(&disk, false).expect("valid").compat, UNKNOWN);
    let report = xv6::check::check(&disk).expect("a superblock");
    assert!(report.is_clean(), "{:?}", report.findings);
}

#[test]
fn an_unknown_read_only_feature_allows_reading_alone() {
    let disk = with(|raw| raw.ro_compat = UNKNOWN.into());
    assert_eq!(Host::mount(disk.clone()).err(), Some(Errno::EROFS));
    let host = Host::mount_with(disk, &read_only()).expect("may be read");
    assert!(host.open("file").is_ok());
    assert_eq!(host.create("new").err(), Some(Errno::EROFS));
}

#[test]
fn an_unknown_incompatible_feature_is_refused_by_mount_check_and_repair() {
    let disk = with(|raw| raw.incompat = (raw.incompat.get() | UNKNOWN).into());
    let before = disk.image();
    assert_eq!(Host::mount(disk.clone()).err(), Some(Errno::EOPNOTSUPP));
    let mounted = Host::mount_with(disk.clone(), &read_only());
    assert_eq!(mounted.err(), Some(Errno::EOPNOTSUPP));
    assert_eq!(xv6::check::check(&disk).err(), Some(Errno::EOPNOTSUPP));
    let mended = xv6::mend::mend(&disk, |_| ());
    assert_eq!(mended.err(), Some(Errno::EOPNOTSUPP));
    assert!(disk.image() == before, "nothing was changed");
}

#[test]
fn a_repair_needs_all_features_that_writing_needs() {
    let disk = with(|raw| raw.ro_compat = UNKNOWN.into());
    // A bit of the orphan map.
    let map = Super::read(&disk, true)
        .expect("valid")
        .geometry
        .orphan_map();
    disk.damage(map, 20, &[1]).expect("inside");
    let before = disk.image();
    assert_eq!(xv6::mend::mend(&disk, |_| ()).err(), Some(Errno::EROFS));
    assert!(disk.image() == before, "nothing was changed");
}
