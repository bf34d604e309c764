# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Pictures of the report, by matplotlib: each function returns a PNG. Equal data gives equal bytes."""

import io

import matplotlib.pyplot as plt
from matplotlib.ticker import EngFormatter, ScalarFormatter

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555"]
MARKS = ["o", "s", "^", "D", "v", "P", "X"]
WIDTH = 9  # inches


def png(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=90, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    return file.getvalue()


def dots(rows, lines, title):
    """A row for each name of ROWS ({series: {name: ratio}}), a dot for each series; LINES are ratios to mark."""
    names = list(dict.fromkeys(name for values in rows.values() for name in values))
    place = {name: len(names) - number for number, name in enumerate(names)}
    figure, axes = plt.subplots(figsize=(WIDTH, 1 + 0.2 * len(names)))
    for (label, values), colour, mark in zip(rows.items(), COLOURS, MARKS):
        axes.plot(list(values.values()), [place[name] for name in values], mark, color=colour, label=label, markersize=5, alpha=0.8)
    for ratio, style in lines:
        axes.axvline(ratio, color="#888", linestyle=style, linewidth=1)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_yticks(list(place.values()), list(place), fontsize=8)
    axes.set_ylim(0, len(names) + 1)
    axes.grid(axis="y", color="#eee")
    axes.set_title(title)
    axes.legend(loc="lower right")
    return png(figure)


def histogram(groups, title, unit):
    """How often values of each group ({label: values}) occur; the axis is logarithmic."""
    low, high = min(map(min, groups.values())), max(map(max, groups.values()))
    step = 2**0.25
    edges = [low / step]
    while edges[-1] <= high:
        edges.append(edges[-1] * step)
    figure, axes = plt.subplots(figsize=(WIDTH, 4))
    axes.hist(list(groups.values()), bins=edges, stacked=True, label=list(groups), color=(COLOURS * 9)[: len(groups)])
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(EngFormatter())
    axes.set_xlabel(unit)
    axes.set_ylabel("upgrades")
    axes.set_title(title)
    axes.legend(fontsize=8)
    return png(figure)


def curves(panels, unit):
    """A panel for each of PANELS: (title, sizes, {series: costs}), both axes from zero or in order."""
    columns = 2
    lines = -(-len(panels) // columns)
    figure, grid = plt.subplots(lines, columns, figsize=(WIDTH, 2.6 * lines), squeeze=False)
    places = [axes for line in grid for axes in line]
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    for axes, (title, sizes, series) in zip(places, panels):
        for (label, costs), colour, mark in zip(series.items(), COLOURS, MARKS):
            axes.plot(range(len(sizes)), costs, mark + "-", color=colour, label=label)
        axes.set_xticks(range(len(sizes)), sizes)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(EngFormatter())
        axes.set_title(title, fontsize=10)
        axes.set_ylabel(unit, fontsize=7)
        axes.legend(fontsize=7)
    figure.tight_layout()
    return png(figure)
