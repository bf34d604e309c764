# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Mounts, and creations and deletions of files, leave no memory behind: what the kernel holds does
# not grow with their number. What is done most often takes none.
import re

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


def allocations(program):
    """How often our modules ask the kernel for memory while PROGRAM, in perl, runs."""
    events = "/sys/kernel/tracing/events/kmem"
    histogram = "hist:keys=call_site.sym"
    machine.succeed(
        "mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing",
        # What was written before is not to be committed meanwhile.
        f"sync -f {MNT}",
        f"for e in kmalloc kmem_cache_alloc; do echo {histogram} > {events}/$e/trigger; done",
        f"perl -e {shlex.quote(program)}",
    )
    counts = machine.succeed(f"cat {events}/kmalloc/hist {events}/kmem_cache_alloc/hist")
    machine.succeed(f"for e in kmalloc kmem_cache_alloc; do echo '!{histogram}' > {events}/$e/trigger; done")
    return sum(int(n) for n in re.findall(r"\[(?:bentofs|bento_xv6_\w+)\] *\} *hitcount: *([0-9]+)", counts))


with subtest("what is done most often takes no memory"):
    mount("noatime,commit=300")
    often = [
        f'for (1..500) {{ open(F, ">", "{MNT}/f$_"); syswrite(F, "x" x 8192); close(F) }}',
        f'for (1..500) {{ stat("{MNT}/f$_"); open(F, "<", "{MNT}/f$_"); sysread(F, $x, 8192); close(F) }}',
        f'for (1..500) {{ stat("{MNT}/none$_") }}',
        f'open(F, "+<", "{MNT}/f1"); for (1..500) {{ sysseek(F, 0, 0); syswrite(F, "y" x 8192) }}',
    ]
    made, used, missed, overwritten = [allocations(program) for program in often]
    print(f"allocations: {made / 500} for a new file, {used} for 500 uses of files in memory,"
          f" {missed} for 500 names that do not exist, {overwritten} for 500 overwrites", flush=True)
    assert 500 <= made < 500 * 12, made
    assert (used, missed, overwritten) == (0, 0, 0)
    machine.succeed(f"umount {MNT}")

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
