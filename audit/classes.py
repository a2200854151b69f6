"""Which rows look alike to somebody who knows a few columns? Equivalence classes over the three tables.

Declared quasi-identifiers form one class system. Without any, the attacker may know *any* ``attacker_known_columns``
of the columns, so there is one class system for every subset of exactly that size (a smaller subset only makes larger
classes). Where there are more subsets than ``CELLS`` and ``SUBSETS`` allow, ``rng`` draws some and the method says so.

Numbers and times are binned by quantiles of train and holdout pooled: as many bins as leave each at least
``attacker_class_size`` people, but at most ``BINS``; equal values are never split. Missing is a value of its own.

Codes of a table's columns are kept as long as the table is, since several measures ask for them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.columns import Name, common_codes, levels, numbers
from audit.combinations import Narrow, narrowed
from audit.sides import SIDES, Side
from audit.tables import AuditTables

BINS = 20
CELLS = 40_000_000  # rows of the three tables times subsets, before subsets are drawn instead of listed
SUBSETS = (200, 5_000)  # but never fewer nor more than these

Codes = NDArray[np.int64]
Whole = Mapping[str, tuple[Mapping[Name, Narrow], int]]  # by column: codes of each table, and how many there are


@dataclass(frozen=True)
class Knowledge:
    """The column subsets an attacker is tried with, out of how many."""

    subsets: tuple[tuple[str, ...], ...]
    possible: int
    declared: bool

    @property
    def method(self) -> str:
        if self.declared:
            return f"declared quasi-identifiers ({len(self.subsets[0])} columns together)"
        size = len(self.subsets[0])
        if len(self.subsets) == self.possible:
            return f"every subset of {size} columns ({self.possible})"
        return f"{len(self.subsets)} of {self.possible} subsets of {size} columns, drawn at random"


def knowledge(tables: AuditTables, unknown: Sequence[str], rng: np.random.Generator) -> Knowledge:
    """What the attacker may know; ``unknown`` columns are left out. No subsets where no column is left."""
    dictionary = tables.dictionary
    declared = tuple(name for name in dictionary.quasi_identifiers if name not in unknown)
    if declared:
        return Knowledge((declared,), 1, declared=True)
    names = [name for name in dictionary.released if name not in unknown]
    size = min(tables.attacker_known_columns, len(names))
    if size == 0:
        return Knowledge((), 0, declared=False)
    possible = math.comb(len(names), size)
    rows = sum(len(frame) for frame in tables.frames.values())
    affordable = int(np.clip(CELLS // rows, *SUBSETS))
    if possible <= affordable:
        return Knowledge(tuple(itertools.combinations(names, size)), possible, declared=False)
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < affordable:
        drawn.add(tuple(sorted(rng.choice(len(names), size, replace=False).tolist())))
    return Knowledge(tuple(tuple(names[i] for i in subset) for subset in sorted(drawn)), possible, declared=False)


@dataclass(frozen=True)
class Coded:
    """One code per row and column of each table, in ``range(sizes[column])``; 0 is missing."""

    codes: Mapping[Side, Mapping[str, Codes]]
    sizes: Mapping[str, int]

    def classes(self, subset: Sequence[str]) -> tuple[dict[Side, Codes], int]:
        """Class codes of every row of the three tables, and how many codes there are (some may be empty)."""
        return combine([{side: self.codes[side][name] for side in SIDES} for name in subset], self.sizes, subset)


def coded(tables: AuditTables) -> Coded:
    """Levels and bins of all released columns."""
    if tables not in _CODED:
        _CODED[tables] = _coded(tables)
    return _CODED[tables]


def value_codes(tables: AuditTables) -> Whole[Side]:
    """Codes of all released columns' values; see :func:`codes_of`."""
    if tables not in _VALUES:
        _VALUES[tables] = codes_of(tables.frames)
    return _VALUES[tables]


_CODED: WeakKeyDictionary[AuditTables, Coded] = WeakKeyDictionary()
_VALUES: WeakKeyDictionary[AuditTables, Whole[Side]] = WeakKeyDictionary()


def _coded(tables: AuditTables) -> Coded:
    codes: dict[Side, dict[str, Codes]] = {side: {} for side in SIDES}
    sizes: dict[str, int] = {}
    weights = np.concatenate([_weights(tables.people["train"]), _weights(tables.people["holdout"])])
    for name, column in ((name, tables.dictionary.columns[name]) for name in tables.dictionary.released):
        if column.is_categorical:
            sizes[name] = len(column.categories or ()) + 1
            for side, frame in tables.frames.items():
                codes[side][name] = levels(frame, name, column)
            continue
        values = {side: numbers(frame, name) for side, frame in tables.frames.items()}
        starts = bin_starts(np.concatenate([values["train"], values["holdout"]]), weights, tables.attacker_class_size)
        sizes[name] = len(starts) + 1
        for side in SIDES:
            binned = np.searchsorted(starts[1:], values[side], side="right") + 1
            codes[side][name] = np.where(np.isnan(values[side]), 0, binned)
    return Coded(codes, sizes)


def bin_starts(values: NDArray[np.float64], weights: NDArray[np.float64], people: int) -> NDArray[np.float64]:
    """Lowest value of each bin, ascending, at least one bin; NaN is passed over.

    Every bin holds a total weight of ``people`` or more (all of it, if there is less), and equal values share a bin.
    """
    known = ~np.isnan(values)
    distinct, inverse = np.unique(values[known], return_inverse=True)
    if not len(distinct):
        return np.zeros(1)
    reached = np.cumsum(np.bincount(inverse, weights=weights[known]))
    target = max(float(people), float(reached[-1]) / BINS) - 1e-9
    starts, first, before = [], 0, 0.0
    while first < len(distinct) and reached[-1] - before >= target:
        starts.append(first)
        first = int(np.searchsorted(reached, before + target)) + 1
        before = float(reached[first - 1])
    return distinct[starts or [0]]


def combine(
    columns: Sequence[Mapping[Name, Codes] | Mapping[Name, Narrow]], sizes: Mapping[str, int], names: Sequence[str]
) -> tuple[dict[Name, Codes], int]:
    """One code per row for the combination of several columns, equal exactly where all columns are."""
    ids: dict[Name, Codes] = {table: np.zeros(len(part), dtype=np.int64) for table, part in columns[0].items()}
    total = 1
    rows = sum(len(part) for part in ids.values())
    for column, name in zip(columns, names, strict=True):
        ids = {table: part * sizes[name] + column[table] for table, part in ids.items()}
        total *= sizes[name]
        if total > 16 * rows + 1024:
            ids, distinct = common_codes(ids)
            total = len(distinct)
    return ids, total


def identical_rows(tables: AuditTables) -> dict[Side, Codes]:
    """One code per row of each table, equal exactly where all released values are (missing equals missing)."""
    return whole_rows(value_codes(tables))[0]


def codes_of(frames: Mapping[Name, pd.DataFrame]) -> Whole[Name]:
    """Codes of the values of tables with the same columns as they stand, without bins; missing is a column's last."""
    found: dict[str, tuple[Mapping[Name, Narrow], int]] = {}
    for name in next(iter(frames.values())).columns:
        codes, distinct = common_codes({table: numbers(frame, name) for table, frame in frames.items()})
        found[name] = {table: narrowed(part, len(distinct)) for table, part in codes.items()}, len(distinct)
    return found


def whole_rows(values: Whole[Name]) -> tuple[dict[Name, Codes], int]:
    """One code per row, equal exactly where all values are, and how many codes there are (some may be unused)."""
    sizes = {name: size for name, (_, size) in values.items()}
    return combine([codes for codes, _ in values.values()], sizes, tuple(values))


def stacked(values: Whole[Name], tables: Sequence[Name]) -> Codes:
    """The (r, d) codes of all values of these tables, their rows one below the other."""
    return np.column_stack([np.concatenate([codes[table] for table in tables]) for codes, _ in values.values()])


@dataclass(frozen=True)
class People:
    """Who is in which class: one (class, person) pair for each class a person has a row in."""

    classes: Codes
    person: Codes
    count: int

    @classmethod
    def of(cls, classes: Codes, person: Codes, count: int) -> People:
        """``person`` (n,) codes in ``range(count)``; rows of one person in one class count once."""
        if count == len(person):  # one row each
            return cls(classes, person, count)
        pairs = np.unique(classes * count + person)
        return cls(pairs // count, pairs % count, count)

    def sizes(self, total: int) -> Codes:
        """People in each of ``total`` classes."""
        return np.bincount(self.classes, minlength=total)

    def add_up(self, per_pair: NDArray[np.float64]) -> NDArray[np.float64]:
        """Per person, the sum of a figure per (class, person) pair."""
        sums = np.bincount(self.person, weights=per_pair, minlength=self.count)
        return sums.astype(np.float64, copy=False)

    def most(self, per_pair: NDArray[np.float64]) -> NDArray[np.float64]:
        """Per person, the largest of a non-negative figure per (class, person) pair."""
        result = np.zeros(self.count)
        np.maximum.at(result, self.person, per_pair)
        return result


def numbered(people: Codes) -> tuple[Codes, int]:
    """The same people in codes without gaps, and how many there are."""
    distinct, person = np.unique(people, return_inverse=True)
    return person, len(distinct)


def _weights(people: Codes) -> NDArray[np.float64]:
    """One over the person's number of rows, so that a weight of k can only come from k people or more."""
    _, inverse, counts = np.unique(people, return_inverse=True, return_counts=True)
    shares: NDArray[np.float64] = np.reciprocal(counts.astype(np.float64))
    return shares[inverse]
