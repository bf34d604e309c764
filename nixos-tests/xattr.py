# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Extended attributes, POSIX access control lists and the flags of chattr.
load()
format_and_mount()
machine.succeed(f"chmod 1777 {MNT}; echo text > {MNT}/file")


def as_alice(command):
    # setpriv leaves no capability to a user that is not root.
    return f"setpriv --reuid 1000 --regid 100 --clear-groups bash -c {shlex.quote(command)}"


with subtest("attributes are set, changed, listed and removed"):
    machine.succeed(
        f"setfattr -n user.a -v one {MNT}/file; setfattr -n user.b -v 0x00ff00 {MNT}/file",
        f"setfattr -n trusted.c -v three {MNT}/file; setfattr -n security.d -v four {MNT}/file",
        f"setfattr -n user.empty {MNT}/file",
        f"setfattr -n user.a -v another {MNT}/file",
        f'test "$(getfattr --only-values -n user.a {MNT}/file)" = another',
        f"getfattr -e hex -n user.b {MNT}/file | grep -q '=0x00ff00$'",
        f"setfattr -x user.b {MNT}/file",
    )
    machine.fail(f"setfattr -x user.b {MNT}/file", f"getfattr -n user.b {MNT}/file")
    names = machine.succeed(f"getfattr --absolute-names -m - {MNT}/file").split()[3:]
    assert sorted(names) == ["security.d", "trusted.c", "user.a", "user.empty"], names

with subtest("who may see and set them"):
    machine.succeed(f"test $(setpriv --reuid 1000 getfattr --absolute-names -m - {MNT}/file | grep -c trusted) = 0")
    machine.fail(as_alice(f"setfattr -n user.x -v 1 {MNT}/file"))
    machine.fail(as_alice(f"touch {MNT}/mine; setfattr -n trusted.x -v 1 {MNT}/mine"))
    machine.succeed(as_alice(f"setfattr -n user.x -v 1 {MNT}/mine"))
    machine.fail(f"ln -s file {MNT}/link; setfattr -h -n user.x -v 1 {MNT}/link")

with subtest("who may set names of security modules is the kernel's rule: the same as on tmpfs"):
    # (Before 6.10 an ordinary user may, on his own files, where the kernel has BPF's security module:
    # that answers for the check of capabilities, too.)
    machine.succeed("mkdir -p /run/tmpfs; mount -t tmpfs -o mode=1777 none /run/tmpfs")
    answers = []
    for where in (MNT, "/run/tmpfs"):
        answers.append(machine.execute(as_alice(f"touch {where}/own; setfattr -n security.own -v 1 {where}/own"))[0])
        machine.fail(as_alice(f"touch {where}/own; setfattr -n security.capability -v 0x0100000202000000000000000000000000000000 {where}/own"))
    machine.succeed(f"umount /run/tmpfs; rm {MNT}/own")
    print(f"security names for an ordinary user: {answers}", flush=True)
    assert answers[0] == answers[1], answers

with subtest("no room is an error that changes nothing"):
    machine.succeed(f"setfattr -n user.large -v $(head -c 3000 /dev/zero | tr '\\0' x) {MNT}/file")
    before = machine.succeed(f"getfattr -d -m - --absolute-names {MNT}/file")
    machine.fail(f"setfattr -n user.more -v $(head -c 3000 /dev/zero | tr '\\0' y) {MNT}/file 2> /run/error")
    machine.succeed("grep -q 'No space' /run/error")
    assert machine.succeed(f"getfattr -d -m - --absolute-names {MNT}/file") == before
    machine.succeed(f"setfattr -x user.large {MNT}/file")

with subtest("access control lists let in and keep out"):
    machine.succeed(f"echo secret > {MNT}/acl; chmod 600 {MNT}/acl")
    machine.fail(as_alice(f"cat {MNT}/acl"))
    machine.succeed(f"setfacl -m u:alice:r {MNT}/acl", as_alice(f"cat {MNT}/acl"))
    machine.fail(as_alice(f"echo x > {MNT}/acl"))
    # The group bits of the mode are the mask of the list.
    machine.succeed(f"test $(stat -c %a {MNT}/acl) = 640; chmod g= {MNT}/acl")
    machine.fail(as_alice(f"cat {MNT}/acl"))
    machine.succeed(f"chmod g=r {MNT}/acl", as_alice(f"cat {MNT}/acl"), f"setfacl -b {MNT}/acl")
    machine.fail(as_alice(f"cat {MNT}/acl"))
    machine.succeed(f"test -z \"$(getfattr --absolute-names -m - {MNT}/acl)\"")

with subtest("a directory hands its default list on"):
    machine.succeed(
        f"mkdir {MNT}/dir; setfacl -d -m u:alice:rwx {MNT}/dir",
        f"umask 077; touch {MNT}/dir/file; mkdir {MNT}/dir/sub; mknod {MNT}/dir/pipe p",
        f"getfacl -pc {MNT}/dir/file | grep -q '^user:alice:rwx.*#effective:rw-'",
        f"getfacl -pc {MNT}/dir/sub | grep -q '^default:user:alice:rwx'",
        f"getfacl -pc {MNT}/dir/pipe | grep -q '^user:alice:rwx'",
        as_alice(f"echo x > {MNT}/dir/file"),
    )

with subtest("capabilities of a program are lost when it is written"):
    machine.succeed(
        f"cp /bin/true {MNT}/program; setfattr -n security.capability -v 0x0100000202000000000000000000000000000000 {MNT}/program",
        f"echo x >> {MNT}/program",
    )
    machine.fail(f"getfattr -n security.capability {MNT}/program")

with subtest("flags of chattr hold and are shown"):
    machine.succeed(f"touch {MNT}/i {MNT}/a {MNT}/n; chattr +i {MNT}/i; chattr +a {MNT}/a; chattr +dA {MNT}/n")
    machine.fail(f"echo x > {MNT}/i", f"rm {MNT}/i", f"mv {MNT}/i {MNT}/j", f"ln {MNT}/i {MNT}/j", f"chmod 777 {MNT}/i")
    machine.fail(f"echo x > {MNT}/a", f"rm {MNT}/a")
    machine.succeed(f"echo x >> {MNT}/a")
    machine.fail(as_alice(f"chattr +i {MNT}/mine"))
    machine.succeed(f"lsattr {MNT}/n | grep -q '^[-]*d[-]*A'")

state = f"cd {MNT} && getfacl -pR . && getfattr -dR -m - . && lsattr -R . 2> /dev/null"
before = machine.succeed(state)

with subtest("a live upgrade keeps all of it"):
    upgrade(load_next())
    assert machine.succeed(state) == before
    machine.fail(f"echo x > {MNT}/i")

with subtest("so does an unmount"):
    unmount_and_check()
    mount()
    assert machine.succeed(state) == before
    machine.fail(f"rm -f {MNT}/i")
    machine.succeed(f"chattr -i {MNT}/i; chattr -a {MNT}/a; rm -r {MNT}/*")
    # Nothing is left behind: not a block.
    machine.succeed(f"sync -f {MNT}")
    unmount_and_check()
    kernel_is_quiet()
