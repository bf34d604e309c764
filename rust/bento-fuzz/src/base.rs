// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The images that are damaged: small, and with some of everything.

use bento::{FallocateMode, RenameFlags};
use bento_sim::{Caching, Host, Image, MemDisk, Nodes, Op};
use std::sync::LazyLock;
use xv6::superblock::Super;
use xv6::{FormatOptions, Xv6, format};

const BLOCKS: usize = 240;

/// A whole file system.
pub static WHOLE: LazyLock<Image> = LazyLock::new(|| {
    let disk = used();
    let mut host = mount(&disk);
    for op in &everything() {
        apply(&mut host, op);
    }
    host.unmount().expect("unmounts");
    disk.image()
});

/// One that crashed with several transactions in its log.
pub static CRASHED: LazyLock<Image> = LazyLock::new(|| {
    let disk = MemDisk::from_image(WHOLE.clone(), Caching::Long);
    let mut host = mount(&disk);
    for (op, changed) in changes() {
        apply(&mut host, &op);
        // Not Sync, which also writes everything to its place.
        apply(&mut host, &Op::Fsync(changed.into()));
    }
    disk.image()
});

/// The superblock of an image, where it is valid.
#[must_use]
pub fn superblock(image: &Image) -> Option<Super> {
    Super::read(&MemDisk::from_image(image.clone(), Caching::Short), true).ok()
}

fn used() -> MemDisk {
    let disk = MemDisk::new(BLOCKS);
    let options = FormatOptions {
        inodes: Some(64),
        log_blocks: Some(64),
        ..FormatOptions::default()
    };
    format(&disk, &options).expect("it fits");
    disk
}

/// Mounts what is whole.
#[must_use]
pub fn mount(disk: &MemDisk) -> Host<Xv6<MemDisk>> {
    Host::mount(disk.clone(), Nodes::Keep).expect("mounts")
}

fn apply(host: &mut Host<Xv6<MemDisk>>, op: &Op) {
    host.apply(op)
        .unwrap_or_else(|error| panic!("{op:?}: {error}"));
}

/// Directories with and without an index, files with and without an extent tree, links, extended
/// attributes, space without data, an inode that was freed.
fn everything() -> Vec<Op> {
    let mut ops = vec![
        Op::Mkdir("dir".into()),
        Op::Mkdir("dir/sub".into()),
        Op::Create("dir/file".into()),
        Op::write("dir/file", 100, 9000, 1),
        Op::CreateWith("xattrs".into(), vec![("user.a".into(), vec![7; 30])]),
        Op::SetXattr(
            "xattrs".into(),
            "user.b".into(),
            vec![8; 600],
            bento::XattrFlags::empty(),
        ),
        Op::Symlink("dir/file".into(), "short".into()),
        Op::Symlink("t".repeat(300), "long".into()),
        Op::Link("dir/file".into(), "dir/sub/second".into()),
        Op::Create("tree".into()),
        Op::Create("space".into()),
        Op::Fallocate {
            path: "space".into(),
            mode: FallocateMode::Allocate,
            offset: 8192,
            len: 40_000,
            keep_size: true,
        },
        Op::Create("gone".into()),
        Op::Unlink("gone".into()),
        Op::Mkdir("many".into()),
    ];
    ops.extend((0..20).map(|n| Op::write("tree", n * 8192, 512, 3)));
    ops.extend((0..30).map(|n| Op::Create(format!("many/{n}{}", "n".repeat(200)))));
    ops
}

/// What the log of the crashed one holds: a block that was freed, and some that changed twice.
///
/// Each with what it changes.
fn changes() -> [(Op, &'static str); 6] {
    let moved = Op::Rename("tree".into(), "dir/moved".into(), RenameFlags::empty());
    [
        (Op::Create("new".into()), "new"),
        (Op::write("new", 0, 5000, 9), "new"),
        (Op::Unlink("xattrs".into()), ""),
        (moved, "dir"),
        (Op::Mkdir("other".into()), "other"),
        (Op::Truncate("dir/moved".into(), 20_000), "dir/moved"),
    ]
}
