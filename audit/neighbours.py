"""Which row of one encoded table is nearest to each row of another? Exactly, in bounded memory.

Squared distances come from one matrix product per block of rows. Its rounding error is bounded, every candidate
within that bound of the best is measured again from the differences, and the smallest wins: the result is that of the
plain formula. In large tables the product goes over the leading directions first (``audit.leading``), and only rows
that may be nearest by these are measured: the result is the same. Approximate search would miss near neighbours and so
err toward passing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.leading import Axes, Leading, chunks, nearest_pairs, pairs_below

Matrix = NDArray[np.float64]
Rows = NDArray[np.int64]

CELLS = 4_000_000  # distances held at a time, but
FEWEST, BLOCK = 128, 1024  # query rows at a time, at least (of fewer the product costs more) and at most
NARROW = 32  # columns up to which double precision costs less than sorting out single precision
WIDE = 64  # columns from which bounds over some directions are tried
MANY = 20_000_000  # pairs of rows from which they are
SOME = 16  # one column in so many tells where the smallest cells of a row end
LONG = 10_000.0  # squared length of a row from which single precision tells too little
CANDIDATES = 32  # rows measured again per query on average, beyond which equal rows are measured once
SAME = 1e-9  # relative difference below which two distances are one


@dataclass(frozen=True)
class Nearest:
    """Distance (q,) to the nearest admissible row and its index (q,); infinite and -1 where there is none."""

    distance: Matrix
    index: Rows


class Reference:
    """Rows (m, w) that are searched more than once: what a search makes of them first is kept."""

    def __init__(self, rows: Matrix, like: Reference | None = None) -> None:
        self.rows = rows
        self._like = like

    @cached_property
    def axes(self) -> Axes | None:
        """The leading directions of the rows, or of the table they are ``like``, where these bound distances well."""
        return Axes.of(self.rows) if self._like is None else self._like.axes

    @cached_property
    def leading(self) -> Leading | None:
        """The rows in their leading directions, where none is so long that rounding hides what is near."""
        if self._lengths.max(initial=0.0) > LONG or self.axes is None:
            return None
        return Leading.of(self.rows, self.axes)

    @cached_property
    def factor(self) -> tuple[NDArray[np.floating[Any]], float]:
        """Rows with their squared length beside, (m, w + 1) in the precision of the product, and the largest length."""
        largest = float(self._lengths.max(initial=0.0))
        factor = np.empty((len(self.rows), self.rows.shape[1] + 1), _precision(self.rows.shape[1], largest))
        factor[:, :-1], factor[:, -1] = self.rows, self._lengths
        return factor, largest

    @cached_property
    def equals(self) -> tuple[Rows, Rows]:
        """Rows (m,) so ordered that equal ones stand together, and where in that order each such group starts."""
        whole = np.column_stack([self.rows + 0.0, np.zeros(len(self.rows))])  # one zero only, and never no column
        _, group = np.unique(
            whole.view(np.dtype((np.void, whole.itemsize * whole.shape[1])))[:, 0], return_inverse=True
        )
        order = np.argsort(group, kind="stable").astype(np.int64)
        return order, np.searchsorted(group[order], np.arange(int(group.max(initial=-1)) + 1)).astype(np.int64)

    @cached_property
    def _lengths(self) -> Matrix:
        lengths: Matrix = np.einsum("ij,ij->i", self.rows, self.rows)
        return lengths

    def nearer(self, queries: Matrix, low: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of the pairs ``low`` (q, m) those that may be the query's nearest by double precision."""
        squared = np.where(low, self._lengths - 2 * (queries @ self.rows.T), np.inf)
        lengths = np.einsum("ij,ij->i", queries, queries) + self._lengths.max(initial=0.0)
        slack = _rounding(squared.dtype, queries.shape[1], lengths)
        near: NDArray[np.bool_] = squared <= (squared.min(axis=1) + slack)[:, None]
        return low & near

    def bounded(self, queries: int) -> Leading | None:
        """The leading directions, where so many queries make them worth while."""
        return self.leading if self.rows.shape[1] >= WIDE and queries * len(self.rows) >= MANY else None


def nearest(
    queries: Matrix, reference: Matrix | Reference, query_people: Rows | None = None, people: Rows | None = None
) -> Nearest:
    """The nearest row of ``reference`` (m, w) to each of ``queries`` (q, w), by Euclidean distance.

    With ``query_people`` (q,) and ``people`` (m,), rows of the query's own person are passed over: the query itself
    and, where a person has several rows, the person's others.
    """
    table = reference if isinstance(reference, Reference) else Reference(reference)
    result = Nearest(np.full(len(queries), np.inf), np.full(len(queries), -1, dtype=np.int64))
    leading, rest = table.bounded(len(queries)), 0
    if leading is not None:
        own = None if query_people is None or people is None else SamePerson(query_people, people)
        for start, stop, pairs in nearest_pairs(queries, table.rows, leading, own):
            if pairs is None:
                rest = start
                break
            rest = stop
            _settle(result, queries, table.rows, start + pairs[0], pairs[1])
    if rest == len(queries):
        return result
    left = None if query_people is None else query_people[rest:]
    for start, squared, slack in squared_blocks(queries[rest:], table, left, people):
        best = squared.min(axis=1, initial=np.inf)
        limit = np.where(np.isfinite(best), best + slack, -np.inf)
        first = rest + start
        for rows, columns in _candidates(queries[first : first + len(squared)], squared, limit, table):
            _settle(result, queries, table.rows, first + rows, columns)
    return result


def several(
    queries: Matrix,
    reference: Matrix | Reference,
    count: int,
    query_people: Rows | None = None,
    people: Rows | None = None,
) -> Rows:
    """Indices (q, count) of the nearest rows of ``reference``, nearest first; -1 where there are no more.

    Admissible rows are those of ``nearest``. Two rows whose distances differ by less than the rounding of the product
    may change places.
    """
    index = np.full((len(queries), count), -1, dtype=np.int64)
    table = reference if isinstance(reference, Reference) else Reference(reference)
    kept = min(count, len(table.rows))
    for start, squared, _ in squared_blocks(queries, table, query_people, people):
        chosen = _least(squared, kept)
        distance = np.take_along_axis(squared, chosen, axis=1)
        order = np.argsort(distance, axis=1, kind="stable")
        admissible = np.isfinite(np.take_along_axis(distance, order, axis=1))
        index[start : start + len(squared), :kept] = np.where(admissible, np.take_along_axis(chosen, order, axis=1), -1)
    return index


def within(queries: Matrix, radius: Matrix, reference: Matrix | Reference) -> tuple[Rows, Rows]:
    """All pairs (query, reference row) no farther apart than the query's ``radius`` (q,)."""
    table = reference if isinstance(reference, Reference) else Reference(reference)
    limit = radius**2
    found: list[tuple[Rows, Rows]] = [(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))]
    leading = table.bounded(len(queries))
    pairs = _pairs_within(queries, limit, table) if leading is None else pairs_below(queries, limit, leading)
    for rows, columns in pairs:
        close = _exact(queries, table.rows, rows, columns) <= limit[rows] * (1 + SAME)
        found.append((rows[close], columns[close]))
    return np.concatenate([a for a, _ in found]), np.concatenate([b for _, b in found])


def squared_blocks(
    queries: Matrix, reference: Matrix | Reference, query_people: Rows | None = None, people: Rows | None = None
) -> Iterator[tuple[int, NDArray[np.floating[Any]], Matrix]]:
    """Squared distances less the query's own squared length, (rows, m), block by block; the caller may write in them.

    Beside each: the number of the block's first query, and a bound (rows,) on the rounding error. Rows of the query's
    own person, if people are given, are infinitely far.
    """
    table = reference if isinstance(reference, Reference) else Reference(reference)
    b, largest = table.factor
    del table, reference  # where nobody else holds them, their memory serves the blocks
    a, own = _asked(queries, b.dtype), np.einsum("ij,ij->i", queries, queries)
    slack = _rounding(b.dtype, queries.shape[1], own + largest)
    step = int(np.clip(CELLS // max(len(b), 1), FEWEST, BLOCK))
    same = None if query_people is None or people is None else SamePerson(query_people, people)
    for start in range(0, len(queries), step):
        squared: NDArray[np.floating[Any]] = a[start : start + step] @ b.T
        if same is not None:
            squared[same(start, start + len(squared))] = np.inf
        yield start, squared, slack[start : start + step]


def squared_tiles(
    queries: Matrix, reference: Reference, width: int
) -> Iterator[tuple[int, int, NDArray[np.floating[Any]]]]:
    """What ``squared_blocks`` gives, ``width`` rows of the reference at a time, for all queries before the next ones.

    Before each block: the numbers of its first row of the reference and of its first query.
    """
    b, _ = reference.factor
    a = _asked(queries, b.dtype)
    step = int(np.clip(CELLS // width, FEWEST, BLOCK))
    for begin in range(0, len(b), width):
        for start in range(0, len(queries), step):
            yield begin, start, a[start : start + step] @ b[begin : begin + width].T


def farther(first: Matrix, second: Matrix) -> Matrix:
    """1 where ``first`` is larger, 0 where ``second`` is, 0.5 where the two distances are one (or both infinite)."""
    larger = np.where(first > second, 1.0, 0.0)
    with np.errstate(invalid="ignore"):  # inf - inf
        close = np.isfinite(first) & np.isfinite(second) & (np.abs(first - second) <= SAME * np.maximum(first, second))
    return np.where((first == second) | close, 0.5, larger)


def _least(squared: NDArray[np.floating[Any]], kept: int) -> Rows:
    """Columns (rows, kept) of the smallest cells of each row.

    Most cells of a wide block are ruled out by a limit that a part of the columns suggests, where it lets enough of
    every row pass.
    """
    some = squared[:, ::SOME]
    place = 2 * kept // SOME + SOME
    if kept * SOME <= squared.shape[1] and place < some.shape[1]:
        limit = np.partition(some, place, axis=1)[:, place]
        low = np.flatnonzero(squared <= np.where(np.isfinite(limit), limit, -np.inf)[:, None])
        rows, columns = np.divmod(low, squared.shape[1])
        count = np.bincount(rows, minlength=len(squared))
        if kept <= count.min() and count.max() <= squared.shape[1] // 4:
            narrow = np.full((len(squared), int(count.max())), np.inf, squared.dtype)
            where = np.zeros(narrow.shape, dtype=np.int64)
            at = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
            narrow[rows, at], where[rows, at] = squared[rows, columns], columns
            return np.take_along_axis(where, np.argpartition(narrow, kept - 1, axis=1)[:, :kept], axis=1)
    return np.argpartition(squared, kept - 1, axis=1)[:, :kept]


class SamePerson:
    """Which pairs of a query and a row are of one person."""

    def __init__(self, query_people: Rows, people: Rows) -> None:
        self._order = np.argsort(people, kind="stable").astype(np.int64)
        ascending = people[self._order]
        self._first = np.searchsorted(ascending, query_people)
        self._count = np.searchsorted(ascending, query_people, "right") - self._first

    def __call__(self, start: int, stop: int) -> tuple[Rows, Rows]:
        """Queries ``start`` to ``stop``, counted from the first of them, and rows, ordered by row."""
        first, count = self._first[start:stop], self._count[start:stop]
        queries = np.repeat(np.arange(len(count)), count)
        places = np.arange(len(queries)) + np.repeat(first - (np.cumsum(count) - count), count)
        rows = self._order[places]
        order = np.argsort(rows, kind="stable")
        return queries[order], rows[order]


def _rounding(real: np.dtype[np.floating[Any]], width: int, lengths: Matrix) -> Matrix:
    bound: Matrix = float(np.finfo(real).eps) * (4 + np.sqrt(width)) * lengths
    return bound


def _precision(width: int, largest: float) -> np.dtype[np.floating[Any]]:
    return np.dtype(np.float64) if width <= NARROW or largest > LONG else np.dtype(np.float32)


def _pairs_within(queries: Matrix, limit: Matrix, table: Reference) -> Iterator[tuple[Rows, Rows]]:
    """All pairs (query, row) whose squared distance may be the query's ``limit`` (q,) or less, and some others."""
    lengths = np.einsum("ij,ij->i", queries, queries)
    for start, squared, slack in squared_blocks(queries, table):
        part = slice(start, start + len(squared))
        rows, columns = _below(squared, limit[part] - lengths[part] + slack)
        yield start + rows, columns


def _candidates(
    queries: Matrix, squared: NDArray[np.floating[Any]], limit: Matrix, table: Reference
) -> Iterator[tuple[Rows, Rows]]:
    """Rows and columns of the cells at or below their row's limit, row by row, without any that cannot be the nearest.

    Where these are many, double precision leaves fewer, and of columns of equal rows the first is enough.
    """
    low = squared <= limit[:, None].astype(squared.dtype)
    many = CANDIDATES * len(low)
    if np.count_nonzero(low) > many and squared.dtype != np.float64:
        low = table.nearer(queries, low)
    if np.count_nonzero(low) <= many:
        yield np.divmod(np.flatnonzero(low), low.shape[1])
        return
    order, starts = table.equals
    for part in chunks(len(low), low.shape[1]):
        grouped = np.where(low[part][:, order], order, low.shape[1])
        least = np.minimum.reduceat(grouped, starts, axis=1)
        rows, groups = np.nonzero(least < low.shape[1])
        yield part.start + rows, least[rows, groups]


def _settle(result: Nearest, queries: Matrix, reference: Matrix, rows: Rows, columns: Rows) -> None:
    """Write down which of these pairs (query, row), the rows of a query in order, is the query's nearest."""
    exact = _exact(queries, reference, rows, columns)
    order = np.lexsort((exact, rows))
    asked, first = np.unique(rows[order], return_index=True)
    winner = order[first]
    result.distance[asked] = np.sqrt(exact[winner])
    result.index[asked] = columns[winner]


def _asked(queries: Matrix, real: np.dtype[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Queries such that one product gives |b|^2 - 2ab, without a further pass over the block."""
    asked = np.ones((len(queries), queries.shape[1] + 1), real)
    np.multiply(queries, -2.0, out=asked[:, :-1], casting="same_kind")
    return asked


def _below(squared: NDArray[np.floating[Any]], limit: Matrix) -> tuple[Rows, Rows]:
    """Rows and columns of the cells at or below their row's limit, row by row."""
    return np.divmod(np.flatnonzero(squared <= limit[:, None].astype(squared.dtype)), squared.shape[1])


def _exact(queries: Matrix, reference: Matrix, rows: Rows, columns: Rows) -> Matrix:
    """Squared distances of pairs (query, row), from the differences."""
    result = np.empty(len(rows))
    for part in chunks(len(rows), queries.shape[1]):
        difference = queries[rows[part]] - reference[columns[part]]
        result[part] = np.einsum("ij,ij->i", difference, difference)
    return result
