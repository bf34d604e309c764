// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `xv6-tools mutate`, by which images for other tests are damaged.

use crate::mount_test::TempDir;
use crate::support::{image, run, text};
use std::fs;

#[test]
fn the_same_seed_damages_the_same_bytes_and_fsck_copes_with_all_of_them() {
    let dir = TempDir::new();
    let path = image(&dir, "16M");
    let whole = fs::read(&path).expect("image");
    let mut found = 0;
    for seed in 1..=60 {
        let mut results = Vec::new();
        for _ in 0..2 {
            fs::write(&path, &whole).expect("image");
            let seed = seed.to_string();
            let damaged = run("xv6-tools", &["mutate", "--seed", &seed, text(&path)]);
            assert!(damaged.status.success(), "{damaged:?}");
            results.push(fs::read(&path).expect("image"));
        }
        assert!(results[0] == results[1], "seed {seed}");
        let checked = run("fsck.xv6", &["-n", text(&path)]);
        match checked.status.code() {
            Some(0) => {}
            Some(4 | 8) => found += 1,
            other => panic!("seed {seed}: {other:?}: {checked:?}"),
        }
    }
    // Much of an empty file system is not looked at, or may hold anything.
    assert!(found > 25, "only {found} of 60 damaged images were found");
}
