// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Damaged file systems.
//!
//! What is promised: mounting, using and checking end, with errors at worst. What the checker
//! calls clean, all operations find whole, and it is still clean afterwards. What the repair calls
//! clean is so for the checker and for all operations.

use crate::base::{WHOLE, superblock};
use crate::edit::{self, MAGICS, Place, blocks, heads, inodes};
use crate::meter::disk;
use crate::script::Script;
use crate::user::{User, tells_of_damage};
use bento::{FileSystem, MountOptions, Result};
use bento_sim::{Caching, Image};
use std::sync::LazyLock;
use xv6::Xv6;
use xv6::check::check;
use xv6::mend::mend;

static EVERYWHERE: LazyLock<Vec<Place>> = LazyLock::new(|| {
    let sup = superblock(&WHOLE).expect("valid");
    [heads(&sup), inodes(&WHOLE, &sup), blocks(&WHOLE, &MAGICS)].concat()
});
static DIRECTORIES: LazyLock<Vec<Place>> =
    LazyLock::new(|| blocks(&WHOLE, &[b"XDIR", b"XTOP", b"XIDX", b"XGAP"]));
static EXTENTS: LazyLock<Vec<Place>> = LazyLock::new(|| {
    let sup = superblock(&WHOLE).expect("valid");
    [inodes(&WHOLE, &sup), blocks(&WHOLE, &[b"XEXT"])].concat()
});

/// Damage anywhere.
pub fn any(input: &[u8]) {
    run(input, &EVERYWHERE);
}

/// Damage of directories and their indexes.
pub fn directory(input: &[u8]) {
    run(input, &DIRECTORIES);
}

/// Damage of inodes and extent trees.
pub fn extents(input: &[u8]) {
    run(input, &EXTENTS);
}

fn run(input: &[u8], places: &[Place]) {
    let mut script = Script::new(input);
    let mut image = WHOLE.clone();
    let sup = superblock(&image).expect("valid");
    edit::damage(&mut image, &sup, places, &mut script);
    try_out(&image, script);
}

/// Checks an image, uses it, repairs it, uses it again.
pub(crate) fn try_out(image: &Image, script: Script<'_>) {
    let checked = check(&disk(image.clone(), Caching::Short));
    let clean = checked.is_ok_and(|report| report.is_clean());
    let (used, after) = use_image(image.clone(), script);
    if clean {
        demand_clean(used, after, "what the checker calls clean");
    }
    if superblock(image).is_none() {
        return;
    }
    let disk = disk(image.clone(), Caching::Short);
    let mended = mend(&disk, |_| ()).expect("the superblock is whole, and the disk works");
    let left = &mended.after.findings;
    assert!(mended.after.is_clean(), "after a repair: {left:?}");
    let (used, after) = use_image(disk.inner().image(), script);
    demand_clean(used, after, "what was repaired");
}

/// Mounts and uses an image; returns what came of it, and the image.
fn use_image(image: Image, mut script: Script<'_>) -> (Result, Image) {
    let caching = if script.coin() {
        Caching::Long
    } else {
        Caching::Short
    };
    let disk = disk(image, caching);
    let result = Xv6::mount(disk.clone(), &MountOptions::DEFAULT).and_then(|fs| {
        let mut user = User::new(fs, disk.clone());
        let used = user.run(&mut script);
        let unmounted = user.unmount();
        used.and(unmounted)
    });
    (result, disk.inner().image())
}

fn demand_clean(used: Result, after: Image, what: &str) {
    assert!(!tells_of_damage(&used), "{what} is found damaged: {used:?}");
    assert!(used.is_ok(), "{what} cannot be used: {used:?}");
    let report = check(&disk(after, Caching::Short)).expect("a superblock");
    let findings = &report.findings;
    assert!(
        report.is_clean(),
        "{what} is not clean after its use: {findings:?}"
    );
}
