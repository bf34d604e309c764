# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A read-only mount can be read, refuses every change with EROFS, and leaves each byte of the disk
# as it is.
load()
format_and_mount()
machine.succeed(
    f"mkdir {MNT}/dir; echo text > {MNT}/dir/file; ln -s file {MNT}/dir/link; ln {MNT}/dir/file {MNT}/hard",
    f"stress tree manifest {MNT} > /run/manifest",
    f"umount {MNT}",
)


def digest():
    return machine.succeed(f"sha256sum < {DISK}")


with subtest("it can be read and nothing else"):
    before = digest()
    mount("ro")
    machine.succeed(f"stress tree verify /run/manifest {MNT} >&2")
    for operation in ("create new", "mkdir new", "unlink hard", "append hard", "truncate hard"):
        verb, name = operation.split()
        machine.succeed(f"stress op {verb} {MNT}/{name} --expect EROFS >&2")
    machine.fail(f"chmod 600 {MNT}/hard", f"mv {MNT}/hard {MNT}/soft", f"touch {MNT}/hard")
    machine.succeed(f"umount {MNT}")
    assert digest() == before

with subtest("it can be made writable and read-only again"):
    mount("ro")
    machine.succeed(f"mount -o remount,rw {MNT}", f"echo new > {MNT}/new")
    machine.succeed(f"mount -o remount,ro {MNT}")
    machine.succeed(f"stress op create {MNT}/more --expect EROFS >&2", f'test "$(cat {MNT}/new)" = new')
    unmount_and_check()

with subtest("a device that cannot be written"):
    before = digest()
    machine.succeed(f"blockdev --setro {DISK}")
    mount("ro")
    machine.succeed(f'test "$(cat {MNT}/new)" = new', f"umount {MNT}")
    machine.succeed(f"blockdev --setrw {DISK}")
    assert digest() == before

with subtest("after a power cut"):
    mount()
    machine.succeed(f"echo last > {MNT}/last; sync; echo lost > {MNT}/lost")
    machine.crash()
    load()
    # The log may be replayed on a device that can be written, although the mount is read-only.
    mount("ro")
    machine.succeed(f'test "$(cat {MNT}/last)" = last')
    machine.succeed(f"stress op create {MNT}/more --expect EROFS >&2")
    unmount_and_check()
    kernel_is_quiet()
