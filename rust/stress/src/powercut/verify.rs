// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The judge after the power cut.

use super::state::{Present, Record, State, Step};
use super::{DIRS, NOISE, log};
use crate::stamp::{Stamp, difference, foreign};
use anyhow::{Context, bail, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// One file: what was promised, and the step that was under way.
#[derive(Clone, Copy, Debug, Default)]
struct Expected {
    promised: State,
    underway: Option<(Step, State)>,
}

pub(super) fn run(dir: &Path, log: &Path, at_least: usize) -> anyhow::Result<()> {
    let records = log::read(log)?;
    let (files, promises) = replay(&records)?;
    ensure!(
        promises >= at_least,
        "the log has {promises} promises, {at_least} are needed to prove something"
    );
    let mut wrong = Vec::new();
    for (&id, expected) in &files {
        if let Err(error) = judge(dir, id, expected) {
            wrong.push(format!("file {id} ({expected:?}): {error:#}"));
        }
    }
    let noise = strangers(&dir.join(NOISE), &mut wrong)?;
    for line in wrong.iter().take(20) {
        println!("powercut: {line}");
    }
    let underway = files
        .values()
        .filter(|file| file.underway.is_some())
        .count();
    println!(
        "powercut: {promises} promises on {} files, {underway} steps under way, {noise} other files: {} wrong",
        files.len(),
        wrong.len()
    );
    ensure!(
        wrong.is_empty(),
        "{} files are not what was promised",
        wrong.len()
    );
    Ok(())
}

fn replay(records: &[Record]) -> anyhow::Result<(BTreeMap<u16, Expected>, usize)> {
    let mut files: BTreeMap<u16, Expected> = BTreeMap::new();
    let mut promises = 0;
    for record in records {
        match *record {
            Record::Intent { id, step, target } => {
                let file = files.entry(id).or_default();
                ensure!(
                    file.underway.is_none(),
                    "two steps of file {id} at once in the log"
                );
                file.underway = Some((step, target));
            }
            Record::Done { id } => {
                let file = files.entry(id).or_default();
                let (_, target) = file
                    .underway
                    .take()
                    .context("done without intent in the log")?;
                file.promised = target;
                promises += 1;
            }
        }
    }
    Ok((files, promises))
}

fn read(dir: &Path, id: u16) -> anyhow::Result<[Option<Vec<u8>>; 2]> {
    let one = |name: &str| match fs::read(dir.join(name).join(format!("file-{id}"))) {
        Ok(data) => Ok(Some(data)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    Ok([one(DIRS[0])?, one(DIRS[1])?])
}

fn judge(dir: &Path, id: u16, expected: &Expected) -> anyhow::Result<()> {
    let found = read(dir, id)?;
    let Err(against_promise) = exactly(&found, id, expected.promised) else {
        return Ok(());
    };
    let Some((step, target)) = expected.underway else {
        return Err(against_promise);
    };
    let Err(against_target) = exactly(&found, id, target) else {
        return Ok(());
    };
    match (step, expected.promised.file, target.file) {
        (Step::Create, None, Some(new)) => between(&found, id, new, 0, new.len),
        (Step::Append, Some(old), Some(new)) => between(&found, id, new, old.len, new.len),
        (Step::Overwrite, Some(old), Some(new)) => mixed(&found, id, old, new),
        (Step::Cut, Some(old), Some(new)) => cut(&found, id, old, new.len),
        _ => bail!("neither old ({against_promise:#}) nor new ({against_target:#})"),
    }
}

/// The file is in this state and no other.
fn exactly(found: &[Option<Vec<u8>>; 2], id: u16, state: State) -> anyhow::Result<()> {
    for (dir, data) in found.iter().enumerate() {
        let here = state.file.filter(|file| file.dir == dir);
        match (here, data) {
            (None, None) => {}
            (None, Some(_)) => bail!("exists in {}", DIRS[dir]),
            (Some(_), None) => bail!("is missing in {}", DIRS[dir]),
            (Some(file), Some(data)) => {
                let stamp = Stamp {
                    id,
                    generation: file.generation,
                };
                if let Some(text) = difference(data, &stamp.bytes(0, file.len as usize), 0) {
                    bail!("{text}");
                }
            }
        }
    }
    Ok(())
}

fn only(found: &[Option<Vec<u8>>; 2], dir: usize) -> anyhow::Result<&[u8]> {
    ensure!(found[1 - dir].is_none(), "exists in {}", DIRS[1 - dir]);
    let data = found[dir].as_deref();
    data.with_context(|| format!("is missing in {}", DIRS[dir]))
}

/// A beginning of the new content that is not shorter than the old one. A file that was only
/// just created may also be empty.
fn between(
    found: &[Option<Vec<u8>>; 2],
    id: u16,
    new: Present,
    least: u64,
    most: u64,
) -> anyhow::Result<()> {
    let data = only(found, new.dir)?;
    let len = data.len() as u64;
    ensure!(
        (least..=most).contains(&len),
        "has {len} bytes, expected {least} to {most}"
    );
    match foreign(data, 0, id, &[new.generation], false) {
        Some(text) => bail!("{text}"),
        None => Ok(()),
    }
}

/// Old or new, byte by byte.
fn mixed(found: &[Option<Vec<u8>>; 2], id: u16, old: Present, new: Present) -> anyhow::Result<()> {
    let data = only(found, new.dir)?;
    ensure!(
        data.len() as u64 == new.len,
        "has {} bytes, expected {}",
        data.len(),
        new.len
    );
    match foreign(data, 0, id, &[old.generation, new.generation], false) {
        Some(text) => bail!("{text}"),
        None => Ok(()),
    }
}

/// Still of the old length, but the rest of the last block to keep is zero already: its zeros go to
/// the disk before the new size does.
fn cut(found: &[Option<Vec<u8>>; 2], id: u16, old: Present, len: u64) -> anyhow::Result<()> {
    let data = only(found, old.dir)?;
    ensure!(
        data.len() as u64 == old.len,
        "has {} bytes, expected {}",
        data.len(),
        old.len
    );
    let end = len.next_multiple_of(4096).min(old.len);
    let generations = [old.generation];
    let mut from = 0;
    for (to, zeros) in [(len, false), (end, true), (old.len, false)] {
        let part = data
            .get(from as usize..to as usize)
            .context("no such part")?;
        if let Some(text) = foreign(part, from, id, &generations, zeros) {
            bail!("{text}");
        }
        from = to;
    }
    Ok(())
}

/// Files without a promise may have any length, but never content of others.
fn strangers(dir: &Path, wrong: &mut Vec<String>) -> anyhow::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let id = name.rsplit('-').next().and_then(|id| id.parse().ok());
        let id = id.with_context(|| format!("{name} was never made"))?;
        if let Some(text) = foreign(&fs::read(&path)?, 0, id, &[], true) {
            wrong.push(format!("{name}: {text}"));
        }
        count += 1;
    }
    Ok(count)
}
