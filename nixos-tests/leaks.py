# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Mounts, and creations and deletions of files, leave no memory behind: what the kernel holds does
# not grow with their number.
CYCLES = 200 if LONG else 20
FILES = 1_000_000 if LONG else 20_000
BATCH = 500
load()
machine.succeed(f"mkfs.xv6 -q -f {DISK}", f"mkdir -p {MNT}")


def cycles(count):
    # A little of everything that has a cache: names, data, attributes, an open file that is gone.
    machine.succeed(
        f"for i in $(seq {count}); do mount -t xv6 {DISK} {MNT};"
        f" mkdir {MNT}/d; echo text > {MNT}/d/file; setfattr -n user.a -v b {MNT}/d/file; ln -s x {MNT}/d/link;"
        f" exec 9< {MNT}/d/file; rm -r {MNT}/d; exec 9<&-; umount {MNT}; done",
        timeout=60 + 5 * count,
    )


def files(count):
    machine.succeed(
        f"cd {MNT}/many; for i in $(seq {count // BATCH}); do"
        f" for j in {{1..{BATCH}}}; do : > file$j; done; rm -f file*; done",
        timeout=120 + count // 40,
    )


with subtest(f"{CYCLES} times mounted and unmounted"):
    cycles(5)
    before = memory()
    cycles(CYCLES)
    grown = grown_since(before, f"{CYCLES} mounts")
    # One leaked object of 3 KiB per mount would show, of 32 KiB in the short version.
    assert grown["SUnreclaim"] < 600 and grown["VmallocUsed"] < 600, grown
    assert grown["SReclaimable"] < 600 and grown["Percpu"] < 400 and grown["KernelStack"] < 400, grown

with subtest(f"{FILES} files made and removed"):
    mount()
    machine.succeed(f"mkdir {MNT}/many")
    files(2 * BATCH)
    before = memory()
    files(FILES)
    grown = grown_since(before, f"{FILES} files")
    # One leaked object of 8 bytes per file would show, of 32 bytes in the short version.
    limit = 4000 if LONG else 600
    assert grown["SUnreclaim"] < limit and grown["SReclaimable"] < limit and grown["VmallocUsed"] < 600, grown
    assert machine.succeed(f"ls -A {MNT}/many") == ""
    unmount_and_check()
    kernel_is_quiet()
