"""What do many choices by the exponential mechanism cost, when each may be shaped by the answers before it?

A choice of bounded range epsilon has its privacy loss in an interval [t - epsilon, t], and an adversary who adapts may
pick another t in every round. Taking the worst t for every order at once, independently in each round
(:func:`synth.dp.losses.bounded_range_curve`), overstates the variance of the loss by a third. Here the adversary is
followed backwards from the hockey-stick payoff F0(u) = max(0, 1 - exp(-u)) of the final loss u above epsilon:

    F(n)(u) = max over t of p F(n-1)(u + t) + (1 - p) F(n-1)(u + t - epsilon),
    with p such that p exp(-t) + (1 - p) exp(epsilon - t) = 1.

Every F is convex in exp(-u), so two points are the worst distribution on an interval, and F(n)(-epsilon) is again a
hockey-stick curve: the exact delta of n choices at epsilon (after Dong, Durfee and Rogers, ICML 2020). Composing that
curve's pair with those of other mechanisms is valid wherever they stand between the choices: an adversary who knows
more when picking t does no worse, so choices moved to the end cost at least as much; and as one step is sublinear, the
curve bounds every convex payoff, a sum of hockey sticks. Between choices of *different* epsilon this needs their blocks
to follow one another, which :class:`synth.dp.budget.PrivacyBudget` sees to.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray


@functools.lru_cache(maxsize=256)
def choices_curve(epsilon: float, count: int, interval: float, steps: int) -> NDArray[np.float64]:
    """Delta of ``count`` adaptive choices at the multiples -W .. W of ``interval``, never too small.

    Every t is covered by an interval on the grid that holds [t - epsilon, t] and is about epsilon / ``steps`` wider.
    """
    cells = math.ceil(epsilon / interval)
    stride = max(1, cells // steps)
    reach = cells + stride
    intervals = _covering(cells, stride)
    window = min(count * reach, math.ceil((4.5 * math.sqrt(count) + 4) * reach))
    losses = np.arange(-window - reach, window + reach + 1) * interval
    sure = np.where(losses > 0, -np.expm1(-np.maximum(losses, 0)), 0.0)
    payoff = sure.copy()
    inner = slice(reach, reach + 2 * window + 1)
    for _ in range(count):
        best = np.zeros(2 * window + 1)
        for up, down in intervals:
            chance = math.expm1(down * interval) / (math.expm1(down * interval) - math.expm1(-up * interval))
            high = payoff[reach + up : reach + up + best.size]
            low = payoff[reach - down : reach - down + best.size]
            np.maximum(best, chance * high + (1 - chance) * low, out=best)
        payoff[inner] = best
        # Beyond the window: F rises with u, and F - (1 - exp(-u)) falls, so the edges' values are bounds there.
        payoff[:reach] = best[0]
        payoff[inner.stop :] = sure[inner.stop :] + max(0.0, best[-1] - sure[inner.stop - 1])
    curve = np.minimum.accumulate(np.clip(payoff[inner][::-1], 0, 1))
    curve.flags.writeable = False
    return curve


def _covering(cells: int, stride: int) -> list[tuple[int, int]]:
    """Intervals -down .. up of grid cells of which one holds -(cells - t) .. t for every real t in 0 .. cells."""
    return [(min(start + stride, cells), cells - start) for start in range(0, cells, stride)]
