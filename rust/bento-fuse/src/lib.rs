// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs Bento file systems in user space, through FUSE.
//!
//! The file system is the same crate as in the kernel, so it can be written, tested, debugged
//! and profiled as an ordinary program before it is loaded as a module.
//!
//! | module | what it holds |
//! |---|---|
//! | `disk` | [`FileDisk`]: an image file or block device as `BlockDevice` and `DataDevice` |
//! | `overlay` | what a dry run writes to it |
//! | `cache` | its cache of metadata blocks with shared handles |
//! | `failure` | containment of panics: [`Failure`] |
//! | `inode` | the inodes in memory: lookup counts, one node per number, unlinked files |
//! | `host` | [`Host`]: every operation in the terms of `bento`; works without a mount, too; `names`, `data`, `xattr`, `space`, `flags`, `record` |
//! | `acl` | POSIX access control lists: inheritance, and agreement with the mode |
//! | `probe` | whether FUSE can be used here: [`unusable`] |
//! | `adapter` | the wiring to fuser, and the only place that names its types |
//!
//! `README.md` of this crate lists what FUSE cannot carry, and why. The main differences from the
//! kernel host: `atime` is never updated (FUSE leaves that to the server,
//! and every read would become a write); there is no write-back cache in the kernel
//! (`FUSE_WRITEBACK_CACHE`), so `write(2)` allocates, writes and reports `ENOSPC` at once, and
//! the file system alone knows the size of a file.
#![forbid(unsafe_code)]

mod acl;
mod adapter;
mod cache;
mod disk;
mod failure;
mod host;
mod inode;
mod overlay;
mod probe;

pub use adapter::{Mounted, Settings, serve};
pub use cache::{CachedBlock, ReadBytes, WriteBytes};
pub use disk::{Access, FileDisk, HostDevice, OpenError};
pub use failure::Failure;
pub use host::{Host, Make, Use};
pub use probe::unusable;

use bento::{Request, Timespec};
use core::time::Duration;
use std::time::SystemTime;

/// A request of the host itself, as root, at this time.
fn now() -> Request {
    Request {
        now: timespec(SystemTime::now()),
        ..Request::default()
    }
}

/// Seconds and nanoseconds since the epoch; times before it have negative seconds.
fn timespec(time: SystemTime) -> Timespec {
    let seconds = |d: Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => Timespec {
            sec: seconds(after),
            nsec: after.subsec_nanos(),
        },
        Err(before) => match (before.duration(), before.duration().subsec_nanos()) {
            (before, 0) => Timespec {
                sec: -seconds(before),
                nsec: 0,
            },
            (before, nsec) => Timespec {
                sec: -seconds(before) - 1,
                nsec: 1_000_000_000 - nsec,
            },
        },
    }
}

/// The inverse of [`timespec`], cut to what the type can hold.
fn system_time(time: Timespec) -> SystemTime {
    let epoch = SystemTime::UNIX_EPOCH;
    let whole = Duration::from_secs(time.sec.unsigned_abs());
    let seconds = match time.sec < 0 {
        true => epoch.checked_sub(whole),
        false => epoch.checked_add(whole),
    };
    let exact = seconds.and_then(|s| s.checked_add(Duration::from_nanos(time.nsec.into())));
    exact.unwrap_or(epoch)
}

#[cfg(test)]
mod tests {
    use super::{system_time, timespec};
    use bento::Timespec;

    #[test]
    fn times_survive_the_way_there_and_back() {
        for (sec, nsec) in [
            (0, 0),
            (5, 7),
            (-1, 0),
            (-1, 999_999_999),
            (-2, 200_000_000),
        ] {
            let time = Timespec { sec, nsec };
            assert_eq!(timespec(system_time(time)), time);
        }
    }
}
