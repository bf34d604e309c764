# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Bento at work, from mount to repair, in the order in which `./dev demo` tells it. Each line that
# starts with "demo: " is a line of its summary; what is done afterwards on the host (fsck, mount
# through FUSE, comparison) adds the last two.
import time


def tell(text):
    print(f"demo: {text}", flush=True)


with subtest("stock kernel, our modules"):
    load(inject=True)
    # ./dev demo hands over a disk made by mkfs.xv6 on the host; elsewhere the disk is empty.
    if machine.execute(f"fsck.xv6 -n {DISK} > /dev/null 2>&1")[0] != 0:
        machine.succeed(f"mkfs.xv6 -q -f {DISK}")
    # Nobody has loaded the file system: mount asks the kernel, the kernel asks modprobe for fs-xv6.
    machine.fail("lsmod | grep -q '^bento_xv6'")
    mount()
    release = machine.succeed("uname -r").strip()
    first = status("build")
    tell(f"kernel {release} of Debian, file system in safe Rust: {first}, mounted with mount -t xv6")

with subtest("a source tree"):
    began = time.monotonic()
    machine.succeed(f"stress tree copy {TREE} {MNT}/source >&2", timeout=900)
    files = int(machine.succeed(f"find {MNT}/source -type f | wc -l"))
    assert files > 5000, f"only {files} files: not the tree of the kernel headers"
    tell(f"source tree copied: {files} files, sha256 of each as in the source ({time.monotonic() - began:.0f} s)")

with subtest("git"):
    began = time.monotonic()
    machine.succeed(
        "git config --global user.name Bento; git config --global user.email bento@example.org",
        "git config --global safe.directory '*'; git config --global init.defaultBranch main",
        # Housekeeping in the background would keep the mount busy.
        "git config --global gc.auto 0; git config --global maintenance.auto false",
        f"git init -q {MNT}/source && cd {MNT}/source && git add -A && git commit -q -m tree",
        f"git clone -q --no-hardlinks {MNT}/source {MNT}/clone",
        timeout=900,
    )
    # git records of a file's mode only whether it can be executed; contents must be the same.
    machine.succeed(
        f"cd {TREE} && find . -type f -exec sha256sum {{}} + | sort -k2 > /run/want",
        f"cd {MNT}/clone && find . -path ./.git -prune -o -type f -exec sha256sum {{}} + | sort -k2 > /run/got",
        "cmp /run/want /run/got",
        timeout=900,
    )
    tell(f"git: init, add, commit, clone; sha256 of {files} cloned files as in the source ({time.monotonic() - began:.0f} s)")

with subtest("live upgrade under load"):
    hold()
    start_hammer(jobs=2)
    second = load_next()
    time.sleep(2)
    code, said = in_window(f"bentoctl upgrade {second} 2>&1")
    assert code == 0, said
    expect_status(build=second, state="active", upgrades="1", ops_failed="0")
    pause = int(status("pause_ns")) / 1000
    verify_held()
    time.sleep(2)
    report = stop_hammer()
    assert report["failed"] == 0 and report["mismatches"] == 0, report
    window = report["probe"]["windows"][0]
    assert window["operations"] > 0, report
    tell(f"bentoctl upgrade {second}:")
    tell(f"  {said.strip()}")
    tell(f"meanwhile, under load: {report['operations']} operations, {report['failed']} failed, {report['mismatches']} wrong answers")
    tell(
        f"pause: {pause:.0f} us in the kernel; the client's longest write was {window['longest_us']} us"
        f" around the upgrade, {window['longest_before_us']} us in the 2 s before"
    )
    tell("open file, shared mmap, unlinked file and working directory survived the upgrade")

with subtest("a panic in the file system"):
    machine.succeed(f"mkdir {MNT}/a {MNT}/b; sync -f {MNT}")
    waited = panic_with_waiter(
        f"stress op create {MNT}/a/file --expect EIO",
        f"stress op create {MNT}/b/file --expect EIO",
    )
    assert waited > 500_000, f"the second process waited only {waited} us"
    expect_status(state="failed", panics="1")
    machine.succeed(f"stress op mkdir {MNT}/c --expect EIO >&2")
    kernel_is_quiet()
    tell("panic inside create: it and the process that waited for its lock got EIO, the mount says 'failed', the kernel lives")

with subtest("repair by an upgrade"):
    said = machine.succeed(f"bentoctl upgrade {first}").strip()
    expect_status(state="active", build=first)
    verify_held(stop=True)
    machine.succeed(
        f"stress tree compare --exclude .git {TREE} {MNT}/source >&2",
        f"stress op create {MNT}/a/file >&2",
        timeout=900,
    )
    tell(f"bentoctl upgrade {first}:")
    tell(f"  {said}")
    tell(f"'active' again, {files} files as before, open handles kept")

with subtest("recording who does what, for a while"):
    recording = load_prov()
    upgrade(recording)
    expect_status(state="active", build=recording)
    machine.succeed(f"git clone -q --no-hardlinks {MNT}/clone {MNT}/again", timeout=900)
    machine.succeed(f"bentoctl prov {MNT} > /run/prov", timeout=120)
    line = machine.succeed("grep -m 1 ' git\\[.*create /again/.git/' /run/prov").strip()
    lines = int(machine.succeed("wc -l < /run/prov"))
    upgrade(first)
    expect_status(state="active", build=first)
    tell(f"upgraded to {recording}: {lines} records of a clone, one of them: {line}")
    tell(f"and back to {first}")

with subtest("unmount and check"):
    machine.succeed(f"umount {MNT}", f"fsck.xv6 -n {DISK} >&2", timeout=300)
    kernel_is_quiet()
    tell("unmounted; fsck.xv6 -n in the guest: clean; no warning in the kernel's log")
    machine.shutdown()
