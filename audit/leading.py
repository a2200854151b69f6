"""Which rows can be nearest at all? Bounds on distances from the few directions in which rows differ most.

Over some of the principal directions of a table two rows are no farther apart than over all of them. One product over
these directions therefore rules nearly every pair out, and only what is left is measured over all columns. No row that
could be the nearest is ever left out: the bound is exact but for the rounding of the product, which is allowed for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Single = NDArray[np.float32]
Rows = NDArray[np.int64]
Pairs = tuple[Rows, Rows]
OwnRows = Callable[[int, int], Pairs]

SHARE = 0.92  # of all variance that the directions of the product hold
MORE = 0.98  # of it, with the further ones by which pairs that are left are looked at again
WORTH = 0.6  # share of the columns beyond which a product over the directions saves too little
FEW = 32  # directions that are enough to rule out what is much farther away than asked for
LEARNED = 5_000  # rows the directions are learned from, about
QUERIES, REFERENCES = 512, 8_192  # rows of one product
LEFT = 16  # one pair in so many, or more, left over: then bounds cost more than they save
PAIRS = 65_536  # numbers compared at a time: they stay in the cache

EPSILON = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Asked:
    """Queries in the directions of a table: ``first`` (q, near + 1) for the product, ``further`` (q, far - near).

    ``length`` (q,) is the squared length of the first part, ``slack`` (q,) bounds the rounding of the product.
    """

    first: Single
    further: Single
    length: Matrix
    slack: Matrix


@dataclass(frozen=True)
class Axes:
    """The directions themselves: ``axes`` (w, far), of which the first ``near`` are in the product."""

    centre: Matrix
    axes: Single
    near: int

    @classmethod
    def of(cls, rows: Matrix) -> Axes | None:
        """None where the variance is spread over so many directions that bounds would save nothing."""
        some = rows[:: max(len(rows) // LEARNED, 1)]
        centre = some.mean(axis=0)
        variance, axes = np.linalg.eigh((some - centre).T @ (some - centre))
        told = np.cumsum(np.maximum(variance[::-1], 0.0))
        if told[-1] <= 0:
            return None
        near, far = (int(np.searchsorted(told, share * told[-1])) + 1 for share in (SHARE, MORE))
        if near > WORTH * rows.shape[1]:
            return None
        return cls(centre, np.ascontiguousarray(axes[:, ::-1][:, :far], dtype=np.float32), near)

    def turn(self, rows: Matrix) -> tuple[Single, Matrix]:
        """The (n, w) rows in these directions, (n, far), and their squared lengths (n,) over all of them."""
        centred = (rows - self.centre).astype(np.float32)
        return centred @ self.axes, np.einsum("ij,ij->i", centred, centred).astype(np.float64)


@dataclass(frozen=True)
class Leading:
    """Rows (m, w) of a table in the leading directions of this or another table: any bound distances from below."""

    axes: Axes
    first: Single  # (m, near + 1), with the squared length beside
    few: Single  # (m, few + 1), the same over the first ``FEW`` of them
    further: Single  # (m, far - near)
    largest: float  # squared length of any row, over all directions

    @classmethod
    def of(cls, rows: Matrix, axes: Axes) -> Leading:
        """The rows turned."""
        near, far = axes.near, axes.axes.shape[1]
        first, few, further = (
            np.empty((len(rows), width), np.float32) for width in (near + 1, min(FEW, near) + 1, far - near)
        )
        largest = 0.0
        for start in range(0, len(rows), REFERENCES):
            part = slice(start, start + REFERENCES)
            turned, whole = axes.turn(rows[part])
            further[part] = turned[:, near:]
            for product in (first, few):
                leading = turned[:, : product.shape[1] - 1]
                product[part, :-1], product[part, -1] = leading, np.einsum("ij,ij->i", leading, leading)
            largest = max(largest, float(whole.max(initial=0.0)))
        return cls(axes, first, few, further, largest)

    def ask(self, queries: Matrix, near: int | None = None) -> Asked:
        """The (q, w) queries in these directions, ``near`` of them for the product."""
        near = self.axes.near if near is None else near
        turned, whole = self.axes.turn(queries)
        first = np.column_stack([-2 * turned[:, :near], np.ones(len(turned), np.float32)])
        length = np.einsum("ij,ij->i", turned[:, :near], turned[:, :near]).astype(np.float64)
        # of the product as in audit.neighbours, and of the turning of both sides before it
        slack = EPSILON * (8 + 4 * np.sqrt(queries.shape[1])) * (whole + self.largest)
        return Asked(first, turned[:, near:], length, slack)

    def bounds(self, asked: Asked) -> Iterator[tuple[int, Single]]:
        """Lower bounds on squared distances, less the query's ``length``: (q, t) for the rows from a first one on."""
        rows = self.first if asked.first.shape[1] == self.first.shape[1] else self.few
        for start in range(0, len(rows), REFERENCES):
            yield start, asked.first @ rows[start : start + REFERENCES].T

    def farther(self, asked: Asked, rows: Rows, columns: Rows) -> Single:
        """What the further directions add to the bound of each pair (query, row)."""
        added = np.empty(len(rows), np.float32)
        for part in chunks(len(rows), self.further.shape[1]):
            difference = asked.further[rows[part]] - self.further[columns[part]]
            added[part] = np.einsum("ij,ij->i", difference, difference)
        return added


def nearest_pairs(
    queries: Matrix, reference: Matrix, leading: Leading, own: OwnRows | None
) -> Iterator[tuple[int, int, Pairs | None]]:
    """Block by block of queries, (start, stop) and the pairs (query in the block, row) that may be the nearest ones.

    The nearest row is among them, with every other that ties with it. None instead of the pairs where too many are left
    for this to pay. ``own(start, stop)`` gives pairs that do not count, ordered by row.
    """
    for start in range(0, len(queries), QUERIES):
        block = queries[start : start + QUERIES]
        passed = own(start, start + len(block)) if own is not None else None
        yield start, start + len(block), _nearest_of_block(block, reference, leading, passed)


def pairs_below(queries: Matrix, limit: Matrix, leading: Leading) -> Iterator[Pairs]:
    """All pairs (query, row) whose squared distance may be the query's ``limit`` (q,) or less, and some others."""
    for start in range(0, len(queries), QUERIES):
        asked = leading.ask(queries[start : start + QUERIES], leading.few.shape[1] - 1)
        most = _limit(limit[start : start + QUERIES], asked)
        for first, bound in leading.bounds(asked):
            rows, columns = np.divmod(np.flatnonzero(bound <= most[:, None]), bound.shape[1])
            yield start + rows, first + columns


def _nearest_of_block(block: Matrix, reference: Matrix, leading: Leading, passed: Pairs | None) -> Pairs | None:
    asked = leading.ask(block)
    most = np.full(len(block), np.inf)  # squared distance of a row that was measured
    found: list[tuple[Rows, Rows, Single]] = []
    held, here = 0, np.arange(len(block))
    for first, bound in leading.bounds(asked):
        if passed is not None:
            cut = slice(*np.searchsorted(passed[1], (first, first + bound.shape[1])))
            bound[passed[0][cut], passed[1][cut] - first] = np.inf
        closest = bound.argmin(axis=1)
        difference = block - reference[first + closest]
        squared = np.einsum("ij,ij->i", difference, difference)
        most = np.minimum(most, np.where(np.isfinite(bound[here, closest]), squared, np.inf))
        rows, columns = np.divmod(np.flatnonzero(bound <= _limit(most, asked)[:, None]), bound.shape[1])
        found.append((rows, first + columns, bound[rows, columns]))
        held += len(rows)
        if held * LEFT > len(block) * len(reference):
            return None
    rows, columns, bounds = (np.concatenate(part) for part in zip(*found, strict=True))
    limit = _limit(most, asked)
    kept = np.flatnonzero(bounds <= limit[rows])
    rows, columns, bounds = rows[kept], columns[kept], bounds[kept]
    kept = np.flatnonzero(bounds + leading.farther(asked, rows, columns) <= limit[rows])
    return rows[kept], columns[kept]


def _limit(squared: Matrix, asked: Asked) -> Single:
    """Bounds above this belong to rows farther away; nothing is near where no row counts."""
    limit: Single = np.where(np.isfinite(squared), squared - asked.length + asked.slack, -np.inf).astype(np.float32)
    return limit


def chunks(count: int, width: int) -> Iterator[slice]:
    """Stretches of ``count`` pairs whose ``width`` numbers each are held at a time."""
    step = max(PAIRS // max(width, 1), 1)
    for start in range(0, count, step):
        yield slice(start, start + step)
