// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! POSIX access control lists, as the kernel passes them in extended attributes.
//!
//! The kernel checks accesses by them (`FUSE_POSIX_ACL`), but leaves to the server what changes
//! them: inheritance by new inodes, and keeping the mode and the list of an inode equal. Format
//! and rules are those of `posix_acl_xattr.h` and `fs/posix_acl.c` in Linux; bentofs stores the
//! same bytes in the same attributes.

/// The attribute with the list of an inode.
pub(crate) const ACCESS: &[u8] = b"system.posix_acl_access";
/// The attribute of a directory with the list that new inodes in it start with.
pub(crate) const DEFAULT: &[u8] = b"system.posix_acl_default";

const VERSION: u32 = 2;
const HEAD: usize = 4;
const ENTRY: usize = 8;

/// Kinds of entries, in the order in which they must come.
const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    tag: u16,
    /// Three bits: read, write, execute.
    perm: u16,
    id: u32,
}

/// A valid list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acl(Vec<Entry>);

/// The permission bits of a mode for the owner, the group and the others.
#[derive(Clone, Copy)]
struct Classes {
    user: u16,
    group: u16,
    other: u16,
}

impl Classes {
    fn of(mode: u32) -> Self {
        let bits = |shift: u32| u16::try_from((mode >> shift) & 7).unwrap_or_default();
        Self {
            user: bits(6),
            group: bits(3),
            other: bits(0),
        }
    }

    /// `mode` with these permissions.
    fn apply(self, mode: u32) -> u32 {
        let bits = (self.user << 6) | (self.group << 3) | self.other;
        (mode & !0o777) | u32::from(bits)
    }
}

impl Acl {
    /// From the value of an attribute; `None` where it is no valid list.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let (head, rest) = value.split_at_checked(HEAD)?;
        if head != VERSION.to_le_bytes() || !rest.len().is_multiple_of(ENTRY) {
            return None;
        }
        let entry = |raw: &[u8]| {
            let (tag, rest) = raw.split_first_chunk()?;
            let (perm, rest) = rest.split_first_chunk()?;
            Some(Entry {
                tag: u16::from_le_bytes(*tag),
                perm: u16::from_le_bytes(*perm),
                id: u32::from_le_bytes(*rest.first_chunk()?),
            })
        };
        let entries: Option<Vec<_>> = rest.chunks(ENTRY).map(entry).collect();
        Some(Self(entries?)).filter(Self::is_valid)
    }

    /// In order; each of the three classes once; a mask at most once, and where somebody is named.
    fn is_valid(&self) -> bool {
        let tags: Vec<_> = self.0.iter().map(|entry| entry.tag).collect();
        let count = |tag| tags.iter().filter(|other| **other == tag).count();
        let known = USER_OBJ | USER | GROUP_OBJ | GROUP | MASK | OTHER;
        let named = count(USER) + count(GROUP) > 0;
        tags.is_sorted()
            && tags
                .iter()
                .all(|tag| tag.is_power_of_two() && tag & known != 0)
            && [USER_OBJ, GROUP_OBJ, OTHER]
                .into_iter()
                .all(|tag| count(tag) == 1)
            && (count(MASK) == 1 || (count(MASK) == 0 && !named))
            && self.0.iter().all(|entry| entry.perm <= 7)
    }

    /// The value of an attribute.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut value = VERSION.to_le_bytes().to_vec();
        for entry in &self.0 {
            value.extend(entry.tag.to_le_bytes());
            value.extend(entry.perm.to_le_bytes());
            value.extend(entry.id.to_le_bytes());
        }
        value
    }

    /// A mode says the same as the list.
    pub(crate) fn is_minimal(&self) -> bool {
        let named = |entry: &Entry| matches!(entry.tag, USER | GROUP | MASK);
        !self.0.iter().any(named)
    }

    /// `mode` with the permissions of the list: those of the mask are shown as the group's.
    pub(crate) fn mode(&self, mode: u32) -> u32 {
        let perm = |tag| {
            let entry = self.0.iter().find(|entry| entry.tag == tag);
            entry.map(|entry| entry.perm)
        };
        let classes = Classes {
            user: perm(USER_OBJ).unwrap_or_default(),
            group: perm(MASK).or(perm(GROUP_OBJ)).unwrap_or_default(),
            other: perm(OTHER).unwrap_or_default(),
        };
        classes.apply(mode)
    }

    /// The list of an inode whose mode is set to `mode`.
    pub(crate) fn chmod(mut self, mode: u32) -> Self {
        let classes = Classes::of(mode);
        self.each_class(|perm, class| *perm = class(classes));
        self
    }

    /// The list of a new inode in a directory with this default list, and its mode: `mode` is what
    /// its maker asked for, without the umask.
    pub(crate) fn inherit(mut self, mode: u32) -> (Self, u32) {
        let wanted = Classes::of(mode);
        self.each_class(|perm, class| *perm &= class(wanted));
        let mode = self.mode(mode);
        (self, mode)
    }

    /// Changes the entries that stand for the three classes of a mode.
    fn each_class(&mut self, change: impl Fn(&mut u16, fn(Classes) -> u16)) {
        let group = if self.is_minimal() { GROUP_OBJ } else { MASK };
        for entry in &mut self.0 {
            match entry.tag {
                USER_OBJ => change(&mut entry.perm, |classes| classes.user),
                OTHER => change(&mut entry.perm, |classes| classes.other),
                tag if tag == group => change(&mut entry.perm, |classes| classes.group),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Acl;

    const NOBODY: u32 = u32::MAX;

    /// A value of an attribute: tag, permissions, number.
    fn value(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut value = vec![2, 0, 0, 0];
        for (tag, perm, id) in entries {
            value.extend(tag.to_le_bytes());
            value.extend(perm.to_le_bytes());
            value.extend(id.to_le_bytes());
        }
        value
    }

    /// user::rwx user:7:rw- group::r-x mask::rwx other::r--
    fn named() -> Vec<u8> {
        value(&[
            (1, 7, NOBODY),
            (2, 6, 7),
            (4, 5, NOBODY),
            (16, 7, NOBODY),
            (32, 4, NOBODY),
        ])
    }

    #[test]
    fn lists_pass_unchanged_and_show_their_mask_as_the_group() {
        let acl = Acl::parse(&named()).expect("valid");
        assert_eq!(acl.to_bytes(), named());
        assert!(!acl.is_minimal());
        assert_eq!(acl.mode(0o102_000), 0o102_774);
        let plain = value(&[(1, 6, NOBODY), (4, 4, NOBODY), (32, 0, NOBODY)]);
        let acl = Acl::parse(&plain).expect("valid");
        assert!(acl.is_minimal());
        assert_eq!(acl.mode(0o100_777), 0o100_640);
    }

    #[test]
    fn chmod_changes_the_mask_and_leaves_the_named_alone() {
        let acl = Acl::parse(&named()).expect("valid").chmod(0o100_510);
        let expected = value(&[
            (1, 5, NOBODY),
            (2, 6, 7),
            (4, 5, NOBODY),
            (16, 1, NOBODY),
            (32, 0, NOBODY),
        ]);
        assert_eq!(acl.to_bytes(), expected);
    }

    #[test]
    fn new_inodes_get_what_both_the_list_and_their_maker_allow() {
        let (acl, mode) = Acl::parse(&named()).expect("valid").inherit(0o100_666);
        let expected = value(&[
            (1, 6, NOBODY),
            (2, 6, 7),
            (4, 5, NOBODY),
            (16, 6, NOBODY),
            (32, 4, NOBODY),
        ]);
        assert_eq!((acl.to_bytes(), mode), (expected, 0o100_664));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let (user, group, other) = ((1, 7, NOBODY), (4, 7, NOBODY), (32, 7, NOBODY));
        let mut old = value(&[user, group, other]);
        old[0] = 1;
        for wrong in [
            old,
            vec![],
            vec![2, 0, 0, 0],
            value(&[user, group]),
            value(&[group, user, other]),
            value(&[user, group, other, other]),
            value(&[user, (2, 7, 5), group, other]),
            value(&[(1, 8, NOBODY), group, other]),
            value(&[user, (3, 7, 1), group, other]),
            value(&[user, group, other, (64, 7, 0)]),
            named()[..named().len() - 1].to_vec(),
        ] {
            assert_eq!(Acl::parse(&wrong), None, "{wrong:?}");
        }
    }
}
