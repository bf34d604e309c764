# SPDX-License-Identifier: GPL-2.0-only OR MIT
# With errors=panic a damaged disk stops the whole machine, as the option says; a mount without it
# goes on. What was synced before is there after it.
load()
format_and_mount()
machine.succeed(f"mkdir {MNT}/bad; touch {MNT}/bad/x; echo data > {MNT}/kept; umount {MNT}")
where = machine.succeed(f"LC_ALL=C grep -obUaP 'XDIR' {DISK} | tail -1 | cut -d: -f1").strip()
machine.succeed(f"printf JUNK | dd of={DISK} bs=1 seek={where} conv=notrunc,fsync status=none")

with subtest("errors=continue: an error, and no more"):
    mount("errors=continue")
    machine.fail(f"ls {MNT}/bad")
    machine.succeed(f"echo more >> {MNT}/kept; umount {MNT}")

with subtest("errors=panic: the machine stops at the first damage, and says why"):
    mount("errors=panic,commit=900")
    machine.succeed(f"grep -q '{MNT} xv6 .*errors=panic' /proc/mounts; echo synced > {MNT}/synced; sync -f {MNT}; echo late > {MNT}/late")
    # There is no answer.
    machine.execute(f"ls {MNT}/bad", check_return=False, check_output=False)
    machine.wait_for_shutdown()
    panics = [line for line in machine.get_console_log().splitlines() if "Kernel panic" in line]
    assert "bentofs: vd" in panics[0] and panics[0].endswith("the disk is damaged and errors=panic"), panics

with subtest("what was synced is there after it, and the damage can be repaired"):
    load()
    mount()
    machine.succeed(f'test "$(cat {MNT}/kept | xargs)" = "data more"; test $(cat {MNT}/synced) = synced; umount {MNT}')
    status_of_fsck, _ = machine.execute(f"fsck.xv6 -y {DISK} >&2")
    assert status_of_fsck == 1, status_of_fsck
    mount()
    unmount_and_check()
