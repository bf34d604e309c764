# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Helpers of the scenarios. Both drivers put this text before a scenario's own; it uses nothing
# but the machine API of the NixOS test driver.
#
# What the guest offers: `stress` (rust/stress), mkfs.xv6, fsck.xv6 and fsx on PATH; bentofs and
# the preferred builds of xv6 and hello where modprobe finds them; and below /etc/bento
#   next/bento_xv6_*.ko   a second build of xv6, with another version
#   prov/bento_xv6_prov_*.ko   xv6 that records its use
#   tree/                 a source tree (the kernel's headers)
import shlex

# Whether this is the long version of the scenario, which ./dev test --long runs (lib/run.py).
LONG = bool(globals().get("LONG"))

DISK = "/dev/disk/by-id/virtio-bento"
TREE = "/etc/bento/tree"
MNT = "/mnt/bento"


def load(inject=False):
    """Loads bentofs, with fault injection if asked for; xv6 comes by itself at mount."""
    machine.wait_for_unit("multi-user.target")
    machine.succeed(f"modprobe bentofs inject={int(inject)}", f"mkdir -p {MNT}")


def format_and_mount(options="defaults", disk=DISK, where=MNT):
    machine.succeed(f"mkfs.xv6 -q -f {disk}", f"mkdir -p {where}")
    mount(options, disk, where)


def mount(options="defaults", disk=DISK, where=MNT):
    machine.succeed(f"mount -t xv6 -o {options} {disk} {where}")


def unmount_and_check(disk=DISK, where=MNT):
    """A clean unmount leaves a disk on which fsck has nothing to say."""
    machine.succeed(f"umount {where}", f"fsck.xv6 -n {disk} >&2")


def mount_id(disk=DISK):
    """The name of a mount in /sys/fs/bentofs, that of its device, as a word for the shell."""
    return f"$(basename $(readlink -f {disk}))"


def status(attribute, disk=DISK):
    return machine.succeed(f"cat /sys/fs/bentofs/{mount_id(disk)}/{attribute}").strip()


def expect_status(disk=DISK, **expected):
    """expect_status(state="active", panics="0") reads /sys/fs/bentofs/<id>/state and so on."""
    lines = machine.succeed(f"cd /sys/fs/bentofs/{mount_id(disk)} && cat {' '.join(expected)}")
    found = dict(zip(expected, lines.splitlines()))
    assert found == expected, f"/sys/fs/bentofs: {found}, expected {expected}"


def inject_file(disk=DISK):
    return f"/sys/kernel/debug/bentofs/{mount_id(disk)}/inject"


def arm(fault, disk=DISK):
    """Arms a fault such as "op=create nth=2 action=panic" (module parameter inject=1)."""
    machine.succeed(f"echo {shlex.quote(fault)} > {inject_file(disk)}")


def armed(disk=DISK):
    return machine.succeed(f"cat {inject_file(disk)}").startswith("armed")


def panic_with_waiter(first, second):
    """Panics in the middle of FIRST, a `stress op create`, while SECOND, another, waits for a lock
    that FIRST holds. Returns for how many microseconds SECOND waited."""
    arm("op=create action=sleeppanic:5000")
    # The fault is disarmed when FIRST has reached it; then it sleeps, with its locks held.
    background("second", f"while grep -q armed {inject_file()}; do sleep 0.1; done; {second}")
    background("first", first)
    finish("first", timeout=120)
    return int(finish("second", timeout=120).split()[-2])


def load_next():
    """Loads the second build without touching any mount; returns its build id."""
    machine.succeed("insmod /etc/bento/next/bento_xv6_*.ko hold=1")
    return machine.succeed("cd /etc/bento/next && basename bento_xv6_*.ko .ko").strip()


def load_prov():
    """Loads the build that records, without touching any mount; returns its build id."""
    machine.succeed("insmod /etc/bento/prov/bento_xv6_prov_*.ko hold=1")
    return machine.succeed("cd /etc/bento/prov && basename bento_xv6_prov_*.ko .ko").strip()


def upgrade(build, disk=DISK):
    machine.succeed(f"echo {build} > /sys/fs/bentofs/{mount_id(disk)}/upgrade")


def background(name, command):
    """Starts COMMAND; finish(NAME) waits for its end."""
    inner = f"( {command} ) > /run/{name}.log 2>&1; echo $? > /run/{name}.rc.new; mv /run/{name}.rc.new /run/{name}.rc"
    machine.succeed(f"rm -f /run/{name}.rc /run/{name}.log; bash -c {shlex.quote(inner)} < /dev/null > /dev/null 2>&1 &")


def finish(name, timeout=300, expect=0):
    """Waits for a background command and returns what it printed."""
    machine.wait_until_succeeds(f"test -e /run/{name}.rc", timeout)
    output = machine.succeed(f"cat /run/{name}.log")
    code = int(machine.succeed(f"cat /run/{name}.rc"))
    for line in output.splitlines():
        print(f"{name}: {line}", flush=True)
    if expect is not None:
        assert code == expect, f"{name} ended with {code}, expected {expect}:\n{output}"
    return output


def start_hammer(seconds=600, jobs=2, name="hammer", where=MNT):
    """The verifying workload, under way when this returns."""
    machine.succeed(f"rm -rf /run/{name}.* && mkdir {where}/{name}")
    background(
        name,
        f"stress hammer {where}/{name} --jobs {jobs} --seconds {seconds} --stop /run/{name}.stop"
        f" --ready /run/{name}.ready --windows /run/{name}.windows --report /run/{name}.json",
    )
    machine.succeed(f"touch /run/{name}.windows")
    machine.wait_for_file(f"/run/{name}.ready", timeout=300)


def in_window(command, name="hammer"):
    """Runs COMMAND and notes when, so that the hammer's report says how long its operations took
    meanwhile."""
    inner = f"a=$(stress now); {command}; r=$?; b=$(stress now); echo $a $b >> /run/{name}.windows; exit $r"
    return machine.execute(f"bash -c {shlex.quote(inner)}")


def stop_hammer(name="hammer", expect=0):
    """Ends the workload; returns its report as a dictionary."""
    import json

    machine.succeed(f"touch /run/{name}.stop")
    finish(name, expect=expect)
    return json.loads(machine.succeed(f"cat /run/{name}.json"))


def hold(name="held", where=MNT):
    """A process that keeps an open file, an mmap, an unlinked file and its working directory."""
    background(name, f"stress hold start {where}/{name} /run/{name}.socket")
    machine.wait_until_succeeds(f"stress hold verify /run/{name}.socket >&2", timeout=60)


def verify_held(name="held", stop=False):
    word = "stop" if stop else "verify"
    machine.succeed(f"stress hold {word} /run/{name}.socket >&2")


def memory():
    """What the kernel holds, in KiB, after everything that can be given back was given back."""
    machine.succeed("sync; for i in 1 2 3; do echo 3 > /proc/sys/vm/drop_caches; sleep 0.3; done")
    names = ("SUnreclaim", "SReclaimable", "Percpu", "VmallocUsed", "KernelStack", "PageTables")
    lines = dict(line.split(":") for line in machine.succeed("cat /proc/meminfo").splitlines())
    return {name: int(lines[name].split()[0]) for name in names}


def grown_since(before, what):
    """What memory() has grown by, in KiB; said on the way."""
    after = memory()
    grown = {name: after[name] - before[name] for name in before}
    print(f"growth in KiB after {what}: {grown}", flush=True)
    return grown


FSX = """
flen = 262144
nomsyncafterwrite = true
[opsize]
max = 65536
[weights]
close_open = 1
read = 10
write = 10
mapread = 10
mapwrite = 10
invalidate = 1
truncate = 5
fsync = 1
fdatasync = 1
sendfile = 3
posix_fadvise = 2
copy_file_range = 3
"""


def fsx(file, operations, seed, more=""):
    """Runs fsx; MORE are lines of its [weights]."""
    machine.succeed(f"printf %s {shlex.quote(FSX + more)} > /run/fsx.toml")
    # Each limit is for the slowest machine: an operation takes a millisecond or two.
    limit = 300 + operations // 30
    machine.succeed(f"fsx -qq -N {operations} -S {seed} -P /run -f /run/fsx.toml {file} >&2", timeout=limit)
    print(f"fsx: {operations} operations, seed {seed}: same", flush=True)


def kernel_is_quiet():
    """Nothing in the log that tells of a defect of the kernel (the driver checks it, too), and no
    leaked object, where the kernel can find one (the debug kernel)."""
    leaks = "/sys/kernel/debug/kmemleak"
    # Twice: what was allocated just now counts as young the first time.
    machine.succeed(f"[ ! -e {leaks} ] || {{ echo scan > {leaks}; sleep 6; echo scan > {leaks}; }}")
    found = machine.succeed(f"[ ! -e {leaks} ] || cat {leaks}")
    assert found == "", f"kmemleak: {found}"
    machine.fail(r"dmesg | grep -E 'WARNING:|BUG:|Oops|Call Trace|blocked for more than'")
