# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The teaching example is mounted without a device, read, written and unmounted.
load()

with subtest("mount loads the module by the file system's name"):
    machine.succeed(f"mount -t hello none {MNT}")
    assert machine.succeed("cat /sys/fs/bentofs/types").split()[0] == "hello"

with subtest("the file is there"):
    assert machine.succeed(f"ls {MNT}") == "hello\n"
    assert machine.succeed(f"cat {MNT}/hello") == "Hello from Bento!\n"

with subtest("it can be written, appended to and cut"):
    machine.succeed(f"echo changed > {MNT}/hello", f"echo more >> {MNT}/hello")
    assert machine.succeed(f"cat {MNT}/hello") == "changed\nmore\n"
    machine.succeed(f"truncate -s 3 {MNT}/hello")
    assert machine.succeed(f"cat {MNT}/hello") == "cha"
    assert machine.succeed(f"stat -c %s {MNT}/hello") == "3\n"

with subtest("reads, writes and shared mappings see one file, without a map of any device"):
    for seed in (1, 2):
        fsx(f"{MNT}/hello", 1000, seed)
    # There is no device to go to directly.
    machine.fail(f"dd if={MNT}/hello of=/dev/null iflag=direct")

with subtest("what leaves the page cache is read again"):
    machine.succeed(f"head -c 20000 /dev/urandom > /run/text; cp /run/text {MNT}/hello; echo 3 > /proc/sys/vm/drop_caches")
    machine.succeed(f"cmp /run/text {MNT}/hello")

with subtest("what is longer than a file may be is refused, and changes nothing"):
    machine.fail(f"truncate -s 1048577 {MNT}/hello", f"echo x | dd of={MNT}/hello bs=1 seek=1M conv=notrunc")
    machine.succeed(f"cmp /run/text {MNT}/hello; truncate -s 1M {MNT}/hello; test $(wc -c < {MNT}/hello) = 1048576")

with subtest("what it cannot do is refused"):
    machine.fail(f"touch {MNT}/other")
    machine.fail(f"rm {MNT}/hello")
    machine.fail(f"mkdir {MNT}/dir")

with subtest("the module goes when nobody uses it"):
    machine.fail("rmmod $(lsmod | awk '/^bento_hello/ { print $1 }')")
    machine.succeed(f"umount {MNT}")
    machine.succeed("rmmod $(lsmod | awk '/^bento_hello/ { print $1 }')", "rmmod bentofs")
    kernel_is_quiet()
