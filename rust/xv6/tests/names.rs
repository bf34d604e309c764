// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Directories, links, special files and renaming.

mod host;

use bento::{Errno, FileKind, NewInode, RenameFlags, Timespec};
use host::fresh;
use std::collections::BTreeSet;

const MOVE: RenameFlags = RenameFlags::empty();

#[test]
fn a_new_file_has_the_attributes_of_its_creator_and_its_moment() {
    let host = fresh(1024);
    host.create("f").expect("create");
    let attr = host.attr("f").expect("stat");
    assert_eq!(
        (attr.uid, attr.gid, attr.nlink, attr.mode),
        (1, 2, 1, 0o100_644)
    );
    assert_eq!(attr.mtime.nsec, 7);
    assert_eq!([attr.atime, attr.ctime, attr.btime], [attr.mtime; 3]);
    assert_eq!(host.attr("").expect("stat").mtime, attr.mtime);
    let sec = attr.mtime.sec;
    let host = host.remount();
    assert_eq!(
        host.attr("f").expect("stat").btime,
        Timespec { sec, nsec: 7 }
    );
}

#[test]
fn cookies_stay_while_neighbours_go() {
    let host = fresh(1024);
    let names: Vec<_> = (0..200).map(|n| format!("name-{n:04}")).collect();
    host.create("f").expect("create");
    for name in &names {
        host.link("f", name).expect("link");
    }
    let before = host.list("", 4096).expect("readdir");
    assert_eq!(before.len(), 201);
    let cookies: BTreeSet<_> = before.iter().map(|(_, cookie)| *cookie).collect();
    assert_eq!(cookies.len(), 201, "cookies differ");
    assert!(cookies.iter().all(|cookie| *cookie >= 2));
    assert_eq!(
        host.list("", 64).expect("readdir"),
        before,
        "one entry at a time"
    );
    let goes = |(name, cookie): &&(String, u64)| cookie % 3 == 0 && name != "f";
    for (name, _) in before.iter().filter(goes) {
        host.remove(name).expect("remove");
    }
    let after = host.list("", 4096).expect("readdir");
    let kept: Vec<_> = before
        .iter()
        .filter(|entry| !goes(entry))
        .cloned()
        .collect();
    assert_eq!(after, kept);
    // Freed space is used again before the directory grows.
    let size = host.attr("").expect("stat").size;
    for n in 0..30 {
        host.link("f", &format!("new-{n:05}")).expect("link");
    }
    assert_eq!(host.attr("").expect("stat").size, size);
    let all = host.list("", 4096).expect("readdir");
    assert!(kept.iter().all(|entry| all.contains(entry)));
    host.unmount();
}

#[test]
fn names_of_all_lengths_and_bytes_are_kept() {
    let host = fresh(1024);
    host.create("f").expect("create");
    for len in 1..=255 {
        host.link("f", &"\u{7f}".repeat(len)).expect("link");
    }
    assert_eq!(host.link("f", &"x".repeat(256)), Err(Errno::ENAMETOOLONG));
    assert_eq!(host.names("").len(), 256);
    let host = host.remount();
    for len in 1..=255 {
        assert_eq!(host.attr(&"\u{7f}".repeat(len)).expect("stat").nlink, 256);
    }
    host.unmount();
}

#[test]
fn hard_links_are_one_file_until_the_last_goes() {
    let host = fresh(1024);
    host.create("a").expect("create");
    host.write("a", 0, b"data").expect("write");
    host.mkdir("d").expect("mkdir");
    host.link("a", "d/b").expect("link");
    assert_eq!(host.link("d", "e"), Err(Errno::EPERM));
    assert_eq!(host.link("a", "d/b"), Err(Errno::EEXIST));
    assert_eq!(host.attr("d/b").expect("stat").nlink, 2);
    host.remove("a").expect("remove");
    assert_eq!(host.read("d/b"), Ok(b"data".to_vec()));
    let before = host.free();
    host.remove("d/b").expect("remove");
    assert_eq!(host.free(), (before.0 + 1, before.1 + 1));
    host.unmount();
}

#[test]
fn symbolic_links_keep_targets_of_every_length() {
    let host = fresh(1024);
    for len in [1, 127, 128, 129, 4095] {
        let target = "t".repeat(len);
        host.symlink(&format!("l{len}"), &target).expect("symlink");
        assert_eq!(host.readlink(&format!("l{len}")), Ok(target));
        let blocks = if len > 128 { 8 } else { 0 };
        assert_eq!(host.attr(&format!("l{len}")).expect("stat").blocks, blocks);
    }
    assert_eq!(
        host.symlink("l", &"t".repeat(4096)).err(),
        Some(Errno::ENAMETOOLONG)
    );
    assert_eq!(host.symlink("l", "").err(), Some(Errno::EINVAL));
    assert_eq!(host.readlink("").err(), Some(Errno::EINVAL));
    let before = host.free();
    let host = host.remount();
    assert_eq!(host.readlink("l4095"), Ok("t".repeat(4095)));
    host.remove("l4095").expect("remove");
    assert_eq!(host.free(), (before.0 + 1, before.1 + 1));
    host.unmount();
}

#[test]
fn special_files_keep_kind_and_device_number() {
    let host = fresh(1024);
    let kinds = [
        (FileKind::Fifo, 0),
        (FileKind::Socket, 0),
        (FileKind::CharDevice, 0x0501),
        (FileKind::BlockDevice, 0xfff0_00ff),
    ];
    for (n, (kind, rdev)) in kinds.iter().enumerate() {
        host.mknod(&format!("n{n}"), kind.mode_bits() | 0o4711, *rdev)
            .expect("mknod");
    }
    assert_eq!(host.mknod("d", 0o040_755, 0).err(), Some(Errno::EINVAL));
    let host = host.remount();
    for (n, (kind, rdev)) in kinds.iter().enumerate() {
        let attr = host.attr(&format!("n{n}")).expect("stat");
        assert_eq!((attr.kind(), attr.mode & 0o7777), (Some(*kind), 0o4711));
        assert_eq!((attr.rdev, attr.size), (*rdev, 0));
    }
    host.unmount();
}

#[test]
fn renaming_moves_files_and_directories_with_their_counts() {
    let host = fresh(1024);
    for dir in ["a", "b", "a/sub"] {
        host.mkdir(dir).expect("mkdir");
    }
    host.create("a/f").expect("create");
    host.rename("a/f", "b/g", MOVE).expect("rename");
    host.rename("a/sub", "b/sub", MOVE).expect("rename");
    assert_eq!(
        (host.names("a"), host.names("b")),
        (vec![], vec!["g".into(), "sub".into()])
    );
    assert_eq!(host.attr("a").expect("stat").nlink, 2);
    assert_eq!(host.attr("b").expect("stat").nlink, 3);
    host.rename("b/sub", "b/longer-name-than-before", MOVE)
        .expect("rename");
    let host = host.remount();
    // Over an empty directory, and not over one with entries.
    host.mkdir("c").expect("mkdir");
    assert_eq!(host.rename("c", "b", MOVE), Err(Errno::ENOTEMPTY));
    host.rename("b", "a", MOVE).expect("rename");
    assert_eq!(host.attr("").expect("stat").nlink, 4);
    assert_eq!(host.names("a"), ["g", "longer-name-than-before"]);
    host.create("file").expect("create");
    assert_eq!(host.rename("file", "a", MOVE), Err(Errno::EISDIR));
    assert_eq!(host.rename("a", "file", MOVE), Err(Errno::ENOTDIR));
    assert_eq!(
        host.rename("file", "a/g", RenameFlags::NOREPLACE),
        Err(Errno::EEXIST)
    );
    host.rename("file", "a/new", RenameFlags::NOREPLACE)
        .expect("rename");
    // Onto another name of the same inode nothing happens.
    host.link("a/new", "same").expect("link");
    host.rename("same", "a/new", MOVE).expect("rename");
    assert_eq!(host.names(""), ["a", "c", "same"]);
    host.unmount();
}

#[test]
fn exchanging_swaps_a_file_and_a_directory_of_two_parents() {
    let host = fresh(1024);
    host.mkdir("p").expect("mkdir");
    host.mkdir("p/dir").expect("mkdir");
    host.create("p/dir/inside").expect("create");
    host.create("file").expect("create");
    assert_eq!(
        host.rename("file", "none", RenameFlags::EXCHANGE),
        Err(Errno::ENOENT)
    );
    host.rename("file", "p/dir", RenameFlags::EXCHANGE)
        .expect("exchange");
    assert_eq!(host.names("file"), ["inside"]);
    assert_eq!(
        host.attr("p/dir").expect("stat").kind(),
        Some(FileKind::Regular)
    );
    assert_eq!(host.attr("p").expect("stat").nlink, 2);
    assert_eq!(host.attr("").expect("stat").nlink, 4);
    host.rename("p", "file", RenameFlags::EXCHANGE)
        .expect("exchange within one directory");
    assert_eq!(host.names("p"), ["inside"]);
    let host = host.remount();
    assert_eq!(host.names("file"), ["dir"]);
    host.unmount();
}

#[test]
fn a_removed_directory_takes_no_new_names() {
    let host = fresh(1024);
    let dir = host.mkdir("d").expect("mkdir");
    host.fs_rmdir("d").expect("rmdir");
    let req = host.req();
    let made = bento::FileSystem::create(&host.fs, &req, &dir, b"f", &NewInode::plain(0o100_644));
    assert_eq!(made.err(), Some(Errno::ENOENT));
    let found = bento::FileSystem::lookup(&host.fs, &req, &dir, b"f");
    assert_eq!(found.err(), Some(Errno::ENOENT));
    drop(dir);
    host.unmount();
}

#[test]
fn wrong_kinds_are_refused() {
    let host = fresh(1024);
    host.mkdir("d").expect("mkdir");
    host.create("f").expect("create");
    assert_eq!(host.unlink("d").err(), Some(Errno::EISDIR));
    assert_eq!(host.rmdir("f"), Err(Errno::ENOTDIR));
    assert_eq!(host.create("f/x").err(), Some(Errno::ENOTDIR));
    assert_eq!(host.truncate("d", 0), Err(Errno::EISDIR));
    assert_eq!(host.list("f", 4096).err(), Some(Errno::ENOTDIR));
    assert_eq!(host.create("f").err(), Some(Errno::EEXIST));
    host.unmount();
}
