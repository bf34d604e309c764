// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The smallest mapped file system: one file whose blocks are scattered over a dirty device.

use bento::prelude::*;
use bento::{NoDevice, WriteOrder, device::NoBuf, mapped::DataDevice};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub(crate) const BLOCK: usize = 4096;
pub(crate) const FILE: InodeNo = InodeNo(2);

/// A device that starts full of old data and counts the bytes written to each block.
#[derive(Clone, Debug)]
pub(crate) struct Ram(Arc<Mutex<Blocks>>);

#[derive(Debug)]
struct Blocks {
    bytes: Vec<u8>,
    written: Vec<usize>,
}

impl Ram {
    pub(crate) fn new(blocks: usize) -> Self {
        let (bytes, written) = (vec![0xa5; blocks * BLOCK], vec![0; blocks]);
        Self(Arc::new(Mutex::new(Blocks { bytes, written })))
    }

    fn forget_writes(&self, block: usize) {
        self.0.lock().unwrap().written[block] = 0;
    }

    fn written(&self, block: usize) -> usize {
        self.0.lock().unwrap().written[block]
    }
}

impl BlockDevice for Ram {
    type Buf = NoBuf;
    fn blocks(&self) -> u64 {
        self.0.lock().unwrap().written.len() as u64
    }
    fn read_only(&self) -> bool {
        false
    }
    fn read(&self, _: BlockNo) -> Result<NoBuf> {
        Err(Errno::EIO)
    }
    fn zeroed(&self, _: BlockNo) -> Result<NoBuf> {
        Err(Errno::EIO)
    }
    fn write(&self, writes: &[bento::BlockWrite<'_>], order: WriteOrder) -> Result {
        NoDevice.write(writes, order)
    }
    fn flush(&self) -> Result {
        Ok(())
    }
}

impl DataDevice for Ram {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result {
        let start = offset as usize;
        out.copy_from_slice(&self.0.lock().unwrap().bytes[start..start + out.len()]);
        Ok(())
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> Result {
        let (start, mut ram) = (offset as usize, self.0.lock().unwrap());
        ram.bytes[start..start + data.len()].copy_from_slice(data);
        (start..start + data.len()).for_each(|byte| ram.written[byte / BLOCK] += 1);
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Place {
    block: usize,
    written: bool,
}

struct State {
    size: u64,
    places: BTreeMap<u64, Place>,
    free: Vec<usize>,
}

pub(crate) struct ExtentFs {
    dev: Ram,
    state: Mutex<State>,
}

impl ExtentFs {
    /// Blocks in use by the file.
    pub(crate) fn used(&self) -> usize {
        self.state.lock().unwrap().places.len()
    }
}

fn block_of(offset: u64) -> u64 {
    offset / BLOCK as u64
}

impl FileSystem for ExtentFs {
    type Device = Ram;
    type Node = InodeNo;
    const NAME: &'static str = "extents";
    const VERSION: &'static str = "1";
    const OPS: OpSet = OpSet::MAP
        .union(OpSet::ALLOCATE)
        .union(OpSet::SETATTR)
        .union(OpSet::FALLOCATE);
    const MAX_FILE_SIZE: u64 = 1 << 30;

    fn mount(dev: Ram, _: &MountOptions<'_>) -> Result<Self> {
        // Every second block first, so that neighbours in the file are seldom neighbours below.
        let blocks = dev.blocks() as usize;
        let free = (0..blocks).step_by(2).chain((1..blocks).step_by(2));
        let state = State {
            size: 0,
            places: BTreeMap::new(),
            free: free.collect(),
        };
        Ok(Self {
            dev,
            state: Mutex::new(state),
        })
    }
    fn statfs(&self) -> Result<StatFs> {
        Ok(StatFs::default())
    }
    fn load(&self, node: InodeNo) -> Result<Entry<InodeNo>> {
        Ok(Entry {
            attr: self.getattr(&node)?,
            node,
        })
    }
    fn lookup(&self, _: &Request, _: &InodeNo, _: &[u8]) -> Result<InodeNo> {
        Ok(FILE)
    }
    fn getattr(&self, node: &InodeNo) -> Result<Attr> {
        let mut attr = Attr::new(*node, 0o100_644, 1);
        attr.size = self.state.lock().unwrap().size;
        Ok(attr)
    }
    fn readdir(&self, _: &Request, _: &InodeNo, _: u64, _: &mut DirBuf<'_>) -> Result {
        Ok(())
    }
    fn setattr(&self, _: &Request, _: &InodeNo, set: &SetAttr) -> Result {
        let mut state = self.state.lock().unwrap();
        let keep = set.size.div_ceil(BLOCK as u64);
        // One block a call, to see that the host calls again.
        if let Some((&last, _)) = state
            .places
            .last_key_value()
            .filter(|&(&last, _)| last >= keep)
        {
            let place = state.places.remove(&last).expect("just seen");
            state.free.insert(0, place.block);
            return Err(Errno::EAGAIN);
        }
        state.size = set.size;
        Ok(())
    }
    fn map(&self, _: &InodeNo, offset: u64, _: u64) -> Result<Extent> {
        let (first, state) = (block_of(offset), self.state.lock().unwrap());
        let start = first * BLOCK as u64;
        let Some(place) = state.places.get(&first) else {
            let next = state
                .places
                .range(first..)
                .next()
                .map_or(first + 100, |(&next, _)| next);
            return Ok(Extent::hole(start, (next - first) * BLOCK as u64));
        };
        let at = (place.block * BLOCK) as u64;
        let kind = match place.written {
            true => ExtentKind::Mapped(at),
            false => ExtentKind::Unwritten(at),
        };
        Ok(Extent {
            offset: start,
            len: BLOCK as u64,
            kind,
            new: false,
        })
    }
    fn allocate(&self, req: &Request, node: &InodeNo, offset: u64, len: u64) -> Result<Extent> {
        let mut state = self.state.lock().unwrap();
        let block = state.free.pop().ok_or(Errno::ENOSPC)?;
        self.dev.forget_writes(block);
        let place = Place {
            block,
            written: false,
        };
        assert!(
            state.places.insert(block_of(offset), place).is_none(),
            "was a hole"
        );
        drop(state);
        let extent = self.map(node, offset, len)?;
        let _request = req;
        Ok(Extent {
            new: true,
            ..extent
        })
    }
    fn commit(&self, _: &Request, _: &InodeNo, offset: u64, len: u64, size: u64) -> Result {
        let mut state = self.state.lock().unwrap();
        for (_, place) in state
            .places
            .range_mut(block_of(offset)..=block_of(offset + len - 1))
        {
            let whole = place.written || self.dev.written(place.block) == BLOCK;
            assert!(
                whole,
                "block {} becomes visible before it is written",
                place.block
            );
            place.written = true;
        }
        state.size = state.size.max(size);
        Ok(())
    }
    /// `Allocate`, `Punch` and `Zero` one block a call, to see that the host calls again.
    fn fallocate(&self, _: &Request, _: &InodeNo, range: &Fallocate) -> Result {
        let mut state = self.state.lock().unwrap();
        let (offset, len) = (range.offset, range.len);
        assert!(len > 0 && offset.is_multiple_of(BLOCK as u64) && len.is_multiple_of(BLOCK as u64));
        let (first, last) = (block_of(offset), block_of(offset + len));
        let blocks = first..last;
        match range.mode {
            FallocateMode::Collapse | FallocateMode::Insert => {
                state.shift(range.mode, blocks);
                state.size = range.size;
                return Ok(());
            }
            mode => {
                for block in blocks {
                    if state.change(mode, block, &self.dev)? {
                        return Err(Errno::EAGAIN);
                    }
                }
            }
        }
        state.size = state.size.max(range.size);
        Ok(())
    }
}

impl State {
    /// Does what `mode` says with one block; `false` where nothing is to be done.
    fn change(&mut self, mode: FallocateMode, block: u64, dev: &Ram) -> Result<bool> {
        let place = self.places.get(&block).copied();
        match (mode, place) {
            (FallocateMode::Punch, Some(place)) => {
                self.places.remove(&block);
                self.free.insert(0, place.block);
            }
            (FallocateMode::Zero, Some(place)) if place.written => {
                dev.forget_writes(place.block);
                let place = Place {
                    written: false,
                    ..place
                };
                self.places.insert(block, place);
            }
            (FallocateMode::Allocate | FallocateMode::Zero, None) => {
                let new = self.free.pop().ok_or(Errno::ENOSPC)?;
                dev.forget_writes(new);
                let place = Place {
                    block: new,
                    written: false,
                };
                self.places.insert(block, place);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Cuts `blocks` out, or puts holes there.
    fn shift(&mut self, mode: FallocateMode, blocks: core::ops::Range<u64>) {
        let len = blocks.end - blocks.start;
        let behind = self.places.split_off(&blocks.start);
        for (block, place) in behind {
            let moved = match mode {
                FallocateMode::Insert => block + len,
                _ if block >= blocks.end => block - len,
                _ => {
                    self.free.insert(0, place.block);
                    continue;
                }
            };
            self.places.insert(moved, place);
        }
    }
}
