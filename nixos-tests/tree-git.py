# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A source tree is copied, made a git repository and cloned; every file has its sha256 afterwards,
# also after an unmount, and fsck finds nothing.
load()
format_and_mount()
machine.succeed(
    "git config --global user.name Bento; git config --global user.email bento@example.org",
    "git config --global safe.directory '*'; git config --global init.defaultBranch main",
    # Housekeeping in the background would keep the mount busy.
    "git config --global gc.auto 0; git config --global maintenance.auto false",
)

with subtest("a tree is copied"):
    print(machine.succeed(f"stress tree copy {TREE} {MNT}/source", timeout=900))
    machine.succeed(f"stress tree manifest {TREE} > /run/manifest")

with subtest("git stores it"):
    machine.succeed(
        f"cd {MNT}/source && git init -q && git add -A && git commit -q -m tree",
        f"cd {MNT}/source && test -z \"$(git status --porcelain)\"",
        timeout=900,
    )

with subtest("git clones it"):
    machine.succeed(f"git clone -q --no-hardlinks {MNT}/source {MNT}/clone", timeout=900)
    machine.succeed(f"cd {MNT}/clone && git fsck --full >&2", timeout=900)

with subtest("all files are the same"):
    # git keeps of the mode only whether a file is executable.
    machine.succeed(f"stress tree verify --exclude .git /run/manifest {MNT}/source >&2", timeout=900)
    machine.succeed(
        f"cd {TREE} && find . -type f -exec sha256sum {{}} + | sort -k2 > /run/want",
        f"cd {MNT}/clone && find . -path ./.git -prune -o -type f -exec sha256sum {{}} + | sort -k2 > /run/got",
        "diff /run/want /run/got",
        timeout=900,
    )

with subtest("they still are after an unmount"):
    unmount_and_check()
    mount()
    machine.succeed(f"stress tree verify --exclude .git /run/manifest {MNT}/source >&2", timeout=900)

with subtest("all of it can be removed"):
    machine.succeed(f"rm -rf {MNT}/source {MNT}/clone", timeout=900)
    unmount_and_check()
    kernel_is_quiet()
