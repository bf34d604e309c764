# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A switch to a generation with another module upgrades the mounted file system under load, a
# rollback goes back, and a failing upgrade leaves the mount as it is and fails the unit.
SWITCH = "bin/switch-to-configuration test"
SYSTEM = machine.succeed("readlink -f /run/current-system").strip()

load()
format_and_mount()
first = status("build")
hold()
start_hammer()

with subtest("switch to the next generation"):
    machine.succeed(f"{SYSTEM}/specialisation/next/{SWITCH} >&2")
    second = status("build")
    assert second != first, second
    expect_status(state="active", upgrades="1")
    verify_held()

with subtest("rollback"):
    machine.succeed(f"{SYSTEM}/{SWITCH} >&2")
    expect_status(build=first, state="active", upgrades="2")
    verify_held()

with subtest("an upgrade that fails leaves the mount, fails the unit, and says why"):
    arm("op=import action=eio")
    machine.fail(f"{SYSTEM}/specialisation/next/{SWITCH} >&2")
    expect_status(build=first, state="active", upgrades="2")
    assert machine.get_unit_info("bento-xv6.service")["ActiveState"] == "failed"
    machine.succeed("journalctl -u bento-xv6.service | grep -i import")
    verify_held(stop=True)

with subtest("no operation failed"):
    report = stop_hammer()
    assert report["failed"] == 0 and report["mismatches"] == 0, report
    unmount_and_check()
    kernel_is_quiet()
