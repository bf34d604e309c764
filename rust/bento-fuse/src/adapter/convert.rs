// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The types of fuser and those of `bento`.

use crate::{Use, system_time, timespec};
use bento::prelude::*;
use fuser::{FileAttr, FileType, INodeNo, OpenFlags, TimeOrNow};
use rustix::fs::{FallocateFlags, OFlags};
use std::time::SystemTime;

pub(super) fn fuse_errno(error: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(error.raw())
}

pub(super) const fn bento_ino(ino: INodeNo) -> InodeNo {
    InodeNo(ino.0)
}

pub(super) fn bento_request(req: &fuser::Request) -> Request {
    let (uid, gid, pid) = (req.uid(), req.gid(), req.pid());
    Request {
        uid,
        gid,
        pid,
        now: timespec(SystemTime::now()),
        ..Request::default()
    }
}

/// The name of a process's command, as the kernel tells it; zeros where the process is gone.
pub(super) fn command(pid: u32) -> [u8; 16] {
    let mut comm = [0; 16];
    let name = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    let name = name.strip_suffix(b"\n").unwrap_or(&name);
    for (to, from) in comm.iter_mut().zip(name.iter().take(15)) {
        *to = *from;
    }
    comm
}

pub(super) const fn file_type(kind: FileKind) -> FileType {
    match kind {
        FileKind::Fifo => FileType::NamedPipe,
        FileKind::CharDevice => FileType::CharDevice,
        FileKind::Directory => FileType::Directory,
        FileKind::BlockDevice => FileType::BlockDevice,
        FileKind::Regular => FileType::RegularFile,
        FileKind::Symlink => FileType::Symlink,
        FileKind::Socket => FileType::Socket,
    }
}

/// `EUCLEAN` where the mode names no kind of inode.
pub(super) fn file_attr(attr: &Attr) -> Result<FileAttr> {
    Ok(FileAttr {
        ino: INodeNo(attr.ino.0),
        size: attr.size,
        blocks: attr.blocks,
        atime: system_time(attr.atime),
        mtime: system_time(attr.mtime),
        ctime: system_time(attr.ctime),
        crtime: system_time(attr.btime),
        kind: file_type(attr.kind().ok_or(Errno::EUCLEAN)?),
        perm: u16::try_from(attr.mode & 0o7777).unwrap_or_default(),
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        rdev: attr.rdev,
        blksize: 4096,
        flags: 0,
    })
}

/// What a file is opened for.
pub(super) fn usage(flags: OpenFlags) -> Use {
    let flags = OFlags::from_bits_retain(flags.0.cast_unsigned());
    match flags & OFlags::ACCMODE {
        OFlags::RDONLY => Use::Read,
        _ if flags.contains(OFlags::APPEND) => Use::Append,
        _ => Use::Write,
    }
}

/// The mode of `fallocate(2)`, and whether the size stays.
pub(super) fn fallocate_mode(mode: i32) -> Result<(FallocateMode, bool)> {
    let flags = FallocateFlags::from_bits(mode.cast_unsigned()).ok_or(Errno::EOPNOTSUPP)?;
    let keep = FallocateFlags::KEEP_SIZE;
    let mode = match flags - keep {
        none if none.is_empty() => FallocateMode::Allocate,
        FallocateFlags::PUNCH_HOLE if flags.contains(keep) => FallocateMode::Punch,
        FallocateFlags::ZERO_RANGE => FallocateMode::Zero,
        FallocateFlags::COLLAPSE_RANGE if !flags.contains(keep) => FallocateMode::Collapse,
        FallocateFlags::INSERT_RANGE if !flags.contains(keep) => FallocateMode::Insert,
        _ => return Err(Errno::EOPNOTSUPP),
    };
    Ok((mode, flags.contains(keep)))
}

pub(super) fn new_time(time: TimeOrNow, now: Timespec) -> Timespec {
    match time {
        TimeOrNow::Now => now,
        TimeOrNow::SpecificTime(time) => repaired(timespec(time)),
    }
}

/// fuser 0.18.0 reads a time before 1970 as `-(seconds + nanoseconds)`, but the kernel means
/// `-seconds + nanoseconds`.
fn repaired(time: Timespec) -> Timespec {
    match time {
        Timespec { sec, nsec: 1.. } if sec < 0 => Timespec {
            sec: sec + 1,
            nsec: 1_000_000_000 - time.nsec,
        },
        time => time,
    }
}

#[cfg(test)]
mod tests {
    use super::new_time;
    use crate::timespec;
    use bento::Timespec;
    use core::time::Duration;
    use fuser::TimeOrNow;
    use std::time::UNIX_EPOCH;

    #[test]
    fn times_before_the_epoch_are_what_the_kernel_meant() {
        // What fuser 0.18.0 makes of (-2 s, 800,000,000 ns), which is -1.2 s.
        let given = UNIX_EPOCH - Duration::new(2, 800_000_000);
        let time = new_time(TimeOrNow::SpecificTime(given), Timespec::default());
        assert_eq!(
            time,
            Timespec {
                sec: -2,
                nsec: 800_000_000
            }
        );
        let whole = UNIX_EPOCH - Duration::new(2, 0);
        let time = new_time(TimeOrNow::SpecificTime(whole), Timespec::default());
        assert_eq!(time, timespec(whole));
    }
}
