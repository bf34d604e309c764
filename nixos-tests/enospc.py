# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A full disk says ENOSPC and nothing else, loses no data, and gives all space back.
load()
format_and_mount()

with subtest("full of data, twice"):
    machine.succeed(f"stress enospc {MNT} >&2", timeout=300)
    machine.succeed(f"stress enospc {MNT} >&2", timeout=300)

with subtest("mapped writes into holes of a full disk kill the writer, not the file system"):
    machine.succeed(f"truncate -s 1M {MNT}/hole")
    machine.fail(f"dd if=/dev/zero of={MNT}/filler bs=1M")
    machine.fail(f"dd if=/dev/zero of={MNT}/filler2 bs=4k")
    machine.fail(f"stress coherence seq {MNT}/hole --ops 400 >&2")
    machine.succeed(f"rm -f {MNT}/filler {MNT}/filler2 {MNT}/hole; sync -f {MNT}")
    unmount_and_check()

with subtest("full of inodes"):
    format_and_mount()
    machine.succeed(f"stress enospc {MNT} --inodes >&2", timeout=600)
    unmount_and_check()
    kernel_is_quiet()
