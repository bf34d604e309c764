// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `--drain-ms`: the attribute `drain_ms` of a mount for as long as one upgrade takes.
//!
//! It gets its value back also where a signal ends this program in the middle: an upgrade may wait
//! for minutes, and Ctrl-C is what one does then.

use crate::failure::{Failure, Result};
use crate::host::write;
use crate::mounts::Mount;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// An attribute and the value that it had.
#[derive(Debug)]
struct Changed {
    path: PathBuf,
    before: u64,
}

impl Changed {
    fn undo(&self) {
        // The mount may be gone by now, and its attribute with it.
        let _restored = write(&self.path, &self.before.to_string());
    }
}

/// How long upgrades may wait for running operations.
#[derive(Debug)]
pub(crate) struct Patience {
    drain_ms: Option<u32>,
    changed: Arc<Mutex<Option<Changed>>>,
}

impl Patience {
    /// From now on a signal that ends this program undoes first what [`during`](Self::during) has
    /// changed.
    pub(crate) fn new(drain_ms: Option<u32>) -> Result<Self> {
        let changed = Arc::default();
        if drain_ms.is_some() {
            let signals = Signals::new([SIGHUP, SIGINT, SIGTERM]);
            let signals = signals.map_err(|error| Failure::io("signals", &error))?;
            watch(signals, Arc::clone(&changed));
        }
        Ok(Self { drain_ms, changed })
    }

    /// Runs `work`, which upgrades a mount, with the patience that was asked for.
    pub(crate) fn during<T>(&self, mount: &Mount, work: impl FnOnce() -> T) -> Result<T> {
        let Some(ms) = self.drain_ms else {
            return Ok(work());
        };
        self.set(mount, ms)?;
        let result = work();
        if let Some(changed) = lock(&self.changed).take() {
            changed.undo();
        }
        Ok(result)
    }

    fn set(&self, mount: &Mount, ms: u32) -> Result {
        let path = mount.folder.join("drain_ms");
        // Locked until it is written, so that no signal comes between.
        let mut changed = lock(&self.changed);
        write(&path, &ms.to_string()).map_err(|error| Failure::io(path.display(), &error))?;
        *changed = mount.drain_ms.map(|before| Changed { path, before });
        Ok(())
    }
}

/// A thread that lives as long as this program: handlers cannot be given back.
fn watch(mut signals: Signals, changed: Arc<Mutex<Option<Changed>>>) {
    thread::spawn(move || {
        for signal in &mut signals {
            let changed = lock(&changed);
            if let Some(changed) = changed.as_ref() {
                changed.undo();
            }
            // As if nobody had asked: whoever started this program sees what ended it.
            let _ended = emulate_default_handler(signal);
        }
    });
}

fn lock(changed: &Mutex<Option<Changed>>) -> std::sync::MutexGuard<'_, Option<Changed>> {
    changed.lock().unwrap_or_else(PoisonError::into_inner)
}
