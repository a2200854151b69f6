"""How much of what sets a real person apart does the release show, beyond what it shows of strangers?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.classes import Coded, coded
from audit.combinations import Classes, Combinations, classes_of
from audit.tables import AuditTables

DOUBT = 1.0  # misses held against everybody, so that nobody with little to miss gets near a score of one
SHOWN = 1 << 32  # two counts in one number: one gather and one update per row and combination instead of two

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Counts = NDArray[np.int32]


@dataclass(frozen=True)
class Exposure:
    """A score per real row, train rows first, at most 1; and the literal figures of the released table.

    A combination *tells* a person if fewer than ``attacker_class_size`` real people, f of both tables together, share
    the person's values there; it weighs 1/f. What the release misses of a person are the telling combinations without
    a released row. ``shown`` (n,) is (expected - missed) / (expected + ``DOUBT``), where expected is what it would
    miss of a stranger: the share it misses of holdout people, by f, over what tells this person. So 0 is what chance
    shows and 1 everything. ``named`` (sensitive columns, n) is the same over combinations without the sensitive
    column, where a combination is missed as well unless all released rows of the class have the person's value.

    ``smallest`` is the number of rows in the smallest released class, ``fewest`` of distinct values in any sensitive
    column of a class on other columns (None where no sensitive column has others).

    References
    ----------
    The correction for chance is that of Cohen, A coefficient of agreement for nominal scales, Educational and
    Psychological Measurement 20 (1960).
    """

    shown: Floats
    named: Floats
    smallest: int
    fewest: int | None


def exposure(tables: AuditTables, chosen: Combinations, sensitive: tuple[str, ...]) -> Exposure:
    """Counted over the chosen combinations of released columns; literal figures of all columns where some lack."""
    codes = coded(tables)
    names = tables.dictionary.released
    real = [np.concatenate([codes.codes["train"][name], codes.codes["holdout"][name]]) for name in names]
    released = [codes.codes["released"][name] for name in names]
    sizes = [codes.sizes[name] for name in names]
    places = [names.index(name) for name in sensitive]
    sums = _Sums(len(real[0]), len(places), tables.attacker_class_size)
    literal = _Literal(len(released[0]), {place: sizes[place] for place in places} if len(names) > 1 else {})
    for classes in classes_of(real, released, sizes, _two_sides(tables), chosen):
        sums.add(classes, [(real[place], released[place], place) for place in places])
        if chosen.complete:
            finest = min(chosen.most, len(names) - 1)
            literal.add(classes.columns, classes.released, classes.total, released, finest)
    if not chosen.complete:
        _add_all_columns(literal, codes, names, released)
    return Exposure(*sums.scores(len(tables.train)), literal.smallest, literal.fewest if literal.values else None)


def _two_sides(tables: AuditTables) -> Codes:
    """Codes of real people; nobody is in both tables."""
    train, holdout = (np.unique(tables.people[side], return_inverse=True)[1] for side in ("train", "holdout"))
    return np.concatenate([train, holdout + int(train.max()) + 1]).astype(np.int64)


class _Sums:
    """Per real row and number f of people, how many combinations tell the row's person, and are shown or named."""

    def __init__(self, rows: int, sensitive: int, small: int) -> None:
        self.small = small
        self.told = np.zeros(rows * small, dtype=np.int64)  # telling combinations, and ``SHOWN`` more for each shown
        self.barred, self.named = (np.zeros((sensitive, rows * small), dtype=np.int32) for _ in range(2))

    def add(self, classes: Classes, sensitive: list[tuple[Codes, Codes, int]]) -> None:
        rare = classes.people < self.small
        rows = np.flatnonzero(rare.take(classes.real))
        if not len(rows):
            return
        cells = classes.real.take(rows)
        places = rows * self.small + classes.people.take(cells)
        there = np.flatnonzero(rare.take(classes.released))
        ids = classes.released.take(there)
        step = np.ones(classes.total, dtype=np.int64)
        step[ids] = 1 + SHOWN
        self.told[places] += step.take(cells)
        for barred, named, (real, released, column) in zip(self.barred, self.named, sensitive, strict=True):
            if column in classes.columns:
                barred[places] += 1
            else:
                only = _only_value(ids, released.take(there), classes.total)
                named[places[only.take(cells) == real.take(rows)]] += 1

    def scores(self, train: int) -> tuple[Floats, Floats]:
        """Of each row what is shown, and of each sensitive column and row what is named; the first rows are train's."""
        telling = (self.told % SHOWN).astype(np.int32)
        shown = self._score(telling, (self.told // SHOWN).astype(np.int32), train)
        named = [
            self._score(telling - barred, part, train) for barred, part in zip(self.barred, self.named, strict=True)
        ]
        return shown, np.array(named).reshape(len(named), len(shown))

    def _score(self, telling: Counts, hits: Counts, train: int) -> Floats:
        told, hit = telling.reshape(-1, self.small), hits.reshape(-1, self.small)
        strangers = told[train:].sum(axis=0), hit[train:].sum(axis=0)
        every = told.sum(axis=0), hit.sum(axis=0)
        asked, right = (np.where(strangers[0] > 0, *pair) for pair in zip(strangers, every, strict=True))
        missing = 1.0 - right / np.maximum(asked, 1)
        weight = 1.0 / np.maximum(np.arange(self.small), 1)
        expected = told @ (weight * missing)
        score: Floats = (expected - (told - hit) @ weight) / (expected + DOUBT)
        return score


class _Literal:
    """The smallest class and the fewest values of one, as far as seen; nothing is counted below one."""

    def __init__(self, rows: int, values: dict[int, int]) -> None:
        self.smallest, self.values = rows, values
        self.fewest = max(values.values(), default=1)

    def add(self, columns: tuple[int, ...], ids: Codes, total: int, released: list[Codes], finest: int) -> None:
        """Combinations of fewer than ``finest`` columns are passed over: one more column only makes smaller classes."""
        if len(columns) < finest:
            return
        if self.smallest > 1:
            sizes = np.bincount(ids, minlength=total)
            self.smallest = min(self.smallest, int(sizes[sizes > 0].min()))
        for column, size in self.values.items():
            if self.fewest > 1 and column not in columns:
                self.fewest = min(self.fewest, _fewest_values(ids, released[column], total, size))


def _add_all_columns(literal: _Literal, codes: Coded, names: tuple[str, ...], released: list[Codes]) -> None:
    every = range(len(names))
    for left_out in (None, *literal.values):
        columns = tuple(column for column in every if column != left_out)
        ids, total = codes.classes([names[column] for column in columns])
        literal.add(columns, ids["released"], total, released, 0)


def _only_value(ids: Codes, values: Codes, total: int) -> Codes:
    """Per class the one value all its rows have, -1 where they have several or there is none."""
    only = np.full(total, -1, dtype=np.int64)
    only[ids] = values
    only[ids[only.take(ids) != values]] = -1
    return only


def _fewest_values(ids: Codes, values: Codes, total: int, size: int) -> int:
    if bool((_only_value(ids, values, total) >= 0).any()):
        return 1
    if total * size <= 16 * len(ids):
        there = np.bincount(ids * size + values, minlength=total * size).reshape(total, size) > 0
        counts = there.sum(axis=1)
        return int(counts[counts > 0].min())
    pairs = np.unique(ids * size + values) // size
    return int(np.unique(pairs, return_counts=True)[1].min())
