# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A directory of an xv6 mount is exported by the kernel's NFS server and mounted over the loopback:
# what a client does is what the server has, handles outlive the server's caches, an upgrade, and a
# second mount of the file system.
NFS = "/mnt/nfs"
load()
format_and_mount()


def serve():
    """The server, version 4 alone: that one needs no other daemon than what remembers clients."""
    machine.succeed(
        f"exportfs -i -o rw,no_root_squash,fsid=0,no_subtree_check,insecure '127.0.0.1:{MNT}/export'",
        "rpc.nfsd -N 3 -G 10 -L 10 2",
    )


def attach():
    machine.succeed(f"mount -t nfs4 -o vers=4.2,timeo=100 127.0.0.1:/ {NFS}", timeout=120)


machine.succeed(
    "mkdir -p /var/lib/nfs && mount -t tmpfs nfs /var/lib/nfs",
    "cd /var/lib/nfs; mkdir v4recovery nfsdcld rpc_pipefs; touch etab rmtab",
    "modprobe nfsd; modprobe nfsv4; mount -t nfsd nfsd /proc/fs/nfsd",
    # It remembers the clients, so that a server waits for reclaims only where there is a client that
    # has some. New kernels cannot do so themselves, and without it they let nobody end that wait.
    "mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs; nfsdcld",
    f"mkdir -p {MNT}/export {NFS}; chmod 777 {MNT}/export",
    "rpc.mountd -N 3 >&2",
)
serve()
attach()

with subtest("what a client makes is what the server has"):
    machine.succeed(
        f"stress tree copy {TREE}/include/linux/mfd/wm831x {NFS}/tree >&2; stress tree compare {TREE}/include/linux/mfd/wm831x {MNT}/export/tree >&2",
        timeout=600,
    )
    start_hammer(name="client", where=NFS)
    machine.succeed(f"sleep {60 if LONG else 10}")
    report = stop_hammer("client")
    assert report["operations"] > 50, report

with subtest("an open file is found by its handle when the server has forgotten it"):
    background(
        "reader",
        f"echo text > {NFS}/kept; exec 9< {NFS}/kept; touch /run/open;"
        " while [ ! -e /run/moved ]; do sleep 0.1; done; test \"$(cat <&9)\" = text",
    )
    machine.wait_for_file("/run/open", timeout=60)
    machine.succeed(f"mkdir {NFS}/below; mv {NFS}/kept {NFS}/below/moved; sync; echo 2 > /proc/sys/vm/drop_caches; touch /run/moved")
    finish("reader", timeout=60)

with subtest("the file system is replaced under its clients"):
    first, second = status("build"), load_next()
    background("copies", f"for i in $(seq {5 if LONG else 1}); do stress tree copy {TREE}/include/linux/mfd {NFS}/c$i && stress tree compare {TREE}/include/linux/mfd {NFS}/c$i || exit 1; done")
    for build in (second, first):
        machine.succeed("sleep 1")
        upgrade(build)
    finish("copies", timeout=600)

with subtest("handles are good after the server and the mount were started anew"):
    machine.succeed(f"echo before > {NFS}/handle; sync")
    background("late", f"exec 9< {NFS}/handle; touch /run/late; while [ ! -e /run/anew ]; do sleep 0.1; done; cat <&9")
    machine.wait_for_file("/run/late", timeout=60)
    machine.succeed("rpc.nfsd 0; exportfs -au")
    machine.wait_until_succeeds(f"umount {MNT}", timeout=60)
    mount()
    serve()
    machine.succeed("touch /run/anew")
    assert finish("late", timeout=120).strip() == "before"

machine.succeed(f"umount {NFS}; rpc.nfsd 0; exportfs -au; pkill rpc.mountd; pkill nfsdcld; umount /var/lib/nfs/rpc_pipefs /proc/fs/nfsd")
machine.wait_until_succeeds(f"umount {MNT}", timeout=60)
machine.succeed(f"fsck.xv6 -n {DISK} >&2")
kernel_is_quiet()
