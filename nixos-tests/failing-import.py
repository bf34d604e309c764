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


for fault in ("op=import action=eio", "op=import action=panic"):
    with subtest(f"an upgrade with {fault} is rolled back"):
        arm(fault)
        code, _ = in_window(f"echo {second} > /sys/fs/bentofs/{mount_id()}/upgrade")
        assert not armed(), f"{fault} was never reached"
        assert code != 0, "the upgrade says that it worked"
        expect_rollback()

with subtest("an upgrade gives up while an operation does not end, and the operation ends well"):
    # An operation that reads: what writes is waited for before the gate closes, without a limit.
    machine.succeed(
        "echo 500 > /sys/module/bentofs/parameters/drain_ms",
        f"mkdir {MNT}/slow; touch {MNT}/slow/file; sync -f {MNT}; echo 3 > /proc/sys/vm/drop_caches",
    )
    arm("op=readdir action=sleep:15000")
    background("slow", f"stress op list {MNT}/slow")
    machine.wait_until_succeeds(f"grep -q idle {inject_file()}", timeout=60)
    code, _ = in_window(f"echo {second} > /sys/fs/bentofs/{mount_id()}/upgrade")
    assert code != 0, "the upgrade says that it worked"
    finish("slow", timeout=60)
    expect_rollback()
    # The workload lists directories, too: whichever operation it was that slept, it is over now.
    machine.succeed("sleep 15")
    machine.succeed("echo 1000 > /sys/module/bentofs/parameters/drain_ms")

with subtest("a build that does not exist is refused"):
    machine.fail(f"echo bento_xv6_nonsense > /sys/fs/bentofs/{mount_id()}/upgrade")
    expect_status(build=first, state="active")

with subtest("then an upgrade works"):
    upgrade(second)
    expect_status(build=second, state="active", upgrades="1")
    verify_held(stop=True)

with subtest("the history tells of all four, oldest first"):
    lines = status("history").splitlines()
    events = [line.split(maxsplit=6) for line in lines]
    now = int(machine.succeed("date +%s"))
    assert all(now - 1200 < int(event[0]) <= now for event in events), lines
    assert [event[1:4] for event in events] == [["upgrade", first, second]] * 4, lines
    # EIO, twice; ETIMEDOUT.
    assert [event[4] for event in events] == ["-5", "-5", "-110", "0"], lines
    assert [event[5] == "0" for event in events] == [True, True, True, False], lines
    assert [event[6] for event in events] == ["import failed", "import failed", "drain failed", "-"], lines
    assert events[3][5] == status("pause_ns")

with subtest("sysfs and mountinfo give the mount the same device number"):
    assert status("dev") == machine.succeed(f"findmnt -no MAJ:MIN {MNT}").strip()

with subtest("no operation failed"):
    report = stop_hammer()
    assert report["failed"] == 0 and report["mismatches"] == 0, report
    unmount_and_check()
    kernel_is_quiet()
