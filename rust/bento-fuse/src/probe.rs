// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Whether FUSE can be used here.

use std::fs::{OpenOptions, read_to_string};
use std::io::ErrorKind;
use std::path::Path;

/// The bit of `CAP_SYS_ADMIN` in a set of capabilities (`capabilities(7)`).
const CAP_SYS_ADMIN: u32 = 21;

/// Why this process cannot mount by FUSE, with what to do about it; `None` where it can.
#[must_use]
pub fn unusable() -> Option<String> {
    let opened = OpenOptions::new().read(true).write(true).open("/dev/fuse");
    if let Err(error) = opened {
        let advice = match error.kind() {
            ErrorKind::NotFound => "try `modprobe fuse`",
            _ => "be root, or give this user the right to open it",
        };
        return Some(format!("/dev/fuse cannot be opened ({error}); {advice}"));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let helper = |dir: &Path| dir.join("fusermount3").exists() || dir.join("fusermount").exists();
    if may_mount() || std::env::split_paths(&path).any(|dir| helper(&dir)) {
        return None;
    }
    Some("this user may not mount; be root, or install fusermount3 (package fuse3)".into())
}

fn may_mount() -> bool {
    let status = read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    bits.is_some_and(|bits| bits >> CAP_SYS_ADMIN & 1 == 1)
}
