"""In which places is a cell missing more often, or less, than elsewhere?

A hospital that does not measure something leaves the column empty for all of its patients. Strata of small classes are
too small to tell, and a Gaussian blurs it. So where the share of missing cells in a level of another column is unlike
the whole table's by more than chance, drawn rows are made to have the real share there. The form is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom

from synth.calibration.quantiles import Person
from synth.encoding.order import Codes
from synth.holders import holders

Small = NDArray[np.float32]
Apart = Callable[[Collection[str]], Small]
Rows = NDArray[np.intp]

_NEAREST = 5
_DONORS = 2_000
_BLOCK = 1_000
_CHANCE = 1e-3
"""A level is left alone if the table's own rate makes so many, or so few, missing cells with a greater chance."""


@dataclass(frozen=True)
class Absence:
    """Columns that go missing together, and where that is settled by the level of another column.

    Attributes
    ----------
    columns : names of columns missing in the same rows.
    source : name of the categorical column.
    shares : share of missing cells by level code of the source, for levels where it is not the table's.
    """

    columns: tuple[str, ...]
    source: str
    shares: tuple[tuple[int, float], ...]

    def settled(self, frame: pd.DataFrame, apart: Apart, rng: np.random.Generator) -> pd.DataFrame:
        """A typed frame (m, c) in which these levels have their share of missing cells, rounded by chance.

        Cells too many are emptied; a row with an empty cell too many takes the cells of one of the drawn rows
        most like it, of the same level if there is one: nearest-neighbour hot deck (Chen and Shao, J. Official
        Statistics 16, 2000). ``apart`` gives the rows as points (m, w), without the columns that are named.
        """
        names = list(self.columns)
        points: Small | None = None
        level = frame[self.source].cat.codes.to_numpy()
        empty = frame[names[0]].isna().to_numpy().copy()
        taken_from = np.arange(len(frame))
        for code, share in self.shares:
            rows = np.flatnonzero(level == code)
            wanted = int(share * len(rows) + rng.random())
            without, present = rng.permutation(rows[empty[rows]]), rng.permutation(rows[~empty[rows]])
            empty[present[: max(wanted - len(without), 0)]] = True
            filled = without[wanted:]
            donors = present if len(present) else np.flatnonzero(~frame[names[0]].isna().to_numpy())
            if len(filled) and len(donors):
                points = apart(names) if points is None else points
                taken_from[filled] = _alike(points, filled, donors, rng)
                empty[filled] = False
        result = frame.copy(deep=False)
        for name in names:
            result[name] = frame[name].take(taken_from).set_axis(frame.index).mask(empty)
        return result


def _alike(apart: Small, rows: Rows, donors: Rows, rng: np.random.Generator) -> Rows:
    """For each row one of the nearest donors, by chance; of many donors a sample is looked at."""
    some = rng.permutation(donors)[:_DONORS]
    places, found = apart[some], np.empty(len(rows), dtype=np.intp)
    lengths, count = (places**2).sum(axis=1), min(_NEAREST, len(some))
    for start in range(0, len(rows), _BLOCK):
        squares = lengths - 2.0 * (apart[rows[start : start + _BLOCK]] @ places.T)
        near = np.argpartition(squares, count - 1, axis=1)[:, :count]
        found[start : start + _BLOCK] = some[near[np.arange(len(near)), rng.integers(count, size=len(near))]]
    return found


def absences(
    table: pd.DataFrame,
    names: Sequence[str],
    sources: Sequence[str],
    *,
    minimum_people: int,
    people: Person | None = None,
) -> tuple[Absence, ...]:
    """What of the missing cells of some columns is settled by one of the sources; nothing where none tells anything.

    Parameters
    ----------
    names : columns of the typed frame to be looked at.
    sources : categorical columns without missing cells.
    minimum_people : a level that fewer people hold settles nothing.
    """
    levels = {source: _levels_of(table[source], minimum_people, people) for source in sources}
    together: dict[bytes, list[str]] = {}
    for name in names:
        missing = table[name].isna().to_numpy()
        if missing.any():
            together.setdefault(missing.tobytes(), []).append(name)
    found = []
    for columns in together.values():
        missing = table[columns[0]].isna().to_numpy()
        best, most = None, 0.0
        for source in sources:
            shares = levels[source].settled(missing)
            gain = sum(rows * abs(share - missing.mean()) for _, share, rows in shares)
            if source not in columns and gain > most:
                best, most = Absence(tuple(columns), source, tuple((code, share) for code, share, _ in shares)), gain
        if best is not None:
            found.append(best)
    return tuple(found)


@dataclass(frozen=True)
class _Levels:
    """Levels of a column by code, the rows of each, the place (n,) of each row's, and which enough people hold."""

    codes: Codes
    rows: Codes
    places: Codes
    held: NDArray[np.bool_]

    def settled(self, missing: NDArray[np.bool_]) -> list[tuple[int, float, int]]:
        """Code, share of missing cells (n,) and rows of every level where that share is not the table's."""
        gone = np.bincount(self.places, weights=missing).astype(np.int64)
        rate = float(missing.mean())
        chance = np.minimum(binom.cdf(gone, self.rows, rate), binom.sf(gone - 1, self.rows, rate))
        return [
            (int(self.codes[k]), float(gone[k] / self.rows[k]), int(self.rows[k]))
            for k in np.flatnonzero((chance < _CHANCE) & self.held)
        ]


def _levels_of(column: pd.Series[Any], minimum_people: int, people: Person | None) -> _Levels:
    codes, places = np.unique(column.cat.codes.to_numpy().astype(np.intp), return_inverse=True)
    return _Levels(codes, np.bincount(places), places, holders(places, len(codes), people) >= minimum_people)
