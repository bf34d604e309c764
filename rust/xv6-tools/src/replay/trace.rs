// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The text of a trace: `bentofs:op_enter` and `bentofs:op_exit` as tracefs prints them.
//!
//! ```text
//!   touch-123     [000] .....    12.345678: op_enter: 254:16 create ino=1 a=33188 b=0 c=0 name=x name2=
//!   touch-123     [000] .....    12.345690: op_exit: 254:16 create result=0 made=5
//! ```
//! The columns before the time are not looked at, but for the task that the first one names.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;

/// A call: what was asked, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The line of the trace in which it ended.
    pub(crate) line: usize,
    pub(crate) op: String,
    pub(crate) ino: u64,
    pub(crate) a: u64,
    pub(crate) b: u64,
    pub(crate) c: u64,
    pub(crate) name: Vec<u8>,
    pub(crate) name2: Vec<u8>,
    pub(crate) result: i32,
    pub(crate) made: u64,
    /// Since the boot of the traced machine, in nanoseconds.
    pub(crate) time: u64,
}

/// All calls of a trace in the order in which they ended: what one could see of another had ended
/// when it began. A trace of two mounts is refused, and so is one that has lost events.
pub(crate) fn read(text: &str) -> Result<Vec<Call>> {
    let mut begun: BTreeMap<&str, Vec<Call>> = BTreeMap::new();
    let (mut calls, mut device) = (Vec::new(), None);
    for (number, line) in (1..).zip(text.lines()) {
        if line.contains("LOST") && line.contains("EVENTS") {
            bail!("line {number}: the tracer lost events; give it larger buffers (buffer_size_kb)");
        }
        let Some(event) = Event::parse(line).with_context(|| format!("line {number}"))? else {
            continue;
        };
        if *device.get_or_insert(event.device) != event.device {
            bail!(
                "line {number}: a second mount, {}; trace one (or filter lines)",
                event.device
            );
        }
        let stack = begun.entry(event.task).or_default();
        match event.kind {
            "op_enter" => stack.push(event.call(number)?),
            _ => {
                // A call that began before the trace did is not known.
                let Some(mut call) = stack.pop_if(|call| call.op == event.op) else {
                    continue;
                };
                call.line = number;
                call.result = event.number("result")?;
                call.made = event.number("made")?;
                calls.push(call);
            }
        }
    }
    Ok(calls)
}

struct Event<'a> {
    task: &'a str,
    time: u64,
    kind: &'a str,
    device: &'a str,
    op: &'a str,
    fields: BTreeMap<&'a str, &'a str>,
}

impl<'a> Event<'a> {
    /// `None` for comments and other events.
    fn parse(line: &'a str) -> Result<Option<Self>> {
        let kinds = ["op_enter", "op_exit"];
        let found = kinds.into_iter().find_map(|kind| {
            let (head, rest) = line.split_once(&format!(": {kind}: "))?;
            Some((head, kind, rest))
        });
        let Some((head, kind, rest)) = found else {
            return Ok(None);
        };
        let mut words = rest.split_whitespace();
        let (Some(device), Some(op)) = (words.next(), words.next()) else {
            bail!("no operation");
        };
        // The name of a task may have spaces; the column of the processor follows it.
        let (task, _) = head.split_once(" [").context("no task")?;
        let clock = head.split_whitespace().next_back().context("no time")?;
        Ok(Some(Self {
            task: task.trim(),
            time: nanoseconds(clock).context("no time")?,
            kind,
            device,
            op,
            fields: words.filter_map(|word| word.split_once('=')).collect(),
        }))
    }

    fn field(&self, name: &str) -> Result<&'a str> {
        self.fields
            .get(name)
            .copied()
            .with_context(|| format!("no {name}"))
    }

    fn number<T: core::str::FromStr>(&self, name: &str) -> Result<T> {
        self.field(name)?
            .parse()
            .ok()
            .with_context(|| format!("{name} is no number"))
    }

    fn call(&self, line: usize) -> Result<Call> {
        Ok(Call {
            line,
            op: self.op.to_owned(),
            ino: self.number("ino")?,
            a: self.number("a")?,
            b: self.number("b")?,
            c: self.number("c")?,
            name: unescape(self.field("name")?),
            name2: unescape(self.field("name2")?),
            result: 0,
            made: 0,
            time: self.time,
        })
    }
}

/// Seconds with a fraction, as the tracer and `setattr` write them.
pub(crate) fn nanoseconds(clock: &str) -> Option<u64> {
    let (seconds, fraction) = clock.split_once('.')?;
    let digits = u32::try_from(fraction.len())
        .ok()
        .filter(|digits| *digits <= 9)?;
    let fraction: u64 = fraction.parse().ok()?;
    let seconds: u64 = seconds.parse().ok()?;
    Some(seconds * 1_000_000_000 + fraction * 10_u64.pow(9 - digits))
}

/// A backslash and three octal digits stand for a byte.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = (*first == b'\\')
            .then(|| tail.split_first_chunk::<3>())
            .flatten();
        let byte = escaped.and_then(|(digits, tail)| {
            let digits = core::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 8).ok()?, tail))
        });
        let (byte, tail) = byte.unwrap_or((*first, tail));
        bytes.push(byte);
        rest = tail;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{nanoseconds, read};

    const HEAD: &str = "# tracer: nop\n";
    const ENTER: &str = "  my task-12 [001] ..... 7.000001: op_enter: 254:16 create ino=1 a=2 b=3 c=4 \
                         name=two\\040words name2=\n";
    const INNER: &str = "  my task-12 [001] ..... 7.000002: op_enter: 254:16 forget ino=9 a=0 b=0 c=0 \
                         name= name2=\n  my task-12 [000] ..... 7.000003: op_exit: 254:16 forget \
                         result=-11 made=0\n";
    const EXIT: &str =
        "  my task-12 [001] ..... 7.000004: op_exit: 254:16 create result=0 made=5\n";

    #[test]
    fn calls_are_told_in_the_order_in_which_they_end() {
        let calls = read(&[HEAD, ENTER, INNER, EXIT, EXIT].concat()).expect("a trace");
        let seen: Vec<_> = calls
            .iter()
            .map(|c| (c.op.as_str(), c.result, c.made))
            .collect();
        assert_eq!(seen, [("forget", -11, 0), ("create", 0, 5)]);
        let create = &calls[1];
        assert_eq!((create.ino, create.a, create.b, create.c), (1, 2, 3, 4));
        assert_eq!(
            (create.name.as_slice(), create.line),
            (&b"two words"[..], 5)
        );
        assert_eq!(create.time, 7_000_001_000);
    }

    #[test]
    fn what_cannot_be_replayed_as_a_whole_is_refused() {
        let other = ENTER.replace("254:16", "254:32");
        assert!(read(&[ENTER, EXIT, &other].concat()).is_err());
        assert!(read(&[ENTER, "CPU:1 [LOST 5 EVENTS]\n", EXIT].concat()).is_err());
        assert!(read(&ENTER.replace("a=2", "a=x")).is_err());
    }

    #[test]
    fn fractions_have_any_number_of_digits() {
        assert_eq!(nanoseconds("1.5"), Some(1_500_000_000));
        assert_eq!(nanoseconds("1.000000007"), Some(1_000_000_007));
        assert_eq!(nanoseconds("1"), None);
    }
}
