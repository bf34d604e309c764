# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A recording xv6 whose disk is full, frozen, or read-only for a while: what is recorded never
# fails an operation, and the log says that it misses something.
import json

load()
format_and_mount()
plain = status("build")
recording = load_prov()
upgrade(recording)


def records():
    return [json.loads(line) for line in machine.succeed(f"bentoctl --json prov {MNT}").splitlines()]


def count(event, name=None):
    return sum(1 for record in records() if record["event"] == event and name in (None, record.get("name")))


with subtest("a full disk: operations go on, the log says that records are missing"):
    machine.succeed(f"touch {MNT}/before; sync -f {MNT}")
    assert count("lost") == 0
    # All the space but what the file system keeps for its own use, to the last block.
    machine.fail(f"dd if=/dev/zero of={MNT}/filler bs=1M status=none")
    machine.fail(f"dd if=/dev/zero of={MNT}/rest bs=4k status=none")
    # 3000 opened and closed files are more records than fit behind the end of the log.
    machine.succeed(f"for i in $(seq 3000); do : < {MNT}/before; done; sync -f {MNT}", timeout=300)
    machine.succeed("dmesg | grep -F 'log records are dropped (error -28)' >&2")
    expect_status(state="active", panics="0")
    machine.succeed(f"rm -f {MNT}/filler {MNT}/rest; sync -f {MNT}; touch {MNT}/after; sync -f {MNT}")
    log = records()
    lost = sum(record["lost"] for record in log if record["event"] == "lost")
    print(f"records lost: {lost}", flush=True)
    assert lost > 0, log[-20:]
    assert count("create", "after") == 1
    # Said once, though a small batch may fit where the next does not.
    assert int(machine.succeed("dmesg | grep -cF 'log records are dropped'")) == 1

with subtest("a frozen disk: reading goes on, and what was read is there after the thaw"):
    machine.succeed(f"fsfreeze -f {MNT}")
    machine.succeed(f"timeout 60 cat {MNT}/before", "sleep 1")
    machine.succeed(f"fsfreeze -u {MNT}", f"sync -f {MNT}")
    assert [record for record in records() if record["comm"] == "cat" and record["event"] == "open"]

with subtest("read-only for a while"):
    before = len(records())
    machine.succeed(f"mount -o remount,ro {MNT}", f"cat {MNT}/before")
    assert len(records()) == before, "a read-only disk has a longer log"
    machine.succeed(f"mount -o remount,rw {MNT}", f"touch {MNT}/again; sync -f {MNT}")
    assert count("create", "again") == 1
    expect_status(build=recording, state="active", ops_failed="0")

with subtest("the way back"):
    upgrade(plain)
    expect_status(build=plain, state="active", ops_failed="0")
    unmount_and_check()
    kernel_is_quiet()
