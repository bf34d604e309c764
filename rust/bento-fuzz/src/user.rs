// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`User`]: does with a mount what a script says, as `bentofs` would: one node for each inode,
//! and the checks of the VFS before each call. Reads and writes are short whatever a size says.

use crate::meter::Disk;
use crate::script::Script;
use bento::mapped::{self, MappedFile, SeekTo};
use bento::prelude::*;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Operations of one script.
const STEPS: usize = 40;
/// Inodes in memory, and names that are known.
const MOST: usize = 60;
/// Calls of `forget` for one inode.
const PATIENCE: usize = 10_000;

/// A mount and whoever uses it.
pub struct User<F: FileSystem<Device = Disk>> {
    fs: F,
    disk: Disk,
    nodes: BTreeMap<u64, Rc<F::Node>>,
    /// Directory and name.
    names: Vec<(u64, Vec<u8>)>,
    clock: i64,
}

impl<F: FileSystem<Device = Disk> + core::fmt::Debug> core::fmt::Debug for User<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("User")
            .field("fs", &self.fs)
            .finish_non_exhaustive()
    }
}

/// Damage that was found, or pretended: what a whole file system must not say.
#[must_use]
pub const fn tells_of_damage(result: &Result) -> bool {
    matches!(result, Err(Errno::EUCLEAN | Errno::EIO))
}

impl<F: FileSystem<Device = Disk>> User<F> {
    /// Uses `fs`, which is mounted on `disk`.
    #[must_use]
    pub const fn new(fs: F, disk: Disk) -> Self {
        Self {
            fs,
            disk,
            nodes: BTreeMap::new(),
            names: Vec::new(),
            clock: 1000,
        }
    }

    /// The file system.
    pub const fn fs(&self) -> &F {
        &self.fs
    }

    /// Walks through the tree, then does what the script says, then forgets what nobody uses.
    ///
    /// # Errors
    /// `EUCLEAN` or `EIO` where any operation said so: damage. Other errors are answers.
    pub fn run(&mut self, script: &mut Script<'_>) -> Result {
        let mut damage = self.walk();
        for _ in 0..STEPS {
            if script.is_empty() {
                break;
            }
            let result = self.step(script);
            if tells_of_damage(&result) {
                damage = damage.and(result);
            }
        }
        damage.and(self.leave())
    }

    /// Unmounts.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn unmount(mut self) -> Result {
        self.nodes.clear();
        let req = self.req();
        let synced = self.fs.sync(&req);
        synced.and(self.fs.unmount())
    }

    fn req(&mut self) -> Request {
        self.clock += 1;
        Request {
            now: Timespec {
                sec: self.clock,
                nsec: 0,
            },
            ..Request::default()
        }
    }

    fn node(&mut self, ino: InodeNo) -> Result<Rc<F::Node>> {
        if let Some(node) = self.nodes.get(&ino.0) {
            return Ok(Rc::clone(node));
        }
        let entry = self.fs.load(ino)?;
        assert_eq!(entry.attr.ino, ino, "another inode was loaded");
        let node = Rc::new(entry.node);
        if self.nodes.len() < MOST {
            self.nodes.insert(ino.0, Rc::clone(&node));
        }
        Ok(node)
    }

    /// A new inode: a damaged map may have given out one that is in use.
    fn keep(&mut self, entry: Entry<F::Node>) -> Result {
        let (ino, node) = (entry.attr.ino.0, Rc::new(entry.node));
        if self.nodes.contains_key(&ino) {
            return Err(Errno::EUCLEAN);
        }
        self.nodes.insert(ino, node);
        Ok(())
    }

    fn walk(&mut self) -> Result {
        let mut damage = Ok(());
        let mut at = 0;
        let mut todo = vec![F::ROOT];
        while let Some(ino) = todo.get(at).copied() {
            at += 1;
            let seen = self.node(ino).and_then(|node| self.look(ino, &node));
            match seen {
                Ok(below) => todo.extend(below.into_iter().take(MOST - todo.len().min(MOST))),
                Err(error) => damage = damage.and(Err(error)),
            }
        }
        damage
    }

    /// Reads all that an inode has; returns what lies in a directory.
    fn look(&mut self, ino: InodeNo, node: &F::Node) -> Result<Vec<InodeNo>> {
        let req = self.req();
        let attr = self.fs.getattr(node)?;
        let mut out = [0; 5000];
        self.fs.listxattr(node, &mut out)?;
        match attr.kind() {
            Some(FileKind::Directory) => self.list(&req, ino, node),
            Some(FileKind::Symlink) => self.fs.readlink(node, &mut out).map(|_| Vec::new()),
            Some(FileKind::Regular) => {
                let file = self.file(node);
                for offset in [0, 4000, attr.size.saturating_sub(100)] {
                    mapped::read(file, offset, &mut out)?;
                }
                match mapped::seek(file, 0, SeekTo::Hole) {
                    Err(Errno::ENXIO) | Ok(_) => Ok(Vec::new()),
                    Err(error) => Err(error),
                }
            }
            _ => Ok(Vec::new()),
        }
    }

    fn list(&mut self, req: &Request, ino: InodeNo, node: &F::Node) -> Result<Vec<InodeNo>> {
        let (mut cookie, mut found) = (0, Vec::new());
        while found.len() < 4 * MOST {
            let mut memory = [0; 1000];
            let mut out = DirBuf::new(&mut memory);
            self.fs.readdir(req, node, cookie, &mut out)?;
            let used = out.used();
            if used == 0 {
                break;
            }
            for record in bento::dirbuf::records(&memory[..used]) {
                assert!(record.cookie > cookie, "cookies do not ascend");
                cookie = record.cookie;
                found.push(record.ino);
                if self.names.len() < MOST {
                    self.names.push((ino.0, record.name.to_vec()));
                }
            }
        }
        Ok(found)
    }

    const fn file<'a>(&'a self, node: &'a F::Node) -> MappedFile<'a, F> {
        MappedFile {
            fs: &self.fs,
            node,
            dev: &self.disk,
        }
    }

    /// Frees what has no name.
    fn leave(&mut self) -> Result {
        let req = self.req();
        for (_, node) in core::mem::take(&mut self.nodes) {
            if self.fs.getattr(&node)?.nlink != 0 {
                continue;
            }
            let again = |_: &usize| self.fs.forget(&req, &node) == Err(Errno::EAGAIN);
            let calls = (0..PATIENCE).take_while(again).count();
            assert!(calls < PATIENCE, "forgetting an inode does not end");
        }
        Ok(())
    }

    fn any_node(&mut self, script: &mut Script<'_>) -> Result<Rc<F::Node>> {
        let index = script.index(self.nodes.len()).ok_or(Errno::ENOENT)?;
        self.nodes.values().nth(index).cloned().ok_or(Errno::ENOENT)
    }

    fn any_of(&mut self, script: &mut Script<'_>, kind: FileKind) -> Result<Rc<F::Node>> {
        let node = self.any_node(script)?;
        if self.fs.getattr(&node)?.kind() != Some(kind) {
            return Err(Errno::EINVAL);
        }
        Ok(node)
    }

    /// A name that was seen, its directory and its inode.
    fn any_name(&mut self, script: &mut Script<'_>) -> Result<Named<F>> {
        let index = script.index(self.names.len()).ok_or(Errno::ENOENT)?;
        let (dir, name) = self.names.get(index).cloned().ok_or(Errno::ENOENT)?;
        let dir = self.node(InodeNo(dir))?;
        let req = self.req();
        let ino = self.fs.lookup(&req, &dir, &name)?;
        let node = self.node(ino)?;
        let kind = self.fs.getattr(&node)?.kind().ok_or(Errno::EUCLEAN)?;
        Ok(Named {
            dir,
            name,
            node,
            is_dir: kind == FileKind::Directory,
        })
    }

    /// A directory, and a name that is not in it.
    fn new_name(&mut self, script: &mut Script<'_>) -> Result<(Rc<F::Node>, Vec<u8>)> {
        let dir = self.any_of(script, FileKind::Directory)?;
        let len = usize::from(script.byte()).max(1);
        let name = vec![b'a' + script.byte() % 26; len];
        let req = self.req();
        match self.fs.lookup(&req, &dir, &name) {
            Err(Errno::ENOENT) if self.fs.getattr(&dir)?.nlink > 0 => {}
            Err(error) => return Err(error),
            Ok(_) => return Err(Errno::EEXIST),
        }
        if let Some(ino) = self.number_of(&dir)
            && self.names.len() < MOST
        {
            self.names.push((ino, name.clone()));
        }
        Ok((dir, name))
    }

    fn number_of(&self, node: &Rc<F::Node>) -> Option<u64> {
        let found = self.nodes.iter().find(|(_, known)| Rc::ptr_eq(known, node));
        found.map(|(ino, _)| *ino)
    }

    fn step(&mut self, script: &mut Script<'_>) -> Result {
        match script.byte() % 18 {
            0..=4 => self.make(script),
            5..=8 => self.change_name(script),
            9..=13 => self.change_file(script),
            14 => self.xattr(script),
            15 => {
                let (req, node) = (self.req(), self.any_node(script)?);
                self.fs.fsync(&req, &node, script.coin())
            }
            16 => {
                let req = self.req();
                let all = TrimRange {
                    start: script.place(),
                    end: 1 << 30,
                    min_len: 0,
                };
                self.fs.trim(&req, &all)?;
                self.fs.statfs().map(drop)
            }
            _ => {
                let req = self.req();
                self.fs.sync(&req)
            }
        }
    }

    fn make(&mut self, script: &mut Script<'_>) -> Result {
        let what = script.byte() % 5;
        let (dir, name) = self.new_name(script)?;
        let req = self.req();
        let entry = match what {
            0 => self
                .fs
                .create(&req, &dir, &name, &NewInode::plain(0o100_644)),
            1 => self
                .fs
                .mkdir(&req, &dir, &name, &NewInode::plain(0o040_755)),
            2 => {
                let target = vec![b't'; usize::from(script.byte()) * 16 + 1];
                let new = NewInode::plain(0o120_777);
                self.fs
                    .symlink(&req, &dir, &name, &target[..target.len().min(4095)], &new)
            }
            3 => self.fs.tmpfile(&req, &dir, &NewInode::plain(0o100_600)),
            _ => {
                let node = self.any_of(script, FileKind::Regular)?;
                if self.fs.getattr(&node)?.nlink == 0 {
                    return Err(Errno::ENOENT);
                }
                return self.fs.link(&req, &node, &dir, &name);
            }
        };
        self.keep(entry?)
    }

    fn change_name(&mut self, script: &mut Script<'_>) -> Result {
        let what = script.byte() % 4;
        let old = self.any_name(script)?;
        let req = self.req();
        if what < 2 {
            return if old.is_dir {
                self.fs.rmdir(&req, &old.dir, &old.name, &old.node)
            } else {
                self.fs.unlink(&req, &old.dir, &old.name, &old.node)
            };
        }
        let from = (&*old.dir, old.name.as_slice());
        if what == 2 {
            let (dir, name) = self.new_name(script)?;
            // The VFS keeps a directory from going below itself; this user does not know what is
            // below what.
            let dir = if old.is_dir { Rc::clone(&old.dir) } else { dir };
            let flags = RenameFlags::empty();
            return self
                .fs
                .rename(&req, from, (&dir, &name), &old.node, None, flags);
        }
        let other = self.any_name(script)?;
        let same = Rc::ptr_eq(&old.node, &other.node);
        if same || old.is_dir || other.is_dir {
            return Err(Errno::EINVAL);
        }
        let flags = match script.byte() % 2 {
            0 => RenameFlags::empty(),
            _ => RenameFlags::EXCHANGE,
        };
        let to = (&*other.dir, other.name.as_slice());
        self.fs
            .rename(&req, from, to, &old.node, Some(&other.node), flags)
    }

    fn change_file(&mut self, script: &mut Script<'_>) -> Result {
        let node = self.any_of(script, FileKind::Regular)?;
        let (what, offset, len) = (script.byte() % 8, script.place(), script.short());
        let req = self.req();
        let file = self.file(&node);
        let mode = match what {
            0 | 1 => {
                let data = vec![0x5a; len.min(20_000)];
                return mapped::write(file, &req, offset, &data).map(drop);
            }
            2 => {
                let mut set = SetAttr::empty();
                (set.mask, set.size) = (SetAttrMask::SIZE, offset);
                return mapped::setattr(file, &req, &set);
            }
            3 => FallocateMode::Punch,
            4 => FallocateMode::Zero,
            5 => FallocateMode::Collapse,
            6 => FallocateMode::Insert,
            _ => FallocateMode::Allocate,
        };
        let (offset, len) = match what {
            5 | 6 => (offset & !4095, (len as u64 & !4095).max(4096)),
            _ => (offset, (len as u64).max(1)),
        };
        mapped::fallocate(file, &req, mode, offset, len, script.coin())
    }

    fn xattr(&mut self, script: &mut Script<'_>) -> Result {
        let node = self.any_node(script)?;
        let name = [b"user.a", b"user.b", b"user.c"][usize::from(script.byte() % 3)];
        let req = self.req();
        match script.byte() % 3 {
            0 => self.fs.getxattr(&node, name, &mut [0; 700]).map(drop),
            1 => self.fs.removexattr(&req, &node, name),
            _ => {
                let value = vec![1; script.short() % 5000];
                let attr = Xattr {
                    name,
                    value: &value,
                };
                self.fs.setxattr(&req, &node, &attr, XattrFlags::empty())
            }
        }
    }
}

/// A name and what it leads to.
struct Named<F: FileSystem> {
    dir: Rc<F::Node>,
    name: Vec<u8>,
    node: Rc<F::Node>,
    is_dir: bool,
}
