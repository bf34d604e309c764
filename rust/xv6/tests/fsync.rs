// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What fsync costs: a file that is durable already is not written again.

mod host;

use bento::FileSystem;
use bento_sim::{Fault, FaultDisk, MemDisk};
use host::{Host, formatted};

type Counted = Host<FaultDisk<MemDisk>>;

fn mounted() -> Counted {
    let host = Host::mount(FaultDisk::new(formatted(1024))).expect("mounts");
    for name in ["f", "g"] {
        host.create(name).expect("create");
        host.write(name, 0, b"some data").expect("write");
    }
    host
}

/// The writes and flushes that the device was asked for by an fsync of `path`.
fn cost(host: &Counted, path: &str) -> (u64, u64) {
    let node = host.open(path).expect("open");
    let count = |fault| host.dev.count(fault);
    let before = (count(Fault::Write), count(Fault::Flush));
    host.fs.fsync(&host.req(), &node, false).expect("fsync");
    (
        count(Fault::Write) - before.0,
        count(Fault::Flush) - before.1,
    )
}

/// A flush is left to the device, which knows whether anything was written since the last one.
#[test]
fn a_durable_file_is_not_written_again_whatever_else_has_changed() {
    let host = mounted();
    let (writes, _) = cost(&host, "f");
    assert!(writes > 0, "the log had to be written");
    assert_eq!(cost(&host, "f"), (0, 1));
    assert_eq!(cost(&host, "g"), (0, 1), "was in the same transaction");
    host.write("g", 20_000, b"more").expect("write");
    assert_eq!(cost(&host, "f"), (0, 1), "only the other file has changed");
    let (writes, _) = cost(&host, "g");
    assert!(writes > 0, "this one has changed");
    assert_eq!(cost(&host, "g"), (0, 1));
}

#[test]
fn a_file_that_was_loaded_after_its_last_change_is_durable_with_the_rest() {
    let host = mounted();
    host.fs.sync(&host.req()).expect("sync");
    let host = Host::around(host.fs, host.dev);
    host.open("f").expect("load");
    host.write("g", 20_000, b"more").expect("write");
    assert_eq!(cost(&host, "f"), (0, 1), "unchanged since it was loaded");
    // Loaded while its last change is in memory only: that must be made durable.
    let host = Host::around(host.fs, host.dev);
    let (writes, _) = cost(&host, "g");
    assert!(writes > 0, "its change was not durable");
}
