// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `hello`, and a file system that panics, mounted through FUSE.

use crate::support::{TempDir, in_mount_test};
use bento::NoDevice;
use bento::prelude::*;
use bento_fuse::{Host, HostDevice, Mounted, Settings, serve};
use core::time::Duration;
use hello::{GREETING, Hello};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::process::Command;

fn mount<F: FileSystem<Device = NoDevice>>(dir: &TempDir) -> Mounted
where
    NoDevice: HostDevice,
{
    let options = MountOptions::DEFAULT;
    let host = Host::<F>::mount(NoDevice, &options).expect("mount");
    let settings = Settings {
        source: "none".into(),
        subtype: F::NAME.into(),
        read_only: false,
        allow_other: false,
        commit: Duration::from_secs(5),
        flags: vec![],
    };
    serve(host, dir.path(), &settings).expect("FUSE mount")
}

fn errno(result: io::Result<impl Sized>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

#[test]
fn hello_can_be_read_written_cut_and_listed() {
    if !in_mount_test("hello_mount::hello_can_be_read_written_cut_and_listed") {
        return;
    }
    let dir = TempDir::new();
    let mounted = mount::<Hello>(&dir);
    let file = dir.path().join("hello");

    let names = fs::read_dir(dir.path())
        .expect("readdir")
        .map(|e| e.expect("entry").file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["hello"]);
    assert_eq!(fs::read(&file).expect("read"), GREETING);

    let open = OpenOptions::new()
        .read(true)
        .append(true)
        .open(&file)
        .expect("open");
    (&open).write_all(b"more").expect("append");
    open.write_all_at(b"J", 0).expect("pwrite");
    let expected = [GREETING, b"moreJ"].concat();
    assert_eq!(
        fs::read(&file).expect("read"),
        expected,
        "O_APPEND ignores the offset"
    );
    open.set_len(5).expect("ftruncate");
    assert_eq!(fs::read(&file).expect("read"), b"Hello");
    open.sync_all().expect("fsync");

    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("chmod");
    let stat = fs::metadata(&file).expect("stat");
    assert_eq!((stat.mode(), stat.size(), stat.nlink()), (0o100_600, 5, 1));
    assert!(stat.mtime() > 1_600_000_000, "a write sets the time");

    assert_eq!(
        errno(fs::write(dir.path().join("new"), b"")),
        Some(Errno::EPERM.raw())
    );
    assert_eq!(errno(fs::remove_file(&file)), Some(Errno::EPERM.raw()));
    let missing = fs::read(dir.path().join("other")).expect_err("no such file");
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    drop(open);
    mounted.unmount().expect("unmount");
    assert_eq!(
        fs::read_dir(dir.path()).expect("readdir").count(),
        0,
        "unmounted"
    );
}

#[test]
fn what_the_file_system_does_not_offer_is_not_supported() {
    use rustix::fs::{FallocateFlags, IFlags, XattrFlags, fallocate, ioctl_setflags};
    use rustix::io::Errno as Os;
    if !in_mount_test("hello_mount::what_the_file_system_does_not_offer_is_not_supported") {
        return;
    }
    let dir = TempDir::new();
    let mounted = mount::<Hello>(&dir);
    let path = dir.path().join("hello");
    let file = OpenOptions::new().write(true).open(&path).expect("open");
    // Twice: the second answer may be the kernel's.
    for _ in 0..2 {
        let set = rustix::fs::fsetxattr(&file, "user.a", b"1", XattrFlags::empty());
        assert_eq!(set, Err(Os::OPNOTSUPP));
        let get = rustix::fs::fgetxattr(&file, "user.a", [0u8; 9].as_mut_slice());
        assert_eq!(get, Err(Os::OPNOTSUPP));
        let allocated = fallocate(&file, FallocateFlags::empty(), 0, 4096);
        assert_eq!(allocated, Err(Os::OPNOTSUPP));
        assert_eq!(ioctl_setflags(&file, IFlags::NODUMP), Err(Os::OPNOTSUPP));
    }
    let trimmed = Command::new("fstrim").arg(dir.path()).output();
    let trimmed = trimmed.expect("fstrim(8) of util-linux");
    assert!(!trimmed.status.success(), "{trimmed:?}");
    drop(file);
    mounted.unmount().expect("unmount");
}

/// `hello`, but looking up the name `bomb` panics.
struct Bomb(Hello);

impl FileSystem for Bomb {
    type Device = NoDevice;
    type Node = InodeNo;
    const NAME: &'static str = "bomb";
    const VERSION: &'static str = Hello::VERSION;
    const OPS: OpSet = Hello::OPS;
    const MAX_FILE_SIZE: u64 = Hello::MAX_FILE_SIZE;

    fn mount(dev: NoDevice, options: &MountOptions<'_>) -> Result<Self> {
        Hello::mount(dev, options).map(Self)
    }
    fn statfs(&self) -> Result<StatFs> {
        self.0.statfs()
    }
    fn load(&self, ino: InodeNo) -> Result<Entry<InodeNo>> {
        self.0.load(ino)
    }
    fn lookup(&self, req: &Request, dir: &InodeNo, name: &[u8]) -> Result<InodeNo> {
        assert!(name != b"bomb", "this panic is part of the test");
        self.0.lookup(req, dir, name)
    }
    fn getattr(&self, node: &InodeNo) -> Result<Attr> {
        self.0.getattr(node)
    }
    fn readdir(&self, req: &Request, dir: &InodeNo, at: u64, out: &mut DirBuf<'_>) -> Result {
        self.0.readdir(req, dir, at, out)
    }
    fn read(&self, req: &Request, node: &InodeNo, at: u64, out: &mut [u8]) -> Result<usize> {
        self.0.read(req, node, at, out)
    }
}

#[test]
fn a_panic_gives_eio_and_the_mount_can_be_unmounted() {
    if !in_mount_test("hello_mount::a_panic_gives_eio_and_the_mount_can_be_unmounted") {
        return;
    }
    let dir = TempDir::new();
    let mounted = mount::<Bomb>(&dir);
    assert_eq!(fs::read(dir.path().join("hello")).expect("read"), GREETING);
    let eio = Some(Errno::EIO.raw());
    assert_eq!(
        errno(fs::metadata(dir.path().join("bomb"))),
        eio,
        "the call that panics"
    );
    assert_eq!(
        errno(fs::metadata(dir.path().join("other"))),
        eio,
        "every later call"
    );
    assert_eq!(
        errno(fs::read_dir(dir.path()).and_then(|mut d| d.next().transpose())),
        eio
    );
    let last = mounted
        .unmount()
        .expect_err("the last sync has no file system to ask");
    assert_eq!(last.raw_os_error(), eio);
}
