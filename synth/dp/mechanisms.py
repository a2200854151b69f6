"""Which mechanisms touch counts? diffprivlib's, with noise that is exact: no other module imports that library.

diffprivlib gives the interface and the checks of parameters; the draws come from :mod:`synth.dp.randomness`, because
the library's own loops in Python and floating point are slow and, for the exponential and the geometric mechanism,
inexact. Its histogram tool, which drops missing and out-of-range rows silently and reads missing bounds off the data
with a mere warning, is wrapped so that each of these raises.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from diffprivlib import tools
from diffprivlib.mechanisms import Exponential, GaussianDiscrete, Geometric
from diffprivlib.utils import PrivacyLeakWarning
from numpy.typing import NDArray

from synth.dp.events import PrivacyError
from synth.dp.randomness import SystemRandomness

SCORE_GRID = 2**20  # scores are whole multiples of 1 / SCORE_GRID counts
SMALLEST_SIGMA = 2.0  # counts
_STATED_DELTA = 1e-6
_LARGEST_SCORE = 2**40  # counts


class TableGaussian(GaussianDiscrete):  # type: ignore[misc]
    """Discrete Gaussian noise on every cell of a table of counts; (sensitivity / sigma)^2 / 2 zCDP.

    Parameters
    ----------
    sigma : float
        Scale of the noise in counts, at least 2.
    sensitivity : int
        Largest L2 change of the table, in counts, when one patient is added or removed.
    """

    def __init__(self, *, sigma: float, sensitivity: int, randomness: SystemRandomness) -> None:
        if not SMALLEST_SIGMA <= sigma < math.inf:
            raise PrivacyError(f"sigma must be at least {SMALLEST_SIGMA} counts, found {sigma}")
        self.sigma = float(sigma)
        self.rho = (sensitivity / sigma) ** 2 / 2
        # The parent is told an (epsilon, delta) that rho implies (Bun and Steinke 2016); nothing is accounted with it.
        super().__init__(
            epsilon=self.rho + 2 * math.sqrt(self.rho * math.log(1 / _STATED_DELTA)),
            delta=_STATED_DELTA,
            sensitivity=sensitivity,
        )
        self._randomness = randomness

    def _find_scale(self) -> float:
        return self.sigma

    def randomise(self, value: int) -> int:
        """``value`` with noise."""
        self._check_all(value)
        return int(value) + int(self._randomness.discrete_gaussian(self.sigma, 1)[0])

    def randomise_table(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """``counts`` with independent noise in every cell, same shape."""
        if counts.dtype != np.int64:
            raise PrivacyError(f"a table of 64-bit integers is needed, found {counts.dtype}")
        return counts + self._randomness.discrete_gaussian(self.sigma, counts.shape)


class HeadCount(Geometric):  # type: ignore[misc]
    """Discrete Laplace noise of scale sensitivity / epsilon on one count; epsilon-DP."""

    def __init__(self, *, epsilon: float, randomness: SystemRandomness, sensitivity: int = 1) -> None:
        super().__init__(epsilon=epsilon, sensitivity=sensitivity)
        self._randomness = randomness

    def randomise(self, value: int) -> int:
        """``value`` with noise; may be negative."""
        self._check_all(value)
        scale = Fraction(self.sensitivity) / Fraction(self.epsilon)
        return int(value) + int(self._randomness.discrete_laplace(scale, 1)[0])


class ScoreChoice(Exponential):  # type: ignore[misc]
    """The exponential mechanism over whole-number scores, drawn exactly; ``epsilon``-bounded-range.

    Parameters
    ----------
    epsilon : float
        A candidate's probability is proportional to exp(epsilon * score / (2 * sensitivity)).
    sensitivity : int
        Largest change of any one score when one patient is added or removed, in the scores' own unit.
    scores : sequence of int
        In units of 1 / SCORE_GRID counts, so that the sensitivity holds to the last digit.
    """

    def __init__(
        self, *, epsilon: float, sensitivity: int, scores: Sequence[int], randomness: SystemRandomness
    ) -> None:
        super().__init__(epsilon=epsilon, sensitivity=sensitivity, utility=[int(score) for score in scores])
        self._rate = Fraction(epsilon) / (2 * int(sensitivity))
        self._randomness = randomness

    @classmethod
    def _find_probabilities(cls, *_: Any) -> None:
        """The parent would exponentiate in floating point; see :meth:`randomise`."""

    def randomise(self, value: None = None) -> int:
        """Index of the chosen candidate."""
        self._check_all(value)
        return self._randomness.choose([self._rate * score for score in self.utility])


def whole_scores(distances: NDArray[np.int64], penalties: NDArray[np.float64]) -> list[int]:
    """Scores in units of 1 / SCORE_GRID from distances in that unit and penalties in counts."""
    return [int(distance) - int(penalty) for distance, penalty in zip(distances, on_grid(penalties), strict=True)]


def on_grid(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Counts as whole multiples of 1 / SCORE_GRID.

    Raises
    ------
    PrivacyError
        A value is not finite or beyond 2^40 counts.
    """
    if not np.isfinite(values).all() or (np.abs(values) > _LARGEST_SCORE).any():
        raise PrivacyError("estimates and penalties must be finite and at most 2^40 counts")
    return np.rint(np.asarray(values, dtype=np.float64) * SCORE_GRID).astype(np.int64)


def single_histogram(
    values: NDArray[np.float64], edges: Sequence[float], epsilon: float, *, contribution: int = 1
) -> NDArray[np.int64]:
    """One histogram with declared edges by diffprivlib's tool; epsilon-DP for patients of ``contribution`` rows.

    Parameters
    ----------
    values : (n,) array
        Every one within the edges; the last bin holds its upper edge too.
    edges : sequence of float
        Public bin edges, strictly rising.

    Returns
    -------
    (bins,) array of counts, at least 0 (the library's truncated geometric mechanism, drawn by ``secrets``).

    Raises
    ------
    PrivacyError
        A missing or out-of-range value, unusable edges, or the library warns that it looked at the data for bounds.
    """
    bounds = np.asarray(edges, dtype=np.float64)
    if bounds.ndim != 1 or bounds.size < 2 or not np.isfinite(bounds).all() or (np.diff(bounds) <= 0).any():
        raise PrivacyError(f"a histogram needs two or more finite, strictly rising public edges, found {bounds.size}")
    if contribution < 1 or not epsilon > 0:
        raise PrivacyError("a histogram needs epsilon above 0 and a contribution of at least one row")
    numbers = np.asarray(values, dtype=np.float64).ravel()
    astray = int((~((numbers >= bounds[0]) & (numbers <= bounds[-1]))).sum())
    if astray:
        raise PrivacyError(f"{astray} values are missing or outside the declared edges: correct them or the dictionary")
    with warnings.catch_warnings():
        warnings.simplefilter("error", PrivacyLeakWarning)
        try:
            noisy, _ = tools.histogram(
                numbers,
                epsilon=epsilon / contribution,
                bins=bounds,
                range=(float(bounds[0]), float(bounds[-1])),
                accountant=None,
            )
        except PrivacyLeakWarning:
            raise PrivacyError("the histogram's bounds would have come from the data: declare them") from None
    return np.asarray(noisy, dtype=np.int64)
