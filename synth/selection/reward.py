"""What is a mixture of component rows worth on rows its components never saw?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from synth.balance import largest_remainder
from synth.calibration.quantiles import Floats
from synth.selection.distances import Distances
from synth.selection.joint import Bins, Discrepancy, Rows, Utility, leaf_discrepancy, pair_discrepancy
from synth.selection.trace import Terms

TOLERANCE = 0.05
"""How far NNAA loss, and DCR share and membership AUC beyond one half, may go before the reward falls."""
PENALTY = 3.0
DIVERSITY = 0.03
"""Worth of even weights in folds of 500 validation rows or fewer; it falls with the root of more, as noise does."""
_NOISY_ROWS = 500
_NEIGHBOUR_ROWS = 500
_POOL_ROWS = 4_000
_DRAWN_ROWS = 1_500


@dataclass(frozen=True)
class Fold:
    """Rows the components were fitted on, rows of other people they were not fitted on, and rows each of them made.

    All rows are as the table would show them; classes are codes from 0.
    """

    fit: Rows
    validation: Rows
    pools: tuple[Rows, ...]


@dataclass(frozen=True)
class Reward:
    """The reward of mixture weights, precomputed so far that one evaluation takes milliseconds.

    ``reward = utility - pair distance - leaf distance + c diversity - 3 violation``. Diversity is the entropy of the
    weights over that of even ones: within the noise of the rest, a mixture is to be preferred to one model's quirks;
    c is ``DIVERSITY`` where the rest is noisy, and less in a larger table.
    The violation is the sum of what NNAA loss, DCR share - 1/2 and membership AUC - 1/2 have beyond the tolerance: a
    penalty in the manner of a Lagrangian with its multiplier held fixed. Every term is a mean over folds; NNAA loss and
    membership also over draws of mixtures of at most 500 rows, the more of them the smaller they are. The form is ours.
    """

    tolerance: float
    diversity: float
    parts: tuple[_Part, ...]

    @classmethod
    def of(cls, folds: Sequence[Fold], rng: np.random.Generator, *, tolerance: float = TOLERANCE) -> Self:
        """Precompute; every fold has the same components in the same order."""
        rows = min(len(fold.validation.scores) for fold in folds)
        worth = DIVERSITY * min(1.0, float(np.sqrt(_NOISY_ROWS / rows)))
        return cls(tolerance, worth, tuple(_Part.of(fold, rng) for fold in folds))

    def __call__(self, weights: Floats, rng: np.random.Generator, *, effort: int = 1) -> tuple[float, Terms]:
        """Reward and its terms at weights (k,) on the simplex; more effort is more draws of mixtures."""
        pair = _root([part.pairs.squared(weights) for part in self.parts])
        leaf = _root([part.leaves.squared(weights) for part in self.parts])
        utility = float(np.mean([part.utility.auc(weights) for part in self.parts]))
        rows = len(self.parts[0].distances.fit_to_fit)
        draws = effort * -(-_DRAWN_ROWS // rows)
        drawn = [part.privacy(weights, rng) for part in self.parts for _ in range(draws)]
        nnaa_loss, membership = (float(x) for x in np.mean(drawn, axis=0))
        dcr_share = float(np.mean([weights @ part.shares for part in self.parts]))
        beyond = np.array([nnaa_loss, dcr_share - 0.5, membership - 0.5]) - self.tolerance
        violation = float(np.maximum(beyond, 0.0).sum())
        diversity = _diversity(weights)
        reward = utility - pair - leaf + self.diversity * diversity - PENALTY * violation
        return reward, Terms(pair, leaf, utility, diversity, nnaa_loss, dcr_share, membership, violation)


@dataclass(frozen=True)
class _Part:
    pairs: Discrepancy
    leaves: Discrepancy
    utility: Utility
    distances: Distances
    members: tuple[NDArray[np.intp], ...]
    shares: Floats

    @classmethod
    def of(cls, fold: Fold, rng: np.random.Generator) -> _Part:
        classes = 1 + int(max(rows.classes.max() for rows in (fold.fit, fold.validation, *fold.pools)))
        bins = Bins.of(np.vstack([fold.fit.scores, fold.validation.scores]), classes)
        indicators = [bins.indicators(rows) for rows in fold.pools]
        wanted = bins.indicators(fold.validation)
        q = min(_NEIGHBOUR_ROWS, len(fold.fit.scores), len(fold.validation.scores))
        most = max(2 * q, min(4 * q, _POOL_ROWS // len(fold.pools)))
        near = [rng.permutation(len(rows.scores))[:most] for rows in fold.pools]
        ends = np.cumsum([len(rows) for rows in near])
        distances = Distances.of(
            fold.fit.scores[rng.permutation(len(fold.fit.scores))[:q]],
            fold.validation.scores[rng.permutation(len(fold.validation.scores))[:q]],
            np.vstack([rows.scores[chosen] for rows, chosen in zip(fold.pools, near, strict=True)]),
        )
        members = tuple(np.arange(end - len(rows), end) for end, rows in zip(ends, near, strict=True))
        return cls(
            pair_discrepancy(indicators, wanted, bins.blocks),
            leaf_discrepancy(fold.pools, fold.validation, classes, rng),
            Utility.of(indicators, wanted, classes),
            distances,
            members,
            np.array([distances.nearer_to_fit[rows].mean() for rows in members]),
        )

    def privacy(self, weights: Floats, rng: np.random.Generator) -> tuple[float, float]:
        """NNAA loss and membership AUC of one draw of a mixture."""
        counts = largest_remainder(weights, len(self.distances.fit_to_fit))
        rows = [rng.permutation(own)[:count] for own, count in zip(self.members, counts, strict=True)]
        return self.distances.of_mixture(np.concatenate(rows))


def _diversity(weights: Floats) -> float:
    positive = weights[weights > 0]
    return float(-(positive * np.log(positive)).sum() / np.log(len(weights))) if len(weights) > 1 else 0.0


def _root(squares: list[float]) -> float:
    return float(np.sqrt(max(float(np.mean(squares)), 0.0)))
