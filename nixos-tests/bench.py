# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What operations cost, in guest instructions: one guest whose clock counts them, all file systems
# on one RAM disk inside of it. ./dev bench asks for measurements by a file bench/request.json in
# its working directory and finds them in bench/measured.json; without a request this is the gate
# of ./dev test: no workload of xv6 may cost 10 % more than bench/results/KERNEL.json says.
import json
import pathlib

FOLDER = pathlib.Path(__file__).parent / "bench"
REQUEST = pathlib.Path("bench/request.json")
DEVICE = "/dev/ram0"
DIR = "/bench"
SOURCE = "/run/source"
# What bindfs shows is kept here, in an ext4.
LOWER = "/run/lower"
# Two mounts that say what one call into a file system costs.
TAX = "/run/tax"
UUID = "00000000-0000-0000-0000-0000000000be"
EXT4 = f"mke2fs -q -t ext4 -F -E nodiscard,lazy_itable_init=0,lazy_journal_init=0,hash_seed={UUID} -U {UUID} {DEVICE}"
XV6 = f"mkfs.xv6 -q -f {DEVICE}"
# An xv6 that becomes a recording one: the module of the last build that was loaded.
RECORD = "echo $(cd /etc/bento/prov && basename bento_xv6_prov_*.ko .ko) > /sys/fs/bentofs/ram0/upgrade"
# name: (type in /proc/mounts, how it is made, how it is mounted)
FILE_SYSTEMS = {
    "tmpfs": ("tmpfs", "true", f"mount -t tmpfs -o size=600m none {DIR}"),
    "ext4-ordered": ("ext4", EXT4, f"mount -t ext4 -o data=ordered {DEVICE} {DIR}"),
    "ext4-journal": ("ext4", EXT4, f"mount -t ext4 -o data=journal {DEVICE} {DIR}"),
    "xv6": ("xv6", XV6, f"mount -t xv6 {DEVICE} {DIR}"),
    "xv6-prov": ("xv6", XV6, f"mount -t xv6 {DEVICE} {DIR} && {RECORD}"),
    "xv6-fuse": ("fuse.xv6", XV6, f"mount.fuse.xv6 -o allow_other {DEVICE} {DIR}"),
    "bindfs": ("fuse", EXT4, f"mount -t ext4 -o data=ordered {DEVICE} {LOWER} && bindfs {LOWER} {DIR}"),
}
# Whose programs serve a file system in user space.
SERVERS = {"xv6-fuse": "mount.fuse.xv6", "bindfs": "bindfs"}
GATE = {"size": "gate", "passes": [["xv6"]], "only": [], "trees": ["include/uapi/linux/netfilter"]}
LIMIT = 1.10


# No command has a time limit: while the guest waits for a disk, its clock runs to the next timer.
def prepare(trees):
    """A RAM disk whose pages exist, programs in memory, and what tree workloads start from."""
    machine.succeed(
        "modprobe -a bentofs bento_xv6 bento_hello ext4 fuse; insmod /etc/bento/prov/bento_xv6_prov_*.ko hold=1",
        # From 6.14 on there is no such module; `stress bench check` knows.
        "modprobe -qa crc32c-intel || true; sysctl -q kernel.hung_task_timeout_secs=0",
        "modprobe brd rd_nr=1 rd_size=524288 max_part=0",
        f"dd if=/dev/zero of={DEVICE} bs=1M count=512 status=none",
        # Emptied caches would let programs be read from a disk, whose time is not the guest's.
        "mkdir /run/usr && mount -t tmpfs -o size=400m none /run/usr",
        "cd /usr && cp -a bin sbin lib lib64 libexec /run/usr && cp -aL /run/system/bin/. /run/usr/bin"
        " && rm -rf /run/usr/lib/modules && mkdir /run/usr/share && cp -a share/git-core /run/usr/share",
        "mount --bind /run/usr /usr && mount --bind /usr/bin /run/system/bin && sync",
        f"mkdir {DIR} {LOWER} {SOURCE} {SOURCE}/tree",
        f"mkdir -p {TAX}/hello {TAX}/ramfs && mount -t hello none {TAX}/hello && mount -t ramfs none {TAX}/ramfs",
        "git config --global user.name bench; git config --global user.email bench@localhost",
        "git config --global gc.auto 0; git config --global init.defaultBranch main; git config --global safe.directory '*'",
    )
    for tree in trees:
        machine.succeed(f"mkdir -p {SOURCE}/tree/{tree} && cp -rL {TREE}/{tree}/. {SOURCE}/tree/{tree}")
    machine.succeed(
        f"cd {SOURCE} && tar cf tree.tar -C tree . && cd tree && git init -q . && git add . && git commit -q --allow-empty -m tree"
        f" && git clone -q --bare . {SOURCE}/repository.git",
    )


def measure(name, request):
    """One pass over one file system, made anew: its lines of JSON."""
    kind, make, mounting = FILE_SYSTEMS[name]
    only = "".join(f" --only {prefix}" for prefix in request["only"])
    source = f" --source {SOURCE}" if request["trees"] else ""
    source += f" --lower {LOWER}" if name == "bindfs" else ""
    run = f"ulimit -n 500000; stress bench check --icount --fs {kind} {DIR} && stress bench run --size {request['size']}{only}{source} {DIR}"
    machine.succeed(make, mounting)
    lines = machine.succeed(run).splitlines()
    if name == "xv6" and not request["only"]:
        lines += machine.succeed(f"stress bench tax {TAX}/hello {TAX}/ramfs").splitlines()
    costs = {m["workload"]: m["total"] / m["ops"] for m in map(json.loads, lines)}
    if request.get("others"):
        costs |= second_opinion()
    machine.succeed(f"umount {DIR}")
    if name in SERVERS:
        # The server goes on for a moment after the unmount; the device is free when it is gone.
        machine.wait_until_succeeds(f"! pgrep -x {SERVERS[name]}", timeout=60)
    if name == "bindfs":
        machine.succeed(f"umount {LOWER}")
    if name.startswith("xv6"):
        machine.succeed(f"fsck.xv6 -n {DEVICE} >&2")
    print(f"{name}: {json.dumps({workload: round(cost) for workload, cost in costs.items()})}", flush=True)
    return costs


def second_opinion():
    """What fio and fs_mark say of this file system, in nanoseconds for each operation."""
    job = (FOLDER / "second.fio").read_text()
    machine.succeed(f"cat > /run/second.fio <<'EOF'\n{job}EOF")
    report = machine.succeed("cd /run && fio --output-format=json --output=fio.json second.fio >&2 && cat fio.json")
    costs = {}
    for each in json.loads(report)["jobs"]:
        kind = "read" if each["jobname"].endswith("read") else "write"
        costs[f"fio_{each['jobname']}_4k"] = each[kind]["lat_ns"]["mean"]
        if each["jobname"] == "fsync":
            # What it waits for is counted apart.
            costs["fio_fsync_4k"] += each["sync"]["lat_ns"]["mean"]
    for label, sync in (("", 0), ("_fsync", 1)):
        # Its last line: file system used, files, bytes, files per second, its own microseconds.
        line = machine.succeed(f"cd /run && fs_mark -d {DIR}/fs_mark{label} -n 500 -s 4096 -S {sync} | tee /dev/stderr | tail -n 1")
        costs[f"fs_mark_create_4k{label}"] = 1e9 / float(line.split()[3])
    return costs


def passes(request):
    prepare(request["trees"])
    return [{name: measure(name, request) for name in order} for order in request["passes"]]


def dearer(measured, accepted):
    """What costs more than was accepted, as text."""
    return [
        f"{workload}: {cost:.0f} instructions, accepted are {accepted[workload]:.0f} (+{cost / accepted[workload] - 1:.0%})"
        for workload, cost in measured.items()
        if workload in accepted and cost > accepted[workload] * LIMIT
    ]


if REQUEST.exists():
    request = json.loads(REQUEST.read_text())
    measured = passes(request)
    release = machine.succeed("uname -r").strip()
    REQUEST.with_name("measured.json").write_text(json.dumps({"release": release, "passes": measured}) + "\n")
else:
    series = ".".join(machine.succeed("uname -r").split(".")[:2])
    accepted = json.loads((FOLDER / f"results/{series}.json").read_text())["gate"]
    with subtest("no workload costs 10 % more than what was accepted"):
        measured = passes(GATE)[0]["xv6"]
        assert set(measured) == set(accepted), "other workloads than accepted: ./dev bench --accept"
        assert not dearer(measured, accepted), "\n".join(["dearer than accepted:", *dearer(measured, accepted)])
