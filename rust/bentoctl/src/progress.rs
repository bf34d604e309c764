// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is going on while mounts are upgraded, on stderr.

use crate::host::read_if_there;
use crate::mounts::Mount;
use crate::output::duration;
use crate::summary::line;
use crate::switch::{Move, Outcome};
use core::time::Duration;
use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Instant;

/// How often the state is looked at.
const INTERVAL: Duration = Duration::from_millis(100);

/// Where progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// One line that is written again and again.
    Terminal,
    /// A line for each step.
    Lines,
    Nowhere,
}

/// Shows how far an upgrade is.
#[derive(Debug)]
pub(crate) struct Progress {
    place: Place,
    total: usize,
}

impl Progress {
    pub(crate) fn new(watch: bool, total: usize) -> Self {
        let place = if watch {
            Place::Lines
        } else if std::io::stderr().is_terminal() {
            Place::Terminal
        } else {
            Place::Nowhere
        };
        Self { place, total }
    }

    /// A mount's turn has come; `number` counts from 0.
    pub(crate) fn start(&self, number: usize, what: &Move) {
        let (mount, to) = (&what.mount, &what.to);
        let text = format!(
            "[{}/{}] {}: {} {} -> {}",
            number + 1,
            self.total,
            mount.name(),
            mount.fs,
            mount.version,
            to.version
        );
        self.show(&text);
    }

    /// Runs `work`, which writes to the kernel and returns when that is done; shows the state of
    /// the mount meanwhile.
    pub(crate) fn during<T: Send>(&self, mount: &Mount, work: impl FnOnce() -> T + Send) -> T {
        if self.place == Place::Nowhere {
            return work();
        }
        let began = Instant::now();
        let (done, wait) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                let path = mount.folder.join("state");
                let mut seen = mount.state.clone();
                while let Err(RecvTimeoutError::Timeout) = wait.recv_timeout(INTERVAL) {
                    let state = read_if_there(&path).ok().flatten();
                    let state = state.unwrap_or_else(|| "unknown".to_owned());
                    let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    if self.place == Place::Terminal || state != seen {
                        self.show(&format!("{}: {state}, {}", mount.name(), duration(nanos)));
                    }
                    seen = state;
                }
            });
            let result = work();
            // Its end tells the watcher to go.
            drop(done);
            result
        })
    }

    /// What became of the mount.
    pub(crate) fn end(&self, outcome: &Outcome) {
        match self.place {
            Place::Lines => {
                let mut text = line(outcome, "upgraded");
                if let Some(steps) = outcome.pause_steps_ns {
                    text.push_str(&format!(
                        " (drain {}, export {}, import {}, wake {})",
                        duration(steps.drain),
                        duration(steps.export),
                        duration(steps.import),
                        duration(steps.wake)
                    ));
                }
                self.show(&text);
            }
            Place::Terminal => self.show(""),
            Place::Nowhere => {}
        }
    }

    fn show(&self, text: &str) {
        let mut err = std::io::stderr().lock();
        // Progress that cannot be shown must not stop an upgrade.
        let _shown = match self.place {
            Place::Terminal => write!(err, "\r\x1b[K{text}").and_then(|()| err.flush()),
            Place::Lines => writeln!(err, "{text}"),
            Place::Nowhere => Ok(()),
        };
    }
}
