# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Random operations of all kinds by several processes, with the flags of fsstress: each answer is
# the one of a model in memory, during the run, after an unmount, and in user space.
load()
format_and_mount()

with subtest("every kind of operation, in three processes"):
    print(machine.succeed(f"stress fsstress -d {MNT} -n {4000 if LONG else 800} -p 3 -s 11 -l 2 --all", timeout=1800), flush=True)

with subtest("the same after an unmount"):
    before = machine.succeed(f"stress tree manifest {MNT}")
    assert len(before.splitlines()) > 100
    unmount_and_check()
    mount()
    assert machine.succeed(f"stress tree manifest {MNT}") == before

with subtest("through FUSE"):
    machine.succeed(f"umount {MNT}", "modprobe fuse", f"mount.fuse.xv6 {DISK} {MNT}")
    assert machine.succeed(f"stress tree manifest {MNT}") == before
    print(machine.succeed(f"stress fsstress -d {MNT} -n 400 -p 2 -s 12", timeout=600), flush=True)
    machine.succeed(f"umount {MNT}")
    machine.wait_until_succeeds(f"fsck.xv6 -n {DISK} >&2", timeout=60)
    kernel_is_quiet()
