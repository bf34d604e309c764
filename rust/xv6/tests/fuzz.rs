// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Garbage in any single byte: errors, but no panic and no hang, from mount, use and check.

mod host;

use bento::prelude::*;
use bento_sim::{Caching, Image, MemDisk};
use host::{Host, PLAIN, fresh, pattern, repeat};
use xv6::Xv6;
use xv6::superblock::Super;

/// Values that a byte is set to: the flips of its lowest and highest bit, and the extremes.
fn garbage(byte: u8) -> impl Iterator<Item = u8> {
    [byte ^ 1, byte ^ 0x80, 0, 0xff, 0x7f, byte.wrapping_add(1)]
        .into_iter()
        .filter(move |value| *value != byte)
}

/// An image with a directory, a file with a tree, extended attributes, and both kinds of symbolic
/// link.
fn image() -> Image {
    let host = fresh(300);
    host.mkdir("dir").expect("mkdir");
    host.create("dir/file").expect("create");
    host.write("dir/file", 0, &pattern(9000, 1)).expect("write");
    let file = host.open("dir/file").expect("open");
    for name in [b"user.a".as_slice(), b"user.b"] {
        let attribute = Xattr { name, value: name };
        let set = host
            .fs
            .setxattr(&host.req(), &file, &attribute, XattrFlags::empty());
        set.expect("set");
    }
    drop(file);
    host.create("tree").expect("create");
    for n in 0..12 {
        host.write("tree", n * 8192, &pattern(4096, n))
            .expect("write");
    }
    host.symlink("short", "target").expect("symlink");
    host.symlink("long", &"x".repeat(300)).expect("symlink");
    host.unmount().image()
}

/// Moves and changes the space of a file in every way.
fn use_space(host: &Host<MemDisk>, node: &xv6::Node) {
    for mode in [
        FallocateMode::Insert,
        FallocateMode::Zero,
        FallocateMode::Punch,
        FallocateMode::Collapse,
        FallocateMode::Allocate,
    ] {
        let range = Fallocate {
            mode,
            offset: 8192,
            len: 40_960,
            size: 50_000,
        };
        let _ = repeat(|| host.fs.fallocate(&host.req(), node, &range));
    }
}

fn use_xattrs(host: &Host<MemDisk>, node: &xv6::Node) {
    let mut out = [0; 100];
    let _ = host.fs.listxattr(node, &mut out);
    let _ = host.fs.getxattr(node, b"user.b", &mut out);
    let attribute = Xattr {
        name: b"user.c",
        value: &[7; 50],
    };
    let _ = host
        .fs
        .setxattr(&host.req(), node, &attribute, XattrFlags::empty());
    let _ = host.fs.removexattr(&host.req(), node, b"user.a");
}

/// An image with a directory that has an index of several nodes.
fn indexed_image() -> Image {
    let host = fresh(300);
    host.mkdir("dir").expect("mkdir");
    host.mkdir("big").expect("mkdir");
    host.create("dir/file").expect("create");
    for n in 0..515 {
        host.link("dir/file", &format!("big/{n:08}")).expect("link");
    }
    host.unmount().image()
}

/// Uses a directory with an index; any error will do.
fn use_index(host: &Host<MemDisk>) {
    let _ = host.list("big", 5000);
    for n in [0, 100, 200, 514] {
        let _ = host.remove(&format!("big/{n:08}"));
    }
    for name in ["small", "a name that no gap has room for", "none"] {
        let _ = host.link("dir/file", &format!("big/{name}"));
    }
    let _ = host.rename("big/00000001", "big/moved", RenameFlags::empty());
    let _ = host.rmdir("big");
}

/// Uses everything that can be reached, and changes it; any error will do.
fn use_all(disk: MemDisk) -> Result {
    let host = Host::around(Xv6::mount(disk.clone(), &PLAIN)?, disk);
    for path in ["", "dir"] {
        let _ = host.list(path, 1000);
    }
    for path in ["short", "long"] {
        let _ = host.readlink(path);
    }
    for path in ["dir/file", "tree"] {
        let Ok(node) = host.open(path) else { continue };
        // Not the whole file: its size may be garbage, too.
        for offset in [0, 4096, 90_000, 1 << 42] {
            let _ = host.fs.map(&node, offset, 1 << 20);
            let _ = host.fs.allocate(&host.req(), &node, offset, 20_000);
            let _ = host.fs.commit(&host.req(), &node, offset, 20_000, 5);
        }
        use_space(&host, &node);
        use_xattrs(&host, &node);
        let mut set = SetAttr::empty();
        set.mask = SetAttrMask::SIZE;
        let _ = repeat(|| host.fs.setattr(&host.req(), &node, &set));
    }
    use_index(&host);
    let _ = host.rename("tree", "dir/moved", RenameFlags::WHITEOUT);
    for path in ["dir/file", "dir/moved", "short", "long", "tree"] {
        let _ = host.remove(path);
    }
    let _ = host.rmdir("dir");
    let _ = host.create("new");
    let _ = host.mkdir("directory");
    let root = host.open("")?;
    let _ = host
        .fs
        .tmpfile(&host.req(), &root, &NewInode::plain(0o100_600));
    let all = TrimRange {
        start: 0,
        end: 1 << 30,
        min_len: 0,
    };
    let _ = host.fs.trim(&host.req(), &all);
    let _ = host.fs.statfs();
    host.fs.sync(&host.req())
}

/// Checks the image, and uses it in any case.
fn try_all(image: Image) -> Result {
    let checked = xv6::check::check(&MemDisk::from_image(image.clone(), Caching::Short));
    use_all(MemDisk::from_image(image, Caching::Short))?;
    checked.map(drop)
}

/// Damages one byte after the other and uses the result, once with the wrong checksum and once
/// with the right one. Returns how many images were refused.
fn fuzz(block: u64, bytes: core::ops::Range<usize>) -> u32 {
    fuzz_image(&image(), block, bytes)
}

fn fuzz_image(good: &Image, block: u64, bytes: core::ops::Range<usize>) -> u32 {
    let sup = Super::read(&MemDisk::from_image(good.clone(), Caching::Short), false);
    let sup = sup.expect("valid");
    let mut refused = 0;
    for offset in bytes {
        let byte = good.block(block).expect("inside")[offset];
        for value in garbage(byte) {
            let mut bad = good.clone();
            bad.write(block, offset, &[value]).expect("inside");
            let mut sealed: [u8; 4096] = bad.block(block).expect("inside")[..]
                .try_into()
                .expect("a block");
            sup.sums()
                .seal_any(&sup.geometry, BlockNo(block), &mut sealed);
            // Most of what is found by a checksum is found before anything is used.
            if offset % 8 == 0 {
                let _ = try_all(bad.clone());
            }
            bad.write(block, 0, &sealed).expect("inside");
            refused += u32::from(try_all(bad).is_err());
        }
    }
    refused
}

/// Where the inode table of the image lies.
fn place_of(ino: u64) -> (u64, usize) {
    let disk = MemDisk::from_image(image(), Caching::Short);
    let geometry = Super::read(&disk, false).expect("valid").geometry;
    let ino = geometry.ino(ino).expect("in range");
    let (block, offset) = geometry.inode_place(ino);
    (block.0, offset.into())
}

fn fuzz_inode(ino: u64) {
    let (block, offset) = place_of(ino);
    fuzz(block, offset..offset + 256);
}

#[test]
fn any_byte_of_the_superblock() {
    let refused = fuzz(0, 0..256);
    assert!(refused > 700, "only {refused} refused");
}

#[test]
fn any_byte_of_the_root() {
    fuzz_inode(1);
}

#[test]
fn any_byte_of_a_directory() {
    fuzz_inode(2);
}

#[test]
fn any_byte_of_a_file() {
    fuzz_inode(3);
}

#[test]
fn any_byte_of_a_file_with_a_tree() {
    fuzz_inode(4);
}

#[test]
fn any_byte_of_symbolic_links() {
    fuzz_inode(5);
    fuzz_inode(6);
}

#[test]
fn any_byte_of_blocks_of_directories_extents_and_attributes() {
    // Found by their magic, as anybody with a hex editor would.
    let good = image();
    for magic in [b"XDIR", b"XEXT", b"XATR"] {
        let block = (0..300)
            .find(|block| good.block(*block).expect("inside").starts_with(magic))
            .expect("the image has one");
        fuzz(block, 0..260);
    }
}

#[test]
fn any_byte_of_the_bitmaps() {
    let disk = MemDisk::from_image(image(), Caching::Short);
    let geometry = Super::read(&disk, false).expect("valid").geometry;
    for map in [
        geometry.inode_map(),
        geometry.orphan_map(),
        geometry.block_map(),
    ] {
        fuzz(map, 0..40);
    }
}

#[test]
fn any_byte_of_an_index() {
    let good = indexed_image();
    for magic in [b"XTOP", b"XIDX", b"XGAP"] {
        let blocks: Vec<_> = (0..300)
            .filter(|block| good.block(*block).expect("inside").starts_with(magic))
            .collect();
        assert!(!blocks.is_empty());
        for block in blocks {
            fuzz_image(&good, block, 0..56);
        }
    }
}

#[test]
fn any_byte_of_a_directory_with_an_index() {
    let good = indexed_image();
    let (block, offset) = place_of(3);
    fuzz_image(&good, block, offset..offset + 256);
}
