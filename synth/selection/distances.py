"""Do mixtures of pool rows lie nearer to the rows their components were fitted on than to rows those never saw?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from synth.calibration.quantiles import Floats

Small = NDArray[np.float32]


@dataclass(frozen=True)
class Distances:
    """Distances between q fit rows, q validation rows and p pool rows, all computed once.

    Attributes
    ----------
    fit_to_pool, validation_to_pool : (q, p).
    pool_to_pool : (p, p), infinite on the diagonal.
    fit_to_fit, validation_to_validation : (q,) distance to the nearest other row.
    nearer_to_fit : (p,) 1 where a pool row is nearer to a fit than to a validation row, 1/2 for a tie.
    """

    fit_to_pool: Small
    validation_to_pool: Small
    pool_to_pool: Small
    fit_to_fit: Small
    validation_to_validation: Small
    nearer_to_fit: Floats

    @classmethod
    def of(cls, fit: Floats, validation: Floats, pool: Floats) -> Self:
        """Euclidean distances; ``fit`` and ``validation`` (q, d) must be equally many, q >= 2."""
        fit_to_pool, validation_to_pool = _pairwise(fit, pool), _pairwise(validation, pool)
        near_fit, near_validation = fit_to_pool.min(axis=0), validation_to_pool.min(axis=0)
        return cls(
            fit_to_pool,
            validation_to_pool,
            _without_self(_pairwise(pool, pool)),
            _without_self(_pairwise(fit, fit)).min(axis=1),
            _without_self(_pairwise(validation, validation)).min(axis=1),
            (near_fit < near_validation) + 0.5 * (near_fit == near_validation),
        )

    def of_mixture(self, rows: NDArray[np.intp]) -> tuple[float, float]:
        """NNAA loss and membership AUC of a mixture, given as pool row numbers (q,) without repetition.

        The loss is Yale et al. (Neurocomputing 416, 2020): adversarial accuracy against validation rows minus that
        against fit rows.
        """
        to_fit, to_validation = self.fit_to_pool[:, rows], self.validation_to_pool[:, rows]
        own = self.pool_to_pool[np.ix_(rows, rows)].min(axis=1)
        fit_nearest, validation_nearest = to_fit.min(axis=1), to_validation.min(axis=1)
        accuracy_fit = (fit_nearest > self.fit_to_fit).mean() + (to_fit.min(axis=0) > own).mean()
        accuracy_validation = (validation_nearest > self.validation_to_validation).mean()
        accuracy_validation += (to_validation.min(axis=0) > own).mean()
        ranks = rankdata(np.concatenate([-fit_nearest, -validation_nearest]))
        q = len(fit_nearest)
        membership = (ranks[:q].sum() - q * (q + 1) / 2.0) / (q * len(validation_nearest))
        return float(accuracy_validation - accuracy_fit) / 2.0, float(membership)


def _pairwise(a: Floats, b: Floats) -> Small:
    x, y = a.astype(np.float32), b.astype(np.float32)
    squares = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1)[None, :] - 2.0 * (x @ y.T)
    # rows that are equal must come out at distance 0, whatever the rounding of the expansion
    squares[squares < 1e-4 * x.shape[1]] = 0.0
    result: Small = np.sqrt(squares)
    return result


def _without_self(distances: Small) -> Small:
    np.fill_diagonal(distances, np.inf)
    return distances
