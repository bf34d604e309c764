# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Asynchronous I/O by libaio and by io_uring, direct and through the page cache, by two processes
# and many requests in flight: fio writes blocks with checksums and finds each of them again.
load()
format_and_mount()

FIO = (
    "fio --name=verify --directory={where} --rw=randrw --bs=4k-64k --size={size}M --numjobs=2 --iodepth=16"
    " --ioengine={engine} --direct={direct} --fallocate={space} --overwrite={overwrite} --randseed=7"
    " --verify=crc32c --do_verify=1 --verify_fatal=1 --fsync=64 --minimal > /run/fio.out"
)


def fio(**how):
    machine.succeed(FIO.format(where=MNT, size=48 if LONG else 12, **how), timeout=1800)
    # Sum of the errors of both processes: field 5 of the terse output, version 3.
    machine.succeed("awk -F';' '$5 != 0 { bad = 1 } END { exit bad || NR != 2 }' /run/fio.out", f"rm {MNT}/verify.*")


for engine in ("libaio", "io_uring"):
    with subtest(f"{engine}: each block is what was written"):
        fio(engine=engine, direct=1, space="none", overwrite=0)
        fio(engine=engine, direct=1, space="native", overwrite=0)
        fio(engine=engine, direct=1, space="none", overwrite=1)
        fio(engine=engine, direct=0, space="none", overwrite=0)

with subtest("io_uring: the file system is replaced meanwhile"):
    first, second = status("build"), load_next()
    background("upgrades", f"while [ ! -e /run/stop ]; do for b in {second} {first}; do echo $b > /sys/fs/bentofs/{mount_id()}/upgrade || exit 1; sleep 0.2; done; done")
    fio(engine="io_uring", direct=1, space="none", overwrite=0)
    machine.succeed("touch /run/stop")
    finish("upgrades")
    assert int(status("upgrades")) > 2, status("upgrades")

unmount_and_check()
kernel_is_quiet()
