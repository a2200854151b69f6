"""Which row of one table is nearest to each row of another under Gower's distance? Exactly, in bounded memory.

Numbers are put on a grid first. The sum of gaps on the grid is off by no more than what rounding moved the two rows,
so it bounds the distance from below; over some of the columns it still does. Small integers are therefore summed for
all pairs over the columns that tell most, then for the pairs that are left over the others, and only what may be
nearer than the best row found is measured by the plain formula: the result is that of the plain formula.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from audit.errors import AuditError
from audit.neighbours import Matrix, Nearest, Rows, SamePerson

STEPS = 63  # of the grid, from 0 to 1; four gaps of so many steps fit in a byte
MISSING = 2 * STEPS  # so far from any number that the gap counts 1, and 0 to another missing one
CELLS = 4_000_000  # sums held at a time, but
FEWEST, BLOCK = 16, 128  # query rows at a time, at least and at most
TILE = 524_288  # pairs summed at a time: they stay in the cache
FEW = 0.02  # share of pairs left over from which on they are looked at one by one
TRIED = 64, 1_024  # queries and rows that tell which columns to begin with
PARTS = 4  # the best of so many parts of the table are measured first
TOGETHER = 4  # columns between two looks at what is left
ROUNDING = 1e-9  # of a step

Steps = NDArray[np.int8]
Sums = NDArray[np.uint32]


@dataclass(frozen=True)
class Mixed:
    """Rows of ``numbers`` (n, p), within [0, 1] or NaN where missing, and level ``codes`` (n, q), missing one of them.

    Gower's distance is the mean over the p + q columns of the gap of two numbers, or of 1 for two different levels. A
    missing value is a value: its gap to another missing one is 0, to any other 1.

    Raises
    ------
    AuditError
        A number lies outside [0, 1], or there are not as many rows of levels.

    References
    ----------
    Gower, A general coefficient of similarity and some of its properties, Biometrics 27 (1971), which leaves columns
    with a missing value out instead: rows with few known values would be near to everything.
    """

    numbers: Matrix
    codes: Rows

    def __post_init__(self) -> None:
        if len(self.numbers) != len(self.codes) or bool(((self.numbers < 0) | (self.numbers > 1)).any()):
            raise AuditError("expected numbers within [0, 1] or missing, and the levels of as many rows")

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def columns(self) -> int:
        """Columns of both kinds."""
        return int(self.numbers.shape[1] + self.codes.shape[1])

    def take(self, rows: Rows) -> Mixed:
        """Some of the rows."""
        return Mixed(self.numbers[rows], self.codes[rows])

    @cached_property
    def steps(self) -> Steps:
        """Columns (p + q, n) in small integers. Levels 256 apart are one here, so a gap is never too large."""
        numbers = np.where(np.isnan(self.numbers), MISSING, np.rint(self.numbers * STEPS)).astype(np.int8)
        levels = (self.codes % 256).astype(np.uint8).view(np.int8)
        return np.ascontiguousarray(np.hstack([numbers, levels]).T)

    @cached_property
    def moved(self) -> Rows:
        """By how many steps (n,) the grid moved a row's numbers in all, rounded up."""
        off = np.abs(self.numbers * STEPS - np.rint(self.numbers * STEPS))
        steps: Rows = np.ceil(np.nansum(off, axis=1) - ROUNDING).astype(np.int64)
        return steps

    @cached_property
    def alike(self) -> Rows:
        """Groups (n,) of equal rows."""
        whole = np.ascontiguousarray(self.values.T + 0.0)  # one zero only
        multipliers = np.multiply.accumulate(np.full(whole.shape[1], 0x9E3779B97F4A7C15, np.uint64))
        marks = whole.view(np.uint64) @ multipliers
        if len(np.unique(marks)) == len(self):
            return np.arange(len(self))
        _, group = np.unique(whole.view(np.dtype((np.void, whole.strides[0])))[:, 0], return_inverse=True)
        return group.astype(np.int64)

    @cached_property
    def values(self) -> Matrix:
        """Columns (p + q, n) as they are, a missing number 2."""
        numbers = np.where(np.isnan(self.numbers), 2.0, self.numbers)
        return np.ascontiguousarray(np.hstack([numbers, self.codes.astype(np.float64)]).T)


def gower_nearest(
    queries: Mixed, table: Mixed, query_people: Rows | None = None, people: Rows | None = None
) -> Nearest:
    """The nearest row of ``table`` to each of ``queries``, by Gower's distance in [0, 1].

    With ``query_people`` (q,) and ``people`` (m,), rows of the query's own person are passed over, the query too.
    """
    result = Nearest(np.full(len(queries), np.inf), np.full(len(queries), -1, dtype=np.int64))
    if not len(queries) or not len(table) or not table.columns:
        return result
    kept = _distinct(table, people)
    search = _Search(queries, table if len(kept) == len(table) else table.take(kept))
    own = None if query_people is None or people is None else SamePerson(query_people, people[kept])
    step = int(np.clip(CELLS // len(kept), FEWEST, BLOCK))
    for part in _parts(len(queries), step):
        sums, index = search.nearest(part, None if own is None else own(part.start, part.stop))
        result.distance[part] = sums / table.columns
        result.index[part] = np.where(index < 0, -1, kept[index])
    return result


def _distinct(table: Mixed, people: Rows | None) -> Rows:
    """The first of equal rows, and the first of these that is another person's: one of the two is always admissible."""
    _, first, group = np.unique(table.alike, return_index=True, return_inverse=True)
    if len(first) == len(table):
        return np.arange(len(table))
    if people is None:
        return np.sort(first).astype(np.int64)
    others = np.flatnonzero(people != people[first][group])
    _, second = np.unique(group[others], return_index=True)
    return np.sort(np.concatenate([first, others[second]])).astype(np.int64)


class _Search:
    """Columns in the order in which they tell pairs apart; of these the first ``dense`` are summed for all pairs."""

    def __init__(self, queries: Mixed, table: Mixed) -> None:
        self._queries, self._table = queries, table
        self._numbers = table.numbers.shape[1]
        self._gappy = (queries.steps == MISSING).any(axis=1) | (table.steps == MISSING).any(axis=1)
        self._most = int(table.moved.max(initial=0))
        self._spare = (self._most - table.moved).astype(np.uint16)
        some, rows = (
            np.linspace(0, len(each) - 1, min(count, len(each))).astype(np.int64)
            for each, count in zip((queries, table), TRIED, strict=True)
        )
        mine, theirs = queries.steps[:, some], table.steps[:, rows]
        telling, whole = np.empty(table.columns), np.zeros((len(some), len(rows)), dtype=np.int64)
        for column in range(table.columns):
            gap = self._gaps(column, mine[column][:, None], theirs[column])
            telling[column] = gap.mean()
            whole += gap
        order = np.argsort(-telling, kind="stable")
        least = whole.min(axis=1, initial=STEPS * table.columns, where=whole > 0)[:, None]
        total, self._dense = np.zeros_like(whole), len(order)
        for place, column in enumerate(order):
            total += self._gaps(column, mine[column][:, None], theirs[column])
            if (total <= least).mean() <= FEW:
                self._dense = place + 1
                break
        self._order = order.tolist()

    def nearest(self, part: slice, own: tuple[Rows, Rows] | None) -> tuple[Matrix, Rows]:
        """Sum of gaps (q,) to the nearest row of each query of this part, and that row (q,); -1 where there is none."""
        lower = self._lower(part)
        if own is not None:
            lower[own] = np.iinfo(lower.dtype).max
        sums, index = np.full(len(lower), np.inf), np.full(len(lower), -1, dtype=np.int64)
        for rows in _parts(lower.shape[1], -(-lower.shape[1] // PARTS)):
            best = lower[:, rows].argmin(axis=1) + rows.start
            asked = np.flatnonzero(lower[np.arange(len(best)), best] < np.iinfo(lower.dtype).max)
            self._settle(part.start, asked, best[asked], sums, index)
        limit = self._limit(part, sums)
        asked, rows_left = np.divmod(np.flatnonzero(lower < limit[:, None].astype(lower.dtype)), lower.shape[1])
        total = lower[asked, rows_left].astype(np.int64)
        for columns in _groups(self._order[self._dense :]):
            for column in columns:
                mine = self._queries.steps[column, part].take(asked)
                total += self._gaps(column, mine, self._table.steps[column].take(rows_left))
            left = np.flatnonzero(total < limit[asked])
            asked, rows_left, total = asked[left], rows_left[left], total[left]
        for some in _parts(len(asked), TILE):
            self._settle(part.start, asked[some], rows_left[some], sums, index)
        return sums, index

    def _limit(self, part: slice, sums: Matrix) -> Rows:
        """What a pair's sum of steps must lie below, if it is to be nearer than ``sums`` (q,)."""
        known = np.where(np.isfinite(sums), sums, 0.0)
        least = np.ceil(STEPS * known + self._queries.moved[part] + self._most - ROUNDING)
        return np.where(np.isfinite(sums), least, 0.0).astype(np.int64)

    def _settle(self, start: int, asked: Rows, rows: Rows, sums: Matrix, index: Rows) -> None:
        """Measure these pairs, in the order of queries counted from ``start``, and keep what is nearer than before."""
        total = np.zeros(len(asked))
        for columns in _groups(self._order):
            for column in columns:
                gaps = self._queries.values[column].take(start + asked) - self._table.values[column].take(rows)
                total += np.minimum(np.abs(gaps), 1.0) if column < self._numbers else gaps != 0
            left = np.flatnonzero(total < sums[asked])
            if len(left) < len(asked):
                asked, rows, total = asked[left], rows[left], total[left]
        if len(asked):
            first = np.flatnonzero(np.diff(asked, prepend=-1))
            least = np.minimum.reduceat(total, first)
            reached = np.flatnonzero(total == np.repeat(least, np.diff(first, append=len(asked))))
            chosen, place = np.unique(asked[reached], return_index=True)
            sums[chosen], index[chosen] = least, rows[reached[place]]

    def _lower(self, part: slice) -> Sums | NDArray[np.uint16]:
        """Sums of steps (q, m) over the first columns, plus ``most`` less what the grid moved each row of the table."""
        chosen, rows = self._order[: self._dense], len(self._table)
        levels = [column for column in chosen if column >= self._numbers]
        numbers = [column for column in chosen if column < self._numbers]
        mine, theirs = self._queries.steps[:, part], self._table.steps
        count = mine.shape[1]
        wide = np.uint16 if (STEPS + 2) * (self._table.columns + 1) < np.iinfo(np.uint16).max else np.uint32
        lower = np.empty((count, rows), wide)
        for tile in _parts(rows, max(TILE // count, 1)):
            total = lower[:, tile]
            total[:] = self._spare[tile]
            shape = total.shape
            byte, widened = np.zeros(shape, np.uint8), np.empty(shape, wide)
            unequal, gap = np.empty(shape, np.bool_), np.empty(shape, np.int8)
            most = np.full(shape[1], STEPS, np.int8)  # a row: with a single number it takes ten times as long
            for columns in _groups(levels, 255):
                byte[:] = 0
                for column in columns:
                    np.not_equal(mine[column][:, None], theirs[column, tile], out=unequal)
                    np.add(byte, unequal.view(np.uint8), out=byte)
                np.multiply(byte, wide(STEPS), out=widened, casting="same_kind")
                np.add(total, widened, out=total)
            for columns in _groups(numbers, TOGETHER):
                for place, column in enumerate(columns):
                    np.subtract(mine[column][:, None], theirs[column, tile], out=gap)
                    np.abs(gap, out=gap)
                    if self._gappy[column]:
                        np.minimum(gap, most, out=gap)
                    np.add(byte, gap.view(np.uint8), out=byte) if place else np.copyto(byte, gap.view(np.uint8))
                np.copyto(widened, byte)
                np.add(total, widened, out=total)
        return lower

    def _gaps(self, column: int, mine: Steps, theirs: Steps) -> Rows:
        """Steps between values of one column."""
        if column >= self._numbers:
            return np.where(mine != theirs, STEPS, 0)
        gaps: Rows = np.minimum(np.abs(mine - theirs), STEPS).astype(np.int64)
        return gaps


def _groups(columns: Sequence[int], size: int = TOGETHER) -> Iterator[Sequence[int]]:
    return (columns[start : start + size] for start in range(0, len(columns), size))


def _parts(rows: int, most: int) -> Iterator[slice]:
    most = max(most, 1)
    return (slice(start, min(start + most, rows)) for start in range(0, rows, most))
