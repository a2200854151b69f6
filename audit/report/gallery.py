"""Which pictures of the tables does the evidence report show, and what do they leave out?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from audit.report.association import association
from audit.report.cells import MINIMUM_PEOPLE, Cells, shared_cells
from audit.report.plots import association_map, marginal_plot, percent
from audit.report.wording import number
from policies import Dictionary

MAX_MARGINALS = 48
MAX_ASSOCIATED = 40
ASSOCIATION_ROWS = 20_000
PAIRS_LISTED = 8
WEAKEST_LISTED = 0.05  # pairs that differ by less are not worth a line


@dataclass(frozen=True)
class Marginal:
    """One card: the picture of a column and the line beneath it."""

    name: str
    unit: str
    plot: Markup
    difference: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Marginals:
    """The cards, most different first; ``left_out`` columns are not drawn, none of them beyond ``left_out_below``."""

    cards: tuple[Marginal, ...]
    left_out: int
    left_out_below: str
    too_few: tuple[str, ...]


@dataclass(frozen=True)
class Associations:
    """The three maps, what their numbers mean, and the pairs that differ most (first, second, real, synthetic)."""

    maps: tuple[tuple[str, Markup], ...]
    names: tuple[str, ...]
    pairs: tuple[tuple[str, str, str, str], ...]
    left_out: int
    undecided: bool
    thinned_to: str
    difference_scale: str


def marginals(
    dictionary: Dictionary, train: pd.DataFrame, released: pd.DataFrame, people: NDArray[np.int64]
) -> tuple[Marginals, tuple[str, ...]]:
    """Cards of the most different columns, and every column's name from most to least different."""
    cells = {
        name: shared_cells(dictionary.columns[name], train[name], released[name], people)
        for name in dictionary.released
    }
    drawable = {name: drawn for name, drawn in cells.items() if drawn is not None}
    ranked = sorted(drawable, key=lambda name: (-drawable[name].difference, dictionary.released.index(name)))
    cards = tuple(
        _card(dictionary, name, drawable[name], f"column-{place}") for place, name in enumerate(ranked[:MAX_MARGINALS])
    )
    rest = ranked[MAX_MARGINALS:]
    below = number(drawable[rest[0]].difference, decimals=2) if rest else ""
    too_few = tuple(name for name, drawn in cells.items() if drawn is None)
    return Marginals(cards, len(rest), below, too_few), tuple(ranked)


def associations(
    dictionary: Dictionary, train: pd.DataFrame, released: pd.DataFrame, ranked: tuple[str, ...]
) -> Associations | None:
    """Maps over the most different columns in dictionary order; None where there are fewer than two."""
    chosen = set(ranked[:MAX_ASSOCIATED])
    names = tuple(name for name in dictionary.released if name in chosen)
    if len(names) < 2:
        return None
    real = association(dictionary, _thinned(train), names, minimum=MINIMUM_PEOPLE)
    synthetic = association(dictionary, _thinned(released), names)
    gap = synthetic - real
    largest = float(np.nanmax(np.abs(gap))) if np.isfinite(gap).any() else 0.0
    scale = max(0.1, math.ceil(largest * 10 - 1e-9) / 10)
    maps = (
        ("Real", association_map(real, names, key="map-real", title="Associations of real rows", scale=1.0)),
        (
            "Synthetic",
            association_map(synthetic, names, key="map-synthetic", title="Associations of synthetic rows", scale=1.0),
        ),
        (
            "Synthetic minus real",
            association_map(gap, names, key="map-gap", title="Difference of associations", scale=scale),
        ),
    )
    undecided = bool(np.isnan(real).any() or np.isnan(synthetic).any())
    left_out = len(dictionary.released) - len(names)
    thinned = f"{ASSOCIATION_ROWS:,}" if max(len(train), len(released)) > ASSOCIATION_ROWS else ""
    pairs = _worst_pairs(real, synthetic, names)
    return Associations(maps, names, pairs, left_out, undecided, thinned, f"{scale:g}")


def _card(dictionary: Dictionary, name: str, cells: Cells, key: str) -> Marginal:
    column = dictionary.columns[name]
    dates = column.type in ("date", "datetime")
    notes = list(cells.notes)
    if cells.missing is not None:
        notes.insert(0, f"missing: {percent(cells.missing[0])} real, {percent(cells.missing[1])} synthetic")
    plot = marginal_plot(cells, key=key, name=name, unit=column.unit or "", dates=dates)
    return Marginal(name, column.unit or "", plot, number(cells.difference, decimals=2), tuple(notes))


def _thinned(table: pd.DataFrame) -> pd.DataFrame:
    """At most ``ASSOCIATION_ROWS`` rows, evenly spaced: more change no colour of the map."""
    if len(table) <= ASSOCIATION_ROWS:
        return table
    return table.iloc[np.linspace(0, len(table) - 1, ASSOCIATION_ROWS).astype(np.int64)]


def _worst_pairs(
    real: NDArray[np.float64], synthetic: NDArray[np.float64], names: tuple[str, ...]
) -> tuple[tuple[str, str, str, str], ...]:
    gap = np.abs(np.tril(np.nan_to_num(synthetic - real), -1))
    order = np.argsort(-gap, axis=None, kind="stable")[:PAIRS_LISTED]
    found = []
    for i, j in zip(*np.unravel_index(order, gap.shape), strict=True):
        if gap[i, j] >= WEAKEST_LISTED:
            found.append(
                (names[j], names[i], number(float(real[i, j]), decimals=2), number(float(synthetic[i, j]), decimals=2))
            )
    return tuple(found)
