// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `Prov<Xv6>` on a disk in memory: what is recorded, what is refused, upgrades, power cuts.

mod host;

use bento::prelude::*;
use bento_sim::{Caching, CrashDisk, Limits, MemDisk};
use host::{Host, formatted};
use prov::record::Kind;
use prov::{FILES, FOLDER, Prov, file_name};
use xv6::Xv6;

type Recording<D> = Host<Prov<Xv6<D>>>;

fn mounted() -> Recording<MemDisk> {
    Host::mount(formatted(4096)).expect("a new disk")
}

#[test]
fn operations_are_recorded_with_who_and_what() {
    let host = mounted();
    host.flush_log();
    let dir = host.mkdir(InodeNo(1), "d");
    let file = host.create(dir, "f");
    for event in [FileEvent::Open, FileEvent::FirstRead, FileEvent::FirstWrite] {
        host.event(file, event);
    }
    host.event(file, FileEvent::Release);
    host.truncate(file, 5).expect("ours");
    host.link(file, dir, "g").expect("a new name");
    host.rename((dir, "g"), (InodeNo(1), "h"), file)
        .expect("it is there");
    host.unlink(InodeNo(1), "h", file).expect("it is there");
    host.flush_log();
    let seen = host.records();
    let kinds: Vec<_> = seen.iter().map(|record| record.kind).collect();
    let expected = [
        Kind::Start,
        Kind::Mkdir,
        Kind::Create,
        Kind::Open,
        Kind::Read,
        Kind::Write,
        Kind::Close,
        Kind::Truncate,
        Kind::Link,
        Kind::Rename,
        Kind::Unlink,
    ];
    assert_eq!(kinds, expected);
    assert!(seen.iter().skip(1).all(|r| (r.pid, r.uid) == (42, 1000)));
    assert!(seen.iter().skip(1).all(|r| r.comm.starts_with(b"tester\0")));
    assert!(seen.iter().skip(2).all(|r| r.ino == file.0));
    let rename = seen.iter().find(|r| r.kind == Kind::Rename).expect("seen");
    assert_eq!((rename.parent, rename.other, rename.extra), (dir.0, 1, 0));
    assert_eq!(
        (&rename.name[..], &rename.name2[..]),
        (&b"g"[..], &b"h"[..])
    );
    let numbers: Vec<_> = seen.iter().map(|record| record.seq).collect();
    assert_eq!(numbers, (0..11).collect::<Vec<_>>());
}

#[test]
fn nobody_changes_the_log() {
    let host = mounted();
    host.flush_log();
    let root = InodeNo(1);
    let folder = host.lookup(root, FOLDER).expect("made");
    let log = host.lookup(folder, "log.0").expect("made");
    let file = host.create(root, "f");
    for ino in [folder, log] {
        let attr = host.getattr(ino);
        assert!(attr.flags.contains(InodeFlags::IMMUTABLE));
        assert_eq!((attr.uid, attr.mode & 0o077), (0, 0));
        let set = SetAttr {
            mask: SetAttrMask::MODE,
            mode: 0o777,
            ..SetAttr::empty()
        };
        assert_eq!(host.setattr(ino, &set), Err(Errno::EPERM));
        let set = SetAttr {
            mask: SetAttrMask::FLAGS,
            ..SetAttr::empty()
        };
        assert_eq!(host.setattr(ino, &set), Err(Errno::EPERM));
    }
    assert_eq!(host.truncate(log, 0), Err(Errno::EPERM));
    assert_eq!(host.try_create(folder, "x"), Err(Errno::EPERM));
    assert_eq!(host.unlink(folder, "log.0", log), Err(Errno::EPERM));
    assert_eq!(host.link(log, root, "x"), Err(Errno::EPERM));
    assert_eq!(host.link(file, folder, "x"), Err(Errno::EPERM));
    assert_eq!(
        host.rename((folder, "log.0"), (root, "x"), log),
        Err(Errno::EPERM)
    );
    assert_eq!(
        host.rename((root, FOLDER), (root, "x"), folder),
        Err(Errno::EPERM)
    );
    assert_eq!(
        host.rename((root, "f"), (folder, "x"), file),
        Err(Errno::EPERM)
    );
    host.flush_log();
    // What was refused did not happen, and who looks at the log is not in it.
    host.event(log, FileEvent::FirstRead);
    host.flush_log();
    let kinds: Vec<_> = host.records().iter().map(|r| r.kind).collect();
    assert_eq!(kinds, [Kind::Start, Kind::Create]);
}

#[test]
fn a_log_goes_on_and_its_files_are_used_in_turn() {
    let disk = formatted(4096);
    let mut newest = 0;
    for round in 0..3 {
        let host: Recording<MemDisk> = Host::mount(disk.clone()).expect("clean");
        let file = host
            .lookup(InodeNo(1), "f")
            .unwrap_or_else(|_| host.create(InodeNo(1), "f"));
        for _ in 0..4000 {
            host.event(file, FileEvent::Open);
            host.tick();
            host.flush_log_when_asked();
        }
        host.flush_log();
        let sizes = host.log_sizes();
        // 256 KiB is the least size of a file; a batch may exceed it.
        assert!(
            sizes.iter().all(|size| *size < (256 + 65) << 10),
            "{round}: {sizes:?}"
        );
        let records = host.records();
        let times: Vec<_> = records.iter().map(|r| r.time.sec).collect();
        assert!(times.is_sorted(), "round {round}");
        let last = *times.last().expect("some");
        assert!(
            last > newest,
            "round {round}: the log stands still at {last}"
        );
        newest = last;
        let lost = records.iter().any(|r| r.kind == Kind::Lost);
        assert!(!lost, "the host came when it was asked");
        host.unmount().expect("a clean end");
    }
    assert!(xv6::check::check(&disk).expect("readable").is_clean());
}

#[test]
fn what_is_lost_is_counted() {
    let host = mounted();
    host.flush_log();
    for _ in 0..10_000 {
        host.event(InodeNo(1), FileEvent::Open);
    }
    host.flush_log();
    // The host could not store one batch.
    host.event(InodeNo(1), FileEvent::Open);
    host.drop_log();
    host.event(InodeNo(1), FileEvent::Release);
    host.flush_log();
    let records = host.records();
    let opened = records.iter().filter(|r| r.kind == Kind::Open).count();
    let lost: Vec<_> = records
        .iter()
        .filter(|r| r.kind == Kind::Lost)
        .map(|r| r.extra)
        .collect();
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert_eq!(lost[1], 1);
    assert_eq!(u64::try_from(opened).expect("few") + lost[0], 10_000);
    assert_eq!(
        records.last().map(|r| r.kind),
        Some(Kind::Lost).or(Some(Kind::Close))
    );
}

#[test]
fn a_count_of_lost_records_is_not_lost_itself() {
    let host = mounted();
    host.flush_log();
    // A full disk: batch after batch cannot be stored, each with the count of those before.
    for _ in 0..3 {
        host.event(InodeNo(1), FileEvent::Open);
        host.drop_log();
    }
    host.event(InodeNo(1), FileEvent::Release);
    host.flush_log();
    let lost = host.records().into_iter().filter(|r| r.kind == Kind::Lost);
    assert_eq!(lost.map(|r| r.extra).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_mount_becomes_a_recording_one_and_back_and_nothing_is_missing() {
    let disk = formatted(4096);
    let plain: Host<Xv6<MemDisk>> = Host::mount(disk.clone()).expect("a new disk");
    plain.create(InodeNo(1), "before");
    let recording: Recording<MemDisk> = plain.upgrade().expect("taken over");
    recording.flush_log();
    recording.create(InodeNo(1), "one");
    // A record that waits crosses to another recording build ...
    let recording: Recording<MemDisk> = recording.upgrade().expect("taken over");
    recording.flush_log();
    recording.create(InodeNo(1), "two");
    recording.flush_log();
    let names = |records: &[host::Owned]| -> Vec<Vec<u8>> {
        let made = records.iter().filter(|r| r.kind == Kind::Create);
        made.map(|r| r.name.clone()).collect()
    };
    assert_eq!(
        names(&recording.records()),
        [b"one".to_vec(), b"two".to_vec()]
    );
    // ... and a plain build skips it. Hosts fetch all before.
    recording.create(InodeNo(1), "three");
    let plain: Host<Xv6<MemDisk>> = recording.upgrade().expect("taken back");
    let folder = plain.lookup(InodeNo(1), FOLDER).expect("stays");
    let log = plain.lookup(folder, "log.0").expect("stays");
    assert!(!plain.getattr(log).flags.contains(InodeFlags::IMMUTABLE));
    plain
        .unlink(folder, "log.0", log)
        .expect("an ordinary file");
    let recording: Recording<MemDisk> = plain.upgrade().expect("taken over");
    recording.create(InodeNo(1), "four");
    recording.flush_log();
    assert_eq!(names(&recording.records()), [b"four".to_vec()]);
    recording.unmount().expect("a clean end");
    assert!(xv6::check::check(&disk).expect("readable").is_clean());
}

#[test]
fn something_else_called_like_the_folder_is_left_alone() {
    let plain: Host<Xv6<MemDisk>> = Host::mount(formatted(4096)).expect("a new disk");
    plain.create(InodeNo(1), FOLDER);
    let recording: Recording<MemDisk> = plain.upgrade().expect("taken over");
    assert_eq!(recording.start_log(), Err(Errno::ENOTDIR));
    recording.create(InodeNo(1), "f");
}

#[test]
fn a_read_only_mount_records_nothing() {
    let host = mounted();
    host.flush_log();
    let disk = host.disk();
    host.unmount().expect("a clean end");
    let options = MountOptions {
        read_only: true,
        ..MountOptions::DEFAULT
    };
    let fs = Prov::<Xv6<MemDisk>>::mount(disk.clone(), &options).expect("clean");
    let host = Host::around(fs, disk);
    for _ in 0..100_000 {
        host.event(InodeNo(1), FileEvent::Open);
    }
    assert_eq!(host.records().len(), 1);
}

/// After every power cut the disk is sound, and the log holds whole records in order: at least
/// those that were synced.
#[test]
fn every_power_cut_leaves_a_log_that_can_be_read() {
    let medium = formatted(512).image();
    let disk = CrashDisk::new(medium, Caching::Short);
    let host: Recording<CrashDisk> = Host::mount(disk.clone()).expect("a new disk");
    let mut synced = vec![(0, 0)];
    for round in 0..6 {
        host.create(InodeNo(1), &format!("f{round}"));
        host.flush_log();
        host.sync();
        synced.push((disk.now(), host.records().len()));
    }
    let all: Vec<_> = host.records();
    let mut tried = 0;
    let _counts = disk.trace().crashes(&Limits::default(), &mut |crash| {
        tried += 1;
        let before = synced.iter().rev().find(|(at, _)| *at <= crash.at);
        let promised = before.map_or(0, |(_, records)| *records);
        let medium = MemDisk::from_image(crash.image.clone(), Caching::Short);
        let host: Recording<MemDisk> = Host::mount(medium.clone()).expect("recovered");
        let found = host.records();
        assert!(found.len() >= promised, "{} of {promised}", found.len());
        assert_eq!(found[..], all[..found.len()]);
        host.flush_log();
        host.unmount().expect("a clean end");
        let report = xv6::check::check(&medium).expect("readable");
        assert!(report.is_clean(), "{:?}", report.findings);
    });
    assert!(tried > 100, "only {tried} power cuts");
    assert!(file_name(FILES).is_none());
}
