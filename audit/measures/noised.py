"""Are released rows single people the synthesizer saw, with noise on their numbers?

With noise of half a standard deviation a row is hardly nearer to its person than people are to each other. But noise
goes in all directions and people differ in few: the row is off all that people are like, and that one person explains
why. Each row is asked how likely it is as one train person with noise, and how likely by all that holdout people say.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from audit.classes import identical_rows
from audit.coincidence import evidence_of_copying
from audit.columns import Cells, categorical_columns, numeric_columns
from audit.intervals import clopper_pearson, touched_variance
from audit.measures.copies import REAL, excess_interval
from audit.neighbours import Rows
from audit.noise import as_anybody, as_one_person
from audit.outcome import FEWEST, measured, too_few
from audit.plan import Plan
from audit.sides import REFERENCE_ROWS, SIDES, Side, draw_people
from audit.standard import Points, Scale
from audit.tables import AuditTables
from audit.traced import beyond_doubt, counted
from policies import Measurement

NAMES = ("one_parent_excess", "traced_to_one")
CONTROLS = {
    "one_parent_excess": Plan(0.0, NAMES[:1], staked=NAMES[:1], on="noised"),
    "traced_to_one": Plan(0.0, NAMES[1:], staked=NAMES[1:], on="noised", counted=True),
}

QUERIES = 2_500  # released rows asked about, at most
STRANGERS = 500  # real rows of a table that say what is unusual, at most
BEARING = 500  # rows of a table that say what its people are like, at most
UNUSUAL = (0.0005, 0.01)  # share of strangers who may be explained as well: one row, within these

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def one_parent(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """``one_parent_excess``: share of released rows unusually well explained as one train person, less as one other.

    ``traced_to_one``: the number, of up to ``QUERIES``, that are one train person's beyond doubt, less holdout's.

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

    Beyond doubt is far more than unusual (``audit.traced``): of an honest release it is hardly a row. Three copies with
    little noise among 250 rows show there, which are too few for a share. A row that equals a train person's counts
    here too where it is as much likelier as a copy than as a coincidence (``audit.coincidence``): rounding takes little
    noise away.

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
    strangers = drawn.strangers(rng)
    share = float(np.clip(1 / n, *UNUSUAL))
    usual = float(np.quantile(np.maximum(np.append(strangers, 0.0), 0.0), 1 - share, method="higher"))
    explained: dict[Side, Flags] = {}
    touched: list[Rows] = []
    points = drawn.people
    rows = drawn.points["released"].take(asked)
    likely = drawn.likely(rows)
    ratio, equal = drawn.ratios(rows, likely, usual), {side: drawn.twins(asked, side) for side in REAL}
    for side in REAL:
        explained[side] = (ratio[side] > usual) & ~equal[side]
        # a row that nobody explains shares no parent
        own = drawn.points[side].person[likely[side][1]]
        touched.append(np.where(explained[side], own, points + np.arange(n)))
        points += n
    difference = explained["train"].astype(np.float64) - explained["holdout"]
    variance = touched_variance([((difference - difference.mean()) / n, touched)], points)
    ratio["train"] = drawn.by_train(rows, likely["holdout"][0], ratio["train"], usual)
    most = float(((ratio["train"] > usual) & ~equal["train"]).mean())
    if n < len(tables.released) or len(tables.train) > REFERENCE_ROWS:
        most = min(max(len(tables.train) / REFERENCE_ROWS, 1.0) * clopper_pearson(most, n, confidence)[1], 1.0)
    value = min(scale * float(difference.mean()), most)
    interval = excess_interval(difference, variance, scale, most, confidence)
    method = f"{n} released rows against {size} train and as many holdout rows, each with noise"
    return (
        measured("one_parent_excess", value, interval, confidence, n, method),
        _traced(tables, drawn, ratio, equal, max(usual, beyond_doubt(strangers, n)), rng),
    )


def _traced(
    tables: AuditTables,
    drawn: _Drawn,
    ratio: Mapping[Side, Floats],
    equal: Mapping[Side, Flags],
    mark: float,
    rng: np.random.Generator,
) -> Measurement:
    """``traced_to_one``: log ratios (q,) of the asked rows to each table, whose rows they equal, the mark of doubt."""
    asked = drawn.queries["released"]
    n, whole = len(asked), min(len(tables.train), REFERENCE_ROWS)
    # a row that both tables have is nobody's alone
    copied = (evidence_of_copying(tables, asked, rng) > mark) & ~(equal["train"] & equal["holdout"])
    train, holdout = (int(np.where(equal[side], copied, ratio[side] > mark).sum()) for side in REAL)
    held, found = len(drawn.points["holdout"]), (train, holdout)
    method = f"{n} released rows against {whole} train and {held} holdout rows, each with noise; counted"
    scale = len(tables.train) / whole
    return counted("traced_to_one", found, n, tables.confidence, method, ratio=whole / held, scale=scale)


class _Drawn:
    """Rows drawn of each table, on one scale, and how much better one person explains a row than all others can."""

    def __init__(self, tables: AuditTables, size: int, rng: np.random.Generator) -> None:
        dictionary = tables.dictionary
        names, nominal = numeric_columns(dictionary), categorical_columns(dictionary)
        identical = identical_rows(tables)
        cells: dict[Side, Cells] = {}
        person: dict[Side, Rows] = {}
        self.rows: dict[Side, Rows] = {}
        self.people = 0
        for side in SIDES:
            people = tables.people[side]
            kept = draw_people(people, size, rng) if side != "released" else np.arange(len(people))
            cells[side] = Cells.of(tables.frames[side].iloc[kept], dictionary)
            person[side] = self.people + np.unique(people[kept], return_inverse=True)[1].astype(np.int64)
            self.people = int(person[side].max()) + 1
            self.rows[side] = identical[side][kept]
        self._held = {side: np.unique(identical[side]) for side in REAL}
        whole = [dictionary.columns[name].type != "number" for name in names]
        sizes = [len(dictionary.columns[name].categories or ()) + 1 for name in nominal]
        gappy = np.isnan(np.concatenate([cells[side].numbers for side in SIDES])).any(axis=0)
        self._scale = Scale.of(Cells.joined([cells[side] for side in REAL]), sizes, whole, gappy)
        self.points = {side: self._scale.points(cells[side], person[side]) for side in SIDES}
        self.queries = {
            side: draw_people(person[side], QUERIES if side == "released" else STRANGERS, rng) for side in SIDES
        }
        self._uncut: Points | None = None
        if size < min(len(tables.train), REFERENCE_ROWS):
            kept = draw_people(tables.people["train"], REFERENCE_ROWS, rng)
            uncut = Cells.of(tables.train.iloc[kept], dictionary)
            self._uncut = self._scale.points(uncut, self.people + tables.people["train"][kept])
        self._bearing = {side: self.points[side].take(draw_people(person[side], BEARING, rng)) for side in REAL}

    def strangers(self, rng: np.random.Generator) -> Floats:
        """Log ratios (m,) of real rows that nobody else has, their own person left out, as they stand and with noise.

        Those of zero or less may come out too large, but not above it.
        """
        found = [np.zeros(0)]
        for side in REAL:
            some = self.queries[side]
            asked = self.points[side].take(some[~self._shared(side)[some]])
            if len(asked):
                for points in (asked, self._scale.noised(asked, rng)):
                    found += self.ratios(points, self.likely(points), 0.0).values()
        return np.concatenate(found)

    def likely(self, asked: Points) -> dict[Side, tuple[Floats, Rows]]:
        """How likely (q,), as a logarithm, each row is as one noised person of a real table, and the likeliest row."""
        return {side: as_one_person(asked, self.points[side], self._scale) for side in REAL}

    def ratios(self, asked: Points, likely: Mapping[Side, tuple[Floats, Rows]], least: float) -> dict[Side, Floats]:
        """Log ratio (q,) of each row as one noised person of a real table to all that the other can say of it.

        ``likely`` is what :meth:`likely` says of the rows. Ratios of ``least`` or less may come out too large, but not
        above it.
        """
        return {
            side: self._ratio(asked, likely[side][0], likely[other][0], other, least)
            for side, other in zip(REAL, reversed(REAL), strict=True)
        }

    def by_train(self, asked: Points, by_holdout: Floats, ratio: Floats, least: float) -> Floats:
        """The ``ratio`` (q,) of each row as one noised person of train, with nobody of train cut.

        ``by_holdout`` (q,) is how likely the rows are as one noised person of holdout.
        """
        if self._uncut is None:
            return ratio
        by_uncut, _ = as_one_person(asked, self._uncut, self._scale)
        return self._ratio(asked, by_uncut, by_holdout, "holdout", least)

    def _ratio(self, asked: Points, one: Floats, other: Floats, bearing: Side, least: float) -> Floats:
        """Log ratio (q,) of ``one`` person to ``other`` and to what the people of the other's table are like."""
        ratio: Floats = one - other
        rows = np.flatnonzero(ratio > least)  # what the other's people are like can only lower it
        if len(rows):
            anybody = as_anybody(asked.take(rows), self._bearing[bearing], self._scale)
            ratio[rows] = one[rows] - np.logaddexp(other[rows], anybody)
        return ratio

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
