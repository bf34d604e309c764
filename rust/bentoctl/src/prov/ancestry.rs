// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Which processes and files a file came from.
//!
//! A process that writes to a file may have put there whatever it had read until then. So the
//! inputs of a file are all files that its writers read before they had done with it; and so on,
//! for each input as it was when it was read. That is more than what really went in, and never
//! less, but for what no file system sees (pipes, sockets, arguments of a command).

use super::log::Event;
use bento::Timespec;
use prov::record::Kind;
use std::collections::{BTreeMap, BTreeSet};

/// A process, as a writer of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Writer {
    pub(crate) pid: u32,
    pub(crate) comm: String,
    pub(crate) uid: u32,
    /// When it began to write.
    pub(crate) time: Timespec,
    /// What it wrote to.
    pub(crate) output: u64,
    /// What it had read, in the order in which it was read first.
    pub(crate) inputs: Vec<u64>,
}

/// What a file came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ancestry {
    pub(crate) ino: u64,
    /// The writers of the file first, then those of their inputs, and so on.
    pub(crate) writers: Vec<Writer>,
}

impl Ancestry {
    /// All files in it.
    pub(crate) fn inodes(&self) -> impl Iterator<Item = u64> {
        let all = self.writers.iter().flat_map(|writer| &writer.inputs);
        core::iter::once(self.ino).chain(all.copied())
    }
}

/// Traces the file `ino` as it is at the end of `events`.
pub(crate) fn trace(events: &[Event], ino: u64) -> Ancestry {
    let history = History::new(events);
    let mut writers = Vec::new();
    // Each file is traced once; of two moments the first that is met counts, which is the later
    // one for the file that was asked for.
    let mut seen = BTreeSet::from([ino]);
    let mut next = std::collections::VecDeque::from([(ino, events.len())]);
    while let Some((ino, until)) = next.pop_front() {
        for (writer, inputs) in history.writers(ino, until) {
            for (input, read) in inputs {
                if seen.insert(input) {
                    next.push_back((input, read + 1));
                }
            }
            writers.push(writer);
        }
    }
    Ancestry { ino, writers }
}

/// The places of the events that matter, by what is asked.
struct History<'a> {
    events: &'a [Event],
    of_file: BTreeMap<u64, Vec<usize>>,
    reads_of_process: BTreeMap<u32, Vec<usize>>,
}

impl<'a> History<'a> {
    fn new(events: &'a [Event]) -> Self {
        let mut history = Self {
            events,
            of_file: BTreeMap::new(),
            reads_of_process: BTreeMap::new(),
        };
        for (place, event) in events.iter().enumerate() {
            history.of_file.entry(event.ino).or_default().push(place);
            if event.what == Kind::Read {
                let reads = history.reads_of_process.entry(event.pid).or_default();
                reads.push(place);
            }
        }
        history
    }

    /// What happened to a file before `until`, since it was made: its number may have belonged to
    /// another one before.
    fn life(&self, ino: u64, until: usize) -> impl DoubleEndedIterator<Item = (usize, &'a Event)> {
        let places = self
            .of_file
            .get(&ino)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let end = places.partition_point(|place| *place < until);
        let events = self.events;
        let at = move |place: &usize| events.get(*place).map(|event| (*place, event));
        let birth = places.iter().take(end).filter_map(at);
        let birth = birth
            .filter(|(_, event)| event.what == Kind::Create)
            .map(|(place, _)| place)
            .next_back()
            .unwrap_or(0);
        let life = places.iter().take(end).filter_map(at);
        life.filter(move |(place, _)| *place >= birth)
    }

    /// Who wrote to a file before `until`, each with what it had read by then: inode and place of
    /// the last read.
    fn writers(&self, ino: u64, until: usize) -> Vec<(Writer, BTreeMap<u64, usize>)> {
        let mut writers: Vec<(Writer, usize)> = Vec::new();
        for (place, event) in self.life(ino, until) {
            if event.what != Kind::Write {
                continue;
            }
            match writers.iter_mut().find(|(known, _)| known.pid == event.pid) {
                Some((_, last)) => *last = place,
                None => writers.push((Writer::new(event), place)),
            }
        }
        let with_inputs = |(mut writer, last): (Writer, usize)| {
            let inputs = self.inputs(&mut writer, self.closed(ino, last, until));
            (writer, inputs)
        };
        writers.into_iter().map(with_inputs).collect()
    }

    /// When a file that was written to was closed: until then its writer may have gone on.
    fn closed(&self, ino: u64, written: usize, until: usize) -> usize {
        let mut life = self.life(ino, until);
        let closed = life.find(|(place, event)| *place > written && event.what == Kind::Close);
        closed.map_or(until, |(place, _)| place)
    }

    fn inputs(&self, writer: &mut Writer, until: usize) -> BTreeMap<u64, usize> {
        let mut inputs = BTreeMap::new();
        let reads = self.reads_of_process.get(&writer.pid);
        for place in reads.into_iter().flatten().take_while(|at| **at < until) {
            let Some(event) = self.events.get(*place) else {
                continue;
            };
            if event.ino != writer.output && inputs.insert(event.ino, *place).is_none() {
                writer.inputs.push(event.ino);
            }
        }
        inputs
    }
}

impl Writer {
    fn new(event: &Event) -> Self {
        Self {
            pid: event.pid,
            comm: event.comm.clone(),
            uid: event.uid,
            time: event.time,
            output: event.ino,
            inputs: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::trace;
    use crate::prov::log::tests::event;
    use prov::record::Kind::{Close, Create, Read, Write};

    fn told(events: &[(prov::record::Kind, u32, u64)], ino: u64) -> Vec<(u32, u64, Vec<u64>)> {
        let events: Vec<_> = (events.iter()).map(|(w, p, i)| event(*w, *p, *i)).collect();
        let writers = trace(&events, ino).writers.into_iter();
        writers.map(|w| (w.pid, w.output, w.inputs)).collect()
    }

    #[test]
    fn a_file_came_from_what_its_writer_had_read() {
        let log = [
            (Read, 7, 10),
            (Create, 7, 30),
            (Write, 7, 30),
            (Read, 7, 11),
            (Close, 7, 30),
            (Read, 7, 12),
            (Read, 8, 13),
        ];
        assert_eq!(told(&log, 30), [(7, 30, vec![10, 11])]);
        assert_eq!(told(&log, 10), []);
    }

    #[test]
    fn inputs_are_traced_as_they_were_when_they_were_read() {
        let log = [
            (Read, 1, 10),
            (Write, 1, 20),
            (Close, 1, 20),
            (Read, 2, 20),
            (Write, 2, 30),
            (Close, 2, 30),
            // Later: no part of 30.
            (Read, 3, 11),
            (Write, 3, 20),
        ];
        let expected = [(2, 30, vec![20]), (1, 20, vec![10])];
        assert_eq!(told(&log, 30), expected);
        assert_eq!(told(&log, 20), [(1, 20, vec![10]), (3, 20, vec![11])]);
    }

    #[test]
    fn a_number_that_is_used_again_is_another_file() {
        let log = [
            (Read, 1, 10),
            (Write, 1, 30),
            (Create, 2, 30),
            (Read, 2, 11),
            (Write, 2, 30),
        ];
        assert_eq!(told(&log, 30), [(2, 30, vec![11])]);
    }

    #[test]
    fn files_that_feed_each_other_do_not_go_on_for_ever() {
        let log = [(Read, 1, 10), (Write, 1, 20), (Read, 1, 20), (Write, 1, 10)];
        assert_eq!(told(&log, 10), [(1, 10, vec![20]), (1, 20, vec![10])]);
    }
}
