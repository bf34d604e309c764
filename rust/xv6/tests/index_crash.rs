// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Power cuts and faults around every change of the shape of an index: when it comes, splits,
//! merges, goes.

mod sim;

use bento::{FileSystem, InodeNo};
use bento_sim::{Host, Limits, MemDisk, Nodes, Op, Setting, Target, Workload, explore};
use sim::{SimXv6, setting};
use xv6::Xv6;

fn roomy() -> Setting {
    Setting {
        blocks: 256,
        limits: Limits::few(),
        ..setting()
    }
}

/// A name of 8 bytes: 255 of them fill a block of a directory.
fn name(number: u32) -> String {
    format!("d/{number:08}")
}

fn link(number: u32) -> Op {
    Op::Link("f".into(), name(number))
}

/// A directory that has held the names below `added`, and has lost those below `removed`.
fn filled(added: u32, removed: u32) -> Vec<Op> {
    let start = [Op::Create("f".into()), Op::Mkdir("d".into())];
    let links = (0..added).map(link);
    let unlinks = (0..removed).map(|number| Op::Unlink(name(number)));
    start.into_iter().chain(links).chain(unlinks).collect()
}

fn survive(setup: Vec<Op>, ops: Vec<Op>) -> usize {
    let workload = Workload { setup, ops };
    let tried = explore::crashes::<SimXv6>(&workload, &roomy());
    let tried = tried.unwrap_or_else(|why| panic!("{why}"));
    let struck = explore::faults::<SimXv6>(&workload, &roomy());
    let struck = struck.unwrap_or_else(|why| panic!("{why}"));
    println!("{} crashes, {struck} faults", tried.crashes);
    assert!(struck > 10);
    tried.crashes
}

#[test]
fn the_coming_of_an_index_survives() {
    let crashes = survive(
        filled(254, 0),
        vec![
            link(254),
            Op::Sync,
            link(255),
            Op::Sync,
            link(256),
            Op::Sync,
        ],
    );
    assert!(crashes > 20, "{crashes}");
}

#[test]
fn a_split_survives() {
    let rename = Op::rename(&name(7), "d/another-name");
    let crashes = survive(
        filled(509, 0),
        vec![
            link(509),
            Op::Sync,
            rename,
            link(510),
            Op::Sync,
            Op::Unlink(name(3)),
            Op::Sync,
        ],
    );
    assert!(crashes > 20, "{crashes}");
}

#[test]
fn a_merge_survives() {
    // 511 pairs in two leaves: at some removal one of them is merged with the other.
    let disk = MemDisk::new(256);
    SimXv6::format(&disk);
    let mut host = Host::<Xv6<MemDisk>>::mount(disk, Nodes::Keep).expect("a new file system");
    for op in filled(511, 0) {
        host.apply(&op).expect("applied");
    }
    let dir = InodeNo(3);
    let blocks = |host: &Host<Xv6<MemDisk>>| host.fs().load(dir).expect("there").attr.blocks;
    let before = blocks(&host);
    let merge = (0..511).find(|number| {
        host.apply(&Op::Unlink(name(*number))).expect("applied");
        blocks(&host) < before
    });
    let merge = merge.expect("the index shrinks");
    let unlink = |number| Op::Unlink(name(number));
    let ops = vec![
        unlink(merge - 1),
        Op::Sync,
        unlink(merge),
        Op::Sync,
        unlink(merge + 1),
        Op::Sync,
    ];
    let crashes = survive(filled(511, merge - 1), ops);
    assert!(crashes > 20, "{crashes}");
}

#[test]
fn the_end_of_a_directory_with_an_index_survives() {
    let crashes = survive(
        filled(300, 300),
        vec![
            Op::Open("d".into()),
            Op::Rmdir("d".into()),
            Op::Sync,
            Op::Close,
            Op::Sync,
        ],
    );
    assert!(crashes > 10, "{crashes}");
}
