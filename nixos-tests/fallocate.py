# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Space taken in advance and given back: fallocate(2) in all its modes, the maps that tell where a
# file lies (FIEMAP, FIBMAP), swap files, and trimming of the device.
load()
format_and_mount()


def free_blocks():
    machine.succeed(f"sync -f {MNT}")
    return int(machine.succeed(f"stat -f -c %f {MNT}"))


with subtest("every mode between all other accesses agrees with a copy in memory"):
    machine.succeed(f"stress coherence seq --falloc {MNT}/f --seeds 1,2,3 --ops 1500 >&2", timeout=600)
    machine.succeed(f"stress coherence seq --falloc {MNT}/f --seeds 4,5 --ops 1000 --align 512 >&2", timeout=600)

with subtest("space is taken, and a full disk says so and loses nothing"):
    free = free_blocks()
    machine.succeed(f"fallocate -l 64M {MNT}/taken", f"fallocate -n -o 64M -l 16M {MNT}/taken")
    assert machine.succeed(f"stat -c %s {MNT}/taken").strip() == str(64 << 20)
    assert int(machine.succeed(f"stat -c %b {MNT}/taken")) >= 80 << 11
    assert free - free_blocks() >= 80 << 8
    machine.fail(f"fallocate -l 2G {MNT}/much 2> /run/error")
    machine.succeed("grep -q 'No space' /run/error")
    machine.succeed(f"rm -f {MNT}/much")
    # Taken space can be written, even if the disk is full by now.
    machine.execute(f"cat /dev/zero > {MNT}/filler")
    machine.succeed(f"dd if=/dev/urandom of={MNT}/taken bs=1M count=64 conv=notrunc,fsync status=none")
    machine.succeed(f"rm {MNT}/filler {MNT}/taken")
    assert free_blocks() == free

with subtest("appends take space ahead, and the last writer gives it back"):
    calls = lambda op="allocate": int(dict(line.split()[:2] for line in status("ops").splitlines()).get(op, 0))
    sectors = lambda name: int(machine.succeed(f"stat -c %b {MNT}/{name}"))
    before = calls()
    machine.succeed(f"dd if=/dev/urandom of={MNT}/grown bs=4k count=1000 status=none")
    assert calls() - before <= 40, "every append called the file system"
    assert 8000 <= sectors("grown") <= 8008, sectors("grown")
    # Who opens it for a line or two takes nothing, which he would have to give back.
    given = calls("fallocate")
    machine.succeed(f"for i in $(seq 20); do dd if=/dev/zero of={MNT}/log bs=16k count=2 oflag=append conv=notrunc status=none; done")
    assert calls("fallocate") == given, "a close gave back space"
    # A writer who stays, another who asks for space behind the end, and a power cut.
    APPENDER = 'open(my $f, ">>", $ARGV[0]); syswrite($f, "x" x 4096) for 1..1000; sleep 1 until -e $ARGV[1]'
    for name in "left", "asked", "cut":
        background(name, f"exec perl -e {shlex.quote(APPENDER)} {MNT}/{name} /run/{name}.stop")
        machine.wait_until_succeeds(f"test $(stat -c %s {MNT}/{name}) = 4096000", timeout=60)
        assert sectors(name) > 8100, "nothing was taken ahead"
    machine.succeed(f"fallocate -n -l 8M {MNT}/asked; sync -f {MNT}")
    machine.succeed("touch /run/left.stop /run/asked.stop")
    finish("left")
    finish("asked")
    assert 8000 <= sectors("left") <= 8008 and sectors("asked") >= 16384
    machine.crash()
    load()
    machine.succeed(f"fsck.xv6 -p {DISK} >&2")
    mount()
    # It is visible to nobody, and goes when the file is cut.
    assert machine.succeed(f"tr -d x < {MNT}/cut | wc -c; stat -c %s {MNT}/cut").split() == ["0", "4096000"]
    assert sectors("cut") > 8100
    machine.succeed(f"truncate -s 4096000 {MNT}/cut")
    assert 8000 <= sectors("cut") <= 8008
    machine.succeed(f"rm {MNT}/grown {MNT}/left {MNT}/asked {MNT}/cut {MNT}/log")

with subtest("holes, zeros and cuts are where they were asked for"):
    machine.succeed(
        f"seq 100000 249796 > {MNT}/a; truncate -s 1M {MNT}/a; cp {MNT}/a /run/want",
        f"fallocate -p -o 100000 -l 300000 {MNT}/a; dd if=/dev/zero of=/run/want bs=1000 seek=100 count=300 conv=notrunc status=none",
        f"cmp {MNT}/a /run/want",
        f"test $(stat -c %b {MNT}/a) -le $((2048 - 70 * 8))",
        f"fallocate -z -o 500000 -l 1000 {MNT}/a; dd if=/dev/zero of=/run/want bs=1000 seek=500 count=1 conv=notrunc status=none",
        f"cmp {MNT}/a /run/want",
        f"fallocate -c -o 4096 -l 8192 {MNT}/a; (head -c 4096 /run/want; tail -c +12289 /run/want) > /run/less",
        f"cmp {MNT}/a /run/less",
        f"fallocate -i -o 4096 -l 4096 {MNT}/a; (head -c 4096 /run/less; head -c 4096 /dev/zero; tail -c +4097 /run/less) > /run/more",
        f"cmp {MNT}/a /run/more",
    )
    # Not whole blocks, and behind the end.
    machine.fail(f"fallocate -c -o 100 -l 4096 {MNT}/a", f"fallocate -i -o 4M -l 4096 {MNT}/a")

with subtest("FIEMAP and FIBMAP tell where the file lies"):
    machine.succeed(f"truncate -s 1M {MNT}/map; fallocate -o 64K -l 64K {MNT}/map; sync -f {MNT}")
    machine.succeed(f"dd if=/dev/urandom of={MNT}/map bs=4K seek=40 count=8 conv=notrunc,fsync status=none")
    report = machine.succeed(f"filefrag -v {MNT}/map")
    rows = [line.replace(":", " ").split() for line in report.splitlines() if line.strip()[:1].isdigit()]
    extents = {int(row[1].rstrip(".")): row[-1] for row in rows}
    assert sorted(extents) == [16, 40], report
    assert "unwritten" in extents[16] and "unwritten" not in extents[40], report
    block = machine.succeed(f"filefrag -B -v {MNT}/map").splitlines()
    assert any("40" in line for line in block), block
    physical = int([row for row in rows if row[1].startswith("40")][0][3].rstrip("."))
    machine.succeed(
        f"dd if={MNT}/map bs=4K skip=40 count=1 status=none | cmp - <(dd if={DISK} bs=4K skip={physical} count=1 iflag=direct status=none)"
    )

with subtest("a swap file"):
    machine.succeed(
        f"dd if=/dev/zero of={MNT}/swap bs=1M count=16 conv=fsync status=none; chmod 600 {MNT}/swap",
        f"mkswap -q {MNT}/swap && swapon {MNT}/swap",
        f"grep -q {MNT}/swap /proc/swaps",
    )
    machine.fail(f"echo more >> {MNT}/swap", f"rm {MNT}/swap")
    machine.succeed(f"swapoff {MNT}/swap && rm {MNT}/swap")
    machine.succeed(f"truncate -s 16M {MNT}/holes; chmod 600 {MNT}/holes; mkswap -q {MNT}/holes")
    machine.fail(f"swapon {MNT}/holes")

with subtest("trimming gives free space back to the device and touches nothing else"):
    machine.succeed(f"stress tree manifest {MNT} > /run/manifest; sync -f {MNT}")
    trimmed = machine.succeed(f"fstrim -v {MNT}")
    print(trimmed, flush=True)
    count = int(trimmed.split("(")[1].split()[0])
    # All free space but what is in the reserve of the file system, if it has one.
    assert count >= free_blocks() * 4096 * 9 // 10, trimmed
    machine.succeed(f"echo 3 > /proc/sys/vm/drop_caches; stress tree verify /run/manifest {MNT} >&2")
    unmount_and_check()
    mount()
    machine.succeed(f"stress tree verify /run/manifest {MNT} >&2")
    unmount_and_check()
    kernel_is_quiet()
