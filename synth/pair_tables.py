"""Which cells do rows fall into, in the tables of two columns within each class?

Calibrated marginals say nothing of two columns together; their tables do, and of many people they are what a statistics
office publishes. A combination that fewer people have than may be told stands in none of them: all such are one cell of
their table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from synth.calibration.quantiles import Floats, Person
from synth.encoding import Encoding
from synth.holders import holders
from synth.selection import Rows

BINS = 8
"""Cells of a number, with about equally many people; missing is one more."""
MOST_TABLES = 300
"""Tables that are looked at, a random choice of those of a wide table."""

Codes = NDArray[np.int64]
Places = NDArray[np.int32]


@dataclass(frozen=True)
class PairTables:
    """Tables learned from rows: how they are cut, which cells they have, and how many of the rows are in each.

    Attributes
    ----------
    cuts : for every number its (b,) borders.
    sizes : (w,) cells of each column: numbers, levels, and the class.
    pairs : (t, 2) columns of each table beside the class.
    known : for each table, ascending, the combinations that have a cell of their own.
    shares : (c,) share of the rows in each cell, table by table; the first cell of a table holds all its other
        combinations.
    """

    cuts: tuple[Floats, ...]
    sizes: Codes
    pairs: NDArray[np.intp]
    known: tuple[Codes, ...]
    shares: Floats

    @classmethod
    def learn(
        cls, encoding: Encoding, rows: Rows, owners: Person | None, minimum_people: int, rng: np.random.Generator
    ) -> Self:
        """From scores and classes; a combination has a cell of its own where ``minimum_people`` have it."""
        cuts = tuple(_borders(column) for column in encoding.cells(rows.scores)[0].T)
        codes = _codes(encoding, rows, cuts)
        sizes = codes.max(axis=0) + 1
        varied = np.flatnonzero(sizes[:-1] > 1)
        pairs = varied[_pairs(len(varied), rng)]
        known = []
        for pair in pairs:
            found, place = np.unique(_combined(codes, pair, sizes), return_inverse=True)
            known.append(found[holders(place, len(found), owners) >= minimum_people])
        learned = cls(cuts, sizes, pairs, tuple(known), np.zeros(0))
        return cls(cuts, sizes, pairs, tuple(known), learned.counts(learned._placed(codes)) / len(codes))

    def places(self, encoding: Encoding, rows: Rows) -> list[Places]:
        """For each table the (m,) number, among the cells of all tables, of the cell that each row falls into."""
        return self._placed(_codes(encoding, rows, self.cuts))

    def counts(self, places: Sequence[Places], weights: Floats | None = None) -> Floats:
        """(c,) rows, or the sum of their weights (m,), in each cell."""
        size = sum(len(known) + 1 for known in self.known)
        result = np.zeros(size)
        for place in places:
            result += np.bincount(place, weights=weights, minlength=size)
        return result

    def _placed(self, codes: Codes) -> list[Places]:
        strange = (codes >= self.sizes).any(axis=1)
        result, first = [], 0
        for pair, known in zip(self.pairs, self.known, strict=True):
            combined = np.where(strange, -1, _combined(codes, pair, self.sizes))
            place = np.searchsorted(known, combined)
            found = place < len(known)
            found[found] = known[place[found]] == combined[found]
            result.append((first + np.where(found, place + 1, 0)).astype(np.int32))
            first += len(known) + 1
        return result


def _pairs(columns: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """(t, 2) pairs of columns in order: all of them, or ``MOST_TABLES`` by chance."""
    pairs = columns * (columns - 1) // 2
    numbers = np.arange(pairs)
    if pairs > MOST_TABLES:
        numbers = np.sort(rng.choice(pairs, MOST_TABLES, replace=False))
    starts = np.append(0, np.cumsum(np.arange(columns - 1, 0, -1)))
    first = np.searchsorted(starts, numbers, side="right") - 1
    return np.column_stack([first, numbers - starts[first] + first + 1])


def _borders(column: Floats) -> Floats:
    """Borders that cut a column into about equal parts, equal values together."""
    known = np.sort(column[~np.isnan(column)])
    if not len(known):
        return known
    edges = known[(np.arange(1, BINS) * len(known)) // BINS]
    borders: Floats = np.unique(edges[edges > known[0]])
    return borders


def _codes(encoding: Encoding, rows: Rows, cuts: Sequence[Floats]) -> Codes:
    """(m, w) cell of each column that each row falls into; the class is the last column."""
    numbers, levels = encoding.cells(rows.scores)
    cut = [
        np.where(np.isnan(column), len(borders) + 1, np.searchsorted(borders, column, side="right"))
        for column, borders in zip(numbers.T, cuts, strict=True)
    ]
    codes: Codes = np.column_stack([*cut, levels, rows.classes]).astype(np.int64)
    return codes


def _combined(codes: Codes, pair: NDArray[np.intp], sizes: Codes) -> Codes:
    first, second = pair
    combined: Codes = (codes[:, first] * sizes[second] + codes[:, second]) * sizes[-1] + codes[:, -1]
    return combined
