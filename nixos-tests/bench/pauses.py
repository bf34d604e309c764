#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What ./dev bench upgrade asks for, and what it makes of the answer.

usage: pauses.py request SIZE                 JSON for pause.py on stdout; SIZE: quick, full
       pauses.py take MEASURED RESULT COMMIT  keeps what was measured
       pauses.py table RESULT                 Markdown of it
       pauses.py readme RESULT FILE           puts it between the two marks in a file

All times are guest instructions, a nanosecond each on the clock of the guest, shown in thousands.
"""

import json
import pathlib
import statistics
import sys

import marks

CLIENTS = ["write", "fsync", "names", "map"]
REQUESTS = {
    "quick": {"inodes": [0, 1000, 10000], "count": 20, "idle": CLIENTS[:1], "loaded": CLIENTS[:1]},
    "full": {"inodes": [0, 1000, 10000, 100000], "count": 20, "idle": CLIENTS, "loaded": CLIENTS},
}
STEPS = ("drain", "export", "import", "wake")
NAMES = {
    "write": "write 4 KiB, stat",
    "fsync": "write 4 KiB, fsync",
    "names": "create, unlink",
    "map": "read a mapping",
    "flush": "flush takes 50 ms",
    "fresh": "module just loaded",
}


def pairs(result):
    """Each case with upgrades, and the same without them, or None."""
    key = lambda case: (case["inodes"], case["client"], case["jobs"])
    bases = {key(case): case for case in result["cases"] if not case["upgrades"]}
    return [(case, bases.get(key(case))) for case in result["cases"] if case["upgrades"]]


def pauses(case):
    return [stamps["pause"] for stamps in case["upgrades"]]


def thousands(value):
    return f"{value / 1000:.0f}"


def client_cells(case):
    """p50, p99.9 and the longest operation of a client."""
    if not case or "seen" not in case:
        return ["-"] * 3
    return [thousands(case["seen"][name]) for name in ("p50", "p999", "longest")]


def row(case, base):
    steps = [thousands(statistics.median(stamps[step] for stamps in case["upgrades"])) for step in STEPS]
    return [
        str(case["inodes"]),
        f"{case['jobs']} jobs" if case["jobs"] else "idle",
        NAMES[case["client"]],
        str(len(case["upgrades"])),
        thousands(statistics.median(pauses(case))),
        thousands(max(pauses(case))),
        " + ".join(steps),
        *client_cells(base),
        *client_cells(case),
    ]


def table(result):
    """Markdown: a row for each client, with the baseline beside it."""
    head = ["inodes", "load", "client", "upgrades", "pause, median", "longest", "drain + export + import + wake"]
    head += [f"{name}, {when}" for when in ("without", "with") for name in ("p50", "p99.9", "longest")]
    lines = ["| " + " | ".join(head) + " |", "|--:|---|---|" + "--:|" * (len(head) - 3)]
    lines += ["| " + " | ".join(row(case, base)) + " |" for case, base in pairs(result)]
    lines += ["", f"Linux {result['release']}, thousands of guest instructions (us at one instruction per ns)."]
    return "\n".join(lines)


def between_marks(text, result):
    filled = marks.fill(text, "pauses", "./dev bench upgrade", table(result))
    if filled is None:
        sys.exit("pauses.py: the file has no marks for the table")
    return filled


def main(arguments):
    read = lambda path: json.loads(pathlib.Path(path).read_text())
    match arguments:
        case ["request", size] if size in REQUESTS:
            print(json.dumps(REQUESTS[size]))
        case ["take", measured, result, commit]:
            pathlib.Path(result).write_text(json.dumps(read(measured) | {"commit": commit}) + "\n")
        case ["table", result]:
            print(table(read(result)))
        case ["readme", result, file]:
            file = pathlib.Path(file)
            file.write_text(between_marks(file.read_text(), read(result)))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
