"""What quantile function stands for a sample without publishing its values?

The exact quantile function of a sample is the sample: mapped through it by rank, every cell of a synthetic column is
a real patient's value, the largest and the smallest included. So each knot here is the mean of several neighbouring
order statistics, and the ends lie half a knot step outside the outermost knots, wherever the extremes may be (I-12).
The form is ours. It is disclosure hygiene, not differential privacy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Person = NDArray[np.int64]

KNOT = 3
"""People whose values are averaged into one knot, at least."""


@dataclass(frozen=True)
class Quantiles:
    """A piecewise linear, non-decreasing quantile function; equal positions side by side make a jump.

    Attributes
    ----------
    positions : (k,) non-decreasing probabilities, the first 0 and the last 1.
    values : (k,) non-decreasing values at the positions.
    """

    positions: Floats
    values: Floats

    def __call__(self, probabilities: Floats) -> Floats:
        """Values at probabilities in [0, 1], same shape; at a jump the value right of it."""
        right = np.searchsorted(self.positions, probabilities, side="right")
        right = np.clip(right, 1, len(self.positions) - 1)
        left = right - 1
        width = self.positions[right] - self.positions[left]
        share = np.where(width > 0, (probabilities - self.positions[left]) / np.where(width > 0, width, 1.0), 1.0)
        share = np.clip(share, 0.0, 1.0)
        result: Floats = self.values[left] + share * (self.values[right] - self.values[left])
        return result


def smoothed_quantiles(
    sample: Floats,
    *,
    people: Person | None = None,
    knot: int = KNOT,
    lower: float = -np.inf,
    upper: float = np.inf,
) -> Quantiles:
    """Quantile function of a sample whose knots are means of at least ``knot`` order statistics of ``knot`` people.

    With order statistics ``x_(1) <= .. <= x_(n)`` cut into runs ``a..b`` of ``knot`` (the last one longer), the knot
    of a run stands at probability ``(a - 1 + b) / 2n`` with the mean of the run; the function is linear in between and
    runs on to ``v_1 - (v_2 - v_1) / 2`` at 0 and ``v_K + (v_K - v_(K-1)) / 2`` at 1, held within the bounds. A run
    whose rows belong to fewer than ``knot`` people is joined to the next.

    Parameters
    ----------
    sample : (n,) finite values, n >= 1.
    people : (n,) person codes; without them every row is another person.
    lower, upper : bounds of the domain, publicly known.
    """
    order = np.argsort(sample, kind="stable")
    ranked = sample[order]
    starts = _runs(None if people is None else people[order], len(ranked), knot)
    ends = np.append(starts[1:], len(ranked))
    positions = (starts + ends) / 2.0 / len(ranked)
    values = np.add.reduceat(ranked, starts) / (ends - starts)
    step = np.diff(values)
    first = values[0] - (step[0] / 2.0 if len(step) else 0.0)
    last = values[-1] + (step[-1] / 2.0 if len(step) else 0.0)
    values = np.clip(np.concatenate([[first], values, [last]]), lower, upper)
    return Quantiles(np.concatenate([[0.0], positions, [1.0]]), np.maximum.accumulate(values))


def exact_quantiles(sample: Floats) -> Quantiles:
    """The sample's own order statistics, ``x_(i)`` at ``(i - 1/2) / n``: mapping onto it copies real values.

    Plain form of histogram matching, kept for comparison and never a default (I-12).
    """
    ranked = np.sort(sample)
    positions = (np.arange(len(ranked)) + 0.5) / len(ranked)
    return Quantiles(np.concatenate([[0.0], positions, [1.0]]), np.concatenate([ranked[:1], ranked, ranked[-1:]]))


def _runs(people: Person | None, rows: int, knot: int) -> NDArray[np.intp]:
    """First row number of each run."""
    starts = np.arange(0, max(rows - knot + 1, 1), knot, dtype=np.intp)
    while people is not None and len(starts) > 1:
        run = np.zeros(rows, dtype=np.int64)
        run[starts[1:]] = 1
        run = np.cumsum(run)
        pairs = np.unique(run * (int(people.max()) + 1) + people)
        few = np.bincount(pairs // (int(people.max()) + 1), minlength=len(starts)) < knot
        if not few.any():
            break
        # every other deficient run swallows its right neighbour; the last one is swallowed by its left
        joined = few & ~np.concatenate([[False], few[:-1]])
        swallowed = np.concatenate([[False], joined[:-1]])
        swallowed[-1] |= bool(joined[-1])
        swallowed[0] = False
        if not swallowed.any():
            break
        starts = starts[~swallowed]
    return starts
