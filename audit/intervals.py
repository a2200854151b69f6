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

_LEAST = 1e-9


def critical(confidence: float, df: float | None = None) -> float:
    """Two-sided critical value: normal, or Student's t with ``df`` degrees of freedom."""
    tail = 0.5 + confidence / 2
    return float(stats.norm.ppf(tail) if df is None else stats.t.ppf(tail, max(df, 1.0)))


def clopper_pearson(share: float, n: float, confidence: float) -> Interval:
    """Exact interval of a share among ``n`` independent trials; covers at least as often as it says, whatever they are.

    ``n`` may be an effective number of trials and need not be whole.

    References
    ----------
    Clopper and Pearson, The use of confidence or fiducial limits illustrated in the case of the binomial, Biometrika
    26 (1934); with effective n: Korn and Graubard, Survey Methodology 24 (1998).
    """
    if n <= 0:
        return 0.0, 1.0
    tail, hits = (1 - confidence) / 2, share * n
    # fewer hits than a billionth of one are rounding error, and too few for the beta distribution
    low = float(stats.beta.ppf(tail, hits, n - hits + 1)) if hits > _LEAST else 0.0
    high = float(stats.beta.ppf(1 - tail, hits + 1, n - hits)) if n - hits > _LEAST else 1.0
    return min(low, share), max(high, share)


def difference_of_shares(first: float, n_first: float, second: float, n_second: float, confidence: float) -> Interval:
    """Interval of ``first - second``, two independent shares, from the exact interval of each.

    Keeps its width when both are zero. Covers at least 95 % of the time at a nominal 95 %, at any n from 20.

    References
    ----------
    Zou and Donner, Construction of confidence limits about effect measures: a general approach, Statistics in Medicine
    27 (2008): Newcombe's method 10 (Statistics in Medicine 17, 1998) with exact limits in place of scores, because
    score limits cover as little as 85 % where a share is next to 0 or 1.
    """
    low1, high1 = clopper_pearson(first, n_first, confidence)
    low2, high2 = clopper_pearson(second, n_second, confidence)
    difference = first - second
    return (
        difference - math.hypot(first - low1, high2 - second),
        difference + math.hypot(high1 - first, second - low2),
    )


def difference_of_counts(first: int, second: int, ratio: float, confidence: float) -> Interval:
    """Interval of ``first - ratio * second``, where both were counted; ``ratio`` scales second's exposure to first's.

    The counts are taken as Poisson: given their sum, the first is binomial, and its share has an exact interval. Both
    zero means exactly zero.

    References
    ----------
    Przyborowski and Wilenski, Homogeneity of results in testing samples from Poisson series, Biometrika 31 (1940).
    """
    total = first + second
    if not total:
        return 0.0, 0.0
    low, high = clopper_pearson(first / total, total, confidence)
    return total * (low - (1 - low) * ratio), total * (high - (1 - high) * ratio)


def difference_of_means(
    first: Floats, second: Floats, confidence: float, *, low: float = -math.inf, high: float = math.inf
) -> Interval:
    """Interval of ``first.mean() - second.mean()``, two independent samples of at least two; cut to what is possible.

    Degrees of freedom are Satterthwaite's, which lie between those of the smaller sample and those of both; where the
    variances are too small to tell, those of the smaller sample.

    References
    ----------
    Welch, The generalization of "Student's" problem when several different population variances are involved,
    Biometrika 34 (1947). Satterthwaite, An approximate distribution of estimates of variance components, Biometrics
    Bulletin 2 (1946).
    """
    sizes = len(first), len(second)
    parts = [float(part.var(ddof=1)) / len(part) for part in (first, second)]
    uncertain = sum(part**2 / (size - 1) for part, size in zip(parts, sizes, strict=True))
    df = sum(parts) ** 2 / uncertain if uncertain > 0 else min(sizes) - 1.0
    return around(float(first.mean() - second.mean()), sum(parts), confidence, df=df, low=low, high=high)


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


def share_interval(
    share: float, variance: float, n: float, confidence: float, *, clusters: float | None = None
) -> Interval:
    """Exact interval of a mean in [0, 1] whose estimator has ``variance``, at most as narrow as ``n`` trials give.

    The variance is turned into the number of independent trials with the same one (Korn and Graubard, Confidence
    intervals for proportions with small expected number of positive counts estimated from survey data, Survey
    Methodology 24, 1998); where it is zero, ``n`` trials are assumed. A variance that comes from ``clusters``
    independent groups of rows is itself uncertain where they are few: the number of trials shrinks by the squared ratio
    of the critical values of Student's t with ``n`` and with ``clusters`` less one (their section 2).
    """
    if not math.isfinite(variance):
        return 0.0, 1.0
    spread = share * (1 - share)
    effective = min(n, spread / variance) if variance > 0 and spread > 0 else n
    if clusters is not None:
        effective *= (critical(confidence, n - 1.0) / critical(confidence, clusters - 1.0)) ** 2
    return clopper_pearson(share, max(1.0, min(n, effective)), confidence)


def clustered_variance(residuals: Floats, clusters: Ids) -> float:
    """Variance of ``residuals.sum()`` when rows of one cluster go together and clusters are independent."""
    _, inverse = np.unique(clusters, return_inverse=True)
    return float((np.bincount(inverse, weights=residuals) ** 2).sum())


def touched_variance(parts: Sequence[tuple[Floats, Sequence[Ids]]], points: int) -> float:
    """Variance of a sum of terms each of which depends on a few shared points, such as a row and its neighbours.

    Two terms that touch no common point are taken as independent; each common point adds their product once. This is
    multiway clustering (Cameron, Gelbach, Miller, Robust inference with multiway clustering, JBES 29, 2011) with all
    roles in one set of points; pairs that share two points count twice, so the figure errs to the wide side. It is
    never below the figure for independent terms. Terms that touch k points each leave, at small n, about the degrees of
    freedom of n/k terms.

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
