"""How are the marginals of synthetic scores moved towards those of real ones?

The hybrid's source (Mahin et al., arXiv:2510.10513) names five ways and gives no formulas in what could be read;
every formula here is ours. ``z`` are the present scores of one column of one group, ``m`` of them, ``r`` their ranks
1..m (ties broken by chance), and ``Q`` is the target's smoothed quantile function. All methods but ``moment`` are
monotonic in ``z``, so ranks, and with them the dependence between columns, stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from synth.calibration.quantiles import Floats, Quantiles
from synth.calibration.target import Known, Target, correlations

Method = Callable[[Floats, Known, Target, np.random.Generator], Floats]

SOFT_SHARE = 0.5
STEP = 0.3
ROUNDS = 20


def moment(scores: Floats, known: Known, target: Target, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    """``z' = (z - mean(z)) / sd(z) * sd_target + mean_target``; a constant column goes to the target's mean."""
    result = scores.copy()
    for j in range(scores.shape[1]):
        cells = scores[known[:, j], j]
        if len(cells) and target.counts[j]:
            deviation = cells.std()
            scale = target.deviations[j] / deviation if deviation > 1e-12 else 0.0
            result[known[:, j], j] = (cells - cells.mean()) * scale + target.means[j]
    return result


def full(scores: Floats, known: Known, target: Target, rng: np.random.Generator) -> Floats:
    """``z' = Q((r - 1/2) / m)``: full histogram matching, by rank, onto smoothed quantiles."""
    return _towards(scores, known, target, target.quantiles, np.ones(scores.shape[1]), rng)


def exact(scores: Floats, known: Known, target: Target, rng: np.random.Generator) -> Floats:
    """Full matching onto the order statistics themselves, ``z' = x_(ceil(r n / m))`` where m = n.

    The plain form. Its price: every score of the output is a real row's score, the extremes included (I-12). Kept for
    comparison.
    """
    return _towards(scores, known, target, target.exact, np.ones(scores.shape[1]), rng)


def soft(
    scores: Floats, known: Known, target: Target, rng: np.random.Generator, *, alpha: float = SOFT_SHARE
) -> Floats:
    """``z' = (1 - alpha) z + alpha Q((r - 1/2) / m)`` with alpha in [0, 1]."""
    return _towards(scores, known, target, target.quantiles, np.full(scores.shape[1], alpha), rng)


def adaptive_soft(
    scores: Floats, known: Known, target: Target, rng: np.random.Generator, *, tau: float | None = None
) -> Floats:
    """``soft`` with ``alpha_j = min(1, KS_j / tau_j)``: what already fits is hardly moved.

    ``tau`` defaults to each column's noise floor, so a column that is no nearer than a fresh sample is matched fully.
    """
    distance = ks_distances(scores, known, target)
    floor = noise_floor(known, target) if tau is None else np.full(len(distance), tau)
    return _towards(scores, known, target, target.quantiles, np.minimum(1.0, distance / floor), rng)


def iterative(scores: Floats, known: Known, target: Target, rng: np.random.Generator) -> Floats:
    """``soft`` with alpha = 0.3 repeated while the greatest KS exceeds the noise floor of a fresh real sample (I-12).

    Only columns above their own floor are moved. The last round is undone, and nothing further done, if the pair
    trend ``1 - mean |corr - corr_target| / 2`` (as in SDMetrics' column pair trends) has fallen by more than that of
    two fresh samples: cells that move shift every correlation a little, which alone says nothing.
    """
    floor = noise_floor(known, target)
    least = pair_trend(scores, known, target) - trend_noise(known, target)
    current = scores
    for _ in range(ROUNDS):
        above = ks_distances(current, known, target) > floor
        if not above.any():
            break
        moved = _towards(current, known, target, target.quantiles, STEP * above.astype(np.float64), rng)
        if pair_trend(moved, known, target) < least:
            break
        current = moved
    return current


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "moment": moment,
        "full": full,
        "exact": exact,
        "soft": soft,
        "adaptive_soft": adaptive_soft,
        "iterative": iterative,
    }
)


def ks_distances(scores: Floats, known: Known, target: Target) -> Floats:
    """(d,) Kolmogorov-Smirnov distances between present scores and as many target quantiles; 0 for an empty column."""
    distances = np.zeros(scores.shape[1])
    for j in range(scores.shape[1]):
        cells = np.sort(scores[known[:, j], j])
        m = len(cells)
        if m and target.counts[j]:
            wanted = target.quantiles[j]((np.arange(m) + 0.5) / m)
            both = np.concatenate([cells, wanted])
            below = np.searchsorted(cells, both, side="right") - np.searchsorted(wanted, both, side="right")
            distances[j] = np.abs(below).max() / m
    return distances


def noise_floor(known: Known, target: Target) -> Floats:
    """(d,) mean Kolmogorov-Smirnov distance between two fresh samples of the sizes at hand, ``0.87 sqrt(1/m + 1/n)``.

    0.8687 is the mean of the Kolmogorov distribution, ``sqrt(pi / 2) ln 2``.
    """
    m = np.maximum(known.sum(axis=0), 1)
    n = np.maximum(target.counts, 1)
    result: Floats = np.sqrt(np.pi / 2.0) * np.log(2.0) * np.sqrt(1.0 / m + 1.0 / n)
    return result


def trend_noise(known: Known, target: Target) -> float:
    """By how much the pair trend of two fresh samples of the sizes at hand lies below 1, on average.

    Half of ``sqrt(2 / pi) sqrt(1/m + 1/n)``, the mean absolute difference of two sample correlations near 0 (Fisher);
    stronger correlations differ by less.
    """
    m = max(int(np.median(known.sum(axis=0))), 1)
    n = max(int(np.median(target.counts)), 1)
    return float(np.sqrt(2.0 / np.pi) * np.sqrt(1.0 / m + 1.0 / n) / 2.0)


def pair_trend(scores: Floats, known: Known, target: Target) -> float:
    """``1 - mean |corr - corr_target| / 2`` over pairs of columns; 1 for a single column."""
    d = scores.shape[1]
    if d < 2:
        return 1.0
    off_diagonal = ~np.eye(d, dtype=np.bool_)
    return float(1.0 - np.abs(correlations(scores, known) - target.correlation)[off_diagonal].mean() / 2.0)


def _towards(
    scores: Floats,
    known: Known,
    target: Target,
    quantiles: tuple[Quantiles, ...],
    alpha: Floats,
    rng: np.random.Generator,
) -> Floats:
    result = scores.copy()
    for j in np.flatnonzero((alpha > 0) & (target.counts > 0)):
        rows = np.flatnonzero(known[:, j])
        if len(rows):
            rows = rows[np.lexsort((rng.random(len(rows)), scores[rows, j]))]
            wanted = quantiles[j]((np.arange(len(rows)) + 0.5) / len(rows))
            result[rows, j] = (1.0 - alpha[j]) * scores[rows, j] + alpha[j] * wanted
    return result
