"""How do error and utility move with epsilon, table by table?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.dp.records import FIGURE_OF, TABLES, Method, epsilons, finished
from benchmarks.results import Record, average

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "dp benchmark"  # the same figure is the same file
from matplotlib import pyplot as plt  # noqa: E402  # after the choice of its backend

STYLES: dict[Method, tuple[str, str, str]] = {
    ("mst", "cells"): ("#98b1cf", "v", "MST, our cells"),
    ("mst", "full"): ("#3d5a80", "^", "MST"),
    ("aim", "cells"): ("#f0a35e", "D", "AIM, our cells"),
    ("aim", "reduced"): ("#e8a598", "s", "AIM, reduced"),
    ("aim", "full"): ("#c8452d", "s", "AIM"),
    ("ours", "full"): ("#0b6e4f", "o", "ours"),
}
CAPTIONS = {"2-way": "two-way TVD", "3-way": "three-way TVD", "AUC": "TSTR AUC"}


def plot(records: Sequence[Record], path: Path) -> None:
    """One column per table, one row per figure; a point is a run, a line joins the means, dots are the floor."""
    tables = [table for table in TABLES if any(record["table"] == table for record in records)]
    figure, axes = plt.subplots(len(CAPTIONS), len(tables), figsize=(3.4 * len(tables), 8), squeeze=False)
    for across, table in enumerate(tables):
        axes[0][across].set_title(table)
        axes[-1][across].set_xlabel("epsilon")
        for down, title in enumerate(CAPTIONS):
            _panel(axes[down][across], records, table, title)
    for down, caption in enumerate(CAPTIONS.values()):
        axes[down][0].set_ylabel(caption)
    named = {
        name: line for row in axes for axis in row for line, name in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(named.values(), named.keys(), loc="lower center", ncols=(len(named) + 1) // 2, frameon=False)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _panel(axis: Any, records: Sequence[Record], table: str, title: str) -> None:
    measure = FIGURE_OF[title]
    for method, (colour, marker, label) in STYLES.items():
        runs = finished(records, table, method)
        if not runs:
            continue
        axis.plot([r["epsilon"] for r in runs], [measure(r) for r in runs], marker, color=colour, alpha=0.4, ms=4)
        budgets = epsilons(runs)
        means = [average(measure, (r for r in runs if r["epsilon"] == epsilon)) for epsilon in budgets]
        axis.plot(budgets, means, "-", marker=marker, color=colour, label=label)
    floor = average(measure, finished(records, table, ("real", "full")))
    if floor is not None:
        axis.axhline(floor, color="0.4", linestyle=":", label="real train rows")
    axis.set_xscale("log")
    axis.set_xticks([1, 3, 8], ["1", "3", "8"])
    axis.minorticks_off()
    axis.set_xlim(0.85, 9.5)
    if title != "AUC":
        axis.set_ylim(bottom=0)
    axis.grid(alpha=0.25)
