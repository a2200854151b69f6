"""Which normal scores stand behind tied and missing cells?

A tie only tells an interval. Spread evenly over it, two columns that always agree would look only loosely correlated
(0.64 for two equal coins), and every model fitted to the scores would loosen them once more. So scores inside wide
intervals are drawn from the Gaussian copula given the other columns: the extended rank likelihood of Hoff, Extending
the rank likelihood for semiparametric copula estimation, Ann. Appl. Stat. 1 (2007), as a Gibbs sampler, with the
covariance shrunk and taken from the last sweep instead of being drawn. Missing cells have the whole line for interval,
so the same draw imputes them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from synth.calibration.quantiles import Floats

_WIDE = 0.02
"""Narrower probability intervals are spread evenly once; wider ones are drawn given the other columns."""
_RIDGE = 0.02
"""Share of the identity mixed into the correlation before it is inverted."""
_FURTHEST = 8.0


def draw_latents(lower: Floats, upper: Floats, fixed: Floats, rng: np.random.Generator, *, sweeps: int) -> Floats:
    """Normal scores inside probability intervals, coherent with each other and with fixed columns.

    Parameters
    ----------
    lower, upper : (n, d) ends of the intervals in [0, 1].
    fixed : (n, p) further columns that the draws depend on, such as class indicators.
    sweeps : passes over the columns; 0 spreads every interval evenly.

    Returns
    -------
    (n, d) scores, finite.
    """
    n, d = lower.shape
    scores = _normal(lower + (upper - lower) * rng.random((n, d)))
    wide = upper - lower > _WIDE
    columns = np.flatnonzero(wide.any(axis=0))
    everything = np.hstack([scores, _standardised(fixed)])
    for _ in range(sweeps if len(columns) else 0):
        standard, precision, centre, scale = _precision(everything)
        for j in columns:
            rows = slice(None) if wide[:, j].all() else np.flatnonzero(wide[:, j])
            pull = -precision[:, j] / precision[j, j]
            pull[j] = 0.0
            mean = centre[j] + scale[j] * (standard[rows] @ pull)
            deviation = scale[j] / np.sqrt(precision[j, j])
            drawn = _truncated(mean, deviation, lower[rows, j], upper[rows, j], rng)
            everything[rows, j] = drawn
            standard[rows, j] = (drawn - centre[j]) / scale[j]
    return everything[:, :d]


def _precision(rows: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Standardised rows, the precision matrix of them, and the means and deviations they had."""
    centre = rows.mean(axis=0)
    scale = rows.std(axis=0)
    scale[scale < 1e-9] = 1.0
    standard = (rows - centre) / scale
    n, d = rows.shape
    ridge = max(_RIDGE, d / (d + n))
    correlation = (1.0 - ridge) * (standard.T @ standard / n) + ridge * np.eye(d)
    return standard, np.linalg.inv(correlation), centre, scale


def _truncated(mean: Floats, deviation: float, lower: Floats, upper: Floats, rng: np.random.Generator) -> Floats:
    """Normal draws inside intervals whose ends are given as standard normal probabilities."""
    a, b = (ndtri(lower) - mean) / deviation, (ndtri(upper) - mean) / deviation
    # in the upper tail probabilities round to 1, so that side is mirrored
    flip = a > -b
    a, b = np.where(flip, -b, a), np.where(flip, -a, b)
    below, above = ndtr(a), ndtr(b)
    draw = ndtri(below + (above - below) * rng.random(len(mean)))
    draw = np.clip(
        np.where(np.isfinite(draw), draw, 0.0),
        np.maximum(a, -_FURTHEST),
        np.maximum(np.minimum(b, _FURTHEST), -_FURTHEST),
    )
    return np.clip(mean + deviation * np.where(flip, -draw, draw), -_FURTHEST, _FURTHEST)


def _normal(probabilities: Floats) -> Floats:
    tiny = 1e-12
    result: NDArray[np.float64] = ndtri(np.clip(probabilities, tiny, 1.0 - tiny))
    return result


def _standardised(columns: Floats) -> Floats:
    scale = columns.std(axis=0)
    result: Floats = (columns - columns.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    return result
