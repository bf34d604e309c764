// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Tree`]: everything that can be read.

use super::Host;
use bento::dirbuf::records;
use bento::mapped::{self, DataDevice};
use bento::prelude::*;
use std::collections::BTreeMap;

/// What one inode looks like from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its attributes.
    pub attr: Attr,
    /// The contents of a file, or the target of a symbolic link; else empty.
    pub bytes: Vec<u8>,
    /// Extended attributes: name and value.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// All names, with what they name. The root is the empty path.
pub type Tree = BTreeMap<String, Seen>;

impl<F> Host<F>
where
    F: FileSystem<Device: DataDevice + Clone>,
{
    /// Reads everything. What `readdir`, `lookup` and `getattr` say must agree.
    ///
    /// # Errors
    /// Those of the file system; `EUCLEAN` where it contradicts itself.
    pub fn tree(&mut self) -> Result<Tree> {
        let mut tree = Tree::new();
        let mut todo = vec![(String::new(), self.find("")?)];
        while let Some((path, ino)) = todo.pop() {
            let seen = self.see(ino)?;
            if seen.attr.kind() == Some(FileKind::Directory) {
                for (name, child) in self.entries(ino)? {
                    let path = match path.as_str() {
                        "" => name,
                        dir => format!("{dir}/{name}"),
                    };
                    todo.push((path, child));
                }
            }
            if tree.insert(path, seen).is_some() {
                return Err(Errno::EUCLEAN);
            }
        }
        Ok(tree)
    }

    fn see(&self, ino: InodeNo) -> Result<Seen> {
        let node = self.node(ino)?;
        let attr = self.fs.getattr(node)?;
        let bytes = match attr.kind() {
            Some(FileKind::Regular) => {
                let size = usize::try_from(attr.size).map_err(|_| Errno::EFBIG)?;
                let mut bytes = vec![0xff; size];
                let got = mapped::read(self.mapped(node), 0, &mut bytes)?;
                bytes.truncate(got);
                bytes
            }
            Some(FileKind::Symlink) => {
                let mut target = vec![0; 4096];
                let len = self.fs.readlink(node, &mut target)?;
                target.truncate(len);
                target
            }
            _ => Vec::new(),
        };
        let xattrs = self.xattrs(node)?;
        if !attr.has_xattrs && !xattrs.is_empty() {
            return Err(Errno::EUCLEAN);
        }
        Ok(Seen {
            attr,
            bytes,
            xattrs,
        })
    }

    /// Extended attributes, as a program reads them: first the length, then that much.
    fn xattrs(&self, node: &F::Node) -> Result<BTreeMap<String, Vec<u8>>> {
        if !F::OPS.contains(OpSet::XATTR) {
            return Ok(BTreeMap::new());
        }
        let mut list = vec![0; self.fs.listxattr(node, &mut [])?];
        let len = self.fs.listxattr(node, &mut list)?;
        let names = list.get(..len).unwrap_or_default().split(|byte| *byte == 0);
        let mut xattrs = BTreeMap::new();
        for name in names.filter(|name| !name.is_empty()) {
            let mut value = vec![0; self.fs.getxattr(node, name, &mut [])?];
            let len = self.fs.getxattr(node, name, &mut value)?;
            value.truncate(len);
            let name = String::from_utf8_lossy(name).into_owned();
            if xattrs.insert(name, value).is_some() {
                return Err(Errno::EUCLEAN);
            }
        }
        Ok(xattrs)
    }

    /// The names in a directory, each looked up.
    fn entries(&mut self, dir: InodeNo) -> Result<Vec<(String, InodeNo)>> {
        let mut found = Vec::new();
        let mut cookie = 0;
        loop {
            // Small, so that reading goes on behind a cookie often.
            let mut memory = [0; 300];
            let mut buf = DirBuf::new(&mut memory);
            let node = self.node(dir)?;
            self.fs.readdir(&self.request(), node, cookie, &mut buf)?;
            let used = buf.used();
            if used == 0 {
                return Ok(found);
            }
            for record in records(memory.get(..used).unwrap_or_default()) {
                let name = String::from_utf8_lossy(record.name).into_owned();
                cookie = record.cookie;
                let ino = self.lookup(dir, &name)?;
                if ino != record.ino || self.kind(ino)?.dirent_type() != record.dirent_type {
                    return Err(Errno::EUCLEAN);
                }
                found.push((name, ino));
            }
        }
    }
}
