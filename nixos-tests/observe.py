# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What an administrator sees: tracepoints of every call, counters, latencies, the phases of an
# upgrade, a panic; calls that do not end (watchdog=), operations that wait for a repair
# (failed_wait=).
load(inject=True)
format_and_mount()
machine.succeed("mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing")
TRACING = "/sys/kernel/tracing"
DEBUG = f"/sys/kernel/debug/bentofs/{mount_id()}"
dev = status("dev")
# Lines of kernel-module/README.md (nix/test_scenarios.py compares them).
LIVE = "cd /sys/kernel/tracing && echo 1 > events/bentofs/enable && cat trace_pipe"
COUNTS = "perf record -q -a -e bentofs:op_exit -o ops.data sleep 5 && perf script -i ops.data -F trace:trace | awk '{ print $2, $3 }' | sort | uniq -c"


def trace(on):
    machine.succeed(f"echo {int(on)} > {TRACING}/events/bentofs/enable")


def traced(act):
    """Runs ACT; the events meanwhile as (kind, operation, {field: value}, task)."""
    machine.succeed(f"echo > {TRACING}/trace")
    trace(True)
    machine.succeed(act)
    trace(False)
    events = []
    for line in machine.succeed(f"grep -v '^#' {TRACING}/trace").splitlines():
        head, kind, where, what, *fields = line.split(": ", 2)[0:2] + line.split(": ", 2)[2].split()
        assert where == dev, line
        events.append((kind, what, dict(field.split("=", 1) for field in fields), head.split()[0]))
    return events


def counts():
    return {line.split()[0]: [int(n) for n in line.split()[1:]] for line in status("ops").splitlines()}


def shown():
    return machine.succeed(f"awk '$2 == \"{MNT}\" {{ print $4 }}' /proc/mounts").strip().split(",")


def remount(options):
    machine.succeed(f"mount -o remount,{options} {MNT}")


with subtest("op_enter has all that repeats a change, op_exit what came of it"):
    machine.succeed(f"mkdir {MNT}/old {MNT}/new")
    name = f"{MNT}/old/$'two words\\n\"\\\\\\303\\244'"
    events = traced(
        f"umask 022; cd {MNT}; touch {name}; chmod 640 {name}; ln -s 'a b' {MNT}/link; truncate -s 5000 {name};"
        f" touch -d @1234567890.5 {name}; setfattr -n user.x -v value {name}; mv {name} {MNT}/new/name;"
        f" rm {MNT}/new/name; ! rmdir {MNT}/new/none"
    )
    ino = {path: machine.succeed(f"stat -c %i {MNT}/{path}").strip() for path in ("old", "new", ".")}
    enters = [(what, fields) for kind, what, fields, _ in events if kind == "op_enter"]
    exits = [(what, fields) for kind, what, fields, _ in events if kind == "op_exit"]

    def one(op, **expected):
        found = [fields for what, fields in enters if what == op and expected.items() <= fields.items()]
        assert len(found) == 1, f"{op} {expected}: {found} in {enters}"
        return found[0]

    made = one("create", ino=ino["old"], a=str(0o100644), b="0", name=r"two\040words\012\042\134\303\244")
    number = next(fields["made"] for what, fields in exits if what == "create")
    one("setattr", ino=number, a=str(1 + 64 + (0o640 << 32)))
    one("setattr", ino=number, c="5000")
    assert [f for w, f in enters if w == "setattr" and "1234567890.500000000" in f["name"]], enters
    one("symlink", ino=ino["."], name="link", name2=r"a\040b")
    one("setxattr", ino=number, name="user.x", name2="value", b="5")
    one("rename", ino=ino["old"], a=ino["new"], b=number, name=made["name"], name2="name")
    one("unlink", ino=ino["new"], a=number, name="name")
    one("forget", ino=number)
    assert ("lookup", {"result": "-2", "made": "0"}) in exits, exits
    # Every call that began has ended, and the other way round.
    assert sorted(what for what, _ in enters) == sorted(what for what, _ in exits), events

with subtest("the line of the README shows operations as they come"):
    machine.succeed(
        f"timeout 200 bash -c '{LIVE}' > /run/live.out & for i in $(seq 100); do touch {MNT}/seen; rm {MNT}/seen;"
        " grep -q 'unlink.*name=seen' /run/live.out && break; sleep 0.5; done; kill $!; grep -q 'unlink.*name=seen' /run/live.out"
    )
    trace(False)

with subtest("perf's line of the README counts operations by what came of them"):
    # Debian's perf, with those of its libraries that the guest does not have.
    machine.succeed(
        "printf '#!/bin/sh\\nLD_LIBRARY_PATH=%s/lib/x86_64-linux-gnu exec %s/bin/perf \"$@\"\\n' /etc/bento/perf/usr /etc/bento/perf/usr > /run/bin/perf",
        "chmod 755 /run/bin/perf; perf --version >&2",
    )
    background("user", f"cd {MNT}; until test -e /run/counted; do mkdir one; ! mkdir one/two/three; rmdir one; sleep 0.1; done")
    counted = {}
    for line in machine.succeed(f"cd /run; {COUNTS}").splitlines():
        number, what, result = line.split()
        counted[what, result] = int(number)
    machine.succeed("touch /run/counted")
    finish("user")
    assert counted["mkdir", "result=0"] > 2, counted
    assert counted["lookup", "result=-2"] > 2, counted
    # One more or less of each has begun before or ended after the five seconds.
    assert abs(counted["mkdir", "result=0"] - counted["rmdir", "result=0"]) <= 1, counted

with subtest("operations are counted, also when nobody asked for it"):
    before = counts()
    machine.succeed(f"cd {MNT}; for i in $(seq 30); do mkdir d$i; done; ! stat d31 d32")
    after = counts()
    assert after["mkdir"] == [before.get("mkdir", [0, 0])[0] + 30, 0], (before, after)
    assert after["lookup"][1] - before["lookup"][1] == 32, (before, after)

with subtest("latencies are measured while they are enabled, and only then"):
    machine.succeed(f"mkdir {MNT}/unseen", f"test ! -s {DEBUG}/latency", f"echo 1 > {DEBUG}/latency_enable")
    arm("op=mkdir action=sleep:700")
    machine.succeed(f"mkdir {MNT}/slow; mkdir {MNT}/quick; ! mkdir {MNT}/old")
    lines = {line.split()[0]: [int(n) for n in line.split()[1:]] for line in machine.succeed(f"cat {DEBUG}/latency").splitlines()}
    calls, errors, total, longest, *buckets = lines["mkdir"]
    assert (calls, errors, len(buckets), sum(buckets)) == (2, 0, 24, 2), lines
    assert 700_000_000 <= longest <= total, lines
    assert buckets[23] == 1, "0.7 s belongs into the last bucket: " + str(buckets)
    machine.succeed(f"echo 0 > {DEBUG}/latency", f"test ! -s {DEBUG}/latency", f"echo 0 > {DEBUG}/latency_enable")
    machine.succeed(f"mkdir {MNT}/after", f"test ! -s {DEBUG}/latency")
    machine.fail(f"echo 2 > {DEBUG}/latency_enable")

with subtest("watchdog: a call that does not end is told of once, and counted"):
    remount("watchdog=2")
    assert "watchdog=2" in shown(), shown()
    arm("op=mkdir action=sleep:8000")
    most = machine.succeed(
        f"stress op mkdir {MNT}/stuck >&2 & most=0; while kill -0 $! 2> /dev/null; do sleep 0.2;"
        f" now=$(cat /sys/fs/bentofs/{mount_id()}/stuck); [ $now -le $most ] || most=$now; done; wait $! && echo $most"
    )
    assert int(most) >= 1, most
    machine.wait_until_succeeds(f"test $(cat /sys/fs/bentofs/{mount_id()}/stuck) = 0", 60)
    told = machine.succeed(f"dmesg | grep 'bentofs: '{mount_id()}': mkdir of task .* (stress) has been running for'")
    assert len(told.splitlines()) == 1, told
    remount("watchdog=0")
    assert not [option for option in shown() if option.startswith("watchdog")], shown()
    machine.fail(f"mount -o remount,watchdog=3601 {MNT}")

with subtest("the phases of an upgrade"):
    second = load_next()
    events = traced(f"echo {second} > /sys/fs/bentofs/{mount_id()}/upgrade")
    phases = [(what, int(fields["ns"])) for kind, what, fields, _ in events if kind == "upgrade_phase"]
    assert [phase for phase, _ in phases] == ["prepare", "drain", "export", "import", "wake"], phases
    assert sum(ns for _, ns in phases[1:]) == int(status("pause_ns")), phases

with subtest("a panic is an event"):
    arm("op=create action=panic")
    events = traced(f"stress op create {MNT}/x --expect EIO")
    assert [(what, bool(fields["text"])) for kind, what, fields, _ in events if kind == "panic"] == [("create", True)]

with subtest("failed_wait: operations wait for the repair, and then work"):
    remount("failed_wait=300")
    assert "failed_wait=300" in shown(), shown()
    waited = int(machine.succeed(f"stress op create {MNT}/x --expect EIO").split()[-2])
    assert waited >= 300_000, f"waited only {waited} us"
    remount("failed_wait=60000")
    background("killed", f"timeout -s KILL 1 stress op mkdir {MNT}/killed")
    finish("killed", timeout=20, expect=137)
    machine.succeed("echo 3 > /proc/sys/vm/drop_caches")
    background("waiter", f"stress op mkdir {MNT}/waited")
    background("reader", f"stress op list {MNT}/old")
    machine.wait_until_succeeds("test $(pgrep -c -x stress) = 2", 20)
    machine.succeed("sleep 1")
    machine.fail("test -e /run/waiter.rc -o -e /run/reader.rc")
    upgrade(second)
    finish("waiter", timeout=30)
    finish("reader", timeout=30)
    expect_status(state="active", panics="1")
    assert status("history").splitlines()[-1].split()[1] == "repair"
    machine.succeed(f"mount -o remount,failed_wait=0 {MNT}", f"rmdir {MNT}/waited")
    unmount_and_check()
    kernel_is_quiet()
