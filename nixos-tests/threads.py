# SPDX-License-Identifier: GPL-2.0-only OR MIT
# 1 to 16 threads on two processors: every answer is right, nobody waits for long, and more threads
# than processors do not make the file system slow down by waiting for locks. The same with all of
# them in one directory and in one file, where they wait for each other.
SECONDS = 20 if LONG else 2
# What 16 threads may lose against the best of all: an emulated machine on a shared host is unsteady.
LEAST = 0.3
LONGEST_MS = 10_000
# How many write into one directory, and how many files each.
MANY, FILES = 16, 200 if LONG else 40


def each_of_many(command):
    """Runs COMMAND, with $n from 1 to MANY and all $i from 1 to FILES, all $n at once, by the shell alone."""
    machine.succeed(
        f"cd {MNT}/same; pids=; for n in $(seq {MANY}); do (for ((i = 1; i <= {FILES}; i++)); do {command}; done) & pids+=\" $!\"; done;"
        " for p in $pids; do wait $p; done",
        timeout=300,
    )


load()
format_and_mount()
rates = {}
for jobs in (1, 2, 4, 8, 16):
    with subtest(f"{jobs} threads"):
        start_hammer(jobs=jobs)
        machine.succeed(f"sleep {SECONDS}")
        report = stop_hammer()
        assert report["failed"] == 0 and report["mismatches"] == 0, report
        assert report["hammer"]["longest_us"] < LONGEST_MS * 1000, report
        rates[jobs] = round(report["operations"] / report["seconds"])
        machine.succeed(f"rm -rf {MNT}/hammer")
print(f"operations in a second, by threads: {rates}", flush=True)

with subtest("sixteen threads get as much done as few"):
    assert rates[16] >= LEAST * max(rates.values()), rates

with subtest("in one directory"):
    machine.succeed(f"mkdir {MNT}/same")
    each_of_many("echo $n $i > f$n.$i")
    machine.succeed(f"umount {MNT}")
    mount()
    found = int(machine.succeed(f"ls {MNT}/same | wc -l"))
    assert found == MANY * FILES, f"{found} files of {MANY * FILES}"
    each_of_many('read -r a b < f$n.$i; [ "$a $b" = "$n $i" ] || exit 1')
    machine.succeed(f"cd {MNT}/same; ls | xargs -P {MANY} -n {FILES} rm", f"rmdir {MNT}/same")

with subtest("in one file"):
    machine.succeed(
        f"fio --name=same --filename={MNT}/same --rw=randwrite --bs=4k-64k --size=1M --offset_increment=1M --numjobs={MANY}"
        " --thread --randseed=7 --verify=crc32c --do_verify=1 --verify_fatal=1 --fsync=32 --minimal > /run/fio.out",
        # Errors of each thread: field 5 of the terse output, version 3. (fio warns of many writers, too.)
        f"awk -F';' '$1 == 3 {{ threads++; bad += $5 }} END {{ exit bad || threads != {MANY} }}' /run/fio.out",
        f"test $(stat -c %s {MNT}/same) = $(({MANY} << 20))",
    )

with subtest("the disk is clean"):
    unmount_and_check()
    kernel_is_quiet()
