// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Power cuts at every write, and at every write of the recovery from them.

mod toy;

use bento_sim::{Caching, Counts, Crash, CrashDisk, Image, Limits, MemDisk, Rng};
use toy::{BLOCKS, Model, Store};

/// A moment, and what the store must be able to come back to from then on.
struct Step {
    at: usize,
    /// The state after this many operations is promised to survive.
    promised: u64,
}

struct Run {
    disk: CrashDisk,
    states: Vec<Model>,
    steps: Vec<Step>,
}

fn empty_store() -> Image {
    let disk = MemDisk::new(usize::try_from(BLOCKS).expect("small"));
    toy::format(&disk).expect("a fresh disk");
    disk.image()
}

/// A random run of a store; a tenth of the steps make everything durable.
fn run(seed: u64, steps: u32, caching: Caching, hasty: bool) -> Run {
    let disk = CrashDisk::new(empty_store(), caching);
    let mut store = Store::open(disk.clone()).expect("an empty store");
    store.hasty = hasty;
    let mut rng = Rng::new(seed);
    let mut run = Run {
        disk,
        states: vec![store.model.clone()],
        steps: Vec::new(),
    };
    for _ in 0..steps {
        let mut promised = run.steps.last().map_or(0, |s| s.promised);
        match rng.below(10) {
            0 => {
                store.journal.commit().expect("a healthy disk");
                promised = store.model.operations;
            }
            1 if rng.below(4) == 0 => {
                store.journal.close().expect("a healthy disk");
                promised = store.model.operations;
            }
            _ => store.operate(&mut rng).expect("a healthy disk"),
        }
        assert_eq!(store.load(), Ok(store.model.clone()), "seed {seed}");
        if run.states.len() <= usize::try_from(store.model.operations).expect("few") {
            run.states.push(store.model.clone());
        }
        let at = run.disk.now();
        run.steps.push(Step { at, promised });
    }
    run
}

impl Run {
    /// What is wrong with the store after this crash; also with every crash of its recovery.
    fn judge(&self, crash: &Crash, caching: Caching) -> Option<String> {
        let disk = CrashDisk::new(crash.image.clone(), caching);
        let recovered = match Store::open(disk.clone()) {
            Ok(store) => store.model,
            Err(e) => return Some(format!("does not open: {e}")),
        };
        let before = self.steps.iter().take_while(|s| s.at <= crash.at);
        let promised = before.last().map_or(0, |s| s.promised);
        if recovered.operations < promised {
            let operations = recovered.operations;
            return Some(format!(
                "{promised} operations were durable, {operations} are left"
            ));
        }
        let number = usize::try_from(recovered.operations).expect("few");
        if self.states.get(number) != Some(&recovered) {
            return Some(format!("differs from the state after operation {number}"));
        }
        let mut wrong = None;
        disk.trace().crashes(&Limits::few(), &mut |again| {
            let model = Store::open(MemDisk::from_image(again.image, caching)).map(|s| s.model);
            if model.as_ref() != Ok(&recovered) {
                wrong = Some(format!(
                    "recovery was cut ({}) and gave {model:?}",
                    again.what
                ));
            }
        });
        wrong
    }

    /// The first thing that is wrong after any crash, and how many were tried.
    fn explore(&self, caching: Caching) -> (Option<String>, Counts) {
        let mut wrong = None;
        let visited = self.disk.trace().crashes(&Limits::default(), &mut |crash| {
            if wrong.is_none() {
                let found = self.judge(&crash, caching);
                wrong = found.map(|found| format!("{found}\n{}", crash.what));
            }
        });
        (wrong, visited)
    }
}

fn seeds() -> Vec<u64> {
    match std::env::var("BENTO_SEED") {
        Ok(seed) => vec![seed.parse().expect("BENTO_SEED is a number")],
        Err(_) => (1..=8).collect(),
    }
}

#[test]
fn every_crash_recovers_to_a_state_of_the_past_that_was_promised() {
    let mut crashes = Counts::default();
    for seed in seeds() {
        for caching in [Caching::Short, Caching::Long] {
            let (wrong, visited) = run(seed, 60, caching, false).explore(caching);
            crashes += visited;
            if let Some(wrong) = wrong {
                panic!(
                    "seed {seed}, {caching:?} cache: {wrong}\n\
                     replay: BENTO_SEED={seed} cargo test -p journal --test crash"
                );
            }
        }
    }
    println!("power cuts: {crashes}");
    assert!(crashes.media > 1000 && crashes.torn > 1000, "{crashes}");
}

/// Without pending frees a crash destroys data: if this test cannot see it, the one above proves
/// nothing.
#[test]
fn reuse_of_freed_blocks_before_the_commit_is_noticed() {
    let noticed = |seed| {
        run(seed, 60, Caching::Short, true)
            .explore(Caching::Short)
            .0
    };
    assert!((1..=12).any(|seed| noticed(seed).is_some()));
}
