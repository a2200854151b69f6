"""Which columns hang together: one determines another, is never above another, gives the outcome away?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gateway.intake.cells import numbers
from gateway.intake.raw import Cells

_MOST_COLUMNS = 60  # of a kind; pairs grow with the square
_ROWS_PER_LEVEL = 5
_SURPRISING = 0.01
_GIVEN_AWAY = 0.8
_SAMPLE = 20_000
_FEW_CLASSES = 10


def determined(columns: Mapping[str, Cells]) -> list[tuple[str, str]]:
    """Pairs (a, b) of categorical columns where a determines b and b not a; missing is a value.

    Only where the levels of a have five rows or more on average, so that it is not mere sparseness.
    """
    names = list(columns)[:_MOST_COLUMNS]
    codes = {name: np.unique(columns[name].codes, return_inverse=True)[1].astype(np.int64) for name in names}
    sizes = {name: int(code.max(initial=-1)) + 1 for name, code in codes.items()}
    pairs = []
    for a, b in permutations(names, 2):
        if 1 < sizes[b] < sizes[a] <= len(codes[a]) // _ROWS_PER_LEVEL:
            together = len(np.unique(codes[a] * sizes[b] + codes[b]))
            if together == sizes[a]:
                pairs.append((a, b))
    return pairs


def ordered(columns: Mapping[str, Cells], rng: np.random.Generator) -> list[tuple[str, str, str]]:
    """Pairs (a, sign, b) of numeric columns with a < b or a <= b in every row that has both.

    Told only where it says something: with the rows of b in another order at least one in a hundred would break it.
    """
    values = {name: _values(cells) for name, cells in list(columns.items())[:_MOST_COLUMNS]}
    found = []
    for a, b in permutations(values, 2):
        known = ~(np.isnan(values[a]) | np.isnan(values[b]))
        first, last = values[a][known], values[b][known]
        if len(first) < 2 * _ROWS_PER_LEVEL or (first > last).any():
            continue
        if float((first > rng.permutation(last)).mean()) >= _SURPRISING:
            found.append((a, "<=" if (first == last).any() else "<", b))
    return found


def gives_away(columns: Mapping[str, Cells], numeric: frozenset[str], outcome: Cells) -> list[str]:
    """Columns that alone tell the outcome's commonest class from the rest with an area under the ROC curve of 0.8.

    A number is taken as it stands, in either direction; a category by the share of the class among its other rows, so
    that a rare level does not tell on itself.
    """
    if not 1 < len(outcome.spellings) <= _FEW_CLASSES:
        return []
    rows = np.flatnonzero(outcome.codes >= 0)[:_SAMPLE]
    positive = outcome.codes[rows] == int(np.argmax(outcome.counts))
    if not 0 < positive.sum() < len(positive):
        return []
    told = []
    for name, cells in columns.items():
        if name in numeric:
            score = _values(cells)[rows]
            # a value of the column stands in for a missing one: the mean of two may be beyond the largest double
            middle = np.nanquantile(score, 0.5, method="lower") if (~np.isnan(score)).any() else 0.0
            score = np.where(np.isnan(score), middle, score)
        else:
            codes = cells.codes[rows].astype(np.int64) + 1
            held = np.bincount(codes)[codes] - 1
            score = (np.bincount(codes, weights=positive)[codes] - positive) / np.maximum(held, 1)
            score = np.where(held < _ROWS_PER_LEVEL, positive.mean(), score)
        area = _area(score, positive)
        if (max(area, 1 - area) if name in numeric else area) >= _GIVEN_AWAY:
            told.append(name)
    return told


def _values(cells: Cells) -> NDArray[np.float64]:
    return cells.spread(numbers(cells.spellings)[0], np.nan)


def _area(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    ranks = pd.Series(score).rank().to_numpy()
    count = int(positive.sum())
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(score) - count)))
