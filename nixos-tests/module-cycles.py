# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Fifty times the modules are loaded, a file system is used, and all is unloaded: nothing leaks.
machine.wait_for_unit("multi-user.target")
machine.succeed(f"mkfs.xv6 -q -f {DISK}", f"mkdir -p {MNT}")

CYCLE = f"""
modprobe bentofs
mount -t xv6 {DISK} {MNT}
mkdir {MNT}/d && echo text > {MNT}/d/file && mv {MNT}/d/file {MNT}/d/other
insmod /etc/bento/next/bento_xv6_*.ko
test $(cat /sys/fs/bentofs/*/upgrades) = 1
test "$(cat {MNT}/d/other)" = text
rm -r {MNT}/d
umount {MNT}
rmmod $(lsmod | awk '/^bento_xv6/ {{ print $1 }}')
rmmod bentofs
"""


def cycles(count):
    machine.succeed(f"for i in $(seq {count}); do {CYCLE} done", timeout=600)


with subtest("first cycles, after which every cache is warm"):
    cycles(10)
    before = memory()

with subtest("fifty cycles"):
    cycles(50)
    grown = grown_since(before, "50 cycles")

with subtest("nothing is left"):
    # One leaked page, or one 1 KiB object, per cycle would show.
    assert grown["VmallocUsed"] < 100 and grown["Percpu"] < 100, grown
    assert grown["SUnreclaim"] < 1024, grown
    machine.fail("lsmod | grep -q '^bento'")
    machine.fail("grep -q bento /proc/slabinfo")
    machine.fail("test -e /sys/fs/bentofs")
    machine.fail("grep -E 'xv6|hello' /proc/filesystems")
    machine.succeed(f"fsck.xv6 -n {DISK} >&2")
    kernel_is_quiet()
