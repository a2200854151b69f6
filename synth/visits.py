"""How many rows does one person have, and what is the same in all of them?

Where a release tells which rows are one synthetic person's, the number of rows of a row's person is a column of its own
while the rows are made, so that it goes with the other columns as it does in the real table. Afterwards rows of one
number that agree in what does not change within a person are put together. The form is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from policies import Column, Dictionary
from synth.calibration.quantiles import Person

_FIXED = 0.99
"""Share of the people with several rows in whom a column must not change for it to be the person's."""
_NAME = "rows of the person"


@dataclass(frozen=True)
class Visits:
    """Numbers of rows that people have, and columns that are the person's.

    Attributes
    ----------
    name : the column of numbers, unlike any of the table's.
    counts : (k,) numbers of rows, ascending, each held by enough people.
    fixed : columns whose cell is one and the same in all rows of a person.
    ties : pairs of columns, the first of which was made from the second in its row: counted from it, or looked up.
    """

    name: str
    counts: NDArray[np.int64]
    fixed: tuple[str, ...]
    ties: tuple[tuple[str, str], ...] = ()

    @classmethod
    def fit(
        cls, table: pd.DataFrame, dictionary: Dictionary, people: Person, *, minimum_people: int
    ) -> tuple[Self, pd.DataFrame]:
        """Learn from a typed frame, and return it with the column of numbers.

        A number of rows that fewer than ``minimum_people`` people have counts as the nearest that more have. A column
        that another one determines is the person's where that one is.
        """
        rows = np.bincount(people)
        numbers, holders = np.unique(rows[rows > 0], return_counts=True)
        common = numbers[holders >= minimum_people]
        if not len(common):
            common = np.ones(1, dtype=np.int64)
        nearest = np.abs(rows[people][:, None] - common).argmin(axis=1)
        name = _NAME
        while name in table.columns:
            name += "'"
        several = rows[people] > 1
        fixed = {column: _is_fixed(table.loc[several, column], people[several]) for column in dictionary.released}
        fixed |= {each.determines: fixed[each.source] for each in dictionary.dependencies}
        visits = cls(name, common.astype(np.int64), tuple(column for column, is_fixed in fixed.items() if is_fixed))
        kind = pd.CategoricalDtype([str(count) for count in common], ordered=True)
        return visits, table.assign(**{name: pd.Categorical.from_codes(nearest, dtype=kind)})

    def described(self, dictionary: Dictionary) -> Dictionary:
        """The dictionary with the column of numbers."""
        column = Column(type="ordinal", categories=tuple(str(count) for count in self.counts))
        return dictionary.model_copy(update={"columns": {**dictionary.columns, self.name: column}})

    def grouped(
        self, frame: pd.DataFrame, dictionary: Dictionary, rng: np.random.Generator
    ) -> tuple[pd.DataFrame, Person]:
        """Rows put together to people: the frame without the column of numbers, and (m,) codes of people.

        Rows of one number are sorted by what is the person's, and as many as the number says make a person, who gets
        the cells of the first. A row that would then break a row rule, or hold two tied cells that never stood in one
        row (of dates: at a distance that never was), stays as it was and becomes a person alone.
        """
        order = rng.permutation(len(frame))
        counts = self.counts[frame[self.name].cat.codes.to_numpy()]
        keys: list[NDArray[Any]] = [
            np.arange(len(frame)),
            *(_codes(frame[name])[order] for name in reversed(self.fixed)),
        ]
        order = order[np.lexsort([*keys, counts[order]])]
        size = counts[order]
        starts_run = np.concatenate([[True], size[1:] != size[:-1]])
        place = np.arange(len(order)) - np.maximum.accumulate(np.where(starts_run, np.arange(len(order)), 0))
        begins = place % size == 0
        person = np.cumsum(begins) - 1
        first = order[np.flatnonzero(begins)[person]]
        together = frame.drop(columns=self.name)
        joined = together.iloc[order].reset_index(drop=True)
        for name in self.fixed:
            joined[name] = together[name].iloc[first].set_axis(joined.index)
        kept = np.ones(len(joined), dtype=np.bool_)
        for rule in dictionary.rules:
            kept &= rule.holds(joined)
        for name, source in self.ties:
            if (name in self.fixed) != (source in self.fixed):
                kept &= _as_before(joined, together, name, source)
        alone = ~kept
        joined.loc[alone] = together.iloc[order].set_axis(joined.index).loc[alone]
        person[alone] = person.max() + 1 + np.arange(int(alone.sum()))
        back = rng.permutation(len(joined))
        codes = np.unique(person[back], return_inverse=True)[1].astype(np.int64)
        return joined.iloc[back].reset_index(drop=True), codes


def _as_before(joined: pd.DataFrame, made: pd.DataFrame, name: str, source: str) -> NDArray[np.bool_]:
    """Whether the two cells of each row of ``joined`` go together as in some row of ``made``."""
    if joined[name].dtype.kind == "M":
        between, before = joined[name] - joined[source], (made[name] - made[source]).dropna()
        if before.empty:
            return np.ones(len(joined), dtype=np.bool_)
        return (between.isna() | between.between(before.min(), before.max())).to_numpy()
    pairs = {*zip(made[name].astype(str), made[source].astype(str), strict=True)}
    found = zip(joined[name].astype(str), joined[source].astype(str), strict=True)
    return np.fromiter((pair in pairs for pair in found), dtype=np.bool_, count=len(joined))


def _is_fixed(column: pd.Series[Any], people: Person) -> bool:
    if not len(column):
        return False
    codes = _codes(column)
    pairs = np.unique(np.column_stack([people, codes]), axis=0)[:, 0]
    per_person = np.unique(pairs, return_counts=True)[1]
    return bool((per_person == 1).mean() >= _FIXED) and len(np.unique(codes)) > 1


def _codes(column: pd.Series[Any]) -> NDArray[np.int64]:
    return pd.factorize(column, sort=True)[0].astype(np.int64)
