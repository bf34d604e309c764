# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What size costs beside ext4, in guest instructions: mounting 64 GiB, mounting them after a crash
# that left the log as full as xv6 lets it get; and memory for each inode in the cache.
# ./dev bench --scale keeps the figures, which this leaves in bench/scale.json.
import json
import pathlib
import statistics

DEVICE = "/dev/ram0"
GIB = 64
FOLDERS, EACH = 20, 1000
# Blocks of attributes that are in the log at the crash, one for each of so many files, and how many each
# commit has. With more of them xv6 would empty its log, which it does when that is half full. Both logs
# have 16 MiB, as mkfs.xv6 makes them.
CHANGED, COMMIT = 1750, 350
# Gives each file whose name it reads an attribute with its name and 2,000 bytes in it.
SETXATTR = (
    "perl -ne 'chomp; my ($file, $name, $value) = ($_, \"user.x\", $_ . \"x\" x 2000);"
    " syscall(188, $file, $name, $value, length $value, 0) == 0 or die \"$file: $!\"'"
)
SHUTDOWN = "perl -e 'open(my $d, \"<\", $ARGV[0]) or die; my $how = pack(\"L\", 2); ioctl($d, 0x8004587d, $how) or die \"$!\"'"
# name: (how it is made, type, options). Nothing empties a log for having waited: commit=900.
FILE_SYSTEMS = {
    # A kernel thread would go on to fill the tables of inodes for a long time.
    "ext4-ordered": (f"mke2fs -q -t ext4 -F -E nodiscard -J size=16 {DEVICE}", "ext4", "data=ordered,noinit_itable,commit=900"),
    "xv6": (f"mkfs.xv6 -q -f {DEVICE}", "xv6", "commit=900"),
}
FOUND = pathlib.Path("bench/scale.json")


def timed(command):
    """Instructions of a command, with no block of the disk in memory. Programs are: how long the
    guest waits for the disk that they are on is nobody's cost."""
    machine.succeed(f"sync; blockdev --flushbufs {DEVICE}; sleep 1; stress now; mount --version; umount --version")
    return int(machine.succeed(f"a=$(stress now); {command} >&2; b=$(stress now); echo $((b - a))"))


def often(command, undo):
    """The middle one of three times."""
    times = []
    for _ in range(3):
        times.append(timed(command))
        machine.succeed(undo)
    return statistics.median(times)


def slab():
    """Bytes of the kernel's objects, but for names."""
    lines = machine.succeed("cat /proc/slabinfo").splitlines()[2:]
    rows = [line.split() for line in lines]
    return sum(int(row[1]) * int(row[3]) for row in rows if row[0] != "dentry")


def memory_of(command):
    """Bytes that the kernel holds for each file after COMMAND, which looks at all of them."""
    machine.succeed("sync; echo 3 > /proc/sys/vm/drop_caches; sleep 2; echo 3 > /proc/sys/vm/drop_caches; sleep 1")
    before = slab()
    machine.succeed(f"cd {MNT} && {command} > /dev/null")
    return (slab() - before) / (FOLDERS * EACH)


def check_recovery(kind):
    """The last mount did recover, and what was synced before the crash is there."""
    if kind == "xv6":
        said = r"s/.*journal: recovered .* transactions (\([0-9]*\) blocks).*/\1/p"
        blocks = int(machine.succeed(f"dmesg | sed -n '{said}' | tail -n 1"))
        assert blocks >= CHANGED, f"only {blocks} blocks were in the log"
    else:
        machine.succeed("dmesg | grep 'EXT4-fs (ram0): recovery complete'")
    found = int(machine.succeed(
        f"cd {MNT}; xargs getfattr -n user.x < /run/changed | awk '/^# file: / {{ name = $3 }}"
        " index($0, \"user.x=\\\"./\" name \"x\") == 1 && length > 2000 { n++ } END { print n + 0 }'"
    ))
    assert found == CHANGED, f"{kind}: {found} of {CHANGED} changes that were synced are there"


def recovery(mounting, kind):
    """Instructions of a mount after a crash that left the log as full as xv6 lets it get."""
    machine.succeed(
        # Programs are in memory then: while the guest waits for something its clock runs ahead, and
        # after 900 s both file systems would empty their logs.
        f"head -n {CHANGED} /run/names > /run/changed; cd /run; split -l {COMMIT} changed part.; {SETXATTR} /dev/null; sync /run",
        f"cd {MNT}; sync -f .; for part in /run/part.*; do {SETXATTR} $part; sync $(tail -n 1 $part); done; {SHUTDOWN} .",
        f"rm /run/part.*; umount {MNT}",
    )
    # Once only: afterwards there is nothing to recover.
    cost = timed(mounting)
    check_recovery(kind)
    return cost


def measure(make, kind, options):
    mounting = f"mount -t {kind} -o {options} {DEVICE} {MNT}"
    machine.succeed(make)
    found = {"mount_new": often(mounting, f"umount {MNT}")}
    machine.succeed(
        mounting,
        # As ./dev bench does: no figures where they would be worthless.
        f"ulimit -n 500000; stress bench check --icount --fs {kind} {MNT}",
        f"cd {MNT}; for d in $(seq {FOLDERS}); do mkdir dir$d; for f in $(seq {EACH}); do echo text > dir$d/$f; done; done",
        f"(cd {MNT}; find . -type f > /run/names); umount {MNT}",
    )
    found["mount_used"] = often(mounting, f"umount {MNT}")
    machine.succeed(mounting)
    found["bytes_per_inode"] = memory_of("find . -printf '%s'")
    found["bytes_per_inode_read"] = memory_of("xargs cat < /run/names")
    found["mount_full_log"] = recovery(mounting, kind)
    machine.succeed(f"umount {MNT}")
    return {name: round(value) for name, value in found.items()}


load()
machine.succeed(
    "modprobe -a bento_xv6 ext4; modprobe -qa crc32c-intel || true; sysctl -q kernel.hung_task_timeout_secs=0",
    f"modprobe brd rd_nr=1 rd_size={GIB << 20} max_part=0",
)
scale = {}
for name, system in FILE_SYSTEMS.items():
    with subtest(f"{name}: {GIB} GiB, and {FOLDERS * EACH} files"):
        scale[name] = measure(*system)
        print(f"{name}: {scale[name]}", flush=True)
with subtest("the disk is clean"):
    machine.succeed(f"fsck.xv6 -n {DEVICE} >&2")
    kernel_is_quiet()
if FOUND.parent.exists():
    release = machine.succeed("uname -r").strip()
    FOUND.write_text(json.dumps({"release": release, "scale": scale}) + "\n")
