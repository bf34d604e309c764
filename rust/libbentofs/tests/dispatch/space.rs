// SPDX-License-Identifier: GPL-2.0-only
//! fallocate, trim and discard.

use crate::{PROBE, cx, errno, mock, mounted, notes_of};
use bento::Errno;
use bento_sys::{bento_fallocate_in, bento_trim};

fn range(mode: u32, offset: u64, len: u64, size: u64) -> bento_fallocate_in {
    bento_fallocate_in {
        offset,
        len,
        size,
        mode,
        pad: 0,
    }
}

#[test]
fn ranges_arrive_with_their_mode() {
    let mut disk = mock::MockDisk::new(1);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    for (mode, size) in [(0, 0), (1, 0), (2, 9000), (3, 1), (4, 20_480)] {
        let input = range(mode, 4096, 8192, size);
        assert_eq!(call!(PROBE, fallocate(fs, root, &input)), 0);
    }
    let notes = notes_of(&PROBE, fs);
    let expected = [
        ("Allocate", 0),
        ("Punch", 0),
        ("Zero", 9000),
        ("Collapse", 1),
        ("Insert", 20_480),
    ]
    .map(|(mode, size)| {
        let range = format!("mode: {mode}, offset: 4096, len: 8192, size: {size}");
        format!("fallocate 5 Fallocate {{ {range} }}")
    });
    assert!(notes.ends_with(&expected.join("\n")), "{notes}");
    call!(PROBE, drop_node(root));
    call!(PROBE, destroy(fs));
}

#[test]
fn impossible_ranges_are_refused() {
    const MAX: u64 = 1 << 40;
    let mut disk = mock::MockDisk::new(1);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    for (input, expected) in [
        (range(5, 0, 4096, 0), Errno::EINVAL),
        (range(0, 1, 4096, 0), Errno::EINVAL),
        (range(0, 0, 4097, 0), Errno::EINVAL),
        (range(0, 0, 0, 0), Errno::EINVAL),
        (range(1, 0, 4096, 1), Errno::EINVAL),
        (range(3, 0, 4096, 0), Errno::EINVAL),
        (range(4, 0, 4096, 0), Errno::EINVAL),
        (range(0, MAX, 4096, 0), Errno::EFBIG),
        (range(4, 0, 4096, MAX + 1), Errno::EFBIG),
        (range(0, u64::MAX - 4095, 4096, 0), Errno::EFBIG),
    ] {
        assert_eq!(errno(call!(PROBE, fallocate(fs, root, &input))), expected);
    }
    let last = range(0, MAX - 4096, 4096, MAX);
    assert_eq!(call!(PROBE, fallocate(fs, root, &last)), 0);
    call!(PROBE, drop_node(root));
    call!(PROBE, destroy(fs));
}

#[test]
fn trim_comes_on_step_by_step_and_reaches_the_device() {
    let mut disk = mock::MockDisk::new(100);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    let mut trim = bento_trim {
        start: 8192,
        end: 16_384,
        min_len: 512,
        ..bento_trim::default()
    };
    assert_eq!(call!(PROBE, trim(fs, &mut trim)), 0);
    assert_eq!((trim.trimmed, trim.next), (4096, 12_288));
    assert_eq!((trim.start, trim.end, trim.min_len), (8192, 16_384, 512));
    assert_eq!(disk.discards, [(2, 1)]);
    disk.fail = -95;
    let result = call!(PROBE, trim(fs, &mut trim));
    assert_eq!(errno(result), Errno::EOPNOTSUPP);
    for (start, end, min_len, expected) in [
        (0, 0, 0, Errno::EINVAL),
        (1, 4096, 0, Errno::EINVAL),
        // This one does not come on: a host would call for ever.
        (0, 4096, 1, Errno::EIO),
    ] {
        let mut trim = bento_trim {
            start,
            end,
            min_len,
            ..bento_trim::default()
        };
        assert_eq!(errno(call!(PROBE, trim(fs, &mut trim))), expected);
    }
    call!(PROBE, drop_node(root));
    call!(PROBE, destroy(fs));
}
