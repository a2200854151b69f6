"""Do released rows lie on the lines between people the synthesizer saw?

SMOTE and every interpolation publish points of a line between two real rows. Such a row may be far from both of its
ends, so no distance to a single person shows it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from audit.columns import Cells
from audit.intervals import clopper_pearson, share_interval, touched_variance
from audit.measures.copies import REAL, excess_interval
from audit.neighbours import SAME, Reference, Rows, farther, several
from audit.outcome import FEWEST, UNEVEN, measured, too_few, void_all
from audit.plan import Plan
from audit.sides import REFERENCE_ROWS, Side, draw_people
from audit.straight import straighten
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("segment_share", "segment_excess")
CONTROLS: dict[str, Plan] = {
    "segment_share": Plan(0.5, NAMES, sees=("lines",)),
    "segment_excess": Plan(0.0, ("segment_excess",), staked=("segment_excess",), on="lines"),
}

QUERIES = 1_500  # rows asked about, per table
CLOSE = 12  # nearest people whose pairs are all tried
WIDE = 400  # nearest people among whom the pair on either side of the row, the straightest one, is sought
STRAIGHTEST = 12  # pairs tried of those
CELLS = 2_000_000  # pairs times columns at a time
UNUSUAL = (0.0005, 0.01)  # quantile of strangers below which a row lies on a line: half a row, within these

Floats = NDArray[np.float64]


def segments(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Two figures about the line through two people that a released row departs from least.

    - ``segment_share``: share of released rows nearer to a line of train people than to one of holdout people, ties
      half; 0.5 without memory, near 1 for a table of interpolated rows.
    - ``segment_excess``: share unusually near to a line of train people, minus the same for holdout people. Unusual is
      what half a row in so many would be among real strangers (train rows against holdout people and the other way
      round), so that a few interpolated rows among innocent ones show.

    For each row, pairs of people on either side of it are tried: all among its 12 nearest ones, and the straightest
    twelve among its 400 nearest. The departure is the distance to the segment between the two in the numbers, each
    column in standard deviations; a category, or a number missing at either end, adds 2 to its square unless it equals
    one of the ends. It is divided by the row's middle distance to its 12 nearest people. In a table of categories this
    tests for rows mixed from two people.

    Train and holdout are cut to equal size, and the excess is scaled back by what was cut from train. Rows that share
    an end are dependent. With all released rows looked at, the upper end of the excess never exceeds the share that do
    lie on lines of train, which is counted.

    References
    ----------
    Chawla, Bowyer, Hall, Kegelmeyer, SMOTE, JAIR 16 (2002). Ganev et al., SMOTE and mirrors: exposing privacy leakage
    from synthetic minority oversampling, ICLR 2026 (arXiv 2510.15083).
    """
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    drawn = _Drawn(tables, rng)
    scale = len(tables.train) / drawn.size
    if scale > UNEVEN:  # a line is seen only where both of its ends were drawn
        reason = (
            f"{drawn.size} of {len(tables.train)} train rows are compared with as many holdout rows, and a line "
            "between rows that were not drawn is not seen; a holdout of about the size of train would do"
        )
        return void_all(NAMES, "inconclusive", reason, tables.fewest_people)
    strangers = np.concatenate([drawn.departure("holdout", "train")[0], drawn.departure("train", "holdout")[0]])
    n, confidence = len(drawn.queries["released"]), tables.confidence
    usual = float(np.quantile(strangers, np.clip(0.5 / n, *UNUSUAL), method="lower"))
    (train, *train_ends), (holdout, *holdout_ends) = (drawn.departure("released", side) for side in REAL)
    touched = [drawn.ids("train", end) for end in train_ends] + [drawn.ids("holdout", end) for end in holdout_ends]

    nearer = farther(holdout, train)
    share = float(nearer.mean())
    variance = touched_variance([((nearer - share) / n, touched)], drawn.points)
    trials = n if variance > 0 else min(n, drawn.size)
    method = f"{n} released rows against lines between {drawn.size} train and as many holdout rows"
    leaning = measured(
        "segment_share",
        share,
        share_interval(share, variance, trials, confidence),
        confidence,
        n,
        f"{method}; ties half",
    )

    difference = (train <= usual).astype(np.float64) - (holdout <= usual)
    variance = touched_variance([((difference - difference.mean()) / n, touched)], drawn.points)
    counted = float((train <= usual).mean())
    if scale > 1 or n < len(tables.released):
        counted = min(scale * clopper_pearson(counted, n, confidence)[1], 1.0)
    value = min(scale * float(difference.mean()), counted)
    interval = excess_interval(difference, variance, scale, counted, confidence)
    return leaning, measured("segment_excess", value, interval, confidence, n, method)


class _Drawn:
    """Rows drawn of each table and how far some of them depart from the lines of another."""

    def __init__(self, tables: AuditTables, rng: np.random.Generator) -> None:
        self.size = min(len(tables.train), len(tables.holdout), REFERENCE_ROWS)
        straight = straighten(tables)
        self._rows: dict[Side, Cells] = {}
        self._table: dict[Side, Reference] = {}
        self._people: dict[Side, Rows] = {}
        self.queries: dict[Side, Rows] = {}
        self.points = 0
        self._first: dict[Side, int] = {}
        for side, people in tables.people.items():
            kept, self._table[side] = tables.draw(side, self.size if side != "released" else QUERIES, rng)
            self._rows[side] = straight[side].take(kept)
            self._people[side] = np.unique(people[kept], return_inverse=True)[1]
            self.queries[side] = draw_people(self._people[side], QUERIES, rng)
            self._first[side] = self.points
            self.points += int(self._people[side].max(initial=-1)) + 1

    def ids(self, side: Side, rows: Rows) -> Rows:
        """One code per person over all tables."""
        return self._first[side] + self._people[side][rows]

    def departure(self, of: Side, among: Side) -> tuple[Floats, Rows, Rows]:
        """Least departure (q,) of each query of table ``of`` from a line of table ``among``, and that line's ends."""
        asked = self.queries[of]
        matrix, rows = self._table[of].rows[asked], self._rows[of].take(asked)
        near = several(matrix, self._table[among], min(WIDE, self.size))
        close = near[:, :CLOSE]
        gap = self._table[among].rows[close] - matrix[:, None, :]
        room = np.median(np.sqrt(np.einsum("qkw,qkw->qk", gap, gap)), axis=1)
        one, other = np.triu_indices(close.shape[1], 1)
        straightest = _opposite(rows.numbers, self._rows[among].numbers, near)
        first = np.hstack([close[:, one], straightest[0]])
        second = np.hstack([close[:, other], straightest[1]])
        squared = _squared_departure(rows, self._rows[among], first, second)
        best = squared.argmin(axis=1)
        here = np.arange(len(asked))
        found = np.sqrt(squared[here, best]) / np.where(room > 0, room, 1.0)
        found[found < SAME] = 0.0  # off its line by rounding only
        found[room == 0] = np.inf  # in a crowd of equals every line is theirs
        return found, first[here, best], second[here, best]


def _opposite(queries: Floats, reference: Floats, near: Rows) -> tuple[Rows, Rows]:
    """Ends (q, few) of the pairs among ``near`` that have each query most nearly between them; missing: median."""
    few = min(STRAIGHTEST, near.shape[1])
    first, second = (np.empty((len(queries), few), dtype=np.int64) for _ in range(2))
    single = np.nan_to_num(queries, nan=0.0).astype(np.float32), np.nan_to_num(reference, nan=0.0).astype(np.float32)
    with threadpool_limits(1, user_api="blas"):  # products too small to share
        for row, (query, people) in enumerate(zip(single[0], near, strict=True)):
            arrow = single[1][people] - query
            length = np.sqrt(np.einsum("kd,kd->k", arrow, arrow))
            arrow /= np.where(length > 0, length, 1.0)[:, None]
            cosine = arrow @ arrow.T
            partner = cosine.argmin(axis=1)
            order = np.argpartition(cosine[np.arange(len(people)), partner], few - 1)[:few]
            first[row], second[row] = people[order], people[partner[order]]
    return first, second


def _squared_departure(rows: Cells, reference: Cells, first: Rows, second: Rows) -> Floats:
    """Squared distance (q, p) of each row to the segment between the two people of each of its pairs."""
    result = np.empty(first.shape)
    width = max(first.shape[1] * (rows.numbers.shape[1] + rows.codes.shape[1]), 1)
    step = max(CELLS // width, 1)
    for start in range(0, len(first), step):
        part = slice(start, start + step)
        here = rows.numbers[part, None, :]
        a, b = reference.numbers[first[part]], reference.numbers[second[part]]
        unclear = np.isnan(a) | np.isnan(b) | np.isnan(here)
        strange = unclear & ~(_same(here, a) | _same(here, b))
        arrow, offset = np.where(unclear, 0.0, b - a), np.where(unclear, 0.0, here - a)
        length = np.einsum("qpd,qpd->qp", arrow, arrow)
        along = np.clip(np.einsum("qpd,qpd->qp", offset, arrow) / np.where(length > 0, length, 1.0), 0.0, 1.0)
        rest = offset - along[:, :, None] * arrow
        codes = rows.codes[part, None, :]
        mixed = (codes != reference.codes[first[part]]) & (codes != reference.codes[second[part]])
        other = strange.sum(axis=2) + mixed.sum(axis=2)
        result[part] = np.einsum("qpd,qpd->qp", rest, rest) + 2.0 * other
    return result


def _same(a: Floats, b: Floats) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = (a == b) | (np.isnan(a) & np.isnan(b))
    return same
