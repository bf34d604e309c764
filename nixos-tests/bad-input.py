# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Wrong disks, wrong options and wrong modules are refused with an error that says why; garbage in
# any field of the disk leads to an error at worst, and never to a hang, a BUG or a changed disk.
SMALL = "/dev/disk/by-id/virtio-small"
PRISTINE = "/dev/disk/by-id/virtio-pristine"
load()


def said(text):
    """Only what the kernel said since the last call counts."""
    lines = machine.succeed("dmesg -c")
    assert text in lines, f"'{text}' is not in the log: {lines}"


def refused(disk=DISK, options="defaults"):
    before = machine.succeed(f"sha256sum < {disk}")
    machine.succeed("dmesg -C")
    status, output = machine.execute(f"timeout 60 mount -t xv6 -o {options} {disk} {MNT} 2>&1")
    assert status not in (0, 124, 137), f"mount ended with {status}: {output}"
    assert machine.succeed(f"sha256sum < {disk}") == before, "the disk was changed"
    return output


with subtest("a disk of zeros"):
    refused()
    said("bentofs")

with subtest("a disk of another file system"):
    machine.succeed(f"mkfs.ext4 -q {DISK}")
    refused()
    machine.fail(f"mkfs.xv6 {DISK} < /dev/null")
    machine.succeed(f"mkfs.xv6 -q -f {DISK}")

with subtest("mkfs refuses a mounted disk"):
    mount()
    machine.fail(f"mkfs.xv6 -f {DISK}")
    machine.fail(f"fsck.xv6 -y {DISK}")
    unmount_and_check()

with subtest("a disk that was cut off"):
    machine.succeed(f"dd if={DISK} of={SMALL} bs=1M count=8 conv=fsync status=none")
    refused(SMALL)
    machine.fail(f"fsck.xv6 -n {SMALL}")

with subtest("an unknown option is named"):
    refused(options="nonsense=3")
    said("nonsense")

with subtest("a module for another ABI is refused with both versions"):
    # The table of operations starts with a magic number, then comes the version.
    machine.succeed(
        """
        cp /etc/bento/next/bento_xv6_*.ko /run/other.ko
        at=$(LC_ALL=C grep -obUaP 'BENTO\\x00\\x00\\x00[\\x01-\\x30]\\x00\\x00\\x00' /run/other.ko | head -1 | cut -d: -f1)
        printf '\\x63' | dd of=/run/other.ko bs=1 seek=$((at + 8)) conv=notrunc status=none
        dmesg -C
        """
    )
    machine.fail("insmod /run/other.ko")
    line = machine.succeed("dmesg | grep 'bentofs: .*ABI 99'")
    assert f"ABI {machine.succeed('cat /sys/fs/bentofs/abi').strip()} " in line, line
    machine.fail("lsmod | grep -q other")

with subtest("a module twice"):
    load_next()
    machine.fail("insmod /etc/bento/next/bento_xv6_*.ko")

# A small disk with one of everything, to be damaged again and again.
format_and_mount(disk=PRISTINE)
machine.succeed(
    f"mkdir -p {MNT}/dir/sub; seq 20000 > {MNT}/dir/file; ln -s file {MNT}/dir/link",
    f"echo text > {MNT}/hole; truncate -s 3M {MNT}/hole; touch {MNT}/dir/{{1..40}}",
    f"umount {MNT}",
)

# Every byte is damaged in rust/xv6/tests/fuzz.rs; here it is a sample, on the real kernel.
# In the guest, because each step takes a fraction of a second: damage, try to use, undo. Prints
# how many of the damaged disks could be mounted.
machine.succeed(
    f"""cat > /run/damage <<'EOF'
mounted=0
dd if={PRISTINE} of={SMALL} bs=1M conv=fsync status=none
for at in "$@"; do
  for byte in '\\xff' '\\x5a'; do
    printf "$byte$byte$byte$byte" | dd of={SMALL} bs=1 seek=$at conv=notrunc,fsync status=none
    timeout 60 fsck.xv6 -n {SMALL} > /dev/null 2>&1 || [ $? -lt 32 ] || exit 7
    if timeout 60 mount -t xv6 {SMALL} {MNT} 2> /dev/null; then
      mounted=$((mounted + 1))
      timeout 60 ls -lR {MNT} > /dev/null 2>&1 || [ $? -lt 124 ] || exit 1
      timeout 60 find {MNT} -type f -size -99M -exec cat {{}} + > /dev/null 2>&1 || [ $? -lt 124 ] || exit 2
      timeout 60 touch {MNT}/new 2> /dev/null || [ $? -lt 124 ] || exit 3
      timeout 60 rm -rf {MNT}/dir/1 2> /dev/null || [ $? -lt 124 ] || exit 4
      timeout 60 umount {MNT} || exit 5
      dd if={PRISTINE} of={SMALL} bs=1M conv=fsync status=none
    elif [ $(cmp -l {SMALL} {PRISTINE} | wc -l) -gt 4 ]; then
      echo "a refused disk was changed: byte $at"
      exit 6
    else
      dd if={PRISTINE} of={SMALL} bs=1 skip=$at seek=$at count=4 conv=notrunc,fsync status=none
    fi
  done
done
echo $mounted
EOF"""
)


def damage(what, offsets):
    words = " ".join(str(offset) for offset in offsets)
    status, output = machine.execute(f"bash /run/damage {words}", timeout=900)
    assert status == 0, f"{what}: step {status} hung or broke: {output}"
    tried = len(offsets) * 2
    print(f"{what}: {output.strip()} of {tried} damaged disks were mounted, none did harm", flush=True)
    kernel_is_quiet()


with subtest("garbage in the superblock"):
    damage("superblock", range(0, 256, 24))

with subtest("garbage in inodes"):
    # Field inode_table of the superblock (FORMAT.md); slot 1 is the root, 2 and 3 are a directory
    # and a file.
    table = 4096 * int(machine.succeed(f"od -An -t u8 -j 136 -N 8 {PRISTINE}"))
    damage("root directory", range(table + 256, table + 512, 24))
    damage("other inodes", range(table + 512, table + 1024, 60))

with subtest("the disk that was not damaged is still good"):
    machine.succeed(f"fsck.xv6 -n {PRISTINE} >&2")
