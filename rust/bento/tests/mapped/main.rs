// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Data paths of a mapped file system against a plain vector of bytes.
#![expect(
    clippy::cast_possible_truncation,
    reason = "sizes of a test fit every integer"
)]

mod extent_fs;
mod space;

use bento::mapped::{self, MappedFile, SeekTo};
use bento::prelude::*;
use extent_fs::{BLOCK, ExtentFs, FILE, Ram};

struct Fixture {
    fs: ExtentFs,
    dev: Ram,
}

impl Fixture {
    fn new(blocks: usize) -> Self {
        let dev = Ram::new(blocks);
        let options = MountOptions::DEFAULT;
        Self {
            fs: ExtentFs::mount(dev.clone(), &options).expect("mount"),
            dev,
        }
    }

    fn file(&self) -> MappedFile<'_, ExtentFs> {
        MappedFile {
            fs: &self.fs,
            node: &FILE,
            dev: &self.dev,
        }
    }

    fn write(&self, offset: usize, data: &[u8]) -> Result<usize> {
        mapped::write(self.file(), &Request::default(), offset as u64, data)
    }

    fn truncate(&self, size: usize) -> Result {
        let mask = SetAttrMask::SIZE;
        let set = SetAttr {
            mask,
            size: size as u64,
            ..SetAttr::empty()
        };
        mapped::setattr(self.file(), &Request::default(), &set)
    }

    fn contents(&self) -> Vec<u8> {
        let mut all = vec![0xee; 1 << 20];
        let len = mapped::read(self.file(), 0, &mut all).expect("read");
        all.truncate(len);
        all
    }
}

#[test]
fn a_new_block_shows_no_old_data_around_a_small_write() {
    let f = Fixture::new(8);
    assert_eq!(f.write(5000, b"data"), Ok(4));
    let mut expected = vec![0; 5000];
    expected.extend_from_slice(b"data");
    assert_eq!(f.contents(), expected);
    assert_eq!(f.fs.used(), 1, "the gap takes no space");
    f.truncate(3 * BLOCK).expect("grow");
    expected.resize(3 * BLOCK, 0);
    assert_eq!(f.contents(), expected);
}

#[test]
fn what_a_truncate_cut_off_does_not_come_back() {
    for regrow in [
        |f: &Fixture| f.truncate(9000),
        |f: &Fixture| f.write(8999, &[0]).map(|_| ()),
    ] {
        let f = Fixture::new(8);
        f.write(0, &[7; 9000]).expect("write");
        f.truncate(100).expect("shrink");
        assert_eq!(f.fs.used(), 1);
        regrow(&f).expect("grow");
        let mut expected = vec![7; 100];
        expected.resize(9000, 0);
        assert_eq!(f.contents(), expected);
    }
}

#[test]
fn a_full_device_gives_a_short_write_then_enospc_and_loses_nothing() {
    let f = Fixture::new(3);
    assert_eq!(f.write(0, &[1; 5 * BLOCK]), Ok(3 * BLOCK));
    assert_eq!(f.write(3 * BLOCK, &[2]), Err(Errno::ENOSPC));
    assert_eq!(f.contents(), vec![1; 3 * BLOCK]);
    assert_eq!(
        f.write(0, &[3; BLOCK]),
        Ok(BLOCK),
        "mapped space can still be written"
    );
    f.truncate(0).expect("shrink");
    assert_eq!(f.write(0, &[4]), Ok(1));
}

#[test]
fn sizes_behind_the_limit_are_refused() {
    let f = Fixture::new(3);
    let max = ExtentFs::MAX_FILE_SIZE as usize;
    assert_eq!(f.truncate(max + 1), Err(Errno::EFBIG));
    assert_eq!(f.write(max, b"x"), Err(Errno::EFBIG));
    assert_eq!(f.write(usize::MAX, b"x"), Err(Errno::EFBIG));
    assert_eq!(f.write(max - 1, b"xy"), Ok(1), "cut at the limit");
    assert_eq!(f.write(max, b""), Ok(0));
}

#[test]
fn seek_finds_data_holes_and_the_end() {
    let f = Fixture::new(8);
    f.write(2 * BLOCK, &[1; BLOCK + 10]).expect("write");
    f.truncate(6 * BLOCK).expect("grow");
    let seek = |offset: usize, to| mapped::seek(f.file(), offset as u64, to).map(|n| n as usize);
    assert_eq!(seek(0, SeekTo::Hole), Ok(0));
    assert_eq!(seek(0, SeekTo::Data), Ok(2 * BLOCK));
    assert_eq!(seek(2 * BLOCK + 5, SeekTo::Data), Ok(2 * BLOCK + 5));
    assert_eq!(seek(2 * BLOCK + 5, SeekTo::Hole), Ok(4 * BLOCK));
    assert_eq!(seek(4 * BLOCK, SeekTo::Data), Err(Errno::ENXIO));
    assert_eq!(seek(6 * BLOCK, SeekTo::Hole), Err(Errno::ENXIO));
    f.truncate(3 * BLOCK + 10).expect("shrink");
    assert_eq!(
        seek(2 * BLOCK, SeekTo::Hole),
        Ok(3 * BLOCK + 10),
        "the end is a hole"
    );
}

/// 20 runs of 400 random operations each, compared with a vector after every one.
#[test]
fn random_operations_agree_with_a_vector() {
    for seed in 1..=20u64 {
        let (f, mut model, mut random) = (Fixture::new(40), Vec::new(), seed);
        let mut next = |below: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(seed);
            (random >> 33) as usize % below
        };
        for step in 0..400 {
            let (offset, len) = (next(25 * BLOCK), next(3 * BLOCK) + 1);
            match next(5) {
                0 => {
                    f.truncate(offset).expect("truncate");
                    model.resize(offset, 0);
                }
                1 => space::random_step(&f, &mut model, offset, len, next(10)),
                _ => {
                    let data = vec![step as u8 | 1; len];
                    assert_eq!(f.write(offset, &data), Ok(len), "seed {seed} step {step}");
                    model.resize(model.len().max(offset + len), 0);
                    model[offset..offset + len].copy_from_slice(&data);
                }
            }
            assert!(
                f.contents() == model,
                "seed {seed} step {step}: contents differ"
            );
            let (mut part, from) = (vec![0xee; len], next(30 * BLOCK));
            let got = mapped::read(f.file(), from as u64, &mut part).expect("read");
            let expected = model.get(from..).unwrap_or_default();
            assert_eq!(part[..got], expected[..expected.len().min(len)]);
        }
    }
}
