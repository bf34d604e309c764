// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What may be on the disk: the state of a file that was promised, and a step towards another.

use core::fmt;
use core::str::FromStr;

/// A file as it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// `None`: it does not exist.
    pub(super) file: Option<Present>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Present {
    /// Index into [`super::DIRS`].
    pub(super) dir: usize,
    pub(super) generation: u16,
    pub(super) len: u64,
}

/// How a step gets from the promised state to the next one; it decides what a power cut in the
/// middle may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A new file is written and synced: before, absent or any beginning of it.
    Create,
    /// Bytes are added: any length between.
    Append,
    /// Another file is renamed over it, or it is removed: old or new, nothing between.
    Atomic,
    /// It is cut: old or new, or old with the rest of the block at the cut zeroed.
    Cut,
    /// It is renamed to the other directory: it exists exactly once.
    Move,
    /// It is written in place, through a mapping: each word is old or new.
    Overwrite,
}

const STEPS: [(&str, Step); 6] = [
    ("create", Step::Create),
    ("append", Step::Append),
    ("atomic", Step::Atomic),
    ("cut", Step::Cut),
    ("move", Step::Move),
    ("overwrite", Step::Overwrite),
];

/// A line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// File `id` is about to get `target`.
    Intent { id: u16, step: Step, target: State },
    /// The step of file `id` is done and synced.
    Done { id: u16 },
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done { id } => write!(f, "done {id}"),
            Self::Intent { id, step, target } => {
                let (name, _) = STEPS.iter().find(|(_, s)| s == step).ok_or(fmt::Error)?;
                match target.file {
                    None => write!(f, "{name} {id} absent"),
                    Some(p) => write!(f, "{name} {id} {} {} {}", p.dir, p.generation, p.len),
                }
            }
        }
    }
}

impl FromStr for Record {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> anyhow::Result<Self> {
        let parse = || -> Option<Self> {
            let mut words = line.split(' ');
            let kind = words.next()?;
            let id = words.next()?.parse().ok()?;
            if kind == "done" {
                return Some(Self::Done { id });
            }
            let &(_, step) = STEPS.iter().find(|(name, _)| *name == kind)?;
            let first = words.next()?;
            let file = if first == "absent" {
                None
            } else {
                Some(Present {
                    dir: first.parse().ok()?,
                    generation: words.next()?.parse().ok()?,
                    len: words.next()?.parse().ok()?,
                })
            };
            let target = State { file };
            Some(Self::Intent { id, step, target })
        };
        parse().ok_or_else(|| anyhow::anyhow!("the log has a line '{line}'"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Present, Record, STEPS, State};

    #[test]
    fn records_survive_their_text() {
        let present = Present {
            dir: 1,
            generation: 9,
            len: 70_000,
        };
        for (_, step) in STEPS {
            for file in [None, Some(present)] {
                let target = State { file };
                let record = Record::Intent {
                    id: 4,
                    step,
                    target,
                };
                let read: Record = record.to_string().parse().expect("its own text");
                assert_eq!(read, record);
            }
        }
        assert!("create 4 0 x 3".parse::<Record>().is_err());
        assert!("".parse::<Record>().is_err());
    }
}
