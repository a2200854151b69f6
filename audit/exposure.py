"""How much of what sets a real person apart does the release show, beyond what it shows of strangers?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.classes import Coded, coded
from audit.combinations import Classes, Combinations, Narrow, classes_of, narrowed
from audit.tables import AuditTables

DOUBT = 1.0  # misses held against everybody, so that nobody with little to miss gets near a score of one
PAIRS = 4  # pairs of a class and a sensitive value, per released row, up to which they are counted all together

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Counts = NDArray[np.int32]
Flags = NDArray[np.bool_]


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
    secrets = [_Secret.of(place, real[place], released[place], sizes[place]) for place in places]
    sums = _Sums(len(real[0]), secrets, tables.attacker_class_size, len(chosen.chosen))
    literal = _Literal(len(released[0]), {place: sizes[place] for place in places} if len(names) > 1 else {})
    for classes in classes_of(real, released, sizes, _two_sides(tables), chosen):
        sums.add(classes)
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


@dataclass(frozen=True)
class _Secret:
    """A sensitive column: its place among the columns, and codes in ``range(size)``."""

    column: int
    real: Narrow
    released: Narrow
    size: int

    @classmethod
    def of(cls, column: int, real: Codes, released: Codes, size: int) -> _Secret:
        return cls(column, narrowed(real, size), narrowed(released, size), size)

    def pairs(self, classes: Classes) -> Codes | None:
        """(size, total) released rows by value and class, None where that is much more than there are rows."""
        pairs = self.size * classes.total
        if pairs > PAIRS * len(self.released):
            return None
        ids = narrowed(self.released, pairs) * classes.total + narrowed(classes.released, pairs)
        return np.bincount(ids, minlength=pairs).reshape(self.size, classes.total)

    def named(self, classes: Classes, rows: Codes, cells: Codes, pairs: Codes | None, every: Codes) -> Flags:
        """Whether all released rows in these classes, of ``every`` rows and at least one, have these real rows' values.

        ``rows`` (k,) are places of real rows and ``cells`` (k,) their classes.
        """
        value = self.real.take(rows).astype(np.int64)
        if pairs is not None:
            alone: Flags = (pairs == every) & (every > 0)
            return alone.reshape(-1).take(value * classes.total + cells)
        asked = np.zeros(classes.total, dtype=np.bool_)
        asked[cells] = True
        there = np.flatnonzero(asked.take(classes.released))
        only = _only_value(classes.released.take(there), self.released.take(there), classes.total)
        right: Flags = only.take(cells) == value
        return right


class _Sums:
    """Per real row and number f of people, how many combinations tell the row's person, and are shown or named."""

    def __init__(self, rows: int, secrets: list[_Secret], small: int, combinations: int) -> None:
        self.secrets, self.small = secrets, small
        # per row, first by f those that are not shown, then by f those that are
        self.told = np.zeros(rows * 2 * small, dtype=np.min_scalar_type(combinations))
        self.barred, self.named = ([np.zeros_like(self.told) for _ in secrets] for _ in range(2))

    def add(self, classes: Classes) -> None:
        telling = (classes.people > 0) & (classes.people < self.small)
        if not telling.any():
            return
        pairs = [None if secret.column in classes.columns else secret.pairs(classes) for secret in self.secrets]
        counted = [part for part in pairs if part is not None]
        every = counted[0].sum(axis=0) if counted else np.bincount(classes.released, minlength=classes.total)
        told = np.where(telling, classes.people + self.small * (every > 0), 0)
        found = told.astype(np.min_scalar_type(2 * self.small)).take(classes.real)
        rows = np.flatnonzero(found != 0)
        places = rows * (2 * self.small) + found.take(rows)
        self.told[places] += 1
        cells = classes.real.take(rows)
        for barred, named, part, secret in zip(self.barred, self.named, pairs, self.secrets, strict=True):
            if secret.column in classes.columns:
                barred[places] += 1
            else:
                named[places[secret.named(classes, rows, cells, part, every)]] += 1

    def scores(self, train: int) -> tuple[Floats, Floats]:
        """Of each row what is shown, and of each sensitive column and row what is named; the first rows are train's."""
        telling, shown = self._by_size(self.told)
        scores = [self._score(telling, shown, train)]
        for barred, named in zip(self.barred, self.named, strict=True):
            scores.append(self._score(telling - self._by_size(barred)[0], self._by_size(named)[1], train))
        return scores[0], np.array(scores[1:]).reshape(len(self.secrets), len(scores[0]))

    def _by_size(self, counts: Narrow) -> tuple[Counts, Counts]:
        """(rows, small) counts of all combinations, and of those that are shown."""
        parts = counts.reshape(-1, 2, self.small).astype(np.int32)
        return parts.sum(axis=1, dtype=np.int32), np.ascontiguousarray(parts[:, 1])

    def _score(self, told: Counts, hit: Counts, train: int) -> Floats:
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

    def add(self, columns: tuple[int, ...], ids: Narrow, total: int, released: list[Codes], finest: int) -> None:
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


def _only_value(ids: Narrow, values: Narrow, total: int) -> Codes:
    """Per class the one value all its rows have, -1 where they have several or there is none."""
    only = np.full(total, -1, dtype=np.int64)
    only[ids] = values
    only[ids[only.take(ids) != values]] = -1
    return only


def _fewest_values(ids: Narrow, values: Codes, total: int, size: int) -> int:
    ids = ids.astype(np.int64)
    if bool((_only_value(ids, values, total) >= 0).any()):
        return 1
    if total * size <= 16 * len(ids):
        there = np.bincount(ids * size + values, minlength=total * size).reshape(total, size) > 0
        counts = there.sum(axis=1)
        return int(counts[counts > 0].min())
    pairs = np.unique(ids * size + values) // size
    return int(np.unique(pairs, return_counts=True)[1].min())
