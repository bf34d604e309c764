// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Who asks, and when.

use crate::Timespec;

/// The per-call argument of every operation: credentials and time.
///
/// There is no clock service: an operation that needs the time takes `now`, so a simulated run
/// is deterministic, and the host and the file system stamp the same value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// File-system user id of the caller, already mapped for idmapped mounts.
    pub uid: u32,
    /// File-system group id of the caller, already mapped.
    pub gid: u32,
    /// Process id of the caller in the initial namespace; 0 for work of the kernel itself.
    pub pid: u32,
    /// The time of the operation, in the granularity of the mount.
    pub now: Timespec,
    /// Name of the caller's command (`/proc/PID/comm`), NUL-padded. All zeros where it is not
    /// known, or where the file system keeps no log ([`OpSet::LOG`](crate::OpSet::LOG)).
    pub comm: [u8; 16],
}
