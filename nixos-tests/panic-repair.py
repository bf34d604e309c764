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
}

# The ways to panic, each another road through core, allocator and unwinder: by turns.
KINDS = ("message", "index", "overflow", "unwrap", "slice", "memory", "drop", "double")

for number, (operation, (before, act)) in enumerate(OPERATIONS.items(), start=2):
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

with subtest("a failed mount can also just be unmounted, and the disk is good"):
    arm("op=mkdir action=panic")
    machine.succeed(f"stress op mkdir {MNT}/work/last --expect EIO >&2")
    machine.execute("stress hold stop /run/held.socket")
    finish("held", expect=None)
    machine.succeed(f"umount {MNT}")
    mount()
    machine.succeed(f"stress tree verify /run/manifest {MNT}/data >&2")
    unmount_and_check()
    kernel_is_quiet()
