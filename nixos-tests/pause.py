# SPDX-License-Identifier: GPL-2.0-only OR MIT
# How long an upgrade holds up who uses the file system, in guest instructions: by the kernel's own
# stamps and by clients, each operation of which is timed. ./dev bench upgrade asks for measurements
# by a file bench/pause-request.json in its working directory and finds them in bench/pauses.json;
# without a request a short run of this is the gate of ./dev test.
import json
import pathlib
import statistics

REQUEST = pathlib.Path("bench/pause-request.json")
DEVICE = "/dev/ram0"
SLOW = "/dev/dm-0"
PROGRAM = "/run/pause"
GATE = {"inodes": [0, 1000], "count": 4, "idle": ["write"], "loaded": []}
# Guest instructions, which are ns here: what a client may wait more than without upgrades, and
# the whole pause on a device whose flush takes 50 ms.
CLIENT_LIMIT = 1_000_000
SLOW_LIMIT = 5_000_000


# No command has a time limit: while the guest waits for nothing but a timer, its clock runs to it.
def fill(inodes):
    """That many files, and as many inodes of them in memory."""
    machine.succeed(
        f"sync; echo 3 > /proc/sys/vm/drop_caches; mkdir -p {MNT}/many; cd {MNT}/many;"
        f" seq $(ls | wc -l) $(({inodes} - 1)) | xargs -r touch; sync -f {MNT}"
    )


def events(builds, inodes, count, device, pause=0.05):
    """COUNT upgrades there and back, or, without builds, as many naps; each noted as a window."""
    act = f"echo $build > /sys/fs/bentofs/{mount_id(device)}/upgrade" if builds else "true"
    stamps = f"cd /sys/fs/bentofs/{mount_id(device)} && echo $(cat pause_ns pause_steps) >> /run/stamps"
    # getfattr asks the file system about each file, so that it holds an object for each.
    touch = f"getfattr -R {MNT}/many > /dev/null 2>&1" if inodes else "true"
    often = 1 if inodes <= 1000 else 5
    first, second = builds or ("-", "-")
    machine.succeed(
        f"""
        : > /run/windows; : > /run/stamps
        for i in $(seq 0 {count - 1}); do
          [ $((i % {often})) != 0 ] || {touch}
          if [ $((i % 2)) = 0 ]; then build={second}; else build={first}; fi
          sleep {pause}
          a=$(stress now); {act} || exit 1; b=$(stress now)
          echo $a $b >> /run/windows
          {stamps if builds else "true"}
        done
        sleep {pause}
        """
    )
    lines = [line.split() for line in machine.succeed("cat /run/stamps").splitlines()]
    return [{"pause": int(line[0])} | dict(zip(line[1::2], map(int, line[2::2]))) for line in lines]


def case(builds, inodes, client, jobs, count, device=DEVICE):
    """One client, idle or beside a load, with upgrades (or without BUILDS)."""
    machine.succeed(f"rm -rf /run/client.* {MNT}/client; mkdir {MNT}/client")
    if jobs:
        start_hammer(jobs=jobs)
    # The client of an idle file system is due every 100 us and comes first. Beside a load it is one
    # of many, and does one operation after the other.
    first = "" if jobs else "chrt -f 1 "
    pace = 0 if jobs else 1000 if client == "fsync" else 100
    machine.succeed(": > /run/windows")
    background("client", f"{first}{PROGRAM} pause {MNT}/client --client {client} --pace {pace} --stop /run/client.stop --windows /run/windows")
    machine.succeed("sleep 0.2")
    stamps = events(builds, inodes, count, device)
    machine.succeed("touch /run/client.stop")
    seen = json.loads(finish("client").splitlines()[-1])
    if jobs:
        report = stop_hammer()
        assert report["failed"] == 0 and report["mismatches"] == 0, report
        machine.succeed(f"rm -rf {MNT}/hammer")
    return {"inodes": inodes, "client": client, "jobs": jobs, "upgrades": stamps, "seen": seen}


def fresh(builds, count=5):
    """The first upgrade to a module, again and again: it is unloaded and loaded before each."""
    path = "/etc/bento/next/bento_xv6_*.ko"
    stamps = []
    for _ in range(count):
        machine.succeed(f"rmmod {builds[1]} && insmod {path} hold=1")
        stamps += events(builds, 0, 2, DEVICE)[:1]
    return {"client": "fresh", "inodes": 0, "jobs": 0, "upgrades": stamps}


def slow_flush(count):
    """Everybody commits, on a device whose flush takes 50 ms."""
    machine.succeed(
        f"dmsetup create slow --table \"0 $(blockdev --getsz {DEVICE}) delay {DEVICE} 0 0 {DEVICE} 0 0 {DEVICE} 0 50\"",
    )
    format_and_mount(disk=SLOW)
    builds = first_and_second(SLOW)
    background("syncer", f"while [ ! -e /run/enough ]; do echo x > {MNT}/x; sync {MNT}/x || exit 1; mv {MNT}/x {MNT}/y; done")
    result = case(builds, 0, "write", 0, count, SLOW)
    machine.succeed("touch /run/enough")
    finish("syncer")
    unmount_and_check(disk=SLOW)
    return result | {"client": "flush"}


def first_and_second(device):
    loaded = machine.succeed("awk '$1 == \"xv6\" { print $3 }' /sys/fs/bentofs/types").split()
    serving = status("build", device)
    return serving, next(build for build in loaded if build != serving)


def measure(request):
    # There is an inode for four blocks of the disk; what nobody writes to takes no memory.
    mebibytes = max(384, max(request["inodes"]) // 60)
    machine.succeed(
        # From 6.14 on there is no module crc32c-intel; `stress bench check` knows.
        "modprobe -a bento_xv6 dm-delay; modprobe -qa crc32c-intel || true; sysctl -q kernel.hung_task_timeout_secs=0",
        f"modprobe brd rd_nr=1 rd_size={mebibytes * 1024} max_part=0",
        f"dd if=/dev/zero of={DEVICE} bs=1M count=384 status=none",
        # A program on a disk would wait for pages of itself.
        f"cp -L $(command -v stress) {PROGRAM}",
    )
    format_and_mount(disk=DEVICE)
    machine.succeed(f"ulimit -n 500000; stress bench check --icount --fs xv6 {MNT}")
    load_next()
    builds = first_and_second(DEVICE)
    cases = [fresh(builds)]
    for inodes in request["inodes"]:
        fill(inodes)
        for jobs, clients in ((0, request["idle"]), (8, request["loaded"])):
            for client in clients:
                for chosen in (None, builds):
                    cases.append(case(chosen, inodes, client, jobs, request["count"]))
    unmount_and_check(disk=DEVICE)
    return cases + [slow_flush(request["count"])]


def pauses(measured):
    return [stamps["pause"] for stamps in measured["upgrades"]]


load()
if REQUEST.exists():
    cases = measure(json.loads(REQUEST.read_text()))
    release = machine.succeed("uname -r").strip()
    REQUEST.with_name("pauses.json").write_text(json.dumps({"release": release, "cases": cases}) + "\n")
else:
    cases = measure(GATE)
    for each in cases:
        print(f"{each['client']}, {each['inodes']} inodes: {pauses(each)}", flush=True)
    *pairs, slow = cases[1:]
    with subtest("a client hardly notices an upgrade"):
        for base, upgraded in zip(pairs[::2], pairs[1::2]):
            more = upgraded["seen"]["longest"] - base["seen"]["longest"]
            assert more < CLIENT_LIMIT, f"{more} ns more than without upgrades: {upgraded}"
            # What the kernel says is part of what the client saw.
            assert max(pauses(upgraded)) <= upgraded["seen"]["longest"], upgraded
    with subtest("the pause does not grow with the inodes in memory"):
        none, many = (statistics.median(pauses(upgraded)) for upgraded in pairs[1::2])
        assert many < 1.2 * none, f"{none} ns without inodes, {many} ns with {GATE['inodes'][1]}"
    with subtest("no upgrade waits for a flush of 50 ms"):
        assert max(pauses(slow)) < SLOW_LIMIT, pauses(slow)
    kernel_is_quiet()
