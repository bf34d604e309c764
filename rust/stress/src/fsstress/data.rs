// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Operations on the content of files.

use super::model::{Body, Key};
use super::worker::Worker;
use crate::coherence::{check_holes, open_direct};
use crate::falloc::Mode;
use crate::mmap::{AlignedBuf, SharedMap};
use crate::stamp::{Stamp, difference};
use anyhow::{Context, bail, ensure};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The longest file, and the longest single access.
const MAX: usize = 512 * 1024;
const MAX_LEN: usize = 64 * 1024;
const PAGE: usize = 4096;

fn open(path: &Path, direct: bool) -> anyhow::Result<File> {
    let file = if direct {
        open_direct(path)
    } else {
        OpenOptions::new().read(true).write(true).open(path)
    };
    file.context("open")
}

impl Worker {
    /// A range to access; whole pages for direct I/O. The offset is often within `size`.
    fn range(&mut self, size: usize, direct: bool) -> (usize, usize) {
        let bound = if self.rng.one_in(3) { MAX } else { size + PAGE };
        let offset = self.rng.index(bound.min(MAX));
        let len = 1 + if self.rng.one_in(2) {
            self.rng.index(5000)
        } else {
            self.rng.index(MAX_LEN)
        };
        if direct {
            let offset = offset / PAGE * PAGE;
            return (offset, len.next_multiple_of(PAGE).min(MAX - offset));
        }
        (offset, len.min(MAX - offset))
    }

    fn stamp(&mut self) -> Stamp {
        self.counter += 1;
        Stamp {
            id: self.number + 1,
            generation: (self.counter % 0xffff) as u16,
        }
    }

    pub(super) fn size(&self, key: Key) -> usize {
        match &self.model.inode(key).body {
            Body::File(data) => data.len(),
            _ => 0,
        }
    }

    /// The content that the model has for a regular file.
    fn content(&mut self, key: Key) -> &mut Vec<u8> {
        match &mut self.model.inode_mut(key).body {
            Body::File(data) => data,
            other => unreachable!("{other:?} is no regular file"),
        }
    }

    fn put(&mut self, key: Key, offset: usize, piece: &[u8]) {
        let data = self.content(key);
        let end = offset + piece.len();
        if data.len() < end {
            data.resize(end, 0);
        }
        data[offset..end].copy_from_slice(piece);
    }

    pub(super) fn write(&mut self, direct: bool) -> anyhow::Result<()> {
        let Some((key, path)) = self.some_file() else {
            return Ok(());
        };
        let (offset, len) = self.range(self.size(key), direct);
        let what = if direct { "dwrite" } else { "write" };
        self.note(&format!(
            "{what} {} {offset} +{len}",
            self.model.short(&path)
        ));
        let mut buf = AlignedBuf::new(len);
        self.stamp().fill(offset as u64, buf.bytes_mut());
        let n = open(&path, direct)?.write_at(buf.bytes(), offset as u64)?;
        ensure!(n == len, "wrote {n} of {len} bytes");
        self.put(key, offset, buf.bytes());
        Ok(())
    }

    pub(super) fn read(&mut self, direct: bool) -> anyhow::Result<()> {
        let Some((key, path)) = self.some_file() else {
            return Ok(());
        };
        let (offset, len) = self.range(self.size(key), direct);
        let what = if direct { "dread" } else { "read" };
        self.note(&format!(
            "{what} {} {offset} +{len}",
            self.model.short(&path)
        ));
        let file = open(&path, direct)?;
        Self::compare(&file, offset, len, self.content(key))
    }

    /// Reads at most `len` bytes from `offset` and compares them with those of `data`.
    pub(super) fn compare(
        file: &File,
        offset: usize,
        len: usize,
        data: &[u8],
    ) -> anyhow::Result<()> {
        let mut buf = AlignedBuf::new(len);
        buf.bytes_mut().fill(0xee);
        let n = file.read_at(buf.bytes_mut(), offset as u64)?;
        let start = offset.min(data.len());
        let want = &data[start..data.len().min(offset + len)];
        match difference(&buf.bytes()[..n], want, offset as u64) {
            Some(text) => bail!("{text}"),
            None => Ok(()),
        }
    }

    pub(super) fn mapped(&mut self, write: bool) -> anyhow::Result<()> {
        let Some((key, path)) = self.some_file() else {
            return Ok(());
        };
        let size = self.size(key);
        if size == 0 {
            return Ok(());
        }
        let (offset, len) = self.range(size, false);
        let offset = offset % size;
        let len = len.min(size - offset);
        let what = if write { "mwrite" } else { "mread" };
        self.note(&format!(
            "{what} {} {offset} +{len}",
            self.model.short(&path)
        ));
        let page = offset / PAGE * PAGE;
        let span = (offset + len - page).next_multiple_of(PAGE);
        let map = SharedMap::new(&open(&path, false)?, page as u64, span)?;
        if write {
            let piece = self.stamp().bytes(offset as u64, len);
            map.write(offset - page, &piece);
            self.put(key, offset, &piece);
            if self.rng.one_in(3) {
                map.sync().context("msync")?;
            }
            return Ok(());
        }
        let mut got = vec![0; len];
        map.read(offset - page, &mut got);
        let want = &self.content(key)[offset..offset + len];
        match difference(&got, want, offset as u64) {
            Some(text) => bail!("{text}"),
            None => Ok(()),
        }
    }

    pub(super) fn truncate(&mut self) -> anyhow::Result<()> {
        let Some((key, path)) = self.some_file() else {
            return Ok(());
        };
        let (size, _) = self.range(self.size(key), false);
        self.note(&format!("truncate {} {size}", self.model.short(&path)));
        open(&path, false)?.set_len(size as u64)?;
        self.content(key).resize(size, 0);
        Ok(())
    }

    pub(super) fn fallocate(&mut self, mode: Mode) -> anyhow::Result<()> {
        let Some((key, path)) = self.some_file() else {
            return Ok(());
        };
        let (offset, len) = self.range(self.size(key), false);
        let Some((offset, len)) = mode.fit(offset, len, self.size(key), MAX) else {
            return Ok(());
        };
        self.note(&format!(
            "fallocate-{mode:?} {} {offset} +{len}",
            self.model.short(&path)
        ));
        let file = open(&path, false)?;
        mode.perform(&file, self.content(key), offset, len)?;
        Ok(())
    }

    pub(super) fn seek(&mut self) -> anyhow::Result<()> {
        let Some((key, path)) = self.some_file() else {
            return Ok(());
        };
        self.note(&format!("seek {}", self.model.short(&path)));
        check_holes(&open(&path, false)?, self.content(key))
    }

    pub(super) fn fsync(&mut self, metadata: bool) -> anyhow::Result<()> {
        let Some((_, path)) = self.some_file() else {
            return Ok(());
        };
        let what = if metadata { "fsync" } else { "fdatasync" };
        self.note(&format!("{what} {}", self.model.short(&path)));
        let file = File::open(&path)?;
        Ok(if metadata {
            file.sync_all()
        } else {
            file.sync_data()
        }?)
    }
}
