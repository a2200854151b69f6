"""How does a column of categories become ranks, and how do ranks become categories again without naming a patient?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from synth.calibration.quantiles import Floats, Person
from synth.encoding.order import Codes, Context, insertion, nominal_order
from synth.encoding.values import interval_at
from synth.holders import holders


@dataclass(frozen=True)
class LevelCodec:
    """Intervals of [0, 1], one per level, and the way back.

    Missing counts as a level. A level held by fewer than ``minimum_people`` people is never released: where the order
    of levels means something its rows count as rows of the nearest level that is (bottom and top coding: Hundepool et
    al., Statistical disclosure control, 2012, section 3.3), elsewhere as rows of which nobody knows the level; where
    there is no other, they are missing. The bound is ours to choose; ten or fewer is the usual cell to suppress.

    Attributes
    ----------
    declared : number of declared levels; code -1 is missing.
    order : codes in rank order.
    edges : (len(order) + 1,) ends of their intervals.
    ordered : the declared order means something.
    """

    declared: int
    order: Codes
    edges: Floats
    ordered: bool

    @classmethod
    def fit(
        cls,
        codes: Codes,
        declared: int,
        *,
        keeps_order: bool,
        context: Context,
        owner: int,
        minimum_people: int,
        people: Person | None = None,
    ) -> Self:
        """Learn the intervals.

        Parameters
        ----------
        codes : (n,) level codes, -1 for missing, n >= 1.
        keeps_order : the declared order means something (ordinal, boolean); otherwise the context orders the levels.
        context, owner : the other columns, and this column's number among them.
        people : (n,) person codes; without them every row is another person.
        """
        slots = np.where(codes < 0, declared, codes)
        rows = np.bincount(slots, minlength=declared + 1)
        common = (holders(slots, declared + 1, people) >= minimum_people) & (rows > 0)
        sizes = np.where(common, rows, 0)
        # rows of rare levels stand beside the others where the order is found, as one level of their own
        axis = context.axis(np.where(common[slots], slots, declared + 1), declared + 2, owner)[: declared + 1]
        order = _ordered(axis, sizes, declared) if keeps_order else nominal_order(axis)
        order = order[sizes[order] > 0]
        edges = np.concatenate([[0.0], np.cumsum(sizes[order])]) / max(sizes.sum(), 1)
        return cls(declared, np.where(order == declared, -1, order).astype(np.intp), edges, keeps_order)

    def intervals(self, codes: Codes) -> tuple[Floats, Floats]:
        """(n,) lower and upper end of the interval of each code; (0, 1) where nothing stands for a rare level."""
        at = np.full(self.declared + 1, -1, dtype=np.intp)
        at[self.order + 1] = np.arange(len(self.order))
        told = np.sort(self.order[self.order >= 0])
        if self.ordered and len(told):
            rare = np.setdiff1d(np.arange(self.declared), told)
            at[rare + 1] = at[told[np.abs(rare[:, None] - told).argmin(axis=1)] + 1]
        places = at[codes + 1]
        free = places < 0
        return np.where(free, 0.0, self.edges[places]), np.where(
            free, 1.0, self.edges[np.minimum(places + 1, len(self.order))]
        )

    def decode(self, probabilities: Floats) -> Codes:
        """Level codes at probabilities in (0, 1)."""
        if not len(self.order):
            return np.full(len(probabilities), -1, dtype=np.intp)
        spans = np.column_stack([self.edges[:-1], self.edges[1:]])
        place = interval_at(np.clip(probabilities, 0.0, np.nextafter(1.0, 0.0)), spans)
        return self.order[np.maximum(place, 0)]


def _ordered(axis: Floats, sizes: Codes, declared: int) -> Codes:
    """Declared order, with missing put in where it causes least disorder."""
    own = np.flatnonzero(sizes[:declared] > 0)
    order = [int(level) for level in own]
    if sizes[declared] > 0:
        place = insertion(axis[own], sizes[own].astype(np.float64), float(axis[declared])) if len(own) else 0
        order.insert(place, declared)
    return np.array(order, dtype=np.intp)
