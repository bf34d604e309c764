// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is on a device already: a short table of well-known magic numbers, so that `mkfs` does
//! not overwrite the data of others unasked. (`blkid` knows far more, but may be missing.)

use bento::mapped::DataDevice;
use bento_fuse::FileDisk;

/// A magic number: where it lies, its bytes, and what they mean.
#[derive(Debug)]
pub(crate) struct Signature {
    offset: u64,
    magic: &'static [u8],
    pub(crate) name: &'static str,
}

const fn at(offset: u64, magic: &'static [u8], name: &'static str) -> Signature {
    Signature {
        offset,
        magic,
        name,
    }
}

/// Offsets and bytes as in `magic(5)` of file(1) and in libblkid.
const KNOWN: [Signature; 17] = [
    at(0, &xv6::layout::MAGIC, "an xv6 file system"),
    at(0x438, b"\x53\xef", "an ext2/3/4 file system"),
    at(0, b"XFSB", "an XFS file system"),
    at(0x1_0040, b"_BHRfS_M", "a btrfs file system"),
    at(0x400, b"\x10\x20\xf5\xf2", "an F2FS file system"),
    at(0x1_0034, b"ReIsEr", "a ReiserFS file system"),
    at(
        0x1018,
        b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca",
        "a bcachefs file system",
    ),
    at(0x36, b"FAT1", "a FAT file system"),
    at(0x52, b"FAT32   ", "a FAT32 file system"),
    at(3, b"EXFAT   ", "an exFAT file system"),
    at(3, b"NTFS    ", "an NTFS file system"),
    at(0x8001, b"CD001", "an ISO 9660 file system"),
    at(0, b"hsqs", "a squashfs file system"),
    at(0xff6, b"SWAPSPACE2", "swap space"),
    at(0, b"LUKS\xba\xbe", "an encrypted LUKS volume"),
    at(0x218, b"LVM2 001", "an LVM physical volume"),
    at(0x200, b"EFI PART", "a GPT partition table"),
];

/// The first known signature on `disk`. A part of the device that cannot be read holds none.
pub(crate) fn find(disk: &FileDisk) -> Option<&'static Signature> {
    KNOWN.iter().find(|signature| {
        let mut bytes = vec![0; signature.magic.len()];
        signature.fits(disk)
            && disk.read_at(signature.offset, &mut bytes).is_ok()
            && bytes == signature.magic
    })
}

/// Overwrites all known signatures, so that nobody takes the device for what it was: not all lie
/// where a new file system writes.
pub(crate) fn wipe(disk: &FileDisk) -> bento::Result {
    while let Some(signature) = find(disk) {
        disk.write_at(signature.offset, &vec![0; signature.magic.len()])?;
    }
    Ok(())
}

impl Signature {
    pub(crate) fn is_xv6(&self) -> bool {
        self.magic == xv6::layout::MAGIC
    }

    fn fits(&self, disk: &FileDisk) -> bool {
        let len = u64::try_from(self.magic.len()).unwrap_or(u64::MAX);
        self.offset.saturating_add(len) <= disk.bytes()
    }
}
