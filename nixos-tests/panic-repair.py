# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The file system panics in the middle of an operation while another process waits for its lock:
# both get EIO, the kernel lives, the mount says that it failed, and an upgrade repairs it with
# all data that was synced. Then the same in every operation that writes.
load(inject=True)
format_and_mount()
first = status("build")
second = load_next()
builds = [first, second]
hold()
background(
    "locks",
    f"exec 8<> {MNT}/lock; flock 8; touch /run/locked; while [ ! -e /run/enough ]; do sleep 0.2; done",
)
machine.wait_for_file("/run/locked")
machine.succeed(f"mkdir {MNT}/a {MNT}/b {MNT}/data {MNT}/work")
machine.succeed(f"stress hammer {MNT}/data --seconds 4 --jobs 1 >&2")
machine.succeed(f"sync -f {MNT}", f"stress tree manifest {MNT}/data > /run/manifest")


def repair():
    """Upgrades the failed mount to the other build; everything synced must be there."""
    builds.reverse()
    upgrade(builds[0])
    expect_status(state="active", build=builds[0])
    machine.succeed(f"stress tree verify /run/manifest {MNT}/data >&2")
    verify_held()
    machine.fail(f"flock -n {MNT}/lock true")
    # What had not reached the disk is lost, as after a power cut; the next sync may say so, once.
    machine.execute(f"sync -f {MNT}")
    machine.succeed(f"sync -f {MNT}")


with subtest("the one who panics and the one who waits get EIO"):
    waited = panic_with_waiter(
        f"stress op create {MNT}/a/file --expect EIO",
        f"stress op create {MNT}/b/file --expect EIO",
    )
    # It really waited, instead of coming after the panic.
    assert waited > 500_000, f"the second process waited only {waited} us"

with subtest("the mount says so, and refuses"):
    expect_status(state="failed", panics="1", build=first)
    machine.succeed(f"stress op create {MNT}/a/again --expect EIO >&2")
    machine.succeed(f"stress op mkdir {MNT}/a/dir --expect EIO >&2")
    machine.succeed("dmesg | grep -E 'bentofs: .*panicked in create' >&2")

with subtest("an upgrade repairs it"):
    repair()
    machine.succeed(f"stress op create {MNT}/a/file >&2", f"stress op unlink {MNT}/a/file >&2")



def fail():
    """Makes the mount fail; what is not on the disk by then is lost."""
    arm("op=mkdir action=panic")
    machine.succeed(f"stress op mkdir {MNT}/work/never --expect EIO >&2")
    expect_status(state="failed")


with subtest("nothing reaches the device of a failed mount; what is dirty is written after the repair"):

    def written():
        """Writes and flushes that the device has ended."""
        fields = machine.succeed(f"cat /sys/class/block/{mount_id()}/stat").split()
        return int(fields[4]), int(fields[15])

    machine.succeed(f"head -c 300000 /dev/zero > {MNT}/work/dirty; sync -f {MNT}; mount -o remount,commit=1 {MNT}")
    machine.succeed(f"seq 34000 | dd of={MNT}/work/dirty conv=notrunc status=none")
    fail()
    # What was under way then has ended.
    machine.succeed("sleep 1")
    before = written()
    machine.execute(f"sync -f {MNT}; stress op append {MNT}/work/dirty --expect EIO; sleep 3")
    machine.fail(f"stress op fsync {MNT}/work/dirty >&2")
    assert written() == before, f"the device ended {before} writes and flushes, now {written()}"
    repair()
    assert written() > before
    machine.succeed("echo 3 > /proc/sys/vm/drop_caches", f"seq 34000 | cmp -n 192894 - {MNT}/work/dirty")
    machine.succeed(f"mount -o remount,commit=5 {MNT}")

with subtest("how long a repair takes does not depend on the inodes in memory"):
    fail()
    repair()
    few = int(status("pause_ns"))
    machine.succeed(
        f"mkdir {MNT}/many; for i in {{1..5000}}; do : > {MNT}/many/$i; done; sync -f {MNT}",
        f"find {MNT}/many -printf %s > /dev/null",
    )
    fail()
    repair()
    many = int(status("pause_ns"))
    print(f"a repair held operations up for {few / 1e6:.1f} ms, with 5,000 more inodes for {many / 1e6:.1f} ms", flush=True)
    # Fitting each of them while operations wait would take 80 us and more. (The log is longer, too.)
    assert many < 2 * few + 300e6, (few, many)
    machine.succeed(f"test $(find {MNT}/many -type f | wc -l) = 5000; rm -rf {MNT}/many; sync -f {MNT}")

with subtest("a file that is lost stays lost, also for who has it open, and its number is free"):
    keep = f"exec 7> {MNT}/work/lost; echo old >&7; mkdir {MNT}/work/d; touch /run/opened; while ! test -e /run/go; do sleep 0.1; done"
    late = f"if echo late >&7; then exit 1; fi; if stat -L /proc/self/fd/7; then exit 1; fi; cd {MNT}/work; ls"
    # The periodic commit must not make it durable.
    machine.succeed(f"mount -o remount,commit=900 {MNT}; sync -f {MNT}")
    background("lost", f"{keep}; {late}")
    machine.wait_for_file("/run/opened")
    number = machine.succeed(f"stat -c %i {MNT}/work/lost").strip()
    fail()
    repair()
    machine.fail(f"test -e {MNT}/work/lost", f"test -e {MNT}/work/d")
    machine.succeed(f"for i in {{1..40}}; do echo new > {MNT}/work/new$i || exit 1; done")
    assert number in machine.succeed(f"stat -c %i {MNT}/work/new*").split(), "the number was not given away"
    machine.succeed("touch /run/go")
    finish("lost")
    machine.succeed(f"test $(cat {MNT}/work/new* | grep -c new) = 40", f"rm {MNT}/work/new*")
    # The data of the lost file is a lost promise, too.
    machine.execute(f"sync -f {MNT}")
    machine.succeed(f"sync -f {MNT}; dmesg | grep 'inodes in use are lost'", f"mount -o remount,commit=5 {MNT}")

with subtest("a file without a name whose last user went while the mount had failed is freed by the repair"):
    machine.succeed(f"sync -f {MNT}")
    before = machine.succeed(f"stat -f -c %d {MNT}").strip()
    machine.succeed(f"seq 100000 > {MNT}/work/nameless; sync -f {MNT}")
    machine.succeed("rm -f /run/opened /run/go")
    background("nameless", f"exec 7< {MNT}/work/nameless; rm {MNT}/work/nameless; sync -f {MNT}; touch /run/opened; while ! test -e /run/go; do sleep 0.1; done")
    machine.wait_for_file("/run/opened")
    fail()
    machine.succeed("touch /run/go")
    finish("nameless")
    repair()
    # (Blocks are no measure: holes that are cached get some when their pages are written again.)
    machine.wait_until_succeeds(f"sync -f {MNT}; test $(stat -f -c %d {MNT}) = {before}", timeout=20)

# For each: what makes the file system do it, after a preparation.
OPERATIONS = {
    "create": ("true", "stress op create {w}/x --expect EIO"),
    "mkdir": ("true", "stress op mkdir {w}/x --expect EIO"),
    "unlink": ("touch {w}/x", "stress op unlink {w}/x --expect EIO"),
    "rmdir": ("mkdir {w}/x", "stress op rmdir {w}/x --expect EIO"),
    "rename": ("touch {w}/x", "! mv {w}/x {w}/y"),
    "link": ("touch {w}/x", "! ln {w}/x {w}/y"),
    "symlink": ("true", "! ln -s target {w}/x"),
    "setattr": ("touch {w}/x", "! chmod 600 {w}/x"),
    "lookup": ("touch {w}/x; sync -f {w}; echo 3 > /proc/sys/vm/drop_caches", "stress op stat {w}/x --expect EIO"),
    "readdir": ("touch {w}/x; sync -f {w}; echo 3 > /proc/sys/vm/drop_caches", "stress op list {w} --expect EIO"),
    "allocate": ("touch {w}/x", "stress op append {w}/x --expect EIO"),
    "commit": ("echo data > {w}/x", "stress op fsync {w}/x --expect EIO"),
    "fsync": ("touch {w}/x", "stress op fsync {w}/x --expect EIO"),
    "sync": ("touch {w}/x", "! sync -f {w}"),
    "trim": ("true", "! fstrim {w}"),
}

# The ways to panic, each another road through core, allocator and unwinder: by turns.
KINDS = ("message", "index", "overflow", "unwrap", "slice", "memory", "drop", "double")

panics = int(status("panics"))
for number, (operation, (before, act)) in enumerate(OPERATIONS.items(), start=panics + 1):
    kind = KINDS[number % len(KINDS)]
    with subtest(f"a panic in {operation}: {kind}"):
        work = f"{MNT}/work/{operation}"
        machine.succeed(f"mkdir {work}; sync -f {MNT}")
        machine.succeed(before.format(w=work))
        arm(f"op={operation} action=panic:{kind}")
        machine.succeed(act.format(w=work) + " >&2")
        assert not armed(), f"{operation} called no service: the test proves nothing"
        expect_status(state="failed", panics=str(number))
        repair()
        machine.succeed(f"rm -rf {work}")

for step in ("prepare", "try_export", "export"):
    with subtest(f"a panic in {step}: the upgrade becomes a repair"):
        panics = int(status("panics"))
        machine.succeed(f"touch {MNT}/work/{step}; sync -f {MNT}; rm {MNT}/work/{step}")
        arm(f"op={step} action=panic")
        repair()
        assert not armed(), f"{step} called no service: the test proves nothing"
        expect_status(panics=str(panics + 1))

with subtest("a failed mount can also just be unmounted, and the disk is good"):
    arm("op=mkdir action=panic")
    machine.succeed(f"stress op mkdir {MNT}/work/last --expect EIO >&2")
    machine.execute("stress hold stop /run/held.socket")
    finish("held", expect=None)
    machine.succeed("touch /run/enough")
    finish("locks")
    machine.succeed(f"umount {MNT}")
    mount()
    machine.succeed(f"stress tree verify /run/manifest {MNT}/data >&2")
    unmount_and_check()
    kernel_is_quiet()
