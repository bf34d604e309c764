// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Crash exploration: runs a workload, cuts the power everywhere, and judges what is found.

use crate::crash::{Counts, Crash, CrashDisk, Limits};
use crate::disk::{Caching, MemDisk};
use crate::fault::{Fault, FaultDisk};
use crate::host::{Host, Nodes};
use crate::image::Image;
use crate::op::Op;
use crate::oracle::Oracle;
use bento::mapped::DataDevice;
use bento::{Errno, FileSystem, Upgrade};

/// A file system under test.
pub trait Target {
    /// The file system over a disk.
    type Fs<D: DataDevice + Clone>: FileSystem<Device = D> + Upgrade;

    /// Makes an empty file system.
    fn format(disk: &MemDisk);

    /// Checks a disk as `fsck` does: replays the log, then looks for damage. A disk that was
    /// `unmounted` must need no replay, and no inode may wait to be freed.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    fn check(disk: &MemDisk, unmounted: bool) -> Result<(), String>;
}

/// What a workload runs on.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Size of the disk in blocks.
    pub blocks: usize,
    /// How long metadata stays cached.
    pub caching: Caching,
    /// How long inodes stay in memory.
    pub nodes: Nodes,
    /// Which crashes are tried.
    pub limits: Limits,
    /// Also cut the power during each recovery.
    pub recovery: bool,
    /// Replace the code before every operation.
    pub upgrade: bool,
    /// The disk may become full: an operation may fail with `ENOSPC`, and has then changed
    /// nothing. Writes must not be longer than a block, since a part of one may happen.
    pub tight: bool,
}

/// A workload: some operations that are durable when it begins, and those that are tested.
#[derive(Clone, Debug, Default)]
pub struct Workload {
    /// Durable at the start.
    pub setup: Vec<Op>,
    /// Tested.
    pub ops: Vec<Op>,
}

impl core::fmt::Display for Workload {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "workload:")?;
        (0..)
            .zip(&self.ops)
            .try_for_each(|(number, op)| write!(f, "\n{number:4} {op:?}"))
    }
}

/// What was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Crashes of the workload.
    pub crashes: usize,
    /// What these crashes were.
    pub media: Counts,
    /// Crashes of recoveries.
    pub recoveries: usize,
    /// Operations that found the disk full.
    pub full: usize,
}

impl core::ops::AddAssign for Tried {
    fn add_assign(&mut self, more: Self) {
        self.crashes += more.crashes;
        self.media += more.media;
        self.recoveries += more.recoveries;
        self.full += more.full;
    }
}

impl core::fmt::Display for Tried {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "power cuts: {}; power cuts during recovery: {}",
            self.media, self.recoveries
        )
    }
}

/// Runs `workload` and recovers from every crash that `setting` asks for.
///
/// # Errors
/// The first thing that is wrong, with the operations and the crash.
pub fn crashes<T: Target>(workload: &Workload, setting: &Setting) -> Result<Tried, String> {
    let explain = |why: String| format!("{why}\n{workload}");
    let (image, oracle) = prepare::<T>(workload, setting).map_err(explain)?;
    let disk = CrashDisk::new(image, setting.caching);
    let oracle = run::<T>(&disk, oracle, workload, setting).map_err(explain)?;
    let mut tried = Tried {
        full: oracle.skipped(),
        ..Tried::default()
    };
    let mut wrong = Ok(());
    tried.media = disk.trace().crashes(&setting.limits, &mut |crash| {
        if wrong.is_ok() {
            let judged = judge::<T>(&crash, &oracle, setting);
            wrong = judged.map(|n| tried.recoveries += n);
            wrong =
                core::mem::replace(&mut wrong, Ok(())).map_err(|e| format!("{e}\n{}", crash.what));
        }
    });
    wrong.map_err(explain)?;
    tried.crashes = tried.media.media;
    Ok(tried)
}

/// The medium after the setup, which must be clean.
fn prepare<T: Target>(workload: &Workload, setting: &Setting) -> Result<(Image, Oracle), String> {
    let disk = MemDisk::from_image(Image::used(setting.blocks), Caching::Short);
    T::format(&disk);
    let disk = MemDisk::from_image(disk.image(), setting.caching);
    let mut host = mount::<T, _>(disk.clone(), setting)?;
    let mut oracle = Oracle::new(crate::model::Model::default());
    for op in &workload.setup {
        let want = oracle.apply(op, (0, 0));
        let got = host.apply(op);
        if got != want || got.is_err() {
            return Err(format!("setup: {op:?} gave {got:?}, not {want:?}"));
        }
    }
    host.unmount().map_err(|e| format!("unmount: {e}"))?;
    let image = disk.image();
    check::<T>(image.clone(), true, "after the setup")?;
    let start = oracle.now().clone();
    Ok((image, Oracle::new(start)))
}

fn mount<T: Target, D: DataDevice + Clone>(
    disk: D,
    setting: &Setting,
) -> Result<Host<T::Fs<D>>, String> {
    Host::mount(disk, setting.nodes).map_err(|e| format!("mount: {e}"))
}

/// Runs the tested operations; every result must be the one of the model.
fn run<T: Target>(
    disk: &CrashDisk,
    mut oracle: Oracle,
    workload: &Workload,
    setting: &Setting,
) -> Result<Oracle, String> {
    let mut host = mount::<T, _>(disk.clone(), setting)?;
    for (number, op) in workload.ops.iter().enumerate() {
        if setting.upgrade {
            host.upgrade()
                .map_err(|e| format!("upgrade before operation {number}: {e}"))?;
        }
        let before = disk.now();
        let got = host.apply(op);
        if setting.tight && got == Err(Errno::ENOSPC) {
            oracle.skip((before, disk.now()));
            continue;
        }
        let want = oracle.apply(op, (before, disk.now()));
        if got != want {
            return Err(format!("operation {number}, {op:?}: {got:?}, not {want:?}"));
        }
    }
    let tree = host.tree().map_err(|e| format!("reading all: {e}"))?;
    oracle
        .judge_now(&tree)
        .map_err(|why| format!("at the end, without a crash: {why}"))?;
    Ok(oracle)
}

/// What one crash leaves, and what a crash of its recovery leaves. Returns how many of these.
fn judge<T: Target>(crash: &Crash, oracle: &Oracle, setting: &Setting) -> Result<usize, String> {
    check::<T>(crash.image.clone(), false, "after the crash")?;
    let disk = CrashDisk::new(crash.image.clone(), setting.caching);
    recover::<T, _>(&disk, crash.at, oracle, setting)?;
    check::<T>(disk.image(), true, "after recovery and unmount")?;
    if !setting.recovery {
        return Ok(0);
    }
    let mut wrong = Ok(());
    let again = disk.trace().crashes(&Limits::few(), &mut |second| {
        if wrong.is_ok() {
            let disk = MemDisk::from_image(second.image, setting.caching);
            wrong = recover::<T, _>(&disk, crash.at, oracle, setting)
                .and_then(|()| check::<T>(disk.image(), true, "after a second recovery"))
                .map_err(|e| format!("{e}\nrecovery cut short: {}", second.what));
        }
    });
    wrong.map(|()| again.media)
}

/// Mounts, compares with the oracle, and unmounts.
fn recover<T: Target, D: DataDevice + Clone>(
    disk: &D,
    at: usize,
    oracle: &Oracle,
    setting: &Setting,
) -> Result<(), String> {
    let mut host = mount::<T, _>(disk.clone(), setting)?;
    let tree = host.tree().map_err(|e| format!("reading all: {e}"))?;
    oracle.judge(&tree, at)?;
    host.unmount().map_err(|e| format!("unmount: {e}"))
}

fn check<T: Target>(image: Image, unmounted: bool, when: &str) -> Result<(), String> {
    let disk = MemDisk::from_image(image, Caching::Short);
    let disk = if unmounted {
        disk.into_read_only()
    } else {
        disk
    };
    T::check(&disk, unmounted).map_err(|why| format!("check {when}: {why}"))
}

/// Lets every single read, write and flush of `workload` fail, one per run. Operations may then
/// fail with `EIO` and, once the file system has given up, all must; after the next mount the
/// disk is clean and holds what was promised. Returns how many faults struck.
///
/// # Errors
/// The first thing that is wrong.
pub fn faults<T: Target>(workload: &Workload, setting: &Setting) -> Result<u64, String> {
    let (image, start) = prepare::<T>(workload, setting)?;
    let mut struck = 0;
    for fault in [Fault::Read, Fault::Write, Fault::Flush] {
        for nth in 1.. {
            let disk = FaultDisk::new(MemDisk::from_image(image.clone(), setting.caching));
            let explain = |why| format!("{why}\n{fault:?} {nth} failed\n{workload}");
            let mut host = mount::<T, _>(disk.clone(), setting)?;
            let mounted = disk.count(fault);
            disk.fail(fault, nth);
            let oracle = run_with_fault(&mut host, start.clone(), workload).map_err(explain)?;
            if disk.count(fault) < mounted + nth {
                break;
            }
            struck += 1;
            drop(host);
            let rebooted = MemDisk::from_image(disk.inner().image(), setting.caching);
            recover::<T, _>(&rebooted, usize::MAX, &oracle, setting).map_err(explain)?;
            check::<T>(rebooted.image(), true, "after a fault").map_err(explain)?;
        }
    }
    Ok(struck)
}

/// Runs until an operation fails as the model says it should not.
fn run_with_fault<F>(
    host: &mut Host<F>,
    mut oracle: Oracle,
    workload: &Workload,
) -> Result<Oracle, String>
where
    F: FileSystem<Device: DataDevice + Clone>,
{
    for op in &workload.ops {
        let before = oracle.clone();
        let got = host.apply(op);
        let want = oracle.apply(op, (0, 0));
        match got {
            Err(Errno::EIO) => {
                // It may have happened in part, so it counts as begun, not as promised.
                let mut begun = before;
                begun.begin(op);
                return Ok(begun);
            }
            got if got == want => {}
            got => return Err(format!("{op:?} gave {got:?}, not {want:?}")),
        }
    }
    Ok(oracle)
}
