// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! fallocate in all its modes.

use crate::Fixture;
use crate::extent_fs::{BLOCK, ExtentFs};
use FallocateMode::{Allocate, Collapse, Insert, Punch, Zero};
use bento::mapped;
use bento::prelude::*;

impl Fixture {
    fn fallocate(&self, mode: FallocateMode, offset: usize, len: usize, keep: bool) -> Result {
        let (offset, len) = (offset as u64, len as u64);
        mapped::fallocate(self.file(), &Request::default(), mode, offset, len, keep)
    }
}

/// What a successful call does to a vector; `None` where it must be refused.
fn expect(
    mode: FallocateMode,
    old: &[u8],
    offset: usize,
    len: usize,
    keep: bool,
) -> Option<Vec<u8>> {
    let (mut bytes, end) = (old.to_vec(), offset + len);
    let whole = offset.is_multiple_of(BLOCK) && len.is_multiple_of(BLOCK);
    match mode {
        Collapse | Insert if !whole => return None,
        Collapse if end >= old.len() => return None,
        Insert if offset >= old.len() => return None,
        Collapse => drop(bytes.drain(offset..end)),
        Insert => drop(bytes.splice(offset..offset, vec![0; len])),
        Allocate | Zero | Punch => {
            if !keep && mode != Punch {
                bytes.resize(bytes.len().max(end), 0);
            }
            let shown = end.min(bytes.len());
            if mode != Allocate && offset < shown {
                bytes[offset..shown].fill(0);
            }
        }
    }
    Some(bytes)
}

/// One call with the arguments that fit its mode most of the time.
pub(crate) fn random_step(f: &Fixture, model: &mut Vec<u8>, offset: usize, len: usize, way: usize) {
    let mode = [Allocate, Punch, Zero, Collapse, Insert][way % 5];
    let (offset, len) = match mode {
        // Ranges that keep the file below what the device can hold.
        Insert if model.len() > 25 * BLOCK => return,
        Collapse | Insert => (offset - offset % BLOCK, len.next_multiple_of(BLOCK)),
        _ => (offset, len),
    };
    let keep = way >= 5;
    match expect(mode, model, offset, len, keep) {
        Some(bytes) => {
            assert_eq!(f.fallocate(mode, offset, len, keep), Ok(()), "{mode:?}");
            *model = bytes;
        }
        None => assert_eq!(f.fallocate(mode, offset, len, keep), Err(Errno::EINVAL)),
    }
}

#[test]
fn punched_and_zeroed_ranges_read_as_zeros_up_to_the_last_byte() {
    for mode in [Punch, Zero] {
        for (offset, len, left) in [
            (100, 200, [3, 3]),
            (100, 2 * BLOCK, [2, 3]),
            (BLOCK, BLOCK, [2, 3]),
            (BLOCK - 1, BLOCK + 2, [2, 3]),
            (2 * BLOCK + 5, BLOCK, [3, 3]),
        ] {
            let f = Fixture::new(8);
            let data = vec![7; 3 * BLOCK - 10];
            f.write(0, &data).expect("write");
            f.fallocate(mode, offset, len, true).expect("fallocate");
            let expected = expect(mode, &data, offset, len, true).expect("possible");
            assert_eq!(f.contents(), expected, "{mode:?} {offset} {len}");
            let used = left[usize::from(mode == Zero)];
            let behind = usize::from(mode == Zero && offset + len > 3 * BLOCK);
            assert_eq!(f.fs.used(), used + behind, "{mode:?} {offset} {len}");
        }
    }
}

#[test]
fn allocated_space_is_there_and_reads_as_zeros() {
    let f = Fixture::new(8);
    f.write(0, b"data").expect("write");
    f.fallocate(Allocate, 100, 3 * BLOCK, true).expect("keep");
    assert_eq!((f.contents().len(), f.fs.used()), (4, 4));
    f.fallocate(Allocate, 100, 3 * BLOCK, false).expect("grow");
    let mut expected = b"data".to_vec();
    expected.resize(100 + 3 * BLOCK, 0);
    assert_eq!((f.contents(), f.fs.used()), (expected, 4));
    assert_eq!(
        f.fallocate(Allocate, 0, 9 * BLOCK, false),
        Err(Errno::ENOSPC)
    );
}

#[test]
fn a_tail_that_was_left_behind_the_end_does_not_appear_when_space_is_taken() {
    for mode in [Allocate, Zero] {
        let f = Fixture::new(8);
        f.write(0, &[9; BLOCK]).expect("write");
        // As a crash may leave it: the size is small, the block is full.
        let set = SetAttr {
            mask: SetAttrMask::SIZE,
            size: 10,
            ..SetAttr::empty()
        };
        f.fs.setattr(&Request::default(), f.file().node, &set)
            .expect("shrink");
        f.fallocate(mode, BLOCK, 1, false).expect("grow");
        let mut expected = vec![9; 10];
        expected.resize(BLOCK + 1, 0);
        assert_eq!(f.contents(), expected, "{mode:?}");
    }
}

#[test]
fn what_is_behind_a_range_moves() {
    let f = Fixture::new(20);
    let data: Vec<u8> = (0..4 * BLOCK + 9)
        .map(|at| (at / BLOCK) as u8 + 1)
        .collect();
    f.write(0, &data).expect("write");
    f.fallocate(Collapse, BLOCK, 2 * BLOCK, false)
        .expect("collapse");
    assert_eq!(f.contents(), [&data[..BLOCK], &data[3 * BLOCK..]].concat());
    f.fallocate(Insert, BLOCK, 3 * BLOCK, false)
        .expect("insert");
    let zeros = vec![0; 3 * BLOCK];
    let expected = [&data[..BLOCK], &zeros, &data[3 * BLOCK..]].concat();
    assert_eq!((f.contents(), f.fs.used()), (expected, 3));
}

#[test]
fn impossible_ranges_are_refused_and_change_nothing() {
    let f = Fixture::new(20);
    let data = vec![5; 3 * BLOCK];
    f.write(0, &data).expect("write");
    let max = ExtentFs::MAX_FILE_SIZE as usize;
    for (mode, offset, len, expected) in [
        (Allocate, 0, 0, Errno::EINVAL),
        (Punch, max, 1, Errno::EFBIG),
        (Zero, usize::MAX, 2, Errno::EFBIG),
        (Collapse, 1, BLOCK, Errno::EINVAL),
        (Collapse, 0, BLOCK + 1, Errno::EINVAL),
        (Collapse, BLOCK, 2 * BLOCK, Errno::EINVAL),
        (Insert, 3 * BLOCK, BLOCK, Errno::EINVAL),
        (Insert, BLOCK, max - 2 * BLOCK, Errno::EFBIG),
    ] {
        let result = f.fallocate(mode, offset, len, false);
        assert_eq!(result, Err(expected), "{mode:?} {offset} {len}");
    }
    assert_eq!((f.contents(), f.fs.used()), (data, 3));
}
