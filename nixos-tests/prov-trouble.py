# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A recording xv6 whose disk is full, frozen, or read-only for a while: what is recorded never
# fails an operation, and the log counts what it misses.
import json

load()
format_and_mount()
plain = status("build")
recording = load_prov()
upgrade(recording)


# The log is long: what is asked of it is counted in the guest.
def records(pattern=""):
    """How many records there are, or those of which the line of JSON has all of a pattern's words in order."""
    return int(machine.succeed(f"bentoctl --json prov {MNT} | grep -c '{pattern}' || true"))


def lost():
    """Each number of records that the log says were lost."""
    told = machine.succeed(f"bentoctl --json prov {MNT} | grep '\"event\":\"lost\"' || true").splitlines()
    return [json.loads(line)["lost"] for line in told]


def used(mebibytes):
    """Creates, uses and removes files. Returns how many records the log got, and how many it says it lost."""
    before = records() - len(lost())
    # The disk gets full, to the last block but what the file system keeps for its own use, or it does
    # not; 3000 opened and closed files are more records than fit behind the end of the log.
    machine.succeed(
        f"""
        dd if=/dev/zero of={MNT}/filler bs=1M {mebibytes} status=none || test -z "{mebibytes}"
        dd if=/dev/zero of={MNT}/rest bs=4k {mebibytes} status=none || test -z "{mebibytes}"
        for i in $(seq 3000); do : < {MNT}/before; done
        sync -f {MNT}
        rm {MNT}/filler {MNT}/rest; sync -f {MNT}; touch {MNT}/after; sync -f {MNT}; rm {MNT}/after; sync -f {MNT}
        """,
        timeout=400,
    )
    recorded, missing = records() - len(lost()) - before, sum(lost())
    print(f"{recorded} records, lost: {lost()}", flush=True)
    return recorded, missing


with subtest("a full disk: operations go on, the log counts each record that it misses"):
    machine.succeed(f"touch {MNT}/before; sync -f {MNT}")
    everything, missing = used("count=1")
    assert everything >= 6000 and missing == 0, (everything, missing)
    recorded, missing = used("")
    machine.succeed("dmesg | grep -F 'log records are dropped (error -28)' >&2")
    expect_status(state="active", panics="0", ops_failed="0")
    assert missing > 3000 and recorded + missing == everything, (recorded, missing, everything)
    # Said once, though a small batch may fit where the next does not.
    assert int(machine.succeed("dmesg | grep -cF 'log records are dropped'")) == 1

with subtest("a frozen disk: reading goes on, and what was read is there after the thaw"):
    machine.succeed(f"fsfreeze -f {MNT}")
    machine.succeed(f"timeout 60 cat {MNT}/before", "sleep 1")
    machine.succeed(f"fsfreeze -u {MNT}", f"sync -f {MNT}")
    assert records(r'"event":"open".*"comm":"cat"') == 1

with subtest("read-only for a while"):
    before = records()
    machine.succeed(f"mount -o remount,ro {MNT}", f"cat {MNT}/before")
    assert records() == before, "a read-only disk has a longer log"
    machine.succeed(f"mount -o remount,rw {MNT}", f"touch {MNT}/again; sync -f {MNT}")
    assert records(r'"event":"create".*"name":"again"') == 1
    expect_status(build=recording, state="active", ops_failed="0")

with subtest("the way back"):
    upgrade(plain)
    expect_status(build=plain, state="active", ops_failed="0")
    unmount_and_check()
    kernel_is_quiet()
