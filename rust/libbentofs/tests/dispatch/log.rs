// SPDX-License-Identifier: GPL-2.0-only
//! Events, and the log.

use crate::{PROBE, cx, errno, mock, mounted, notes_of};
use bento::Errno;
use bento_sys::{
    BENTO_CX_DRAIN, BENTO_EVENT_FIRST_WRITE, BENTO_EVENT_OPEN, BENTO_LOG_MORE, BENTO_LOG_RESTART,
    bento_entry, bento_log_drain, bento_log_start,
};

#[test]
fn events_arrive_and_a_full_buffer_is_told() {
    let mut disk = mock::MockDisk::new(1);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    let mut context = cx();
    let event = PROBE.event.expect("set");
    // SAFETY: instance and node are those of this mount; the context is ours.
    let told = unsafe { event(&raw mut context, fs, root, BENTO_EVENT_OPEN) };
    assert_eq!(told, 0);
    assert_eq!(context.flags, BENTO_CX_DRAIN);
    assert_eq!(call!(PROBE, event(fs, root, BENTO_EVENT_FIRST_WRITE)), 0);
    for unknown in [0, 5, u32::MAX] {
        assert_eq!(errno(call!(PROBE, event(fs, root, unknown))), Errno::EINVAL);
    }
    let notes = notes_of(&PROBE, fs);
    let expected = "event 5 Open of 42\nevent 5 FirstWrite of 42";
    assert!(notes.ends_with(expected), "{notes}");
    call!(PROBE, drop_node(root));
    call!(PROBE, destroy(fs));
}

#[test]
fn a_log_names_its_inodes_without_gaps() {
    let mut disk = mock::MockDisk::new(1);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    let mut out = bento_log_start::default();
    // Number 0 is no inode.
    assert_eq!(
        errno(call!(PROBE, start_log(fs, root, &mut out))),
        Errno::EIO
    );
    let mut entry = bento_entry::default();
    assert_eq!(call!(PROBE, load(fs, 15, &mut entry)), 0);
    assert_eq!(call!(PROBE, start_log(fs, entry.node, &mut out)), 0);
    assert_eq!((out.count, out.made), (2, 1));
    assert_eq!(out.inos[..3], [10, 77, 0]);
    call!(PROBE, drop_node(entry.node));
    call!(PROBE, drop_node(root));
    call!(PROBE, destroy(fs));
}

#[test]
fn a_batch_stays_within_the_buffer_and_hears_of_the_last() {
    let mut disk = mock::MockDisk::new(1);
    let (fs, root) = mounted(&PROBE, Some(&mut disk));
    let mut buf = [0; 64];
    for (result, len) in [(0, 0), (-28, 28), (-64, 64)] {
        let mut io = bento_log_drain {
            result,
            ..bento_log_drain::default()
        };
        assert_eq!(
            call!(PROBE, drain_log(fs, buf.as_mut_ptr(), 64, &mut io)),
            0
        );
        assert_eq!((io.len, io.result), (len, 0));
        assert_eq!(io.ino, if len > 0 { 78 } else { 0 });
        assert_eq!(io.flags, BENTO_LOG_RESTART | BENTO_LOG_MORE);
        let filled = buf.iter().filter(|byte| **byte == 7).count();
        assert_eq!(u32::try_from(filled), Ok(len));
    }
    let mut io = bento_log_drain {
        result: -65,
        ..bento_log_drain::default()
    };
    let more = call!(PROBE, drain_log(fs, buf.as_mut_ptr(), 64, &mut io));
    assert_eq!(errno(more), Errno::EIO);
    call!(PROBE, drop_node(root));
    call!(PROBE, destroy(fs));
}
