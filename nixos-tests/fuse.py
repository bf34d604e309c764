# SPDX-License-Identifier: GPL-2.0-only OR MIT
# One disk goes to and fro between the kernel and user space: what one host of the file system
# writes the other reads, byte for byte and attribute for attribute.
load()
machine.succeed("modprobe fuse")
format_and_mount()


def to_user_space():
    machine.succeed(f"umount {MNT}; fsck.xv6 -n {DISK} >&2; mount.fuse.xv6 -o allow_other {DISK} {MNT}")
    machine.succeed(f"test $(stat -f -c %T {MNT}) = fuseblk -o $(stat -f -c %T {MNT}) = fuse")


def to_kernel():
    machine.succeed(f"umount {MNT}")
    # The server goes on for a moment after the unmount; the disk is free when it is gone.
    machine.wait_until_succeeds("! pgrep -x mount.fuse.xv6", timeout=60)
    machine.succeed(f"fsck.xv6 -n {DISK} >&2")
    mount()


def manifest():
    return machine.succeed(
        f"cd {MNT} && find . -type f -size -100M -exec sha256sum {{}} + | sort && stat -c '%n %a %u:%g %h %s %b %Y' $(find . | sort)"
        " && getfattr -hdR -m - . && find . -type l -exec readlink {} +",
        timeout=300,
    )


def fill(where):
    """One of everything, with random contents."""
    machine.succeed(
        f"mkdir -p {where}/dir/sub; cd {where}; for i in $(seq 300); do echo $i > dir/sub/name-$i; done",
        f"cd {where}; dd if=/dev/urandom of=large bs=1M count=20 status=none; truncate -s 1G sparse; echo x >> sparse",
        f"cd {where}; ln -s dir/sub link; ln -s $(printf 'long%.0s' $(seq 100)) longlink; ln large hard; mkfifo pipe; mknod dev c 5 1",
        f"cd {where}; setfattr -n user.name -v value large; setfattr -n user.bytes -v 0x000102 dir; chown 1000:100 dir; chmod 2751 dir",
        f"cd {where}; touch -d '1999-12-31 23:59:59.123456789' dir/old; fallocate -l 1M taken; fallocate -p -o 1M -l 1M large",
        f"rm -r {where}/dir/sub/name-1*; mv {where}/dir/sub/name-2 {where}/dir/sub/moved",
        timeout=300,
    )


with subtest("user space reads what the kernel wrote"):
    fill(f"{MNT}/kernel")
    expected = manifest()
    assert "user.bytes" in expected and expected.count("\n") > 400
    to_user_space()
    assert manifest() == expected

with subtest("the kernel reads what user space wrote"):
    fill(f"{MNT}/fuse")
    machine.succeed(f"rm -r {MNT}/kernel/dir; echo more >> {MNT}/kernel/large")
    expected = manifest()
    to_kernel()
    assert manifest() == expected

with subtest("and back once more, all the way to empty"):
    to_user_space()
    assert manifest() == expected
    machine.succeed(f"stress coherence seq --no-tail {MNT}/f --ops 300 >&2", timeout=300)
    fsx(f"{MNT}/fsx", 200_000 if LONG else 300, 5, "posix_fallocate = 3\npunch_hole = 3\n")
    machine.succeed(f"rm -r {MNT}/*")
    to_kernel()
    assert machine.succeed(f"ls -A {MNT}") == ""
    unmount_and_check()
    kernel_is_quiet()
