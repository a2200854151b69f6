"""What are the mean and covariance of each class, however few rows it has?

A class of one patient has a mean, and it is that patient. So no mean here rests on fewer than ``LEAST`` rows: what a
class lacks is filled up with rows of the whole table, and what the table lacks with standard normal rows, which in
normal-score space is public knowledge. Covariances borrow in the same order, and their correlations are shrunk by the
least-squares rule of Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices,
J. Multivariate Analysis 88 (2004), in the form for correlations and free targets of Schafer and Strimmer, Stat. Appl.
Genet. Mol. Biol. 4 (2005). Variances are never shrunk once a class has ``2 LEAST`` rows, so a constant column stays
constant. The filling-up rule is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST = 16
"""Rows that a released class mean rests on at least."""


@dataclass(frozen=True)
class Moments:
    """Mean (d,), covariance (d, d) and number of rows of one class; ``root @ root.T`` is the covariance."""

    mean: Floats
    covariance: Floats
    root: Floats
    rows: int

    @property
    def correlation(self) -> Floats:
        """(d, d) correlation; a column that does not vary is correlated with none."""
        deviation = np.sqrt(np.diag(self.covariance))
        scale = np.where(deviation > 1e-9, deviation, 1.0)
        correlation: Floats = self.covariance / np.outer(scale, scale)
        np.fill_diagonal(correlation, 1.0)
        return correlation

    @property
    def dimension(self) -> float:
        """Effective dimension in [1, d]: how many equally strong independent directions spread rows as much.

        The participation ratio of the eigenvalues, trace(C)^2 / trace(C^2); 0 where nothing varies.
        """
        total = float((self.covariance**2).sum())
        return float(np.trace(self.covariance)) ** 2 / total if total > 0.0 else 0.0

    def draw(self, rows: int, rng: np.random.Generator) -> Floats:
        """(rows, d) Gaussian rows with these moments."""
        return self.mean + rng.standard_normal((rows, len(self.mean))) @ self.root.T


def class_moments(scores: Floats, members: dict[int, NDArray[np.intp]]) -> tuple[Moments, dict[int, Moments]]:
    """Moments of the whole table and of each class.

    Parameters
    ----------
    scores : (n, d) normal scores, n >= 1.
    members : row numbers of each class, as :func:`synth.components.perclass.members_of` gives them.
    """
    n, d = scores.shape
    whole_mean = scores.mean(axis=0) * min(1.0, n / LEAST)
    residuals = scores.copy()
    for rows in members.values():
        residuals[rows] -= residuals[rows].mean(axis=0)
    within = _spread(residuals, n - len(members), np.ones(d), np.eye(d))
    total = _spread(scores - scores.mean(axis=0), n - 1, np.ones(d), np.eye(d))
    whole = _moments(whole_mean, total, n)
    classes = {}
    for code, rows in members.items():
        own = scores[rows]
        share = min(1.0, len(rows) / LEAST)
        mean = share * own.mean(axis=0) + (1.0 - share) * whole_mean
        classes[code] = _moments(mean, _spread(own - own.mean(axis=0), len(rows) - 1, *within), len(rows))
    return whole, classes


def shrunk_correlation(standard: Floats, target: Floats) -> Floats:
    """Correlation of standardised rows (n, d), shrunk towards ``target`` (d, d) by the least-squares intensity."""
    n = len(standard)
    sample = standard.T @ standard / n
    np.fill_diagonal(sample, 1.0)
    squares = standard**2
    off_diagonal = float((squares.sum(axis=1) ** 2 - (squares**2).sum(axis=1)).sum())
    noise = (off_diagonal / n - float((sample**2).sum() - (np.diag(sample) ** 2).sum())) / n
    distance = float(((sample - target) ** 2).sum())
    intensity = 1.0 if distance <= noise else max(0.0, noise) / distance
    return (1.0 - intensity) * sample + intensity * target


def covariance_root(covariance: Floats) -> Floats:
    """(d, d) matrix whose product with its transpose is the nearest positive semi-definite covariance."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
    root: Floats = vectors * np.sqrt(np.maximum(values, 0.0))
    return root


def _spread(centred: Floats, freedom: int, deviation: Floats, correlation: Floats) -> tuple[Floats, Floats]:
    """Standard deviations and correlation of centred rows, borrowing from the given ones while rows are few."""
    own = min(1.0, max(freedom, 0) / (2 * LEAST))
    if own == 0.0:
        return deviation, correlation
    variance = (centred**2).sum(axis=0) / freedom
    scale = np.sqrt((centred**2).mean(axis=0))
    alive = scale > 1e-9
    standard = np.where(alive, centred / np.where(alive, scale, 1.0), 0.0)
    shrunk = shrunk_correlation(standard, correlation)
    return np.sqrt(own * variance + (1.0 - own) * deviation**2), own * shrunk + (1.0 - own) * correlation


def _moments(mean: Floats, spread: tuple[Floats, Floats], rows: int) -> Moments:
    deviation, correlation = spread
    covariance = correlation * np.outer(deviation, deviation)
    return Moments(mean, covariance, covariance_root(covariance), rows)
