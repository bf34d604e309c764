# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The power goes at each step of an upgrade, while files are written and synced. Recovery finds all
# that fsync promised, and fsck finds nothing.
LOG = "/dev/disk/by-id/virtio-log"


def crash_at(step, fault):
    format_and_mount()
    machine.succeed(f"dd if=/dev/zero of={LOG} bs=1M count=16 conv=fsync status=none")
    second = load_next()
    background("writer", f"stress powercut write {MNT}/work --log {LOG} --seed 4")
    machine.wait_until_succeeds(f"test $(head -c 1M {LOG} | tr -d '\\0' | grep -c done) -ge 5", timeout=300)
    if fault:
        # However slow the machine is, the upgrade does not give up before the power goes.
        machine.succeed(f"echo 60000 > /sys/fs/bentofs/{mount_id()}/drain_ms")
        arm(fault)
    background("upgrade", f"echo {second} > /sys/fs/bentofs/{mount_id()}/upgrade")
    if fault:
        machine.wait_until_succeeds(f"grep -q idle {inject_file()}", timeout=60)
        machine.fail("test -e /run/upgrade.rc")
    else:
        finish("upgrade")
        expect_status(build=second)
    machine.crash()
    load(inject=True)
    mount()
    print(machine.succeed(f"stress powercut verify {MNT}/work --log {LOG} --at-least 5"), flush=True)
    unmount_and_check()
    kernel_is_quiet()


load(inject=True)
for step in ("prepare", "try_export", "try_import", "export", "import"):
    with subtest(f"power cut in {step}"):
        crash_at(step, f"op={step} action=sleep:60000")

with subtest("power cut right after an upgrade"):
    crash_at("after", None)
