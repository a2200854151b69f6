"""Are released rows single people the synthesizer saw, with noise on their numbers?

With noise of half a standard deviation a row is hardly nearer to its person than people are to each other. But noise
goes in all directions and people differ in few: the row is off all that people are like, and that one person explains
why. Each row is asked how likely it is as one train person with noise, and how likely by all that holdout people say.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.classes import identical_rows
from audit.columns import categorical_columns, levels, numbers, numeric_columns
from audit.intervals import clopper_pearson, touched_variance
from audit.measures.copies import REAL, excess_interval
from audit.neighbours import Rows
from audit.noise import as_anybody, as_one_person
from audit.outcome import FEWEST, measured, too_few
from audit.plan import Plan
from audit.sides import REFERENCE_ROWS, SIDES, Side, draw_people
from audit.standard import Points, Scale
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("one_parent_excess",)
CONTROLS = {"one_parent_excess": Plan(0.0, NAMES, staked=NAMES, on="noised")}

QUERIES = 2_500  # released rows asked about, at most
STRANGERS = 500  # real rows of a table that say what is unusual, at most
BEARING = 500  # rows of a table that say what its people are like, at most
UNUSUAL = (0.0005, 0.01)  # share of strangers who may be explained as well: one row, within these

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def one_parent(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """``one_parent_excess``: share of released rows unusually well explained as one train person, less as one other.

    How likely the row is as a person of train with noise on the numbers, any of them and of any size up to 0.7 standard
    deviations, is held against all that holdout people say of it: themselves with noise, and two densities of what
    people are like (``audit.noise``). The same with train and holdout exchanged, so that it comes to 0 where neither
    was seen, on whatever else the rows may be off. Unusual is a ratio that one row in so many would exceed among real
    strangers (train rows and holdout rows, their own person left out), half of them with noise added, if it is more
    than one: a table that is noisy all over has nobody's noise. Rows that a real table has itself are left out:
    ``exact_copy_excess`` tells of them, and where people recur in both tables they would set the mark.

    Not seen are numbers from different people, noise along the directions in which people differ, noise of more than
    the spread of a column, copies amid many alike, and next to nothing where real people recur, a little changed, under
    other names: their likes are no strangers, and set the mark (the control then sees nothing either). A value far out
    that only one person has can make a row of that value theirs.

    Train and holdout are cut to equal size, and the excess is scaled back by what was cut from train. Of large tables
    some released rows are asked about. Rows made from one person are dependent. The upper end never exceeds the share
    that any train people, none cut, do explain by more than is usual: where all released rows were asked about, that
    is counted.

    References
    ----------
    van Breugel, Sun, Qian, van der Schaar, Membership inference attacks against synthetic data through overfitting
    detection (DOMIAS), AISTATS 2023 (a ratio of densities). Neyman and Pearson, On the problem of the most efficient
    tests of statistical hypotheses, Phil. Trans. A 231 (1933). Domingo-Ferrer, Torra, Disclosure risk assessment in
    statistical data protection, J. Comput. Appl. Math. 164 (2004) (noise, and linking it back by distance).
    """
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    size = min(len(tables.train), len(tables.holdout), REFERENCE_ROWS)
    scale, confidence = len(tables.train) / size, tables.confidence
    drawn = _Drawn(tables, size, rng)
    fewest = min(len(np.unique(drawn.points[side].person)) for side in REAL)
    if fewest < FEWEST:
        return too_few(NAMES, fewest)
    asked = drawn.queries["released"]
    n = len(asked)
    usual = drawn.usual(float(np.clip(1 / n, *UNUSUAL)), rng)
    explained: dict[Side, Flags] = {}
    touched: list[Rows] = []
    points = drawn.people
    rows = drawn.points["released"].take(asked)
    ratio, parent = drawn.ratios(rows, usual)
    for side in REAL:
        explained[side] = (ratio[side] > usual) & ~drawn.twins(asked, side)
        # a row that nobody explains shares no parent
        own = drawn.points[side].person[parent[side]]
        touched.append(np.where(explained[side], own, points + np.arange(n)))
        points += n
    difference = explained["train"].astype(np.float64) - explained["holdout"]
    variance = touched_variance([((difference - difference.mean()) / n, touched)], points)
    told = (drawn.by_train(rows, ratio["train"], usual) > usual) & ~drawn.twins(asked, "train")
    counted = float(told.mean())
    if n < len(tables.released) or len(tables.train) > REFERENCE_ROWS:
        counted = min(max(len(tables.train) / REFERENCE_ROWS, 1.0) * clopper_pearson(counted, n, confidence)[1], 1.0)
    value = min(scale * float(difference.mean()), counted)
    interval = excess_interval(difference, variance, scale, counted, confidence)
    method = f"{n} released rows against {size} train and as many holdout rows, each with noise"
    return (measured("one_parent_excess", value, interval, confidence, n, method),)


class _Drawn:
    """Rows drawn of each table, on one scale, and how much better one person explains a row than all others can."""

    def __init__(self, tables: AuditTables, size: int, rng: np.random.Generator) -> None:
        dictionary = tables.dictionary
        names, nominal = numeric_columns(dictionary), categorical_columns(dictionary)
        identical = identical_rows(tables)

        def cells(side: Side, kept: Rows) -> tuple[Floats, NDArray[np.int64]]:
            frame = tables.frames[side].iloc[kept]
            return (
                _table([numbers(frame, name) for name in names], len(frame), np.float64),
                _table([levels(frame, name, dictionary.columns[name]) for name in nominal], len(frame), np.int64),
            )

        raw: dict[Side, tuple[Floats, NDArray[np.int64]]] = {}
        person: dict[Side, Rows] = {}
        self.rows: dict[Side, Rows] = {}
        self.people = 0
        for side in SIDES:
            people = tables.people[side]
            kept = draw_people(people, size, rng) if side != "released" else np.arange(len(people))
            raw[side] = cells(side, kept)
            person[side] = self.people + np.unique(people[kept], return_inverse=True)[1].astype(np.int64)
            self.people = int(person[side].max()) + 1
            self.rows[side] = identical[side][kept]
        self._held = {side: np.unique(identical[side]) for side in REAL}
        real = [np.concatenate([raw[side][k] for side in REAL]) for k in (0, 1)]
        whole = [dictionary.columns[name].type != "number" for name in names]
        sizes = [len(dictionary.columns[name].categories or ()) + 1 for name in nominal]
        gappy = np.isnan(np.concatenate([raw[side][0] for side in SIDES])).any(axis=0)
        self._scale = Scale.of(real[0], real[1], sizes, whole, gappy)
        self.points = {side: self._scale.points(*raw[side], person[side]) for side in SIDES}
        self.queries = {
            side: draw_people(person[side], QUERIES if side == "released" else STRANGERS, rng) for side in SIDES
        }
        self._uncut: Points | None = None
        if size < min(len(tables.train), REFERENCE_ROWS):
            kept = draw_people(tables.people["train"], REFERENCE_ROWS, rng)
            self._uncut = self._scale.points(*cells("train", kept), self.people + tables.people["train"][kept])
        self._bearing = {side: self.points[side].take(draw_people(person[side], BEARING, rng)) for side in REAL}

    def usual(self, share: float, rng: np.random.Generator) -> float:
        """The ratio that this share of strangers exceed, 0 at the least.

        Strangers are real rows that nobody else has, their own person left out, as they stand and with noise.
        """
        found = [np.zeros(1)]
        for side in REAL:
            some = self.queries[side]
            asked = self.points[side].take(some[~self._shared(side)[some]])
            if len(asked):
                for points in (asked, self._scale.noised(asked, rng)):
                    found += self.ratios(points, 0.0)[0].values()
        return float(np.quantile(np.maximum(np.concatenate(found), 0.0), 1 - share, method="higher"))

    def ratios(self, asked: Points, least: float) -> tuple[dict[Side, Floats], dict[Side, Rows]]:
        """Log ratio (q,) of each row as one noised person of a real table to all that the other can say of it.

        Beside it the likeliest row of that table. Ratios of ``least`` or less may come out too large, but not above it.
        """
        one, parent, ratio = {}, {}, {}
        for side in REAL:
            one[side], parent[side] = as_one_person(asked, self.points[side], self._scale)
        for side, other in zip(REAL, reversed(REAL), strict=True):
            ratio[side] = one[side] - one[other]
            rows = np.flatnonzero(ratio[side] > least)  # what the other's people are like can only lower it
            if len(rows):
                anybody = as_anybody(asked.take(rows), self._bearing[other], self._scale)
                ratio[side][rows] = one[side][rows] - np.logaddexp(one[other][rows], anybody)
        return ratio, parent

    def by_train(self, asked: Points, ratio: Floats, least: float) -> Floats:
        """The ratio (q,) of each row as one noised person of train, of which nobody was cut."""
        if self._uncut is None:
            return ratio
        other = as_one_person(asked, self.points["holdout"], self._scale)[0]
        one = as_one_person(asked, self._uncut, self._scale)[0]
        found = one - other
        rows = np.flatnonzero(found > least)
        if len(rows):
            anybody = as_anybody(asked.take(rows), self._bearing["holdout"], self._scale)
            found[rows] = one[rows] - np.logaddexp(other[rows], anybody)
        return found

    def twins(self, asked: Rows, among: Side) -> Flags:
        """Which of the asked released rows (q,) a row of a real table equals in every value."""
        return np.isin(self.rows["released"][asked], self._held[among])

    def _shared(self, side: Side) -> Flags:
        """Which drawn rows (m,) of a real table another person has too, in either."""
        ids = np.concatenate([self.rows[each] for each in REAL])
        owner = np.concatenate([self.points[each].person for each in REAL])
        pairs = np.unique(np.column_stack([ids, owner]), axis=0)
        value, people = np.unique(pairs[:, 0], return_counts=True)
        return np.isin(self.rows[side], value[people > 1])


def _table(columns: list[NDArray], rows: int, kind: type) -> NDArray:  # type: ignore[type-arg]
    return np.column_stack(columns).astype(kind) if columns else np.empty((rows, 0), dtype=kind)
