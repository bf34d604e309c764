// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What one build hands to the next at a live upgrade.
//!
//! What is promised: an import ends, and does not write, whatever the state holds. A state that
//! is taken may lie about free space, so nothing is demanded of the mount but that it ends, too.

use crate::base::WHOLE;
use crate::meter::{Disk, disk};
use crate::script::Script;
use crate::user::User;
use bento::{MountOptions, Result, StateReader, StateWriter, Upgrade};
use bento_sim::Caching;
use prov::Prov;
use xv6::Xv6;

/// A state that is damaged, or that was made up.
pub fn state(input: &[u8]) {
    let mut script = Script::new(input);
    let old = disk(WHOLE.clone(), Caching::Long);
    match script.byte() % 4 {
        0 => {
            // The cache has nothing that the state could speak of.
            take::<Xv6<Disk>>(&old, script.rest(), script);
        }
        1 => {
            let bytes = script.rest();
            take::<Prov<Xv6<Disk>>>(&old, bytes, script);
        }
        2 => hand_over::<Xv6<Disk>>(&old, script),
        _ => hand_over::<Prov<Xv6<Disk>>>(&old, script),
    }
}

/// The state of a mount in use, with damage.
fn hand_over<F: Upgrade<Device = Disk>>(disk: &Disk, mut script: Script<'_>) {
    let fs = F::mount(disk.clone(), &MountOptions::DEFAULT).expect("whole");
    let mut user = User::new(fs, disk.clone());
    let before = script.bytes(16);
    user.run(&mut Script::new(before)).expect("whole");
    let mut out = StateWriter::new();
    user.fs().export(&mut out).expect("small");
    let mut bytes = out.as_bytes().to_vec();
    for _ in 0..script.byte() % 8 {
        let at = script.short() % bytes.len();
        let room = usize::from(script.byte() % 16) + 1;
        let new = script.bytes(room.min(bytes.len() - at));
        bytes[at..at + new.len()].copy_from_slice(new);
    }
    if script.byte() % 8 == 1 {
        bytes.truncate(script.short() % bytes.len());
    }
    take::<F>(disk, &bytes, script);
}

fn take<F: Upgrade<Device = Disk>>(disk: &Disk, bytes: &[u8], mut script: Script<'_>) {
    let before = disk.inner().image();
    let imported = import::<F>(disk, bytes);
    let changed = disk.inner().image().differences(&before);
    assert!(changed.is_empty(), "an import writes {changed:?}");
    if let Ok(fs) = imported {
        let mut user = User::new(fs, disk.clone());
        // Any error will do: see above.
        let _used = user.run(&mut script);
        let _unmounted = user.unmount();
    }
}

fn import<F: Upgrade<Device = Disk>>(disk: &Disk, bytes: &[u8]) -> Result<F> {
    let state = StateReader::new(bytes)?;
    let schema = *F::SCHEMA.end();
    F::import(disk.clone(), &MountOptions::DEFAULT, schema, &state)
}
