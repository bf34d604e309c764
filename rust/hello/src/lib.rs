// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The teaching example: a file system with one file, `hello`, whose text lives in memory.
//!
//! It has no device, so the host asks it for the bytes (`read`, `write`) instead of asking where
//! they lie. Change [`GREETING`], build again, upgrade a mount: the text of the mount survives.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;
use bento::prelude::*;
use bento::{NoDevice, sync::Mutex};

/// The text of a new mount.
pub const GREETING: &[u8] = b"Hello from Bento!\n";
const FILE: InodeNo = InodeNo(2);
/// Tag of the only record of the exported state: the text is all that crosses an upgrade.
const TAG_TEXT: u32 = 1;

/// One mount: everything that can change is behind one lock.
#[derive(Debug)]
pub struct Hello(Mutex<State>);

#[derive(Debug)]
struct State {
    root: Attr,
    file: Attr,
    text: Vec<u8>,
}

impl State {
    fn new(contents: &[u8]) -> Result<Self> {
        let root = Attr::new(Hello::ROOT, 0o040_755, 2);
        let (file, text) = (Attr::new(FILE, 0o100_644, 1), Vec::new());
        let mut new = Self { root, file, text };
        new.resize(contents.len())?;
        new.text.copy_from_slice(contents);
        Ok(new)
    }

    fn attr(&mut self, node: &InodeNo) -> &mut Attr {
        let State { root, file, .. } = self;
        if *node == FILE { file } else { root }
    }

    /// Makes the text `len` bytes long; new bytes are zero.
    fn resize(&mut self, len: usize) -> Result {
        let size = u64::try_from(len).unwrap_or(u64::MAX);
        if size > Hello::MAX_FILE_SIZE {
            return Err(Errno::EFBIG);
        }
        // A user chose the size: too little memory is an error here, not a panic.
        let grown = self.text.try_reserve(len.saturating_sub(self.text.len()));
        grown.map_err(|_| Errno::ENOMEM)?;
        self.text.resize(len, 0);
        (self.file.size, self.file.blocks) = (size, size.div_ceil(512));
        Ok(())
    }
}

impl FileSystem for Hello {
    type Device = NoDevice;
    type Node = InodeNo;

    const NAME: &'static str = "hello";
    const VERSION: &'static str = match option_env!("BENTO_VERSION") {
        Some(version) => version,
        None => env!("CARGO_PKG_VERSION"),
    };
    const OPS: OpSet = OpSet::SETATTR.union(OpSet::READ).union(OpSet::WRITE);
    const MAX_FILE_SIZE: u64 = 1 << 20;

    fn mount(_: NoDevice, options: &MountOptions<'_>) -> Result<Self> {
        if !options.text.is_empty() {
            log::error!("unknown mount option \"{}\": hello has none", options.text);
            return Err(Errno::EINVAL);
        }
        Ok(Self(Mutex::new(State::new(GREETING)?)))
    }

    fn statfs(&self) -> Result<StatFs> {
        Ok(StatFs {
            block_size: 4096,
            name_max: 255,
            ..StatFs::default()
        })
    }

    fn load(&self, node: InodeNo) -> Result<Entry<InodeNo>> {
        match node {
            Self::ROOT | FILE => self.getattr(&node).map(|attr| Entry { attr, node }),
            _ => Err(Errno::ESTALE),
        }
    }

    fn lookup(&self, _: &Request, _: &InodeNo, name: &[u8]) -> Result<InodeNo> {
        (name == b"hello").then_some(FILE).ok_or(Errno::ENOENT)
    }

    fn getattr(&self, node: &InodeNo) -> Result<Attr> {
        Ok(*self.0.lock()?.attr(node))
    }

    fn setattr(&self, _: &Request, node: &InodeNo, set: &SetAttr) -> Result {
        let mut state = self.0.lock()?;
        if set.mask.contains(SetAttrMask::SIZE) {
            state.resize(usize::try_from(set.size).unwrap_or(usize::MAX))?;
        }
        set.apply_to(state.attr(node));
        Ok(())
    }

    fn readdir(&self, _: &Request, _: &InodeNo, cookie: u64, out: &mut DirBuf<'_>) -> Result {
        // Cookie 2 is the first free one; a full buffer is no error, the host asks again.
        let _fits = cookie >= 2 || out.push(FILE, 2, FileKind::Regular, b"hello");
        Ok(())
    }

    fn read(&self, _: &Request, _: &InodeNo, offset: u64, out: &mut [u8]) -> Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let state = self.0.lock()?;
        let pairs = out.iter_mut().zip(state.text.iter().skip(start));
        Ok(pairs.map(|(to, from)| *to = *from).count())
    }

    fn write(&self, _: &Request, _: &InodeNo, offset: u64, data: &[u8]) -> Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut state = self.0.lock()?;
        let end = start.saturating_add(data.len()).max(state.text.len());
        state.resize(end)?;
        let pairs = state.text.iter_mut().skip(start).zip(data);
        Ok(pairs.map(|(to, from)| *to = *from).count())
    }
}

impl Upgrade for Hello {
    const SCHEMA: core::ops::RangeInclusive<u32> = 1..=1;

    fn export(&self, out: &mut StateWriter) -> Result {
        out.record(TAG_TEXT, &self.0.lock()?.text)
    }

    fn import(_: NoDevice, _: &MountOptions<'_>, _: u32, old: &StateReader<'_>) -> Result<Self> {
        let state = State::new(old.find(TAG_TEXT).ok_or(Errno::EINVAL)?)?;
        Ok(Self(Mutex::new(state)))
    }
}
