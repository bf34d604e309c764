// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One block of extended attributes: from bytes to names and values, and back.

use crate::corrupt::CorruptKind;
use crate::inode::Ino;
use crate::layout::{self, BLOCK_SIZE, RawXattr, RawXattrHead, XATTR_HEAD, XATTR_START};
use alloc::vec::Vec;
use bento::{Errno, Result, Xattr};
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32};

/// This can be the name of an attribute. Which prefixes there are is a matter of the host.
pub(super) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && u8::try_from(name.len()).is_ok() && !name.contains(&0)
}

/// The attributes of a validated block, ascending by name.
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'b> {
    rest: &'b [u8],
}

impl<'b> Attributes<'b> {
    pub(crate) const NONE: Self = Self { rest: &[] };

    /// Validates the block of inode `owner`.
    pub(crate) fn parse(block: &'b [u8], owner: Ino) -> core::result::Result<Self, CorruptKind> {
        let head: RawXattrHead = layout::get(block, 0).ok_or(CorruptKind::XattrMagic)?;
        if head.magic != layout::XATTR_MAGIC {
            return Err(CorruptKind::XattrMagic);
        }
        if head.owner.get() != owner.0 {
            return Err(CorruptKind::XattrOwner);
        }
        let used = block.split_at_checked(head.used.get().into());
        let (used, unused) = used.ok_or(CorruptKind::XattrLength)?;
        let entries = used.get(XATTR_START.into()..);
        let rest = entries
            .filter(|entries| !entries.is_empty())
            .ok_or(CorruptKind::XattrLength)?;
        if head.reserved != U16::ZERO || unused.iter().any(|byte| *byte != 0) {
            return Err(CorruptKind::XattrReserved);
        }
        let all = Self { rest };
        all.clone().validate()?;
        Ok(all)
    }

    fn validate(mut self) -> core::result::Result<(), CorruptKind> {
        let mut last: &[u8] = &[];
        while !self.rest.is_empty() {
            let attribute = self.split_first()?;
            if !is_name(attribute.name) {
                return Err(CorruptKind::XattrName);
            }
            if attribute.name <= last {
                return Err(CorruptKind::XattrOrder);
            }
            last = attribute.name;
        }
        Ok(())
    }

    fn split_first(&mut self) -> core::result::Result<Xattr<'b>, CorruptKind> {
        let head: RawXattr = layout::get(self.rest, 0).ok_or(CorruptKind::XattrLength)?;
        if head.reserved != 0 {
            return Err(CorruptKind::XattrReserved);
        }
        let rest = self.rest.get(XATTR_HEAD.into()..).unwrap_or_default();
        let (name, rest) = rest
            .split_at_checked(head.name_len.into())
            .ok_or(CorruptKind::XattrLength)?;
        let (value, rest) = rest
            .split_at_checked(head.value_len.get().into())
            .ok_or(CorruptKind::XattrLength)?;
        self.rest = rest;
        Ok(Xattr { name, value })
    }
}

impl<'b> Iterator for Attributes<'b> {
    type Item = Xattr<'b>;

    fn next(&mut self) -> Option<Xattr<'b>> {
        if self.rest.is_empty() {
            return None;
        }
        // The block was validated as a whole.
        self.split_first().ok()
    }
}

/// A block of extended attributes in the making.
pub(super) struct Builder {
    bytes: Vec<u8>,
}

impl Builder {
    pub(super) fn new() -> Result<Self> {
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(BLOCK_SIZE.into())
            .map_err(|_| Errno::ENOMEM)?;
        bytes.resize(XATTR_START.into(), 0);
        Ok(Self { bytes })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.len() <= usize::from(XATTR_START)
    }

    /// Adds an attribute; the caller keeps them ascending.
    ///
    /// # Errors
    /// `ENOSPC`: it does not fit.
    pub(super) fn push(&mut self, attribute: &Xattr<'_>) -> Result {
        let (name, value) = (attribute.name, attribute.value);
        let head = RawXattr {
            value_len: U16::new(u16::try_from(value.len()).map_err(|_| Errno::ENOSPC)?),
            name_len: u8::try_from(name.len()).map_err(|_| Errno::ERANGE)?,
            reserved: 0,
        };
        let end = self.bytes.len() + size_of_val(&head) + name.len() + value.len();
        if end > usize::from(BLOCK_SIZE) {
            return Err(Errno::ENOSPC);
        }
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    /// The whole block.
    pub(super) fn finish(mut self, owner: Ino) -> Result<Vec<u8>> {
        let used = u16::try_from(self.bytes.len()).map_err(|_| Errno::EIO)?;
        let head = RawXattrHead {
            magic: layout::XATTR_MAGIC,
            checksum: U32::ZERO,
            owner: owner.0.into(),
            used: used.into(),
            reserved: U16::ZERO,
        };
        self.bytes.resize(BLOCK_SIZE.into(), 0);
        let place = self
            .bytes
            .first_chunk_mut::<{ size_of::<RawXattrHead>() }>();
        place.ok_or(Errno::EIO)?.copy_from_slice(head.as_bytes());
        Ok(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::{Attributes, Builder, is_name};
    use crate::corrupt::CorruptKind;
    use crate::inode::Ino;
    use alloc::vec::Vec;
    use bento::Xattr;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn names_have_1_to_255_bytes_and_no_nul() {
        for name in [b"u".as_slice(), b"system.posix_acl_access", &[b'x'; 255]] {
            assert!(is_name(name), "{name:?}");
        }
        for name in [b"".as_slice(), b"user.a\0", &[b'x'; 256]] {
            assert!(!is_name(name), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn blocks_survive_a_round_trip(
            all in proptest::collection::btree_map("[a-z]{1,30}", "[a-z]{0,90}", 1..20),
        ) {
            let all: BTreeMap<_, _> =
                all.into_iter().map(|(name, value)| (["user.", &name].concat(), value)).collect();
            let mut builder = Builder::new().expect("memory");
            for (name, value) in &all {
                let (name, value) = (name.as_bytes(), value.as_bytes());
                builder.push(&Xattr { name, value }).expect("it fits");
            }
            let block = builder.finish(Ino(5)).expect("it fits");
            let found = Attributes::parse(&block, Ino(5)).expect("valid");
            let found: Vec<_> = found.map(|a| (a.name.to_vec(), a.value.to_vec())).collect();
            let all: Vec<_> =
                all.into_iter().map(|(n, v)| (n.into_bytes(), v.into_bytes())).collect();
            prop_assert_eq!(found, all);
            prop_assert_eq!(Attributes::parse(&block, Ino(6)).err(), Some(CorruptKind::XattrOwner));
        }

        #[test]
        fn damaged_blocks_never_panic(at in 0usize..200, value: u8, cut in 0usize..4096) {
            let mut builder = Builder::new().expect("memory");
            for name in [b"user.a".as_slice(), b"user.b", b"user.c"] {
                builder.push(&Xattr { name, value: &[7; 50] }).expect("it fits");
            }
            let mut block = builder.finish(Ino(5)).expect("it fits");
            block[at] = value;
            if let Ok(all) = Attributes::parse(&block, Ino(5)) {
                prop_assert!(all.count() >= 1);
            }
            let _ = Attributes::parse(&block[..cut], Ino(5));
        }
    }
}
