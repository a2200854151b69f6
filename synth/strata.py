"""Which groups of rows are alike enough to be modelled on their own?

Within a class of the target a mixed table is rarely one cloud: which cells are missing, and what a zero means, hangs on
the hospital or the ward. A Gaussian model sees none of that, and a calibration of the whole class undoes none of it.
So each class is cut into strata by a small multivariate regression tree that splits on categories, missingness and
spikes, and predicts all scores at once (De'ath, Multivariate regression trees, Ecology 83, 2002); strata then take the
place of classes for components and calibration. The use is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from synth.balance import largest_remainder
from synth.calibration.quantiles import Floats, Person

Classes = NDArray[np.int64]

LEAST_PEOPLE = 30
"""People in the smallest stratum."""
MOST = 14
"""Splits of all classes together, or as many as there are classes."""
_SAMPLE = 10_000
_GAIN, _GAIN_OF_ONE = 4.0, 10.0


@dataclass(frozen=True)
class Strata:
    """Strata of all classes, numbered together.

    Attributes
    ----------
    class_of : (s,) class each stratum is part of.
    rows : (s,) real rows of each.
    splits : in the order they were made: stratum, score number and threshold; rows above it got the next new number.
    """

    class_of: NDArray[np.int64]
    rows: NDArray[np.int64]
    splits: tuple[tuple[int, int, float], ...]

    @classmethod
    def fit(
        cls,
        scores: Floats,
        classes: Classes,
        cuts: list[tuple[int, float]],
        rng: np.random.Generator,
        *,
        people: Person | None = None,
        most: int = MOST,
        least: int = LEAST_PEOPLE,
    ) -> tuple[Self, Classes]:
        """Learn the strata; returns them with the (n,) stratum of each row.

        The split that is made next is the one, over all strata and cuts, with the greatest sum of squares between its
        two sides over all scores but the one it cuts; it must be well above four times what chance would give, and
        leave ``LEAST_PEOPLE`` people on either side.

        Parameters
        ----------
        scores : (n, d) snapped scores.
        cuts : score number and threshold of every split that may be made.
        """
        codes = classes.copy()
        count = int(classes.max()) + 1
        class_of = list(range(count))
        splits: list[tuple[int, int, float]] = []
        d = scores.shape[1]
        right = np.column_stack([scores[:, j] > cut for j, cut in cuts]) if cuts else np.zeros((len(scores), 0), bool)
        own = np.array([j for j, _ in cuts], dtype=np.intp)
        best = {code: _best_split(scores, right, own, codes == code, people, rng, least) for code in range(count)}
        while len(splits) < max(most, count) and cuts and d > 1:
            code = max(best, key=lambda c: best[c][0])
            gain, split = best[code]
            if gain < _GAIN * (d - 1) + _GAIN_OF_ONE:
                break
            new = len(class_of)
            class_of.append(class_of[code])
            splits.append((code, *cuts[split]))
            codes[(codes == code) & right[:, split]] = new
            for changed in (code, new):
                best[changed] = _best_split(scores, right, own, codes == changed, people, rng, least)
        rows = np.bincount(codes, minlength=len(class_of)).astype(np.int64)
        return cls(np.array(class_of, dtype=np.int64), rows, tuple(splits)), codes

    def assign(self, scores: Floats, classes: Classes) -> Classes:
        """(m,) stratum of other rows: snapped scores (m, d) and class codes."""
        codes = classes.copy()
        new = len(self.class_of) - len(self.splits)
        for number, (code, score, cut) in enumerate(self.splits, start=new):
            codes[(codes == code) & (scores[:, score] > cut)] = number
        return codes

    def allot(self, code: int, total: int) -> NDArray[np.int64]:
        """(total,) stratum of each of ``total`` rows of a class, in the class's real shares by largest remainder."""
        own = np.flatnonzero(self.class_of == code)
        return np.repeat(own, largest_remainder(self.rows[own] / self.rows[own].sum(), total))


def _best_split(
    scores: Floats,
    right: NDArray[np.bool_],
    own: NDArray[np.intp],
    member: NDArray[np.bool_],
    people: Person | None,
    rng: np.random.Generator,
    least: int,
) -> tuple[float, int]:
    """Gain and number of the best cut of a stratum; gain 0 if there is none."""
    rows = np.flatnonzero(member)
    if right.shape[1] == 0 or len(rows) < 2 * least:
        return 0.0, -1
    seen = rows if len(rows) <= _SAMPLE else rng.choice(rows, _SAMPLE, replace=False)
    side = right[seen].astype(np.float32)
    part = scores[seen] - scores[seen].mean(axis=0)
    deviation = part.std(axis=0)
    part = (part / np.where(deviation > 1e-6, deviation, 1.0)).astype(np.float32)
    n, above = len(seen), side.sum(axis=0)
    sums = (side.T @ part).astype(np.float64)
    # between-side sum of squares of a centred column: sums^2 n / (above (n - above))
    gains = sums**2 * (n / np.maximum(above * (n - above), 1.0))[:, None]
    gains[np.arange(len(own)), own] = 0.0
    total = gains.sum(axis=1) * len(rows) / n
    for split in np.argsort(-total)[:10]:
        chosen = right[rows, split]
        if min(_held(rows[chosen], people), _held(rows[~chosen], people)) >= least:
            return float(total[split]), int(split)
    return 0.0, -1


def _held(rows: NDArray[np.intp], people: Person | None) -> int:
    return len(rows) if people is None else len(np.unique(people[rows]))
