# SPDX-License-Identifier: GPL-2.0-only OR MIT
# An upgrade that fails on its way is rolled back: the old build goes on, no operation fails, and
# a later upgrade works. One that panics while it takes over is rolled back, too.
load(inject=True)
format_and_mount()
first = status("build")
hold()
start_hammer()
second = load_next()

# Which step fails, and how. An old build that panics in its last steps is a failed file system,
# not a failed upgrade: that is the matter of panic-repair.
for fault in ("op=import action=eio", "op=import action=panic", "op=prepare action=eio"):
    with subtest(f"an upgrade with {fault} is rolled back"):
        arm(fault)
        code, _ = in_window(f"echo {second} > /sys/fs/bentofs/{mount_id()}/upgrade")
        assert not armed(), f"{fault} was never reached"
        assert code != 0, "the upgrade says that it worked"
        assert status("last_error") != "", "the reason is not in sysfs"
        expect_status(build=first, state="active", upgrades="0")
        verify_held()

with subtest("a build that does not exist is refused"):
    machine.fail(f"echo bento_xv6_nonsense > /sys/fs/bentofs/{mount_id()}/upgrade")
    expect_status(build=first, state="active")

with subtest("then an upgrade works"):
    upgrade(second)
    expect_status(build=second, state="active", upgrades="1")
    verify_held(stop=True)

with subtest("no operation failed"):
    report = stop_hammer()
    assert report["failed"] == 0 and report["mismatches"] == 0, report
    unmount_and_check()
    kernel_is_quiet()
