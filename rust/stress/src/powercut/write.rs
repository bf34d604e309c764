// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The writer: makes promises until the power goes.

use super::log::Log;
use super::state::{Present, Record, State, Step};
use super::{DIRS, NOISE};
use crate::latency::now;
use crate::mmap::SharedMap;
use crate::rng::Rng;
use crate::stamp::Stamp;
use anyhow::Context;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;

/// Threads that make promises, and files of each.
const THREADS: u16 = 2;
const FILES: u16 = 12;
const MAX: u64 = 96 * 1024;

pub(super) fn run(dir: &Path, log: &Path, seconds: u64, seed: u64) -> anyhow::Result<()> {
    let log = Log::open(log)?;
    fs::create_dir(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    for name in DIRS.iter().chain(&[NOISE]) {
        fs::create_dir(dir.join(name))?;
    }
    File::open(dir)?.sync_all()?;
    if let Some(parent) = dir.parent() {
        File::open(parent)?.sync_all()?;
    }
    println!("powercut: writing");
    let end = now() + seconds * 1_000_000_000;
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for number in 0..THREADS {
            let log = &log;
            threads.push(scope.spawn(move || {
                let mut writer = Writer {
                    dir,
                    log,
                    rng: Rng::new(seed * 100 + u64::from(number)),
                    states: vec![State::default(); usize::from(FILES)],
                    first: 1 + number * FILES,
                    generation: 0,
                };
                while now() < end {
                    writer.step()?;
                }
                Ok(())
            }));
        }
        threads.push(scope.spawn(move || noise(dir, Rng::new(seed), end)));
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("a writer does not panic"))
    })
}

struct Writer<'a> {
    dir: &'a Path,
    log: &'a Log,
    rng: Rng,
    states: Vec<State>,
    /// Id of the first file.
    first: u16,
    generation: u16,
}

impl Writer<'_> {
    fn path(&self, id: u16, dir: usize) -> PathBuf {
        self.dir.join(DIRS[dir]).join(format!("file-{id}"))
    }

    fn sync_dir(&self, dir: usize) -> anyhow::Result<()> {
        let path = self.dir.join(DIRS[dir]);
        File::open(path)?.sync_all().context("fsync of a directory")
    }

    /// One step of one file: intent, change, fsync, promise.
    fn step(&mut self) -> anyhow::Result<()> {
        let index = self.rng.index(self.states.len());
        let id = self.first + index as u16;
        self.generation = self.generation % 0xfff0 + 1;
        let (step, file) = self.choose(self.states[index]);
        let target = State { file };
        self.log.add(Record::Intent { id, step, target })?;
        let old = self.states[index].file;
        self.perform(id, step, old, file)
            .with_context(|| format!("{step:?} of file {id} from {old:?} to {file:?}"))?;
        self.log.add(Record::Done { id })?;
        self.states[index] = target;
        Ok(())
    }

    fn choose(&mut self, state: State) -> (Step, Option<Present>) {
        let generation = self.generation;
        let Some(old) = state.file else {
            let dir = self.rng.index(DIRS.len());
            let len = self.rng.below(MAX / 2);
            return (
                Step::Create,
                Some(Present {
                    dir,
                    generation,
                    len,
                }),
            );
        };
        match self.rng.below(8) {
            0 => (Step::Atomic, None),
            1 | 2 => {
                let len = self.rng.below(MAX);
                (
                    Step::Atomic,
                    Some(Present {
                        generation,
                        len,
                        ..old
                    }),
                )
            }
            3 => (
                Step::Move,
                Some(Present {
                    dir: 1 - old.dir,
                    ..old
                }),
            ),
            4 if old.len > 0 => (Step::Overwrite, Some(Present { generation, ..old })),
            5 => {
                let len = self.rng.below(old.len + 1);
                (Step::Cut, Some(Present { len, ..old }))
            }
            _ => {
                let len = (old.len + self.rng.below(20_000)).min(MAX);
                (Step::Append, Some(Present { len, ..old }))
            }
        }
    }

    fn perform(
        &mut self,
        id: u16,
        step: Step,
        old: Option<Present>,
        new: Option<Present>,
    ) -> anyhow::Result<()> {
        match (step, old, new) {
            (Step::Create, _, Some(new)) => {
                let mut options = OpenOptions::new();
                options.write(true).create_new(true);
                self.fill(&options, id, new, 0)?;
                self.sync_dir(new.dir)
            }
            (Step::Append, Some(old), Some(new)) => {
                self.fill(OpenOptions::new().write(true), id, new, old.len)
            }
            (Step::Move, Some(old), Some(new)) => {
                fs::rename(self.path(id, old.dir), self.path(id, new.dir))?;
                self.sync_dir(new.dir)?;
                self.sync_dir(old.dir)
            }
            (Step::Overwrite, Some(old), Some(new)) => self.overwrite(id, old, new),
            (Step::Cut, Some(old), Some(new)) => {
                let file = OpenOptions::new()
                    .write(true)
                    .open(self.path(id, old.dir))?;
                file.set_len(new.len)?;
                file.sync_all().context("fsync")
            }
            (Step::Atomic, Some(old), Some(new)) => self.replace(id, old, new),
            (Step::Atomic, Some(old), None) => {
                fs::remove_file(self.path(id, old.dir))?;
                self.sync_dir(old.dir)
            }
            _ => anyhow::bail!("no such step"),
        }
    }

    /// Writes the content from byte `from` on in pieces, then syncs in one of two ways.
    fn fill(
        &mut self,
        options: &OpenOptions,
        id: u16,
        new: Present,
        from: u64,
    ) -> anyhow::Result<()> {
        let file = options.open(self.path(id, new.dir))?;
        let stamp = Stamp {
            id,
            generation: new.generation,
        };
        let mut at = from;
        while at < new.len {
            let n = (1 + self.rng.below(24_000)).min(new.len - at);
            file.write_all_at(&stamp.bytes(at, n as usize), at)?;
            at += n;
        }
        if self.rng.one_in(2) {
            file.sync_data()
        } else {
            file.sync_all()
        }
        .context("fsync")
    }

    /// The way of all careful programs: a new file, synced, renamed over the old one.
    fn replace(&self, id: u16, old: Present, new: Present) -> anyhow::Result<()> {
        let temporary = self.path(id, old.dir).with_extension("new");
        let mut file = File::create(&temporary)?;
        let stamp = Stamp {
            id,
            generation: new.generation,
        };
        std::io::Write::write_all(&mut file, &stamp.bytes(0, new.len as usize))?;
        file.sync_all().context("fsync")?;
        fs::rename(&temporary, self.path(id, new.dir))?;
        self.sync_dir(new.dir)
    }

    /// Half of the time through a mapping, else by write; in place.
    fn overwrite(&mut self, id: u16, old: Present, new: Present) -> anyhow::Result<()> {
        let path = self.path(id, old.dir);
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let bytes = Stamp {
            id,
            generation: new.generation,
        }
        .bytes(0, new.len as usize);
        if self.rng.one_in(2) {
            let map = SharedMap::new(&file, 0, bytes.len())?;
            map.write(0, &bytes);
            return map.sync().context("msync");
        }
        file.write_all_at(&bytes, 0)?;
        file.sync_data().context("fdatasync")
    }
}

/// Files without any promise, so that the log and the caches are busy when the power goes.
fn noise(dir: &Path, mut rng: Rng, end: u64) -> anyhow::Result<()> {
    let dir = dir.join(NOISE);
    while now() < end {
        let id = 1000 + rng.below(40) as u16;
        let path = dir.join(format!("file-{id}"));
        let stamp = Stamp { id, generation: 1 };
        match rng.below(6) {
            0 => drop(fs::remove_file(&path)),
            1 => drop(fs::rename(&path, dir.join(format!("moved-{id}")))),
            2 => drop(fs::remove_file(dir.join(format!("moved-{id}")))),
            _ => {
                let file = OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(&path)?;
                let at = rng.below(MAX);
                let len = 1 + rng.index(20_000);
                file.write_all_at(&stamp.bytes(at, len), at)?;
            }
        }
    }
    Ok(())
}
