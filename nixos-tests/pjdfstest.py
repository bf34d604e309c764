# SPDX-License-Identifier: GPL-2.0-only OR MIT
# POSIX semantics of every system call on names and attributes, as pjdfstest knows them.
import re

OTHER = "/dev/disk/by-id/virtio-other"

# Which tests may be skipped, and why; any other that is skipped fails the scenario.
SKIPS = {
    "erofs": "the suite keeps files open and cannot remount then, on ext4 either; see read-only.py",
    "link_count_max": "pathconf() of glibc knows the limit of a few file systems only",
}

load()
format_and_mount()
format_and_mount(disk=OTHER, where="/mnt/other")
machine.succeed(
    f"mkdir {MNT}/t /mnt/other/t",
    """cat > /run/pjdfstest.toml <<'EOF'
[features]
posix_fallocate = {}
rename_ctime = {}
utime_now = {}
utimensat = {}
[settings]
naptime = 0.02
allow_remount = false
[dummy_auth]
entries = [["nobody", "nogroup"], ["alice", "users"]]
EOF""",
    # The suite asks it for a program to run.
    """mkdir -p /run/bin; printf '#!/bin/sh\\ncommand -v "$1"\\n' > /run/bin/which; chmod +x /run/bin/which""",
)

with subtest("every test of the suite passes"):
    command = f"PATH=$PATH:/run/bin pjdfstest -c /run/pjdfstest.toml -p {MNT}/t -s /mnt/other/t 2>&1"
    code, output = machine.execute(f"cd /run; {command}", timeout=600)
    lines = output.splitlines()
    for number, line in enumerate(lines):
        if line.endswith((" FAILED", " skipped")):
            print(*lines[number : number + 2], sep="\n", flush=True)
    assert code == 0, lines[-1]
    skipped = [line.split()[0] for line in lines if line.endswith(" skipped")]
    unexpected = [name for name in skipped if not any(part in name for part in SKIPS)]
    assert not unexpected, unexpected
    for part, reason in SKIPS.items():
        print(f"skipped {sum(part in name for name in skipped)} of {part}: {reason}", flush=True)
    counts = dict((what, int(n)) for n, what in re.findall(r"(\d+) (\w+)", output[output.rindex("Summary:") :]))
    print(counts, flush=True)
    assert counts["failed"] == 0 and counts["passed"] >= 380, counts

with subtest("the disk is clean after it"):
    unmount_and_check(disk=OTHER, where="/mnt/other")
    unmount_and_check()
    kernel_is_quiet()
