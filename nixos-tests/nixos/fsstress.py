# SPDX-License-Identifier: GPL-2.0-only OR MIT
# fsstress of xfstests beside the verifying workload, with an upgrade in the middle; fsck after it.
import time

load()
format_and_mount()
start_hammer()
machine.succeed(f"mkdir {MNT}/fsstress")
background("fsstress", f"/etc/bento/fsstress -d {MNT}/fsstress -p 4 -n 20000 -l 1 -s 4711")

with subtest("an upgrade meanwhile"):
    time.sleep(10)
    build = load_next()
    upgrade(build)
    expect_status(build=build, state="active")

with subtest("nothing failed, and the disk is clean"):
    finish("fsstress", timeout=1200)
    report = stop_hammer()
    assert report["failed"] == 0 and report["mismatches"] == 0, report
    unmount_and_check()
    kernel_is_quiet()
