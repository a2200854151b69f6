"""What are rows of a class whose columns depend on each other as a Gaussian's do?

A Gaussian copula per class. Within a class the scores of a column are no longer normal, so they are ranked once more;
the correlation of these ranks' normal scores is shrunk, and drawn ranks go back through smoothed class quantiles, of
which no knot is a single patient's value. Ranks do not depend on the marginals: Liu, Lafferty, Wasserman, The
nonparanormal, JMLR 10 (2009). Shrinkage: :mod:`synth.components.moments`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from synth.calibration.quantiles import smoothed_quantiles
from synth.components.moments import LEAST, Floats, Moments, covariance_root, shrunk_correlation
from synth.components.perclass import Draw, PerClass


class GaussianCopula(PerClass):
    """A Gaussian copula for every class; a class of fewer than 17 rows is drawn from its moments."""

    name: ClassVar[str] = "copula"
    memorises: ClassVar[bool] = False

    def _learn(self, rows: Floats, moments: Moments, rng: np.random.Generator) -> Draw:  # noqa: ARG002
        n, d = rows.shape
        if n <= LEAST:
            return moments.draw
        normal = ndtri((rankdata(rows, axis=0) - 0.5) / n)
        deviation = normal.std(axis=0)
        normal /= np.where(deviation > 1e-9, deviation, 1.0)
        root = covariance_root(shrunk_correlation(normal, moments.correlation))
        quantiles = [smoothed_quantiles(column) for column in rows.T]

        def draw(m: int, rng: np.random.Generator) -> Floats:
            ranks = ndtr(rng.standard_normal((m, d)) @ root.T)
            return np.column_stack([quantile(rank) for quantile, rank in zip(quantiles, ranks.T, strict=True)])

        return draw
