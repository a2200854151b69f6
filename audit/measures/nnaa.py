"""Can an observer tell released rows from real ones by their nearest neighbours, and better for unseen people?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from audit.intervals import around, touched_variance
from audit.neighbours import Matrix, Nearest, Rows, farther, nearest
from audit.outcome import FEWEST, measured, too_few
from audit.plan import Plan
from audit.sides import SIDES, Side
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("nnaa_train", "nnaa_holdout", "nnaa_privacy_loss")
TOUCHED = 3  # people a term depends on: the row's own, its neighbour of its own kind, its neighbour of the other
CONTROLS: dict[str, Plan] = {"nnaa_privacy_loss": Plan(0.0, NAMES, sees=("copies", "lines", "overfit"), queried=True)}


class Drawn(Protocol):
    """Rows drawn of the three tables, and what is nearest to some of them: ``audit.sides.Sides``, by any distance."""

    points: int

    @property
    def queries(self) -> Mapping[Side, Rows]:
        """Positions of the rows that are asked about."""

    def rows(self, side: Side) -> int:
        """How many rows of a table were drawn."""

    def ids(self, side: Side, positions: Rows) -> Rows:
        """Codes of the people at these positions, in one ``range(points)`` for all three tables."""

    def nearest(self, of: Side, among: Side) -> Nearest:
        """Nearest rows of one table to the queries of another; within one table, of another person."""


def nnaa(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Nearest-neighbour adversarial accuracy (AA) of released rows against train and against holdout.

    AA(R, S) is the mean of two shares: real rows whose nearest other real row is nearer than their nearest released
    row, and released rows whose nearest other released row is nearer than their nearest real row. 0.5: cannot be told
    apart; towards 0: copies; towards 1: poor fidelity. Equal distances count half, so that a fresh sample gives 0.5
    in tables full of equal rows too (where a strict comparison gives less). The privacy loss is AA(holdout, S) minus
    AA(train, S), in [-1, 1]; 0 without leak. In a nearest search a real row passes over all rows of its own person.

    All three tables are cut at random to the size of the smallest: a release smaller than train therefore dilutes
    what this measure can see. The interval is Student's with a standard error that counts rows sharing a person or a
    neighbour as dependent (``touched_variance``).

    References
    ----------
    Yale, Dash, Dutta, Guyon, Pavao, Bennett, Generation and evaluation of privacy preserving synthetic health data,
    Neurocomputing 416 (2020).
    """
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    return figures(tables.sides("matched", rng), NAMES, tables.confidence)


def figures(
    sides: Drawn, names: tuple[str, str, str], confidence: float, distance: str = ""
) -> tuple[Measurement, ...]:
    """AA of train, AA of holdout and the privacy loss under these ``names``; ``distance`` is said in their method."""
    train, holdout = adversarial_accuracy(sides, "train"), adversarial_accuracy(sides, "holdout")
    n = len(sides.queries["train"])
    method = f"AA of {sides.rows('train')} rows a side{distance}, {n} of them asked; ties half; row-sharing errors"
    df = min(len(np.unique(sides.ids(side, sides.queries[side]))) for side in SIDES) / TOUCHED - 1.0

    def measurement(name: str, value: float, variance: float, low: float) -> Measurement:
        interval = around(value, variance, confidence, df=df, low=low, high=1.0)
        return measured(name, value, interval, confidence, n, method)

    return (
        measurement(names[0], train.value, touched_variance(train.parts, sides.points), 0.0),
        measurement(names[1], holdout.value, touched_variance(holdout.parts, sides.points), 0.0),
        measurement(names[2], holdout.value - train.value, _loss_variance(train, holdout, sides), -1.0),
    )


@dataclass(frozen=True)
class Accuracy:
    """Per row whether it is nearer to its own kind (1), the other (0) or neither (0.5), and whom each row touches."""

    real: NDArray[np.float64]
    synthetic: NDArray[np.float64]
    real_touched: tuple[Rows, ...]
    synthetic_touched: tuple[Rows, ...]

    @property
    def value(self) -> float:
        """AA in [0, 1]."""
        return float(self.real.mean() + self.synthetic.mean()) / 2

    @property
    def parts(self) -> list[tuple[NDArray[np.float64], tuple[Rows, ...]]]:
        """Terms that sum to the estimate's error, for ``touched_variance``."""
        return [(_terms(self.real), self.real_touched), (_terms(self.synthetic), self.synthetic_touched)]


def adversarial_accuracy(sides: Drawn, side: Side) -> Accuracy:
    """AA of the released rows against one real table of as many rows."""
    real_own, real_other = sides.nearest(side, side), sides.nearest(side, "released")
    released_own, released_other = sides.nearest("released", "released"), sides.nearest("released", side)
    return Accuracy(
        farther(real_other.distance, real_own.distance),
        farther(released_other.distance, released_own.distance),
        (
            sides.ids(side, sides.queries[side]),
            sides.ids(side, real_own.index),
            sides.ids("released", real_other.index),
        ),
        (
            sides.ids("released", sides.queries["released"]),
            sides.ids("released", released_own.index),
            sides.ids(side, released_other.index),
        ),
    )


def accuracy(real: Matrix, synthetic: Matrix, *, ties: float = 0.5) -> float:
    """AA in [0, 1] of two whole (n, w) matrices of one row per person: four exact searches, no sampling.

    Equal distances count ``ties``; 0 is the strict comparison of Yale et al. and of other tools.
    """
    distances = []
    for rows, others in ((real, synthetic), (synthetic, real)):
        places = np.arange(len(rows))
        distances += [nearest(rows, rows, places, places).distance, nearest(rows, others).distance]
    return accuracy_of(*distances, ties=ties)


def accuracy_of(
    real_own: Matrix, real_other: Matrix, synthetic_own: Matrix, synthetic_other: Matrix, *, ties: float = 0.5
) -> float:
    """AA in [0, 1] from each row's distance to the nearest of its own kind and of the other, by whatever distance."""
    shares = []
    for own, other in ((real_own, real_other), (synthetic_own, synthetic_other)):
        nearer = farther(other, own)
        shares.append(float(np.where(nearer == 0.5, ties, nearer).mean()))
    return sum(shares) / 2


def _loss_variance(train: Accuracy, holdout: Accuracy, sides: Drawn) -> float:
    """The released rows stand in both accuracies, so their terms are paired."""
    paired = _terms(holdout.synthetic - train.synthetic)
    touched = (*train.synthetic_touched, holdout.synthetic_touched[-1])
    parts = [
        (-_terms(train.real), train.real_touched),
        (_terms(holdout.real), holdout.real_touched),
        (paired, touched),
    ]
    return touched_variance(parts, sides.points)


def _terms(values: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = (values - values.mean()) / (2 * len(values))
    return result
