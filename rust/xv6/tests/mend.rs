// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Repairs of images with much damage. (Each kind of damage alone is repaired in `corrupt.rs`.)
//!
//! Whatever bytes are damaged: the repair ends, nothing is left to find, and a second repair
//! finds nothing to do. What lies in blocks that were not damaged is still there.

mod host;

use bento::{BlockNo, Errno, FileSystem};
use bento_sim::{Caching, Image, MemDisk, Rng};
use host::{Host, fresh, pattern};
use xv6::check::check;
use xv6::checksum::of_super;
use xv6::layout::RawSuper;
use xv6::mend::mend;
use xv6::superblock::{Geometry, Super};
use zerocopy::FromBytes;

/// Directories in directories, files with trees, links, and names enough for several blocks.
fn image() -> Image {
    let host = fresh(1200);
    for dir in ["a", "a/b", "a/b/c", "d"] {
        host.mkdir(dir).expect("mkdir");
        for n in 0..12 {
            host.create(&format!("{dir}/file{n}")).expect("create");
        }
        host.write(&format!("{dir}/file0"), 0, &pattern(9000, 3))
            .expect("write");
    }
    for n in 0..40 {
        let name = format!("d/{}{n}", "long-name-".repeat(20));
        host.create(&name).expect("create");
    }
    host.create("tree").expect("create");
    for n in 0..300 {
        host.write("tree", n * 8192, &pattern(1000, n))
            .expect("write");
    }
    host.symlink("short", "a/b").expect("symlink");
    host.symlink("long", &"y".repeat(4090)).expect("symlink");
    host.unmount().image()
}

fn sup(image: &Image) -> Super {
    let disk = MemDisk::from_image(image.clone(), Caching::Short);
    Super::read(&disk, true).expect("valid")
}

/// All blocks that hold metadata.
fn metadata(image: &Image, geometry: &Geometry) -> Vec<u64> {
    let data = geometry.data();
    let magics: [&[u8]; 6] = [b"XDIR", b"XEXT", b"XLNK", b"XTOP", b"XIDX", b"XGAP"];
    let in_data = data.clone().filter(|block| {
        let bytes = image.block(*block).expect("inside");
        magics.iter().any(|magic| bytes.starts_with(magic))
    });
    (geometry.inode_map()..data.start).chain(in_data).collect()
}

/// Damages some bytes; half of the blocks get a checksum that says they are right.
fn damaged(good: &Image, rng: &mut Rng) -> Image {
    let sup = sup(good);
    let blocks = metadata(good, &sup.geometry);
    let mut bad = good.clone();
    for _ in 0..=rng.below(6) {
        let block = blocks[index(rng.below(u64::try_from(blocks.len()).expect("few")))];
        let mut bytes: [u8; 4096] = bad.block(block).expect("inside")[..]
            .try_into()
            .expect("a block");
        for _ in 0..=rng.below(8) {
            let start = match rng.below(3) {
                0 => rng.below(64),
                1 => rng.below(4096) & !255,
                _ => rng.below(4096),
            };
            let len = rng.below(20);
            for at in start..(start + len).min(4096) {
                let value = [rng.below(256), 0, 255, 1][index(rng.below(4))];
                bytes[index(at)] = u8::try_from(value).expect("a byte");
            }
        }
        if rng.below(2) == 0 {
            sup.sums()
                .seal_any(&sup.geometry, BlockNo(block), &mut bytes);
        }
        bad.write(block, 0, &bytes).expect("inside");
    }
    bad
}

fn index(n: u64) -> usize {
    usize::try_from(n).expect("small")
}

fn repair(image: Image, what: &str) -> MemDisk {
    let disk = MemDisk::from_image(image, Caching::Short);
    let mended = mend(&disk, |_| ()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(
        mended.after.is_clean(),
        "{what}: {:?}\nbefore: {:?}",
        mended.after.findings,
        mended.before.findings
    );
    let first = disk.image();
    let again = mend(&disk, |_| ()).expect("clean");
    assert!(again.before.is_clean() && disk.image() == first, "{what}");
    disk
}

#[test]
fn random_damage_of_metadata_is_repaired() {
    let good = image();
    let seeds = match std::env::var("BENTO_SEED") {
        Ok(seed) => seed.parse().map(|seed| seed..seed + 1),
        Err(_) => Ok(1..1201),
    };
    let mut damaged_images = 0;
    for seed in seeds.expect("BENTO_SEED is a number") {
        let mut rng = Rng::new(seed);
        let bad = damaged(&good, &mut rng);
        let what = format!("BENTO_SEED={seed} cargo test -p xv6 --test mend random");
        let report = check(&MemDisk::from_image(bad.clone(), Caching::Short));
        damaged_images += u32::from(!report.expect("the superblock is whole").is_clean());
        let disk = repair(bad, &what);
        let host = Host::mount(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
        host.create("new")
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        host.fs.sync(&host.req()).expect("sync");
        let report = check(&host.unmount()).expect("a superblock");
        assert!(report.is_clean(), "{what}: {:?}", report.findings);
    }
    println!("{damaged_images} damaged images repaired");
    assert!(
        damaged_images > 1000,
        "only {damaged_images} images were damaged"
    );
}

#[test]
fn a_wiped_inode_map_costs_nothing() {
    let mut bad = image();
    let geometry = sup(&bad).geometry;
    bad.write(geometry.inode_map(), 0, &[0; 4096])
        .expect("inside");
    bad.write(geometry.block_map(), 0, &[0xff; 4096])
        .expect("inside");
    bad.write(geometry.orphan_map(), 0, &[0x55; 4096])
        .expect("inside");
    let host = Host::mount(repair(bad, "maps")).expect("mounts");
    assert_eq!(
        host.list("", 100),
        Host::mount(disk_of(image())).expect("good").list("", 100)
    );
    assert_eq!(host.read("a/b/c/file0"), Ok(pattern(9000, 3)));
}

#[test]
fn inodes_that_only_their_directory_knows_are_found_again() {
    // A map that forgets all inodes but the root, with the right checksum.
    let mut bad = image();
    let sup = sup(&bad);
    let map = sup.geometry.inode_map();
    let mut bytes: [u8; 4096] = bad.block(map).expect("inside")[..]
        .try_into()
        .expect("a block");
    bytes[16..48].fill(0);
    bytes[16] = 3;
    sup.sums().seal(BlockNo(map), &mut bytes);
    bad.write(map, 0, &bytes).expect("inside");
    let host = Host::mount(repair(bad, "forgotten")).expect("mounts");
    assert_eq!(host.read("a/b/c/file0"), Ok(pattern(9000, 3)));
    assert!(host.open("lost+found").is_err(), "everything has its name");
}

#[test]
fn a_lost_directory_block_sends_its_files_to_lost_and_found() {
    let mut bad = image();
    let geometry = sup(&bad).geometry;
    let host = Host::mount(disk_of(bad.clone())).expect("good");
    let c = host.open("a/b/c").expect("there").ino().number();
    drop(host);
    let block = geometry.data().find(|block| {
        let bytes = bad.block(*block).expect("inside");
        bytes.starts_with(b"XDIR") && u64::from(bytes[8]) == c.0
    });
    bad.write(block.expect("there"), 0, &[0xee; 4096])
        .expect("inside");
    let host = Host::mount(repair(bad, "block")).expect("mounts");
    let lost = host.list("lost+found", 100).expect("there");
    assert_eq!(lost.len(), 12, "{lost:?}");
    assert_eq!(host.list("a/b/c", 100).map(|names| names.len()), Ok(0));
}

#[test]
fn what_has_no_name_goes_to_the_root_where_lost_and_found_has_no_room() {
    let host = fresh(600);
    host.mkdir("d").expect("mkdir");
    let ino = host.create("d/precious").expect("create").ino().number();
    let data = pattern(5000, 4);
    host.write("d/precious", 0, &data).expect("write");
    // There is no inode for another directory.
    let mut fill = (0..).map(|n| host.create(&format!("f{n}")));
    let full = fill.find_map(Result::err);
    assert_eq!(full, Some(Errno::ENOSPC));
    drop(fill);
    let mut image = host.unmount().image();
    let sup = sup(&image);
    let mut found = sup.geometry.data().filter_map(|block| {
        let bytes: [u8; 4096] = image.block(block).expect("inside")[..].try_into().ok()?;
        let at = bytes.windows(8).position(|name| name == b"precious")?;
        Some((block, at, bytes))
    });
    let (block, at, mut bytes) = found.next().expect("its entry");
    drop(found);
    // The number of the inode stands 8 bytes before the name.
    bytes[at - 8..at - 4].fill(0xff);
    sup.sums()
        .seal_any(&sup.geometry, BlockNo(block), &mut bytes);
    image.write(block, 0, &bytes).expect("inside");
    let host = Host::mount(repair(image, "no room")).expect("mounts");
    assert_eq!(host.read(&format!("#{ino}")), Ok(data));
    assert_eq!(host.open("lost+found").err(), Some(Errno::ENOENT));
}

#[test]
fn a_lost_inode_table_block_leaves_a_root() {
    let mut bad = image();
    let geometry = sup(&bad).geometry;
    let table = geometry.inode_place(geometry.ino(1).expect("the root")).0;
    bad.write(table.0, 0, &[0x77; 4096]).expect("inside");
    let host = Host::mount(repair(bad, "table")).expect("mounts");
    assert!(!host.list("lost+found", 100).expect("there").is_empty());
}

#[test]
fn a_backup_superblock_is_written_again() {
    let mut bad = image();
    let backup = sup(&bad).geometry.backup();
    bad.write(backup.0, 0, &[0; 4096]).expect("inside");
    let disk = repair(bad, "backup");
    let image = disk.image();
    let raw = RawSuper::read_from_prefix(image.block(backup.0).expect("inside"));
    let raw = raw.expect("256 bytes").0;
    assert_eq!(raw.checksum.get(), of_super(&raw));
}

fn disk_of(image: Image) -> MemDisk {
    MemDisk::from_image(image, Caching::Short)
}
