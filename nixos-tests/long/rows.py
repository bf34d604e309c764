#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Write down what the long checks gave, in nixos-tests/LONG.md.

usage: rows.py names [NAME...] < checks.json      the checks that are meant, one per line: all, or
                                                  those called NAME or NAME-linux_KERNEL
       rows.py write FILE COMMIT NAME... < checks.json
                                                  FILE with new rows for the checks NAME..., found
                                                  at COMMIT; the rows of the others stay

checks.json maps the name of each check to its paths {out, drv}. A check without a result at its out
has failed.
"""

import datetime
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

import results  # noqa: E402 (it lies in the driver's folder)

HEAD = """<!-- SPDX-License-Identifier: GPL-2.0-only OR MIT -->
# What the long checks gave last

Made by `./dev test --long [NAME...]`, which replaces the rows of what it runs: each row says at which
commit it was found. Seconds are those of an emulated machine, boots included, on a host that may
have run other things beside it.
"""
COLUMNS = ("part", "kernel", "result", "subtests passed", "seconds", "commit", "day", "what it counted")

# The lines of a scenario's output that count something; names of helpers may stand before them.
COUNTED = re.compile(
    r"""(?:^|:\ )(
        (?:fsx|damaged\ disks|powercut|hammer|upgrades|panics):\ .*
      | fsstress:\ \d+\ operations.*
      | growth\ in\ KiB\ .*
    )""",
    re.VERBOSE,
)


def chosen(checks, words):
    """The names of CHECKS that WORDS mean, and the words that mean none."""
    if not words:
        return sorted(checks), []
    means = {word: [n for n in checks if n == word or n.startswith(f"{word}-linux_")] for word in words}
    return sorted({n for names in means.values() for n in names}), [w for w, names in means.items() if not names]


def counted(text):
    """What a scenario's output counts, in a few words: each line once, but those of power cuts added up."""
    found, cuts = [], {}
    for line in text.splitlines():
        # What the driver and the guest's console say is no result, but a tool's own line may come
        # by the console.
        line = line.removeprefix("machine # ")
        match = None if line.startswith("driver: ") else COUNTED.search(line)
        if match and match[1].startswith("powercut: ") and re.search(r"\d", match[1]):
            cuts.setdefault(re.sub(r"\d+", "{}", match[1]), []).append([int(n) for n in re.findall(r"\d+", match[1])])
        elif match and match[1] not in found:
            found.append(match[1])
    return "; ".join(found + [added(shape, counts) for shape, counts in cuts.items()])


def added(shape, counts):
    """Lines that differ in their COUNTS alone as one, with the sums."""
    line = shape.format(*map(sum, zip(*counts, strict=True)))
    return line if len(counts) == 1 else f"{line} ({len(counts)} times)"


def log_of(derivation):
    """The output of a build, as Nix keeps it; none where it keeps none."""
    done = subprocess.run(["nix", "log", derivation], capture_output=True, text=True, errors="replace")
    return done.stdout if done.returncode == 0 else ""


def row(name, result, text, commit, day):
    """The cells of one check; RESULT is its result.json or None, TEXT its output."""
    part, kernel = results.split(name) or (name, "-")
    # Whatever is no scenario's result was left behind by a build that did not end.
    whole = result is not None and "scenario" in result
    verdict = "passed" if whole and result["failed"] == 0 else "FAILED"
    numbers = [str(result["passed"]), str(round(result["seconds"]))] if whole else ["-", "-"]
    cells = [f"`{part}`", kernel, verdict, *numbers, commit, day, counted(text)]
    return [cell.replace("|", "/") for cell in cells]


def rows_of(page):
    """The rows of a page as {(part, kernel): cells}."""
    found = {}
    for line in page.splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]
            found[cells[0], cells[1]] = cells
    return found


def merged(page, checks, new):
    """PAGE with the rows NEW; a check that was never run has a row that says so, and what is no
    check any more has none."""
    known = rows_of(page) | {(cells[0], cells[1]): cells for cells in new}
    rows = []
    for name in sorted(checks):
        part, kernel = results.split(name) or (name, "-")
        rows.append(known.get((f"`{part}`", kernel), [f"`{part}`", kernel, "not run", *["-"] * 4, ""]))
    rows.sort(key=lambda cells: (cells[0].strip('`'), results.by_age(cells[1])))
    lines = [COLUMNS, ["---"] * len(COLUMNS), *rows]
    return HEAD + "\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def main(arguments):
    checks = json.load(sys.stdin) if arguments[:1] in (["names"], ["write"]) else sys.exit(__doc__)
    if arguments[0] == "names":
        names, unknown = chosen(checks, arguments[1:])
        if unknown:
            sys.exit(f"no long check is called {' or '.join(unknown)}; there are: {' '.join(sorted(checks))}")
        print(*names, sep="\n")
        return
    file, commit, names = pathlib.Path(arguments[1]), arguments[2], arguments[3:]
    day = datetime.date.today().isoformat()
    new = [row(n, results.read(checks[n]["out"]), log_of(checks[n]["drv"]), commit, day) for n in names]
    file.write_text(merged(file.read_text() if file.exists() else "", checks, new))
    for cells in new:
        print("  " + " ".join(cells[:5]), file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
