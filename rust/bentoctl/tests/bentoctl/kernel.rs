// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A stand-in for the kernel behind the attribute `upgrade` of a mount.
//!
//! The attribute is a pipe that is full. So the write of `bentoctl` waits, as it does in sysfs,
//! until the pipe is read; meanwhile the other attributes change. When `bentoctl` has opened it,
//! inotify tells.

use crate::support::{NEW, Tree};
use core::mem::MaybeUninit;
use core::time::Duration;
use rustix::fs::inotify;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use std::fs::{File, OpenOptions, remove_file};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::thread::{self, JoinHandle};
use std::time::Instant;

const FILLER: u8 = b'.';

/// What an upgrade changes in sysfs.
pub(crate) fn upgraded(tree: &Tree, id: &str, pause: &str) {
    tree.set(id, "build", NEW);
    tree.set(id, "version", "1.1.0");
    tree.set(id, "state", "active");
    tree.set(id, "upgrades", "1");
    tree.set(id, "pause_ns", pause);
    tree.set(
        id,
        "pause_steps",
        "drain 1000\nexport 2000\nimport 3000\nwake 4000",
    );
}

/// Writes to `upgrade` of this mount wait, as long as the pipe is kept and nobody reads it.
pub(crate) fn stall(tree: &Tree, id: &str) -> File {
    let path = tree.path("sys/fs/bentofs").join(id).join("upgrade");
    remove_file(&path).expect("a file is there");
    rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut pipe = OpenOptions::new();
    let pipe = pipe.read(true).write(true).custom_flags(flags).open(&path);
    let mut pipe = pipe.expect("a pipe");
    fill(&mut pipe);
    pipe
}

/// Waits for a write to `upgrade` of this mount, has `effect`, lets the write return, and returns
/// what was written.
pub(crate) fn serve(
    tree: &Tree,
    id: &str,
    effect: impl FnOnce(&Tree) + Send + 'static,
) -> JoinHandle<String> {
    let mut pipe = stall(tree, id);
    let path = tree.path("sys/fs/bentofs").join(id).join("upgrade");
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC).expect("inotify");
    inotify::add_watch(&watch, &path, inotify::WatchFlags::OPEN).expect("inotify");
    let tree = tree.clone();
    thread::spawn(move || {
        let mut space = [MaybeUninit::uninit(); 512];
        inotify::Reader::new(watch, &mut space)
            .next()
            .expect("an event");
        effect(&tree);
        written(&mut pipe)
    })
}

fn fill(pipe: &mut File) {
    loop {
        match pipe.write(&[FILLER; 4096]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            other => other.expect("a pipe"),
        };
    }
}

/// Reads the pipe until something else than the filler has come.
fn written(pipe: &mut File) -> String {
    let give_up = Instant::now() + Duration::from_secs(30);
    let mut text = Vec::new();
    let mut space = [0; 4096];
    loop {
        match pipe.read(&mut space) {
            Ok(length) => {
                let bytes = space.iter().take(length).copied();
                text.extend(bytes.filter(|byte| *byte != FILLER));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if !text.is_empty() {
                    return String::from_utf8(text).expect("UTF-8");
                }
                assert!(Instant::now() < give_up, "nothing was written");
                thread::sleep(Duration::from_millis(2));
            }
            Err(error) => panic!("the pipe: {error}"),
        }
    }
}
