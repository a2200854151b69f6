"""Which mechanisms touch counts? diffprivlib's, with noise that is exact: no other module imports that library.

diffprivlib gives the interface and the checks of parameters; the draws come from :mod:`synth.dp.randomness`, because
the library's own loops in Python and floating point are slow and, for the exponential and the geometric mechanism,
inexact. Its histogram tool, which drops missing and out-of-range rows silently and reads missing bounds off the data
with a mere warning, is not used: counts are taken of declared cells, and a code outside them is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from diffprivlib.mechanisms import Exponential, GaussianDiscrete, Geometric
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
        return _whole(counts) + self._randomness.discrete_gaussian(self.sigma, counts.shape)


class CountLaplace(Geometric):  # type: ignore[misc]
    """Discrete Laplace noise of scale sensitivity / epsilon on counts; epsilon-DP.

    Parameters
    ----------
    sensitivity : int
        Largest L1 change of all the counts together, when one patient is added or removed.
    """

    def __init__(self, *, epsilon: float, sensitivity: int, randomness: SystemRandomness) -> None:
        super().__init__(epsilon=epsilon, sensitivity=sensitivity)
        self._scale = Fraction(sensitivity) / Fraction(epsilon)
        self._randomness = randomness

    def randomise(self, value: int) -> int:
        """``value`` with noise; may be negative."""
        self._check_all(value)
        return int(value) + int(self._randomness.discrete_laplace(self._scale, 1)[0])

    def randomise_table(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """``counts`` with independent noise in every cell, same shape; cells may be negative."""
        return _whole(counts) + self._randomness.discrete_laplace(self._scale, counts.shape)


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


def whole_scores(distances: Sequence[int], penalties: NDArray[np.float64]) -> list[int]:
    """Scores in units of 1 / SCORE_GRID from distances in that unit and penalties in counts."""
    return [distance - int(penalty) for distance, penalty in zip(distances, on_grid(penalties), strict=True)]


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


def _whole(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    if counts.dtype != np.int64:
        raise PrivacyError(f"a table of 64-bit integers is needed, found {counts.dtype}")
    return counts
