// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Loops like those of servers. One operation is one step: a whole file written, read, appended
//! to, or deleted, with what belongs to it.

use super::Size;
use super::meter::Meter;
use crate::rng::Rng;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread;

const KIB: usize = 1024;

pub(super) fn run(meter: &Meter, dir: &Path, size: Size) -> anyhow::Result<()> {
    let rounds = size.pick(20, 40, 120);
    let jobs: [(&str, usize, usize, Loop); 4] = [
        ("varmail_t1", 1, rounds, varmail),
        // Who commits for whom is up to the scheduler: so many that it does not matter.
        ("varmail_t16", 16, rounds.div_ceil(4), varmail),
        ("fileserver_t1", 1, rounds, fileserver),
        ("webserver_t1", 1, rounds, webserver),
    ];
    for (name, threads, rounds, work) in jobs {
        if meter.wants(&[name]) {
            let steps = threads * rounds * STEPS;
            let mut number = 0;
            let sets = || {
                number += 1;
                let inside = dir.join(format!("{name}-{number}"));
                fs::create_dir(&inside)?;
                let sets = (0..threads)
                    .map(|t| Set::make(&inside.join(t.to_string()), t))
                    .collect::<anyhow::Result<Vec<_>>>()?;
                meter.settle()?;
                Ok(sets)
            };
            meter.rounds(name, steps, sets, |sets| in_threads(sets, rounds, work))?;
        }
    }
    Ok(())
}

/// One round of a loop does this many steps.
const STEPS: usize = 4;
type Loop = fn(&mut Set) -> anyhow::Result<()>;

fn in_threads(sets: Vec<Set>, rounds: usize, work: Loop) -> anyhow::Result<()> {
    let run = move |mut set: Set| (0..rounds).try_for_each(|_| work(&mut set));
    let threads: Vec<_> = sets
        .into_iter()
        .map(|set| thread::spawn(move || run(set)))
        .collect();
    for thread in threads {
        thread
            .join()
            .map_err(|_| anyhow::anyhow!("a thread panicked"))??;
    }
    Ok(())
}

/// The files of one thread, all of 16 KiB at first.
struct Set {
    dir: PathBuf,
    rng: Rng,
    oldest: usize,
    next: usize,
    buf: Vec<u8>,
}

impl Set {
    fn make(dir: &Path, seed: usize) -> anyhow::Result<Self> {
        fs::create_dir(dir)?;
        let mut set = Self {
            dir: dir.to_owned(),
            rng: Rng::new(seed as u64),
            oldest: 0,
            next: 0,
            buf: vec![0x42; 256 * KIB],
        };
        for _ in 0..20 {
            set.create(16 * KIB)?;
        }
        Ok(set)
    }

    fn path(&self, number: usize) -> PathBuf {
        self.dir.join(format!("file{number:05}"))
    }

    fn some(&mut self) -> PathBuf {
        let number = self.oldest + self.rng.index(self.next - self.oldest);
        self.path(number)
    }

    fn create(&mut self, len: usize) -> anyhow::Result<File> {
        let mut file = File::create_new(self.path(self.next))?;
        self.next += 1;
        file.write_all(&self.buf[..len])?;
        Ok(file)
    }

    fn append(&mut self, len: usize) -> anyhow::Result<File> {
        let mut file = OpenOptions::new().append(true).open(self.some())?;
        file.write_all(&self.buf[..len])?;
        Ok(file)
    }

    fn read(&mut self) -> anyhow::Result<()> {
        let mut file = File::open(self.some())?;
        while file.read(&mut self.buf)? > 0 {}
        Ok(())
    }

    fn delete(&mut self) -> anyhow::Result<()> {
        fs::remove_file(self.path(self.oldest))?;
        self.oldest += 1;
        Ok(())
    }
}

/// A mail arrives, one is answered, one is read, one goes; what is written is on the disk.
fn varmail(set: &mut Set) -> anyhow::Result<()> {
    set.delete()?;
    set.create(16 * KIB)?.sync_all()?;
    set.append(16 * KIB)?.sync_all()?;
    set.read()
}

/// A file comes, one grows, one is read, one goes; nothing waits for the disk.
fn fileserver(set: &mut Set) -> anyhow::Result<()> {
    set.create(128 * KIB)?;
    set.append(16 * KIB)?;
    set.read()?;
    set.delete()
}

/// Three pages are read, and a line goes to the log.
fn webserver(set: &mut Set) -> anyhow::Result<()> {
    for _ in 1..STEPS {
        set.read()?;
    }
    let path = set.dir.join("log");
    let mut log = OpenOptions::new().append(true).create(true).open(path)?;
    log.write_all(&set.buf[..8 * KIB])?;
    Ok(())
}
