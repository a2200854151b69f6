"""How close do the rows come to real patients, said so coarsely that no score can be read back?

Scores are a reconstruction oracle (I-7). What leaves is one of three grades, or none, for each of three topics.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from audit.columns import categorical_columns, numeric_columns
from policies import Dictionary, Measurement


class Grade(IntEnum):
    """Against what two groups of real patients reach. A larger one is farther: the worst of several is their max."""

    AS_CLOSE = 1
    SOMEWHAT_FARTHER = 2
    CLEARLY_FARTHER = 3


@dataclass(frozen=True)
class Cut:
    """The farthest distance that still has a grade: so many times the floor, or so much beyond it.

    The second part is for floors near 0, as those of large tables and rare categories are: a hundredth more is a large
    multiple there, and nobody would see it.
    """

    times: float
    beyond: float

    def holds(self, distance: float, floor: float) -> bool:
        """Whether ``distance`` is within the cut; rounding in the last places does not decide."""
        edge = max(self.times * floor, floor + self.beyond)
        return distance <= edge or math.isclose(distance, edge, rel_tol=1e-9)


AS_CLOSE = Cut(1.5, 0.01)
SOMEWHAT_FARTHER = Cut(2.5, 0.03)
AS_GOOD, SOMEWHAT_WORSE = 0.1, 0.3  # shares of what real rows gain over guessing
GUESSING = 0.5  # area under the ROC curve
NO_GRADE = "No grade: it was not measured, or this table does not allow it."


@dataclass(frozen=True)
class Closeness:
    """The grade of each topic that the table has; None where a measurement it needs is missing or has no number.

    ``columns`` and ``pairs`` are graded by distance to holdout beside the floor, train to holdout, which is the
    distance between two groups of real patients: as close up to 1.5 times the floor (or 0.01 beyond it), somewhat
    farther up to 2.5 times (or 0.03 beyond), clearly farther above. ``columns`` is the worse of the Kolmogorov-Smirnov
    distance (numbers, times) and total variation (categories); ``pairs`` the worse of 1 - pair trend and, where there
    are two numbers, the correlation difference.

    ``prediction`` is graded by tstr_auc beside trtr_auc, models that one group of real patients taught about the
    other: as close while at most 0.1 of what those gain over guessing is lost, somewhat farther up to 0.3. It has no
    grade where real rows do not beat guessing, by the lower end of their interval.

    Grades are of the values, not of interval ends: they describe, they are no limits. A measurement fewer never
    betters a grade.
    """

    columns: Grade | None = None
    pairs: Grade | None = None
    prediction: Grade | None = None

    @classmethod
    def of(cls, measurements: Sequence[Measurement], dictionary: Dictionary) -> Self:
        """The grades of an audit of a table with this dictionary; which figures count depends on its columns."""
        found = {each.name: each for each in measurements}
        numeric, categorical = numeric_columns(dictionary), categorical_columns(dictionary)
        single = [name for name, some in (("ks", numeric), ("total_variation", categorical)) if some]
        pairs = [
            name
            for name, some in (("pair_trend", len(dictionary.released) > 1), ("correlation_difference", numeric[1:]))
            if some
        ]
        return cls(
            columns=_worst([_distance(found, figure) for figure in single]),
            pairs=_worst([_distance(found, figure) for figure in pairs]),
            prediction=_prediction(found) if dictionary.target is not None else None,
        )


def in_plain_words(closeness: Closeness) -> tuple[tuple[str, str], ...]:
    """Topic and sentence for the recipient, without a digit; nothing if no topic has a grade."""
    farther = "{} farther from unseen patients than two groups of real patients are from each other."
    worse = "Models that learn from these rows predict unseen patients {} models that learn from real patients."
    distance = {
        Grade.AS_CLOSE: "About as close to unseen patients as two groups of real patients are to each other.",
        Grade.SOMEWHAT_FARTHER: farther.format("Somewhat"),
        Grade.CLEARLY_FARTHER: farther.format("Clearly"),
    }
    prediction = {
        Grade.AS_CLOSE: worse.format("about as well as"),
        Grade.SOMEWHAT_FARTHER: worse.format("somewhat worse than"),
        Grade.CLEARLY_FARTHER: worse.format("clearly worse than"),
    }
    topics = (
        ("Single columns", closeness.columns, distance),
        ("Pairs of columns", closeness.pairs, distance),
        ("Predicting the target column", closeness.prediction, prediction),
    )
    if all(grade is None for _, grade, _ in topics):
        return ()
    return tuple((topic, NO_GRADE if grade is None else words[grade]) for topic, grade, words in topics)


def _worst(grades: Sequence[Grade | None]) -> Grade | None:
    """None if any is: what was not measured might be the worst."""
    known = [grade for grade in grades if grade is not None]
    return max(known) if known and len(known) == len(grades) else None


def _distance(found: Mapping[str, Measurement], figure: str) -> Grade | None:
    distance, floor = _value(found, f"{figure}_holdout"), _value(found, f"floor_{figure}")
    if distance is None or floor is None:
        return None
    if figure == "pair_trend":  # an agreement
        distance, floor = 1 - distance, 1 - floor
    if AS_CLOSE.holds(distance, floor):
        return Grade.AS_CLOSE
    return Grade.SOMEWHAT_FARTHER if SOMEWHAT_FARTHER.holds(distance, floor) else Grade.CLEARLY_FARTHER


def _prediction(found: Mapping[str, Measurement]) -> Grade | None:
    synthetic, real = _value(found, "tstr_auc"), _value(found, "trtr_auc")
    if synthetic is None or real is None or not found["trtr_auc"].lower > GUESSING:
        return None
    lost = (real - synthetic) / (real - GUESSING)
    within = [lost <= share or math.isclose(lost, share, rel_tol=1e-9) for share in (AS_GOOD, SOMEWHAT_WORSE)]
    if within[0]:
        return Grade.AS_CLOSE
    return Grade.SOMEWHAT_FARTHER if within[1] else Grade.CLEARLY_FARTHER


def _value(found: Mapping[str, Measurement], name: str) -> float | None:
    """The number of a measurement that has one."""
    each = found.get(name)
    return each.value if each is not None and each.status == "measured" and math.isfinite(each.value) else None
