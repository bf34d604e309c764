// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Power cuts at every write of every short workload, and of long random ones.
//!
//! After each one the disk must mount, show a moment of the past that is not older than what was
//! promised, and be clean by the checker; see `bento_sim::oracle`.

mod sim;

use bento::FallocateMode;
use bento_sim::{Caching, Limits, Nodes, Op, Rng, Setting, Workload, explore};
use sim::{SimXv6, more_operations, operations, random, setting, setup, tell};

const REPLAY: &str = "cargo test -p xv6 --test crash";

fn explore_or_panic(workload: &Workload, setting: &Setting, replay: &str) -> explore::Tried {
    match explore::crashes::<SimXv6>(workload, setting) {
        Ok(tried) => tried,
        Err(why) => panic!("{why}\n{setting:?}\nreplay: {replay}"),
    }
}

/// All pairs of operations, then a sync, so that the log is written with both.
fn all_pairs(part: usize, parts: usize) -> explore::Tried {
    let operations = operations();
    let mut tried = explore::Tried::default();
    for (number, first) in operations.iter().enumerate() {
        for second in operations.iter().filter(|_| number % parts == part) {
            tried += pair(first, second);
        }
    }
    tried
}

fn pair(first: &Op, second: &Op) -> explore::Tried {
    let setting = Setting {
        limits: Limits {
            exhaustive: 4,
            random: 4,
            torn: false,
            seed: 1,
        },
        ..setting()
    };
    let workload = Workload {
        setup: setup(),
        ops: vec![first.clone(), second.clone(), Op::Sync],
    };
    explore_or_panic(&workload, &setting, REPLAY)
}

/// Space, attributes and files without names: each with each other one, before and after what
/// touches the same inode or block.
#[test]
fn pairs_with_space_and_attributes_survive_crashes() {
    let more = more_operations();
    let mut tried = explore::Tried::default();
    for first in &more {
        for second in &more {
            tried += pair(first, second);
        }
    }
    let plain = [
        Op::Unlink("f".into()),
        Op::rename("d/g", "f"),
        Op::write("f", 4000, 300, 3),
        Op::write("f", 9000, 9000, 4),
        Op::Truncate("f".into(), 5000),
        Op::Fsync("f".into()),
        Op::Close,
    ];
    for (one, other) in plain.iter().flat_map(|p| more.iter().map(move |m| (p, m))) {
        tried += pair(one, other);
        tried += pair(other, one);
    }
    check_enough("pairs with space and attributes", &tried);
}

fn check_enough(what: &str, tried: &explore::Tried) {
    tell(&format!("{what}: {tried}"));
    assert!(tried.crashes > 5000, "only {tried}");
}

#[test]
fn all_pairs_of_operations_survive_crashes_first_half() {
    check_enough("all pairs of operations, first half", &all_pairs(0, 2));
}

#[test]
fn all_pairs_of_operations_survive_crashes_second_half() {
    check_enough("all pairs of operations, second half", &all_pairs(1, 2));
}

/// The seeds to try, or the one of `BENTO_SEED`.
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("BENTO_SEED") {
        Ok(seed) => vec![seed.parse().expect("BENTO_SEED is a number")],
        Err(_) => (1..=count).collect(),
    }
}

fn long_runs(test: &str, setting: &Setting, count: u64, ops: usize) {
    let mut tried = explore::Tried::default();
    for seed in seeds(count) {
        let replay = format!("BENTO_SEED={seed} {REPLAY} {test}");
        tried += explore_or_panic(&random(seed, ops), setting, &replay);
    }
    tell(&format!("{test}: {tried}"));
    assert!(tried.crashes > 200, "{tried}");
    assert_eq!(tried.recoveries > 0, setting.recovery);
}

#[test]
fn long_runs_survive_crashes() {
    long_runs("long_runs_survive_crashes", &setting(), 20, 60);
}

#[test]
fn long_runs_survive_crashes_with_long_caches_and_no_inodes_in_memory() {
    let setting = Setting {
        caching: Caching::Long,
        nodes: Nodes::Evict,
        ..setting()
    };
    let test = "long_runs_survive_crashes_with_long_caches_and_no_inodes_in_memory";
    long_runs(test, &setting, 10, 60);
}

#[test]
fn crashes_of_the_recovery_are_survived() {
    let setting = Setting {
        limits: Limits::few(),
        recovery: true,
        ..setting()
    };
    long_runs("crashes_of_the_recovery_are_survived", &setting, 6, 40);
}

#[test]
fn crashes_around_upgrades_are_survived() {
    let setting = Setting {
        limits: Limits::few(),
        upgrade: true,
        ..setting()
    };
    long_runs("crashes_around_upgrades_are_survived", &setting, 10, 60);
}

/// As `random`, with little space and more writes, none of which is longer than a block.
fn filling(seed: u64, count: usize) -> Workload {
    let mut workload = random(seed, count);
    let ballast = Op::write("ballast", 0, 8 * 4096, 8);
    workload
        .setup
        .extend([Op::Create("ballast".into()), ballast]);
    let mut rng = Rng::new(seed);
    for op in &mut workload.ops {
        match op {
            Op::Write { offset, len, .. } => {
                (*offset, *len) = (*offset & !4095, 4096);
            }
            // What it zeroes before it finds the disk full stays zero.
            Op::Fallocate { mode, .. } if *mode == FallocateMode::Zero => {
                *mode = FallocateMode::Allocate;
            }
            Op::Unlink(path) | Op::Create(path) if rng.below(2) == 0 => {
                *op = Op::write(path, 4096 * rng.below(30), 4096, 7);
            }
            _ => {}
        }
    }
    workload
}

#[test]
fn crashes_of_a_full_disk_are_survived() {
    let setting = Setting {
        blocks: 94,
        tight: true,
        limits: Limits::few(),
        ..setting()
    };
    let mut full = 0;
    for seed in seeds(20) {
        let replay = format!("BENTO_SEED={seed} {REPLAY} crashes_of_a_full_disk");
        full += explore_or_panic(&filling(seed, 120), &setting, &replay).full;
    }
    println!("{full} operations found the disk full");
    assert!(full > 0, "the disk was never full");
}
