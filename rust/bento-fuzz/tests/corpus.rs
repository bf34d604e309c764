// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Each kept input finds nothing (any more), in memory of a bounded size.

use bento_fuzz::{TARGETS, corpus};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::panic::catch_unwind;

/// Address space of the whole test, in bytes: images have 1 MB, so a length from the disk that is
/// believed does not fit.
const MEMORY: u64 = 4 << 30;

fn run(name: &str) {
    let (_, target) = TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a target");
    let limit = Rlimit {
        current: Some(MEMORY),
        ..getrlimit(Resource::As)
    };
    setrlimit(Resource::As, limit).expect("less memory is always granted");
    let inputs = corpus::read(name).expect("corpus/");
    assert!(inputs.len() >= 20, "only {} inputs are kept", inputs.len());
    for input in inputs.keys() {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        let result = catch_unwind(|| target(input));
        assert!(result.is_ok(), "{name}: {hex} found something, see above");
    }
}

#[test]
fn image() {
    run("image");
}

#[test]
fn directory() {
    run("directory");
}

#[test]
fn extents() {
    run("extents");
}

#[test]
fn journal() {
    run("journal");
}

#[test]
fn state() {
    run("state");
}

#[test]
fn records() {
    run("records");
}
