// SPDX-License-Identifier: GPL-2.0-only
//! A file system that notes what it was called with, and exports the notes as its state.

use bento::prelude::*;
use bento::{BlockWrite, WriteOrder, sync::Mutex};
use core::sync::atomic::{AtomicUsize, Ordering};
use libbentoks::KernelDisk;

pub(crate) struct Probe {
    disk: KernelDisk,
    calls: Mutex<Vec<String>>,
}

/// How many nodes were dropped, in all tests.
pub(crate) static NODES: AtomicUsize = AtomicUsize::new(0);

pub(crate) struct Node(InodeNo);

impl Drop for Node {
    fn drop(&mut self) {
        NODES.fetch_add(1, Ordering::Relaxed);
    }
}

impl Probe {
    fn note(&self, call: String) -> Result {
        self.calls.lock()?.push(call);
        Ok(())
    }

    fn entry(&self, call: &str, req: &Request) -> Result<Entry<Node>> {
        self.note(format!("{call} {req:?}"))?;
        let node = Node(InodeNo(9));
        let attr = Attr::new(node.0, 0o100_600, 1);
        Ok(Entry { attr, node })
    }
}

fn shown(new: &NewInode<'_>) -> String {
    let shown = |x: &Xattr<'_>| (String::from_utf8_lossy(x.name).into_owned(), x.value.len());
    let xattrs: Vec<_> = new.xattrs.iter().map(shown).collect();
    format!("{:o} {xattrs:?}", new.mode)
}

/// The answer of a call that fills `out`; an empty `out` asks for the length.
fn answer(value: &[u8], out: &mut [u8]) -> Result<usize> {
    if !out.is_empty() {
        let to = out.get_mut(..value.len()).ok_or(Errno::ERANGE)?;
        to.copy_from_slice(value);
    }
    Ok(value.len())
}

impl FileSystem for Probe {
    type Device = KernelDisk;
    type Node = Node;
    const NAME: &'static str = "probe";
    const VERSION: &'static str = "1.2.3";
    const OPS: OpSet = OpSet::all();
    const ROOT: InodeNo = InodeNo(5);
    const MAX_FILE_SIZE: u64 = 1 << 40;

    fn mount(disk: KernelDisk, options: &MountOptions<'_>) -> Result<Self> {
        assert_ne!(options.text, "panic");
        let calls = Mutex::new(vec![format!("mount {options:?}")]);
        Ok(Self { disk, calls })
    }

    fn statfs(&self) -> Result<StatFs> {
        Ok(StatFs {
            blocks: self.disk.blocks(),
            name_max: 255,
            ..StatFs::default()
        })
    }

    fn load(&self, ino: InodeNo) -> Result<Entry<Node>> {
        match ino.0 {
            404 => Err(Errno::ESTALE),
            666 => panic!("no such number"),
            _ => Ok(Entry {
                attr: Attr::new(ino, 0o040_755, 2),
                node: Node(ino),
            }),
        }
    }

    /// The number of the directory plus the length of the name.
    fn lookup(&self, _: &Request, dir: &Node, name: &[u8]) -> Result<InodeNo> {
        Ok(InodeNo(dir.0.0 + name.len() as u64))
    }

    fn getattr(&self, node: &Node) -> Result<Attr> {
        let time = Timespec { sec: -1, nsec: 999 };
        let mut attr = Attr::new(node.0, 0o100_644, 3);
        (attr.size, attr.blocks, attr.generation) = (10, 8, 77);
        (attr.uid, attr.gid, attr.rdev) = (1, 2, 4);
        (attr.atime, attr.mtime, attr.ctime, attr.btime) = (time, time, time, time);
        (attr.flags, attr.has_xattrs) = (InodeFlags::APPEND | InodeFlags::DIRSYNC, true);
        Ok(attr)
    }

    /// An endless directory.
    fn readdir(&self, _: &Request, _: &Node, cookie: u64, out: &mut DirBuf<'_>) -> Result {
        let mut at = cookie.max(2);
        while out.push(InodeNo(at), at, FileKind::Regular, b"name") {
            at += 1;
        }
        Ok(())
    }

    fn setattr(&self, _: &Request, node: &Node, set: &SetAttr) -> Result {
        let (mask, size, ctime, flags) = (set.mask, set.size, set.ctime, set.flags);
        self.note(format!(
            "setattr {} {mask:?} {size} {ctime:?} {flags:?}",
            node.0
        ))
    }

    fn create(
        &self,
        req: &Request,
        dir: &Node,
        name: &[u8],
        new: &NewInode<'_>,
    ) -> Result<Entry<Node>> {
        self.entry(&format!("create {} {name:?} {}", dir.0, shown(new)), req)
    }

    fn mknod(
        &self,
        req: &Request,
        _: &Node,
        name: &[u8],
        new: &NewInode<'_>,
        rdev: u32,
    ) -> Result<Entry<Node>> {
        self.entry(&format!("mknod {name:?} {} {rdev:#x}", shown(new)), req)
    }

    fn symlink(
        &self,
        req: &Request,
        _: &Node,
        name: &[u8],
        to: &[u8],
        new: &NewInode<'_>,
    ) -> Result<Entry<Node>> {
        self.entry(&format!("symlink {name:?} {to:?} {}", shown(new)), req)
    }

    fn tmpfile(&self, req: &Request, dir: &Node, new: &NewInode<'_>) -> Result<Entry<Node>> {
        self.entry(&format!("tmpfile {} {}", dir.0, shown(new)), req)
    }

    fn unlink(&self, _: &Request, dir: &Node, name: &[u8], child: &Node) -> Result {
        self.note(format!("unlink {} {name:?} {}", dir.0, child.0))
    }

    fn link(&self, _: &Request, node: &Node, dir: &Node, name: &[u8]) -> Result {
        self.note(format!("link {} {} {name:?}", node.0, dir.0))
    }

    /// A lie.
    fn readlink(&self, _: &Node, out: &mut [u8]) -> Result<usize> {
        Ok(out.len() + 1)
    }

    fn rename(
        &self,
        _: &Request,
        from: (&Node, &[u8]),
        to: (&Node, &[u8]),
        node: &Node,
        replaced: Option<&Node>,
        flags: RenameFlags,
    ) -> Result {
        let (from, to) = ((from.0.0, from.1), (to.0.0, to.1));
        let (node, replaced) = (node.0, replaced.map(|node| node.0));
        self.note(format!(
            "rename {from:?} {to:?} {node} {replaced:?} {flags:?}"
        ))
    }

    fn getxattr(&self, _: &Node, name: &[u8], out: &mut [u8]) -> Result<usize> {
        match name {
            b"user.lie" => Ok(Xattr::VALUE_MAX + 1),
            b"user.none" => Err(Errno::ENODATA),
            _ => answer(name, out),
        }
    }

    fn setxattr(&self, _: &Request, node: &Node, x: &Xattr<'_>, flags: XattrFlags) -> Result {
        let (name, len) = (String::from_utf8_lossy(x.name), x.value.len());
        self.note(format!("setxattr {} {name} {len} {flags:?}", node.0))
    }

    fn removexattr(&self, _: &Request, node: &Node, name: &[u8]) -> Result {
        let name = String::from_utf8_lossy(name);
        self.note(format!("removexattr {} {name}", node.0))
    }

    /// Of inode 9 a list whose last name has no end.
    fn listxattr(&self, node: &Node, out: &mut [u8]) -> Result<usize> {
        let list: &[u8] = if node.0.0 == 9 { b"a.b" } else { b"a.b\0c.d\0" };
        answer(list, out)
    }

    fn fallocate(&self, _: &Request, node: &Node, range: &Fallocate) -> Result {
        self.note(format!("fallocate {} {range:?}", node.0))
    }

    /// One block per call; where the least length is odd, it does not come on.
    fn trim(&self, _: &Request, range: &TrimRange) -> Result<Trimmed> {
        self.note(format!("trim {range:?}"))?;
        self.disk.discard(BlockNo(range.start / 4096), 1)?;
        let next = range.start + if range.min_len % 2 == 1 { 0 } else { 4096 };
        Ok(Trimmed { bytes: 4096, next })
    }

    fn parent(&self, dir: &Node) -> Result<InodeNo> {
        Ok(InodeNo(dir.0.0 - 5))
    }

    fn map(&self, _: &Node, offset: u64, len: u64) -> Result<Extent> {
        let (kind, new) = (ExtentKind::Unwritten(8192), true);
        Ok(Extent {
            offset,
            len,
            kind,
            new,
        })
    }

    /// To the block of that number; at most three bytes.
    fn write(&self, _: &Request, _: &Node, offset: u64, data: &[u8]) -> Result<usize> {
        let block = self.disk.zeroed(BlockNo(offset))?;
        let mut bytes = block.bytes_mut()?;
        let copied = bytes.iter_mut().zip(data).take(3);
        let count = copied.map(|(to, from)| *to = *from).count();
        let (target, data) = (BlockNo(offset), &bytes[..]);
        let writes = [BlockWrite { target, data }];
        self.disk.write(&writes, WriteOrder::Any)?;
        Ok(count)
    }

    /// The only one is 6.
    fn next_orphan(&self, from: InodeNo) -> Result<InodeNo> {
        let orphan = InodeNo(6);
        if from > orphan {
            return Err(Errno::ENOENT);
        }
        Ok(orphan)
    }

    fn event(&self, req: &Request, node: &Node, event: FileEvent) -> Result {
        self.note(format!("event {} {event:?} of {}", node.0, req.pid))
    }

    /// What it says has been made depends on the inode.
    fn start_log(&self, _: &Request, root: &Node) -> Result<LogStart> {
        let mut inodes = [None; LogStart::INODES_MAX];
        inodes[1] = Some(InodeNo(root.0.0 - 5));
        inodes[3] = Some(InodeNo(77));
        Ok(LogStart { inodes, made: true })
    }

    /// As many bytes as the last append's error number.
    fn drain_log(&self, _: &Request, last: Result, out: &mut [u8]) -> Result<LogBatch> {
        let len = last.map_or_else(|error| error.raw().unsigned_abs() as usize, |()| 0);
        out.iter_mut().take(len).for_each(|byte| *byte = 7);
        Ok(LogBatch {
            ino: InodeNo(78),
            len,
            restart: true,
            more: true,
        })
    }

    /// Once something has been noted.
    fn wants_drain(&self) -> bool {
        self.calls.lock().is_ok_and(|calls| calls.len() > 1)
    }
}

impl Upgrade for Probe {
    const SCHEMA: core::ops::RangeInclusive<u32> = 2..=3;

    fn export(&self, out: &mut StateWriter) -> Result {
        out.record(1, self.calls.lock()?.join("\n").as_bytes())
    }

    fn import(
        disk: KernelDisk,
        options: &MountOptions<'_>,
        schema: u32,
        state: &StateReader<'_>,
    ) -> Result<Self> {
        let calls = String::from_utf8_lossy(state.find(1).ok_or(Errno::EINVAL)?).into_owned();
        let calls = Mutex::new(vec![calls, format!("import {schema} {}", options.repair)]);
        Ok(Self { disk, calls })
    }
}
