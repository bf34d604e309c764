# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Who is upgraded and who is not: several mounts of a type of which one cannot be upgraded, a build
# that does not understand the state of the other, modules that are loaded and unloaded around it.
OTHER = "/dev/disk/by-id/virtio-other"
MNT2 = "/mnt/other"
NEXT = "/etc/bento/next/bento_xv6_*.ko"

load(inject=True)
format_and_mount()
format_and_mount(disk=OTHER, where=MNT2)
machine.succeed(f"echo one > {MNT}/file; echo two > {MNT2}/file")
first = status("build")
second = machine.succeed(f"basename {NEXT} .ko").strip()


def types():
    """Of each build of xv6: "*" or "-", the schemas that it writes and reads."""
    lines = machine.succeed("grep '^xv6 ' /sys/fs/bentofs/types").splitlines()
    return {words[2]: words[3:] for words in map(str.split, lines)}


def used(build):
    return int(machine.succeed(f"awk '$1 == \"{build}\" {{ print $3 }}' /proc/modules"))


with subtest("no mount can be upgraded: the module does not stay"):
    for disk in (DISK, OTHER):
        arm("op=import action=eio", disk)
    machine.fail(f"insmod {NEXT}")
    machine.fail(f"grep -q {second} /proc/modules")
    for disk in (DISK, OTHER):
        expect_status(disk, build=first, state="active", upgrades="0")
        assert "import failed" in status("last_error", disk)
    assert list(types()) == [first]

with subtest("one of two can be upgraded: the module stays, and each mount says what happened"):
    arm("op=import action=panic", OTHER)
    machine.succeed(f"insmod {NEXT}")
    expect_status(build=second, upgrades="1", last_error="")
    expect_status(OTHER, build=first, upgrades="0", state="active")
    assert "import failed" in status("last_error", OTHER)
    # Not all took it, so a new mount does not, either.
    assert types()[first][0] == "*" and types()[second][0] == "-", types()
    machine.succeed(f"test $(cat {MNT}/file) = one && test $(cat {MNT2}/file) = two; touch {MNT}/a {MNT2}/a")
    machine.succeed(f"echo {second} > /sys/fs/bentofs/{mount_id(OTHER)}/upgrade")
    expect_status(OTHER, build=second, upgrades="1", last_error="")

with subtest("a module is in use as long as a mount needs it, and no longer"):
    assert used(first) == 0 and used(second) == 2
    machine.fail(f"rmmod {second}")
    code, output = machine.execute(f"insmod {NEXT} 2>&1")
    assert code != 0 and "File exists" in output, output
    machine.succeed(f"rmmod {first}")
    machine.succeed(f"touch {MNT}/b {MNT2}/b; ls {MNT} {MNT2} > /dev/null")
    machine.succeed(f"umount {MNT2}", f"fsck.xv6 -n {OTHER} >&2")
    assert used(second) == 1

with subtest("a build with another schema of state is refused, with both ranges, either way"):
    # The table of operations starts with a magic number; schema_min and schema are at 32 and 36.
    # This build claims to write schema 9, and to read nothing older.
    name = machine.succeed("modinfo -F filename bento_xv6").strip()
    machine.succeed(
        f"""
        cp {name} /run/newer.ko
        at=$(LC_ALL=C grep -obUaP 'BENTO\\x00\\x00\\x00[\\x01-\\x30]\\x00\\x00\\x00' /run/newer.ko | head -1 | cut -d: -f1)
        printf '\\x09\\0\\0\\0\\x09\\0\\0\\0' | dd of=/run/newer.ko bs=1 seek=$((at + 32)) conv=notrunc status=none
        insmod /run/newer.ko hold=1
        """
    )
    mine = types()[second][1:]
    assert types()[first][1:] == ["schema=9", "reads=9-9"], types()
    writes, reads = (word.split("=")[1] for word in mine)

    def refused(newer, older):
        for word in ("", "check "):
            code, output = machine.execute(f"bash -c 'echo {word}{newer} > /sys/fs/bentofs/{mount_id()}/upgrade' 2>&1")
            assert code != 0 and "not supported" in output, output
        said = status("last_error")
        assert f"{older} writes schema" in said and "reads 9-9" in said and f"reads {reads}" in said, said
        expect_status(build=older, state="active")

    refused(first, second)
    machine.succeed(f"touch {MNT}/c; rmmod {first}")
    machine.fail("insmod /run/newer.ko")
    machine.fail(f"grep -q {first} /proc/modules")
    # And back: what the newer build hands over means nothing to the other.
    machine.succeed("insmod /run/newer.ko hold=1", f"umount {MNT}", f"rmmod {second}")
    mount()
    machine.succeed(f"insmod {NEXT} hold=1")
    refused(second, first)

with subtest("the disk is clean"):
    machine.succeed(f"test $(cat {MNT}/file) = one")
    unmount_and_check()
    kernel_is_quiet()
