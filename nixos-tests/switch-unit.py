# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What the NixOS module's unit runs at a switch to another generation (nix/unit.nix), as it stands
# there: it loads a build by its path and moves the mounts; the older one is the rollback; what
# fails leaves the mounts as they are, and fails the unit.
UNITS = "/etc/bento/switch"

load(inject=True)


def unit(name):
    """Runs the script of a generation's unit; its exit code and all that it says."""
    code, said = machine.execute(f"sh {UNITS}/{name}.sh 2>&1 | tee /dev/stderr")
    return code, said


with subtest("at boot it loads the build, and mount uses it"):
    code, said = unit("first")
    assert code == 0, said
    format_and_mount()
    first = status("build")
    hold()

with subtest("a switch to the next generation upgrades what is mounted"):
    code, said = unit("next")
    assert code == 0, said
    second = status("build")
    assert second != first, said
    expect_status(state="active", upgrades="1")
    verify_held()

with subtest("the same generation again changes nothing"):
    code, said = unit("next")
    assert code == 0, said
    expect_status(build=second, upgrades="1")

with subtest("onSwitch = \"reboot\" leaves it, and says so"):
    code, said = unit("reboot")
    assert code == 0 and "serves from the next boot on; vd" in said, said
    expect_status(build=second, upgrades="1")

with subtest("a generation with another kernel says that a reboot is needed"):
    code, said = unit("other-kernel")
    assert code == 0 and "reboot to use it" in said, said
    expect_status(build=second, upgrades="1")

with subtest("an upgrade that fails leaves the mount and fails the unit, with the reason"):
    arm("op=import action=eio")
    code, said = unit("first")
    assert code != 0 and "import" in said, (code, said)
    expect_status(build=second, state="active", upgrades="1")
    verify_held()

with subtest("rollback goes back to the older build"):
    code, said = unit("first")
    assert code == 0, said
    expect_status(build=first, state="active", upgrades="2")

with subtest("a mount that records its use goes on recording"):
    machine.succeed("bentoctl upgrade /etc/bento/prov/bento_xv6_prov_*.ko >&2")
    recording = status("build")
    code, said = unit("next")
    assert code == 0, said
    expect_status(build=recording, state="active", upgrades="3")
    # What is mounted later does not.
    assert f" {second} *" in machine.succeed("cat /sys/fs/bentofs/types")
    machine.succeed(f"bentoctl upgrade {first} >&2")
    verify_held(stop=True)
    unmount_and_check()
    kernel_is_quiet()
