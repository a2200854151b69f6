"""Can released rows be told from real ones under Gower's distance, which takes numbers and levels as they stand?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from audit.columns import Cells
from audit.gower import Mixed, gower_nearest
from audit.measures.nnaa import figures
from audit.neighbours import Matrix, Nearest, Rows
from audit.outcome import FEWEST, too_few
from audit.plan import Plan
from audit.sides import SIDES, Side, Sides, draw_people
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("nnaa_gower_train", "nnaa_gower_holdout", "nnaa_gower_privacy_loss")
ASKED = 2_000  # rows of each table, of those that other measures ask about
CONTROLS: dict[str, Plan] = {
    "nnaa_gower_privacy_loss": Plan(0.0, NAMES, sees=("copies", "lines", "overfit"), queried=True)
}


def nnaa_gower(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Nearest-neighbour adversarial accuracy and privacy loss as ``audit.measures.nnaa`` has them, by Gower's distance.

    A number counts over the range of all real rows, of which a released one beyond it stands at the end; every column
    weighs the same. The encoding of the other measures counts in standard deviations instead, so that rare levels and
    far values weigh more. Two missing values are equal, a missing and a known one 1 apart: what is missing tells rows
    apart like any level. People, matched sizes, ties and intervals are those of ``nnaa``.

    References
    ----------
    Yale et al., Neurocomputing 416 (2020). Gower, Biometrics 27 (1971). Lautrup, Hyrup, Zimek, Schneider-Kamp,
    SynthEval: a framework for detailed utility and privacy evaluation of tabular synthetic data, Data Mining and
    Knowledge Discovery 39 (2025), whose NNAA takes this distance by default.
    """
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    sides = GowerSides(tables.sides("matched", rng), mixed(tables), rng)
    return figures(sides, NAMES, tables.confidence, " by Gower's distance")


def mixed(tables: AuditTables) -> dict[Side, Mixed]:
    """The rows of the three tables, numbers as shares of the range of all real ones."""
    cells = {side: Cells.of(frame, tables.dictionary) for side, frame in tables.frames.items()}
    real = np.concatenate([cells["train"].numbers, cells["holdout"].numbers])
    low = np.min(real, axis=0, initial=np.inf, where=~np.isnan(real))
    high = np.max(real, axis=0, initial=-np.inf, where=~np.isnan(real))
    return {side: Mixed(_shares(each.numbers, low, high), each.codes) for side, each in cells.items()}


class GowerSides:
    """The rows that ``sides`` has drawn, ``ASKED`` of those it asks about, and their neighbours by Gower's distance."""

    def __init__(self, sides: Sides, rows: Mapping[Side, Mixed], rng: np.random.Generator) -> None:
        self._sides = sides
        self._mixed = {side: rows[side].take(sides.drawn[side]) for side in SIDES}
        self.points = sides.points
        self.queries: dict[Side, Rows] = {}
        for side in SIDES:
            known = sides.queries[side]
            self.queries[side] = known[draw_people(sides.people[side][known], ASKED, rng)]
        self.nearest = cache(self._nearest)

    def rows(self, side: Side) -> int:
        """How many rows of a table were drawn."""
        return self._sides.rows(side)

    def ids(self, side: Side, positions: Rows) -> Rows:
        """Codes of the people at these positions, in one ``range(points)`` for all three tables."""
        return self._sides.ids(side, positions)

    def _nearest(self, of: Side, among: Side) -> Nearest:
        asked = self.queries[of]
        people = (self._sides.people[of][asked], self._sides.people[of]) if of == among else (None, None)
        return gower_nearest(self._mixed[of].take(asked), self._mixed[among], *people)


def _shares(numbers: Matrix, low: Matrix, high: Matrix) -> Matrix:
    """Numbers (n, p) from 0 at ``low`` (p,) to 1 at ``high``; halved first, so that no range is too wide to be told."""
    known = low <= high
    start, span = np.where(known, low, 0.0) / 2, np.where(known, high / 2 - low / 2, 0.0)
    off = np.clip(numbers, np.where(known, low, 0.0), np.where(known, high, 0.0)) / 2 - start
    inside = np.divide(off, span, out=np.zeros_like(off), where=span > 0)
    constant = (numbers != 2 * start).astype(np.float64)
    return np.where(np.isnan(numbers), np.nan, np.where(span > 0, np.clip(inside, 0.0, 1.0), constant))
