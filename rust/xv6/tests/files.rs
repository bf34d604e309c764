// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What users see of files and names.

mod host;

use bento::{Errno, RenameFlags};
use host::{fresh, pattern};

#[test]
fn files_keep_their_contents_over_a_remount() {
    let host = fresh(1024);
    host.mkdir("a").expect("mkdir");
    host.create("a/f").expect("create");
    let data = pattern(100_000, 1);
    assert_eq!(host.write("a/f", 5, &data), Ok(data.len()));
    let mut expected = vec![0; 5];
    expected.extend(&data);
    assert_eq!(host.read("a/f"), Ok(expected.clone()));
    let host = host.remount();
    assert_eq!(host.read("a/f"), Ok(expected));
    assert_eq!(host.names(""), ["a"]);
    assert_eq!(host.attr("a/f").expect("stat").blocks, 8 * 25);
}

#[test]
fn removing_everything_gives_everything_back() {
    let host = fresh(1024);
    let before = host.free();
    host.mkdir("d").expect("mkdir");
    for n in 0..50 {
        let path = format!("d/file-{n}");
        host.create(&path).expect("create");
        host.write(&path, 0, &pattern(5000, n)).expect("write");
    }
    assert_eq!(host.rmdir("d"), Err(Errno::ENOTEMPTY));
    for n in 0..50 {
        host.remove(&format!("d/file-{n}")).expect("remove");
    }
    assert_eq!(host.names("d"), [""; 0]);
    host.rmdir("d").expect("rmdir");
    assert_eq!(host.attr("").expect("root").nlink, 2);
    // The root keeps the block of its first entry.
    assert_eq!(host.free(), (before.0 - 1, before.1));
    let host = host.remount();
    assert_eq!(host.free(), (before.0 - 1, before.1));
}

#[test]
fn rename_over_an_open_file_keeps_its_data() {
    let host = fresh(1024);
    for name in ["old", "new"] {
        host.create(name).expect("create");
        host.write(name, 0, name.as_bytes()).expect("write");
    }
    let open = host.open("new").expect("open");
    host.rename("old", "new", RenameFlags::empty())
        .expect("rename");
    assert_eq!(host.read_node(&open), Ok(b"new".to_vec()));
    assert_eq!(host.read("new"), Ok(b"old".to_vec()));
    assert_eq!(host.names(""), ["new"]);
}
