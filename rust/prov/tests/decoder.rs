// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The decoder: what was written comes back, and no bytes harm it.

use bento::Timespec;
use proptest::prelude::*;
use prov::record::{ALIGN, HEAD, Item, Kind, MAX, Reader, Record};

fn sample() -> Record<'static> {
    Record {
        seq: 7,
        time: Timespec { sec: -5, nsec: 999 },
        pid: 1,
        uid: 2,
        comm: *b"0123456789abcde\0",
        ino: 3,
        parent: 4,
        other: 5,
        extra: 6,
        flags: 8,
        name: b"old name",
        name2: &[255; 255],
        ..Record::new(Kind::Rename)
    }
}

fn bytes(records: &[Record<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        record.encode(&mut out).expect("names are short");
    }
    out
}

#[test]
fn every_kind_comes_back() {
    for kind in Kind::ALL {
        let record = Record { kind, ..sample() };
        let encoded = bytes(&[record]);
        assert_eq!(encoded.len() % ALIGN, 0);
        assert_eq!(Record::decode(&encoded), Some((record, encoded.len())));
    }
    let bare = Record::new(Kind::Lost);
    assert_eq!(bytes(&[bare]).len(), HEAD);
    let long = [b'x'; 255];
    let longest = Record {
        name: &long,
        ..sample()
    };
    assert_eq!(bytes(&[longest]).len(), MAX);
    let too_long = Record {
        name: &[b'x'; 70_000],
        ..sample()
    };
    assert!(too_long.encode(&mut Vec::new()).is_err());
}

#[test]
fn every_damaged_bit_is_seen() {
    let encoded = bytes(&[sample()]);
    for bit in 0..encoded.len() * 8 {
        let mut damaged = encoded.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Record::decode(&damaged), None, "bit {bit}");
    }
}

#[test]
fn records_behind_damage_are_found() {
    let all = bytes(&[sample(), sample(), sample()]);
    let one = all.len() / 3;
    for cut in (0..one).step_by(ALIGN) {
        // A torn record, then one that was appended after the crash.
        let torn = [&all[..one + cut], &all[..one]].concat();
        let items: Vec<_> = Reader::new(&torn).collect();
        let whole = Item::Record(sample());
        let expected = match cut {
            0 => vec![whole, whole],
            _ => vec![whole, Item::Damage(cut), whole],
        };
        assert_eq!(items, expected, "cut at {cut}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_told_apart_completely(noise: Vec<u8>, at in 0_usize..64) {
        let mut mixed = noise.clone();
        let at = (at * ALIGN).min(mixed.len() / ALIGN * ALIGN);
        mixed.splice(at..at, bytes(&[sample()]));
        for data in [noise, mixed] {
            let mut covered = 0;
            for item in Reader::new(&data) {
                covered += match item {
                    Item::Record(record) => record.size(),
                    Item::Damage(len) => len,
                };
            }
            prop_assert_eq!(covered, data.len());
        }
    }
}
