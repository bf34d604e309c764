# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The power goes while files are written and synced. After recovery everything that fsync promised
# is there, nothing of other files shows, and fsck finds nothing.
import random
import time

LOG = "/dev/disk/by-id/virtio-log"

moments = [6, 11, 17]
if LONG:
    # Twenty moments, the same in each run; with other operations beside the writer in every second.
    moments = [random.Random(number).uniform(0.5, 20) for number in range(20)]

for number, seconds in enumerate(moments, start=1):
    with subtest(f"power cut {number}"):
        load()
        format_and_mount()
        machine.succeed(f"dd if=/dev/zero of={LOG} bs=1M count=16 conv=fsync status=none")
        background("writer", f"stress powercut write {MNT}/work --log {LOG} --seed {number}")
        machine.wait_until_succeeds(f"test $(head -c 1M {LOG} | tr -d '\\0' | grep -c done) -ge 5", timeout=120)
        if LONG and number % 2 == 0:
            machine.succeed(f"mkdir {MNT}/noise")
            background("noise", f"stress-ng --temp-path {MNT}/noise --rename 1 --link 1 --dentry 1 -t 300")
        time.sleep(seconds)
        machine.fail("test -e /run/writer.rc")
        machine.crash()

        load()
        mount()
        print(machine.succeed(f"stress powercut verify {MNT}/work --log {LOG} --at-least 5"), flush=True)
        machine.succeed(f"rm -rf {MNT}/work {MNT}/noise")
        unmount_and_check()
        kernel_is_quiet()

with subtest("power cut in the middle of many upgrades"):
    load()
    format_and_mount()
    machine.succeed(f"dd if=/dev/zero of={LOG} bs=1M count=16 conv=fsync status=none")
    first, second = status("build"), load_next()
    background("writer", f"stress powercut write {MNT}/work --log {LOG} --seed 9")
    machine.wait_until_succeeds(f"test $(head -c 1M {LOG} | tr -d '\\0' | grep -c done) -ge 5", timeout=120)
    path = f"/sys/fs/bentofs/{mount_id()}/upgrade"
    background("upgrades", f"while echo {second} > {path} && echo {first} > {path}; do :; done")
    machine.wait_until_succeeds(f"test $(cat /sys/fs/bentofs/{mount_id()}/upgrades) -gt 4", timeout=300)
    machine.fail("test -e /run/writer.rc")
    machine.fail("test -e /run/upgrades.rc")
    machine.crash()
    load()
    mount()
    print(machine.succeed(f"stress powercut verify {MNT}/work --log {LOG} --at-least 5"), flush=True)
    unmount_and_check()
    kernel_is_quiet()
