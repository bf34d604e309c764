# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Foreign workloads beside one that verifies: stress-ng, a disk that fills up, and a device that
# fails. Nobody reads a wrong byte, what was synced is there, and fsck finds nothing.
SECONDS = 20 if LONG else 3
FLAKY = "/dev/mapper/flaky"

# Stressors that run together, each of its group once.
GROUPS = [
    ["dir", "dentry", "link", "xattr"],
    ["rename", "mmap", "fallocate", "hdd"],
    ["aiol", "symlink", "chmod", "utime"],
]
if LONG:
    # All that stress-ng has for file systems, but for those about others, one that wants
    # 128 MiB, and io-uring, which fails on ext4 and tmpfs, too (the scenario aio has fio for it).
    OTHERS = "bind-mount,binderfs,copy-file,dev,io-uring,procfs,quota,ramfs,sysfs".split(",")
    listed = machine.succeed("stress-ng --class filesystem? 2>/dev/null").split(":", 1)[1].split()
    every = [name for name in listed if name not in OTHERS]
    GROUPS += [every[i : i + 3] for i in range(0, len(every), 3)]

SMALL = (
    "--mmap-bytes 4M --mmap-file --fallocate-bytes 8M --hdd-bytes 8M --dentries 200 --dir-dirs 200"
    " --iomix-bytes 8M --seek-size 8M --readahead-bytes 16M --sync-file-bytes 8M"
)

load()
format_and_mount()

with subtest("stress-ng beside a workload that verifies"):
    start_hammer(jobs=1)
    for group in GROUPS:
        names = " ".join(f"--{name} 1" for name in group)
        machine.succeed(
            f"mkdir {MNT}/ng; stress-ng --temp-path {MNT}/ng --verify {SMALL} {names} -t {SECONDS} >&2",
            f"rm -rf {MNT}/ng",
            timeout=600,
        )
    report = stop_hammer()
    assert report["operations"] > 50, report
    machine.succeed(f"rm -rf {MNT}/hammer")
    unmount_and_check()

with subtest("a full disk under load"):
    mount()
    start_hammer(jobs=1)
    # The filler takes what it can get, again and again, but leaves room for the one who verifies.
    machine.succeed(
        f"free=$(stat -f -c %a {MNT}); fallocate -l $(( (free - 12000) * 4096 )) {MNT}/most",
        f"for i in $(seq {SECONDS}); do dd if=/dev/zero of={MNT}/rest bs=64k count=600 status=none 2>/dev/null; rm -f {MNT}/rest; done",
        timeout=600,
    )
    stop_hammer()
    machine.succeed(f"rm -rf {MNT}/most {MNT}/hammer")
    unmount_and_check()


def table(target):
    """Puts TARGET under the mount, at once, as when a cable is drawn."""
    machine.succeed(
        "dmsetup suspend --noflush --nolockfs flaky",
        f'dmsetup load flaky --table "0 $(blockdev --getsz {DISK}) {target}"; dmsetup resume flaky',
    )


machine.succeed(f'dmsetup create flaky --table "0 $(blockdev --getsz {DISK}) linear {DISK} 0"; dmsetup mknodes')
for fault, target in {
    "refuses writes": f"flakey {DISK} 0 0 1 1 error_writes",
    "is gone": "error",
}.items():
    with subtest(f"a device that {fault} under load: errors, and what was synced is there"):
        mount(disk=FLAKY)
        machine.succeed(
            f"rm -rf {MNT}/*; stress tree copy {TREE}/include/linux/mfd {MNT}/kept >&2; sync -f {MNT}",
            "rm -f /run/synced",
            timeout=300,
        )
        background(
            "victim",
            f"for i in $(seq 1000); do test ! -e /run/victim.stop || exit 0;"
            f" echo $i > {MNT}/f$i && sync {MNT}/f$i && echo $i >> /run/synced; cat {MNT}/kept/*.h > /dev/null; done",
        )
        machine.wait_until_succeeds("test $(wc -l < /run/synced) -gt 5", timeout=120)
        table(target)
        machine.succeed(f"sleep {SECONDS}; touch /run/victim.stop")
        finish("victim", expect=None, timeout=300)
        log_lines = machine.succeed("dmesg | grep -c -E 'bentofs|xv6' || true")
        print(f"kernel messages of ours: {log_lines}", flush=True)
        # The device was unusable while the load ran: the victim has seen errors.
        machine.succeed("grep -qi 'error' /run/victim.log; rm /run/victim.stop")
        machine.execute(f"umount {MNT}")
        table(f"linear {DISK} 0")
        mount(disk=FLAKY)
        machine.succeed(
            f"stress tree compare {TREE}/include/linux/mfd {MNT}/kept >&2",
            f'while read -r i; do test "$(cat {MNT}/f$i)" = "$i" || {{ echo "f$i is lost" >&2; exit 1; }}; done < /run/synced',
            timeout=300,
        )
        unmount_and_check(disk=FLAKY)

machine.succeed("dmsetup remove flaky")
kernel_is_quiet()
