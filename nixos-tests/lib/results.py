#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Sum up what the scenarios found, from the result.json of each.

usage: results.py totals SKIPPED < checks.json     one line per check, then the sum
       results.py table < checks.json              Markdown: subtest by kernel
       results.py support FILE < checks.json       FILE with its table of features made anew

checks.json maps the name of each check, SCENARIO-linux_X_Y, to the path that building it makes
(`nix eval --json`). A check whose path does not exist has failed. SKIPPED scenarios could not be
tried, because their kernel was not to be had.
"""

import json
import pathlib
import re
import sys


def read(path):
    """The result behind PATH: a scenario's, or a plain one of another check; None if it failed."""
    path = pathlib.Path(path)
    file = path / "result.json"
    if file.exists():
        return json.loads(file.read_text())
    return {"passed": 1, "failed": 0, "skipped": 0} if path.exists() else None


def describe(result):
    if result is None:
        return "FAILED"
    if "scenario" not in result:
        return "passed"
    return "{passed} passed, {failed} failed, {skipped} skipped in {seconds} s".format(**result)


def totals(results, skipped):
    """The lines to print, and whether all is well."""
    total = {"passed": 0, "failed": 0, "skipped": skipped}
    lines = []
    for name, result in sorted(results.items()):
        lines.append(f"  {name}: {describe(result)}")
        for key in total:
            total[key] += (result or {"failed": 1}).get(key, 0)
    lines.append("VM scenarios: " + ", ".join(f"{n} {what}" for what, n in total.items()))
    return lines, total["failed"] == 0


def split(name):
    """("xattr", "6.12") of "xattr-linux_6_12", also of the debug kernel; None for a check that is no scenario."""
    match = re.fullmatch(r"(.+)-linux_(\d+_\d+|debug)", name)
    return match and (match[1], match[2].replace("_", "."))


def by_age(kernel):
    """Sorts "6.1" before "6.12", and those without a number, such as "debug", behind all others."""
    return [*map(int, kernel.split("."))] if kernel[0].isdigit() else [sys.maxsize]


def table(results):
    """Markdown: a row for each subtest, a column for each kernel."""
    found = {}
    for name, result in results.items():
        key = split(name)
        if key and result and "subtests" in result:
            for subtest, outcome in result["subtests"].items():
                found.setdefault((key[0], subtest), {})[key[1]] = outcome
    kernels = sorted({k for row in found.values() for k in row}, key=by_age)
    lines = ["| scenario | what was tried | " + " | ".join(kernels) + " |", "|---" * (2 + len(kernels)) + "|"]
    scenarios = sorted({scenario for scenario, _ in found})
    for scenario in scenarios:
        for (owner, subtest), row in found.items():
            if owner == scenario:
                cells = [row.get(kernel, "not run") for kernel in kernels]
                lines.append(f"| `{scenario}` | {subtest.replace('|', '/')} | " + " | ".join(cells) + " |")
    return lines


def support(results):
    """Markdown: a row for each feature that the scenario `support` tries, a column for each kernel
    and one for FUSE. Its subtests are called "FEATURE: WHERE"; "FEATURE: FUSE refuses" is a test
    that FUSE says no."""
    found, kernels = {}, []
    for name, result in results.items():
        key = split(name)
        if not key or key[0] != "support" or not result:
            continue
        kernels.append(key[1])
        for subtest, outcome in result["subtests"].items():
            feature, where = subtest.rsplit(": ", 1)
            column = key[1] if where == "kernel" else "FUSE"
            answer = "no" if where == "FUSE refuses" else "yes"
            row = found.setdefault(feature, {})
            if row.get(column) != "failed":
                row[column] = answer if outcome == "passed" else "failed"
    kernels.sort(key=by_age)
    lines = ["| feature | " + " | ".join([*kernels, "FUSE"]) + " |", "|---" * (2 + len(kernels)) + "|"]
    for feature, row in found.items():
        lines.append(f"| {feature} | " + " | ".join(row.get(column, "not run") for column in [*kernels, "FUSE"]) + " |")
    return lines


BEGIN, END = "<!-- support: made by ./dev results -->", "<!-- end of support -->"


def replaced(text, lines):
    """TEXT with LINES between its two markers."""
    before, rest = text.split(BEGIN + "\n")
    return before + "\n".join([BEGIN, *lines, END]) + rest.split(END, 1)[1]


ARGUMENTS = {"totals": 2, "table": 1, "support": 2}


def main(arguments):
    if not arguments or ARGUMENTS.get(arguments[0]) != len(arguments):
        sys.exit(__doc__)
    results = {name: read(path) for name, path in json.load(sys.stdin).items()}
    if arguments[0] == "table":
        print(*table(results), sep="\n")
        return 0
    if arguments[0] == "support":
        print(replaced(pathlib.Path(arguments[1]).read_text(), support(results)), end="")
        return 0
    lines, good = totals(results, int(arguments[1]))
    print(*lines, sep="\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
