"""Which cells do rows fall into, in the tables of two columns within each class?

Calibrated marginals say nothing of two columns together; their tables do. They are learned as a statistics office
publishes them: a combination that fewer people have than may be told has no cell of its own, and where all such ones of
a class are held by so few together, the smallest cells are given up with them, so that no difference tells their number
(complementary suppression); counts are rounded to multiples of five by chance, up or down so that they are right on
average, once for all that is drawn (Hundepool et al., Statistical disclosure control, 2012, chapter 5). That is no
differential privacy: marginals are matched more closely, and whoever knows all rows but one may tell the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from synth.balanced_sampling import counted
from synth.calibration.quantiles import Floats, Person
from synth.cells import cell_borders
from synth.encoding import Encoding
from synth.holders import holders
from synth.selection import Rows

LEAST_BINS, MOST_BINS = 8, 16
"""Cells of a number, with about equally many rows, but that a common value has its own; missing is one more."""
_IN_A_CELL = 20
"""Rows in a cell of two numbers and a class, on average, where there are more than the least cells."""
MOST_TABLES = 300
"""Tables that are looked at, a random choice of those of a wide table."""
BASE = 5
"""Counts are multiples of it."""

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
    counts : (c,) rows in each cell, rounded, table by table; a table's first cells hold, class by class, all its other
        combinations.
    rows : (k,) rows of each class.
    """

    cuts: tuple[Floats, ...]
    sizes: Codes
    pairs: NDArray[np.intp]
    known: tuple[Codes, ...]
    counts: Floats
    rows: Codes

    @classmethod
    def learn(
        cls,
        encoding: Encoding,
        rows: Rows,
        owners: Person | None,
        minimum_people: int,
        rng: np.random.Generator,
        *,
        drawn: int | None = None,
    ) -> Self:
        """From scores and classes; a combination has a cell of its own where ``minimum_people`` have it.

        ``drawn`` : rows that are to have these tables, if fewer; numbers are cut no finer than suits so many.
        """
        in_class = (drawn or len(rows.classes)) / len(np.unique(rows.classes))
        bins = int(np.clip(np.sqrt(in_class / _IN_A_CELL), LEAST_BINS, MOST_BINS))
        cuts = tuple(_cuts(column, bins) for column in encoding.cells(rows.scores)[0].T)
        codes = _codes(encoding, rows, cuts)
        sizes = codes.max(axis=0) + 1
        varied = np.flatnonzero(sizes[:-1] > 1)
        pairs = varied[_pairs(len(varied), rng)]
        known = []
        for pair in pairs:
            found, place = np.unique(_combined(codes, pair, sizes), return_inverse=True)
            known.append(found[_told(found % sizes[-1], holders(place, len(found), owners), minimum_people)])
        places = _placed(codes, sizes, pairs, known)
        exact = counted(places, _size(known, sizes))
        rounded = BASE * np.floor(exact / BASE + rng.random(len(exact)))
        return cls(cuts, sizes, pairs, tuple(known), rounded, np.bincount(rows.classes, minlength=int(sizes[-1])))

    def places(self, encoding: Encoding, rows: Rows) -> list[Places]:
        """For each table the (m,) number, among the cells of all tables, of the cell that each row falls into."""
        return _placed(_codes(encoding, rows, self.cuts), self.sizes, self.pairs, self.known)

    def margins(self, encoding: Encoding, rows: Rows, strata: Codes) -> tuple[list[Places], int]:
        """For each column in a table the (m,) cell, by stratum (m,), that each row falls into, and how many there are.

        Calibration matches columns stratum by stratum: rows chosen for the tables alone would be moved by it again.
        """
        codes = _codes(encoding, rows, self.cuts)
        places, first = [], 0
        for column in np.unique(self.pairs):
            place = codes[:, column] * (int(strata.max(initial=0)) + 1) + strata
            places.append((first + place).astype(np.int32))
            first = int(places[-1].max(initial=first)) + 1
        return places, first

    def wanted(self, classes: Codes) -> Floats:
        """(c,) counts of as many rows of each class as there are in (m,) class codes."""
        times: Floats = np.bincount(classes, minlength=len(self.rows)) / np.maximum(self.rows, 1)
        pools = np.arange(self.sizes[-1])
        of_cell = [np.concatenate([pools, known % self.sizes[-1]]) for known in self.known]
        wanted: Floats = self.counts * times[np.concatenate([np.zeros(0, dtype=np.int64), *of_cell])]
        return wanted


def _told(classes: Codes, people: NDArray[np.intp], minimum_people: int) -> NDArray[np.bool_]:
    """(k,) combinations with a cell of their own; others are held by none or by ``minimum_people`` in every class."""
    told = people >= minimum_people
    for code in np.unique(classes):
        own = classes == code
        for smallest in np.flatnonzero(own)[np.argsort(people[own], kind="stable")]:
            if not 0 < people[own & ~told].sum() < minimum_people:
                break
            told[smallest] = False
    return told


def _size(known: Sequence[Codes], sizes: Codes) -> int:
    return sum(len(found) + int(sizes[-1]) for found in known)


def _placed(codes: Codes, sizes: Codes, pairs: NDArray[np.intp], known: Sequence[Codes]) -> list[Places]:
    result, first = [], 0
    classes = int(sizes[-1])
    for pair, found in zip(pairs, known, strict=True):
        combined = np.where((codes[:, pair] < sizes[pair]).all(axis=1), _combined(codes, pair, sizes), -1)
        place = np.searchsorted(found, combined)
        its_own = place < len(found)
        its_own[its_own] = found[place[its_own]] == combined[its_own]
        result.append((first + np.where(its_own, classes + place, codes[:, -1])).astype(np.int32))
        first += classes + len(found)
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


def _cuts(column: Floats, bins: int) -> Floats:
    known = column[~np.isnan(column)]
    return cell_borders(known, len(known) / bins) if len(known) else known


def _codes(encoding: Encoding, rows: Rows, cuts: Sequence[Floats]) -> Codes:
    """(m, w) cell of each column that each row falls into; the class is the last column."""
    numbers, levels = encoding.cells(rows.scores)
    numbered = [
        np.where(np.isnan(column), len(cut) + 1, np.searchsorted(cut, column, side="right"))
        for column, cut in zip(numbers.T, cuts, strict=True)
    ]
    codes: Codes = np.column_stack([*numbered, levels, rows.classes]).astype(np.int64)
    return codes


def _combined(codes: Codes, pair: NDArray[np.intp], sizes: Codes) -> Codes:
    first, second = pair
    combined: Codes = (codes[:, first] * sizes[second] + codes[:, second]) * sizes[-1] + codes[:, -1]
    return combined
