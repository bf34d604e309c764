# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Ten times in a row, a hundred in the long version, the file system panics under 16 processes that
# write and sync, and is repaired while it is in use: nothing that fsync promised is lost, and
# nothing leaks.
import random

WRITERS = 16
ROUNDS = 100 if LONG else 10
OPERATIONS = ("create", "unlink", "rename", "allocate", "commit", "fsync", "setattr", "sync", "lookup")
KINDS = ("message", "index", "overflow", "unwrap", "slice", "memory", "drop", "double")

load(inject=True)
format_and_mount()
builds = [load_next(), status("build")]
hold()
choice = random.Random(7)


def everywhere(command):
    """The same for each of the writers, whose number is $i; the first failure ends it."""
    return f"for i in $(seq {WRITERS}); do {command} || exit 1; done"


def start_writers(seed):
    machine.succeed(f"rm -rf {MNT}/w; mkdir {MNT}/w; sync -f {MNT}", everywhere(": > /run/log.$i"))
    write = f"stress powercut write {MNT}/w/$i --log /run/log.$i --seed {seed}$i"
    background("writers", f"for i in $(seq {WRITERS}); do {write} & done; wait")
    machine.wait_until_succeeds(everywhere("test $(grep -c done /run/log.$i) -ge 3"), timeout=300)


def panic(operation, kind):
    arm(f"op={operation} nth={choice.randint(1, 9)} action=panic:{kind}")
    # What the writers do not do often.
    if operation == "sync":
        machine.execute(f"timeout 60 sync -f {MNT}")
    elif operation in ("lookup", "setattr"):
        machine.execute(f"echo 2 > /proc/sys/vm/drop_caches; chmod -R u+x {MNT}/w; ls -R {MNT}/w > /dev/null")
    machine.wait_until_succeeds(f"grep -q failed /sys/fs/bentofs/{mount_id()}/state", timeout=120)


for number in range(ROUNDS):
    operation, kind = OPERATIONS[number % len(OPERATIONS)], KINDS[number % len(KINDS)]
    with subtest(f"panic {number + 1}: {kind} in {operation}"):
        start_writers(number)
        panic(operation, kind)
        # Each writer ends with its first EIO.
        finish("writers", timeout=120, expect=None)
        upgrade(builds[0])
        expect_status(state="active", build=builds[0], panics=str(number + 1))
        builds.reverse()
        print(machine.succeed(everywhere(f"stress powercut verify {MNT}/w/$i --log /run/log.$i --at-least 3"), timeout=600))
        verify_held()
        # What was lost is told once.
        machine.execute(f"sync -f {MNT}")
        machine.succeed(f"sync -f {MNT}")
    if number == ROUNDS // 4:
        before = memory()

with subtest("nothing is left of them"):
    print(f"panics: {ROUNDS}, each repaired under {WRITERS} processes", flush=True)
    machine.succeed(f"rm -rf {MNT}/w; sync -f {MNT}")
    grown = grown_since(before, f"{ROUNDS - ROUNDS // 4 - 1} panics")
    # A panic may keep what a destructor would have freed that panicked itself: `drop` and `double`.
    # The stacks of worker threads, which come and go, are in both.
    assert grown["VmallocUsed"] - grown["KernelStack"] < 200 and grown["Percpu"] < 100, grown
    assert grown["SUnreclaim"] < 2048, grown

with subtest("the disk is clean"):
    verify_held(stop=True)
    finish("held")
    unmount_and_check()
    kernel_is_quiet()
