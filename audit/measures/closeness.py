"""How much nearer to a person's sensitive value does a class of the release bring somebody who knows the class?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from audit.classes import Codes, coded, knowledge
from audit.columns import common_codes, levels, numbers
from audit.intervals import difference_of_means
from audit.outcome import FEWEST, measured, too_few, void_all
from audit.plan import Plan
from audit.sides import SIDES, Side
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("t_closeness", "t_closeness_excess")
# no other plant: under coarse quasi-identifiers the classes of copied rows are crowds
CONTROLS = {"t_closeness_excess": Plan(0.0, NAMES[1:], staked=NAMES[1:])}

DENSE = 8  # codes of a class and a value, per released row, up to which rows are counted by code and not sorted

Floats = NDArray[np.float64]


def closeness(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Literal t of the release, and what its classes say of real people, over the class systems of ``audit.classes``.

    - ``t_closeness``: the largest earth mover's distance between the sensitive values of a released class and those of
      the whole release, over all classes, sensitive columns (declared, or the target) and systems; in [0, 1].
    - ``t_closeness_excess``: mean gain of train people minus mean gain of holdout people. A person's gain is by how
      much the class brings a guess nearer: the mean distance from the person's value to the values of the release,
      minus that to the values of the released class the person belongs to; 0 for people whom no released row matches,
      the largest of a person's rows, mean over systems and sensitive columns. Measured by the same ranks, no gain
      exceeds t: the earth mover's distance bounds how far means of a distance can differ. What classes say rightly of
      everybody helps with both kinds of people, so a fresh sample gives 0; given the release people are independent:
      Welch's interval.

    The systems are the declared quasi-identifiers or, where there are none, combinations of a few columns. There is no
    t on all columns together: where numbers are fine every row is a class there, and t is that of single values,
    whatever was released. Classes of any few columns that give one value away are those of ``all_columns``.

    Distance of two values: 0 or 1 for categories; for numbers, times and ordinals the difference of their ranks among
    the distinct values (those released, for t; of all tables, for gains), over the largest such difference. A missing
    value hangs half of the range away from the middle one.

    References
    ----------
    Li, Li, Venkatasubramanian, t-closeness: privacy beyond k-anonymity and l-diversity, ICDE 2007. Kantorovich and
    Rubinstein, On a space of completely additive functions, Vestnik Leningrad 13 (1958), the bound.
    """
    sensitive = tables.dictionary.secrets
    if not sensitive:
        return void_all(NAMES, "inconclusive", "the dictionary declares neither a sensitive column nor a target")
    known = knowledge(tables, sensitive, rng)
    if not known.subsets:
        return void_all(NAMES, "inconclusive", "every released column is sensitive: there is nothing to match on")
    codes, scales = coded(tables), [_Scale.of(tables, name) for name in sensitive]
    people = {side: np.unique(tables.people[side], return_inverse=True)[1] for side in SIDES}
    gains = {side: np.zeros(int(people[side].max()) + 1) for side in ("train", "holdout")}
    largest, systems = 0.0, len(known.subsets) * len(scales)
    for subset in known.subsets:
        ids, total = codes.classes(subset)
        for scale in scales:
            largest = max(largest, scale.farthest_class(ids["released"], total))
            released = _Released.of(ids["released"], scale.place["released"], total, scale.size)
            for side, gain in gains.items():
                row = scale.gains(ids, released, side)  # type: ignore[arg-type]
                best = np.full(len(gain), -np.inf)
                np.maximum.at(best, people[side], row)  # type: ignore[index]
                gain += best / systems
    exact = Measurement.exact("t_closeness", largest, n=len(tables.released), method=known.method)
    if tables.fewest_people < FEWEST:
        return exact, *too_few(NAMES[1:], tables.fewest_people)
    train, holdout = gains["train"], gains["holdout"]
    value = float(train.mean() - holdout.mean())
    interval = difference_of_means(train, holdout, tables.confidence, low=-1.0, high=1.0)
    n = len(train) + len(holdout)
    return exact, measured("t_closeness_excess", value, interval, tables.confidence, n, f"{known.method}; Welch")


@dataclass(frozen=True)
class _Scale:
    """One sensitive column: what a distance between two of its values is.

    ``place`` are ranks for ordered columns (missing at the middle one) and codes for categories, in ``range(size)``
    over the three tables.
    """

    ordered: bool
    place: dict[Side, Codes]
    missing: dict[Side, NDArray[np.bool_]]
    size: int

    @classmethod
    def of(cls, tables: AuditTables, name: str) -> _Scale:
        column = tables.dictionary.columns[name]
        if column.is_categorical and column.type != "ordinal":
            codes = {side: levels(frame, name, column) for side, frame in tables.frames.items()}
            nobody = {side: np.zeros(len(part), dtype=np.bool_) for side, part in codes.items()}
            return cls(False, codes, nobody, len(column.categories or ()) + 1)
        values = {side: numbers(frame, name) for side, frame in tables.frames.items()}
        missing = {side: np.isnan(part) for side, part in values.items()}
        codes, distinct = common_codes(values)
        size = max(int((~np.isnan(distinct)).sum()), 1)
        place = {side: np.where(missing[side], (size - 1) // 2, codes[side]) for side in SIDES}
        return cls(True, place, missing, size)

    def farthest_class(self, ids: Codes, total: int) -> float:
        """Largest earth mover's distance of a class to the whole; (n,) class codes of released rows."""
        value, lost = self.place["released"], self.missing["released"]
        rows = np.bincount(ids, minlength=total)
        if not self.ordered:
            return _total_variation(ids, value, rows, self.size)
        there = rows > 0
        ids, rows = (np.cumsum(there) - 1)[ids], rows[there]
        rank, distinct = self._ranks
        away = np.bincount(ids, weights=lost, minlength=len(rows)) / rows
        moved = _moved(ids, rank, rows, max(distinct, 1))
        return float((moved / max(distinct - 1, 1) + np.abs(away - lost.mean()) / 2).max())

    def gains(self, ids: dict[Side, Codes], released: _Released, side: Side) -> Floats:
        """Per row of a real table, mean distance to all released values minus that to those of its class."""
        own_class = self._distances(ids["released"], released, ids[side], side)
        result: Floats = np.where(np.isnan(own_class), 0.0, self._all_together[side] - own_class)
        return result

    @cached_property
    def _ranks(self) -> tuple[Codes, int]:
        """Ranks of released values among the distinct ones released, and how many of those there are."""
        value, lost = self.place["released"], self.missing["released"]
        distinct = np.unique(value[~lost])
        last = max(len(distinct) - 1, 0)
        return np.where(lost, last // 2, np.minimum(np.searchsorted(distinct, value), last)), len(distinct)

    @cached_property
    def _all_together(self) -> dict[Side, Floats]:
        """Per row of a real table, mean distance to all released values."""
        everyone = {side: np.zeros(len(part), dtype=np.int64) for side, part in self.place.items()}
        released = _Released.of(everyone["released"], self.place["released"], 1, self.size)
        real: tuple[Side, Side] = ("train", "holdout")
        return {side: self._distances(everyone["released"], released, everyone[side], side) for side in real}

    def _distances(self, ids: Codes, released: _Released, own: Codes, side: Side) -> Floats:
        """Mean distance from each real row's value to the values of released rows of class ``own``; NaN without any."""
        value, first = self.place[side], released.edges[0]
        rows = np.diff(first)[own]
        there = np.where(rows > 0, rows, np.nan)
        at = own * self.size + value
        if not self.ordered:
            different: Floats = 1.0 - (released.before(at + 1)[0] - released.before(at)[0]) / there
            return different
        below, summed = released.before(at)
        sums = released.edges[1]
        far = value * (2 * below - first[own] - first[own + 1]) + sums[own] + sums[own + 1] - 2 * summed
        lost = np.bincount(ids, weights=self.missing["released"], minlength=len(first) - 1)[own] / there
        apart = np.where(self.missing[side], 1 - lost, lost) / 2
        ordered: Floats = far / there / max(self.size - 1, 1) + apart
        return ordered


@dataclass(frozen=True)
class _Released:
    """Released rows in the order of their class and, within it, of their value.

    ``before`` tells, for codes class * size + value, how many rows come before the first of that code, and the sum of
    their values; ``edges`` are the same for the beginning of every class and the end of the last.
    """

    before: Callable[[Codes], tuple[Codes, Codes]]
    edges: tuple[Codes, Codes]

    @classmethod
    def of(cls, ids: Codes, value: Codes, total: int, size: int) -> _Released:
        before = _addressed(ids, value, total, size) if total * size <= DENSE * len(ids) else _sorted(ids, value, size)
        return cls(before, before(np.arange(total + 1) * size))


def _addressed(ids: Codes, value: Codes, total: int, size: int) -> Callable[[Codes], tuple[Codes, Codes]]:
    counts = np.bincount(ids * size + value, minlength=total * size)
    sums = counts.reshape(total, size) * np.arange(size)
    below, summed = (np.concatenate([[0], np.cumsum(part)]) for part in (counts, sums))
    return lambda at: (below.take(at), summed.take(at))


def _sorted(ids: Codes, value: Codes, size: int) -> Callable[[Codes], tuple[Codes, Codes]]:
    key = np.sort(ids * size + value)
    summed = np.concatenate([[0], np.cumsum(key % size)])

    def before(at: Codes) -> tuple[Codes, Codes]:
        below = np.searchsorted(key, at)
        return below, summed[below]

    return before


def _total_variation(ids: Codes, value: Codes, rows: Codes, size: int) -> float:
    """Largest over classes of half the summed differences of shares: values a class lacks count by their share."""
    overall = np.bincount(value, minlength=size) / len(value)
    if len(rows) * size <= DENSE * len(ids):
        all_counts = np.bincount(ids * size + value)
        pairs = np.flatnonzero(all_counts)
        counts = all_counts[pairs]
    else:
        pairs, counts = np.unique(ids * size + value, return_counts=True)
    surplus = np.maximum(counts / rows[pairs // size] - overall[pairs % size], 0.0)
    return float(np.bincount(pairs // size, weights=surplus).max())


def _moved(ids: Codes, rank: Codes, rows: Codes, size: int) -> Floats:
    """Per class, the sum over ranks of |share of the class up to there - share of all rows up to there|.

    Between two values of a class its share c stays put while the overall share F rises, so the sum over that stretch
    turns once, where F passes c: prefix sums of F give it without a table of classes by ranks.
    """
    overall = np.cumsum(np.bincount(rank, minlength=size)) / len(rank)
    prefix = np.concatenate([[0.0], np.cumsum(overall)])
    key = np.sort(ids * size + rank)
    of, start = key // size, key % size
    first = np.cumsum(rows) - rows
    share = (np.arange(len(key)) - first[of] + 1) / rows[of]
    last = np.append(of[1:] != of[:-1], True)
    stop = np.where(last, size, np.append(start[1:], size))
    turn = np.clip(np.searchsorted(overall, share), start, stop)
    stretch = share * (2 * turn - start - stop) + prefix[start] + prefix[stop] - 2 * prefix[turn]
    moved: Floats = prefix[start[first]] + np.bincount(of, weights=stretch, minlength=len(rows))
    return moved
