"""Which value does a row get out of its leaf of a tree?

A leaf's rows are not quite alike. What a tree leaves unsaid, because saying it would take leaves of few people, a line
can say of all leaves at once: the normal score of a row's rank in its leaf is regressed on the features, both counted
from the leaf's mean, an analysis of covariance on ranks (Conover, Iman, Analysis of covariance using the rank
transformation, Biometrics 38, 1982). A drawn row gets a rank that the line and chance give it, and the leaf's value at
that rank. So leaves can be large, and weak ties between columns stay. The use is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from sklearn.tree import DecisionTreeRegressor

from synth.components.moments import Floats

_PENALTIES = (*np.geomspace(1e-4, 1e2, 25), np.inf)
"""Ridge penalties tried, as shares of a feature's variance."""
_ROWS_A_FEATURE = 10
_LEAST_NOISE = 0.2
_STEADY = 1e-9
_SHORT = 2**16
_RANK = 1e-6
"""Share of the largest variance that a direction of the features has at least."""

Places = NDArray[np.intp]


@dataclass(frozen=True)
class Leaves:
    """A tree and the values of every leaf, leaf after leaf, in ascending order within each.

    Attributes
    ----------
    starts, sizes : (t,) where a node's values begin and how many they are; 0 of a node that is no leaf.
    values : (n,) values of all rows.
    slope : (p,) by how much a feature raises the normal score of a row's rank in its leaf.
    centres : (t,) mean of features times slope over the rows of each leaf.
    noise : standard deviation of what the line leaves to chance.
    """

    tree: DecisionTreeRegressor
    starts: Places
    sizes: Places
    values: Floats
    slope: Floats
    centres: Floats
    noise: float

    @classmethod
    def filled(
        cls,
        tree: DecisionTreeRegressor,
        features: Floats,
        values: Floats,
        rng: np.random.Generator,
        *,
        lined: int,
    ) -> Self:
        """Leaves of a grown tree, holding the values (n,) of rows with features (n, p).

        ``lined`` rows at most, chosen at random, are asked for the slope; with 0 it is none, and ranks are chance.
        """
        leaf = tree.apply(features)
        sizes = np.bincount(leaf, minlength=tree.tree_.node_count)
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        # numbers of 16 bits are sorted by radix, the same order sooner
        short = leaf.astype(np.uint16) if len(sizes) <= _SHORT else leaf
        order = np.lexsort((rng.random(len(values)), values, short))
        slope, centres, noise = np.zeros(features.shape[1]), np.zeros(len(sizes)), 1.0
        if lined and features.shape[1]:
            rank = np.empty(len(values))
            rank[order] = np.arange(len(values)) - starts[leaf[order]]
            normal = ndtri((rank + 0.5) / sizes[leaf])
            some = rng.permutation(len(values))[:lined]
            slope = _slope(_within(features[some], leaf[some]), _within(normal[some, None], leaf[some])[:, 0])
            told = features @ slope
            centres = np.bincount(leaf, weights=told, minlength=len(sizes)) / np.maximum(sizes, 1)
            noise = float(np.sqrt(max(1.0 - float((told - centres[leaf]).var()), _LEAST_NOISE**2)))
        return cls(tree, starts, sizes, values[order], slope, centres, noise)

    def draw(self, features: Floats, rng: np.random.Generator) -> Floats:
        """(m,) values, each out of its row's leaf; m >= 1."""
        leaf = self.tree.apply(features)
        normal = features @ self.slope - self.centres[leaf] + self.noise * rng.standard_normal(len(leaf))
        size = self.sizes[leaf]
        drawn: Floats = self.values[self.starts[leaf] + np.minimum((ndtr(normal) * size).astype(np.intp), size - 1)]
        return drawn


def _within(columns: Floats, group: Places) -> Floats:
    """Columns (n, p) less their means over the rows of the same group."""
    kinds, place = np.unique(group, return_inverse=True)
    sums = np.zeros((len(kinds), columns.shape[1]))
    order = np.argsort(place, kind="stable")
    sums = np.add.reduceat(columns[order], np.searchsorted(place[order], np.arange(len(kinds))), axis=0)
    centred: Floats = columns - (sums / np.bincount(place)[:, None])[place]
    return centred


def _slope(features: Floats, goal: Floats) -> Floats:
    """(p,) ridge coefficients of centred columns, with the penalty of least ``n ln(RSS) + ln(n) df``.

    Schwarz, Estimating the dimension of a model, Ann. Stat. 6 (1978), with the effective degrees of freedom of a ridge.
    None where there are fewer than ``_ROWS_A_FEATURE`` rows for each of p: the criterion would take a perfect fit.
    """
    n = len(goal)
    scale = features.std(axis=0)
    moving = scale > _STEADY
    slope = np.zeros(features.shape[1])
    left = float(goal @ goal)
    if n < _ROWS_A_FEATURE * moving.sum() or not moving.any() or left <= _STEADY:
        return slope
    standard = features[:, moving] / scale[moving]
    variances, directions = np.linalg.eigh(standard.T @ standard / n)
    sound = variances > _RANK * variances.max()
    variances, directions = variances[sound], directions[:, sound]
    along = directions.T @ (standard.T @ goal) / n

    def criterion(penalty: float) -> float:
        kept = variances / (variances + penalty)
        rest = left - n * float((along**2 / variances * kept * (2.0 - kept)).sum())
        return n * float(np.log(max(rest, _STEADY))) + float(np.log(n)) * float(kept.sum())

    penalty = min(_PENALTIES, key=criterion)
    slope[moving] = directions @ (along / (variances + penalty)) / scale[moving]
    return slope
