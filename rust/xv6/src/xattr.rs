// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Extended attributes: at most one block per inode, always written as a whole.
//!
//! The block comes with the first attribute and goes with the last, or with the inode. Whoever
//! changes it holds a transaction, so that a crash leaves all attributes as before or as after.

mod block;

pub(crate) use block::Attributes;

use crate::corrupt::CorruptKind;
use crate::file::valid_now;
use crate::inode::{self, Inode, Node};
use crate::space::Purpose;
use crate::txn::{Change, Txn};
use crate::volume::{ReadBlock, Volume};
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, Errno, Request, Result, Xattr};
use block::{Builder, is_name};

/// The block, and its bitmap.
pub(crate) const XATTR_CREDITS: usize = 2;
/// The same, and the inode.
const SET_CREDITS: usize = 1 + XATTR_CREDITS;

/// What must hold of an attribute that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Nothing.
    Any,
    /// There is none of this name (`XATTR_CREATE`).
    Absent,
    /// There is one of this name (`XATTR_REPLACE`).
    Present,
}

/// Looks at the attributes of an inode.
fn view<R>(
    from: &impl ReadBlock,
    inode: &Inode,
    look: impl FnOnce(Attributes<'_>) -> R,
) -> Result<R> {
    if inode.xattr == 0 {
        return Ok(look(Attributes::NONE));
    }
    let block = BlockNo(inode.xattr);
    from.read(block, |bytes| Attributes::parse(bytes, inode.ino).map(look))?
        .map_err(|kind| kind.at(block))
}

/// Copies `bytes` to the start of `out`; an empty `out` only asks for the length.
fn answer(bytes: &[u8], out: &mut [u8]) -> Result<usize> {
    if !out.is_empty() {
        let place = out.get_mut(..bytes.len()).ok_or(Errno::ERANGE)?;
        place.copy_from_slice(bytes);
    }
    Ok(bytes.len())
}

fn get(from: &impl ReadBlock, inode: &Inode, name: &[u8], out: &mut [u8]) -> Result<usize> {
    view(from, inode, |mut all| {
        let found = all.find(|attribute| attribute.name == name);
        answer(found.ok_or(Errno::ENODATA)?.value, out)
    })?
}

fn list(from: &impl ReadBlock, inode: &Inode, out: &mut [u8]) -> Result<usize> {
    view(from, inode, |all| {
        let mut names = Vec::new();
        for attribute in all {
            let more = attribute.name.len() + 1;
            names.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
            names.extend_from_slice(attribute.name);
            names.push(0);
        }
        answer(&names, out)
    })?
}

/// The attributes with `name` set to `value`, or without it; and whether it was there before.
fn rebuilt(
    from: &impl ReadBlock,
    inode: &Inode,
    name: &[u8],
    value: Option<&[u8]>,
) -> Result<(Builder, bool)> {
    let mut new = value.map(|value| Xattr { name, value });
    let mut builder = Builder::new()?;
    let existed = view(from, inode, |all| {
        let mut existed = false;
        for old in all {
            if let Some(new) = new.take_if(|new| new.name <= old.name) {
                builder.push(&new)?;
            }
            if old.name == name {
                existed = true;
            } else {
                builder.push(&old)?;
            }
        }
        Ok::<bool, Errno>(existed)
    })??;
    if let Some(new) = new {
        builder.push(&new)?;
    }
    Ok((builder, existed))
}

/// Writes the attributes of an inode; takes or frees the block where needed.
#[inline(never)]
fn store<D: BlockDevice>(txn: &mut Txn<'_, D>, inode: &mut Inode, builder: Builder) -> Result {
    if builder.is_empty() {
        return free(txn, inode);
    }
    let bytes = builder.finish(inode.ino)?;
    if inode.xattr == 0 {
        inode.xattr = txn.take_blocks(inode.ino, None, 1, Purpose::Meta)?.start;
        inode.blocks += 1;
        txn.zero(BlockNo(inode.xattr))?;
    }
    txn.write(BlockNo(inode.xattr), 0, &bytes)
}

/// Gives back the block of attributes, if there is one.
pub(crate) fn free<D: BlockDevice>(txn: &mut Txn<'_, D>, inode: &mut Inode) -> Result {
    let block = inode.xattr;
    if block == 0 {
        return Ok(());
    }
    let at = inode::block_of(txn.geometry(), inode.ino);
    let left = inode.blocks.checked_sub(1);
    inode.blocks = left.ok_or_else(|| CorruptKind::BlockCount.at(at))?;
    inode.xattr = 0;
    txn.free_blocks(block..block + 1)
}

/// Gives a new inode its attributes.
///
/// # Errors
/// `EINVAL`: two of one name, too. Else as [`Volume::setxattr`].
pub(crate) fn create<D: BlockDevice>(
    txn: &mut Txn<'_, D>,
    inode: &mut Inode,
    attributes: &[Xattr<'_>],
) -> Result {
    if attributes.is_empty() {
        return Ok(());
    }
    let mut builder = Builder::new()?;
    for attribute in &sorted(attributes)? {
        builder.push(attribute)?;
    }
    store(txn, inode, builder)
}

/// Attributes by name. There are few; the sort of the library takes much of a kernel stack.
fn sorted<'a>(attributes: &[Xattr<'a>]) -> Result<Vec<Xattr<'a>>> {
    let mut all: Vec<Xattr<'a>> = Vec::new();
    all.try_reserve_exact(attributes.len())
        .map_err(|_| Errno::ENOMEM)?;
    for attribute in attributes {
        let place = all.binary_search_by_key(&attribute.name, |other| other.name);
        match place {
            Err(at) if is_name(attribute.name) => all.insert(at, *attribute),
            _ => return Err(Errno::EINVAL),
        }
    }
    Ok(all)
}

impl<D: BlockDevice> Volume<D> {
    /// Copies the value of an attribute into `out`; returns its length. An empty `out` asks for
    /// the length alone.
    ///
    /// # Errors
    /// `ENODATA`: there is none of this name. `ERANGE`: `out` is too small.
    pub(crate) fn getxattr(&self, node: &Node, name: &[u8], out: &mut [u8]) -> Result<usize> {
        get(self, &node.read()?.inode, name, out)
    }

    /// Copies all names into `out`, a NUL behind each; as [`Volume::getxattr`] otherwise.
    pub(crate) fn listxattr(&self, node: &Node, out: &mut [u8]) -> Result<usize> {
        list(self, &node.read()?.inode, out)
    }

    /// Sets an attribute.
    ///
    /// # Errors
    /// `EINVAL`: no name that can be stored. `EEXIST`, `ENODATA`: not as expected. `ENOSPC`: no
    /// room in the block of attributes, or on the device; nothing has changed then.
    pub(crate) fn setxattr(
        &self,
        req: &Request,
        node: &Node,
        attribute: &Xattr<'_>,
        expect: Expect,
    ) -> Result {
        if !is_name(attribute.name) {
            return Err(Errno::EINVAL);
        }
        self.change_xattr(req, node, attribute.name, Some(attribute.value), expect)
    }

    /// Removes an attribute.
    ///
    /// # Errors
    /// `ENODATA`: there is none of this name.
    pub(crate) fn removexattr(&self, req: &Request, node: &Node, name: &[u8]) -> Result {
        self.change_xattr(req, node, name, None, Expect::Present)
    }

    fn change_xattr(
        &self,
        req: &Request,
        node: &Node,
        name: &[u8],
        value: Option<&[u8]>,
        expect: Expect,
    ) -> Result {
        let now = valid_now(req)?;
        let mut change = Change::begin(self, SET_CREDITS)?;
        let slot = change.stage(node)?;
        let (txn, inode) = change.parts(slot);
        let (builder, existed) = match rebuilt(txn, inode, name, value) {
            // What is wrong with the request comes before want of space.
            Err(Errno::ENOSPC) if expect != Expect::Any => {
                let there = get(txn, inode, name, &mut []).is_ok();
                check(expect, there)?;
                return Err(Errno::ENOSPC);
            }
            result => result?,
        };
        check(expect, existed)?;
        store(txn, inode, builder)?;
        inode.ctime = now;
        change.finish()
    }
}

fn check(expect: Expect, exists: bool) -> Result {
    match (expect, exists) {
        (Expect::Absent, true) => Err(Errno::EEXIST),
        (Expect::Present, false) => Err(Errno::ENODATA),
        _ => Ok(()),
    }
}
