// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`CrashDisk`]: records what reaches the disk; [`Trace`]: every medium a power cut may leave.

use crate::disk::{Caching, MemDisk};
use crate::image::{Image, SECTOR_SIZE, pieces};
use crate::rng::Rng;
use crate::tap::{Tap, Tapped};
use bento::mapped::DataDevice;
use bento::{BlockDevice, BlockWrite, Result, WriteOrder};
use std::sync::{Arc, Mutex, PoisonError};

/// One write, within one block.
#[derive(Clone, Debug)]
struct Write {
    block: u64,
    offset: usize,
    data: Arc<[u8]>,
}

impl Write {
    /// The first and the last sector of the block that it changes.
    fn sectors(&self) -> (usize, usize) {
        let last = self.offset + self.data.len().saturating_sub(1);
        (self.offset / SECTOR_SIZE, last / SECTOR_SIZE)
    }

    /// Puts those of its sectors on the medium of which the bit is set.
    fn tear(&self, image: &mut Image, sectors: u64) -> Result {
        let mut from = 0;
        while from < self.data.len() {
            let at = self.offset + from;
            let sector = at / SECTOR_SIZE;
            let to = self.data.len().min(from + SECTOR_SIZE - at % SECTOR_SIZE);
            if sectors >> sector & 1 == 1 {
                image.write(self.block, at, self.data.get(from..to).unwrap_or_default())?;
            }
            from = to;
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Event {
    Write(Write),
    Flush,
}

/// What reached the disk, in order. Clones are the same.
#[derive(Clone, Debug)]
pub struct Recorder {
    start: Image,
    events: Arc<Mutex<Vec<Event>>>,
}

/// A [`MemDisk`] that records its writes and flushes in order. Clones are the same disk.
pub type CrashDisk = Tapped<MemDisk, Recorder>;

impl CrashDisk {
    /// A disk with this medium, an empty cache, and nothing recorded.
    #[must_use]
    pub fn new(medium: Image, caching: Caching) -> Self {
        let recorder = Recorder {
            start: medium.clone(),
            events: Arc::default(),
        };
        Self::around(MemDisk::from_image(medium, caching), recorder)
    }

    /// How many writes and flushes have been recorded: a point in time.
    #[must_use]
    pub fn now(&self) -> usize {
        self.tap.with_events(|events| events.len())
    }

    /// Everything recorded so far.
    #[must_use]
    pub fn trace(&self) -> Trace {
        Trace {
            start: self.tap.start.clone(),
            events: self.tap.with_events(|events| events.clone()),
        }
    }

    /// What a reader of the whole disk would see now.
    #[must_use]
    pub fn image(&self) -> Image {
        self.disk.image()
    }
}

impl Recorder {
    fn with_events<R>(&self, f: impl FnOnce(&mut Vec<Event>) -> R) -> R {
        f(&mut self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tap<MemDisk> for Recorder {
    fn write(&self, disk: &MemDisk, writes: &[BlockWrite<'_>], order: WriteOrder) -> Result {
        disk.write(writes, order)?;
        let recorded = writes.iter().map(|w| {
            Event::Write(Write {
                block: w.target.0,
                offset: 0,
                data: Arc::from(w.data),
            })
        });
        let barrier = (order == WriteOrder::Barrier).then_some(Event::Flush);
        self.with_events(|events| {
            events.extend(barrier.clone());
            events.extend(recorded);
            events.extend(barrier);
        });
        Ok(())
    }

    fn flush(&self, _: &MemDisk) -> Result {
        self.with_events(|events| {
            if matches!(events.last(), Some(Event::Write(_))) {
                events.push(Event::Flush);
            }
        });
        Ok(())
    }

    fn write_at(&self, disk: &MemDisk, offset: u64, data: &[u8]) -> Result {
        disk.write_at(offset, data)?;
        let recorded = pieces(offset, data.len()).filter_map(|(block, offset, range)| {
            let data = Arc::from(data.get(range)?);
            Some(Event::Write(Write {
                block,
                offset,
                data,
            }))
        });
        self.with_events(|events| events.extend(recorded));
        Ok(())
    }
}

/// How many of the possible media of an epoch are tried.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Epochs of at most this many writes: every subset. Longer ones: every prefix, every suffix
    /// (the disk wrote the last ones first), every single write lost, every single write alone,
    /// and `random` subsets.
    pub exhaustive: u32,
    /// See `exhaustive`.
    pub random: u32,
    /// Also cut each write between its sectors: once behind the first sector and once before the
    /// last, with the writes before it arrived; and once without the first sector and once with a
    /// random choice of sectors, with all others of the epoch arrived.
    pub torn: bool,
    /// Where the random subsets come from.
    pub seed: u64,
}

impl Limits {
    /// Few media: for crashes within the recovery from a crash.
    #[must_use]
    pub const fn few() -> Self {
        Self {
            exhaustive: 3,
            random: 2,
            torn: false,
            seed: 1,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            exhaustive: 6,
            random: 16,
            torn: true,
            seed: 1,
        }
    }
}

/// What was tried, for the report of a test: a bound that nobody sees hides what it leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Media in all.
    pub media: usize,
    /// Those of them with a write cut between its sectors.
    pub torn: usize,
    /// Runs of writes between two flushes.
    pub epochs: usize,
    /// Epochs of which every subset of writes was tried; of the others a sample.
    pub complete: usize,
    /// Writes in the longest epoch.
    pub longest: usize,
}

impl core::ops::AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.media += more.media;
        self.torn += more.torn;
        self.epochs += more.epochs;
        self.complete += more.complete;
        self.longest = self.longest.max(more.longest);
    }
}

impl core::fmt::Display for Counts {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{} media ({} with a torn write) of {} epochs; every subset of {} epochs, a sample of \
             the others (at most {} writes)",
            self.media, self.torn, self.epochs, self.complete, self.longest
        )
    }
}

/// A write of which only some sectors arrive.
#[derive(Clone, Copy, Debug)]
struct Torn {
    /// Which write of the epoch.
    index: usize,
    /// Bit n: the nth sector of the block arrives.
    sectors: u64,
}

/// A medium that a power cut may leave.
#[derive(Clone, Debug)]
pub struct Crash {
    /// The medium.
    pub image: Image,
    /// The latest moment ([`CrashDisk::now`]) of the power cut.
    pub at: usize,
    /// Which writes of the epoch arrived, for the report of a failure.
    pub what: String,
}

/// A recorded sequence of writes and flushes.
#[derive(Clone, Debug)]
pub struct Trace {
    start: Image,
    events: Vec<Event>,
}

impl Trace {
    /// How many writes were recorded.
    #[must_use]
    pub fn writes(&self) -> usize {
        let is_write = |e: &&Event| matches!(e, Event::Write(_));
        self.events.iter().filter(is_write).count()
    }

    /// Calls `visit` with every medium that a power cut may leave, within `limits`. Returns how
    /// many that were.
    pub fn crashes(&self, limits: &Limits, visit: &mut dyn FnMut(Crash)) -> Counts {
        let mut durable = self.start.clone();
        let mut epoch = Vec::new();
        let mut counts = Counts::default();
        let mut rng = Rng::new(limits.seed);
        let all = self.events.iter().chain([&Event::Flush]);
        for (at, event) in all.enumerate() {
            match event {
                Event::Write(write) => epoch.push(write),
                // Two flushes in a row open no new possibilities.
                Event::Flush if epoch.is_empty() && at != self.events.len() => {}
                Event::Flush => {
                    let epoch = Epoch {
                        durable: &durable,
                        writes: core::mem::take(&mut epoch),
                        at,
                    };
                    counts += epoch.visit(limits, &mut rng, visit);
                    durable = epoch.image(&vec![true; epoch.writes.len()], None);
                }
            }
        }
        counts
    }
}

/// The writes between two flushes.
struct Epoch<'a> {
    durable: &'a Image,
    writes: Vec<&'a Write>,
    at: usize,
}

impl Epoch<'_> {
    fn visit(&self, limits: &Limits, rng: &mut Rng, visit: &mut dyn FnMut(Crash)) -> Counts {
        let mut counts = Counts {
            epochs: 1,
            complete: usize::from(self.is_short(limits)),
            longest: self.writes.len(),
            ..Counts::default()
        };
        let mut try_one = |arrived: &[bool], torn: Option<Torn>| {
            counts.media += 1;
            counts.torn += usize::from(torn.is_some());
            visit(Crash {
                image: self.image(arrived, torn),
                at: self.at,
                what: self.describe(arrived, torn),
            });
        };
        for arrived in self.subsets(limits, rng) {
            try_one(&arrived, None);
        }
        if limits.torn {
            for (index, write) in self.writes.iter().enumerate() {
                let (first, last) = write.sectors();
                let before: Vec<_> = (0..self.writes.len()).map(|i| i < index).collect();
                let others: Vec<_> = (0..self.writes.len()).map(|i| i != index).collect();
                try_one(
                    &before,
                    Some(Torn {
                        index,
                        sectors: 1 << first,
                    }),
                );
                try_one(
                    &before,
                    Some(Torn {
                        index,
                        sectors: !(1 << last),
                    }),
                );
                try_one(
                    &others,
                    Some(Torn {
                        index,
                        sectors: !(1 << first),
                    }),
                );
                try_one(
                    &others,
                    Some(Torn {
                        index,
                        sectors: rng.next(),
                    }),
                );
            }
        }
        counts
    }

    fn is_short(&self, limits: &Limits) -> bool {
        u32::try_from(self.writes.len()).is_ok_and(|n| n <= limits.exhaustive)
    }

    /// Which writes arrive, one vector for each possibility.
    fn subsets(&self, limits: &Limits, rng: &mut Rng) -> Vec<Vec<bool>> {
        let n = self.writes.len();
        if self.is_short(limits) {
            let every = 0..1u64 << n;
            return every
                .map(|bits| (0..n).map(|i| bits >> i & 1 == 1).collect())
                .collect();
        }
        let prefixes = (0..=n).map(|cut| (0..n).map(|i| i < cut).collect());
        let suffixes = (1..n).map(|cut| (0..n).map(|i| i >= cut).collect());
        let without = (0..n).map(|lost| (0..n).map(|i| i != lost).collect());
        let alone = (0..n).map(|only| (0..n).map(|i| i == only).collect());
        let mut all: Vec<_> = prefixes
            .chain(suffixes)
            .chain(without)
            .chain(alone)
            .collect();
        for _ in 0..limits.random {
            all.push((0..n).map(|_| rng.below(2) == 1).collect());
        }
        all
    }

    /// The medium after the writes that arrived, one of them perhaps in part.
    fn image(&self, arrived: &[bool], torn: Option<Torn>) -> Image {
        let mut image = self.durable.clone();
        for (index, (write, arrived)) in self.writes.iter().zip(arrived).enumerate() {
            let done = match torn {
                Some(torn) if torn.index == index => write.tear(&mut image, torn.sectors),
                _ if *arrived => image.put(write.block, write.offset, &write.data),
                _ => Ok(()),
            };
            done.expect("recorded writes lie on the medium");
        }
        image
    }

    fn describe(&self, arrived: &[bool], torn: Option<Torn>) -> String {
        let block = |(w, kept): (&&Write, &bool)| match kept {
            true => format!("{}", w.block),
            false => format!("-{}", w.block),
        };
        let blocks: Vec<_> = self.writes.iter().zip(arrived).map(block).collect();
        let torn = torn.map_or(String::new(), |torn| {
            let Torn { index, sectors } = torn;
            format!(", of write {index} the sectors {:#010b}", sectors & 0xff)
        });
        format!(
            "power cut at event {}: of the writes since the last flush these arrived (- = lost): \
             [{}]{torn}",
            self.at,
            blocks.join(" ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, CrashDisk, Limits};
    use crate::disk::Caching;
    use crate::image::{BLOCK_SIZE, Image};
    use bento::mapped::DataDevice;
    use bento::{BlockDevice, BlockNo, BlockWrite, WriteOrder};
    use std::collections::BTreeSet;

    fn put(disk: &CrashDisk, block: u64, order: WriteOrder) {
        let write = BlockWrite {
            target: BlockNo(block),
            data: &[1; BLOCK_SIZE],
        };
        disk.write(&[write], order).expect("inside");
    }

    /// Which of the blocks 0 to 3 have arrived, for every crash.
    fn outcomes(disk: &CrashDisk, torn: bool) -> BTreeSet<Vec<u8>> {
        let limits = Limits {
            torn,
            ..Limits::default()
        };
        let mut all = BTreeSet::new();
        disk.trace().crashes(&limits, &mut |crash| {
            let first = |b: u64| crash.image.block(b).expect("inside")[0];
            all.insert((0..4).map(first).collect());
        });
        all
    }

    #[test]
    fn an_epoch_loses_any_subset_and_a_flush_nothing() {
        let disk = CrashDisk::new(Image::new(4), Caching::Short);
        put(&disk, 0, WriteOrder::Any);
        put(&disk, 1, WriteOrder::Any);
        disk.flush().expect("works");
        put(&disk, 2, WriteOrder::Any);
        let want = [
            [0, 0, 0, 0],
            [1, 0, 0, 0],
            [0, 1, 0, 0],
            [1, 1, 0, 0],
            [1, 1, 1, 0],
        ];
        assert_eq!(outcomes(&disk, false), want.map(Vec::from).into());
    }

    #[test]
    fn a_barrier_is_behind_all_before_it_and_before_all_behind_it() {
        let disk = CrashDisk::new(Image::new(4), Caching::Short);
        put(&disk, 0, WriteOrder::Any);
        put(&disk, 1, WriteOrder::Barrier);
        put(&disk, 2, WriteOrder::Any);
        let want = [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]];
        assert_eq!(outcomes(&disk, false), want.map(Vec::from).into());
    }

    #[test]
    fn a_torn_write_keeps_whole_sectors() {
        let disk = CrashDisk::new(Image::new(4), Caching::Short);
        put(&disk, 3, WriteOrder::Any);
        let mut lengths = BTreeSet::new();
        disk.trace().crashes(&Limits::default(), &mut |crash| {
            let block = crash.image.block(3).expect("inside");
            lengths.insert(block.iter().filter(|b| **b == 1).count());
        });
        assert!(
            [0, 512, 4096 - 512, 4096]
                .iter()
                .all(|n| lengths.contains(n))
        );
        assert!(lengths.iter().all(|n| n % 512 == 0), "{lengths:?}");
    }

    #[test]
    fn a_torn_write_may_lose_its_first_sector_and_keep_its_last() {
        let disk = CrashDisk::new(Image::new(4), Caching::Short);
        disk.write_at(4096 + 700, &[1; 2000]).expect("inside");
        put(&disk, 3, WriteOrder::Any);
        let mut ends = BTreeSet::new();
        let counts = disk.trace().crashes(&Limits::default(), &mut |crash| {
            let (torn, whole) = (crash.image.block(1), crash.image.block(3));
            let (torn, whole) = (torn.expect("inside"), whole.expect("inside"));
            ends.insert((torn[700], torn[1023], torn[1024], torn[2699], whole[0]));
            assert_eq!(
                (torn[699], torn[2700]),
                (0, 0),
                "only what was written changes"
            );
        });
        assert!(
            ends.contains(&(0, 0, 1, 1, 1)),
            "the first sector lost: {ends:?}"
        );
        assert!(
            ends.contains(&(1, 1, 0, 0, 0)),
            "only the first sector: {ends:?}"
        );
        let want = Counts {
            media: 4 + 8,
            torn: 8,
            epochs: 1,
            complete: 1,
            longest: 2,
        };
        assert_eq!(counts, want);
    }

    #[test]
    fn long_epochs_are_sampled_and_include_every_prefix() {
        let disk = CrashDisk::new(Image::new(40), Caching::Short);
        disk.write_at(0, &vec![1; 40 * BLOCK_SIZE]).expect("inside");
        let mut arrived = BTreeSet::new();
        let mut last_first = false;
        let counts = disk.trace().crashes(&Limits::default(), &mut |crash| {
            let blocks = crash.image.differences(&Image::new(40));
            last_first |= blocks == [38, 39];
            arrived.insert(blocks.len());
        });
        assert!((0..=40).all(|n| arrived.contains(&n)));
        assert!(last_first, "the disk may write the last blocks first");
        assert!(counts.media < 400, "{counts}");
        assert_eq!((counts.epochs, counts.complete, counts.longest), (1, 0, 40));
    }
}
