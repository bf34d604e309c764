// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The ioctls that reach a FUSE server: the kernel passes those whose number tells the size of
//! their argument.

use crate::{Host, HostDevice};
use bento::prelude::*;

/// `FS_IOC_GETFLAGS` and `FS_IOC_SETFLAGS` of `<linux/fs.h>`, as 64-bit programs call them.
const GETFLAGS: u32 = 0x8008_6601;
const SETFLAGS: u32 = 0x4008_6602;
/// `FS_IOC_FSGETXATTR` and `FS_IOC_FSSETXATTR`: the same flags with other numbers. The kernel asks
/// for them before it passes on the above, too.
const FSGETXATTR: u32 = 0x801c_581f;
const FSSETXATTR: u32 = 0x401c_5820;
/// `FITRIM` of `<linux/fs.h>`.
const FITRIM: u32 = 0xc018_5879;

/// Does what `cmd` asks for; returns what goes back to the caller.
///
/// # Errors
/// `ENOTTY` for anything unknown; `EINVAL`, `EPERM`; those of the host.
pub(super) fn serve<F: FileSystem<Device: HostDevice>>(
    host: &Host<F>,
    req: &Request,
    ino: InodeNo,
    cmd: u32,
    input: &[u8],
) -> Result<Vec<u8>> {
    match cmd {
        GETFLAGS => Ok(host.flags(ino)?.bits().to_le_bytes().to_vec()),
        SETFLAGS => {
            let bits = input.first_chunk().ok_or(Errno::EINVAL)?;
            let flags = InodeFlags::from_bits(u32::from_le_bytes(*bits));
            host.set_flags(req, ino, flags.ok_or(Errno::EOPNOTSUPP)?)?;
            Ok(Vec::new())
        }
        FSGETXATTR => {
            let mut out = vec![0; FSXATTR];
            let flags = to_xflags(host.flags(ino)?).to_le_bytes();
            out.splice(..flags.len(), flags);
            Ok(out)
        }
        FSSETXATTR => {
            // What has no number there stays.
            let old = host.flags(ino)?;
            let kept = XFLAGS.iter().fold(old, |kept, (flag, _)| kept - *flag);
            host.set_flags(req, ino, from_fsxattr(input)? | kept)?;
            Ok(Vec::new())
        }
        FITRIM if req.uid != 0 => Err(Errno::EPERM),
        FITRIM => trim(host, req, input),
        _ => Err(ENOTTY),
    }
}

/// The size of `struct fsxattr`: the flags, and what is not supported.
const FSXATTR: usize = 28;

/// `FS_XFLAG_*` of `<linux/fs.h>`.
const XFLAGS: [(InodeFlags, u32); 5] = [
    (InodeFlags::IMMUTABLE, 0x08),
    (InodeFlags::APPEND, 0x10),
    (InodeFlags::SYNC, 0x20),
    (InodeFlags::NOATIME, 0x40),
    (InodeFlags::NODUMP, 0x80),
];

fn to_xflags(flags: InodeFlags) -> u32 {
    let set = XFLAGS.iter().filter(|(flag, _)| flags.contains(*flag));
    set.fold(0, |bits, (_, bit)| bits | bit)
}

/// `EOPNOTSUPP` where anything but the flags above is asked for: extent sizes, projects.
fn from_fsxattr(input: &[u8]) -> Result<InodeFlags> {
    let (bits, rest) = input.split_first_chunk().ok_or(Errno::EINVAL)?;
    let bits = u32::from_le_bytes(*bits);
    let set = XFLAGS.iter().filter(|(_, bit)| bits & bit != 0);
    let flags = set.fold(InodeFlags::empty(), |flags, (flag, _)| flags | *flag);
    if bits != to_xflags(flags) || rest.iter().any(|byte| *byte != 0) {
        return Err(Errno::EOPNOTSUPP);
    }
    Ok(flags)
}

/// Inappropriate ioctl for device.
const ENOTTY: Errno = Errno::from_raw(25);

/// `struct fstrim_range`: start, length and least length in bytes; the length comes back as what
/// was trimmed.
fn trim<F: FileSystem<Device: HostDevice>>(
    host: &Host<F>,
    req: &Request,
    input: &[u8],
) -> Result<Vec<u8>> {
    let number = |at: usize| {
        let bytes = input.get(at..).and_then(|rest| rest.first_chunk());
        bytes
            .map(|bytes| u64::from_le_bytes(*bytes))
            .ok_or(Errno::EINVAL)
    };
    let (start, len, min_len) = (number(0)?, number(8)?, number(16)?);
    let range = TrimRange {
        start,
        end: start.saturating_add(len),
        min_len,
    };
    let trimmed = host.trim(req, &range)?;
    let out = [start, trimmed, min_len].map(u64::to_le_bytes);
    Ok(out.concat())
}

#[cfg(test)]
mod tests {
    use super::{FSXATTR, from_fsxattr, to_xflags};
    use bento::{Errno, InodeFlags};

    #[test]
    fn flags_have_two_sets_of_numbers() {
        let flags = InodeFlags::IMMUTABLE | InodeFlags::NODUMP;
        assert_eq!(to_xflags(flags), 0x88);
        assert_eq!(to_xflags(InodeFlags::DIRSYNC), 0);
        let mut input = vec![0; FSXATTR];
        input[0] = 0x88;
        assert_eq!(from_fsxattr(&input), Ok(flags));
        input[12] = 1; // a project
        assert_eq!(from_fsxattr(&input), Err(Errno::EOPNOTSUPP));
        input[12] = 0;
        input[0] = 1; // a real-time file
        assert_eq!(from_fsxattr(&input), Err(Errno::EOPNOTSUPP));
        assert_eq!(from_fsxattr(&input[..3]), Err(Errno::EINVAL));
    }
}
