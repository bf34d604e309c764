# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The guest is what the other scenarios take it for, and the modules load into its kernel.
machine.wait_for_unit("multi-user.target")

with subtest("the shell gives output and status"):
    assert machine.succeed("echo hello; uname -s") == "hello\nLinux\n"
    assert machine.execute("exit 7") == (7, "")
    machine.fail("false | true")
    assert machine.execute("sleep 9", timeout=1)[0] == 124

with subtest("the product and the tools of the tests are at hand"):
    machine.succeed("command -v mkfs.xv6 fsck.xv6 stress fsx git >&2", "test -d /etc/bento/tree")

with subtest("bentofs loads into the stock kernel, and leaves it"):
    machine.succeed("modprobe bentofs", "test -d /sys/fs/bentofs")
    machine.succeed("modprobe bento_xv6", "grep -w xv6 /proc/filesystems >&2")
    machine.succeed("rmmod $(lsmod | grep -o '^bento_xv6[^ ]*')", "rmmod bentofs")
    machine.fail("grep -w xv6 /proc/filesystems")

with subtest("a disk outlives a power cut"):
    disk = "/dev/disk/by-id/virtio-bento"
    machine.succeed(f"echo kept > {disk} && sync {disk}")
    machine.crash()
    assert machine.succeed(f"head -c 5 {disk}") == "kept\n"
    machine.shutdown()
