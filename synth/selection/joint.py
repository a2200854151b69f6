"""How far is a weighted mixture of pools from the joint distribution of validation rows?

Distances here are quadratic forms in the mixture weights, computed once per pool and then evaluated in microseconds for
any weights. The sampling noise of pools and validation rows is taken out, in the manner of the unbiased statistic of
Gretton et al., A kernel two-sample test, JMLR 13 (2012): otherwise a mixture, which averages the noise of many pools,
would look better than its parts. Calibrated pools have no noise in their margins, which is allowed for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.ensemble import ExtraTreesClassifier

from synth.calibration.quantiles import Floats

Classes = NDArray[np.int64]

BINS = 6
_TREES = 60
_LEAF = 5
_RIDGE = 1.0


@dataclass(frozen=True)
class Rows:
    """Rows as the table would show them: (n, d) snapped scores and their (n,) class codes 0 .. classes - 1."""

    scores: Floats
    classes: Classes


def borders(column: Floats, parts: int) -> Floats:
    """Fewer than ``parts`` borders that cut (n,) numbers, n >= 1, into about equal parts, equal values together."""
    ranked = np.sort(column)
    inner = np.arange(1, parts) / parts
    edges = ranked[(inner * len(ranked)).astype(np.intp)]
    found: Floats = np.unique(edges[edges > ranked[0]])
    return found


@dataclass(frozen=True)
class Bins:
    """Indicators of binned columns: at most six bins each, ties never split, and one for every class."""

    cuts: tuple[Floats, ...]
    classes: int

    @classmethod
    def of(cls, scores: Floats, classes: int) -> Self:
        """Cut every column of (n, d) scores at sixths of its distribution."""
        return cls(tuple(borders(column, BINS) for column in scores.T), classes)

    def indicators(self, rows: Rows) -> Floats:
        """(n, b) zeros and ones; the last columns are the classes."""
        parts = []
        for cut, column in zip(self.cuts, rows.scores.T, strict=True):
            parts.append(np.eye(len(cut) + 1)[np.searchsorted(cut, column, side="right")])
        return np.hstack([*parts, np.eye(self.classes)[rows.classes]])

    @property
    def blocks(self) -> NDArray[np.intp]:
        """(b,) number of the column each indicator belongs to."""
        sizes = [*(len(cut) + 1 for cut in self.cuts), self.classes]
        return np.repeat(np.arange(len(sizes)), sizes)


@dataclass(frozen=True)
class Discrepancy:
    """Squared distance between a mixture and the validation rows, as a quadratic form.

    With cell shares ``P_k`` of the n_k rows of pool k, ``P_0`` of the validation rows and cell weights ``c``, it is at
    ``a = (w, -1)`` the sum ``sum_cells c (sum_k a_k P_k)^2 - sum_k a_k^2 sum_cells c f P_k (1 - P_k) / (n_k - 1)``,
    where f is 1, or for a pool the part of its noise that calibration leaves.

    Attributes
    ----------
    gram : (k + 1, k + 1) weighted products of cell shares, the validation rows last.
    noise : (k + 1,) what sampling adds to the diagonal of ``gram``.
    """

    gram: Floats
    noise: Floats

    def squared(self, weights: Floats) -> float:
        """Unbiased, so negative at times where there is no difference."""
        a = np.append(weights, -1.0)
        return float(a @ self.gram @ a - a**2 @ self.noise)


def pair_discrepancy(pools: Sequence[Floats], wanted: Floats, blocks: NDArray[np.intp]) -> Discrepancy:
    """Distance of the two-way tables of all pairs of columns, a mean over pairs.

    A pair's table of b cells is weighted by b / 4, so that the root is an upper bound of its total variation distance.

    Parameters
    ----------
    pools, wanted : (n, b) indicators of binned columns (:class:`Bins`).
    blocks : (b,) number of the column each indicator belongs to.
    """
    first, second = np.nonzero(blocks[:, None] < blocks[None, :])
    sizes = np.bincount(blocks)
    pairs = max(len(sizes) * (len(sizes) - 1) // 2, 1)
    rows, columns = sizes[blocks[first]], sizes[blocks[second]]
    cells = (rows * columns / 4.0 / pairs).astype(np.float64)
    # margins of calibrated pools are fixed: noise is left in the interaction's degrees of freedom only
    left = (rows - 1.0) * (columns - 1.0) / np.maximum(rows * columns - 1.0, 1.0)
    shares = []
    for indicators in (*pools, wanted):
        small = indicators.astype(np.float32)
        shares.append(((small.T @ small)[first, second] / len(small)).astype(np.float64))
    return _discrepancy(np.stack(shares), cells, [len(indicators) for indicators in (*pools, wanted)], left)


def leaf_discrepancy(pools: Sequence[Rows], wanted: Rows, classes: int, rng: np.random.Generator) -> Discrepancy:
    """Distance of the leaf shares of a forest grown to tell pools and validation rows apart, a mean over trees.

    The forest grows on the validation rows and as many rows of every pool; shares count rows that the tree has not
    grown on. A leaf is weighted by ``1 / 4 m``, with ``m`` the mean share of all origins: the
    triangular discrimination, of which half the root is at most the total variation distance over the leaves.
    """
    origins = (*pools, wanted)
    sizes = np.array([len(rows.scores) for rows in origins])
    features = np.vstack([np.hstack([rows.scores, np.eye(classes)[rows.classes]]) for rows in origins])
    features = features.astype(np.float32)
    origin = np.repeat(np.arange(len(origins)), sizes)
    starts = np.cumsum(sizes) - sizes
    grown = np.concatenate(
        [a + rng.permutation(size)[: len(wanted.scores)] for a, size in zip(starts, sizes, strict=True)]
    )
    forest = ExtraTreesClassifier(
        _TREES,
        min_samples_leaf=_LEAF * len(origins),
        max_features=0.5,
        bootstrap=True,
        random_state=int(rng.integers(2**31)),
    ).fit(features[grown], origin[grown])
    total = Discrepancy(np.zeros((len(origins), len(origins))), np.zeros(len(origins)))
    for tree, seen in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        unseen = np.ones(len(features), dtype=np.bool_)
        unseen[grown[seen]] = False
        leaf = np.unique(tree.apply(features[unseen]), return_inverse=True)[1]
        leaves = int(leaf.max()) + 1
        counts = np.bincount(origin[unseen] * leaves + leaf, minlength=len(origins) * leaves).reshape(-1, leaves)
        rows = counts.sum(axis=1)
        shares = counts / np.maximum(rows, 1)[:, None]
        part = _discrepancy(shares, 1.0 / (4.0 * shares.mean(axis=0)), rows, np.ones(leaves))
        total = Discrepancy(total.gram + part.gram / _TREES, total.noise + part.noise / _TREES)
    return total


@dataclass(frozen=True)
class Utility:
    """Ridge regression of the target's class on binned columns, trained on a mixture and tried on validation rows."""

    normal: Floats
    response: Floats
    features: Floats
    labels: Classes

    @classmethod
    def of(cls, pools: Sequence[Floats], wanted: Floats, classes: int) -> Self:
        """From indicators (n, b) whose last ``classes`` columns are the classes."""
        return cls(
            np.stack([x[:, :-classes].T @ x[:, :-classes] / len(x) for x in pools]),
            np.stack([x[:, :-classes].T @ x[:, -classes:] / len(x) for x in pools]),
            wanted[:, :-classes],
            wanted[:, -classes:].argmax(axis=1).astype(np.int64),
        )

    def auc(self, weights: Floats) -> float:
        """AUC of each class against the rest, averaged over the classes that occur; 1/2 if there is only one."""
        normal = np.tensordot(weights, self.normal, axes=1)
        slopes = np.linalg.solve(
            normal + _RIDGE / len(self.labels) * np.eye(len(normal)), np.tensordot(weights, self.response, axes=1)
        )
        found = [
            auc(column, self.labels == k)
            for k, column in enumerate((self.features @ slopes).T)
            if 0 < (self.labels == k).sum() < len(self.labels)
        ]
        return float(np.mean(found)) if found else 0.5


def auc(score: Floats, positive: NDArray[np.bool_]) -> float:
    """Probability that a positive row scores above a negative one, ties half."""
    ranks = rankdata(score)
    p = int(positive.sum())
    return float((ranks[positive].sum() - p * (p + 1) / 2.0) / (p * (len(score) - p)))


def _discrepancy(shares: Floats, cells: Floats, rows: Sequence[int] | NDArray[np.intp], left: Floats) -> Discrepancy:
    """From cell shares (k + 1, c), the validation rows' last, cell weights (c,), rows (k + 1,) and noise left (c,)."""
    weighted = shares * cells
    noise = weighted * (1.0 - shares)
    noise[:-1] *= left
    return Discrepancy(weighted @ shares.T, noise.sum(axis=1) / np.maximum(np.asarray(rows) - 1, 1))
