// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Images as earlier builds have written them, one for each set of features: they are read, and
//! written to, by every later build.
//!
//! The images lie in `golden/` as text: one line for each run of bytes that are not zero, with
//! block, offset and bytes (`ff*80`: 80 times 0xff). A new set of features gets a new image:
//! `BENTO_GOLDEN=write cargo test -p xv6 --test golden` makes those that do not exist; an image
//! that exists is never written again.
//!
//! The same for what a build hands over at a live upgrade: for each schema, the state that goes
//! with the image `plain`.

mod host;

use bento::prelude::*;
use bento::{StateReader, StateWriter, Upgrade};
use bento_sim::{Caching, Image, MemDisk};
use core::fmt::Write;
use host::{Host, PLAIN, pattern};
use proptest::prelude::*;
use std::path::PathBuf;
use xv6::check::check;
use xv6::superblock::Super;
use xv6::{FormatOptions, Xv6, format};

const BLOCKS: usize = 140;

/// The incompatible features of each image.
const SETS: [(&str, u32); 2] = [("plain", 0), ("dir-index", 2)];

fn long_name(n: u32) -> String {
    format!("{}{n}", "n".repeat(180))
}

fn make(incompat: u32) -> Image {
    let disk = MemDisk::new(BLOCKS);
    let options = FormatOptions {
        uuid: *b"golden image 001",
        inodes: Some(64),
        log_blocks: Some(64),
        incompat,
        ..FormatOptions::default()
    };
    format(&disk, &options).expect("it fits");
    let host = Host::mount(disk).expect("mounts");
    host.mkdir("dir").expect("mkdir");
    for n in 0..30 {
        host.create(&format!("dir/{}", long_name(n)))
            .expect("create");
    }
    host.create("data").expect("create");
    host.write("data", 0, &[0x61; 5000]).expect("write");
    host.create("tree").expect("create");
    for n in 0..12 {
        host.write("tree", n * 8192, &[0x62; 100]).expect("write");
    }
    host.symlink("short", "dir").expect("symlink");
    host.symlink("long", &"t".repeat(4095)).expect("symlink");
    let mode = FileKind::CharDevice.mode_bits() | 0o640;
    host.mknod("device", mode, 0x103).expect("mknod");
    let node = host.open("data").expect("there");
    let attribute = Xattr {
        name: b"user.golden",
        value: b"yes",
    };
    let set = host
        .fs
        .setxattr(&host.req(), &node, &attribute, XattrFlags::empty());
    set.expect("setxattr");
    drop(node);
    without_old_log(host.unmount())
}

/// The log of an unmounted file system holds what nobody reads any more.
fn without_old_log(disk: MemDisk) -> Image {
    let (start, blocks) = Super::read(&disk, false).expect("valid").geometry.log();
    let mut image = disk.image();
    for block in start.0 + 1..start.0 + blocks {
        image.write(block, 0, &[0; 4096]).expect("inside");
    }
    image
}

fn encode(image: &Image) -> String {
    let mut text = String::new();
    for block in 0..image.blocks() {
        let bytes = image.block(block).expect("inside");
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            let same = bytes[at..]
                .iter()
                .take_while(|other| **other == byte)
                .count();
            if byte != 0 && same >= 8 {
                writeln!(text, "{block} {at} {byte:02x}*{same}").expect("memory");
                at += same;
            } else if byte == 0 {
                at += same;
            } else {
                let end = (at..bytes.len())
                    .find(|end| {
                        let rest = &bytes[*end..];
                        rest.iter().take_while(|other| **other == rest[0]).count() >= 8
                    })
                    .unwrap_or(bytes.len());
                let hex: String = bytes[at..end].iter().map(|b| format!("{b:02x}")).collect();
                writeln!(text, "{block} {at} {hex}").expect("memory");
                at = end;
            }
        }
    }
    text
}

fn decode(text: &str) -> Image {
    let mut image = Image::new(BLOCKS);
    let byte = |hex: &str| u8::from_str_radix(hex, 16).expect("hexadecimal");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let mut number = || {
            words
                .next()
                .and_then(|word| word.parse().ok())
                .expect("a number")
        };
        let (block, at): (u64, usize) = (number(), usize::try_from(number()).expect("small"));
        let hex = words.next().expect("bytes");
        let bytes = match hex.split_once('*') {
            Some((hex, count)) => vec![byte(hex); count.parse().expect("a number")],
            None => hex
                .as_bytes()
                .chunks(2)
                .map(|hex| byte(&String::from_utf8_lossy(hex)))
                .collect(),
        };
        image.write(block, at, &bytes).expect("inside");
    }
    image
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"))
}

fn golden(name: &str, incompat: u32) -> Image {
    let path = path(name);
    if std::env::var("BENTO_GOLDEN").is_ok_and(|what| what == "write") && !path.exists() {
        let head = "# SPDX-License-Identifier: GPL-2.0-only OR MIT\n";
        let text = format!("{head}{}", encode(&make(incompat)));
        std::fs::write(&path, text).expect("written");
    }
    let text = std::fs::read_to_string(&path);
    decode(&text.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

#[test]
fn images_of_every_set_of_features_are_read_and_changed() {
    for (name, incompat) in SETS {
        let image = golden(name, incompat);
        let disk = MemDisk::from_image(image, Caching::Short);
        assert_eq!(Super::read(&disk, false).expect(name).incompat, incompat);
        let report = check(&disk).expect(name);
        assert!(report.is_clean(), "{name}: {:?}", report.findings);
        let host = Host::mount(disk).expect(name);
        assert_eq!(host.read("data"), Ok(vec![0x61; 5000]), "{name}");
        let tree = host.read("tree").expect(name);
        assert!(
            tree[8 * 8192..].starts_with(&[0x62; 100]) && tree[100] == 0,
            "{name}"
        );
        assert_eq!(host.readlink("short"), Ok("dir".into()), "{name}");
        assert_eq!(host.readlink("long"), Ok("t".repeat(4095)), "{name}");
        let names = host.list("dir", 1000).expect(name);
        assert_eq!(names.len(), 30, "{name}");
        assert!(
            (0..30).all(|n| host.open(&format!("dir/{}", long_name(n))).is_ok()),
            "{name}"
        );
        let attr = host
            .fs
            .getattr(&*host.open("device").expect(name))
            .expect(name);
        assert_eq!((attr.rdev, attr.mode & 0o777), (0x103, 0o640), "{name}");
        let mut value = [0; 10];
        let node = host.open("data").expect(name);
        assert_eq!(
            host.fs.getxattr(&node, b"user.golden", &mut value),
            Ok(3),
            "{name}"
        );
        assert!(value.starts_with(b"yes"), "{name}");
        drop(node);

        host.remove(&format!("dir/{}", long_name(7))).expect(name);
        host.create("dir/new").expect(name);
        host.write("dir/new", 0, &pattern(3000, 1)).expect(name);
        host.remove("tree").expect(name);
        let report = check(&host.unmount()).expect(name);
        assert!(report.is_clean(), "{name}, changed: {:?}", report.findings);
    }
}

#[test]
fn the_text_of_an_image_is_the_image() {
    for (name, incompat) in SETS {
        let image = make(incompat);
        assert!(decode(&encode(&image)) == image, "{name}");
    }
}

/// The schemas of which there is a state. A build that raises its schema adds one.
const SCHEMAS: [u32; 1] = [2];

fn plain() -> MemDisk {
    MemDisk::from_image(golden("plain", 0), Caching::Short)
}

fn state(schema: u32) -> Vec<u8> {
    let path = path(&format!("state-{schema}"));
    if std::env::var("BENTO_GOLDEN").is_ok_and(|what| what == "write") && !path.exists() {
        assert_eq!(schema, *Xv6::<MemDisk>::SCHEMA.end(), "another build's");
        let mut out = StateWriter::new();
        let host = Host::mount(plain()).expect("mounts");
        host.fs.export(&mut out).expect("export");
        let hex: String = out.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
        let head = "# SPDX-License-Identifier: GPL-2.0-only OR MIT\n";
        std::fs::write(&path, format!("{head}{hex}\n")).expect("written");
    }
    let text = std::fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let hex = text.lines().last().expect("a line").as_bytes().chunks(2);
    hex.map(|hex| u8::from_str_radix(&String::from_utf8_lossy(hex), 16).expect("hexadecimal"))
        .collect()
}

fn import(disk: &MemDisk, schema: u32, bytes: &[u8]) -> Result<Xv6<MemDisk>> {
    Xv6::import(disk.clone(), &PLAIN, schema, &StateReader::new(bytes)?)
}

#[test]
fn states_of_earlier_builds_are_taken_over() {
    let readable = Xv6::<MemDisk>::SCHEMA;
    assert!(
        SCHEMAS.contains(readable.end()),
        "no state of the schema that this build writes"
    );
    for schema in SCHEMAS {
        let disk = plain();
        let old = Host::mount(disk.clone()).expect("mounts");
        let next = import(&disk, schema, &state(schema));
        if !readable.contains(&schema) {
            assert_eq!(next.err(), Some(Errno::EINVAL), "schema {schema}");
            continue;
        }
        let host = Host::around(next.expect("a good state"), disk);
        assert_eq!(host.free(), old.free(), "schema {schema}");
        drop(old);
        assert_eq!(host.read("data"), Ok(vec![0x61; 5000]), "schema {schema}");
        host.write("new", 0, &[])
            .expect_err("there is no such file");
        host.create("new").expect("create");
        host.write("new", 0, &pattern(9000, 1)).expect("write");
        host.remove("tree").expect("remove");
        let report = check(&host.unmount()).expect("readable");
        assert!(report.is_clean(), "schema {schema}: {:?}", report.findings);
    }
}

/// A later build may say more, in records that this one does not know.
#[test]
fn records_of_the_future_are_skipped() {
    let schema = *Xv6::<MemDisk>::SCHEMA.end();
    let disk = plain();
    let _old = Host::mount(disk.clone()).expect("mounts");
    let mut more = StateWriter::new();
    more.record(77, b"from the future").expect("small");
    let bytes = state(schema);
    for (tag, payload) in StateReader::new(&bytes).expect("well-formed").records() {
        more.record(tag, payload).expect("small");
    }
    more.record(78, &[]).expect("small");
    assert!(import(&disk, schema, more.as_bytes()).is_ok());
    let future = import(&disk, schema + 1, more.as_bytes());
    assert_eq!(future.err(), Some(Errno::EINVAL));
}

proptest! {
    /// Whatever the bytes are: an error or an instance, no panic, and nothing is written.
    #[test]
    fn any_bytes_are_refused_or_taken_over_without_harm(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        noise in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200)),
    ) {
        let schema = *Xv6::<MemDisk>::SCHEMA.end();
        let mut bytes = state(schema);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let bytes = noise.unwrap_or(bytes);
        let disk = plain();
        let before = disk.image();
        if let Ok(fs) = import(&disk, schema, &bytes) {
            prop_assert!(fs.statfs().is_ok());
        }
        prop_assert!(disk.image() == before);
    }
}
