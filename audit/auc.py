"""What is the area under a ROC curve, and how much does each row move it?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats


@dataclass(frozen=True)
class AUC:
    """Probability that a positive scores above a negative (ties half), with every row's placement.

    ``positive`` (m,) and ``negative`` (n,) hold the share of the other side that each row beats or is beaten by;
    both average to ``value``.

    References
    ----------
    DeLong, DeLong, Clarke-Pearson, Comparing the areas under two or more correlated ROC curves, Biometrics 44 (1988);
    computed by ranks as in Sun and Xu, IEEE Signal Processing Letters 21 (2014).
    """

    value: float
    positive: NDArray[np.float64]
    negative: NDArray[np.float64]

    @property
    def influence(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What each positive and each negative row adds to the estimate beyond its mean; both sum to zero.

        The sum of squares over independent rows (over sums, where rows of one person go together: Obuchowski,
        Biometrics 53, 1997) is DeLong's variance of ``value``, but for the factors m/(m-1) and n/(n-1).
        """
        return (self.positive - self.value) / len(self.positive), (self.negative - self.value) / len(self.negative)


def auc(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> AUC:
    """Area under the ROC curve of two (m,) and (n,) score arrays, both non-empty and without NaN."""
    m, n = len(positive), len(negative)
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    above = (ranks[:m] - stats.rankdata(positive)) / n
    below = 1.0 - (ranks[m:] - stats.rankdata(negative)) / m
    return AUC(float(above.mean()), above, below)
