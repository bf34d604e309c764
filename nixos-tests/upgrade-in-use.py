# SPDX-License-Identifier: GPL-2.0-only OR MIT
# An upgrade meets everything that can be going on: each operation held up in its middle, mapped
# files and direct I/O, locks, files without a name, a frozen and a full file system, too little
# memory. None of it fails, and nobody but the operation that is held up waits for it.
load(inject=True)
format_and_mount()
builds = [load_next(), status("build")]
machine.succeed(f"echo 20000 > /sys/fs/bentofs/{mount_id()}/drain_ms")


def swap(where=""):
    """Upgrades to the other build; returns for how long operations waited, in ns."""
    machine.succeed(f"{where} echo {builds[0]} > /sys/fs/bentofs/{mount_id()}/upgrade")
    expect_status(build=builds[0], state="active")
    builds.reverse()
    return int(status("pause_ns"))


COLD = "sync -f {w}; echo 3 > /proc/sys/vm/drop_caches"
TMPFILE = "perl -e 'sysopen(my $f, $ARGV[0], 020200000 | 2, 0640) or die'"
HOLES = "perl -e 'sysseek(STDOUT, $_ * 8192, 0), syswrite(STDOUT, \"y\") for 0 .. 20'"
# For each operation: what is there before, what makes the file system do it, what is there after.
OPERATIONS = {
    "create": ("true", "touch {w}/x", "test -e {w}/x"),
    "mkdir": ("true", "mkdir {w}/x", "test -d {w}/x"),
    "mknod": ("true", "mkfifo {w}/x", "test -p {w}/x"),
    "symlink": ("true", "ln -s target {w}/x", "test $(readlink {w}/x) = target"),
    "tmpfile": ("true", TMPFILE + " {w}", "test -z \"$(ls -A {w})\""),
    "link": ("touch {w}/x", "ln {w}/x {w}/y", "test $(stat -c %h {w}/y) = 2"),
    "rename": ("echo 1 > {w}/x", "mv {w}/x {w}/y", "test $(cat {w}/y) = 1 -a ! -e {w}/x"),
    "unlink": ("touch {w}/x", "rm {w}/x", "test ! -e {w}/x"),
    "rmdir": ("mkdir {w}/x", "rmdir {w}/x", "test ! -e {w}/x"),
    "forget": ("echo 1 > {w}/x", "rm {w}/x", "test ! -e {w}/x"),
    "setattr": ("touch {w}/x", "chmod 600 {w}/x", "test $(stat -c %a {w}/x) = 600"),
    "lookup": ("touch {w}/x; " + COLD, "stat {w}/x", "true"),
    "load": ("touch {w}/x; " + COLD, "stat {w}/x", "true"),
    "readdir": ("touch {w}/x; " + COLD, "test $(ls {w}) = x", "true"),
    # Holes, for a few extents would be in the inode.
    "map": (HOLES + " > {w}/x; " + COLD, "test $(tail -c 1 {w}/x) = y", "true"),
    "allocate": ("touch {w}/x", "echo 1 > {w}/x; sync -f {w}", "test $(cat {w}/x) = 1"),
    "commit": ("echo data > {w}/x", "stress op fsync {w}/x", "test $(cat {w}/x) = data"),
    "fsync": ("echo data > {w}/x", "stress op fsync {w}/x", "true"),
    "sync": ("touch {w}/x", "sync -f {w}", "true"),
    "fallocate": ("touch {w}/x", "fallocate -l 1M {w}/x", "test $(stat -c %s {w}/x) = 1048576"),
    "setxattr": ("touch {w}/x", "setfattr -n user.a -v b {w}/x", "getfattr -n user.a {w}/x | grep -q b"),
    "removexattr": ("touch {w}/x; setfattr -n user.a -v b {w}/x", "setfattr -x user.a {w}/x", "test -z \"$(getfattr {w}/x)\""),
}

for operation, (before, act, after) in OPERATIONS.items():
    with subtest(f"upgrade in the middle of {operation}"):
        work = f"{MNT}/{operation}"
        machine.succeed(
            f"""
            mkdir {work}; sync -f {MNT}
            {before.format(w=work)}
            echo op={operation} action=sleep:400 > {inject_file()}
            ( {act.format(w=work)} ) & act=$!
            for i in $(seq 600); do grep -q armed {inject_file()} || break; sleep 0.05; done
            grep -q idle {inject_file()} || {{ echo {operation} calls no service; exit 1; }}
            echo {builds[0]} > /sys/fs/bentofs/{mount_id()}/upgrade
            wait $act
            {after.format(w=work)}
            rm -r {work}
            """
        )
        expect_status(build=builds[0], state="active")
        builds.reverse()
        # The gate was closed after the operation, not for as long as it took.
        pause = int(status("pause_ns"))
        assert pause < 200_000_000, f"others waited {pause} ns"

with subtest("with mapped files, direct I/O and a verifying workload"):
    machine.succeed(f"mkdir {MNT}/coherence")
    background("coherence", f"stress coherence par {MNT}/coherence --seconds 4")
    start_hammer(jobs=1)
    for _ in range(3):
        machine.sleep(1)
        swap()
    finish("coherence", timeout=120)

with subtest("with locks, a file without a name, and what a process holds"):
    hold()
    machine.succeed(f"touch {MNT}/lock")
    background(
        "locks",
        f"exec 8<> {MNT}/lock; flock 8; exec perl -e "
        + shlex.quote(
            f'sysopen(my $f, "{MNT}", 020200000 | 2, 0640) or die "open: $!"; syswrite($f, "x" x 100000);'
            ' open(my $r, ">", "/run/locked"); sleep 1 while !-e "/run/enough";'
            ' sysseek($f, 0, 0); sysread($f, my $text, 200000); $text eq "x" x 100000 or die "other bytes"'
        ),
    )
    machine.wait_for_file("/run/locked")
    machine.fail(f"flock -n {MNT}/lock true")
    for _ in range(2):
        swap()
        verify_held()
        machine.fail(f"flock -n {MNT}/lock true")
    machine.succeed("touch /run/enough")
    finish("locks")
    machine.succeed(f"flock -n {MNT}/lock true")

with subtest("a frozen file system is refused, and upgraded after the thaw"):
    machine.succeed(f"fsfreeze -f {MNT}")
    code, output = machine.execute(f"timeout 60 bash -c 'echo {builds[0]} > /sys/fs/bentofs/{mount_id()}/upgrade' 2>&1")
    machine.succeed(f"fsfreeze -u {MNT}")
    assert code == 1 and "busy" in output, f"{code}: {output}"
    assert "frozen" in status("last_error")
    swap()

with subtest("with a limit of memory that the workload and the upgrader have to share"):
    machine.succeed(
        "mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup",
        "grep -q memory /sys/fs/cgroup/cgroup.controllers",
        "echo +memory > /sys/fs/cgroup/cgroup.subtree_control; mkdir /sys/fs/cgroup/small",
        "echo 16M > /sys/fs/cgroup/small/memory.max",
    )
    inside = "echo $$ > /sys/fs/cgroup/small/cgroup.procs;"
    background("writer", f"{inside} dd if=/dev/zero of={MNT}/large bs=1M count=48 conv=fsync status=none && cmp -n 50331648 {MNT}/large /dev/zero")
    for _ in range(3):
        # A shell of its own, which stays inside.
        machine.succeed(f"bash -c '{inside} echo {builds[0]} > /sys/fs/bentofs/{mount_id()}/upgrade'")
        expect_status(build=builds[0])
        builds.reverse()
        machine.sleep(1)
    finish("writer")
    machine.succeed(f"test $(stat -c %s {MNT}/large) = 50331648; rm {MNT}/large")
    verify_held(stop=True)
    report = stop_hammer()
    assert report["failed"] == 0 and report["mismatches"] == 0, report

with subtest("with a full file system"):
    machine.succeed(f"echo kept > {MNT}/kept; sync -f {MNT}")
    machine.fail(f"dd if=/dev/urandom of={MNT}/fill bs=1M status=none")
    sums = machine.succeed(f"sha256sum {MNT}/fill {MNT}/kept")
    for _ in range(2):
        swap()
        machine.fail(f"dd if=/dev/zero of={MNT}/more bs=1M count=1 conv=fsync status=none")
    machine.succeed("echo 3 > /proc/sys/vm/drop_caches")
    assert machine.succeed(f"sha256sum {MNT}/fill {MNT}/kept") == sums
    machine.succeed(f"rm {MNT}/fill; sync -f {MNT}; dd if=/dev/zero of={MNT}/more bs=1M count=9 conv=fsync status=none")

with subtest("the disk is clean"):
    expect_status(ops_failed="0", panics="0")
    unmount_and_check()
    kernel_is_quiet()
