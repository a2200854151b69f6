"""How does a column of categories become ranks, and how do ranks become categories again without naming a patient?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from synth.calibration.quantiles import Floats, Person
from synth.encoding.order import Codes, Context, insertion, nominal_order
from synth.encoding.values import interval_at


@dataclass(frozen=True)
class LevelCodec:
    """Intervals of [0, 1], one per level, and the way back.

    Missing counts as a level. Levels held by fewer than ``minimum_people`` people (and by one at least) are *rare*.
    Together they make one pooled interval if the pool holds enough people; otherwise their rows are *strays*, which
    have no rank at all. Either way the rare level of a synthetic row is drawn by chance, with weights ``rows + a`` over
    all declared rare levels (``a = min(1, pool rows / rare levels)``): which other cells a rare level goes with is not
    told, nor for certain whether anyone holds it. The rule is ours; ten or fewer is the usual cell to suppress.

    Attributes
    ----------
    declared : number of declared levels; code -1 is missing.
    order : codes in rank order; ``declared`` stands for the pool of rare levels.
    edges : (len(order) + 1,) ends of their intervals.
    rare, rare_weights : codes of the rare levels and their chances.
    stray_share : share of rows that are strays.
    """

    declared: int
    order: Codes
    edges: Floats
    rare: Codes
    rare_weights: Floats
    stray_share: float

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
        held = rows if people is None else _people_per_slot(slots, people, declared + 1)
        common = held >= minimum_people
        rare_rows = int(rows[~common].sum())
        is_declared = np.arange(declared + 1) < declared
        rare_slots = np.flatnonzero(~common & (is_declared | (rows > 0)) & (rare_rows > 0))
        in_pool = np.isin(slots, rare_slots[rows[rare_slots] > 0])
        pool_people = rare_rows if people is None else len(np.unique(people[in_pool]))
        pooled = pool_people >= minimum_people
        smoothing = min(1.0, rare_rows / max(len(rare_slots), 1))
        weights: Floats = (rows[rare_slots] + smoothing).astype(np.float64)
        grouped = np.where(in_pool, declared + 1, slots)
        sizes = np.bincount(grouped, minlength=declared + 2)
        if not pooled:
            sizes[declared + 1] = 0
        axis = context.axis(grouped, declared + 2, owner)
        order = _ordered(axis, sizes, declared) if keeps_order else nominal_order(axis)
        order = order[sizes[order] > 0]
        edges = np.concatenate([[0.0], np.cumsum(sizes[order])]) / max(sizes.sum(), 1)
        return cls(
            declared=declared,
            order=_slot_codes(order, declared),
            edges=edges,
            rare=_slot_codes(rare_slots, declared),
            rare_weights=weights / max(float(weights.sum()), 1e-12),
            stray_share=0.0 if pooled else rare_rows / len(codes),
        )

    def intervals(self, codes: Codes) -> tuple[Floats, Floats]:
        """(n,) lower and upper end of the interval of each code; (0, 1) for a stray, whose rank is free."""
        pool = np.flatnonzero(self.order == self.declared)
        rare_at = int(pool[0]) if len(pool) else -1
        at = np.full(self.declared + 2, rare_at, dtype=np.intp)
        told = np.flatnonzero(self.order != self.declared)
        at[self.order[told] + 1] = told
        places = at[codes + 1]
        free = places < 0
        return np.where(free, 0.0, self.edges[places]), np.where(free, 1.0, self.edges[places + 1])

    def decode(self, probabilities: Floats, rng: np.random.Generator) -> Codes:
        """Level codes at probabilities in (0, 1); strays are put on rows taken by chance."""
        spans = np.column_stack([self.edges[:-1], self.edges[1:]])
        place = interval_at(np.clip(probabilities, 0.0, np.nextafter(1.0, 0.0)), spans)
        codes = self.order[np.maximum(place, 0)]
        rare = codes == self.declared
        strays = self.stray_share * len(codes)
        taken = rng.permutation(len(codes))[: int(strays + rng.random())]
        rare[taken] = True
        if rare.any():
            codes = codes.copy()
            codes[rare] = rng.choice(self.rare, size=int(rare.sum()), p=self.rare_weights)
        return codes


def _people_per_slot(slots: Codes, people: Person, count: int) -> Codes:
    codes = int(people.max()) + 1
    return np.bincount(np.unique(slots * codes + people) // codes, minlength=count)


def _slot_codes(slots: Codes, declared: int) -> Codes:
    """Level codes of slots: slot ``declared`` is missing (-1), the one after it the pool (``declared``)."""
    return np.where(slots == declared, -1, np.where(slots == declared + 1, declared, slots)).astype(np.intp)


def _ordered(axis: Floats, sizes: Codes, declared: int) -> Codes:
    """Declared order, with missing and the pool put in where they cause least disorder."""
    own = np.flatnonzero(sizes[:declared] > 0)
    order = [int(level) for level in own]
    extras = [slot for slot in (declared, declared + 1) if sizes[slot] > 0]
    places = {
        slot: insertion(axis[own], sizes[own].astype(np.float64), float(axis[slot])) if len(own) else 0
        for slot in extras
    }
    for slot in sorted(extras, key=lambda slot: -places[slot]):
        order.insert(places[slot], slot)
    return np.array(order, dtype=np.intp)
