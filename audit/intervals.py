"""Which interval belongs to a share, a difference of shares, or a statistic whose rows depend on each other?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Interval = tuple[float, float]


def critical(confidence: float, df: float | None = None) -> float:
    """Two-sided critical value: normal, or Student's t with ``df`` degrees of freedom."""
    tail = 0.5 + confidence / 2
    return float(stats.norm.ppf(tail) if df is None else stats.t.ppf(tail, max(df, 1.0)))


def wilson(share: float, n: float, confidence: float) -> Interval:
    """Score interval of a share among ``n`` independent trials; never empty, never outside [0, 1].

    References
    ----------
    Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).
    """
    if n < 1:
        return 0.0, 1.0
    z2 = critical(confidence) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def newcombe(first: float, n_first: float, second: float, n_second: float, confidence: float) -> Interval:
    """Hybrid score interval of ``first - second``, two shares; keeps its width when both are zero.

    References
    ----------
    Newcombe, Interval estimation for the difference between independent proportions: comparison of eleven methods,
    Statistics in Medicine 17 (1998), method 10.
    """
    low1, high1 = wilson(first, n_first, confidence)
    low2, high2 = wilson(second, n_second, confidence)
    difference = first - second
    return (
        difference - math.hypot(first - low1, high2 - second),
        difference + math.hypot(high1 - first, second - low2),
    )


def around(
    value: float,
    variance: float,
    confidence: float,
    *,
    df: float | None = None,
    low: float = -math.inf,
    high: float = math.inf,
) -> Interval:
    """Value plus and minus critical value times standard error, cut to what is possible."""
    half = critical(confidence, df) * math.sqrt(max(variance, 0.0))
    return max(low, value - half), min(high, value + half)


def share_interval(share: float, variance: float, n: float, confidence: float) -> Interval:
    """Score interval of a mean in [0, 1] whose estimator has ``variance``, at most as narrow as ``n`` trials give.

    The variance is turned into the number of independent trials with the same one (Korn and Graubard, Confidence
    intervals for proportions with small expected number of positive counts estimated from survey data, Survey
    Methodology 24, 1998); where it is zero, ``n`` trials are assumed.
    """
    spread = share * (1 - share)
    effective = max(1.0, min(n, spread / variance)) if variance > 0 and spread > 0 else n
    return wilson(share, effective, confidence)


def clustered_variance(residuals: Floats, clusters: Ids) -> float:
    """Variance of ``residuals.sum()`` when rows of one cluster go together and clusters are independent."""
    _, inverse = np.unique(clusters, return_inverse=True)
    return float((np.bincount(inverse, weights=residuals) ** 2).sum())


def touched_variance(parts: Sequence[tuple[Floats, Sequence[Ids]]], points: int) -> float:
    """Variance of a sum of terms each of which depends on a few shared points, such as a row and its neighbours.

    Two terms that touch no common point are taken as independent; each common point adds their product once. This is
    multiway clustering (Cameron, Gelbach, Miller, Robust inference with multiway clustering, JBES 29, 2011) with all
    roles in one set of points; pairs that share two points count twice, so the figure errs to the wide side. It is
    never below the figure for independent terms.

    Parameters
    ----------
    parts : pairs of (m,) residuals, centred and already divided by what the statistic divides by, and the (m,) ids
        in ``range(points)`` of each point they touch
    """
    totals = np.zeros(points)
    surplus = independent = 0.0
    for residuals, touched in parts:
        squares = float((residuals**2).sum())
        independent += squares
        surplus += (len(touched) - 1) * squares
        for ids in touched:
            totals += np.bincount(ids, weights=residuals, minlength=points)
    return max(float((totals**2).sum()) - surplus, independent)
