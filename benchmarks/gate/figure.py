"""Which leak is caught on which table, at a glance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from benchmarks.gate.rates import Rate

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "gate benchmark"  # the same figure is the same file
from matplotlib import pyplot as plt  # noqa: E402  # after the choice of its backend


def draw(rates: Mapping[str, Mapping[str, Rate]], conditions: Sequence[str], path: Path) -> None:
    """One column per table, one row per release; the number is per cent refused, the honest row first."""
    cells = list(rates)
    shares = np.array(
        [[rates[cell][name].share if name in rates[cell] else np.nan for cell in cells] for name in conditions]
    )
    figure, axis = plt.subplots(figsize=(1.6 + 1.1 * max(len(cells), 1), 0.9 + 0.34 * len(conditions)))
    axis.imshow(np.ma.masked_invalid(shares), cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for row, _ in enumerate(conditions):
        for column, _ in enumerate(cells):
            share = shares[row, column]
            if np.isfinite(share):
                dark = "white" if share < 0.6 else "black"
                axis.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=dark, fontsize=8)
    axis.set_xticks(range(len(cells)), cells, rotation=30, ha="right", fontsize=8)
    axis.set_yticks(
        range(len(conditions)),
        [f"{name} (refused)" if row == 0 else name for row, name in enumerate(conditions)],
        fontsize=8,
    )
    axis.axhline(0.5, color="white", linewidth=3)
    axis.set_title("Releases refused, per cent; all but the first row leak", fontsize=9, loc="left")
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
