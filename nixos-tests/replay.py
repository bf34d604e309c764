# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What a mount was seen doing, `xv6-tools replay` does again in user space on a copy of the disk from
# before: the same tree, attributes, sizes and space come of it.
TRACING = "/sys/kernel/tracing"
COPY = "/dev/disk/by-id/virtio-copy"
MNT2 = "/mnt/copy"

load()
machine.succeed(f"mountpoint -q {TRACING} || mount -t tracefs none {TRACING}")


def tree(where):
    """All that a replay promises, a line for each name. Times and contents are not in a trace."""
    return machine.succeed(
        f"cd {where} && find . -printf '%P|%y|%m|%U|%G|%n|%s|%b|%l\\n' | sort",
        # The values of small extended attributes; of others, which the trace cuts off, the names.
        f"cd {where} && getfattr -R -h -m - . | sort && getfattr -R -h -d -m user.small . | sort",
    )


with subtest("a trace is taken from the mount to behind the unmount"):
    machine.succeed(f"mkfs.xv6 -q -f {DISK}", f"dd if={DISK} of={COPY} bs=1M status=none")
    machine.succeed(
        f"echo 32768 > {TRACING}/buffer_size_kb",
        f"echo 1 > {TRACING}/events/bentofs/op_enter/enable",
        f"echo 1 > {TRACING}/events/bentofs/op_exit/enable",
    )
    mount()
    machine.succeed(
        f"cd {MNT} && mkdir a a/b && chown 5:6 a && chmod 1777 a/b && echo text > 'a/b/two words' && ln -s 'a b' link",
        f"cd {MNT} && ln 'a/b/two words' second && mknod null c 1 3 && mkfifo fifo && setfattr -n user.small -v x second",
        f"cd {MNT} && fallocate -l 100000 space && fallocate -p -o 8192 -l 8192 space && truncate -s 5000 space",
        f"cd {MNT} && dd if=/dev/zero of=big bs=1M count=8 status=none && fallocate -c -o 4096 -l 8192 big",
        f"cd {MNT} && cp -r /etc/systemd tree && sync && mv tree/system a && rm -rf tree && mv -T a/b moved",
        f"stress fsstress -d {MNT} -n 500 -p 1 -s 5",
    )
    before = tree(MNT)
    print(before[-2000:])
    unmount_and_check()
    machine.succeed(f"echo 0 > {TRACING}/events/bentofs/enable", f"cat {TRACING}/trace > /run/trace")
    calls = int(machine.succeed("grep -c op_exit: /run/trace"))
    assert calls > 1000, f"only {calls} calls"

with subtest("its replay in user space gives the same tree"):
    print(machine.succeed(f"xv6-tools replay /run/trace {COPY}"), flush=True)
    machine.succeed(f"fsck.xv6 -n {COPY} >&2", f"mkdir -p {MNT2}")
    mount(disk=COPY, where=MNT2)
    after = tree(MNT2)
    for old, new in zip(before.splitlines(), after.splitlines()):
        assert old == new, f"{old!r} became {new!r}"
    assert after == before
    machine.succeed(f"umount {MNT2}")
    kernel_is_quiet()
