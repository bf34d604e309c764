# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A file without a name lives as long as somebody has it open; its space comes back when it is
# closed, and, if the power goes first, at the next mount.
load()
format_and_mount()


def free():
    return machine.succeed(f"sync -f {MNT}; stat -f -c '%f %d' {MNT}").strip()


def expect_free(before):
    found = free()
    assert found == before, f"free blocks and inodes: {found}, expected {before}"


# The first name in a directory may cost a block that stays.
machine.succeed(f"touch {MNT}/first && rm {MNT}/first")

with subtest("it can be read and written, and its space comes back"):
    before = free()
    machine.succeed(
        f"""
        exec 9<> {MNT}/gone
        head -c 3M /dev/urandom > /run/data
        cat /run/data >&9
        rm {MNT}/gone
        test ! -e {MNT}/gone
        cmp /run/data /proc/self/fd/9
        echo more >> /proc/self/fd/9
        echo more >> /run/data
        cmp /run/data /proc/self/fd/9
        sync -f {MNT}
        test "$(stat -L -c %h /proc/self/fd/9)" = 0
        """
    )
    expect_free(before)

with subtest("a directory that is somebody's working directory can be removed"):
    machine.succeed(f"mkdir {MNT}/dir && cd {MNT}/dir && rmdir {MNT}/dir && test -z \"$(ls -A)\"")
    machine.succeed(f"! touch {MNT}/dir/x 2> /dev/null")

with subtest("the power goes while it is open: recovery frees it"):
    before = free()
    background(
        "orphan",
        f"exec 9<> {MNT}/orphan; head -c 5M /dev/zero >&9; rm {MNT}/orphan; sync -f {MNT}; touch /run/ready; sleep 999",
    )
    machine.wait_for_file("/run/ready")
    machine.succeed(f"sync -f {MNT}")
    assert free() != before
    machine.crash()
    load()
    mount()
    machine.succeed(f"test -z \"$(ls -A {MNT})\"")
    expect_free(before)
    unmount_and_check()
    kernel_is_quiet()
