# SPDX-License-Identifier: GPL-2.0-only OR MIT
# On a device whose flush takes 50 ms, upgrades meet commits under way, and hold up operations for
# no longer than on a fast one. And a device is asked for metadata in large requests, not block by block.
SLOW = "/dev/dm-0"
LARGE = "/dev/disk/by-id/virtio-large"

load()
machine.succeed(
    "modprobe dm-delay",
    # Reads and writes at once, flushes after 50 ms.
    f"dmsetup create slow --table \"0 $(blockdev --getsz {DISK}) delay {DISK} 0 0 {DISK} 0 0 {DISK} 0 50\"",
)
format_and_mount(disk=SLOW)
builds = [load_next(), status("build", SLOW)]
machine.succeed(f"mkdir {MNT}/sync")

with subtest("the flush takes as long as it is said to"):
    took = int(machine.succeed(f"a=$(stress now); dd if=/dev/zero of={MNT}/x bs=4k count=1 conv=fsync status=none; b=$(stress now); echo $((b - a))"))
    assert took > 40_000_000, f"fsync took {took} ns"

with subtest("six upgrades while everybody commits"):
    start_hammer(jobs=1)
    # One process that makes names durable, all the time.
    background("syncer", f"while [ ! -e /run/enough ]; do echo x > {MNT}/sync/x; sync {MNT}/sync/x || exit 1; mv {MNT}/sync/x {MNT}/sync/y; done")
    pauses = []
    for number in range(6):
        machine.sleep(1)
        code, _ = in_window(f"echo {builds[0]} > /sys/fs/bentofs/{mount_id(SLOW)}/upgrade")
        assert code == 0, status("last_error", SLOW)
        expect_status(SLOW, build=builds[0], state="active", upgrades=str(number + 1))
        builds.reverse()
        pauses.append(int(status("pause_ns", SLOW)))
    print(f"pauses in us: {[pause // 1000 for pause in pauses]}", flush=True)
    # Had they waited for flushes, each would have taken 50 ms. A busy host stops the whole machine for
    # as long now and then, hence the median; `pause` has the exact limit, on a clock of instructions.
    assert sorted(pauses)[3] < 25_000_000, pauses

with subtest("no operation failed"):
    machine.succeed("touch /run/enough")
    finish("syncer")
    report = stop_hammer()
    assert report["failed"] == 0 and report["mismatches"] == 0, report
    unmount_and_check(disk=SLOW)
    machine.succeed("dmsetup remove slow")


def reads(command):
    """Requests and sectors that the large disk is read by while a command runs."""
    stat = f"cat /sys/block/$(basename $(readlink -f {LARGE}))/stat"
    before, after = (machine.succeed(text).split() for text in (f"sync; echo 3 > /proc/sys/vm/drop_caches; {stat}", f"{command} > /run/reads; {stat}"))
    return tuple(int(after[field]) - int(before[field]) for field in (0, 2))


with subtest("a disk of 64 GiB is mounted by few requests"):
    machine.succeed(f"mkfs.xv6 -q -f {LARGE}")
    requests, sectors = reads(f"mount -t xv6 {LARGE} {MNT}")
    print(f"mount: {requests} requests, {sectors * 512 // 1024} KiB", flush=True)
    # 515 blocks of bitmap alone.
    assert sectors > 515 * 8 and requests < 60, (requests, sectors)

with subtest("cold inodes come by the piece"):
    machine.succeed(f"mkdir {MNT}/many; cd {MNT}/many; touch $(seq 2000)")
    requests, sectors = reads(f"find {MNT}/many -printf '%s %p\\n'")
    assert machine.succeed("wc -l < /run/reads").strip() == "2001"
    print(f"find: {requests} requests, {sectors * 512 // 1024} KiB", flush=True)
    # 125 blocks of the inode table, and of the directory besides.
    assert sectors > 125 * 8 and requests < 40, (requests, sectors)
    unmount_and_check(disk=LARGE)
    kernel_is_quiet()
