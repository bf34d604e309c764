// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Files without a name, whiteouts, `chattr(1)` flags, parents.

mod host;

use bento::prelude::*;
use bento_sim::{Caching, MemDisk};
use host::{Host, fresh, pattern, repeat};
use xv6::check::check;
use xv6::{Node, Xv6};

/// The medium as a power cut right now would leave it, on a new device.
fn crashed(host: &Host<MemDisk>) -> MemDisk {
    MemDisk::from_image(host.dev.image(), Caching::Short)
}

fn unnamed(host: &Host<MemDisk>, dir: &str) -> Entry<Node> {
    let dir = host.open(dir).expect("open");
    let made = host
        .fs
        .tmpfile(&host.req(), &dir, &NewInode::plain(0o100_600));
    made.expect("tmpfile")
}

fn write(host: &Host<MemDisk>, node: &Node, data: &[u8]) {
    let done = bento::mapped::write(host.file(node), &host.req(), 0, data);
    assert_eq!(done, Ok(data.len()));
}

#[test]
fn a_file_without_a_name_goes_when_it_is_closed() {
    let host = fresh(512);
    host.mkdir("d").expect("mkdir");
    let (before, stat) = (host.free(), host.attr("d").expect("stat"));
    let made = unnamed(&host, "d");
    assert_eq!((made.attr.nlink, made.attr.mode), (0, 0o100_600));
    assert_eq!((made.attr.uid, made.attr.gid), (1, 2));
    write(&host, &made.node, &pattern(10_000, 1));
    assert_eq!(host.read_node(&made.node), Ok(pattern(10_000, 1)));
    assert_eq!(
        host.attr("d").expect("stat"),
        stat,
        "the directory is as it was"
    );
    host.fs.sync(&host.req()).expect("sync");
    let report = check(&host.dev).expect("readable");
    assert_eq!((report.orphans, report.is_clean()), (1, true));
    repeat(|| host.fs.forget(&host.req(), &made.node)).expect("forget");
    assert_eq!(host.free(), before);
    host.unmount();
}

#[test]
fn a_file_without_a_name_does_not_survive_a_crash() {
    let host = fresh(512);
    let before = host.free();
    let made = unnamed(&host, "");
    write(&host, &made.node, &pattern(10_000, 1));
    host.fs.sync(&host.req()).expect("sync");
    let host = Host::mount(crashed(&host)).expect("mount");
    assert_eq!(host.free(), before);
    let gone = host.fs.load(made.attr.ino);
    assert_eq!(gone.err(), Some(Errno::ESTALE));
    host.unmount();
}

#[test]
fn a_link_gives_a_file_its_first_name() {
    let host = fresh(512);
    host.mkdir("d").expect("mkdir");
    let made = unnamed(&host, "d");
    write(&host, &made.node, &pattern(10_000, 1));
    let dir = host.open("d").expect("open");
    let link = |name: &[u8]| host.fs.link(&host.req(), &made.node, &dir, name);
    link(b"f").expect("link");
    assert_eq!(host.fs.getattr(&made.node).expect("stat").nlink, 1);
    link(b"g").expect("link");
    // It has a name: this must not free it.
    host.fs.forget(&host.req(), &made.node).expect("forget");
    host.fs.sync(&host.req()).expect("sync");
    let host = Host::mount(crashed(&host)).expect("mount");
    assert_eq!(host.read("d/f"), Ok(pattern(10_000, 1)));
    assert_eq!(host.attr("d/g").expect("stat").nlink, 2);
    assert_eq!(check(&host.unmount()).expect("readable").orphans, 0);
}

#[test]
fn a_file_that_was_freed_gets_no_name() {
    let host = fresh(512);
    let made = unnamed(&host, "");
    repeat(|| host.fs.forget(&host.req(), &made.node)).expect("forget");
    let root = host.open("").expect("open");
    let failed = host.fs.link(&host.req(), &made.node, &root, b"f");
    assert_eq!(failed, Err(Errno::ENOENT));
    drop(root);
    host.unmount();
}

#[test]
fn a_full_disk_has_no_inode_for_a_file_without_a_name() {
    let host = fresh(512);
    let mut n = 0;
    while host.create(&format!("f{n}")).is_ok() {
        n += 1;
    }
    let (before, root) = (host.free(), host.open("").expect("open"));
    let new = NewInode::plain(0o100_600);
    let failed = host.fs.tmpfile(&host.req(), &root, &new);
    assert_eq!(failed.err(), Some(Errno::ENOSPC));
    assert_eq!(host.free(), before);
    drop(root);
    host.unmount();
}

/// A device 0:0 without permissions.
fn assert_whiteout(host: &Host<MemDisk>, path: &str) {
    let attr = host.attr(path).expect("stat");
    let kind = FileKind::CharDevice.mode_bits();
    assert_eq!((attr.mode, attr.rdev, attr.nlink), (kind, 0, 1), "{path}");
    assert_eq!((attr.uid, attr.gid), (1, 2));
}

#[test]
fn a_whiteout_stays_where_a_name_was() {
    let host = fresh(512);
    for path in ["a", "b", "e"] {
        host.mkdir(path).expect("mkdir");
    }
    host.create("a/f").expect("create");
    host.write("a/f", 0, b"text").expect("write");
    host.create("b/old").expect("create");
    host.mkdir("a/sub").expect("mkdir");
    let flags = RenameFlags::WHITEOUT;
    host.rename("a/f", "b/new", flags).expect("to a new name");
    assert_whiteout(&host, "a/f");
    host.rename("b/new", "b/old", flags).expect("over another");
    assert_whiteout(&host, "b/new");
    host.rename("b/old", "b/third", flags)
        .expect("in one directory");
    assert_whiteout(&host, "b/old");
    host.rename("a/sub", "e/sub", flags).expect("a directory");
    assert_whiteout(&host, "a/sub");
    let both = flags | RenameFlags::EXCHANGE;
    assert_eq!(host.rename("a", "b", both), Err(Errno::EINVAL));
    let both = flags | RenameFlags::NOREPLACE;
    assert_eq!(host.rename("b/third", "b/old", both), Err(Errno::EEXIST));
    host.rename("b/third", "b/fourth", both).expect("free name");
    let host = host.remount();
    assert_eq!(host.read("b/fourth"), Ok(b"text".to_vec()));
    assert_eq!(host.names("a"), ["f", "sub"]);
    assert_eq!(host.names("b"), ["fourth", "new", "old", "third"]);
    assert_eq!(
        (
            host.attr("a").expect("stat").nlink,
            host.attr("e").expect("stat").nlink
        ),
        (2, 3)
    );
    assert_whiteout(&host, "b/third");
    for path in ["a/f", "a/sub", "b/old"] {
        host.remove(path)
            .expect("whiteouts are removed as files are");
    }
    host.unmount();
}

#[test]
fn a_whiteout_needs_an_inode_or_nothing_changes() {
    let host = fresh(512);
    host.create("f").expect("create");
    let mut n = 0;
    while host.create(&format!("f{n}")).is_ok() {
        n += 1;
    }
    let names = host.names("");
    let failed = host.rename("f", "g", RenameFlags::WHITEOUT);
    assert_eq!(failed, Err(Errno::ENOSPC));
    assert_eq!(host.names(""), names);
    host.rename("f", "g", RenameFlags::empty())
        .expect("no inode needed");
    host.unmount();
}

fn set_flags(host: &Host<MemDisk>, path: &str, flags: InodeFlags) {
    let mut set = SetAttr::empty();
    (set.mask, set.flags) = (SetAttrMask::FLAGS, flags);
    let node = host.open(path).expect("open");
    host.fs.setattr(&host.req(), &node, &set).expect("setattr");
}

#[test]
fn flags_are_kept_and_inherited_as_with_ext4() {
    let host = fresh(512);
    host.mkdir("d").expect("mkdir");
    let flags = |host: &Host<MemDisk>, path: &str| host.attr(path).expect("stat").flags;
    set_flags(&host, "d", InodeFlags::all());
    host.create("d/file").expect("create");
    host.mkdir("d/dir").expect("mkdir");
    host.symlink("d/link", "target").expect("symlink");
    host.create("plain").expect("create");
    let host = host.remount();
    assert_eq!(flags(&host, "d"), InodeFlags::all());
    let own = InodeFlags::IMMUTABLE | InodeFlags::APPEND;
    assert_eq!(flags(&host, "d/dir"), InodeFlags::all() - own);
    let file = InodeFlags::SYNC | InodeFlags::NODUMP | InodeFlags::NOATIME;
    assert_eq!(flags(&host, "d/file"), file);
    let link = InodeFlags::NODUMP | InodeFlags::NOATIME;
    assert_eq!(flags(&host, "d/link"), link);
    assert_eq!(flags(&host, "plain"), InodeFlags::empty());
    // What means nothing for a kind is left out, as ext4 does.
    set_flags(&host, "plain", InodeFlags::all());
    let all = InodeFlags::all() - InodeFlags::DIRSYNC;
    assert_eq!(flags(&host, "plain"), all);
    set_flags(&host, "d", InodeFlags::empty());
    assert_eq!(flags(&host, "d"), InodeFlags::empty());
    host.create("d/later").expect("create");
    assert_eq!(flags(&host, "d/later"), InodeFlags::empty());
    let host = host.remount();
    assert_eq!(flags(&host, "plain"), all);
    host.unmount();
}

#[test]
fn directories_know_their_parents() {
    let host = fresh(512);
    host.mkdir("a").expect("mkdir");
    host.mkdir("a/b").expect("mkdir");
    host.create("f").expect("create");
    let parent = |path: &str| {
        let node = host.open(path).expect("open");
        host.fs.parent(&node)
    };
    let ino = |path: &str| host.attr(path).expect("stat").ino;
    assert_eq!(parent("a/b"), Ok(ino("a")));
    assert_eq!(parent("a"), Ok(Xv6::<MemDisk>::ROOT));
    assert_eq!(parent("f"), Err(Errno::ENOTDIR));
    host.rename("a/b", "c", RenameFlags::empty())
        .expect("rename");
    assert_eq!(parent("c"), Ok(Xv6::<MemDisk>::ROOT));
    let removed = host.fs_rmdir("c").expect("rmdir");
    assert_eq!(host.fs.parent(&removed), Err(Errno::ESTALE));
    host.close(removed).expect("close");
    host.unmount();
}
