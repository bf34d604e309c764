// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Checksums as a mount sees them: damage is noticed when a block comes from the device, is never
//! covered up by a later change, and blocks in the cache are not verified again.

mod host;

use bento::{BlockBuf, BlockDevice, BlockNo, Errno};
use bento_sim::{Caching, Image, MemDisk};
use host::{Host, fresh};
use xv6::check::check;
use xv6::superblock::Super;

/// An image with two directories, and their blocks in the order of their making.
fn image() -> (Image, Vec<u64>) {
    let host = fresh(300);
    for dir in ["a", "b"] {
        host.mkdir(dir).expect("mkdir");
        host.create(&format!("{dir}/file")).expect("create");
    }
    let image = host.unmount().image();
    let disk = MemDisk::from_image(image.clone(), Caching::Short);
    let data = Super::read(&disk, false).expect("valid").geometry.data();
    let blocks = data.filter(|block| {
        let bytes = image.block(*block).expect("inside");
        bytes.starts_with(b"XDIR") && bytes[8] != 1
    });
    let blocks: Vec<_> = blocks.collect();
    assert_eq!(blocks.len(), 2);
    (image, blocks)
}

/// Using directory `a` fails, and nothing makes the block at `place` look right again.
fn refused(image: Image, place: u64) {
    let disk = MemDisk::from_image(image, Caching::Short);
    let sums = Super::read(&disk, false).expect("valid").sums();
    let host = Host::mount(disk.clone()).expect("mounts");
    assert_eq!(host.list("a", 100).err(), Some(Errno::EUCLEAN));
    assert_eq!(host.create("a/new").err(), Some(Errno::EUCLEAN));
    assert_eq!(host.list("b", 100).map(|names| names.len()), Ok(1));
    host.create("b/new").expect("b is in order");
    host.fs.sync(&host.req()).expect("sync");
    let buf = disk.read(BlockNo(place)).expect("inside");
    assert!(!sums.block_is_valid(BlockNo(place), &buf.bytes().expect("free")));
}

use bento::FileSystem;

#[test]
fn a_flipped_bit_in_free_space_of_a_directory_is_noticed_and_not_covered_up() {
    let (mut image, blocks) = image();
    image.write(blocks[0], 4000, &[1]).expect("inside");
    refused(image, blocks[0]);
}

#[test]
fn a_valid_block_at_another_place_is_noticed() {
    let (mut image, blocks) = image();
    let bytes = image.block(blocks[1]).expect("inside").to_vec();
    image.write(blocks[0], 0, &bytes).expect("inside");
    refused(image, blocks[0]);
}

#[test]
fn a_block_of_another_file_system_is_noticed() {
    let (mut image, blocks) = image();
    let mut bytes = image.block(blocks[0]).expect("inside").to_vec();
    xv6::checksum::Sums::new(&[9; 16]).seal(BlockNo(blocks[0]), &mut bytes);
    image.write(blocks[0], 0, &bytes).expect("inside");
    refused(image, blocks[0]);
}

#[test]
fn a_bitmap_with_a_wrong_checksum_stops_the_mount() {
    let (mut image, _) = image();
    let disk = MemDisk::from_image(image.clone(), Caching::Short);
    let map = Super::read(&disk, false)
        .expect("valid")
        .geometry
        .block_map();
    image.write(map, 3000, &[0]).expect("inside");
    let disk = MemDisk::from_image(image, Caching::Short);
    assert_eq!(Host::mount(disk).err(), Some(Errno::EUCLEAN));
}

#[test]
fn a_damaged_inode_is_refused_and_its_neighbours_are_not() {
    let (mut image, _) = image();
    let disk = MemDisk::from_image(image.clone(), Caching::Short);
    let geometry = Super::read(&disk, false).expect("valid").geometry;
    let (table, offset) = geometry.inode_place(geometry.ino(2).expect("in range"));
    let owner = usize::from(offset) + 4;
    image.write(table.0, owner, &[0x55]).expect("inside");
    let host = Host::mount(MemDisk::from_image(image, Caching::Short)).expect("mounts");
    assert_eq!(host.open("a").err(), Some(Errno::EUCLEAN));
    assert!(host.open("b/file").is_ok());
}

#[test]
fn a_cached_block_is_not_verified_again() {
    let (image, blocks) = image();
    let disk = MemDisk::from_image(image, Caching::Long);
    let host = Host::mount(disk.clone()).expect("mounts");
    assert!(host.list("a", 100).is_ok());
    let cached = disk.read(BlockNo(blocks[0])).expect("cached");
    assert!(cached.is_checked());
    // Nobody changes a cached block past the journal: if this is not seen, nobody looks.
    cached.bytes_mut().expect("free")[4000] = 1;
    assert!(host.list("a", 100).is_ok());
}

#[test]
fn symbolic_links_that_fill_their_block_keep_their_last_bytes() {
    let host = fresh(300);
    for len in [128, 129, 4079, 4080, 4081, 4094, 4095] {
        let target: String = "abcdefghijk".chars().cycle().take(len).collect();
        let name = format!("link{len}");
        host.symlink(&name, &target).expect("symlink");
        assert_eq!(host.readlink(&name), Ok(target), "{len} bytes");
    }
    let disk = host.unmount();
    let report = check(&disk).expect("a superblock");
    assert!(report.is_clean(), "{:?}", report.findings);
}
