"""How far is a synthetic table from a real one, column by column, pair by pair and triple by triple?

Every figure is a mean over columns, pairs or triples; 0 is equal (for pair trends, 1). Against the train rows a table
that copied them would look perfect: the figure to read is the one against the holdout, beside the floor, which is the
same figure of the train rows themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.dp.distances import subsets, total_variation
from benchmarks.dp.grid import Grid, Levels, Numeric
from benchmarks.hybrid.reading import Columns, Floats

CELLS = 5
"""Cells of a numeric column in joint tables: with more, tables of some hundred rows have almost as many cells."""
TREND_CELLS = 10
"""Cells of a number beside a level in pair trends, of equal width as SDMetrics has them."""
FEWEST = 20
"""Rows of the train and holdout group below which a class or site tells nothing."""
_DECIMALS = 9


def one_way(
    scale: pd.DataFrame, real: pd.DataFrame, synthetic: pd.DataFrame, columns: Columns
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """By column: Kolmogorov-Smirnov and Wasserstein distance of numbers, total variation of levels, each in [0, 1].

    Over the cells that are present. Wasserstein is in units of the range that the column has in ``scale``. A column
    without a synthetic cell is at distance 1.
    """
    ks, wasserstein, variation = {}, {}, {}
    for name in columns.numeric:
        here, there = real[name].dropna().to_numpy(), synthetic[name].dropna().to_numpy()
        if not len(here):
            continue
        if not len(there):
            ks[name] = wasserstein[name] = 1.0
            continue
        ks[name] = float(stats.ks_2samp(here, there, method="asymp").statistic)
        low, high = float(scale[name].min()), float(scale[name].max())
        unit = high - low if high > low else 1.0
        wasserstein[name] = float(stats.wasserstein_distance((here - low) / unit, (there - low) / unit))
    for name in columns.categorical:
        shares, others = real[name].value_counts(normalize=True), synthetic[name].value_counts(normalize=True)
        variation[name] = float(0.5 * shares.sub(others, fill_value=0.0).abs().sum())
    return ks, wasserstein, variation


def correlation_difference(left: pd.DataFrame, right: pd.DataFrame, numeric: Sequence[str]) -> float | None:
    """Mean absolute difference of Pearson's correlations over pairs of numbers; None for fewer than two."""
    if len(numeric) < 2:
        return None
    return float(np.abs(_correlations(left, numeric) - _correlations(right, numeric)).mean())


def pair_trend(real: pd.DataFrame, synthetic: pd.DataFrame, columns: Columns) -> float:
    """Column Pair Trends, 1 is equal: numbers 1 - |difference of correlation| / 2, other pairs 1 - total variation.

    The formulas of SDMetrics' Quality Report (CorrelationSimilarity, ContingencySimilarity), with numbers cut into ten
    cells of equal width by the real column, missing a cell of its own, and correlations over the rows with both known.
    """
    numeric, codes = columns.numeric, {}
    scores = list(1 - np.abs(_correlations(real, numeric) - _correlations(synthetic, numeric)) / 2)
    for name in columns.names:
        codes[name] = _trend_cells(real[name], synthetic[name], is_number=name in numeric)
    for first, second in combinations(columns.names, 2):
        if first in numeric and second in numeric:
            continue
        (left, right, size), (down, across, width) = codes[first], codes[second]
        cells = size * width
        here = np.bincount(left * width + down, minlength=cells) / len(real)
        there = np.bincount(right * width + across, minlength=cells) / len(synthetic)
        scores.append(1 - 0.5 * np.abs(here - there).sum())
    return float(np.mean(scores))


def three_way(
    train: pd.DataFrame, holdout: pd.DataFrame, tables: Mapping[str, pd.DataFrame], columns: Columns
) -> dict[str, float]:
    """Total variation distance to the holdout's three-way tables of each of ``tables``, mean over triples.

    Numbers fall into up to five cells of about equal mass in the real table, equal values together, missing a cell.
    Past 500 triples, 500 are drawn once, the same for every method.
    """
    grid = _grid(pd.concat([train, holdout], ignore_index=True), columns)
    chosen, sizes, reference = subsets(len(columns.names), 3), grid.sizes, grid.codes(holdout)
    return {
        name: float(total_variation(reference, grid.codes(table), sizes, chosen).mean())
        for name, table in tables.items()
    }


def conditional(
    train: pd.DataFrame, holdout: pd.DataFrame, table: pd.DataFrame, columns: Columns, by: str
) -> dict[str, float | None]:
    """Mean one-way errors against the holdout within the groups of column ``by``, every group with the same weight.

    A group counts if train and holdout have 20 rows of it; one that the table lacks is at distance 1.
    """
    found: dict[str, list[float]] = {"ks": [], "w1": [], "tvd": []}
    others = Columns(tuple(c for c in columns.names if c != by), tuple(c for c in columns.categorical if c != by), "")
    for level in sorted(holdout[by].unique()):
        real, made = holdout[holdout[by] == level], table[table[by] == level]
        if min(len(real), int((train[by] == level).sum())) < FEWEST:
            continue
        if not len(made):
            for values in found.values():
                values.append(1.0)
            continue
        for values, of_columns in zip(found.values(), one_way(train, real, made, others), strict=True):
            if of_columns:
                values.append(float(np.mean(list(of_columns.values()))))
    return {name: float(np.mean(values)) if values else None for name, values in found.items()}


def _correlations(table: pd.DataFrame, numeric: Sequence[str]) -> Floats:
    matrix = table[list(numeric)].corr().fillna(0.0).to_numpy(dtype=np.float64)
    return matrix[np.triu_indices(len(numeric), 1)]


def _trend_cells(real: pd.Series, synthetic: pd.Series, *, is_number: bool) -> tuple[np.ndarray, np.ndarray, int]:
    if not is_number:
        levels = sorted({*real.unique(), *synthetic.unique()})
        place = {level: code for code, level in enumerate(levels)}
        return real.map(place).to_numpy(dtype=np.int64), synthetic.map(place).to_numpy(dtype=np.int64), len(levels)
    edges = np.linspace(real.min(), real.max(), TREND_CELLS + 1)[1:-1]
    left, right = (
        np.where(cells.isna(), TREND_CELLS, np.searchsorted(edges, cells.to_numpy(dtype=np.float64), side="right"))
        for cells in (real, synthetic)
    )
    return left.astype(np.int64), right.astype(np.int64), TREND_CELLS + 1


def _grid(real: pd.DataFrame, columns: Columns) -> Grid:
    return Grid(
        {
            name: Levels(tuple(sorted(real[name].unique())))
            if name in columns.categorical
            else Numeric.of(real[name].to_numpy(dtype=np.float64), _DECIMALS, CELLS)
            for name in columns.names
        }
    )
