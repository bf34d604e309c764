# SPDX-License-Identifier: GPL-2.0-only OR MIT
# While a verifying workload runs, the mounted file system is replaced by another build and back,
# several times: no operation fails, and open files, mappings and working directories survive.
import time

load()
format_and_mount()
first = status("build")
hold()
start_hammer(jobs=3)
second = load_next()
assert first != second

with subtest("five upgrades under load"):
    for number in range(5):
        build = (second, first)[number % 2]
        time.sleep(3)
        code, _ = in_window(f"echo {build} > /sys/fs/bentofs/{mount_id()}/upgrade")
        assert code == 0, f"upgrade to {build}: {status('last_error')}"
        expect_status(build=build, state="active", upgrades=str(number + 1))
        verify_held()
        print(f"upgrade {number + 1}: pause in the kernel {int(status('pause_ns')) / 1000:.1f} us", flush=True)

with subtest("no operation failed and every answer was right"):
    time.sleep(3)
    report = stop_hammer()
    assert report["failed"] == 0 and report["mismatches"] == 0, report
    for client in ("hammer", "probe"):
        assert len(report[client]["windows"]) == 5, report
        for window in report[client]["windows"]:
            assert window["operations"] > 0, f"nobody was at work during an upgrade: {report}"
            print(
                f"{client}: longest operation {window['longest_us']} us around an upgrade,"
                f" {window['longest_before_us']} us in the 2 s before",
                flush=True,
            )
    expect_status(ops_failed="0", panics="0")

with subtest("the module that no mount uses can be unloaded, the other not"):
    machine.succeed(f"rmmod {first}")
    machine.fail(f"rmmod {second}")
    verify_held()

with subtest("loading a build without hold upgrades all mounts of its type"):
    format_and_mount(disk="/dev/disk/by-id/virtio-other", where="/mnt/other")
    expect_status(disk="/dev/disk/by-id/virtio-other", build=second)
    machine.succeed("modprobe bento_xv6")
    for disk in (DISK, "/dev/disk/by-id/virtio-other"):
        expect_status(disk=disk, build=first, state="active")
    verify_held(stop=True)

with subtest("the disk is clean"):
    machine.succeed(f"stress tree manifest {MNT} > /run/manifest")
    unmount_and_check(disk="/dev/disk/by-id/virtio-other", where="/mnt/other")
    unmount_and_check()
    mount()
    machine.succeed(f"stress tree verify /run/manifest {MNT} >&2", f"umount {MNT}")
    kernel_is_quiet()
