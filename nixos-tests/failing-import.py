# SPDX-License-Identifier: GPL-2.0-only OR MIT
# An upgrade that fails on its way is rolled back: the old build goes on, no operation fails, and
# a later upgrade works. The same where the new build panics while it takes over, and where an
# operation does not end in time.
load(inject=True)
format_and_mount()
first = status("build")
hold()
start_hammer()
second = load_next()


def expect_rollback():
    assert status("last_error") != "", "the reason is not in sysfs"
    expect_status(build=first, state="active", upgrades="0")
    verify_held()


def upgrade_file(disk=DISK):
    return f"/sys/fs/bentofs/{mount_id(disk)}/upgrade"


with subtest("check: an upgrade would work, and nothing happens"):
    code, _ = in_window(f"echo check {second} > {upgrade_file()}")
    assert code == 0, status("last_error")
    expect_status(build=first, state="active", upgrades="0", pause_ns="0", last_error="")
    # What a file system in use changes meanwhile may disturb one try, not three.
    arm("op=try_import action=eio")
    machine.succeed(f"echo check {second} > {upgrade_file()}")
    assert not armed(), "the import was not tried"
    arm("op=try_import action=panic")
    machine.fail(f"echo check {second} > {upgrade_file()}")
    expect_rollback()

for fault in ("op=try_import action=panic", "op=import action=eio", "op=import action=panic"):
    with subtest(f"an upgrade with {fault} is rolled back"):
        arm(fault)
        code, _ = in_window(f"echo {second} > /sys/fs/bentofs/{mount_id()}/upgrade")
        assert not armed(), f"{fault} was never reached"
        assert code != 0, "the upgrade says that it worked"
        expect_rollback()

with subtest("an upgrade gives up while an operation does not end, and the operation ends well"):
    # An operation that reads: the preparation waits for what writes, see below.
    machine.succeed(
        f"echo 500 > /sys/fs/bentofs/{mount_id()}/drain_ms",
        f"mkdir {MNT}/slow; touch {MNT}/slow/file; sync -f {MNT}; echo 3 > /proc/sys/vm/drop_caches",
    )
    arm("op=readdir action=sleep:20000")
    background("slow", f"stress op list {MNT}/slow")
    machine.wait_until_succeeds(f"grep -q idle {inject_file()}", timeout=60)
    code, _ = in_window(f"echo {second} > /sys/fs/bentofs/{mount_id()}/upgrade")
    assert code != 0, "the upgrade says that it worked"
    finish("slow", timeout=60)
    expect_rollback()
    # The workload lists directories, too: whichever operation it was that slept, it is over now.
    machine.succeed("sleep 20")

with subtest("nor does it wait for ever for a preparation that does not end"):
    machine.succeed(f"echo 100 > /sys/fs/bentofs/{mount_id()}/drain_ms")
    arm("op=prepare action=sleep:10000")
    machine.succeed(f"touch {MNT}/slow/more")
    code, output = machine.execute(f"timeout 8 bash -c 'echo {second} > {upgrade_file()}' 2>&1")
    assert code == 1 and "timed out" in output, f"{code}: {output}"
    code, output = machine.execute(f"bash -c 'echo {second} > {upgrade_file()}' 2>&1")
    assert code == 1 and "busy" in output, f"{code}: {output}"
    expect_rollback()
    machine.succeed("sleep 10", f"echo 1000 > /sys/fs/bentofs/{mount_id()}/drain_ms")
    machine.fail(f"echo 0 > /sys/fs/bentofs/{mount_id()}/drain_ms")
    expect_status(drain_ms="1000")

with subtest("a build that does not exist is refused"):
    machine.fail(f"echo bento_xv6_nonsense > /sys/fs/bentofs/{mount_id()}/upgrade")
    expect_status(build=first, state="active")

with subtest("an export that fails changes nothing"):
    for operation in ("try_export", "export"):
        arm(f"op={operation} action=eio")
        machine.fail(f"echo {second} > {upgrade_file()}")
        assert not armed()
        expect_rollback()

with subtest("then an upgrade works"):
    upgrade(second)
    expect_status(build=second, state="active", upgrades="1")
    verify_held(stop=True)

# Kind, result, where it ended.
EVENTS = [
    ["check", "0", "-"],
    ["check", "0", "-"],
    ["check", "-5", "rehearsal of the import failed"],
    ["upgrade", "-5", "rehearsal of the import failed"],
    ["upgrade", "-5", "import failed"],
    ["upgrade", "-5", "import failed"],
    ["upgrade", "-110", "drain failed"],
    ["upgrade", "-110", "prepare failed"],
    ["upgrade", "-16", "prepare failed"],
    ["upgrade", "-5", "prepare failed"],
    ["upgrade", "-5", "export failed"],
    ["upgrade", "0", "-"],
]

with subtest("the history tells of all of them, oldest first"):
    lines = status("history").splitlines()
    events = [line.split(maxsplit=6) for line in lines]
    now = int(machine.succeed("date +%s"))
    assert all(now - 1200 < int(event[0]) <= now for event in events), lines
    assert all(event[2:4] == [first, second] for event in events), lines
    assert [[event[1], event[4], event[6]] for event in events] == EVENTS, lines
    # Only the one that worked has held up anybody.
    assert {event[5] for event in events[:-1]} == {"0"} and events[-1][5] == status("pause_ns"), lines

with subtest("a damaged state is refused"):
    # The tag, the length and the first bytes of the first record.
    for at in (0, 4, 8, 9):
        arm(f"op=import action=damage:{at}")
        machine.fail(f"echo {first} > {upgrade_file()}")
        assert not armed(), "no state was damaged"
        assert "import failed" in status("last_error")
        expect_status(build=second, state="active", upgrades="1")
    machine.succeed("dmesg | grep -q 'damaged: its checksum is wrong'")
    upgrade(first)
    expect_status(build=first, state="active", upgrades="2", last_error="")

with subtest("sysfs and mountinfo give the mount the same device number"):
    assert status("dev") == machine.succeed(f"findmnt -no MAJ:MIN {MNT}").strip()

with subtest("no operation failed"):
    report = stop_hammer()
    assert report["failed"] == 0 and report["mismatches"] == 0, report
    unmount_and_check()
    kernel_is_quiet()
