"""Who is alone with which few columns? Every small combination of columns, counted over real and released rows.

A table of 50 columns has 20,875 combinations of at most three. Each is one addition and one count per row, because the
codes of a combination follow from those of the combination one column shorter. Counting is by direct addressing
(``numpy.bincount``), which on codes this small is ten times faster than a hash group-by of a database and more: of
DuckDB's CPU time a 31st on 40,000 rows of 20 columns, an 11th on 200,000 of 12 (``benchmarks.gate.speed --only
group-bys``). Codes are added as the narrowest integers that hold them, two bytes as a rule, since what an addition
costs is memory.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

BUDGET = 6_000_000_000  # rows read over all combinations, about half a minute; beyond it combinations are drawn
SETUP = 20_000  # rows that could be read in the time a combination takes whatever its rows
SPARSE = 16, 1 << 16  # codes per row, and codes in all, beyond which class codes are renumbered before counting
LARGEST = 1 << 62  # codes an integer holds

Codes = NDArray[np.int64]
Narrow = NDArray[np.integer[Any]]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Combinations:
    """Combinations of at most ``most`` of ``columns`` columns in lexical order, out of how many; all or some drawn."""

    chosen: tuple[tuple[int, ...], ...]
    possible: int
    most: int

    @property
    def complete(self) -> bool:
        """Whether every combination is among them."""
        return len(self.chosen) == self.possible

    @property
    def method(self) -> str:
        if self.complete:
            return f"every combination of at most {self.most} columns ({self.possible})"
        return f"{len(self.chosen)} of {self.possible} combinations of at most {self.most} columns, drawn at random"


def combinations(columns: int, most: int, rows: int, rng: np.random.Generator) -> Combinations:
    """Every combination of at most ``most`` of ``columns`` columns, or as many as ``rows`` rows each allow, drawn.

    Drawn are combinations of exactly ``most`` columns, each equally likely: they tell people apart best.
    """
    most = min(most, columns)
    possible = sum(math.comb(columns, size) for size in range(1, most + 1))
    affordable = max(BUDGET // (rows + SETUP), 1)
    if possible <= affordable:
        sizes = range(1, most + 1)
        every = sorted(itertools.chain.from_iterable(itertools.combinations(range(columns), size) for size in sizes))
        return Combinations(tuple(every), possible, most)
    wanted = min(affordable, math.comb(columns, most))
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < wanted:
        drawn.add(tuple(sorted(rng.choice(columns, most, replace=False).tolist())))
    return Combinations(tuple(sorted(drawn)), possible, most)


@dataclass(frozen=True)
class Classes:
    """Classes of one combination: a code in ``range(total)`` per real and per released row, and people per class.

    Codes of released rows are as narrow as ``total`` allows: widen them before they are multiplied.
    """

    columns: tuple[int, ...]
    real: Codes
    released: Narrow
    total: int
    people: Codes


def classes_of(
    real: Sequence[Codes], released: Sequence[Codes], sizes: Sequence[int], people: Codes, chosen: Combinations
) -> Iterator[Classes]:
    """The classes of every chosen combination, one after the other; several rows of a person in a class count once.

    Parameters
    ----------
    real, released : per column the (n,) and (m,) codes in ``range(size)``
    people : (n,) codes of the persons the real rows belong to
    """
    twins = _Twins.of(real, people)
    columns = [
        (narrowed(one, size), narrowed(other, size)) for one, other, size in zip(real, released, sizes, strict=True)
    ]
    nothing = np.zeros(len(people), np.uint16), np.zeros(len(released[0]), np.uint16)
    start = _Prefix(*nothing, 1, twins.every)
    path: list[tuple[int, _Prefix]] = []
    for subset in chosen.chosen:
        kept = 0
        while kept < min(len(path), len(subset) - 1) and path[kept][0] == subset[kept]:
            kept += 1
        del path[kept:]
        for column in subset[kept:-1]:
            before = path[-1][1] if path else start
            longer = before.extended(*columns[column], sizes[column], twins.same[column])
            path.append((column, longer.renumbered()))
        column, before = subset[-1], path[-1][1] if path else start
        last = before.extended(*columns[column], sizes[column], twins.same[column])
        if last.sparse:
            last = last.renumbered()
        codes = last.real.astype(np.int64)  # as counting and looking up want them: once instead of for each
        yield Classes(subset, codes, last.released, last.total, twins.sizes(codes, last.total, last.same))


@dataclass(frozen=True)
class _Prefix:
    real: Narrow
    released: Narrow
    total: int
    same: Flags  # of each pair of rows of one person, whether they are in one class
    scaled: dict[int, tuple[Narrow, Narrow]] = field(
        default_factory=dict
    )  # codes times a size, for columns of that size

    @property
    def sparse(self) -> bool:
        return self.total > SPARSE[0] * (len(self.real) + len(self.released)) + SPARSE[1]

    def extended(self, real: Narrow, released: Narrow, size: int, same: Flags) -> _Prefix:
        if self.total == 1:
            return _Prefix(real, released, size, self.same & same)
        if self.total > LARGEST // size:
            return self.renumbered().extended(real, released, size, same)
        if size not in self.scaled:
            wide = [narrowed(part, self.total * size) for part in (self.real, self.released)]
            self.scaled[size] = wide[0] * size, wide[1] * size
        left, right = self.scaled[size]
        return _Prefix(left + real, right + released, self.total * size, self.same & same)

    def renumbered(self) -> _Prefix:
        """The same classes, codes with fewer gaps than codes, or without any."""
        if not self.sparse:
            used = np.bincount(self.real, minlength=self.total) + np.bincount(self.released, minlength=self.total) > 0
            total = int(np.count_nonzero(used))
            if 2 * total > self.total:
                return self
            place = narrowed(np.cumsum(used) - 1, total)
            return _Prefix(place[self.real], place[self.released], total, self.same)
        distinct, inverse = np.unique(np.concatenate([self.real, self.released]), return_inverse=True)
        place = narrowed(inverse, len(distinct))
        return _Prefix(place[: len(self.real)], place[len(self.real) :], len(distinct), self.same)


def narrowed(codes: Narrow, total: int) -> Narrow:
    """Codes in ``range(total)`` as the narrowest integers that hold them, and the sum of such codes."""
    return codes.astype(np.uint16 if total <= 1 << 16 else np.uint32 if total <= 1 << 32 else np.int64, copy=False)


@dataclass(frozen=True)
class _Twins:
    """Pairs of rows of one person, later one last, in the order of the later row; or none, and people are sorted out.

    A row adds nobody to its class if an earlier row of the same person is in it already. Whether two rows are in one
    class is asked column by column, so a combination costs one conjunction. Where somebody has so many rows that the
    pairs outnumber the rows, each combination sorts its (class, person) pairs instead.
    """

    same: tuple[Flags, ...]  # per column, which pairs share its code
    later: Codes
    person: Codes
    sort: bool

    @classmethod
    def of(cls, columns: Sequence[Codes], people: Codes) -> _Twins:
        _, person = np.unique(people, return_inverse=True)
        order = np.argsort(person, kind="stable")
        rows = np.bincount(person)
        none = np.zeros(0, dtype=np.int64)
        if int((rows * (rows - 1) // 2).sum()) > 4 * len(people):
            return cls(tuple(none.astype(np.bool_) for _ in columns), none, person, sort=True)
        start = np.cumsum(rows) - rows
        rank = np.arange(len(people)) - np.repeat(start, rows)  # among the rows of the same person
        later = np.repeat(order, rank)
        first = np.repeat(np.cumsum(rank) - rank, rank)
        earlier = order[np.repeat(np.repeat(start, rows), rank) + np.arange(len(later)) - first]
        same = tuple(codes[earlier] == codes[later] for codes in columns)
        return cls(same, later, person, sort=False)

    @property
    def every(self) -> Flags:
        return np.ones(len(self.later), dtype=np.bool_)

    def sizes(self, classes: Codes, total: int, same: Flags) -> Codes:
        """People in each class."""
        if self.sort:
            count = int(self.person.max()) + 1
            return np.bincount(np.unique(classes * count + self.person) // count, minlength=total)
        sizes = np.bincount(classes, minlength=total)
        again = self.later[same]
        if len(again):
            again = again[np.flatnonzero(np.diff(again, prepend=-1))]  # one row, however many earlier ones it repeats
            sizes -= np.bincount(classes[again], minlength=total)
        return sizes
