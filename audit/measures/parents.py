"""Are released rows mixtures of two people the synthesizer saw, wherever those two stand?

A row between two people who are nothing alike lies near neither and near none of their neighbours, and among few
numbers honest rows lie on such lines too. What gives it away is everything at once: each category is that of one of the
two, and all numbers round to one and the same point of the way. All pairs are tried, and a row counts where pairs
explain it far better than the people around it do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.columns import Cells, numeric_columns
from audit.intervals import clopper_pearson, touched_variance
from audit.measures.copies import REAL, excess_interval
from audit.neighbours import Rows, several
from audit.outcome import FEWEST, UNEVEN, measured, too_few, void_all
from audit.pair_search import PairSearch
from audit.plan import Plan
from audit.rounding import half_steps
from audit.row_kernels import Kernels
from audit.sides import SIDES, Side, draw_people
from audit.tables import AuditTables
from audit.traced import beyond_doubt, counted
from policies import Measurement

NAMES = ("two_parent_excess", "traced_to_two")
CONTROLS = {
    "two_parent_excess": Plan(0.0, NAMES[:1], staked=NAMES[:1], on="lines"),
    "traced_to_two": Plan(0.0, NAMES[1:], staked=NAMES[1:], on="lines", counted=True),
}

MOST_ROWS = 2_500  # real rows of a table whose pairs are all tried; of more, some say nothing of the others
NEAR = 10  # people nearest to each: SMOTE mixes those, and by default five
QUERIES = 2_500  # released rows asked about, so that what was counted bounds the upper end of most releases
STRANGERS = 500  # real rows asked about, per table of up to
FEW_ROWS = 1_000  # rows; of more,
MORE_STRANGERS = 1_000  # because mixtures stand out less among more people, but no more than lead to
MOST_TRIED = 200_000_000  # possible pairs, counted from either end,
TRIAL = 20  # as some rows tell beforehand
UNUSUAL = (0.0005, 0.01)  # share of strangers who may be explained as well: two rows of ``STRANGERS``, within these

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def two_parents(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """``two_parent_excess``: share of released rows unusually well explained by two train people, less by two others.

    ``traced_to_two``: the number, of up to ``QUERIES``, that are two train people's beyond doubt (``audit.traced``),
    less holdout's.

    A pair explains a row with the chance that a point drawn on the line between the two, its numbers rounded as their
    columns are and its categories tossed between the ends, is that row. The mean over all pairs of train, half of it
    that over pairs of which one is among the ``NEAR`` nearest of the other, is held against what kernels around all
    real people give the row (``audit.row_kernels``). Unusual is a ratio that two rows in so many would exceed among
    real strangers (train rows by holdout pairs and the other way round), if it is more than one. 0 without memory. Rows
    that the table whose pairs are tried has itself are left out: ``exact_copy_excess`` tells of them.

    Not seen are mixtures rounded coarser than the column's own grid, with noise on top, on another scale than the
    column's, with every number whole from either parent, or off the line in one column.

    Train and holdout are cut to equal size, and the excess is scaled back by the pairs cut from train. Of more than
    ``MOST_ROWS`` rows it is inconclusive: the pairs that were not tried might be the ones, and among so many people
    honest rows lie between some two anyway. Of more than ``FEW_ROWS`` rows so alike that ``MOST_TRIED`` pairs would not
    do, a random part is asked about; and where one row alone leaves more pairs possible than 1,000 people have, a
    random part of them stands for all. Rows that share a parent are dependent. With all released rows looked at, the
    upper end never exceeds the share that train pairs do explain by more than is usual, which is counted.

    References
    ----------
    Zhang, Cisse, Dauphin, Lopez-Paz, mixup, ICLR 2018 (lines between any two rows). Chawla, Bowyer, Hall, Kegelmeyer,
    SMOTE, JAIR 16 (2002). Aitchison and Aitken, Biometrika 63 (1976).
    """
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    size = min(len(tables.train), len(tables.holdout))
    scale = (len(tables.train) / size) ** 2  # a pair is seen where both were drawn
    if len(tables.train) > UNEVEN * size or size > MOST_ROWS:
        reason = (
            f"all pairs of {len(tables.train)} train rows are to be compared with those of as many holdout rows, and "
            f"there are {len(tables.holdout)}; up to {MOST_ROWS} rows a side can be tried"
        )
        return void_all(NAMES, "inconclusive", reason, tables.fewest_people)
    drawn = _Drawn(tables, size, rng)
    strangers = np.concatenate([drawn.ratio("holdout", "train")[0], drawn.ratio("train", "holdout")[0], [0.0]])
    n, confidence = len(drawn.queries["released"]), tables.confidence
    told = strangers[~np.isnan(strangers)]
    usual = max(float(np.quantile(told, 1 - np.clip(2 / min(n, STRANGERS), *UNUSUAL), method="higher")), 0.0)
    mark = max(usual, beyond_doubt(told, n))
    explained: dict[Side, Flags] = {}
    traced: list[int] = []
    touched: list[Rows] = []
    points = drawn.points
    for side in REAL:
        ratio, *ends = drawn.ratio("released", side)
        explained[side] = ratio > usual
        traced.append(int((ratio > mark).sum()))
        for end in ends:  # a row that nobody explains shares no parent
            touched.append(np.where(explained[side], drawn.ids(side, end), points + np.arange(n)))
            points += n
    difference = explained["train"].astype(np.float64) - explained["holdout"]
    variance = touched_variance([((difference - difference.mean()) / n, touched)], points)
    most = float(explained["train"].mean())
    if scale > 1 or n < len(tables.released):
        most = min(scale * clopper_pearson(most, n, confidence)[1], 1.0)
    value = min(scale * float(difference.mean()), most)
    interval = excess_interval(difference, variance, scale, most, confidence)
    method = f"{n} released rows against all pairs of {size} train and of as many holdout rows"
    return (
        measured("two_parent_excess", value, interval, confidence, n, method),
        counted("traced_to_two", (traced[0], traced[1]), n, confidence, f"{method}; counted", scale=scale),
    )


class _Drawn:
    """Rows drawn of each table, and how much better pairs of another table explain some of them than their like do."""

    def __init__(self, tables: AuditTables, size: int, rng: np.random.Generator) -> None:
        dictionary = tables.dictionary
        self._rows: dict[Side, Cells] = {}
        self._people: dict[Side, Rows] = {}
        self.queries: dict[Side, Rows] = {}
        self._first: dict[Side, int] = {}
        self.points = 0
        near: dict[Side, Rows] = {}
        for side in SIDES:
            frame, people = tables.frames[side], tables.people[side]
            asked = QUERIES if side == "released" else STRANGERS if size <= FEW_ROWS else MORE_STRANGERS
            kept = draw_people(people, QUERIES if side == "released" else size, rng)
            self._rows[side] = Cells.of(frame.iloc[kept], dictionary)
            if side in REAL:
                matrix = tables.matrices[side][kept]
                near[side] = several(matrix, matrix, NEAR, people[kept], people[kept])
            self._people[side] = np.unique(people[kept], return_inverse=True)[1].astype(np.int64)
            self.queries[side] = draw_people(self._people[side], asked, rng)
            self._first[side] = self.points
            self.points += int(self._people[side].max(initial=-1)) + 1
        both = Cells.joined([self._rows[side] for side in REAL])
        owner = np.concatenate([self.ids(side, np.arange(size)) for side in REAL])
        whole = [dictionary.columns[name].type != "number" for name in numeric_columns(dictionary)]
        half = half_steps(both.numbers, whole)
        self._kernels = Kernels.chosen(both, owner, half, rng)
        self._pairs = {side: PairSearch(self._rows[side], half, near[side]) for side in REAL}
        self._like: dict[Side, Floats] = {}
        self._rng = rng
        if size > FEW_ROWS:
            self._ask_fewer()

    def _ask_fewer(self) -> None:
        """Where most people have most rows between them, ask about a random part of all queries."""
        some = self._rows["train"].take(self._rng.permutation(self.queries["train"])[:TRIAL])
        counts = [self._pairs["holdout"].count(*row) for row in zip(some.numbers, some.codes, strict=True)]
        asked = {side: len(queries) * (2 if side == "released" else 1) for side, queries in self.queries.items()}
        part = MOST_TRIED / max(float(np.mean(counts)) * sum(asked.values()), 1.0)
        if part < 1:
            for side, queries in self.queries.items():
                kept = draw_people(self._people[side][queries], max(int(part * len(queries)), FEWEST), self._rng)
                self.queries[side] = queries[kept]

    def ids(self, side: Side, rows: Rows) -> Rows:
        """One code per person over all tables."""
        return self._first[side] + self._people[side][rows]

    def ratio(self, of: Side, among: Side) -> tuple[Floats, Rows, Rows]:
        """Log of the ratio (q,) for each query of table ``of`` to pairs of table ``among``, and its likeliest parents.

        Minus infinity where no pair explains the row, NaN where ``among`` has the very row; its parents are then the
        first row, who count for nothing.
        """
        asked = self._rows[of].take(self.queries[of])
        if of not in self._like:
            self._like[of] = self._kernels.log_chance(asked, self.ids(of, self.queries[of]))
        pairs = self._pairs[among]
        found = [pairs.explain(x, c, self._rng) for x, c in zip(asked.numbers, asked.codes, strict=True)]
        chance = np.array([each.chance for each in found])
        one, other = (np.array([each.ends[k] for each in found], dtype=np.int64) for k in (0, 1))
        ratio = np.where([each.twin for each in found], np.nan, -np.inf)
        some = np.flatnonzero(chance > 0)
        ratio[some] = np.log(chance[some]) - self._like[of][some]
        return ratio, one, other
