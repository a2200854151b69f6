"""How far apart are two tables in their one-, two- and three-way tables and in their correlations?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TRIPLES = 500
TRIPLE_SEED = 20261122


def subsets(columns: int, ways: int, holding: int | None = None) -> list[tuple[int, ...]]:
    """All sets of ``ways`` columns, or those that hold column ``holding``.

    Past ``TRIPLES`` triples, that many are drawn with one fixed seed: the same ones for every method and run.
    """
    every = [chosen for chosen in combinations(range(columns), ways) if holding is None or holding in chosen]
    if ways < 3 or holding is not None or len(every) <= TRIPLES:
        return every
    drawn = np.random.default_rng(TRIPLE_SEED).choice(len(every), TRIPLES, replace=False)
    return [every[index] for index in np.sort(drawn)]


def total_variation(
    left: NDArray[np.int64], right: NDArray[np.int64], sizes: Sequence[int], chosen: Sequence[tuple[int, ...]]
) -> NDArray[np.float64]:
    """Total variation distance, in [0, 1], of two tables of cells (n, d), (m, d) on each set of columns."""
    return np.array([_one(left, right, sizes, columns) for columns in chosen])


def pearson(table: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.float64]:
    """Pearson's r of each pair of ``columns``, over the rows where both are there; 0 where it is undefined."""
    matrix = table[list(columns)].corr().fillna(0.0).to_numpy(dtype=np.float64)
    return matrix[np.triu_indices(len(columns), 1)]


def cramers_v(codes: NDArray[np.int64], sizes: Sequence[int], pairs: Sequence[tuple[int, ...]]) -> NDArray[np.float64]:
    """Cramér's V, in [0, 1], of each pair of columns of cells (n, d); 0 where a column is constant."""
    return np.array([_association(codes, sizes, pair) for pair in pairs])


def _one(left: NDArray[np.int64], right: NDArray[np.int64], sizes: Sequence[int], columns: tuple[int, ...]) -> float:
    return float(0.5 * np.abs(_shares(left, sizes, columns) - _shares(right, sizes, columns)).sum())


def _shares(codes: NDArray[np.int64], sizes: Sequence[int], columns: tuple[int, ...]) -> NDArray[np.float64]:
    shape = tuple(sizes[column] for column in columns)
    cells = np.ravel_multi_index(tuple(codes[:, column] for column in columns), shape)
    return np.bincount(cells, minlength=int(np.prod(shape))) / len(codes)


def _association(codes: NDArray[np.int64], sizes: Sequence[int], pair: tuple[int, ...]) -> float:
    table = _shares(codes, sizes, pair).reshape([sizes[column] for column in pair])
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return 0.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0))
    return float(np.sqrt(((table - expected) ** 2 / expected).sum() / (min(table.shape) - 1)))
