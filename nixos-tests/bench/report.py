#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What ./dev bench asks for, and what it makes of the answer.

usage: report.py request SIZE [WORKLOAD...]         JSON for bench.py on stdout; SIZE: gate, short, quick, full, grow
       report.py take MEASURED RESULT COMMIT SIZE   checks and keeps the figures of a run
       report.py renew RESULT                       as request, for those of our file systems alone
       report.py renewed MEASURED RESULT COMMIT     keeps these, beside what is known of the others
       report.py accept MEASURED RESULT             keeps the figures that the gate of ./dev test compares with
       report.py grow MEASURED RESULT               keeps what operations cost in larger and larger directories
       report.py scale MEASURED RESULT              keeps what 64 GiB and many inodes cost
       report.py table RESULT                       Markdown of the figures
       report.py readme RESULT FILE OTHER...        puts it between the two marks in a file, with summaries of others

Every figure is guest instructions per operation. Ratios of two of them compare how long the
paths through the code are; they say nothing of caches, devices and many processors.
"""

import json
import math
import pathlib
import sys

import marks

FORWARD = ["tmpfs", "ext4-ordered", "ext4-journal", "xv6", "xv6-prov", "xv6-fuse", "bindfs"]
ANCHOR = "ext4-ordered"
TREES = {
    "gate": ["include/uapi/linux/netfilter"],
    "quick": ["include/net", "include/crypto"],
    "full": ["include"],
    "grow": [],
}
# What the second pass of a quick run confirms, in the opposite order: FUSE takes long.
CONFIRMED = ["xv6", ANCHOR]
# Two passes in one guest, in opposite orders, must agree within this ...
SPREAD = 0.03
# ... in all but this share of the lines; a line that does not has no figure.
UNSTEADY = 0.10


# How workloads begin that measure one operation in directories of several sizes: NAME_OPERATION_SIZE.
GROW = "grow_"


class Refused(Exception):
    """The figures are not worth printing."""


def request(size, only=()):
    """What bench.py is to do."""
    if size == "grow":
        return {"size": "quick", "passes": [CONFIRMED[::-1]], "only": [GROW], "trees": []}
    passes = {"gate": [["xv6"]], "short": [FORWARD, CONFIRMED], "quick": [FORWARD, CONFIRMED], "full": [FORWARD, FORWARD[::-1]]}
    # Other programs' opinions (fio, fs_mark) come with a whole run.
    others = size != "gate" and not only
    return numbers(size) | {"passes": passes[size], "only": list(only), "others": others}


def numbers(size):
    """How much of everything; a short run measures as much as the gate, on all file systems."""
    size = "gate" if size == "short" else size
    return {"size": size, "trees": TREES[size]}


def spread(first, second):
    """By how much the larger of two figures exceeds the smaller."""
    low, high = sorted((first, second))
    return high / low - 1 if low > 0 else math.inf


def steady(passes):
    """The figures of the first pass that the second does not refute, and the lines that it does."""
    first, second = passes
    costs, lines = {}, []
    for system, workloads in first.items():
        costs[system] = {}
        for workload, cost in workloads.items():
            again = second.get(system, workloads)[workload]
            # Without a store behind it, tmpfs has nothing to flush.
            if cost < 10 or spread(cost, again) <= SPREAD:
                costs[system][workload] = round(cost)
            else:
                lines.append(f"{system}/{workload}")
    total = sum(len(workloads) for system, workloads in first.items() if system in second)
    if len(lines) > UNSTEADY * total:
        raise Refused(f"{len(lines)} of {total} lines differ between the passes by more than {SPREAD:.0%}: {', '.join(lines)}")
    return costs, sorted(lines)


def ratios(costs, above, below):
    """Workload: the cost on ABOVE as a multiple of that on BELOW."""
    pairs = ((w, cost, costs[below].get(w)) for w, cost in costs.get(above, {}).items())
    return {w: cost / base for w, cost, base in pairs if base}


def geomean(values):
    """Their geometric mean; 0 of none."""
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else 0


def summary(costs):
    to_ext4 = ratios(costs, "xv6", ANCHOR)
    worst = max(to_ext4, key=to_ext4.get)
    return {
        "geomean_vs_ext4_ordered": round(geomean(to_ext4.values()), 3),
        "worst_vs_ext4_ordered": round(to_ext4[worst], 3),
        "worst_workload": worst,
        "geomean_vs_ext4_journal": round(geomean(ratios(costs, "xv6", "ext4-journal").values()), 3),
        "geomean_fuse_vs_xv6": round(geomean(ratios(costs, "xv6-fuse", "xv6").values()), 3),
        "geomean_bindfs_vs_xv6": round(geomean(ratios(costs, "bindfs", "xv6").values()), 3),
        "geomean_recording_vs_xv6": round(geomean(ratios(costs, "xv6-prov", "xv6").values()), 3),
        "workloads": len(to_ext4),
    }


def take(measured, old, commit, size):
    """The result to keep, of a run's measurements and the result of before."""
    costs, unsteady = steady(measured["passes"])
    return {
        "release": measured["release"],
        "commit": commit,
        "size": size,
        "unit": "guest instructions per operation",
        "summary": summary(costs),
        "cost": costs,
        "unsteady": unsteady,
        "gate": old.get("gate", {}),
        "growth": old.get("growth", {}),
        "scale": old.get("scale", {}),
    }


# What changes with this repository; the others change with the kernel.
OURS = ["xv6", "xv6-prov", "xv6-fuse"]


def renew(result):
    """A request as that of RESULT, without the others."""
    return numbers(result["size"]) | {"passes": [OURS, OURS[:1]], "only": [], "others": True}


def renewed(measured, old, commit):
    """OLD with the figures of a run that measured our file systems alone, on the same kernel."""
    if measured["release"] != old["release"]:
        raise Refused(f"measured on {measured['release']}, the others on {old['release']}: measure all of them")
    costs, unsteady = steady(measured["passes"])
    costs = old["cost"] | costs
    kept = [line for line in old["unsteady"] if line.split("/")[0] not in OURS]
    return old | {"ours": commit, "cost": costs, "summary": summary(costs), "unsteady": sorted(kept + unsteady)}


def growth(measured):
    """System: workload: cost."""
    return {system: {w: round(cost) for w, cost in costs.items()} for system, costs in measured["passes"][0].items()}


def growing(costs):
    """Operation, sizes, and for each file system what the operation costs at these."""
    names = list(dict.fromkeys(w.removeprefix(GROW).rpartition("_")[::2] for w in costs["xv6"]))
    for operation in dict.fromkeys(operation for operation, _ in names):
        sizes = [size for each, size in names if each == operation]
        yield operation, sizes, {system: [costs[system][f"{GROW}{operation}_{size}"] for size in sizes] for system in costs}


def growth_lines(result):
    """The growth as Markdown; nothing where it was not measured."""
    if not result.get("growth"):
        return []
    lines, before = [], None
    for operation, sizes, costs in growing(result["growth"]):
        if sizes != before:
            about = "file (bytes" if sizes[0].endswith("m") else "directory (names"
            head = "| operation | file system | " + " | ".join(sizes) + " | last / first |"
            lines += ["", f"Growth with the {about} in it: {', '.join(sizes)}):", "", head, "|---|---|" + "--:|" * (len(sizes) + 1)]
            before = sizes
        for system, row in costs.items():
            lines.append(f"| {operation} | {system} | " + " | ".join(map(short, row)) + f" | {row[-1] / row[0]:.2f} |")
    return lines


# What nixos-tests/scale.py measures.
SCALE = {
    "mount_new": "mount of an empty disk of 64 GiB, instructions",
    "mount_used": "mount of 64 GiB with 20,000 files, instructions",
    "mount_full_log": "the same with 1,750 changes in a log of 16 MiB to recover, instructions",
    "bytes_per_inode": "memory for each inode after stat, bytes",
    "bytes_per_inode_read": "memory for each inode after open and read, bytes",
}


def scale_lines(result):
    """Mounts, recovery and memory as Markdown; nothing where they were not measured."""
    costs = result.get("scale")
    if not costs:
        return []
    lines = ["", "| what size costs | " + " | ".join(costs) + " | xv6 / ext4 |", "|---|" + "--:|" * (len(costs) + 1)]
    for name, about in SCALE.items():
        row = [cost[name] for cost in costs.values()]
        lines.append(f"| {about} | " + " | ".join(map(short, row)) + f" | {costs['xv6'][name] / costs[ANCHOR][name]:.2f} |")
    return lines


def short(cost):
    """12345 as 12.3k: three digits are more than two runs agree on."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if cost >= unit * 0.9995:
            digits = 2 if cost < 10 * unit else 1 if cost < 100 * unit else 0
            return f"{cost / unit:.{digits}f}{name}"
    return f"{cost:.0f}"


def sentence(result):
    """The summary in words."""
    s = result["summary"]
    means = {"FUSE / xv6": "geomean_fuse_vs_xv6", "bindfs / xv6": "geomean_bindfs_vs_xv6", "recording / xv6": "geomean_recording_vs_xv6"}
    means["xv6 / ext4 journal"] = "geomean_vs_ext4_journal"
    return (
        f"Linux {result['release']}, size {result['size']}: {s['workloads']} workloads, geometric mean of xv6 / ext4 ordered"
        f" {s['geomean_vs_ext4_ordered']:.2f}, the worst is {s['worst_workload']} with {s['worst_vs_ext4_ordered']:.2f}; "
        + ", ".join(f"{label} {s[name]:.2f}" for label, name in means.items() if s.get(name))
        + "."
    )


def table(result):
    """Markdown: a row for each workload, dearest against ext4 first."""
    costs = result["cost"]
    to_ext4 = ratios(costs, "xv6", ANCHOR)
    compared = [to_ext4, ratios(costs, "xv6-prov", "xv6"), ratios(costs, "xv6-fuse", "xv6")]

    def number(system, w):
        if w in costs.get(system, {}):
            return short(costs[system][w])
        return "unsteady" if f"{system}/{w}" in result["unsteady"] else "-"

    ratio = lambda values, w: f"{values[w]:.2f}" if w in values else "-"
    lines = [
        "| workload | tmpfs | ext4 ordered | ext4 journal | xv6 | xv6 recording | xv6 by FUSE | bindfs over ext4"
        " | xv6 / ext4 ordered | recording / xv6 | FUSE / xv6 |",
        "|---|" + "--:|" * 10,
    ]
    names = dict.fromkeys(w for workloads in costs.values() for w in workloads)
    for w in sorted(names, key=lambda w: -to_ext4.get(w, 0)):
        cells = [number(system, w) for system in FORWARD] + [ratio(values, w) for values in compared]
        lines.append(f"| {w} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", sentence(result)] + growth_lines(result) + scale_lines(result))


def between_marks(text, result, others=()):
    """TEXT with the table of RESULT between its marks, and what the OTHERS, on other kernels, come to."""
    lines = [line for other in others for line in ("", sentence(other))]
    filled = marks.fill(text, "bench", "./dev bench", "\n".join([table(result), *lines]))
    if filled is None:
        raise Refused("the file has no marks for the table")
    return filled


def read(path):
    path = pathlib.Path(path)
    return json.loads(path.read_text()) if path.exists() else {}


def write(path, value):
    pathlib.Path(path).write_text(json.dumps(value, indent=1) + "\n")


def main(arguments):
    match arguments:
        case ["request", size, *only] if size in [*TREES, "short"]:
            print(json.dumps(request(size, only)))
        case ["take", measured, result, commit, size]:
            write(result, take(read(measured), read(result), commit, size))
        case ["renew", result]:
            print(json.dumps(renew(read(result))))
        case ["renewed", measured, result, commit]:
            write(result, renewed(read(measured), read(result), commit))
        case ["accept", measured, result]:
            gate = {w: round(cost) for w, cost in read(measured)["passes"][0]["xv6"].items()}
            write(result, read(result) | {"gate": gate})
        case ["grow", measured, result]:
            write(result, read(result) | {"growth": growth(read(measured))})
        case ["scale", measured, result]:
            write(result, read(result) | {"scale": read(measured)["scale"]})
        case ["table", result]:
            print(table(read(result)))
        case ["readme", result, file, *others]:
            file = pathlib.Path(file)
            others = filter(None, (read(other) for other in others if other != result))
            file.write_text(between_marks(file.read_text(), read(result), others))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refused as reason:
        sys.exit(f"report.py: refused: {reason}")
