// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Damage: some bytes of some block of metadata become others, mostly with the right checksum.

use crate::script::Script;
use bento::BlockNo;
use bento_sim::Image;
use xv6::superblock::Super;

/// A range of a block that holds metadata.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    block: u64,
    start: usize,
    end: usize,
}

/// What blocks of file data, directories and the like begin with.
pub const MAGICS: [&[u8; 4]; 7] = [
    b"XDIR", b"XTOP", b"XIDX", b"XGAP", b"XEXT", b"XATR", b"XLNK",
];

/// All blocks that begin with one of `magics`.
#[must_use]
pub fn blocks(image: &Image, magics: &[&[u8; 4]]) -> Vec<Place> {
    let is_wanted = |block: &u64| {
        let bytes = image.block(*block).expect("inside");
        magics.iter().any(|magic| bytes.starts_with(*magic))
    };
    let whole = |block| Place {
        block,
        start: 0,
        end: 4096,
    };
    (0..image.blocks()).filter(is_wanted).map(whole).collect()
}

/// All inodes that were ever in use.
#[must_use]
pub fn inodes(image: &Image, sup: &Super) -> Vec<Place> {
    let geometry = &sup.geometry;
    let slots = (1..geometry.inodes()).filter_map(|number| geometry.ino(number.into()));
    let places = slots.map(|ino| {
        let (block, start) = geometry.inode_place(ino);
        Place {
            block: block.0,
            start: start.into(),
            end: usize::from(start) + 256,
        }
    });
    let is_used = |place: &Place| {
        let bytes = image.block(place.block).expect("inside");
        bytes[place.start..place.end].iter().any(|byte| *byte != 0)
    };
    places.filter(is_used).collect()
}

/// The superblock, and the bitmaps as far as a small image uses them.
#[must_use]
pub fn heads(sup: &Super) -> Vec<Place> {
    let geometry = &sup.geometry;
    let maps = [
        geometry.inode_map(),
        geometry.orphan_map(),
        geometry.block_map(),
    ];
    let head = |block, end| Place {
        block,
        start: 0,
        end,
    };
    let maps = maps.into_iter().map(|block| head(block, 64));
    maps.chain([head(0, 256)]).collect()
}

/// Changes up to eight places.
pub fn damage(image: &mut Image, sup: &Super, places: &[Place], script: &mut Script<'_>) {
    for _ in 0..=script.byte() % 8 {
        let Some(index) = script.index(places.len()) else {
            return;
        };
        let place = places[index];
        let at = place.start + script.short() % (place.end - place.start);
        let how = script.byte();
        let room = usize::from(how % 16) + 1;
        let new = script.bytes(room.min(place.end - at));
        let mut bytes: [u8; 4096] = image.block(place.block).expect("inside")[..]
            .try_into()
            .expect("a block");
        bytes[at..at + new.len()].copy_from_slice(new);
        if how < 0xe0 {
            let block = BlockNo(place.block);
            sup.sums().seal_any(&sup.geometry, block, &mut bytes);
        }
        image.write(place.block, 0, &bytes).expect("inside");
    }
}
