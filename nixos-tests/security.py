# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What ordinary users, root without CAP_SYS_ADMIN and root of a user namespace must not do: load,
# mount, upgrade, write to sysfs, look into debugfs, stop a mount or make it fail. And what any
# user gets to see holds no address of the kernel and no byte that nobody meant to show.
import re

load(inject=True)
format_and_mount("watchdog=60")
first = status("build")
second = load_next()
SYSFS = f"/sys/fs/bentofs/{mount_id()}"
NOBODY = "setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all"
# Root of a user namespace of its own, with all capabilities there.
INSIDE = "setpriv --reuid 65534 --regid 65534 --clear-groups unshare --user --map-root-user --mount"
NO_ADMIN = "setpriv --inh-caps=-sys_admin --bounding-set=-sys_admin"
WHO = {"an ordinary user": NOBODY, "root of a user namespace": INSIDE, "root without CAP_SYS_ADMIN": NO_ADMIN}
machine.succeed(
    "sysctl -q -w kernel.unprivileged_userns_clone=1 || true",
    f"chmod 1777 {MNT}; mkdir /run/mnt; echo secret > {MNT}/secret; chmod 600 {MNT}/secret",
    f"setfattr -n trusted.x -v hidden {MNT}/secret",
)


def denied(who, command):
    code, said = machine.execute(f"{who} bash -c {shlex.quote(command)} 2>&1")
    assert code != 0, f"{who} may do it: {command}"
    assert re.search("operation not permitted|permission denied|must be superuser", said, re.I), said


def perl(program, *args, who=""):
    words = " ".join(shlex.quote(str(arg)) for arg in args)
    return machine.succeed(f"{who} perl -e {shlex.quote(program)} {words}")


for name, who in WHO.items():
    with subtest(f"{name} cannot mount, remount, upgrade, or write to sysfs and debugfs"):
        assert machine.succeed(f"{who} id -u").strip() in ("0", "65534")
        denied(who, f"mount -t xv6 -o failed_wait=1 {DISK} /run/mnt")
        denied(who, "mount -t hello none /run/mnt")
        denied(who, f"mount -o remount,watchdog=1 {MNT}")
        denied(who, f"echo {second} > {SYSFS}/upgrade")
        write_all = "for f in $(find /sys/fs/bentofs -type f); do echo 1 2> /dev/null > $f && echo $f; echo . >&2; done; true"
        assert machine.succeed(f"{who} bash -c {shlex.quote(write_all)} 2> /run/tried") == ""
        assert machine.succeed("cat /run/tried").count(".") > 15
        if who != NO_ADMIN:
            denied(who, "cat /sys/kernel/debug/bentofs/*/latency")
            denied(who, "insmod /etc/bento/next/bento_xv6_*.ko hold=1")
        denied(who, f"echo op=mkdir action=panic > {inject_file()}")
        denied(who, f"echo 1 > /sys/kernel/debug/bentofs/{mount_id()}/latency_enable")

# ioctl(fd, number, 256 bytes of 0xaa); the errno.
IOCTL = """
    sysopen(my $f, $ARGV[0], $ARGV[2] // 0) or die "open: $!";
    my $buf = "\\xaa" x 256;
    print defined(ioctl($f, hex($ARGV[1]), $buf)) ? "OK" : "$!";
"""
SHUTDOWN, TRIM, FIBMAP, SETFLAGS, FREEZE = "8004587d", "c0185879", "1", "40086602", "c0045877"

for name, who in WHO.items():
    with subtest(f"{name} cannot stop, freeze or trim a mount, nor use handles"):
        machine.succeed(f"rm -f {MNT}/own", f"{NOBODY} bash -c 'echo data > {MNT}/own'")
        for number in (SHUTDOWN, TRIM, FREEZE):
            said = perl(IOCTL, f"{MNT}/own", number, who=who)
            assert said in ("Operation not permitted", "Operation not supported"), f"{number}: {said}"
        if who != NO_ADMIN:
            denied(who, f"chattr +i {MNT}/own")
            denied(who, f"setfattr -n trusted.y -v 1 {MNT}/own")
            denied(who, f"cat {MNT}/secret")
        assert "trusted" not in machine.succeed(f"{who} getfattr -m - {MNT}/secret 2>&1 || true"), name
        expect_status(state="active", build=first, panics="0")

with subtest("an ordinary user cannot make it fail"):
    machine.succeed(f"{NOBODY} mkdir {MNT}/odd")
    WILD = """
        my $dir = $ARGV[0];
        srand(7);
        my @sizes = (0, 1, 4095, 4096, 2**31 - 1, 2**31, 2**32, 2**43, 2**62, 2**63 - 4096, -1);
        sub any { $sizes[rand @sizes] }
        my ($text, $value, $calls) = ("x" x 100, "v" x 70000, 0);
        for my $round (1 .. 400) {
            my $name = "$dir/" . ("\\xff" x (1 + rand 260));
            sysopen(my $f, $name, 66, 0666) or next;
            syscall(285, fileno($f), int(rand 128), any(), any());      # fallocate
            syscall(77, fileno($f), any());                             # ftruncate
            syscall(18, fileno($f), $text, 100, any());             # pwrite64
            my $buf = "\\xaa" x 8192;
            syscall(17, fileno($f), $buf, 8192, any());                 # pread64
            ioctl($f, int(rand 2**32), $buf);
            my $key = "user." . ("k" x rand 260);
            syscall(190, fileno($f), $key, $value, int(rand 70000), int(rand 4)); # fsetxattr
            syscall(8, fileno($f), any(), int(rand 6));                 # lseek
            syscall(326, fileno($f), 0, fileno($f), 0, 8192, 0);        # copy_file_range
            my $times = pack("q4", any(), rand 2**30, any(), rand 2**30);
            syscall(280, -100, $name, $times, 0);                       # utimensat
            unlink $name if $round % 3;
            $calls += 9;
        }
        print $calls;
    """
    assert int(perl(WILD, f"{MNT}/odd", who=NOBODY)) > 2000
    expect_status(state="active", panics="0", ops_failed="0")
    machine.succeed(f"rm -rf {MNT}/odd")

with subtest("nothing of the kernel's memory gets out"):
    # Every output buffer is full of 0xaa first; the kernel's fresh memory is full of 0x5a and 0x6b.
    STRUCTS = r"""
        my ($dir) = @ARGV;
        my $file = "$dir/filled";
        my $leak = qr/[\x5a\x6b]{2}/;
        my $n = 0;
        sub clean { my ($what, $bytes) = @_; $n++; die "$what: " . unpack("H*", $bytes) if $bytes =~ $leak; }
        sub zero { my ($what, $bytes) = @_; clean($what, $bytes); die "$what: not zero" if $bytes =~ /[^\0]/; }
        sysopen(my $f, $file, 66, 0644) or die "open: $!";
        syswrite($f, "data") == 4 or die;
        sub buf { "\xaa" x $_[0] }
        # Perl hands ioctl() 256 bytes at least.
        # statx: what is not asked for and all spare fields are zero.
        my $x = buf(256);
        syscall(332, -100, $file, 0, 0xfff, $x) == 0 or die "statx: $!";
        zero("statx spare", substr($x, 0x1e, 2));
        clean("statx", $x);
        # statfs: the spare words.
        my $s = buf(120);
        syscall(137, $dir, $s) == 0 or die "statfs: $!";
        zero("statfs spare", substr($s, 88, 32));
        # FS_IOC_FSGETXATTR: the padding. FS_IOC_GETFLAGS: four bytes, no more.
        my $a = buf(256);
        defined ioctl($f, 0x801c581f, $a) or die "fsgetxattr: $!";
        zero("fsxattr pad", substr($a, 20, 8));
        $a eq substr($a, 0, 28) . buf(228) or die "fsgetxattr wrote too much";
        my $g = buf(256);
        defined ioctl($f, 0x80086601, $g) or die "getflags: $!";
        substr($g, 8) eq buf(248) or die "getflags wrote too much";
        # FIEMAP: reserved words of the head and of each extent.
        my $m = pack("QQLLLL", 0, ~0, 1, 0, 4, 0) . buf(4 * 56);
        defined ioctl($f, 0xc020660b, $m) or die "fiemap: $!";
        my $extents = unpack("L", substr($m, 20, 4));
        $extents == 1 or die "$extents extents";
        zero("fiemap reserved", substr($m, 32 + 24, 16));
        zero("fiemap reserved", substr($m, 32 + 44, 12));
        substr($m, 32 + 56) eq buf(3 * 56) or die "fiemap wrote too much";
        # Names and values: exactly their length.
        my ($key, $value, $link) = ("user.key", "value", "$dir/link");
        syscall(188, $file, $key, $value, 5, 0) == 0 or die "setxattr: $!";
        my $v = buf(300);
        syscall(191, $file, $key, $v, 300) == 5 or die "getxattr: $!";
        $v eq "value" . buf(295) or die "getxattr wrote too much";
        my $l = buf(300);
        my $len = syscall(194, $file, $l, 300);
        $len == 9 && $l eq "user.key\0" . buf(291) or die "listxattr wrote too much ($len)";
        symlink("target", $link) or die;
        my $r = buf(300);
        syscall(89, $link, $r, 300) == 6 && $r eq "target" . buf(294) or die "readlink wrote too much";
        # Directory entries.
        sysopen(my $dh, $dir, 0200000) or die "open: $!";
        my $e = buf(4096);
        my $used = syscall(217, fileno($dh), $e, 4096);
        $used > 0 or die "getdents64: $!";
        clean("getdents64", substr($e, 0, $used));
        substr($e, $used) eq buf(4096 - $used) or die "getdents64 wrote too much";
        # File handles.
        my $h = pack("Ll", 120, 0) . buf(120); my $id = pack("l", 0);
        syscall(303, -100, $file, $h, $id, 0) == 0 or die "name_to_handle_at: $!";
        my $size = unpack("L", $h);
        clean("handle", substr($h, 8, $size));
        substr($h, 8 + $size) eq buf(120 - $size) or die "the handle wrote too much";
        # File data: behind the end, in holes, in space that was never written.
        truncate($f, 100); truncate($f, 20000);
        syscall(285, fileno($f), 1, 0, 65536);
        syscall(285, fileno($f), 0, 65536, 65536) == 0 or die "fallocate: $!";
        seek($f, 4, 0);
        my $data = "";
        1 while sysread($f, $data, 65536, length $data);
        length($data) == 131068 or die "read " . length($data);
        zero("file data", $data);
        print $n;
    """
    assert int(perl(STRUCTS, MNT, who=NOBODY)) > 7
    machine.succeed(f"sync -f {MNT}; echo 3 > /proc/sys/vm/drop_caches", f"rm {MNT}/filled")

with subtest("no address of the kernel in what it prints"):
    machine.succeed(
        "mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing",
        "echo 1 > /sys/kernel/tracing/events/bentofs/enable",
        f"echo 1 > /sys/kernel/debug/bentofs/{mount_id()}/latency_enable",
    )
    upgrade(second)
    arm("op=mkdir action=panic")
    machine.succeed(f"stress op mkdir {MNT}/panics --expect EIO >&2")
    upgrade(first)
    machine.succeed("echo 0 > /sys/kernel/tracing/events/bentofs/enable")
    # 16 digits that begin with ffff; the names of the builds have 8 of their own.
    address = r"grep -rIE '(^|[^0-9a-f])(0x)?ffff[0-9a-f]{12}([^0-9a-f]|$)'"
    machine.succeed(f"{NOBODY} test -r {SYSFS}/ops -a -r {SYSFS}/history -a -r {SYSFS}/dev")
    machine.fail(f"{NOBODY} {address} /sys/fs/bentofs /proc/self/mounts /proc/self/mountinfo")
    machine.fail(f"{address} /sys/fs/bentofs /sys/kernel/debug/bentofs")
    machine.succeed("grep -q op_enter /sys/kernel/tracing/trace; grep -q panic: /sys/kernel/tracing/trace")
    machine.fail(f"{address} /sys/kernel/tracing/trace")
    machine.succeed("dmesg | grep bentofs: > /run/said; grep -q panicked /run/said")
    machine.fail(f"{address} /run/said")

with subtest("what a file system said when it panicked is for administrators, and short"):
    arm("op=mkdir action=panic")
    machine.succeed(f"stress op mkdir {MNT}/panics --expect EIO >&2")
    assert "panic in mkdir: " in status("last_error")
    assert machine.succeed(f"{NOBODY} cat {SYSFS}/last_error") == "panic in mkdir\n"
    upgrade(second)
    # Room for 255 characters, whatever somebody writes.
    machine.fail(f"head -c 4000 /dev/zero | tr '\\0' x > {SYSFS}/upgrade")
    assert len(status("last_error")) < 256
    expect_status(state="active", build=second)

with subtest("who provokes errors cannot flood the kernel's log"):
    machine.succeed(f"mkdir {MNT}/damaged; touch {MNT}/damaged/SOUGHT")
    unmount_and_check()
    where = machine.succeed(f"LC_ALL=C grep -obUaP SOUGHT {DISK} | tail -1 | cut -d: -f1").strip()
    machine.succeed(f"printf JUNK | dd of={DISK} bs=1 seek={where} conv=notrunc,fsync status=none")
    mount()
    before = int(machine.succeed("dmesg | grep -c bentofs:"))
    machine.fail(f"{NOBODY} stat {MNT}/damaged/SOUGHT")
    machine.execute(f"{NOBODY} bash -c 'for i in {{1..400}}; do : < {MNT}/damaged/SOUGHT; done' 2> /dev/null")
    said = int(machine.succeed("dmesg | grep -c bentofs:")) - before
    assert 0 < said < 100, f"{said} lines for 400 errors"
    machine.succeed(f"umount {MNT}")
    kernel_is_quiet()
