# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Wrong disks, wrong options and wrong modules are refused with an error that says why; garbage in
# any field of the disk leads to an error at worst, and never to a hang, a BUG or a changed disk.
SMALL = "/dev/disk/by-id/virtio-small"
PRISTINE = "/dev/disk/by-id/virtio-pristine"
load(inject=True)


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

# What a file system in safe Rust may get wrong. A fault turns over one byte of an answer: that of
# struct bento_extent or of the first struct bento_dirent (bento_abi.h).
with subtest("an impossible answer of the file system is an error, and is not used"):
    format_and_mount()
    machine.succeed(f"mkdir {MNT}/dir; seq 40000 > {MNT}/dir/file; sync -f {MNT}; dmesg -C")
    # Offset, length, length below zero, address, address behind the disk, kind.
    for at in (0, 8, 15, 16, 23, 24):
        machine.succeed("echo 3 > /proc/sys/vm/drop_caches")
        arm(f"op=map action=damage:{at}")
        # Past the cache: reading ahead would swallow the error, and ask again.
        machine.fail(f"dd if={MNT}/dir/file of=/dev/null bs=4k count=1 iflag=direct")
        assert not armed(), f"no answer had a byte {at}"
        said("map of inode")
    # An address outside the disk, and space that counts as written.
    for at in (23, 24):
        arm(f"op=allocate action=damage:{at}")
        machine.fail(f"echo new > {MNT}/new-{at}")
        assert not armed(), f"no answer had a byte {at}"
        said("allocate of inode")
        machine.succeed(f"test ! -s {MNT}/new-{at}")
    # A position that does not grow, a type, a length behind the end of the answer. The dots were
    # read by then, so that the error goes to the log alone.
    for at in (15, 16, 17):
        arm(f"op=readdir action=damage:{at}")
        machine.execute(f"ls {MNT}/dir")
        assert not armed(), f"no answer had a byte {at}"
        said("impossible entry")
    machine.succeed(f"seq 40000 | cmp - {MNT}/dir/file; test $(ls {MNT}/dir) = file")
    unmount_and_check()

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
