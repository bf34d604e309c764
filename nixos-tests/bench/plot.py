#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""One page with what ./dev bench has found on all kernels: pictures and tables.

usage: plot.py FOLDER FILE     FOLDER has the results by kernel (6.12.json, upgrade-6.12.json); FILE becomes the page

The pictures are inside of the page, which needs nothing else. This wants matplotlib: bento-plots
(nix/debian/plots.nix) has it.
"""

import base64
import html
import json
import pathlib
import sys

import pauses
import report

ABOUT = (
    "Figures are guest instructions per operation, counted by QEMU (-icount shift=0) in one guest with one processor, all file"
    " systems on one RAM disk. Ratios of them compare how long the paths through the code are. They say nothing of caches, devices"
    " or many processors, and they are no wall-clock speed-ups."
)
STYLE = "body{font:14px sans-serif;max-width:1000px;margin:2em auto}img{max-width:100%}td,th{padding:1px 8px;text-align:right}"


def element(name, text, **attributes):
    listed = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
    return f"<{name}{listed}>{text}</{name}>"


def image(png, about):
    data = base64.b64encode(png).decode()
    return f'<p><img alt="{html.escape(about)}" src="data:image/png;base64,{data}"/></p>'


def cells(row, tag):
    return element("tr", "".join(element(tag, html.escape(cell.strip())) for cell in row.strip("|").split("|")))


def table(markdown):
    """A Markdown table, and the text around it, as HTML."""
    parts, rows = [], []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            rows += [] if line.startswith("|-") else [cells(line, "td" if rows else "th")]
            continue
        if rows:
            parts.append(element("table", "\n".join(rows)))
            rows = []
        if line:
            parts.append(element("p", html.escape(line)))
    return "\n".join(parts)


def in_order(series):
    """The ratios of each series, all in the order of the first one's, dearest first."""
    first = next(iter(series.values()))
    names = sorted(first, key=lambda name: -first[name])
    names += [name for values in series.values() for name in values if name not in first]
    return {label: {name: values[name] for name in dict.fromkeys(names) if name in values} for label, values in series.items()}


def ratio_pictures(results, drawing):
    """To ext4 and to FUSE, a dot for each kernel."""
    to_ext4 = {f"Linux {series}": report.ratios(r["cost"], "xv6", report.ANCHOR) for series, r in results}
    to_fuse = {f"xv6 by FUSE, {series}": report.ratios(r["cost"], "xv6-fuse", "xv6") for series, r in results}
    to_fuse |= {f"bindfs over ext4, {series}": report.ratios(r["cost"], "bindfs", "xv6") for series, r in results if "bindfs" in r["cost"]}
    title = "xv6 / ext4 data=ordered (left of 1: cheaper; dashed: the target, 1.25)"
    yield title, drawing.dots(in_order(to_ext4), [(1, "-"), (1.25, "--")], title)
    title = "A file system in user space / xv6 in the kernel"
    yield title, drawing.dots(in_order(to_fuse), [(1, "-")], title)


def growth_pictures(results, drawing):
    for series, result in results:
        if result.get("growth"):
            panels = [(operation, sizes, costs) for operation, sizes, costs in report.growing(result["growth"])]
            yield f"Cost by the size of the directory or file, Linux {series}", drawing.curves(panels, "instructions per operation")


def pause_pictures(upgrades, drawing):
    for series, result in upgrades:
        groups = {}
        for case, _ in pauses.pairs(result):
            label = f"{pauses.NAMES[case['client']]}, {'loaded' if case['jobs'] else 'idle'}, {case['inodes']} inodes"
            groups.setdefault(label, []).extend(pauses.pauses(case))
        title = f"Pauses of {sum(map(len, groups.values()))} upgrades, Linux {series}"
        yield title, drawing.histogram(groups, title, "guest instructions from the gate's closing to its opening")


def page(results, upgrades, drawing):
    parts = [element("h1", "Bento: what operations cost"), element("p", ABOUT)]
    for make, found in ((ratio_pictures, results), (growth_pictures, results), (pause_pictures, upgrades)):
        for title, png in make(found, drawing) if found else ():
            parts += [element("h2", html.escape(title)), image(png, title)]
    for series, result in results:
        parts += [element("h2", f"Linux {series}"), element("p", html.escape(f"Measured at {result['commit']}."))]
        parts.append(table(report.table(result)))
    for series, result in upgrades:
        parts += [element("h2", f"Upgrades, Linux {series}"), table(pauses.table(result))]
    head = f'<meta charset="utf-8"><title>Bento: what operations cost</title><style>{STYLE}</style>'
    licence = "<!-- SPDX-License-Identifier: GPL-2.0-only OR MIT -->"
    return f'<!DOCTYPE html>\n{licence}\n<html lang="en">\n<head>{head}</head>\n<body>\n' + "\n".join(parts) + "\n</body>\n</html>\n"


def read(folder, prefix):
    """Series and result of each file PREFIXn.n.json, by series."""
    found = pathlib.Path(folder).glob(f"{prefix}[0-9]*.json")
    series = lambda path: path.stem.removeprefix(prefix)
    return [(series(path), json.loads(path.read_text())) for path in sorted(found, key=lambda path: [int(n) for n in series(path).split(".")])]


def main(arguments):
    match arguments:
        case [folder, file]:
            import drawing

            pathlib.Path(file).write_text(page(read(folder, ""), read(folder, "upgrade-"), drawing))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
