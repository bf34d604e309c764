# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A hundred upgrades there and back of one mount in use, a thousand in the long version: nothing
# leaks, no module reference is lost, and no operation fails.
PAIRS = 500 if LONG else 50
WARM = 50 if LONG else 10

load()
format_and_mount()
first = status("build")
second = load_next()
machine.succeed(f"mkdir {MNT}/many; cd {MNT}/many; seq 2000 | xargs touch; sync -f {MNT}")

# With each pair of upgrades, some of everything is used.
BOTH = f"""
cd /sys/fs/bentofs/{mount_id()}
for i in $(seq COUNT); do
  echo {second} > upgrade
  echo $i > {MNT}/file && mv {MNT}/file {MNT}/other
  echo {first} > upgrade
  test "$(cat {MNT}/other)" = $i && ls -l {MNT}/many > /dev/null
done
"""


def references():
    """How often each build is in use."""
    return machine.succeed("awk '/^bento_xv6/ { print $1, $3 }' /proc/modules | sort")


def inodes():
    """Objects in the slab of inodes."""
    return int(machine.succeed("awk '$1 == \"bento_inode\" { print $2 }' /proc/slabinfo"))


def pairs(count):
    machine.succeed(BOTH.replace("COUNT", str(count)), timeout=3600)


with subtest("first upgrades, after which every cache is warm"):
    pairs(WARM)
    before, used, objects = memory(), references(), inodes()

with subtest(f"{2 * PAIRS} upgrades"):
    pairs(PAIRS)
    expect_status(upgrades=str(2 * (WARM + PAIRS)), build=first, state="active", ops_failed="0")
    print(f"upgrades: {2 * PAIRS} in a row, after {2 * WARM} to warm up", flush=True)

with subtest("nothing is left of them"):
    grown = grown_since(before, f"{2 * PAIRS} upgrades")
    print(f"inodes {objects} -> {inodes()}", flush=True)
    # In the long version one leaked object of 1 KiB per upgrade shows, in the short one a larger one.
    assert grown["VmallocUsed"] < 100 and grown["Percpu"] < 100, grown
    assert grown["SUnreclaim"] < 1024, grown
    assert references() == used, references()
    assert inodes() <= objects + 64

with subtest("there and back under a verifying workload"):
    hold()
    start_hammer(jobs=4)
    for number in range(60 if LONG else 10):
        upgrade((second, first)[number % 2])
    verify_held(stop=True)
    report = stop_hammer()
    assert report["failed"] == 0 and report["mismatches"] == 0, report

with subtest("the disk is clean"):
    unmount_and_check()
    machine.succeed(f"rmmod {first} {second}")
    kernel_is_quiet()
