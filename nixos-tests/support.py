# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What works on a mount of the kernel, and on one of the same disk through FUSE: the table in the
# README is made of these subtests. What FUSE cannot carry must be refused, not ignored.
WORKS, REFUSED = "FUSE", "FUSE refuses"


def perl(text):
    # syscall() takes no literal strings, for it might change them.
    return f"perl -e {shlex.quote('($a, $b, $c, $f) = qw(a b . f); ' + text + ' or die $!')}"


# What is tried in an empty directory; it must work in the kernel, and in FUSE as it says there.
FEATURES = [
    ("files, directories, links, special files", WORKS, "mkdir d; echo x > d/f; ln d/f d/l; ln -s f d/s; mkfifo d/p; mknod d/c c 1 3; test $(stat -c %h d/l) = 2; mv d/f d/g; test $(readlink d/s) = f; rm -r d"),
    ("`rename`: exchange", WORKS, "echo a > a; echo b > b; " + perl('syscall(316, -100, $a, -100, $b, 2) == 0') + "; test $(cat a) = b"),
    ("`rename`: no replace", WORKS, "echo a > a; echo b > b; ! " + perl('syscall(316, -100, $a, -100, $b, 1) == 0') + " 2> /dev/null; test $(cat b) = b"),
    ("`rename`: whiteout", WORKS, "echo a > a; " + perl('syscall(316, -100, $a, -100, $b, 4) == 0') + "; test -c a; test $(cat b) = a"),
    ("read, write, `mmap` and `O_DIRECT` see one file", WORKS, "stress coherence seq f --ops 150 --no-tail"),
    ("`fallocate`: allocate, keep size, punch hole, zero", WORKS, "fallocate -l 64k f; fallocate -n -l 1M f; fallocate -p -o 8k -l 8k f; fallocate -z -o 0 -l 16k f; test $(stat -c %s f) = 65536"),
    ("`fallocate`: collapse and insert a range", REFUSED, "head -c 64k /dev/urandom > f; fallocate -c -o 8k -l 8k f; fallocate -i -o 8k -l 8k f; test $(stat -c %s f) = 65536"),
    ("`SEEK_DATA`, `SEEK_HOLE`", WORKS, "truncate -s 1M f; echo x >> f; " + perl('open(F, "f") && sysseek(F, 0, 3) == 1048576 && sysseek(F, 0, 4) eq "0 but true"')),
    ("`copy_file_range`", WORKS, "head -c 100k /dev/urandom > f; cp f g; cmp f g"),
    ("extended attributes", WORKS, "echo > f; for n in user trusted security; do setfattr -n $n.a -v value f; getfattr -n $n.a f | grep -q value; done; setfattr -x user.a f"),
    ("access control lists", WORKS, "echo > f; setfacl -m u:1000:rw f; getfacl f | grep -q user:alice:rw; test $(stat -c %a f) = 664"),
    ("`chattr +i`", WORKS, "echo > f; chattr +i f; ! rm -f f 2> /dev/null; lsattr f | grep -q i; chattr -i f; rm f"),
    ("times of access", REFUSED, "echo x > f; touch -a -d 2001-01-01 f; cat f; test $(stat -c %X f) -gt 1500000000"),
    ("time of birth", REFUSED, "echo > f; test $(stat -c %W f) -gt 1500000000"),
    ("`O_TMPFILE`", REFUSED, perl('syscall(2, $c, 0x410002, 0600) >= 0')),
    ("FIEMAP", REFUSED, "head -c 64k /dev/urandom > f; sync f; filefrag -v f | grep -q eof"),
    ("swap files", REFUSED, "dd if=/dev/zero of=f bs=1M count=2 status=none; chmod 600 f; mkswap -q f; swapon f; swapoff f"),
    ("`fstrim`", WORKS, "fstrim -v . | grep -q trimmed"),
    ("file handles", WORKS, "echo x > f; " + perl('$h = pack("Lla128", 128, 0, ""); $m = pack("l", 0); syscall(303, -100, $f, $h, $m, 0) == 0 && opendir(D, ".") && open(E, ".") && syscall(304, fileno(E), $h, 0) >= 0')),
    ("locks of files", WORKS, "echo > f; flock f true; ! flock f flock -n f true"),
    ("freezing", REFUSED, "fsfreeze -f . && fsfreeze -u ."),
]


def try_all(kind):
    for name, fuse, command in FEATURES:
        refused = kind == "FUSE" and fuse == REFUSED
        with subtest(f"{name}: {REFUSED if refused else kind}"):
            machine.succeed(f"rm -rf {MNT}/try; mkdir {MNT}/try")
            status_of_it, output = machine.execute(f"cd {MNT}/try; {command}", timeout=120)
            assert (status_of_it != 0) == refused, f"{name}: status {status_of_it}: {output}"


load()
machine.succeed("modprobe fuse")
format_and_mount()
try_all("kernel")
machine.succeed(f"rm -rf {MNT}/try")
unmount_and_check()
machine.succeed(f"mount.fuse.xv6 -o allow_other {DISK} {MNT}")
try_all("FUSE")
machine.succeed(f"umount {MNT}")
machine.wait_until_succeeds("! pgrep -x mount.fuse.xv6", timeout=60)
machine.succeed(f"fsck.xv6 -n {DISK} >&2")
kernel_is_quiet()
