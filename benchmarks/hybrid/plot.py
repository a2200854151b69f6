"""Who is near to the population, and at whose cost?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.hybrid.records import FIGURE_OF, NAMES, TABLES, figure, one_a_seed, runs_of
from benchmarks.results import Record, average

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "hybrid benchmark"  # the same figure is the same file
from matplotlib import pyplot as plt  # noqa: E402  # after the choice of its backend

STYLES: dict[str, tuple[str, str]] = {
    "bootstrap": ("0.55", "x"),
    "marginals": ("0.55", "+"),
    "smote": ("#c8452d", "s"),
    "gmm": ("#e8a33e", "D"),
    "arfpy": ("#3d5a80", "^"),
    "synthpop": ("#8a5a9e", "v"),
    "forestdiffusion": ("#98b1cf", "<"),
    "mostlyai": ("#b07a5a", ">"),
    "ours-paper": ("#b5e2cd", "o"),
    "ours-paper-two": ("#7fc8a9", "o"),
    "ours": ("#0b6e4f", "o"),
}
AXES = (
    ("NNAA loss", "privacy loss (NNAA)", "C2ST", "C2ST AUC, holdout"),
    ("membership AUC", "membership AUC", "AUC", "TSTR AUC"),
)


def plot(records: Sequence[Record], path: Path) -> None:
    """One column per table; a point is a run. Dashed: no loss, no telling apart, and train-on-real."""
    tables = [table for table in TABLES if any("figures" in record for record in records if record["table"] == table)]
    wide, high = max(len(tables), 1), len(AXES)
    canvas, axes = plt.subplots(high, wide, figsize=(3.4 * wide, 3.2 * high + 0.6), squeeze=False)
    for across, table in enumerate(tables):
        axes[0][across].set_title(table)
        for down, (x, _, y, _) in enumerate(AXES):
            _panel(axes[down][across], records, table, x, y)
    for down, (_, across_label, _, up_label) in enumerate(AXES):
        axes[down][0].set_ylabel(up_label)
        for axis in axes[down]:
            axis.set_xlabel(across_label)
    named = {
        name: mark for row in axes for axis in row for mark, name in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    if named:
        canvas.legend(named.values(), named.keys(), loc="lower center", ncols=max(2, 2 * wide), frameon=False)
    canvas.tight_layout(rect=(0, 0.04 + 0.12 / wide, 1, 1))
    canvas.savefig(path, metadata={"Date": None})
    plt.close(canvas)


def _panel(axis: Any, records: Sequence[Record], table: str, x: str, y: str) -> None:
    for method, (colour, marker) in STYLES.items():
        runs = [record for record in runs_of(records, table, method) if "figures" in record]
        if runs:
            points = [(FIGURE_OF[x](record), FIGURE_OF[y](record)) for record in runs]
            axis.plot(*zip(*points, strict=True), marker, color=colour, ls="none", ms=5, label=NAMES[method].strip("*"))
    axis.axvline(0.0 if x == "NNAA loss" else 0.5, color="0.6", linestyle="--", linewidth=0.8)
    real = average(figure("trtr", "mean", "roc_auc"), one_a_seed([r for r in records if r["table"] == table]))
    level = 0.5 if y == "C2ST" else real
    if level is not None:
        axis.axhline(level, color="0.6", linestyle="--", linewidth=0.8)
    axis.grid(alpha=0.25)
