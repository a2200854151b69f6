"""Which row of one encoded table is nearest to each row of another? Exactly, in bounded memory.

Squared distances come from one matrix product per block of rows. Its rounding error is bounded, every candidate
within that bound of the best is measured again from the differences, and the smallest wins: the result is that of the
plain formula. Approximate search would miss near neighbours and so err toward passing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Rows = NDArray[np.int64]

CELLS = 4_000_000  # distances held at a time
BLOCK = 1024  # query rows at a time, at most
NARROW = 32  # columns up to which double precision costs less than sorting out single precision
CANDIDATES = 32  # rows measured again per query; more tied rows than that differ by rounding only
SAME = 1e-9  # relative difference below which two distances are one


@dataclass(frozen=True)
class Nearest:
    """Distance (q,) to the nearest admissible row and its index (q,); infinite and -1 where there is none."""

    distance: Matrix
    index: Rows


def nearest(
    queries: Matrix, reference: Matrix, query_people: Rows | None = None, people: Rows | None = None
) -> Nearest:
    """The nearest row of ``reference`` (m, w) to each of ``queries`` (q, w), by Euclidean distance.

    With ``query_people`` (q,) and ``people`` (m,), rows of the query's own person are passed over: the query itself
    and, where a person has several rows, the person's others.
    """
    distance = np.full(len(queries), np.inf)
    index = np.full(len(queries), -1, dtype=np.int64)
    for start, squared, slack in squared_blocks(queries, reference, query_people, people):
        best = squared.min(axis=1, initial=np.inf)
        found = np.isfinite(best)
        rows, columns = _below(squared, np.where(found, best + slack, -np.inf), CANDIDATES)
        exact = _exact(queries[start + rows], reference[columns])
        order = np.lexsort((exact, rows))
        winner = order[np.searchsorted(rows[order], np.flatnonzero(found))]
        distance[start + rows[winner]] = np.sqrt(exact[winner])
        index[start + rows[winner]] = columns[winner]
    return Nearest(distance, index)


def several(
    queries: Matrix, reference: Matrix, count: int, query_people: Rows | None = None, people: Rows | None = None
) -> Rows:
    """Indices (q, count) of the nearest rows of ``reference``, nearest first; -1 where there are no more.

    Admissible rows are those of ``nearest``. Two rows whose distances differ by less than the rounding of the product
    may change places.
    """
    index = np.full((len(queries), count), -1, dtype=np.int64)
    kept = min(count, len(reference))
    for start, squared, _ in squared_blocks(queries, reference, query_people, people):
        chosen = np.argpartition(squared, kept - 1, axis=1)[:, :kept]
        distance = np.take_along_axis(squared, chosen, axis=1)
        order = np.argsort(distance, axis=1, kind="stable")
        admissible = np.isfinite(np.take_along_axis(distance, order, axis=1))
        index[start : start + len(squared), :kept] = np.where(admissible, np.take_along_axis(chosen, order, axis=1), -1)
    return index


def within(queries: Matrix, radius: Matrix, reference: Matrix) -> tuple[Rows, Rows]:
    """All pairs (query, reference row) no farther apart than the query's ``radius`` (q,)."""
    pairs: list[tuple[Rows, Rows]] = [(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))]
    for start, squared, slack in squared_blocks(queries, reference, None, None):
        block = queries[start : start + len(squared)]
        limit = radius[start : start + len(squared)] ** 2
        rows, columns = _below(squared, limit - np.einsum("ij,ij->i", block, block) + slack)
        close = _exact(queries[start + rows], reference[columns]) <= limit[rows] * (1 + SAME)
        pairs.append((start + rows[close], columns[close]))
    return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])


def squared_blocks(
    queries: Matrix, reference: Matrix, query_people: Rows | None = None, people: Rows | None = None
) -> Iterator[tuple[int, NDArray[np.floating[Any]], Matrix]]:
    """Squared distances less the query's own squared length, (rows, m), block by block; the caller may write in them.

    Beside each: the number of the block's first query, and a bound (rows,) on the rounding error. Rows of the query's
    own person, if people are given, are infinitely far.
    """
    width = queries.shape[1]
    real: np.dtype[np.floating[Any]] = np.dtype(np.float64) if width <= NARROW else np.dtype(np.float32)
    own = np.einsum("ij,ij->i", queries, queries)
    lengths = np.einsum("ij,ij->i", reference, reference)
    # one product gives |b|^2 - 2ab: no further pass over the block
    a: NDArray[np.floating[Any]] = np.column_stack([-2.0 * queries, np.ones(len(queries))]).astype(real)
    b: NDArray[np.floating[Any]] = np.column_stack([reference, lengths]).astype(real).T
    slack = float(np.finfo(real).eps) * (4 + np.sqrt(width)) * (own + float(lengths.max(initial=0.0)))
    step = int(np.clip(CELLS // max(len(reference), 1), 1, BLOCK))
    for start in range(0, len(queries), step):
        squared: NDArray[np.floating[Any]] = a[start : start + step] @ b
        if query_people is not None and people is not None:
            squared[query_people[start : start + step, None] == people[None, :]] = np.inf
        yield start, squared, slack[start : start + step]


def farther(first: Matrix, second: Matrix) -> Matrix:
    """1 where ``first`` is larger, 0 where ``second`` is, 0.5 where the two distances are one (or both infinite)."""
    larger = np.where(first > second, 1.0, 0.0)
    with np.errstate(invalid="ignore"):  # inf - inf
        close = np.isfinite(first) & np.isfinite(second) & (np.abs(first - second) <= SAME * np.maximum(first, second))
    return np.where((first == second) | close, 0.5, larger)


def _below(squared: NDArray[np.floating[Any]], limit: Matrix, most: int | None = None) -> tuple[Rows, Rows]:
    """Rows and columns of the cells at or below their row's limit, row by row, the first ``most`` of each row."""
    low = squared <= limit[:, None].astype(squared.dtype)
    if most is not None and np.count_nonzero(low) > most * len(low):
        low &= np.cumsum(low, axis=1, dtype=np.int32) <= most
    return np.divmod(np.flatnonzero(low), squared.shape[1])


def _exact(a: Matrix, b: Matrix) -> Matrix:
    difference = a - b
    result: Matrix = np.einsum("ij,ij->i", difference, difference)
    return result
