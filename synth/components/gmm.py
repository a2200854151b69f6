"""What are rows of a class that falls into groups?

A Gaussian mixture per class, on the leading principal components of the class. The number of groups is the one with
the least BIC (Schwarz, Estimating the dimension of a model, Ann. Statist. 6, 1978). Small classes are not overfitted:
there is one component for every 12 rows at most, no group rests on fewer than 20 rows, and a class of fewer than 40 is
drawn from its moments. What the components leave out is added as Gaussian noise with the covariance left out. The
limits are ours.
"""

from __future__ import annotations

import math
import warnings
from typing import ClassVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from synth.components.moments import Floats, Moments, covariance_root
from synth.components.perclass import Draw, PerClass

GROUPS = (1, 2, 3, 4, 6, 8, 12, 16)
LEAST_GROUP = 20
FITTED = 10_000
"""Rows of a class that the mixture is fitted to; a larger class is represented by a random sample of as many."""
_ROWS_PER_COMPONENT = 12
_MOST_COMPONENTS = 32
_RIDGE = 0.01


class GaussianMixtures(PerClass):
    """A Gaussian mixture for every class."""

    name: ClassVar[str] = "gmm"
    memorises: ClassVar[bool] = False

    def _learn(self, rows: Floats, moments: Moments, rng: np.random.Generator) -> Draw:
        n, d = rows.shape
        if n < 2 * LEAST_GROUP:
            return moments.draw
        q = min(d, max(1, n // _ROWS_PER_COMPONENT), _MOST_COMPONENTS)
        axes = np.linalg.eigh(moments.covariance)[1][:, : -q - 1 : -1]
        sample = rows if n <= FITTED else rows[rng.choice(n, FITTED, replace=False)]
        mixture = _mixture((sample - moments.mean) @ axes, rng)
        shares = mixture.weights_ / mixture.weights_.sum()
        centres: Floats = mixture.means_
        roots = np.linalg.cholesky(mixture.covariances_)
        outside = np.eye(d) - axes @ axes.T
        rest = covariance_root(outside @ moments.covariance @ outside)

        def draw(m: int, rng: np.random.Generator) -> Floats:
            group = np.sort(rng.choice(len(shares), size=m, p=shares))
            inside = rng.standard_normal((m, q))
            for k, (centre, root) in enumerate(zip(centres, roots, strict=True)):
                inside[group == k] = centre + inside[group == k] @ root.T
            inside = inside[rng.permutation(m)]
            drawn: Floats = moments.mean + inside @ axes.T + rng.standard_normal((m, d)) @ rest.T
            return drawn

        return draw


def _mixture(rows: Floats, rng: np.random.Generator) -> GaussianMixture:
    """The mixture with the least BIC; two numbers of groups in a row without a gain end the search."""
    n, q = rows.shape
    best, least, worse = None, math.inf, 0
    for groups in GROUPS:
        if groups > 1 and n < groups * max(LEAST_GROUP, 2 * q):
            break
        mixture = GaussianMixture(
            groups, reg_covar=_RIDGE, tol=1e-2, max_iter=50, random_state=int(rng.integers(2**31))
        )
        with warnings.catch_warnings():
            # an unfinished search is no error: its BIC tells how good it is
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(rows)
        bic = float(mixture.bic(rows))
        if groups > 1 and mixture.weights_.min() * n < max(LEAST_GROUP, q):
            bic = math.inf
        worse = 0 if bic < least else worse + 1
        if best is None or bic < least:
            best, least = mixture, bic
        if worse == 2:
            break
    return best
