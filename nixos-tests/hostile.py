# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Damaged disks, most of them with right checksums: the kernel reads and changes all that it can
# reach and meets errors, but no BUG, no hang, and no access out of bounds (slub_debug).
IMAGES = 200 if LONG else 14
GOOD = "/run/good.img"
load()

with subtest("a disk with one of everything"):
    format_and_mount()
    machine.succeed(
        f"cd {MNT}; mkdir dir big; echo text > dir/file; ln -s short link; ln -s {'long' * 100} longlink; mkfifo pipe",
        f"cd {MNT}; perl -e 'link(\"dir/file\", \"big/name-$_\") or die for 1..600'",
        f"cd {MNT}; perl -e 'open(F, \">tree\"); for (1..40) {{ seek(F, $_ * 8192, 0); print F \"x\" x 4096 }}'",
        f"cd {MNT}; for i in 1 2 3; do setfattr -n user.name$i -v {'v' * 300} dir/file; done; setfacl -m u:1000:rw dir/file",
        f"cd {MNT}; truncate -s 1G tree; fallocate -o 512M -l 64k tree",
    )
    unmount_and_check()
    machine.succeed(f"cp --sparse=always {DISK} {GOOD}")

# What can be reached is read and changed; any error will do, but none may take long.
USE = f"""
cd {MNT} || exit 0
ls -lR . ; find . -type f -size -2M -exec cat {{}} + ; getfattr -dR -m - . ; getfacl -R . ; readlink link longlink ; stat -f .
echo more >> dir/file ; dd if=/dev/zero of=tree bs=64k count=2 seek=1 conv=notrunc ; cat big/name-500
fallocate -z -o 8k -l 100k tree ; fallocate -c -o 16k -l 16k tree ; fallocate -i -o 16k -l 32k tree ; truncate -s 50000 tree
setfattr -n user.new -v value dir/file ; setfattr -x user.name2 dir/file ; chmod 600 dir/file
mv big/name-1 dir/moved ; ln dir/file dir/second ; rm -f big/name-3* ; mkdir new ; echo x > new/x ; mknod new/dev c 1 3
fstrim . ; sync -f . ; rm -rf dir big tree link longlink pipe
cd / ; umount {MNT} || {{ sleep 1; umount {MNT}; }}
"""
machine.succeed(f"cat > /run/use <<'EOF'\n{USE}\nEOF")

counts = {"mounted": 0, "refused": 0}
with subtest(f"{IMAGES} damaged disks are used"):
    for seed in range(1, IMAGES + 1):
        machine.succeed(f"cp --sparse=always {GOOD} /run/bad.img; xv6-tools mutate --seed {seed} /run/bad.img >&2")
        machine.succeed(f"dd if=/run/bad.img of={DISK} bs=1M conv=fsync status=none; dmesg -C")
        status_of_mount, _ = machine.execute(f"timeout 60 mount -t xv6 {DISK} {MNT}")
        assert status_of_mount not in (124, 137), f"seed {seed}: mount hangs"
        counts["mounted" if status_of_mount == 0 else "refused"] += 1
        if status_of_mount == 0:
            code, _ = machine.execute("timeout 120 bash /run/use > /dev/null 2>&1", timeout=150)
            assert code not in (124, 137), f"seed {seed}: an operation hangs"
            machine.fail(f"mountpoint -q {MNT}")
        # A panic would be contained, but it is a defect of the file system.
        machine.fail("dmesg | grep -i 'panicked'")
        machine.fail(r"dmesg | grep -E 'WARNING:|BUG|Oops|Call Trace'")
    print(f"damaged disks: {counts}", flush=True)
    assert counts["mounted"] > IMAGES // 2, counts

with subtest("what is left of the last ones can be repaired"):
    status_of_fsck, _ = machine.execute(f"fsck.xv6 -y {DISK} >&2")
    assert status_of_fsck in (0, 1, 4, 8), status_of_fsck
    machine.succeed(f"mkfs.xv6 -q -f {DISK}")
    mount()
    unmount_and_check()
    kernel_is_quiet()
