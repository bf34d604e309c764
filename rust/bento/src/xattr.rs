// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Extended attributes, and what a new inode starts with.

use bitflags::bitflags;

/// An extended attribute (`xattr(7)`).
///
/// The file system stores every name that it is given: which prefixes exist, who may see and set
/// them, and what the values of ACLs and security labels mean is a matter of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Xattr<'a> {
    /// The full name with its prefix, as `user.mime_type`: 1 to [`Xattr::NAME_MAX`] bytes, none of
    /// them NUL.
    pub name: &'a [u8],
    /// Up to [`Xattr::VALUE_MAX`] bytes; possibly none.
    pub value: &'a [u8],
}

impl Xattr<'_> {
    /// The longest name in bytes (`XATTR_NAME_MAX`).
    pub const NAME_MAX: usize = 255;
    /// The longest value in bytes (`XATTR_SIZE_MAX`).
    pub const VALUE_MAX: usize = 65_536;
    /// The longest answer of `listxattr` in bytes (`XATTR_LIST_MAX`).
    pub const LIST_MAX: usize = 65_536;
}

bitflags! {
    /// Flags of `setxattr(2)`; at most one of them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct XattrFlags: u32 {
        /// Fail with `EEXIST` where the attribute exists.
        const CREATE = 1 << 0;
        /// Fail with `ENODATA` where it does not.
        const REPLACE = 1 << 1;
    }
}

/// What a new inode starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewInode<'a> {
    /// Kind and permission bits. They are final: the host has applied the umask (or the default
    /// ACL of the directory) and the directory's set-group-id bit, the latter to `req.gid`, too.
    pub mode: u32,
    /// Extended attributes that the inode has from its first moment on, in the same transaction:
    /// inherited ACLs, the security label. All names differ. Empty without
    /// [`crate::OpSet::XATTR`].
    pub xattrs: &'a [Xattr<'a>],
}

impl NewInode<'_> {
    /// The most attributes that a host passes.
    pub const XATTRS_MAX: usize = 8;

    /// An inode of this mode without extended attributes.
    #[must_use]
    pub const fn plain(mode: u32) -> Self {
        Self { mode, xattrs: &[] }
    }
}
