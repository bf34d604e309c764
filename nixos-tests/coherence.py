# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Reads, writes, shared mappings and direct I/O see one file, one after the other and at once;
# fsx agrees; and what was written is what is read after an unmount.
load()
format_and_mount()

with subtest("one after the other"):
    machine.succeed(f"stress coherence seq {MNT}/seq --seeds 1,2,3 --ops 1500 >&2", timeout=600)
    # Not aligned to the block of the file system, only to that of the device.
    machine.succeed(f"stress coherence seq {MNT}/seq --seeds 4,5 --ops 1500 --align 512 >&2", timeout=600)

with subtest("at the same time"):
    machine.succeed(f"stress coherence par {MNT} --seconds 8 >&2", timeout=120)

with subtest("fsx"):
    for seed in (1, 2, 3):
        fsx(f"{MNT}/fsx", 3000, seed)
    # Ranges taken and given back as well.
    fsx(f"{MNT}/fsx", 200_000 if LONG else 1000, 4, "posix_fallocate = 3\npunch_hole = 3\n")

with subtest("the same after an unmount"):
    machine.succeed(f"stress hammer {MNT} --seconds 5 >&2", timeout=120)
    before = machine.succeed(f"stress tree manifest {MNT}")
    assert len(before.splitlines()) > 10
    unmount_and_check()
    mount()
    assert machine.succeed(f"stress tree manifest {MNT}") == before

with subtest("sparse files"):
    machine.succeed(
        f"truncate -s 15G {MNT}/sparse",
        f"echo end | dd of={MNT}/sparse bs=1 seek=15G conv=notrunc status=none",
        f'test "$(dd if={MNT}/sparse bs=1 skip=15G status=none)" = end',
        f"head -c 4M /dev/zero > /run/zeros; dd if={MNT}/sparse bs=1M skip=7000 count=4 status=none | cmp - /run/zeros",
        f"test $(stat -c %b {MNT}/sparse) -le 64",
        f"rm {MNT}/sparse",
    )
    unmount_and_check()
    kernel_is_quiet()
