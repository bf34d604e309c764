// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Live upgrade: one build of a file system hands its journal to the next.
//!
//! The changed blocks themselves stay in the device's cache, held by the exporting journal until
//! the importing one holds them too; only their numbers cross, and the contents of blocks that
//! have changed again since they were logged. The record is a sequence of little-endian 64-bit
//! numbers: a head, in the order of [`Journal::export`]; the changed blocks; the revoked blocks; start and end of
//! each pending range; block, sequence, position and flags of each block in the log; then the
//! contents of those with the flag `FROZEN`, a block each.

use crate::Journal;
use crate::area::{Area, Place};
use crate::commit::room;
use crate::running::Running;
use crate::state::{Logged, State};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bento::{BlockDevice, BlockNo, Errno, Result, StateReader, StateWriter};

const VERSION: u64 = 2;
/// The header of the log needs a new number before the first commit.
const FRESH: u64 = 1 << 0;
/// The running transaction needs an empty log.
const REVOKES_ALL: u64 = 1 << 1;
/// The block has to be written home.
const HOME: u64 = 1 << 0;
/// Its contents for that are in the record.
const FROZEN: u64 = 1 << 1;

/// Numbers in the head of a record.
const HEAD: usize = 14;
/// Numbers for each block in the log.
const LOGGED: usize = 4;

impl<D: BlockDevice> Journal<D> {
    /// Writes the state as one record with tag `tag`. Changes nothing and does no I/O. No
    /// operation and no commit may be under way.
    ///
    /// The record is small after [`Journal::sync`]; else it has up to a block for each block in
    /// the log.
    ///
    /// # Errors
    /// `EIO`: the journal has aborted (what is in memory must not live on). `ENOMEM`, `E2BIG`.
    pub fn export(&self, out: &mut StateWriter, tag: u32) -> Result {
        let seed = self.turn()?.seed;
        let state = self.lock()?;
        let running = &state.running;
        let number = |n: usize| u64::try_from(n).map_err(|_| Errno::E2BIG);
        let flag = |on: bool, bit: u64| if on { bit } else { 0 };
        let head: [u64; HEAD] = [
            VERSION,
            self.area.start,
            self.area.blocks,
            seed,
            state.sequence,
            state.head,
            state.used,
            state.tail.sequence,
            state.tail.position,
            flag(state.fresh, FRESH) | flag(running.revokes_all, REVOKES_ALL),
            number(running.members().len())?,
            number(running.revoked().len())?,
            number(running.pending.ranges().len())?,
            number(state.live.items().len())?,
        ];
        let members = running.members().iter().map(|m| m.block.0);
        let revoked = running.revoked().iter().copied();
        let pending = running.pending.ranges().iter();
        let pending = pending.flat_map(|r| [r.start, r.end]);
        let live = state.live.items().iter().flat_map(|(block, logged)| {
            let flags = flag(logged.home.is_some(), HOME) | flag(logged.frozen.is_some(), FROZEN);
            [*block, logged.place.sequence, logged.place.position, flags]
        });
        let contents = state.live.items().iter();
        let contents = contents.filter_map(|(_, logged)| logged.frozen.as_deref());
        let all = head
            .into_iter()
            .chain(members)
            .chain(revoked)
            .chain(pending);
        let size = numbers(&state) * size_of::<u64>();
        let mut bytes = room(size + contents.clone().map(<[u8]>::len).sum::<usize>())?;
        for value in all.chain(live) {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        contents.for_each(|frozen| bytes.extend_from_slice(frozen));
        out.record(tag, &bytes)
    }

    /// Goes on where the exporting journal stopped; the other arguments are those of
    /// [`Journal::open`]. Writes nothing. The exporting journal must still exist, on the same
    /// cache, and must not be used afterwards.
    ///
    /// # Errors
    /// `EINVAL` (logged): no such record, or one that is damaged or of another log. `EIO`,
    /// `ENOMEM`.
    pub fn import(
        dev: D,
        start: BlockNo,
        blocks: u64,
        read_only: bool,
        state: &StateReader<'_>,
        tag: u32,
    ) -> Result<Self> {
        let area = Area::new(&dev, start, blocks)?;
        let found = state.find(tag).and_then(|bytes| parse(bytes, area));
        let Some(found) = found.filter(|f| f.fits(&dev, area)) else {
            log::error!("journal: the state handed over is damaged or of another log");
            return Err(Errno::EINVAL);
        };
        let header = dev.read(area.block(0))?;
        let state = found.state(&dev)?;
        Self::assemble(dev, area, read_only, (header, found.head.seed), state)
    }
}

/// How many numbers a record has.
fn numbers<B>(state: &State<B>) -> usize {
    let running = &state.running;
    let lists = running.members().len() + running.revoked().len();
    HEAD + lists + 2 * running.pending.ranges().len() + LOGGED * state.live.items().len()
}

/// The numbers at the head of a record that are not lengths of lists.
#[derive(Clone, Copy)]
struct Head {
    seed: u64,
    sequence: u64,
    head: u64,
    used: u64,
    tail: Place,
    flags: u64,
}

/// A parsed record.
struct Found<'a> {
    head: Head,
    members: &'a [[u8; 8]],
    revoked: &'a [[u8; 8]],
    /// Start and end in turn.
    pending: &'a [[u8; 8]],
    live: Vec<Live>,
    /// Contents, one block each.
    frozen: &'a [u8],
}

/// A block in the log.
struct Live {
    block: u64,
    place: Place,
    flags: u64,
}

/// Takes the record apart; `None` where it is damaged or belongs to another log.
fn parse(bytes: &[u8], area: Area) -> Option<Found<'_>> {
    let (head, rest) = bytes.split_at_checked(HEAD * size_of::<u64>())?;
    let (head, []) = head.as_chunks::<8>() else {
        return None;
    };
    let head: &[[u8; 8]; HEAD] = head.first_chunk()?;
    let [version, start, blocks, seed, head @ ..] = head.map(u64::from_le_bytes);
    let [
        sequence,
        at,
        used,
        tail_sequence,
        tail_position,
        flags,
        lengths @ ..,
    ] = head;
    if version != VERSION || (start, blocks) != (area.start, area.blocks) {
        return None;
    }
    let [members, revoked, pending, live] = lengths.map(usize::try_from);
    let (members, rest) = take(rest, members.ok()?)?;
    let (revoked, rest) = take(rest, revoked.ok()?)?;
    let (pending, rest) = take(rest, pending.ok()?.checked_mul(2)?)?;
    let (live, frozen) = take(rest, live.ok()?.checked_mul(LOGGED)?)?;
    let tail = Place {
        sequence: tail_sequence,
        position: tail_position,
    };
    let head = Head {
        seed,
        sequence,
        head: at,
        used,
        tail,
        flags,
    };
    Some(Found {
        head,
        members,
        revoked,
        pending,
        live: live_blocks(live)?,
        frozen,
    })
}

/// Splits off `count` numbers.
fn take(bytes: &[u8], count: usize) -> Option<(&[[u8; 8]], &[u8])> {
    let (numbers, rest) = bytes.split_at_checked(count.checked_mul(8)?)?;
    let (numbers, _) = numbers.as_chunks::<8>();
    Some((numbers, rest))
}

fn live_blocks(numbers: &[[u8; 8]]) -> Option<Vec<Live>> {
    let (groups, _) = numbers.as_chunks::<LOGGED>();
    let mut live = room(groups.len()).ok()?;
    live.extend(groups.iter().map(|group| {
        let [block, sequence, position, flags] = group.map(u64::from_le_bytes);
        Live {
            block,
            place: Place { sequence, position },
            flags,
        }
    }));
    Some(live)
}

/// The numbers of a list.
fn values(list: &[[u8; 8]]) -> impl Iterator<Item = u64> + Clone {
    list.iter().map(|n| u64::from_le_bytes(*n))
}

impl Found<'_> {
    /// Every number is possible on `dev`.
    fn fits<D: BlockDevice>(&self, dev: &D, area: Area) -> bool {
        let Head {
            sequence,
            head,
            used,
            tail,
            flags,
            ..
        } = self.head;
        let block = |n: u64| n < dev.blocks() && !area.contains(n);
        let ascending = |list| values(list).is_sorted_by(|a, b| a < b) && values(list).all(block);
        let count = u64::try_from(self.members.len()).unwrap_or(u64::MAX);
        let revoked = u64::try_from(self.revoked.len()).unwrap_or(u64::MAX);
        let frozen = self.live.iter().filter(|l| l.flags & FROZEN != 0).count();
        flags & !(FRESH | REVOKES_ALL) == 0
            && [head, tail.position].iter().all(|p| area.is_place(*p))
            && (1..=sequence).contains(&tail.sequence)
            && count <= area.capacity()
            && used.saturating_add(Area::need(count)) <= area.ring()
            && revoked <= Area::REVOKED
            && ascending(self.members)
            && ascending(self.revoked)
            && values(self.pending).is_sorted_by(|a, b| a < b)
            && values(self.pending).all(|n| n <= dev.blocks())
            && self.live.is_sorted_by(|a, b| a.block < b.block)
            && self.live.iter().all(|l| {
                let Live {
                    block: n,
                    place,
                    flags,
                } = l;
                let known = flags & !(HOME | FROZEN) == 0 && *flags != FROZEN;
                let past = (tail.sequence..sequence).contains(&place.sequence);
                known && past && block(*n) && area.is_place(place.position)
            })
            && self.frozen.len() == frozen * D::BLOCK_SIZE
    }

    /// The state of the journal, its blocks held in the cache.
    fn state<D: BlockDevice>(&self, dev: &D) -> Result<Box<State<D::Buf>>> {
        let mut state = State::new(self.head.tail, self.head.flags & FRESH != 0);
        state.sequence = self.head.sequence;
        state.durable = self.head.sequence.saturating_sub(1);
        state.head = self.head.head;
        state.used = self.head.used;
        self.fill_running(dev, &mut state.running)?;
        state.live.reserve(self.live.len() + self.members.len())?;
        let mut contents = self.frozen.chunks_exact(D::BLOCK_SIZE);
        let mut all = room(self.live.len())?;
        for live in &self.live {
            let home = match live.flags & HOME {
                0 => None,
                _ => Some(dev.read(BlockNo(live.block))?),
            };
            let frozen = match live.flags & FROZEN {
                0 => None,
                _ => contents.next().map(own).transpose()?,
            };
            let place = live.place;
            all.push((
                live.block,
                Logged {
                    place,
                    home,
                    frozen,
                },
            ));
        }
        state.live.merge(all.into_iter());
        Ok(state)
    }

    fn fill_running<D: BlockDevice>(&self, dev: &D, running: &mut Running<D::Buf>) -> Result {
        running.reserve(self.members.len())?;
        running.pending.reserve(self.pending.len() / 2)?;
        for block in values(self.members).map(BlockNo) {
            running.insert(block, dev.read(block)?);
        }
        values(self.revoked).for_each(|block| running.revoke(block));
        let mut bounds = values(self.pending);
        while let (Some(from), Some(to)) = (bounds.next(), bounds.next()) {
            running.pending.insert(from..to);
        }
        running.revokes_all = self.head.flags & REVOKES_ALL != 0;
        Ok(())
    }
}

/// A copy of the contents of a block.
fn own(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut copy = room(bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}
