# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A mounted xv6 becomes a recording one under load, tells where a file came from, keeps its log
# over a crash and from everybody's hands, and goes back to a plain xv6.
import json
import shlex
import time

load()
format_and_mount()
plain = status("build")
machine.succeed(f"echo one > {MNT}/a; echo two > {MNT}/b; sync -f {MNT}")
start_hammer(jobs=2)
recording = load_prov()


def records(about):
    """The records that hold the text ABOUT. The guest looks for it: the log of a load is long."""
    lines = machine.succeed(f"bentoctl --json prov {MNT} | grep -F {shlex.quote(about)} || true")
    return [json.loads(line) for line in lines.splitlines()]


def of_inode(number):
    return [record["event"] for record in records(f'"ino":{number},')]


with subtest("a live xv6 becomes a recording one"):
    # Somebody has a file of the time before open for writing.
    hold()
    upgrade(recording)
    expect_status(build=recording, state="active", ops_failed="0")
    verify_held()
    machine.wait_until_succeeds(f"test -s {MNT}/.prov/log.0", timeout=30)

with subtest("what is done is seen"):
    machine.succeed(f"bash -c 'exec -a worker cat {MNT}/a {MNT}/b' > {MNT}/c")
    machine.succeed(f"mkdir {MNT}/d; mv {MNT}/c {MNT}/d/c; ln {MNT}/d/c {MNT}/e; rm {MNT}/e; truncate -s 4 {MNT}/d/c")
    time.sleep(2)
    of_c = of_inode(machine.succeed(f"stat -c %i {MNT}/d/c").strip())
    for event in ("create", "open", "write", "close", "rename", "link", "unlink", "truncate"):
        assert event in of_c, f"no {event} in {of_c}"
    by_cat = records('"comm":"cat"')
    assert [record["event"] for record in by_cat].count("read") >= 2, by_cat
    assert all(record["pid"] > 0 and record["uid"] == 0 for record in by_cat), by_cat

with subtest("where a file came from"):
    machine.succeed(f"bentoctl prov trace {MNT}/d/c >&2")
    traced = json.loads(machine.succeed(f"bentoctl --json prov trace {MNT}/d/c"))
    makers = [process for process in traced["processes"] if process["comm"] == "cat"]
    assert makers, traced
    inputs = {read["ino"] for maker in makers for read in maker["inputs"]}
    wanted = {int(ino) for ino in machine.succeed(f"stat -c %i {MNT}/a {MNT}/b").split()}
    assert wanted <= inputs, f"inputs {inputs}, wanted {wanted}"

with subtest("the log is in nobody's hands"):
    user = "setpriv --reuid 1000 --regid 1000 --clear-groups"
    for command in (f"ls {MNT}/.prov", f"cat {MNT}/.prov/log.0", f"sh -c 'echo > {MNT}/.prov/log.0'"):
        machine.fail(f"{user} {command}")
    for command in (
        f"sh -c 'echo x >> {MNT}/.prov/log.0'",
        f"truncate -s 0 {MNT}/.prov/log.0",
        f"rm -f {MNT}/.prov/log.0",
        f"rm -rf {MNT}/.prov",
        f"mv {MNT}/.prov {MNT}/elsewhere",
        f"mv {MNT}/.prov/log.0 {MNT}/log",
        f"ln {MNT}/.prov/log.0 {MNT}/log",
        f"touch {MNT}/.prov/new",
        f"chmod 644 {MNT}/.prov/log.0",
        f"setfattr -n user.x -v y {MNT}/.prov/log.0",
        f"chattr -i {MNT}/.prov/log.0",
    ):
        machine.fail(command)
    machine.succeed(f"{{ chattr -i {MNT}/.prov/log.0 || true; }} 2>&1 | grep 'Operation not permitted'")
    machine.succeed(f"test -s {MNT}/.prov/log.0")

with subtest("no operation of the load failed"):
    report = stop_hammer()
    assert report["failed"] == 0 and report["mismatches"] == 0, report
    verify_held(stop=True)
    expect_status(ops_failed="0", panics="0")

with subtest("a crash leaves the log"):
    machine.succeed(f"echo last > {MNT}/last", "sleep 1", f"sync -f {MNT}")
    last = machine.succeed(f"stat -c %i {MNT}/last").strip()
    machine.crash()
    load()
    mount()
    assert "create" in of_inode(last)

with subtest("again, and back to a plain xv6"):
    recording = load_prov()
    upgrade(recording)
    machine.succeed(f"echo more > {MNT}/more")
    plain = machine.succeed("lsmod | grep -o '^bento_xv6_[0-9][^ ]*'").strip()
    upgrade(plain)
    expect_status(build=plain, state="active", ops_failed="0")
    more = machine.succeed(f"stat -c %i {MNT}/more").strip()
    # What was recorded until the last moment has arrived, behind what was there before.
    assert "create" in of_inode(more)
    assert "create" in of_inode(last)
    machine.succeed(f"rmmod {recording}", f"rm -r {MNT}/.prov")

with subtest("an unmount leaves nothing behind that would run later"):
    # What is freed is poisoned: a work item that still waits for its time would end in that.
    recording = load_prov()
    for _ in range(8):
        upgrade(recording)
        machine.succeed(f"touch {MNT}/late; umount {MNT}; sleep 0.5")
        mount()

with subtest("the disk is clean"):
    unmount_and_check()
    kernel_is_quiet()
