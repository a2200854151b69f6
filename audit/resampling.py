"""How much would a figure about three tables change with other people in them? Leave-one-group-out.

The people of each table are dealt into groups; replicate g leaves group g out of every table. Counts and moments are
kept per group and subtracted, so each row is read once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.intervals import Interval, around
from audit.sides import SIDES, Side
from audit.tables import AuditTables

GROUPS = 20

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Groups:
    """The group in ``range(count)`` of every row of each table."""

    of: dict[Side, NDArray[np.int64]]
    count: int

    @classmethod
    def deal(cls, tables: AuditTables, rng: np.random.Generator) -> Groups:
        """Whole people at random into equally many per group; fewer groups where there are few people."""
        count = min(GROUPS, tables.fewest_people)
        of: dict[Side, NDArray[np.int64]] = {}
        for side in SIDES:
            _, person = np.unique(tables.people[side], return_inverse=True)
            of[side] = (rng.permutation(int(person.max()) + 1) % count)[person]
        return cls(of, count)

    def count_codes(self, side: Side, codes: NDArray[np.int64], total: int) -> Floats:
        """(1 + groups, total) counts of each code: in the whole table, then without each group."""
        grouped = np.bincount(self.of[side] * total + codes, minlength=self.count * total).reshape(self.count, total)
        return leave_out(grouped.astype(np.float64))


def leave_out(grouped: Floats) -> Floats:
    """(1 + groups, ...) sums over all groups and over all but one, from the (groups, ...) parts."""
    whole = grouped.sum(axis=0, keepdims=True)
    return np.concatenate([whole, whole - grouped])


def jackknife_interval(replicates: Floats, confidence: float, low: float, high: float) -> Interval:
    """Interval of ``replicates[0]`` from the (1 + groups,) figures, by the delete-a-group jackknife.

    References
    ----------
    Kott, The delete-a-group jackknife, Journal of Official Statistics 17 (2001); Shao and Tu, The Jackknife and
    Bootstrap (1995), section 2.3.
    """
    left = replicates[1:]
    groups = len(left)
    variance = (groups - 1) / groups * float(((left - left.mean()) ** 2).sum())
    return around(float(replicates[0]), variance, confidence, df=groups - 1, low=low, high=high)
