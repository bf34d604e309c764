#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""One page with what ./dev bench has found on all kernels: tables, bars of ratios, and curves.

usage: plot.py FOLDER FILE     FOLDER has the results by kernel (6.12.json); FILE becomes the page

The drawings are SVG inside of the page, which needs nothing else: no library, no network.
"""

import html
import json
import math
import pathlib
import sys

import report

WIDTH, ROW, LEFT = 860, 17, 190
COLORS = {"xv6": "#0a6", "ext4-ordered": "#666", "tmpfs": "#bbb", "ext4-journal": "#a63", "xv6-fuse": "#36c"}
ABOUT = (
    "Figures are guest instructions per operation, counted by QEMU (-icount shift=0) in one guest with one processor, all file"
    " systems on one RAM disk. Ratios of them compare how long the paths through the code are. They say nothing of caches, devices"
    " or many processors, and they are no wall-clock speed-ups."
)


def element(name, text=None, **attributes):
    listed = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in attributes.items())
    return f"<{name}{listed}/>" if text is None else f"<{name}{listed}>{text}</{name}>"


def label(x, y, text, anchor="start", color="#222"):
    return element("text", html.escape(text), x=round(x), y=round(y), text_anchor=anchor, fill=color)


def svg(height, parts):
    return element("svg", "\n".join(parts), xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {height}", width=WIDTH, height=height, role="img")


def bars(ratios, target):
    """A bar for each ratio on a logarithmic scale: to the right of 1 dearer, to the left cheaper."""
    names = sorted(ratios, key=lambda name: -ratios[name])
    low = min(0.25, *ratios.values())
    high = max(4.0, *ratios.values())
    scale = (WIDTH - LEFT - 60) / math.log(high / low)
    place = lambda ratio: LEFT + scale * math.log(ratio / low)
    parts = []
    for tick in (0.25, 0.5, 1, 2, 4, 8, 16):
        if low <= tick <= high:
            parts.append(element("line", x1=round(place(tick)), x2=round(place(tick)), y1=14, y2=16 + ROW * len(names), stroke="#888" if tick == 1 else "#ddd"))
            parts.append(label(place(tick), 11, f"{tick:g}", "middle"))
    for row, name in enumerate(names):
        ratio, y = ratios[name], 18 + ROW * row
        left, right = sorted((place(1), place(ratio)))
        color = "#c33" if target and ratio > target else COLORS["xv6"]
        parts.append(element("rect", x=round(left), y=y, width=max(1, round(right - left)), height=ROW - 4, fill=color))
        parts.append(label(LEFT - 6, y + 11, name, "end"))
        parts.append(label(right + 4, y + 11, f"{ratio:.2f}"))
    return svg(24 + ROW * len(names), parts)


def curves(growth, operation):
    """The cost of one operation by the number of names in the directory, a line for each file system."""
    sizes = [size for size in ("1k", "10k", "100k") if any(f"grow_{operation}_{size}" in cost for cost in growth.values())]
    lines = {system: [cost.get(f"grow_{operation}_{size}") for size in sizes] for system, cost in growth.items()}
    top = max(value for line in lines.values() for value in line if value) * 1.1
    x = lambda i: 80 + i * 240
    y = lambda value: 190 - 160 * value / top
    parts = [label(8, 14, operation), label(8, 192, "0"), label(8, y(top / 1.1) + 4, report.short(top / 1.1))]
    parts += [label(x(i), 208, f"{size} names", "middle") for i, size in enumerate(sizes)]
    parts.append(element("line", x1=80, x2=x(len(sizes) - 1), y1=190, y2=190, stroke="#888"))
    for system, line in lines.items():
        points = [(x(i), y(value)) for i, value in enumerate(line) if value]
        parts.append(element("polyline", points=" ".join(f"{a:.0f},{b:.0f}" for a, b in points), fill="none", stroke=COLORS[system], stroke_width=2))
        parts += [label(a, b - 6, report.short(value), "middle", COLORS[system]) for (a, b), value in zip(points, filter(None, line))]
    order = list(lines)
    parts += [label(640, 40 + 18 * i, system, color=COLORS[system]) for i, system in enumerate(order)]
    return svg(216, parts)


def cells(row, tag):
    return element("tr", "".join(element(tag, html.escape(cell.strip())) for cell in row.strip("|").split("|")))


def table(result):
    """The Markdown table as HTML."""
    lines = report.table(result | {"growth": {}}).splitlines()
    head, _, *rows = [line for line in lines if line.startswith("|")]
    return element("table", cells(head, "th") + "\n" + "\n".join(cells(row, "td") for row in rows))


def section(series, result):
    costs = result["cost"]
    parts = [
        element("h2", f"Linux {series}"),
        element("p", html.escape(report.table(result | {"growth": {}}).splitlines()[-1] + f" Measured at {result['commit']}.")),
        element("h3", "xv6 / ext4 data=ordered (red: more than 1.25)"),
        bars(report.ratios(costs, "xv6", report.ANCHOR), 1.25),
        element("h3", "xv6 by FUSE / xv6"),
        bars(report.ratios(costs, "xv6-fuse", "xv6"), None),
    ]
    if result.get("growth"):
        parts.append(element("h3", "Cost of an operation by the size of its directory"))
        operations = dict.fromkeys(name.split("_")[1] for name in result["growth"]["xv6"])
        parts += [curves(result["growth"], operation) for operation in operations]
    return "\n".join([*parts, element("h3", "All figures"), table(result)])


def page(results):
    style = "body{font:14px sans-serif;max-width:900px;margin:2em auto}svg{font:11px sans-serif;display:block;margin:8px 0}td,th{padding:1px 8px;text-align:right}"
    body = "\n".join([element("h1", "Bento: what operations cost"), element("p", ABOUT), *(section(*item) for item in results)])
    return f'<!DOCTYPE html>\n<!-- SPDX-License-Identifier: GPL-2.0-only OR MIT -->\n<html lang="en">\n<head><meta charset="utf-8"><title>Bento: what operations cost</title><style>{style}</style></head>\n<body>\n{body}\n</body>\n</html>\n'


def main(arguments):
    match arguments:
        case [folder, file]:
            found = sorted(pathlib.Path(folder).glob("[0-9]*.json"), key=lambda path: [int(n) for n in path.stem.split(".")])
            pathlib.Path(file).write_text(page([(path.stem, json.loads(path.read_text())) for path in found]))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
