# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Mount options do what they say, /proc/mounts shows them, and a wrong value is named; freezing,
# and the shutdown that tests of file systems use.
load()
format_and_mount()
machine.succeed(f"echo text > {MNT}/file; umount {MNT}")


def shown():
    return machine.succeed(f"awk '$2 == \"{MNT}\" {{ print $4 }}' /proc/mounts").strip().split(",")


with subtest("what is not the default is shown, and can be changed"):
    mount("errors=remount-ro,commit=30,nobarrier")
    assert {"errors=remount-ro", "commit=30", "nobarrier"} <= set(shown()), shown()
    machine.succeed(f"mount -o remount,commit=7,barrier,errors=continue {MNT}")
    assert "commit=7" in shown() and "nobarrier" not in shown(), shown()
    machine.succeed(f"umount {MNT}")
    mount()
    assert not {"nobarrier", "commit=7"} & set(shown()), shown()
    machine.succeed(f"umount {MNT}")

with subtest("a wrong value is named"):
    for option in ("errors=perhaps", "commit=soon", "commit=-1", "norecovery"):
        machine.succeed("dmesg -C")
        machine.fail(f"mount -t xv6 -o {option} {DISK} {MNT}")
        machine.succeed(f"dmesg | grep -q {option.split('=')[0]}")

with subtest("commit: a change is on the disk after so many seconds, without a sync"):
    mount("commit=1")
    machine.succeed(f"mkdir {MNT}/soon; sleep 4")
    machine.crash()
    load()
    mount()
    machine.succeed(f"test -d {MNT}/soon; umount {MNT}")

with subtest("norecovery: the log is left as it is"):
    mount()
    machine.succeed(f"mkdir {MNT}/later; sync -f {MNT}")
    machine.crash()
    load()
    before = machine.succeed(f"sha256sum < {DISK}")
    mount("ro,norecovery")
    assert {"ro", "norecovery"} <= set(shown()), shown()
    machine.succeed(f"cat {MNT}/file >&2; umount {MNT}")
    assert machine.succeed(f"sha256sum < {DISK}") == before
    mount()
    machine.succeed(f"test -d {MNT}/later")
    unmount_and_check()

with subtest("errors=remount-ro: a damaged directory makes the mount read-only, and no worse"):
    mount()
    machine.succeed(f"mkdir {MNT}/bad; touch {MNT}/bad/x; sync -f {MNT}")
    where = machine.succeed(f"umount {MNT}; LC_ALL=C grep -obUaP 'XDIR' {DISK} | tail -1 | cut -d: -f1").strip()
    machine.succeed(f"printf JUNK | dd of={DISK} bs=1 seek={where} conv=notrunc,fsync status=none")
    mount("errors=remount-ro")
    machine.fail(f"ls {MNT}/bad", f"touch {MNT}/bad/y")
    assert "ro" in shown(), shown()
    machine.fail(f"touch {MNT}/new 2> /run/error")
    machine.succeed("grep -q 'Read-only' /run/error", f"cat {MNT}/file >&2", f"umount {MNT}")
    machine.succeed("dmesg | grep -E 'bentofs: .*(read-only|remount)' >&2")
    machine.succeed(f"mkfs.xv6 -q -f {DISK}")

with subtest("fsync of what is durable does no I/O; of data that was overwritten it flushes"):
    mount("noatime,commit=300")

    def after(command):
        """Writes and flushes of the disk that COMMAND caused."""
        stat = f"cat /sys/block/{mount_id()}/stat"
        one, two = (line.split() for line in machine.succeed(f"{stat}; ({command}) >&2; {stat}").splitlines())
        return int(two[4]) - int(one[4]), int(two[15]) - int(one[15])

    writes, flushes = after(f"dd if=/dev/zero of={MNT}/kept bs=64k count=4 conv=fsync")
    assert writes > 0 and flushes > 0, (writes, flushes)
    for what in ("kept", ""):
        assert after(f"for n in 1 2 3; do sync {MNT}/{what}; done") == (0, 0)
    machine.succeed(f"touch {MNT}/another")
    assert after(f"sync {MNT}/kept") == (0, 0), "only another file has changed"
    for flags in ("", "oflag=direct"):
        overwrite = f"dd if=/dev/urandom of={MNT}/kept bs=64k count=4 conv=notrunc"
        writes, flushes = after(f"{overwrite},fdatasync {flags}")
        assert writes > 0 and flushes > 0, (flags, writes, flushes)
        # The times, too: from then on there is nothing to write.
        machine.succeed(f"sync {MNT}/kept")
        assert after(f"sync {MNT}/kept; sync -d {MNT}/kept") == (0, 0)
    # Written back by others, and no longer in memory when somebody asks.
    machine.succeed("sysctl -q vm.dirty_writeback_centisecs=20 vm.dirty_expire_centisecs=20")
    machine.succeed(f"{overwrite}; sleep 3; echo 2 > /proc/sys/vm/drop_caches")
    writes, flushes = after(f"sync -d {MNT}/kept")
    assert flushes > 0, (writes, flushes)
    machine.succeed(f"umount {MNT}")

with subtest("lazytime: times stay in memory until they have to be written"):
    mount("lazytime,strictatime")
    assert "lazytime" in shown(), shown()
    machine.succeed(f"echo text > {MNT}/lazy; sync -f {MNT}; sleep 1.1; cat {MNT}/lazy")
    accessed = machine.succeed(f"stat -c %x {MNT}/lazy")
    machine.succeed(f"umount {MNT}")
    mount("noatime")
    assert machine.succeed(f"stat -c %x {MNT}/lazy") == accessed
    machine.succeed(f"umount {MNT}")

with subtest("lazytime: what expires, or is synced, is on the disk; what is not is lost with the power"):
    mount("lazytime,strictatime,commit=1")
    machine.succeed(f"cd {MNT}; touch expired synced young; touch -a -d 2001-01-01 expired synced young; sync -f .")
    # As after twelve hours. (Setting it looks for expired ones at once, and then in each interval.)
    machine.succeed(f"cat {MNT}/expired; sleep 2; sysctl -q vm.dirtytime_expire_seconds=1; sleep 6; sysctl -q vm.dirtytime_expire_seconds=43200")
    machine.succeed(f"cat {MNT}/synced; sync -f {MNT}; cat {MNT}/young; test $(stat -c %X {MNT}/young) -gt 1500000000; sleep 8")
    machine.crash()
    load()
    mount("noatime")
    times = [int(time) > 1500000000 for time in machine.succeed(f"cd {MNT}; stat -c %X expired synced young").split()]
    assert times == [True, True, False], times
    machine.succeed(f"umount {MNT}")

with subtest("a frozen file system waits, and is upgraded after the thaw"):
    mount()
    machine.succeed(f"fsfreeze -f {MNT}")
    background("writer", f"touch {MNT}/after")
    machine.succeed("sleep 1")
    machine.fail("test -e /run/writer.rc")
    second = load_next()
    machine.fail(f"echo {second} > /sys/fs/bentofs/{mount_id()}/upgrade")
    assert "frozen" in status("last_error"), status("last_error")
    before = machine.succeed(f"sha256sum < {DISK}")
    machine.succeed("sleep 6")
    assert machine.succeed(f"sha256sum < {DISK}") == before, "a frozen disk was written"
    machine.succeed(f"fsfreeze -u {MNT}")
    finish("writer")
    machine.succeed(f"test -e {MNT}/after")
    upgrade(second)
    expect_status(build=second)

# EXT4_IOC_SHUTDOWN of ext4, the same number in xfs and f2fs: _IOR('X', 125, __u32).
SHUTDOWN = "perl -e 'open(my $d, \"<\", $ARGV[0]) or die; my $how = pack(\"L\", $ARGV[1]); ioctl($d, 0x8004587d, $how) or die \"$!\"'"

for how, name in enumerate(("default", "logflush", "nologflush")):
    with subtest(f"shutdown: {name}"):
        machine.succeed(f"mkdir {MNT}/synced{how}; echo data > {MNT}/synced{how}/file; sync -f {MNT}")
        machine.succeed(f"mkdir {MNT}/flushed{how}")
        machine.succeed(f"{SHUTDOWN} {MNT} {how}")
        machine.fail(f"touch {MNT}/x", f"mkdir {MNT}/y", f"sync -f {MNT}")
        machine.succeed(f"umount {MNT}")
        mount()
        machine.succeed(f'test "$(cat {MNT}/synced{how}/file)" = data')
        if name != "nologflush":
            machine.succeed(f"test -d {MNT}/flushed{how}")

with subtest("the disk is clean"):
    unmount_and_check()
    kernel_is_quiet()
