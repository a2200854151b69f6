"""Which statements about one person does a table suggest, and how many people of another do they fit?

A predicate holds an interval for each of some columns: for a level, or a value that many share, that value alone; for a
number the neighbourhood of its value among the values of the table it is drawn from. Missing is a value of its own,
below all others, and in no interval of known ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaln

from audit.columns import levels, numbers
from audit.neighbours import Rows
from policies import Dictionary

MISSING = -np.inf
LARGEST = float(np.finfo(np.float64).max)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Predicates:
    """``low`` and ``high`` (p, d), both inclusive; ``asked`` (p, d) says which columns a predicate speaks of."""

    low: Floats
    high: Floats
    asked: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.low)

    def take(self, places: Rows) -> Predicates:
        """Some of them."""
        return Predicates(self.low[places], self.high[places], self.asked[places])


class Population:
    """A table whose rows predicates are held against; ``columns`` (n,) each, ``person`` (n,) codes in range(people)."""

    def __init__(self, columns: Sequence[Floats], numeric: NDArray[np.bool_], person: Rows) -> None:
        self.columns = tuple(columns)
        self.numeric = numeric
        _, codes = np.unique(person, return_inverse=True)
        self.person: Rows = codes.astype(np.int64)
        self.people = int(codes.max()) + 1
        self.one_row_each = self.people == len(codes)
        if self.one_row_each:
            self.person = np.arange(len(codes), dtype=np.int64)

    @classmethod
    def of(cls, frame: pd.DataFrame, person: Rows, dictionary: Dictionary) -> Population:
        """The rows of a typed frame."""
        columns, numeric = [], []
        for name in dictionary.released:
            column = dictionary.columns[name]
            numeric.append(not column.is_categorical)
            values = levels(frame, name, column).astype(np.float64) if column.is_categorical else numbers(frame, name)
            columns.append(np.where(np.isnan(values), MISSING, values))
        return cls(columns, np.array(numeric), person)

    @cached_property
    def order(self) -> tuple[Rows, ...]:
        """Rows of each column in ascending order."""
        return tuple(np.argsort(column, kind="stable").astype(np.int64) for column in self.columns)

    @cached_property
    def ascending(self) -> tuple[Floats, ...]:
        """Values of each column in ascending order."""
        return tuple(column[order] for column, order in zip(self.columns, self.order, strict=True))

    def neighbourhoods(self, rows: Rows, reach: float) -> tuple[Floats, Floats, Floats]:
        """Intervals around the values of these rows, (rows, d) low and high, and the share of the table in each.

        A number's interval goes ``reach`` of the known values up and down in rank, and on beyond the largest or
        smallest one where there are not that many; a value that alone fills that much stands by itself.
        """
        shape = len(rows), len(self.columns)
        low, high, share = np.empty(shape), np.empty(shape), np.empty(shape)
        for place, (column, ascending) in enumerate(zip(self.columns, self.ascending, strict=True)):
            value = column[rows]
            first, last = np.searchsorted(ascending, value), np.searchsorted(ascending, value, "right")
            below = int(np.searchsorted(ascending, MISSING, "right"))
            step = max(round(reach * (len(ascending) - below)), 1)
            alone = (value == MISSING) | (last - first > 2 * step) | (not self.numeric[place])
            start, stop = first - step, last + step
            bottom, top = start < below, stop > len(ascending)
            widened = np.where(bottom, -LARGEST, ascending[np.clip(start, 0, len(ascending) - 1)])
            low[:, place] = np.where(alone, value, widened)
            widened = np.where(top, LARGEST, ascending[np.clip(stop - 1, 0, len(ascending) - 1)])
            high[:, place] = np.where(alone, value, widened)
            held = np.where(alone, last - first, np.minimum(stop, len(ascending)) - np.maximum(start, below))
            share[:, place] = held / len(ascending)
        return low, high, share

    def meet(self, predicates: Predicates, most: int) -> tuple[Rows, Rows, Rows]:
        """(p,) people each predicate fits, and (predicate, person) pairs of those that fit ``most`` people or fewer."""
        start = np.zeros((len(predicates), len(self.columns)), dtype=np.int64)
        stop = np.full_like(start, len(self.person))
        for place, ascending in enumerate(self.ascending):
            asked = predicates.asked[:, place]
            start[asked, place] = np.searchsorted(ascending, predicates.low[asked, place])
            stop[asked, place] = np.searchsorted(ascending, predicates.high[asked, place], "right")
        held = np.where(predicates.asked, stop - start, len(self.person) + 1)  # columns not asked about come last
        order, asked_of = np.argsort(held, axis=1, kind="stable"), predicates.asked.sum(axis=1)
        count = np.zeros(len(predicates), dtype=np.int64)
        pairs: list[tuple[Rows, Rows]] = [(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))]
        for number in range(len(predicates)):
            by_size = order[number, : asked_of[number]].tolist()
            tightest = by_size[0]
            rows = self.order[tightest][start[number, tightest] : stop[number, tightest]]
            for place in by_size[1:]:
                if not len(rows):
                    break
                values = self.columns[place][rows]
                rows = rows[(values >= predicates.low[number, place]) & (values <= predicates.high[number, place])]
            people = rows if self.one_row_each else np.unique(self.person[rows])
            count[number] = len(people)
            if 0 < len(people) <= most:
                pairs.append((np.full(len(people), number, dtype=np.int64), people))
        return count, np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])


def alone_by_chance(fitting: Rows, people: int, drawn: int) -> Floats:
    """Chance that ``drawn`` of ``people`` people, taken at random, hold exactly one of the ``fitting`` ones.

    With all of them drawn: 1 where one fits, else 0.
    """
    rest, left = people - fitting, drawn - 1
    possible = (fitting > 0) & (rest >= left)
    rest = np.where(possible, rest, left)
    log_ways = gammaln(rest + 1) - gammaln(left + 1) - gammaln(rest - left + 1)
    log_all = gammaln(people + 1) - gammaln(drawn + 1) - gammaln(people - drawn + 1)
    result: Floats = np.where(possible, fitting * np.exp(log_ways - log_all), 0.0)
    return result
