// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `FileDisk` on image files.

use crate::support::TempDir;
use bento::mapped::DataDevice;
use bento::{BlockBuf, BlockDevice, BlockNo, BlockWrite, Errno, WriteOrder};
use bento_fuse::{Access, FileDisk, HostDevice, OpenError};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

fn image(dir: &TempDir, bytes: u64) -> PathBuf {
    let path = dir.path().join("image");
    File::create(&path)
        .and_then(|file| file.set_len(bytes))
        .expect("image");
    path
}

fn open(path: &std::path::Path) -> FileDisk {
    FileDisk::open(path, Access::Write).expect("nobody else uses it")
}

#[test]
fn writes_reach_the_file_and_nothing_else_does() {
    let dir = TempDir::new();
    let path = image(&dir, 10 * 4096 + 100);
    let disk = open(&path);
    assert_eq!((disk.blocks(), disk.bytes()), (10, 10 * 4096 + 100));

    let block = disk.read(BlockNo(3)).expect("read");
    block.bytes_mut().expect("alone").fill(7);
    assert!(
        std::fs::read(&path)
            .expect("read")
            .iter()
            .all(|&byte| byte == 0),
        "only cached"
    );

    let bytes = block.bytes().expect("alone");
    let write = |target| BlockWrite {
        target: BlockNo(target),
        data: &bytes,
    };
    let writes = [write(3), write(4), write(9), write(0)];
    disk.write(&writes, WriteOrder::Barrier).expect("write");
    let file = std::fs::read(&path).expect("read");
    for (n, expected) in [7, 0, 0, 7, 7, 0, 0, 0, 0, 7].into_iter().enumerate() {
        assert!(
            file[n * 4096..][..4096]
                .iter()
                .all(|&byte| byte == expected),
            "block {n}"
        );
    }
    drop(bytes);
    disk.write_at(5 * 4096 + 1, b"data").expect("write");
    let mut back = [0; 6];
    disk.read_at(5 * 4096, &mut back).expect("read");
    assert_eq!(&back, b"\0data\0");
    let zeroed = disk.zeroed(BlockNo(4)).expect("zeroed");
    assert!(zeroed.bytes().expect("alone").iter().all(|&byte| byte == 0));
    disk.flush().expect("flush");
}

#[test]
fn everything_behind_the_end_is_an_error() {
    let dir = TempDir::new();
    let disk = open(&image(&dir, 2 * 4096 + 100));
    for block in [2, 3, u64::MAX, u64::MAX / 4096] {
        let block = BlockNo(block);
        assert_eq!(disk.read(block).err(), Some(Errno::EIO));
        assert_eq!(disk.zeroed(block).err(), Some(Errno::EIO));
        let write = BlockWrite {
            target: block,
            data: &[0; 4096],
        };
        assert_eq!(disk.write(&[write], WriteOrder::Any), Err(Errno::EIO));
    }
    assert_eq!(disk.read_at(u64::MAX, &mut [0]), Err(Errno::EIO));
    assert_eq!(disk.write_at(3 * 4096, &[0]), Err(Errno::EIO));
    let short = BlockWrite {
        target: BlockNo(0),
        data: &[0; 100],
    };
    assert_eq!(disk.write(&[short], WriteOrder::Any), Err(Errno::EIO));
}

#[test]
fn discarded_blocks_take_no_space_in_an_image_file() {
    let dir = TempDir::new();
    let path = image(&dir, 8 * 4096);
    let disk = open(&path);
    disk.write_at(0, &[7; 8 * 4096]).expect("write");
    disk.flush().expect("flush");
    let used = || std::fs::metadata(&path).expect("stat").blocks();
    let before = used();
    match disk.discard(BlockNo(2), 4) {
        Err(Errno::EOPNOTSUPP) => return println!("the temporary directory cannot have holes"),
        result => result.expect("inside"),
    }
    assert_eq!(before - used(), 4 * 8, "units of 512 bytes");
    let bytes = std::fs::read(&path).expect("read");
    for (number, block) in bytes.chunks(4096).enumerate() {
        let expected = if (2..6).contains(&number) { 0 } else { 7 };
        assert!(block.iter().all(|&byte| byte == expected), "block {number}");
    }
    assert_eq!(disk.discard(BlockNo(7), 2), Err(Errno::EIO));
    assert_eq!(disk.discard(BlockNo(u64::MAX), 2), Err(Errno::EIO));
    drop(disk);
    let reader = FileDisk::open(&path, Access::Read).expect("free");
    assert_eq!(reader.discard(BlockNo(0), 1), Err(Errno::EROFS));
    let dry = FileDisk::open(&path, Access::DryRun).expect("shared");
    assert_eq!(dry.discard(BlockNo(0), 1), Ok(()));
    assert_eq!(std::fs::read(&path).expect("read")[0], 7);
}

#[test]
fn a_disk_is_written_by_one_user_and_not_at_all_when_read_only_or_failed() {
    let dir = TempDir::new();
    let path = image(&dir, 8192);
    let first = open(&path);
    let refused = FileDisk::open(&path, Access::Read).expect_err("it is locked");
    assert!(matches!(refused, OpenError::InUse(_)), "{refused}");
    let data = BlockWrite {
        target: BlockNo(0),
        data: &[1; 4096],
    };
    first
        .failure()
        .guard::<()>(|| panic!("this panic is part of the test"))
        .expect_err("EIO");
    assert_eq!(first.write(&[data], WriteOrder::Any), Err(Errno::EIO));
    assert_eq!(first.write_at(0, &[1]), Err(Errno::EIO));
    assert_eq!(first.read(BlockNo(0)).err(), Some(Errno::EIO));
    assert_eq!(first.flush(), Err(Errno::EIO));
    drop(first);

    let readers = [(); 2].map(|()| FileDisk::open(&path, Access::Read).expect("shared"));
    assert_eq!(
        readers[0].write(&[data], WriteOrder::Any),
        Err(Errno::EROFS)
    );
    assert_eq!(readers[1].write_at(0, &[1]), Err(Errno::EROFS));
    assert!(readers[0].read_only());
    assert!(
        std::fs::read(&path)
            .expect("read")
            .iter()
            .all(|&byte| byte == 0)
    );
}

#[test]
fn what_is_no_disk_is_refused_by_name() {
    let dir = TempDir::new();
    let refused = FileDisk::open(dir.path(), Access::Read).expect_err("a directory");
    assert!(
        refused
            .to_string()
            .contains("neither a regular file nor a block device")
    );
    let refused = FileDisk::open(&dir.path().join("none"), Access::Read).expect_err("missing");
    assert!(
        refused.to_string().contains("none: No such file"),
        "{refused}"
    );
}

#[test]
fn a_dry_run_reads_what_it_has_written_and_leaves_the_file_alone() {
    let dir = TempDir::new();
    let path = image(&dir, 4 * 4096);
    let disk = FileDisk::open(&path, Access::DryRun).expect("readable");
    let data = BlockWrite {
        target: BlockNo(1),
        data: &[7; 4096],
    };
    disk.write(&[data], WriteOrder::Barrier).expect("in memory");
    disk.write_at(4095, &[8, 8]).expect("in memory");
    disk.flush().expect("nothing to do");
    let block = disk.read(BlockNo(1)).expect("read");
    assert_eq!(block.bytes().expect("alone")[..2], [8, 7]);
    let mut back = [9; 3];
    disk.read_at(4094, &mut back).expect("read");
    assert_eq!(back, [0, 8, 8]);
    assert!(
        std::fs::read(&path)
            .expect("read")
            .iter()
            .all(|&byte| byte == 0)
    );
    assert!(!disk.read_only());
}
