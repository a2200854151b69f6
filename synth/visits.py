"""How many rows does one person have, and what is the same in all of them?

Where a release tells which rows are one synthetic person's, the number of rows of a row's person is a column of its own
while the rows are made, so that it goes with the other columns as it does in the real table. Afterwards rows of one
number are put together that agree, as far as can be, in what does not change within a person; where they do not, all
take the first one's cells, and columns that do change lose some of what tied them to these. The form is ours.

What does not change is what the dictionary says (``per_patient``). Without differential privacy it is also learned, and
so are the numbers that are told; with it both are public facts (:meth:`Visits.declared`), and the column is filled in
behind the seal, where it is counted through charged mechanisms alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    counts : (k,) numbers of rows that a person may have, ascending.
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
        that another one determines is the person's where that one is, or where it is declared so.
        """
        rows = np.bincount(people)
        numbers, holders = np.unique(rows[rows > 0], return_counts=True)
        common = numbers[holders >= minimum_people]
        if not len(common):
            common = np.ones(1, dtype=np.int64)
        nearest = np.abs(rows[people][:, None] - common).argmin(axis=1)
        several = rows[people] > 1
        fixed = {column: _is_fixed(table.loc[several, column], people[several]) for column in dictionary.released}
        name = name_beside(dictionary.columns)
        visits = cls(name, common.astype(np.int64), _persons(dictionary, fixed))
        kind = pd.CategoricalDtype([str(count) for count in common], ordered=True)
        return visits, table.assign(**{name: pd.Categorical.from_codes(nearest, dtype=kind)})

    @classmethod
    def declared(cls, dictionary: Dictionary) -> Self | None:
        """What the dictionary alone says: numbers up to ``max_rows_per_patient``, columns that are ``per_patient``.

        None where it does not ask for rows to be put together, or a patient has one at most. No row is looked at.
        """
        most = dictionary.max_rows_per_patient or 1
        if not keys_are_asked_for(dictionary) or most < 2:
            return None
        ties = tuple((each.determines, each.source) for each in dictionary.dependencies)
        return cls(name_beside(dictionary.columns), np.arange(1, most + 1), _persons(dictionary, {}), ties)

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
        counts = frame[self.name].astype(np.int64).to_numpy()
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


def keys_are_asked_for(dictionary: Dictionary) -> bool:
    """Whether the release is to tell, by fresh keys, which rows are one person's."""
    return dictionary.patient is not None and dictionary.patient in dictionary.surrogates


def name_beside(columns: Iterable[str]) -> str:
    """A name for the column of numbers, unlike any of ``columns``."""
    name, taken = _NAME, set(columns)
    while name in taken:
        name += "'"
    return name


def _persons(dictionary: Dictionary, learned: Mapping[str, bool]) -> tuple[str, ...]:
    """Columns that are the person's: declared so, learned so, or determined by one that is."""
    declared = {name: dictionary.columns[name].per_patient for name in dictionary.released}
    fixed = {name: told or learned.get(name, False) for name, told in declared.items()}
    fixed |= {each.determines: fixed[each.source] or declared[each.determines] for each in dictionary.dependencies}
    return tuple(name for name, is_fixed in fixed.items() if is_fixed)


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
