// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Power cuts at every write, and at every write of the recovery from them.
//!
//! The last tests take a protection away, one at a time: if the simulation cannot see that, the
//! tests before prove nothing.

#[expect(dead_code, reason = "other tests use the rest")]
mod book;
mod busy;
mod toy;

use bento::{StateReader, StateWriter};
use bento_sim::{Caching, Counts, Crash, CrashDisk, Image, Limits, MemDisk, Rng};
use book::{Log, Transaction};
use busy::{BusyDisk, Lax};
use core::cell::RefCell;
use journal::Journal;
use std::rc::Rc;
use std::sync::Arc;
use toy::{BLOCKS, CREDITS, LOG_BLOCKS, LOG_START, Model, SEED, Store};

const LOG: Log = Log {
    start: LOG_START.0,
    blocks: LOG_BLOCKS,
    seed: SEED,
};

/// How a store is used.
#[derive(Clone, Copy, Debug)]
struct Way {
    seed: u64,
    steps: u32,
    caching: Caching,
    /// Freed blocks are used at once.
    hasty: bool,
    lax: Lax,
}

impl Way {
    const fn new(seed: u64, steps: u32) -> Self {
        Self {
            seed,
            steps,
            caching: Caching::Short,
            hasty: false,
            lax: Lax::Never,
        }
    }
}

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

type Shared = Rc<RefCell<Store<BusyDisk>>>;

/// A random run of a store on `image`. A tenth of the steps make everything durable, and while
/// they write, other operations happen.
fn run(image: Image, way: Way) -> Run {
    let disk = CrashDisk::new(image, way.caching);
    let mut store = Store::open(BusyDisk::around(disk.clone(), way.lax)).expect("a good store");
    store.hasty = way.hasty;
    let promised = store.model.operations;
    let mut steps = vec![Step { at: 0, promised }];
    let store = Rc::new(RefCell::new(store));
    busy::meanwhile(operations_meanwhile(&store, way.seed));
    let mut rng = Rng::new(way.seed);
    for _ in 0..way.steps {
        let promised = step(&store, &mut rng).unwrap_or(steps.last().map_or(0, |s| s.promised));
        let store = store.borrow();
        assert_eq!(store.load(), Ok(store.model.clone()), "{way:?}");
        let at = disk.now();
        steps.push(Step { at, promised });
    }
    busy::meanwhile(Box::new(|| ()));
    let states = store.borrow().history.clone();
    Run {
        disk,
        states,
        steps,
    }
}

/// What other tasks do while the device writes for this one.
fn operations_meanwhile(store: &Shared, seed: u64) -> Box<dyn FnMut()> {
    let store = Rc::downgrade(store);
    let mut rng = Rng::new(!seed);
    Box::new(move || {
        let Some(store) = store.upgrade().filter(|_| rng.below(2) == 0) else {
            return;
        };
        // An operation that waits for room waits for the task that is writing: here, for itself.
        if let Ok(mut store) = store.try_borrow_mut()
            && store.journal.has_room(CREDITS) == Ok(true)
        {
            store.operate(&mut rng).expect("a healthy disk");
        }
    })
}

/// One step; returns how many operations are promised to survive, where that becomes more.
fn step(store: &Shared, rng: &mut Rng) -> Option<u64> {
    let (journal, before) = {
        let store = store.borrow();
        (Arc::clone(&store.journal), store.model.operations)
    };
    let done = match rng.below(40) {
        0..4 => journal.commit(),
        4 => journal.sync(),
        5 => journal.close(),
        6 => {
            drop(journal);
            upgrade(&mut store.borrow_mut());
            return None;
        }
        _ => {
            let done = store.borrow_mut().operate(rng);
            done.expect("a healthy disk");
            return None;
        }
    };
    done.expect("a healthy disk");
    Some(before)
}

/// Another journal takes over.
fn upgrade(store: &mut Store<BusyDisk>) {
    let mut out = StateWriter::new();
    store.journal.export(&mut out, 1).expect("healthy");
    let state = StateReader::new(out.as_bytes()).expect("well-formed");
    let disk = store.journal.device().clone();
    let next = Journal::import(disk, LOG_START, LOG_BLOCKS, false, &state, 1);
    store.journal = Arc::new(next.expect("a good state"));
}

/// What is wrong with a store after a crash, if anything.
type Verdict = Option<String>;

impl Run {
    /// What is wrong with the store after this crash; also with every crash of its recovery, which
    /// are counted in `again`.
    fn judge(&self, crash: &Crash, caching: Caching, again: &mut Counts) -> Verdict {
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
        let first = self.states.first().map_or(0, |s| s.operations);
        let number = usize::try_from(recovered.operations - first).expect("few");
        if self.states.get(number) != Some(&recovered) {
            return Some(format!("differs from the state after operation {number}"));
        }
        let mut wrong = None;
        *again += disk.trace().crashes(&Limits::few(), &mut |again| {
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

    /// The first thing that is wrong after any crash, and what was tried: crashes, and crashes of
    /// recoveries. `doctor` changes what a crash left before it is recovered.
    fn explore(
        &self,
        limits: &Limits,
        caching: Caching,
        mut doctor: impl FnMut(&mut Image),
    ) -> (Verdict, [Counts; 2]) {
        let (mut wrong, mut again) = (None, Counts::default());
        let visited = self.disk.trace().crashes(limits, &mut |mut crash| {
            if wrong.is_none() {
                doctor(&mut crash.image);
                let found = self.judge(&crash, caching, &mut again);
                wrong = found.map(|found| format!("{found}\n{}", crash.what));
            }
        });
        (wrong, [visited, again])
    }
}

fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("BENTO_SEED") {
        Ok(seed) => vec![seed.parse().expect("BENTO_SEED is a number")],
        Err(_) => (1..=count).collect(),
    }
}

fn fail(way: Way, wrong: &str) -> ! {
    let seed = way.seed;
    panic!("{way:?}: {wrong}\nreplay: BENTO_SEED={seed} cargo test -p journal --test crash")
}

#[test]
fn every_crash_recovers_to_a_state_of_the_past_that_was_promised() {
    let [mut crashes, mut again] = [Counts::default(); 2];
    for seed in seeds(5) {
        for caching in [Caching::Short, Caching::Long] {
            let way = Way {
                caching,
                ..Way::new(seed, 60)
            };
            let run = run(empty_store(), way);
            let (wrong, tried) = run.explore(&Limits::default(), caching, |_| ());
            crashes += tried[0];
            again += tried[1];
            if let Some(wrong) = wrong {
                fail(way, &wrong);
            }
        }
    }
    println!("power cuts: {crashes}");
    println!("power cuts of recoveries: {again}");
    assert!(again.media > 10_000, "{again}");
    assert!(crashes.media > 1000 && crashes.torn > 1000, "{crashes}");
}

/// The log goes round and the store comes back again and again: what a cut commit and older rounds
/// have left in the ring is never taken for a transaction.
#[test]
fn a_store_survives_one_crash_after_the_other() {
    let mut crashes = Counts::default();
    for seed in seeds(3) {
        let mut rng = Rng::new(seed);
        let mut image = empty_store();
        for life in 0..12 {
            let way = Way::new(seed * 100 + life, 25);
            let run = run(image, way);
            let (wrong, [visited, _]) = run.explore(&Limits::few(), way.caching, |_| ());
            if let Some(wrong) = wrong {
                fail(Way { seed, ..way }, &wrong);
            }
            let chosen = rng.below(u64::try_from(visited.media).expect("few"));
            let mut number = 0;
            image = empty_store();
            run.disk.trace().crashes(&Limits::few(), &mut |crash| {
                if number == chosen {
                    image = crash.image;
                }
                number += 1;
            });
            crashes += visited;
        }
    }
    println!("power cuts in a row: {crashes}");
    assert!(crashes.media > 1000, "{crashes}");
}

/// Whether a change to the store, the device or the medium is noticed with any of some seeds.
fn noticed(change: impl Fn(Way) -> Way, doctor: impl Fn(&mut Image) + Copy) -> bool {
    (1..=12).any(|seed| {
        let way = change(Way::new(seed, 60));
        let run = run(empty_store(), way);
        let limits = Limits::default();
        run.explore(&limits, way.caching, doctor).0.is_some()
    })
}

#[test]
fn reuse_of_freed_blocks_before_the_commit_is_noticed() {
    assert!(noticed(|way| Way { hasty: true, ..way }, |_| ()));
}

#[test]
fn a_device_that_ignores_either_side_of_a_barrier_is_noticed() {
    for lax in [Lax::Before, Lax::After] {
        assert!(noticed(|way| Way { lax, ..way }, |_| ()), "{lax:?}");
    }
}

#[test]
fn a_recovery_without_revoked_blocks_is_noticed() {
    assert!(noticed(
        |way| way,
        |image| {
            LOG.doctor(image, |found, complete| {
                let instead = Transaction {
                    revoked: Vec::new(),
                    targets: found.targets.clone(),
                    contents: found.contents.clone(),
                    ..*found
                };
                complete.then_some(instead)
            });
        }
    ));
}

#[test]
fn a_recovery_without_checksums_is_noticed() {
    assert!(noticed(
        |way| way,
        |image| {
            LOG.doctor(image, |found, _| {
                Some(Transaction {
                    revoked: found.revoked.clone(),
                    targets: found.targets.clone(),
                    contents: found.contents.clone(),
                    ..*found
                })
            });
        }
    ));
}
