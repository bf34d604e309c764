# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The Debian packages: dpkg installs them, /etc/fstab mounts, a newer package upgrades the mounted
# file system in place, an upgrade that fails leaves it as it was, and removal leaves nothing.
RELEASE = machine.succeed("uname -r").strip()
PACKAGE = f"bento-modules-{RELEASE}"
UPDATES = f"/usr/lib/modules/{RELEASE}/updates"
DEB = "/etc/bento/deb"


def dpkg(*arguments):
    """Runs dpkg, and returns all that it and the packages' scripts say."""
    return machine.succeed(f"dpkg {' '.join(arguments)} 2>&1 | tee /dev/stderr")


def modules_loaded():
    return machine.succeed("lsmod | awk '/^bento/ { print $1 }'").split()


with subtest("a Debian root that knows nothing of Bento"):
    # The images are read-only: what dpkg writes lies above that of /usr. depmod reads every module,
    # so of the kernel's own there are few.
    machine.succeed(
        "modprobe overlay",
        "mkdir -p /run/overlay/upper /run/overlay/work",
        "mount -t overlay -o lowerdir=/usr,upperdir=/run/overlay/upper,workdir=/run/overlay/work overlay /usr",
        f"mkdir -p /run/modules/{RELEASE}/kernel/fs && cd /run/system/lib/modules/{RELEASE} &&"
        f" cp -r kernel/lib modules.order modules.builtin /run/modules/{RELEASE} &&"
        f" touch /run/modules/{RELEASE}/modules.builtin.modinfo",
        "mount --bind /run/modules /usr/lib/modules",
        "depmod",
        "mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates /var/log /etc/dpkg/dpkg.cfg.d",
        f"cp {DEB}/status /var/lib/dpkg/status",
        "cd /var/lib/dpkg/info && touch $(sed -n 's/^Package: //p' ../status | sed 's/$/.list/')",
        "touch /var/lib/dpkg/available",
        # libc-bin is not part of the guest; no package here has a library.
        "ln -s /usr/bin/true /run/bin/ldconfig",
    )
    machine.fail("modprobe bentofs")
    machine.fail("test -e /usr/sbin/mkfs.xv6")

with subtest("dpkg installs them"):
    dpkg("-i", f"{DEB}/tools/*.deb", f"{DEB}/modules/*.deb")
    assert machine.succeed("dpkg -S /usr/sbin/mkfs.xv6") == "bento-tools: /usr/sbin/mkfs.xv6\n"
    machine.succeed("dpkg --verify")
    for file in ("man/man8/mkfs.xv6.8.gz", "man/man8/bentoctl.8.gz", "bash-completion/completions/mkfs.xv6"):
        machine.succeed(f"test -s /usr/share/{file}")
    assert modules_loaded() == [], "nothing is mounted, so nothing is to be loaded"

with subtest("the file system is checked and mounted by /etc/fstab"):
    machine.succeed(
        f"/usr/sbin/mkfs.xv6 -q -f {DISK}",
        f"mkdir -p {MNT}",
        f"echo {DISK} {MNT} xv6 defaults 0 2 >> /etc/fstab",
        f"PATH=/usr/sbin:/usr/bin fsck -a {MNT} >&2",
        f"mount {MNT}",
    )
    first = status("build")
    assert f"/updates/bento/{first}.ko" in machine.succeed(f"modprobe -D {first}")

with subtest("removal is refused while it is mounted, and says where"):
    code, _ = machine.execute(f"dpkg -r {PACKAGE} > /run/removal 2>&1")
    said = machine.succeed("cat /run/removal")
    assert code != 0 and f"is mounted: {MNT}" in said and "not removed" in said, said
    machine.succeed(f"dpkg -s {PACKAGE} | grep '^Status: .* ok installed$'")
    expect_status(build=first, state="active")

with subtest("a newer package upgrades the mounted file system under load"):
    hold()
    start_hammer()
    said = dpkg("-i", f"{DEB}/next/*.deb")
    second = status("build")
    assert second.startswith("bento_xv6_0_1_1_") and second != first, second
    assert f"upgraded in place from {first} to {second}" in said, said
    expect_status(state="active", upgrades="1")
    verify_held()
    assert modules_loaded() == [second, "bentofs"] or modules_loaded() == ["bentofs", second], modules_loaded()

with subtest("an upgrade that fails leaves the old one mounted, and says so"):
    machine.succeed(f"fsfreeze -f {MNT}")
    said = dpkg("-i", f"{DEB}/modules/*.deb")
    machine.succeed(f"fsfreeze -u {MNT}")
    assert f"NOT upgraded, still mounted with {second}" in said, said
    expect_status(build=second, state="active", upgrades="1")
    verify_held()

with subtest("the way that it names works later"):
    [line] = [line for line in said.splitlines() if "to try again: " in line]
    machine.succeed(line.split("to try again: ")[1])
    expect_status(build=first, state="active", upgrades="2")
    verify_held(stop=True)
    report = stop_hammer()
    assert report["failed"] == 0 and report["mismatches"] == 0, report

with subtest("a mount that records its use goes on recording"):
    machine.succeed(f"bentoctl upgrade {UPDATES}/bento/bento_xv6_prov_*.ko >&2")
    recording = status("build")
    assert recording.startswith("bento_xv6_prov_"), recording
    said = dpkg("-i", f"{DEB}/next/*.deb")
    expect_status(build=recording, state="active", upgrades="3")
    assert "NOT upgraded" not in said, said
    machine.succeed(f"bentoctl upgrade {UPDATES}/bento/bento_xv6_0_*.ko >&2")
    expect_status(build=second, state="active", upgrades="4")

with subtest("removal leaves nothing behind"):
    machine.succeed(f"umount {MNT}", f"/usr/sbin/fsck.xv6 -n {DISK} >&2")
    dpkg("-r", PACKAGE, "bento-tools")
    assert modules_loaded() == []
    machine.fail(f"test -e {UPDATES} -o -e /usr/sbin/mkfs.xv6")
    machine.fail(f"mount {MNT}")
    machine.fail(f"grep bento /usr/lib/modules/{RELEASE}/modules.dep")
    kernel_is_quiet()
