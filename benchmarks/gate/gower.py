"""What is the NNAA under Gower's distance, as SynthEval takes it? Exactly, without ever holding all distances.

Rows are dealt into small boxes of alike rows. Between two boxes no distance is smaller than the sum of the gaps of
their ranges and the number of columns in which they share no level; a row is measured, by the plain formula, only
against boxes that could hold a nearer row than the one it has. So the result is that of all pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.measures.nnaa import accuracy_of
from audit.neighbours import Matrix

BOX = 128  # rows in a box, at most
AT_ONCE = 4  # boxes measured first; then twice as many each time

Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Mixed:
    """Numbers (n, p) over their range and level codes (n, q)."""

    numbers: Matrix
    levels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True)
class Boxes:
    """Row numbers of each box, ranges of its numbers (b, p), and per column a set of levels (b, q) as bits."""

    rows: list[Rows]
    low: Matrix
    high: Matrix
    levels: NDArray[np.uint64]

    @classmethod
    def of(cls, table: Mixed, rows: list[Rows]) -> Boxes:
        """The boxes of these rows, however they were dealt."""
        bits = np.left_shift(np.uint64(1), (table.levels % 64).astype(np.uint64))
        return cls(
            rows,
            np.array([table.numbers[part].min(axis=0) for part in rows]),
            np.array([table.numbers[part].max(axis=0) for part in rows]),
            np.array([np.bitwise_or.reduce(bits[part], axis=0) for part in rows]),
        )

    def apart(self, box: int, others: Boxes) -> Matrix:
        """No row of ``box`` is nearer than this (b,) to any row of each of the other boxes."""
        gap = np.maximum(others.low - self.high[box], self.low[box] - others.high)
        shared = self.levels[box] & others.levels
        result: Matrix = np.maximum(gap, 0.0).sum(axis=1) + (shared == 0).sum(axis=1)
        return result


def gower_accuracy(real: Matrix, fake: Matrix, categorical: Flags) -> float:
    """NNAA with strict comparison; numbers count over the range of the two tables compared, but at least 1."""
    both = _scaled(real, fake, categorical)
    dealt = [list(_dealt(table, np.arange(len(table)))) for table in both]
    boxes = [Boxes.of(table, rows) for table, rows in zip(both, dealt, strict=True)]
    distances = []
    for side, rows in enumerate((real, fake)):
        alone = _scaled(rows, rows, categorical)[0]
        own = Boxes.of(alone, dealt[side])
        distances.append(gower_nearest(alone, own, alone, own, same=True))
        distances.append(gower_nearest(both[side], boxes[side], both[1 - side], boxes[1 - side], same=False))
    return accuracy_of(*distances, ties=0.0)


def gower_nearest(queries: Mixed, asked: Boxes, reference: Mixed, boxes: Boxes, *, same: bool) -> Matrix:
    """Distance (n,) of every query to its nearest reference row: the sum over columns, not the mean.

    With ``same`` the two are one table, and a row passes over itself.
    """
    found = np.full(len(queries), np.inf)
    for box, block in enumerate(asked.rows):
        bound = asked.apart(box, boxes)
        order = np.argsort(bound, kind="stable")
        taken, size = 0, AT_ONCE
        while taken < len(order):
            open_ = block[found[block] > bound[order[taken]]]
            chosen = order[taken : taken + size]
            chosen = chosen[bound[chosen] < found[block].max()]
            if not len(open_) or not len(chosen):
                break
            others = np.concatenate([boxes.rows[other] for other in chosen])
            distance = _distances(queries, open_, reference, others)
            if same:
                distance[open_[:, None] == others[None, :]] = np.inf
            found[open_] = np.minimum(found[open_], distance.min(axis=1))
            taken, size = taken + size, 2 * size
    return found


def _distances(a: Mixed, rows: Rows, b: Mixed, others: Rows) -> Matrix:
    numbers, levels = np.ascontiguousarray(b.numbers[others].T), np.ascontiguousarray(b.levels[others].T)
    own_numbers, own_levels = a.numbers[rows], a.levels[rows]
    differ = np.zeros((len(rows), len(others)), dtype=np.uint8)
    for place in range(own_levels.shape[1]):
        differ += (own_levels[:, place, None] != levels[place]).view(np.uint8)
    total = differ.astype(np.float64)
    for place in range(own_numbers.shape[1]):
        gap = own_numbers[:, place, None] - numbers[place]
        total += np.abs(gap, out=gap)
    return total


def _dealt(table: Mixed, rows: Rows) -> Iterator[Rows]:
    """Halves of halves, each time by the column in which two rows differ most on average, down to ``BOX`` rows."""
    if len(rows) <= BOX:
        yield rows
        return
    spread, codes = _spread(table.numbers[rows]), table.levels[rows]
    mixed = np.array([1 - ((np.bincount(column) / len(rows)) ** 2).sum() for column in codes.T])
    if len(mixed) == 0 or (len(spread) > 0 and spread.max() >= mixed.max()):
        values = table.numbers[rows, int(spread.argmax())]
    else:
        column = codes[:, int(mixed.argmax())]
        frequent = np.argsort(np.argsort(-np.bincount(column), kind="stable"))
        values = frequent[column].astype(np.float64)
    left = values <= np.median(values)
    if left.all():
        left = values < values.max()
    if not left.any():  # all alike in every column
        left = np.arange(len(rows)) < len(rows) // 2
    yield from _dealt(table, rows[left])
    yield from _dealt(table, rows[~left])


def _spread(numbers: Matrix) -> Matrix:
    """Mean absolute difference of two rows, by column."""
    n = len(numbers)
    weight = 2 * np.arange(1, n + 1) - n - 1
    result: Matrix = 2 * (weight[:, None] * np.sort(numbers, axis=0)).sum(axis=0) / n**2
    return result


def _scaled(a: Matrix, b: Matrix, categorical: Flags) -> tuple[Mixed, Mixed]:
    both = np.concatenate([a, b])
    span = np.maximum(np.ptp(both[:, ~categorical], axis=0), 1.0)
    codes = [np.unique(column, return_inverse=True)[1].astype(np.uint8) for column in both[:, categorical].T]
    levels = np.column_stack(codes) if codes else np.zeros((len(both), 0), dtype=np.uint8)
    return Mixed(a[:, ~categorical] / span, levels[: len(a)]), Mixed(b[:, ~categorical] / span, levels[len(a) :])
