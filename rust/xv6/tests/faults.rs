// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Every single read, write and flush of a workload fails once.

mod sim;

use bento_sim::{Nodes, Op, Setting, Workload, explore};
use sim::{SimXv6, more_operations, operations, random, setting, setup, tell};

fn all_faults(workload: &Workload, setting: &Setting, replay: &str) -> u64 {
    explore::faults::<SimXv6>(workload, setting)
        .unwrap_or_else(|why| panic!("{why}\n{setting:?}\nreplay: {replay}"))
}

#[test]
fn a_fault_in_any_operation_leaves_a_clean_disk() {
    let mut struck = 0;
    for op in operations().into_iter().chain(more_operations()) {
        let workload = Workload {
            setup: setup(),
            ops: vec![op, Op::Sync, Op::write("d/g", 0, 8000, 9), Op::Sync],
        };
        struck += all_faults(&workload, &setting(), "cargo test -p xv6 --test faults");
    }
    tell(&format!("{struck} failures of the device survived"));
    assert!(struck > 500, "only {struck} faults struck");
}

#[test]
fn a_fault_in_a_long_run_leaves_a_clean_disk() {
    let setting = Setting {
        nodes: Nodes::Evict,
        ..setting()
    };
    let seeds = match std::env::var("BENTO_SEED") {
        Ok(seed) => vec![seed.parse().expect("BENTO_SEED is a number")],
        Err(_) => vec![1, 2, 3],
    };
    for seed in seeds {
        let replay = format!("BENTO_SEED={seed} cargo test -p xv6 --test faults a_fault_in_a_long");
        let struck = all_faults(&random(seed, 40), &setting, &replay);
        assert!(struck > 50, "only {struck} faults struck");
    }
}
