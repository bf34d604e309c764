# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The operator's tool on a real kernel: it shows everybody the state, loads and refuses modules,
# upgrades two mounts in use, there and back, tries without doing, counts, stops where one fails,
# and says by its exit code what was wrong.
import json

OTHER = "/dev/disk/by-id/virtio-other"
NEXT = "/etc/bento/next/bento_xv6_*.ko"
# The exit codes of bentoctl(8).
PARTIAL, PERMISSION, NOT_FOUND, REFUSED, INCOMPATIBLE, BUSY, FAILED = 1, 3, 4, 5, 6, 7, 8


def ask(command):
    """The document that bentoctl prints with --json."""
    return json.loads(machine.succeed(f"bentoctl --json {command}"))


def says(command, code, *texts, user=0):
    """Runs bentoctl; it must end with this code and say all of that."""
    switch = f"setpriv --reuid {user} --regid {user} --clear-groups " if user else ""
    ended, output = machine.execute(f"{switch}bentoctl {command} 2>&1")
    print(f"$ bentoctl {command}\n{output}", flush=True)
    assert ended == code, f"bentoctl {command} ended with {ended}, expected {code}: {output}"
    for text in texts:
        assert text in output, f"'{text}' is not in: {output}"
    return output


def builds():
    return {build["module"]: build for build in ask("list")["builds"]}


def expect_builds(**expected):
    """expect_builds(vdb=first): which build serves which mount."""
    found = {mount["id"]: mount["build"] for mount in ask("status")["mounts"]}
    assert found == expected, f"{found}, expected {expected}"


with subtest("without bentofs it says so"):
    machine.wait_for_unit("multi-user.target")
    says("status", NOT_FOUND, "modprobe bentofs")

load(inject=True)
format_and_mount()
format_and_mount(disk=OTHER, where="/mnt/other")
first = status("build")
second = machine.succeed(f"basename {NEXT} .ko").strip()
points = {}
for disk, where in ((DISK, MNT), (OTHER, "/mnt/other")):
    points[machine.succeed(f"echo {mount_id(disk)}").strip()] = (disk, where)
# bentoctl works in the order of the ids.
one, two = sorted(points)

with subtest("everybody may look, nobody else may touch"):
    says("status", 0, f"{one}  xv6", MNT, "active", user=1000)
    says("list", 0, first, f"{one}, {two}", user=1000)
    says("history", 0, user=1000)
    for command in (f"load {NEXT}", f"upgrade {NEXT}", f"unload {first} bentofs"):
        code, output = machine.execute(f"setpriv --reuid 1000 --regid 1000 --clear-groups bentoctl {command} 2>&1")
        assert code in (PERMISSION, BUSY), f"{command}: {code}: {output}"
    says(f"load {NEXT}", PERMISSION, "only root", user=1000)
    assert list(builds()) == [first]

with subtest("a mount is named by mount point, device or id"):
    for name in (points[two][1], points[two][0], two):
        mounts = ask(f"status {name}")["mounts"]
        assert [mount["id"] for mount in mounts] == [two], mounts
    says("status /proc", NOT_FOUND, "/proc")

with subtest("modules that cannot work here are refused with the reason"):
    strange = machine.succeed("find /lib/modules -name '*.ko*' ! -name 'bento*' -print -quit").strip()
    says(f"load {strange}", REFUSED, "not a Bento file system")
    says("load /etc/hostname", REFUSED, "not a kernel module")
    # Another kernel, as text in .modinfo; another ABI and, for later, another schema of the
    # state, behind the magic number of the operations.
    machine.succeed(
        f"""
        cd /run; cp {NEXT} kernel.ko; cp {NEXT} abi.ko; cp {NEXT} schema.ko
        LC_ALL=C sed -i 's/vermagic=[0-9]/vermagic=5/' kernel.ko
        at=$(LC_ALL=C grep -obUaP 'BENTO\\x00\\x00\\x00[\\x01-\\x30]\\x00\\x00\\x00' abi.ko | head -1 | cut -d: -f1)
        printf '\\x63' | dd of=abi.ko bs=1 seek=$((at + 8)) conv=notrunc status=none
        printf '\\x63\\0\\0\\0\\x63\\0\\0\\0' | dd of=schema.ko bs=1 seek=$((at + 32)) conv=notrunc status=none
        """
    )
    release = machine.succeed("uname -r").strip()
    says("load /run/kernel.ko", REFUSED, "built for kernel 5", f"{release} runs")
    says("load /run/abi.ko", REFUSED, "ABI 99", "the loaded bentofs has ABI")
    says("load bento_nonsense", NOT_FOUND, "no installed module")
    assert list(builds()) == [first]

with subtest("a dry run changes nothing, not even what is loaded"):
    says(f"upgrade {NEXT} --dry-run", 0, "dry run: xv6 0.1.0 -> 0.1.1 would work on 2 mounts")
    says("upgrade /run/schema.ko --dry-run", INCOMPATIBLE, "state schema", "99 to 99", first)
    assert list(builds()) == [first]
    expect_builds(**{one: first, two: first})

with subtest("two mounts in use get another build"):
    hold()
    start_hammer(jobs=2)
    output = says(f"upgrade {NEXT} --watch", 0, "[2/2]", f"{two}: 0.1.0 -> 0.1.1: upgraded, pause")
    last = output.splitlines()[-1]
    assert last.startswith("upgraded xv6 0.1.0 -> 0.1.1 on 2 mounts, longest pause "), last
    assert last.endswith(", 0 operations failed"), last
    expect_builds(**{one: second, two: second})
    assert builds()[second]["preferred"] and not builds()[first]["preferred"], "new mounts use the old one"
    verify_held()
    says(f"upgrade {second}", 0, "nothing to do")

with subtest("there and back: the history leads to the build before"):
    document = ask("rollback")
    assert [mount["result"] for mount in document["mounts"]] == ["upgraded"] * 2, document
    assert document["preferred"] == [first], document
    expect_builds(**{one: first, two: first})
    events = ask(f"history {one}")["mounts"][0]["events"]
    # The upgrades above that were refused or given up are in it, too.
    done = [event for event in events if event["kind"] == "upgrade" and event["result"] == 0]
    assert [(event["from"], event["to"]) for event in done] == [(first, second), (second, first)], events
    assert all(event["pause_ns"] > 0 for event in done), events
    verify_held()
    report = stop_hammer()
    assert report["failed"] == 0 and report["mismatches"] == 0, report

with subtest("how often each operation ran, and how long it took"):
    where = points[one][1]

    def counted(op):
        return next((line for line in ask(f"stats {one}")["mounts"][0]["ops"] if line["op"] == op), None)

    before = counted("rmdir") or {"count": 0, "errors": 0}
    says(f"stats {one}", 0, "latencies: not measured", "lookup")
    says(f"stats {one} --enable", 0, "latencies: being measured")
    # All of them enter the file system, the last to be told that the directory is not empty.
    machine.succeed(f"cd {where} && mkdir -p c/d c/e && rmdir c/d c/e && touch c/f")
    machine.fail(f"rmdir {where}/c")
    after = counted("rmdir")
    assert after["count"] == before["count"] + 3 and after["errors"] == before["errors"] + 1, (before, after)
    latency = after["latency"]
    assert latency["count"] == 3 and latency["errors"] == 1 and sum(latency["buckets"]) == 3, latency
    assert 0 < latency["p50_ns"] <= latency["max_ns"] <= latency["total_ns"] < 60_000_000_000, latency
    says(f"stats {one}", 0, "latencies: for root alone", "rmdir", user=1000)
    says(f"stats {one} --enable", PERMISSION, user=1000)
    says(f"stats {one} --disable --reset", 0, "latencies: not measured")
    assert counted("rmdir") == after | {"latency": None}
    machine.succeed(f"rm -r {where}/c")

with subtest("an upgrade that fails stops there, or goes on"):
    arm("op=import action=eio", disk=points[two][0])
    says(f"upgrade {second}", PARTIAL, "1 of 2 mounts failed", f"FAILED {two}", f"{first} serves on")
    expect_builds(**{one: second, two: first})
    assert builds()[first]["preferred"], "new mounts use a build that not all mounts took"
    says(f"rollback --mount {one}", 0, "rolled back xv6 0.1.1 -> 0.1.0 on 1 mount")
    arm("op=import action=eio", disk=points[one][0])
    says(f"upgrade {second}", FAILED, "1 of 2 mounts failed, 1 not tried")
    arm("op=import action=eio", disk=points[one][0])
    says(f"upgrade {second} --keep-going", PARTIAL, f"{two}: 0.1.0 -> 0.1.1: upgraded")
    expect_builds(**{one: first, two: second})
    says(f"rollback --mount {points[two][1]}", 0)

with subtest("busy: frozen, or an operation that does not end"):
    machine.succeed(f"fsfreeze -f {points[two][1]}")
    says(f"upgrade {second} --mount {two}", BUSY, f"fsfreeze -u {points[two][1]}")
    machine.succeed(f"fsfreeze -u {points[two][1]}")
    disk, where = points[two]
    machine.succeed(f"mkdir {where}/slow; touch {where}/slow/file; sync -f {where}; echo 3 > /proc/sys/vm/drop_caches")
    arm("op=readdir action=sleep:15000", disk=disk)
    background("slow", f"stress op list {where}/slow")
    machine.wait_until_succeeds(f"grep -q idle {inject_file(disk)}", timeout=60)
    says(f"upgrade {second} --mount {two} --drain-ms 200", BUSY, "within 200 ms", "--drain-ms")
    assert ask(f"status {two}")["mounts"][0]["drain_ms"] == 1000
    finish("slow")
    says(f"unload {first}", BUSY, f"serves {one}, {two}")
    says("unload bentofs", BUSY, "in use")
    expect_builds(**{one: first, two: first})

with subtest("a failed mount is repaired, and the others are upgraded"):
    arm("op=create action=panic", disk=points[one][0])
    machine.succeed(f"stress op create {points[one][1]}/new --expect EIO >&2")
    says(f"status {one}", 0, "failed", "to repair")
    says(f"upgrade {second}", 0, f"{one}: 0.1.0 -> 0.1.1: repaired", "on 2 mounts (1 repaired)")
    assert [mount["state"] for mount in ask("status")["mounts"]] == ["active"] * 2
    verify_held(stop=True)

with subtest("builds that nobody uses are unloaded"):
    says("unload --unused", 0, f"unloaded {first}")
    assert list(builds()) == [second]
    # Its name is enough where it is installed.
    says("load bento_xv6", 0, "loaded xv6 0.1.0")
    says("rollback", 0, "rolled back xv6 0.1.1 -> 0.1.0 on 2 mounts")
    says("unload 0.1.1", 0, f"unloaded {second}")

with subtest("the disks are clean, and everything can be unloaded"):
    unmount_and_check(disk=OTHER, where="/mnt/other")
    unmount_and_check()
    says("unload 0.1.0 bentofs", 0)
    machine.fail("lsmod | grep -q bento")
    kernel_is_quiet()
