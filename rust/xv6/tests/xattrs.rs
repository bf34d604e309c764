// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Extended attributes, and what a new inode starts with.

mod host;

use bento::prelude::*;
use bento_sim::{Caching, MemDisk};
use host::{Host, assert_clean, fresh, pattern};
use proptest::prelude::*;
use std::collections::BTreeMap;
use xv6::{Node, Xv6};

const ANY: XattrFlags = XattrFlags::empty();

fn set(host: &Host<MemDisk>, node: &Node, name: &str, value: &[u8], flags: XattrFlags) -> Result {
    let name = name.as_bytes();
    host.fs
        .setxattr(&host.req(), node, &Xattr { name, value }, flags)
}

fn get(host: &Host<MemDisk>, node: &Node, name: &str) -> Result<Vec<u8>> {
    let mut out = vec![0xee; 5000];
    let len = host.fs.getxattr(node, name.as_bytes(), &mut out)?;
    assert_eq!(host.fs.getxattr(node, name.as_bytes(), &mut []), Ok(len));
    out.truncate(len);
    Ok(out)
}

fn remove(host: &Host<MemDisk>, node: &Node, name: &str) -> Result {
    host.fs.removexattr(&host.req(), node, name.as_bytes())
}

fn names(host: &Host<MemDisk>, node: &Node) -> Vec<String> {
    let mut out = vec![0xee; 5000];
    let len = host.fs.listxattr(node, &mut out).expect("list");
    assert_eq!(host.fs.listxattr(node, &mut []), Ok(len));
    let text = core::str::from_utf8(&out[..len]).expect("ASCII in tests");
    text.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn attributes_are_kept_by_name_and_survive_a_remount() {
    let host = fresh(1024);
    host.mkdir("d").expect("mkdir");
    host.create("d/f").expect("create");
    for path in ["", "d", "d/f"] {
        let node = host.open(path).expect("open");
        assert!(!host.attr(path).expect("stat").has_xattrs);
        set(&host, &node, "user.b", b"two", ANY).expect("set");
        set(&host, &node, "user.a", b"", ANY).expect("set");
        set(&host, &node, "security.x", &pattern(1000, 3), ANY).expect("set");
        set(&host, &node, "user.b", b"second", ANY).expect("set");
        assert!(host.attr(path).expect("stat").has_xattrs);
    }
    let host = host.remount();
    for path in ["", "d", "d/f"] {
        let node = host.open(path).expect("open");
        assert_eq!(names(&host, &node), ["security.x", "user.a", "user.b"]);
        assert_eq!(get(&host, &node, "user.a"), Ok(vec![]));
        assert_eq!(get(&host, &node, "user.b"), Ok(b"second".to_vec()));
        assert_eq!(get(&host, &node, "security.x"), Ok(pattern(1000, 3)));
        assert_eq!(get(&host, &node, "user.c"), Err(Errno::ENODATA));
        assert_eq!(get(&host, &node, "user."), Err(Errno::ENODATA));
    }
    host.unmount();
}

#[test]
fn create_and_replace_mean_what_they_say() {
    let host = fresh(1024);
    let node = host.create("f").expect("create");
    let replaced = set(&host, &node, "user.a", b"1", XattrFlags::REPLACE);
    assert_eq!(replaced, Err(Errno::ENODATA));
    assert!(!host.attr("f").expect("stat").has_xattrs);
    set(&host, &node, "user.a", b"1", XattrFlags::CREATE).expect("new");
    let created = set(&host, &node, "user.a", b"2", XattrFlags::CREATE);
    assert_eq!(created, Err(Errno::EEXIST));
    assert_eq!(get(&host, &node, "user.a"), Ok(b"1".to_vec()));
    set(&host, &node, "user.a", b"2", XattrFlags::REPLACE).expect("there");
    assert_eq!(get(&host, &node, "user.a"), Ok(b"2".to_vec()));
    let both = set(&host, &node, "user.a", b"3", XattrFlags::all());
    assert_eq!(both, Err(Errno::EINVAL));
    assert_eq!(set(&host, &node, "", b"3", ANY), Err(Errno::EINVAL));
    assert_eq!(remove(&host, &node, "user.b"), Err(Errno::ENODATA));
    host.unmount();
}

#[test]
fn a_change_moves_the_change_time_alone() {
    let host = fresh(1024);
    let node = host.create("f").expect("create");
    let before = host.attr("f").expect("stat");
    set(&host, &node, "user.a", b"1", ANY).expect("set");
    let after = host.attr("f").expect("stat");
    assert!(after.ctime > before.ctime);
    assert_eq!((after.mtime, after.atime), (before.mtime, before.atime));
    remove(&host, &node, "user.a").expect("remove");
    assert!(host.attr("f").expect("stat").ctime > after.ctime);
}

#[test]
fn the_block_is_counted_and_goes_with_the_last_attribute_or_the_inode() {
    let host = fresh(1024);
    let node = host.create("f").expect("create");
    host.write("f", 0, &pattern(4096, 1)).expect("write");
    let before = host.free();
    set(&host, &node, "user.a", b"1", ANY).expect("set");
    set(&host, &node, "user.b", b"2", ANY).expect("set");
    assert_eq!(host.attr("f").expect("stat").blocks, 16);
    assert_eq!(host.free().0, before.0 - 1);
    remove(&host, &node, "user.a").expect("remove");
    assert_eq!(host.free().0, before.0 - 1);
    remove(&host, &node, "user.b").expect("remove");
    assert_eq!(host.free(), before);
    let attr = host.attr("f").expect("stat");
    assert_eq!((attr.blocks, attr.has_xattrs), (8, false));
    assert_eq!(names(&host, &node), [""; 0]);
    set(&host, &node, "user.c", b"3", ANY).expect("set");
    drop(node);
    host.remove("f").expect("remove");
    assert_eq!(host.free(), (before.0 + 1, before.1 + 1));
    host.unmount();
}

#[test]
fn a_full_block_refuses_more_and_keeps_what_it_has() {
    let host = fresh(1024);
    let node = host.create("f").expect("create");
    // Head 16, attribute 4 + 6: that is what a block holds.
    let largest = 4096 - 16 - 10;
    let too_large = set(&host, &node, "user.a", &pattern(largest + 1, 1), ANY);
    assert_eq!(too_large, Err(Errno::ENOSPC));
    assert!(!host.attr("f").expect("stat").has_xattrs);
    assert_eq!(
        set(&host, &node, "user.a", &[0; 65536], ANY),
        Err(Errno::ENOSPC)
    );
    set(&host, &node, "user.a", &pattern(largest, 1), ANY).expect("it fits");
    assert_eq!(set(&host, &node, "user.b", b"", ANY), Err(Errno::ENOSPC));
    let exists = set(&host, &node, "user.a", &[0; 5000], XattrFlags::CREATE);
    assert_eq!(exists, Err(Errno::EEXIST));
    let absent = set(&host, &node, "user.b", &[0; 5000], XattrFlags::REPLACE);
    assert_eq!(absent, Err(Errno::ENODATA));
    assert_eq!(get(&host, &node, "user.a"), Ok(pattern(largest, 1)));
    set(&host, &node, "user.a", b"short", ANY).expect("replaced");
    set(&host, &node, "user.b", b"", ANY).expect("room now");
    host.unmount();
}

#[test]
fn a_full_disk_refuses_the_first_attribute_and_changes_nothing() {
    let host = fresh(128);
    let node = host.create("f").expect("create");
    let mut offset = 0;
    while host.write("f", offset, &[1; 4096]).is_ok() {
        offset += 4096;
    }
    let before = host.attr("f").expect("stat");
    assert_eq!(set(&host, &node, "user.a", b"1", ANY), Err(Errno::ENOSPC));
    assert_eq!(host.attr("f").expect("stat"), before);
    host.unmount();
}

#[test]
fn buffers_that_are_too_small_are_refused() {
    let host = fresh(1024);
    let node = host.create("f").expect("create");
    set(&host, &node, "user.a", b"12345", ANY).expect("set");
    let mut out = [0; 4];
    let name = b"user.a";
    assert_eq!(host.fs.getxattr(&node, name, &mut out), Err(Errno::ERANGE));
    assert_eq!(host.fs.listxattr(&node, &mut out), Err(Errno::ERANGE));
    assert_eq!(out, [0; 4]);
}

/// The same attributes on one inode of every kind.
#[test]
fn new_inodes_start_with_their_attributes() {
    let host = fresh(1024);
    let before = host.free();
    let xattrs = [("user.b", "2"), ("user.a", "1")].map(|(name, value)| Xattr {
        name: name.as_bytes(),
        value: value.as_bytes(),
    });
    let new = |mode| NewInode {
        mode,
        xattrs: &xattrs,
    };
    let root = host.node(Xv6::<MemDisk>::ROOT).expect("root");
    let (fs, req) = (&host.fs, host.req());
    let target = "x".repeat(300);
    let all = [
        fs.create(&req, &root, b"file", &new(0o100_644)),
        fs.mkdir(&req, &root, b"dir", &new(0o040_755)),
        fs.mknod(&req, &root, b"fifo", &new(0o010_600), 0),
        fs.symlink(&req, &root, b"link", target.as_bytes(), &new(0o120_777)),
        fs.tmpfile(&req, &root, &new(0o100_600)),
    ];
    for made in all {
        let made = made.expect("made");
        assert!(made.attr.has_xattrs);
        assert_eq!(names(&host, &made.node), ["user.a", "user.b"]);
        assert_eq!(get(&host, &made.node, "user.a"), Ok(b"1".to_vec()));
        if made.attr.nlink == 0 {
            host::repeat(|| fs.forget(&req, &made.node)).expect("forget");
        }
    }
    let twice = [xattrs[0], xattrs[0]];
    let new = NewInode {
        mode: 0o100_644,
        xattrs: &twice,
    };
    let refused = fs.create(&req, &root, b"twice", &new);
    assert_eq!(refused.err(), Some(Errno::EINVAL));
    assert_eq!(host.names(""), ["dir", "fifo", "file", "link"]);
    drop(root);
    for name in ["file", "fifo", "link"] {
        host.remove(name).expect("remove");
    }
    host.rmdir("dir").expect("rmdir");
    assert_eq!(
        host.free(),
        (before.0 - 1, before.1),
        "all but the root's block"
    );
    host.unmount();
}

#[test]
fn what_was_synced_survives_a_crash() {
    let host = fresh(1024);
    let node = host.create("f").expect("create");
    set(&host, &node, "user.a", b"1", ANY).expect("set");
    host.fs.fsync(&host.req(), &node, false).expect("fsync");
    set(&host, &node, "user.a", b"2", ANY).expect("set");
    remove(&host, &node, "user.a").expect("remove");
    let disk = MemDisk::from_image(host.dev.image(), Caching::Short);
    let host = Host::mount(disk).expect("mount");
    let node = host.open("f").expect("open");
    assert_eq!(get(&host, &node, "user.a"), Ok(b"1".to_vec()));
    drop(node);
    assert_clean(&host.unmount());
}

#[derive(Clone, Debug)]
enum Op {
    Set(String, usize, u64),
    Remove(String),
}

fn op() -> impl Strategy<Value = Op> {
    let name = "[a-d]{1,2}".prop_map(|suffix| format!("user.{suffix}"));
    let len = prop_oneof![4 => 0..200usize, 1 => 0..4200usize];
    prop_oneof![
        3 => (name.clone(), len, 0..9u64).prop_map(|(name, len, seed)| Op::Set(name, len, seed)),
        1 => name.prop_map(Op::Remove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn attributes_are_what_a_map_would_be(ops in proptest::collection::vec(op(), 1..120)) {
        let host = fresh(512);
        let node = host.create("f").expect("create");
        let mut model: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for op in &ops {
            match op {
                Op::Set(name, len, seed) => {
                    let value = pattern(*len, *seed);
                    let mut next = model.clone();
                    next.insert(name.clone(), value.clone());
                    let used: usize = next.iter().map(|(n, v)| 4 + n.len() + v.len()).sum();
                    let done = set(&host, &node, name, &value, ANY);
                    prop_assert_eq!(done, if used <= 4080 { Ok(()) } else { Err(Errno::ENOSPC) });
                    if done.is_ok() {
                        model = next;
                    }
                }
                Op::Remove(name) => {
                    let there = model.remove(name).is_some();
                    let done = remove(&host, &node, name);
                    prop_assert_eq!(done, if there { Ok(()) } else { Err(Errno::ENODATA) });
                }
            }
            prop_assert_eq!(host.attr("f").expect("stat").has_xattrs, !model.is_empty());
        }
        drop(node);
        let host = host.remount();
        let node = host.open("f").expect("open");
        prop_assert_eq!(names(&host, &node), model.keys().cloned().collect::<Vec<_>>());
        for (name, value) in &model {
            prop_assert_eq!(&get(&host, &node, name).expect("get"), value);
        }
    }
}
