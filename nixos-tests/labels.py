# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Under SELinux each new file is born with its label, which is on the disk with it.
import base64
import zlib

# labels/policy.conf, by checkpolicy, and packed.
POLICY = (
    "eNqNlclugzAQQNkCIemS7tul/Ymec+mtt34AImAUNwRHtmkTqZ/QH+6pNWUsLAuSGWlke3ieRR6b79+vn7HjOG8vj6+0qrdPah4o"
    "bWyx0rnTiTnXMgb1YT1S6oI2klMewlKQlGdLZ8CJHs3N2ZInBS1JADZO0nzf/tDaX1Yr1P4IRg8K0cVsOMuIEMdgyneV5GklqKSs"
    "mgDfWXSUgvFVX5TYiGZmWdCCodIMjNEDbR2UZATrT07lQUcTGP0eR2InJFnHYE2FYBlNJdHnumZ1JfedgWtVJ0hWq5x2U7CVLM2T"
    "DStptutzo9MJjbQWqSAJn0MHugapu9K0R1YzNcIW7ySTrY++btaHbjfQf2Spc+l6Wqxaq29Y12muWL07NL7UgvCkHsrfHbhdfbfN"
    "ljaKp27dDHLxVN163qxcqMdTXdMxoTGPYG7LA6iuyBvI9R7B3CGYWwRzg2CuEcwVgrlEMBcI5hzBnCGYGYI5RTAnCOYYwRwhmCmC"
    "mSCYGMGMEUxkfe9jQoSfEYIJEIyPYDwE4yLqskVzTQ7bj+dDIfrEftLcAfvQU61/aH+ctV8j"
)
DISK_TYPE, MADE = "user_u:object_r:disk_t", "user_u:object_r:made_t"
load()


def load_policy():
    policy = base64.b64encode(zlib.decompress(base64.b64decode(POLICY))).decode()
    machine.succeed(
        f"mount -t selinuxfs none /sys/fs/selinux; echo {policy} | base64 -d > /run/policy",
        # In one write.
        "dd if=/run/policy of=/sys/fs/selinux/load bs=1M status=none",
    )


def label(path):
    return machine.succeed(f"getfattr -h --only-values --absolute-names -n security.selinux {path}").strip("\0")


KINDS = {"file": "echo text > {p}", "dir": "mkdir {p}", "link": "ln -s target {p}", "pipe": "mkfifo {p}", "device": "mknod {p} c 1 3"}

with subtest("a mount has labels where the policy says so"):
    load_policy()
    format_and_mount()
    machine.succeed(f"grep -q '{MNT} xv6 .*seclabel' /proc/mounts")
    assert label(MNT) == DISK_TYPE, label(MNT)

with subtest("what is made is born with the label that the policy gives it"):
    for kind, command in KINDS.items():
        machine.succeed(command.format(p=f"{MNT}/{kind}"))
        assert label(f"{MNT}/{kind}") == MADE, (kind, label(f"{MNT}/{kind}"))

with subtest("another label is set, and a wrong one refused"):
    machine.succeed(f"echo x > {MNT}/other; setfattr -n security.selinux -v {DISK_TYPE} {MNT}/other")
    assert label(f"{MNT}/other") == DISK_TYPE
    # (Labels that the policy does not know are for administrators of SELinux.)
    machine.fail(f"setpriv --inh-caps=-all --bounding-set=-all setfattr -n security.selinux -v nobody:knows:it {MNT}/other")
    assert label(f"{MNT}/other") == DISK_TYPE

with subtest("an upgrade keeps them, and gives them"):
    upgrade(load_next())
    machine.succeed(f"touch {MNT}/later")
    assert [label(f"{MNT}/{name}") for name in ("file", "other", "later")] == [MADE, DISK_TYPE, MADE]

with subtest("a power cut right behind an fsync leaves no file without its label"):
    machine.succeed(f"echo synced > {MNT}/synced; sync {MNT}/synced {MNT}")
    machine.crash()
    load()
    # Without a policy nobody makes labels up.
    mount()
    for name, expected in {**dict.fromkeys(KINDS, MADE), "synced": MADE, "later": MADE, "other": DISK_TYPE}.items():
        assert label(f"{MNT}/{name}") == expected, (name, label(f"{MNT}/{name}"))
    unmount_and_check()
    kernel_is_quiet()
