# SPDX-License-Identifier: GPL-2.0-only OR MIT
# When a mount has been upgraded and the old module is unloaded, nothing in the kernel points into
# it any more: no work item, timer, RCU callback, dentry, inode or open file.
#
# All of these live in slab memory. The guest clears memory when it is freed (init_on_free), so
# what is found in slab pages is in use. What points to one of the module's functions or objects is
# looked for, and nothing else: unused bytes of a structure may keep return addresses from the stack
# of its maker. Stacks are left out for the same reason.
load()
format_and_mount()
first = status("build")
hold()

machine.succeed(
    r"""cat > /run/scan <<'EOF'
# scan FILE: how many words of slab memory hold one of the addresses in FILE. Those that begin a
# page do not count, for the kernel's own tables of memory know where a hole begins.
use strict;
open(my $names, "<", $ARGV[0]) or die "$ARGV[0]: $!";
# Addresses of modules share their upper four bytes.
my $upper = pack("L", 0xffffffff);
my %wanted;
while (<$names>) {
    my $address = hex;
    $address >> 32 == 0xffffffff or die "no address of a module: $_";
    $wanted{pack("L", $address & 0xffffffff)} = 1 if $address & 4095;
}
keys %wanted > 100 or die "the module has hardly any symbols";
open(my $core, "<:raw", "/proc/kcore") or die "kcore: $!";
sysread($core, my $head, 4096) == 4096 or die "short";
my ($phoff, $phnum) = (unpack("Q", substr($head, 32, 8)), unpack("S", substr($head, 56, 2)));
sysseek($core, $phoff, 0);
sysread($core, my $table, $phnum * 56);
# Segments of ordinary memory: the only ones whose physical address is known.
my @segments;
for my $n (0 .. $phnum - 1) {
    my ($type, $flags, $off, $virt, $phys, $filesz) = unpack("LLQQQQ", substr($table, $n * 56, 56));
    # All others say -1, but for the kernel's own code, which is mapped there, too.
    next if $type != 1 || $phys >= 1 << 52 || $virt >= 0xffffffff80000000;
    push @segments, [$phys, $filesz, $off];
}
@segments or die "no memory in kcore";
open(my $flags, "<:raw", "/proc/kpageflags") or die "kpageflags: $!";
my ($pfn, $pages, $hits) = (0, 0, 0);
while (sysread($flags, my $batch, 8 * 4096)) {
    for my $word (unpack("Q*", $batch)) {
        my $phys = 4096 * $pfn++;
        next unless $word & 1 << 7;
        my ($segment) = grep { $phys >= $_->[0] && $phys < $_->[0] + $_->[1] } @segments;
        next unless $segment;
        sysseek($core, $segment->[2] + $phys - $segment->[0], 0);
        next unless sysread($core, my $page, 4096) == 4096;
        $pages++;
        my $at = -1;
        while (($at = index($page, $upper, $at + 1)) >= 0) {
            next if $at % 8 != 4;
            my $low = substr($page, $at - 4, 4);
            next unless $wanted{$low};
            $hits++;
            printf STDERR "page %x offset %x: %x\n", $phys, $at - 4, unpack("L", $low) if $hits < 20;
        }
    }
}
$pages > 1000 or die "only $pages pages of slab";
print "$hits\n";
EOF"""
)


def pointers():
    return int(machine.succeed("perl /run/scan /run/symbols", timeout=600))


machine.succeed(f"grep -w '\\[{first}\\]' /proc/kallsyms | cut -d' ' -f1 | sort -u > /run/symbols")

with subtest("the scan finds what points into a module that is in use"):
    found = pointers()
    print(f"{found} words of slab memory point into {first}", flush=True)
    assert found > 0, "a module that is loaded and used must be found"

with subtest("upgraded under load; the old module is unloaded at once"):
    start_hammer()
    machine.sleep(3)
    second = load_next()
    upgrade(second)
    machine.succeed(f"rmmod {first}")

with subtest("everything is used, without the old module"):
    machine.sleep(6)
    verify_held()
    report = stop_hammer()
    assert report["failed"] == 0 and report["mismatches"] == 0, report
    machine.succeed(f"find {MNT} > /dev/null; sync -f {MNT}; echo 3 > /proc/sys/vm/drop_caches; du {MNT} > /dev/null")

with subtest("nothing points to where it was"):
    # RCU callbacks have run and lazily freed address ranges are gone. What kfree_rcu() was given may
    # wait in the caches of processors until somebody asks them for memory; only that may take long.
    for _ in range(6):
        machine.succeed("sync; sleep 2; echo 3 > /proc/sys/vm/drop_caches")
        machine.succeed("for cache in /sys/kernel/slab/*/shrink; do echo 1 > $cache; done 2> /dev/null || true; sleep 1")
        found = pointers()
        if found == 0:
            break
    assert found == 0, f"{found} words of slab memory point to the module that is gone"

with subtest("the disk is clean"):
    verify_held(stop=True)
    finish("held")
    unmount_and_check()
    kernel_is_quiet()
