"""How differently do two columns go together in two tables?"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audit.columns import common_codes, deviation, levels, numbers, numeric_columns
from audit.marginals import COMPARISONS
from audit.resampling import Groups, leave_out
from audit.sides import SIDES, Side
from audit.tables import AuditTables

BINS = 10
PAIRS = 2000  # of all pairs with a category in them, drawn at random beyond that
FLAT = 1e-12  # variance, of all tables' pooled one, at or below which a column counts as not varying
DENSE = 20_000  # cells up to which a contingency table is counted without sorting

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def correlation_differences(tables: AuditTables, groups: Groups) -> Floats:
    """Absolute differences of Pearson's correlation: (numeric pairs, 1 + groups, 3), over rows where both are known.

    A correlation that does not exist, because a column does not vary, counts as 0.
    """
    names = numeric_columns(tables.dictionary)
    values = {side: np.column_stack([numbers(tables.frames[side], name) for name in names]) for side in SIDES}
    for place in range(len(names)):
        _standardise([part[:, place] for part in values.values()])
    first, second = np.triu_indices(len(names), 1)
    found = {side: _correlations(values[side], groups.of[side], groups.count)[:, first, second] for side in SIDES}
    return np.stack([np.abs(found[a] - found[b]).T for a, b in COMPARISONS], axis=-1)


def contingency_distances(tables: AuditTables, groups: Groups, rng: np.random.Generator) -> Floats:
    """Total variation distances of the joint tables of pairs with at least one category: (pairs, 1 + groups, 3).

    Numbers are cut into ten bins of equal width over train's range, the outer ones open; missing is a cell.
    """
    names = tables.dictionary.released
    numeric = set(numeric_columns(tables.dictionary))
    pairs = [(a, b) for a, b in itertools.combinations(names, 2) if not (a in numeric and b in numeric)]
    if len(pairs) > PAIRS:
        pairs = [pairs[i] for i in np.sort(rng.choice(len(pairs), PAIRS, replace=False))]
    coded = {name: _coded(tables, name, name in numeric) for name in {name for pair in pairs for name in pair}}
    result = np.empty((len(pairs), groups.count + 1, len(COMPARISONS)))
    for place, (a, b) in enumerate(pairs):
        cells, total = _cells(coded[a], coded[b])
        shares = {}
        for side in SIDES:
            counts = groups.count_codes(side, cells[side], total)
            shares[side] = counts / counts.sum(axis=1, keepdims=True)
        for comparison, (x, y) in enumerate(COMPARISONS):
            result[place, :, comparison] = 0.5 * np.abs(shares[x] - shares[y]).sum(axis=1)
    return result


def _standardise(parts: Sequence[Floats]) -> None:
    """Bring one column of all tables to one scale, in place: correlations stay, sums of squares stay small."""
    known = np.concatenate([part[~np.isnan(part)] for part in parts])
    unit = deviation(known) or 1.0
    for part in parts:
        part /= unit
        part -= float((known / unit).mean()) if len(known) else 0.0


def _correlations(scaled: Floats, group: Codes, groups: int) -> Floats:
    width = scaled.shape[1]
    sums = np.empty((groups, 4, width, width))
    for g in range(groups):
        rows = scaled[group == g]
        known = (~np.isnan(rows)).astype(np.float64)
        filled = np.where(known > 0, rows, 0.0)
        sums[g] = known.T @ known, filled.T @ known, (filled**2).T @ known, filled.T @ filled
    count, total, squares, products = np.moveaxis(leave_out(sums), 1, 0)
    count = np.maximum(count, 1.0)
    mean = total / count
    variance = np.maximum(squares / count - mean**2, 0.0)
    other = np.swapaxes(variance, -1, -2)
    covariance = products / count - mean * np.swapaxes(mean, -1, -2)
    exists = np.minimum(variance, other) > FLAT
    spread = np.sqrt(np.where(exists, variance * other, 1.0))
    result: Floats = np.where(exists, np.clip(covariance / spread, -1.0, 1.0), 0.0)
    return result


def _coded(tables: AuditTables, name: str, numeric: bool) -> tuple[dict[Side, Codes], int]:
    column = tables.dictionary.columns[name]
    if not numeric:
        codes = {side: levels(tables.frames[side], name, column) for side in SIDES}
        return codes, len(column.categories or ()) + 1
    values = {side: numbers(tables.frames[side], name) for side in SIDES}
    known = values["train"][~np.isnan(values["train"])]
    inner = np.linspace(known.min(), known.max(), BINS + 1)[1:-1] if len(known) else np.zeros(BINS - 1)
    codes = {
        side: np.where(np.isnan(part), 0, np.searchsorted(inner, part, side="right") + 1)
        for side, part in values.items()
    }
    return codes, BINS + 1


def _cells(
    first: tuple[dict[Side, Codes], int], second: tuple[dict[Side, Codes], int]
) -> tuple[dict[Side, Codes], int]:
    total = first[1] * second[1]
    cells = {side: first[0][side] * second[1] + second[0][side] for side in SIDES}
    if total <= DENSE:
        return cells, total
    folded, distinct = common_codes(cells)
    return folded, len(distinct)
