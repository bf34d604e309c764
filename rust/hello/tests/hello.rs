// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `hello` as a host sees it.

use bento::prelude::*;
use bento::{NoDevice, dirbuf};
use hello::{GREETING, Hello};

const ROOT: InodeNo = Hello::ROOT;
const FILE: InodeNo = InodeNo(2);

fn options(text: &str) -> MountOptions<'_> {
    MountOptions {
        text,
        ..MountOptions::DEFAULT
    }
}

fn mounted() -> Hello {
    Hello::mount(NoDevice, &options("")).expect("nothing can fail")
}

fn text_of(fs: &Hello) -> Vec<u8> {
    let mut text = vec![0; 8192];
    let len = fs.read(&Request::default(), &FILE, 0, &mut text);
    text.truncate(len.expect("read"));
    text
}

fn resize(fs: &Hello, size: u64) -> Result {
    let mask = SetAttrMask::SIZE;
    let set = SetAttr {
        mask,
        size,
        ..SetAttr::empty()
    };
    fs.setattr(&Request::default(), &FILE, &set)
}

#[test]
fn the_directory_lists_one_file_once() {
    let (fs, req) = (mounted(), Request::default());
    let mut memory = [0; 64];
    let mut out = DirBuf::new(&mut memory);
    fs.readdir(&req, &ROOT, 0, &mut out).expect("readdir");
    let used = out.used();
    let all: Vec<_> = dirbuf::records(&memory[..used]).collect();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].ino, all[0].name), (FILE, &b"hello"[..]));
    assert_eq!(fs.lookup(&req, &ROOT, all[0].name), Ok(FILE));

    let behind = all[0].cookie;
    let mut memory = [0; 64];
    let mut out = DirBuf::new(&mut memory);
    fs.readdir(&req, &ROOT, behind, &mut out).expect("readdir");
    assert_eq!(out.used(), 0);
    assert_eq!(fs.lookup(&req, &ROOT, b"other"), Err(Errno::ENOENT));
    assert_eq!(fs.load(InodeNo(3)).err(), Some(Errno::ESTALE));
}

#[test]
fn writes_extend_and_a_gap_reads_as_zeros() {
    let (fs, req) = (mounted(), Request::default());
    assert_eq!(text_of(&fs), GREETING);
    assert_eq!(fs.write(&req, &FILE, 0, b"Jello"), Ok(5));
    assert_eq!(text_of(&fs), b"Jello from Bento!\n");
    assert_eq!(fs.write(&req, &FILE, 20, b"x"), Ok(1));
    assert_eq!(text_of(&fs), b"Jello from Bento!\n\0\0x");
    assert_eq!(fs.load(FILE).expect("load").attr.size, 21);
    assert_eq!(fs.read(&req, &FILE, u64::MAX, &mut [0; 4]), Ok(0));
}

#[test]
fn sizes_behind_the_limit_are_refused_and_change_nothing() {
    let (fs, req) = (mounted(), Request::default());
    for offset in [Hello::MAX_FILE_SIZE, u64::MAX] {
        assert_eq!(fs.write(&req, &FILE, offset, b"x"), Err(Errno::EFBIG));
    }
    assert_eq!(resize(&fs, Hello::MAX_FILE_SIZE + 1), Err(Errno::EFBIG));
    assert_eq!(text_of(&fs), GREETING);
    resize(&fs, Hello::MAX_FILE_SIZE).expect("the limit itself is allowed");
    resize(&fs, 5).expect("shrinks");
    assert_eq!(text_of(&fs), b"Hello");
    assert_eq!(fs.getattr(&FILE).expect("getattr").blocks, 1);
}

#[test]
fn the_text_crosses_an_upgrade_and_a_damaged_state_is_refused() {
    let (old, req) = (mounted(), Request::default());
    old.write(&req, &FILE, 0, b"HELLO").expect("write");
    let mut out = StateWriter::new();
    old.export(&mut out).expect("export");
    let state = StateReader::new(out.as_bytes()).expect("well-formed");
    let new = Hello::import(NoDevice, &options(""), 1, &state).expect("import");
    assert_eq!(text_of(&new), b"HELLO from Bento!\n");
    assert_eq!(text_of(&old), text_of(&new), "export changes nothing");

    let empty = StateReader::new(&[]).expect("no records");
    let refused = Hello::import(NoDevice, &options(""), 1, &empty).err();
    assert_eq!(refused, Some(Errno::EINVAL));
}

#[test]
fn unknown_mount_options_are_refused() {
    let refused = Hello::mount(NoDevice, &options("shout")).err();
    assert_eq!(refused, Some(Errno::EINVAL));
}
