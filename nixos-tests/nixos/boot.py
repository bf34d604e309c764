# SPDX-License-Identifier: GPL-2.0-only OR MIT
# fsType = "xv6" in the configuration is enough: modules, mkfs, fsck and the mount at boot.
machine.wait_for_unit("multi-user.target")

with subtest("the modules are there, and loaded at boot"):
    machine.wait_for_unit("bento-xv6.service")
    machine.succeed("test -d /sys/module/bentofs", "mkfs.xv6 --version", "fsck.xv6 --version")
    machine.succeed("modinfo -n bento_xv6 | grep updates/")

with subtest("once formatted, the disk is mounted by the next boot"):
    machine.succeed(f"mkfs.xv6 -q -f {DISK}", f"mount {MNT}", f"echo kept > {MNT}/file")
    machine.shutdown()
    machine.start()
    machine.wait_for_unit("multi-user.target")
    assert machine.succeed(f"findmnt -no FSTYPE {MNT}") == "xv6\n"
    assert machine.succeed(f"cat {MNT}/file") == "kept\n"
    expect_status(state="active")
