# SPDX-License-Identifier: GPL-2.0-only OR MIT
# System calls that no common program makes: O_TMPFILE, renameat2, file handles, idmapped mounts,
# the time of birth. perl makes them; the numbers are those of x86-64.
load()
format_and_mount()
machine.succeed(f"chmod 1777 {MNT}")


def perl(program, *args, user=None):
    switch = f"setpriv --reuid {user} --regid {user} --clear-groups " if user else ""
    words = " ".join(str(arg) for arg in args)
    return machine.succeed(f"{switch}perl -e {shlex.quote(program)} {words}")


RENAMEAT2 = 'my ($from, $to, $flags) = @ARGV; syscall(316, -100, $from, -100, $to, $flags + 0) == 0 or print "$!";'
NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4

with subtest("O_TMPFILE: a file without a name gets one, or goes away"):
    before = machine.succeed(f"stat -f -c '%f %d' {MNT}")
    TMPFILE = """
        sysopen(my $f, $ARGV[0], 020200000 | 2, 0640) or die "open: $!";
        syswrite($f, "x" x 100000) == 100000 or die "write: $!";
        (stat($f))[3] == 0 or die "it has a link";
        if ($ARGV[1]) {
            my $from = "/proc/self/fd/" . fileno($f);
            syscall(265, -100, $from, -100, $ARGV[1], 0x400) == 0 or die "linkat: $!";
            (stat($f))[3] == 1 or die "it has no link";
        }
    """
    perl(TMPFILE, MNT)
    machine.succeed(f"sync -f {MNT}; sleep 1; sync -f {MNT}")
    assert machine.succeed(f"stat -f -c '%f %d' {MNT}") == before, "the file is still there"
    perl(TMPFILE, MNT, f"{MNT}/named")
    machine.succeed(f"test $(stat -c '%s %a %h' {MNT}/named | tr ' ' ,) = 100000,640,1; rm {MNT}/named")

with subtest("a file without a name does not survive a power cut"):
    # The root directory may have grown for the name.
    before = machine.succeed(f"sync -f {MNT}; stat -f -c '%f %d' {MNT}")
    background("tmp", "exec perl -e " + shlex.quote(f'sysopen(my $f, "{MNT}", 020200000 | 2, 0600); syswrite($f, "x" x 100000); sleep 1000'))
    machine.succeed(f"sleep 1; sync -f {MNT}")
    machine.crash()
    load()
    mount()
    machine.succeed(f"sync -f {MNT}")
    assert machine.succeed(f"stat -f -c '%f %d' {MNT}") == before

with subtest("renameat2"):
    machine.succeed(f"cd {MNT}; echo a > a; echo b > b; mkdir d; touch d/in")
    assert "File exists" in perl(RENAMEAT2, f"{MNT}/a", f"{MNT}/b", NOREPLACE)
    assert perl(RENAMEAT2, f"{MNT}/a", f"{MNT}/d", EXCHANGE) == ""
    machine.succeed(f"cd {MNT}; test -e a/in; test $(cat d) = a; test $(stat -c %h a d | xargs | tr ' ' ,) = 2,1")
    assert perl(RENAMEAT2, f"{MNT}/b", f"{MNT}/moved", WHITEOUT) == ""
    machine.succeed(f"cd {MNT}; test $(cat moved) = b; test \"$(stat -c '%F %t %T' b)\" = 'character special file 0 0'")
    assert "Invalid" in perl(RENAMEAT2, f"{MNT}/d", f"{MNT}/e", EXCHANGE | NOREPLACE)
    machine.succeed(f"rm -r {MNT}/*")

HANDLE = """
    my $handle = pack("Ll", 128, 0) . "\\0" x 128; my $mount = pack("l", 0);
    syscall(303, -100, $ARGV[0], $handle, $mount, 0) == 0 or die "name_to_handle_at: $!";
    print unpack("H*", $handle);
"""
OPEN_HANDLE = """
    open(my $dir, "<", $ARGV[0]) or die; my $handle = pack("H*", $ARGV[1]);
    my $fd = syscall(304, fileno($dir), $handle, 0);
    if ($fd < 0) { print "$!"; exit }
    open(my $file, "<&=", $fd) or die; print <$file>;
"""
with subtest("a file handle finds its file as long as it exists"):
    machine.succeed(f"mkdir -p {MNT}/deep/deeper; echo handled > {MNT}/deep/deeper/file")
    handle = perl(HANDLE, f"{MNT}/deep/deeper/file")
    assert perl(OPEN_HANDLE, MNT, handle) == "handled\n"
    upgrade(load_next())
    assert perl(OPEN_HANDLE, MNT, handle) == "handled\n"
    unmount_and_check()
    mount()
    assert perl(OPEN_HANDLE, MNT, handle) == "handled\n"
    machine.succeed(f"rm {MNT}/deep/deeper/file; touch {MNT}/deep/deeper/{{1..40}}")
    assert "Stale" in perl(OPEN_HANDLE, MNT, handle)

with subtest("the time of birth stays, the others move"):
    born = machine.succeed(f"touch {MNT}/born; stat -c %W,%w {MNT}/born")
    assert not born.startswith("0,"), born
    machine.succeed(f"sleep 1.1; echo x > {MNT}/born; chmod 600 {MNT}/born; mv {MNT}/born {MNT}/renamed")
    assert machine.succeed(f"stat -c %W,%w {MNT}/renamed") == born
    machine.succeed(f"test $(stat -c %Z {MNT}/renamed) -gt $(stat -c %W {MNT}/renamed)")

# open_tree, mount_setattr with MOUNT_ATTR_IDMAP and a user namespace, move_mount.
IDMAP = """
    my ($from, $to, $ns) = @ARGV; my $empty = "";
    open(my $user, "<", $ns) or die "namespace: $!";
    my $tree = syscall(428, -100, $from, 1); $tree >= 0 or die "open_tree: $!";
    my $attr = pack("QQQQ", 0x100000, 0, 0, fileno($user));
    syscall(442, $tree, $empty, 0x1000, $attr, 32) == 0 or die "mount_setattr: $!";
    syscall(429, $tree, $empty, -100, $to, 4) == 0 or die "move_mount: $!";
"""
with subtest("an idmapped mount shows other owners, and stores those behind them"):
    machine.succeed(
        f"touch {MNT}/root; touch {MNT}/alice; chown 1000:1000 {MNT}/alice; mkdir -p /mnt/mapped",
        "unshare -U sleep 300 < /dev/null > /dev/null 2>&1 & pid=$!; sleep 1;"
        " echo '0 10000 20000' > /proc/$pid/uid_map; echo '0 10000 20000' > /proc/$pid/gid_map; echo $pid > /run/ns",
    )
    perl(IDMAP, MNT, "/mnt/mapped", "/proc/$(cat /run/ns)/ns/user")
    assert machine.succeed("stat -c %u:%g /mnt/mapped/alice").strip() == "11000:11000"
    machine.succeed("setpriv --reuid 11000 --regid 11000 --clear-groups bash -c 'echo x > /mnt/mapped/alice; touch /mnt/mapped/new'")
    assert machine.succeed(f"stat -c %u:%g {MNT}/new").strip() == "1000:1000"
    machine.fail("setpriv --reuid 1000 --regid 1000 --clear-groups touch /mnt/mapped/alice")
    machine.succeed("chown 11000:11000 /mnt/mapped/root; umount /mnt/mapped; kill $(cat /run/ns)")
    assert machine.succeed(f"stat -c %u:%g {MNT}/root").strip() == "1000:1000"

with subtest("the disk is clean"):
    unmount_and_check()
    kernel_is_quiet()
