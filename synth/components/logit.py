"""Which of its cells does a column's value fall into, given leaves and all that stands before it at once?

Trees that protect have large leaves, and many splits go to a few strong columns: weak ties between levels are left
unsaid, and levels come together that nobody has together. A baseline-category logit (Agresti, Categorical Data
Analysis, 2013, chapter 8) over the cells of all earlier columns says them, and the trees' leaves are its offset, so it
adds only what they leave unsaid. Its likelihood equations are that expected tables of two columns are the observed
ones, but for the penalty, a normal prior of the coefficients. Coefficients belong to cells of many rows; no leaf and no
row has one. Cells that never come together, though chance would bring them together in some rows, do not come together
here. Trees below a logit and their bagged shares as its offset are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array
from sklearn.tree import DecisionTreeRegressor

from synth.calibration.quantiles import Floats
from synth.cells import cell_borders

Places = NDArray[np.intp]

LEAST = 25
"""Rows in a cell, at least."""
_FINE, _COARSE = 400, 100
"""Parts of the table that a cell of the column itself, and of an earlier column, holds at least."""
_MOST = 48
"""Cells of a column, fewer than."""
_GROWTH = 1.5
_RIDGE = 5.0
"""Precision of the coefficients' prior, in rows."""
_PRIOR = 5.0
"""Rows of the whole table that are added to every leaf."""
_EXPECTED = 5.0
"""Rows that chance would have of two cells, from which none having both means that none can."""
_NEVER = -30.0
_CLASSES = 3
"""Classes, at most, within which earlier columns have coefficients of their own."""
_ROWS = 30_000
_BLOCK = 50_000
_ROUNDS = 60


@dataclass(frozen=True)
class Cells:
    """A column cut at ascending borders (b,), twice: ``fine`` to be drawn, ``coarse`` to be drawn from."""

    fine: Floats
    coarse: Floats

    @classmethod
    def of(cls, column: Floats) -> Self:
        """Cut a column (n,), n >= 1."""
        return cls(_borders(column, _FINE), _borders(column, _COARSE))


@dataclass(frozen=True)
class Logit:
    """Chances of the cells of a column, and the values in each.

    Attributes
    ----------
    trees, shares : trees, and for each the (t, k) share of every cell in every node, none of them 0.
    borders : (k - 1,) of the column's cells.
    before : borders of the columns that stand before it.
    classes : number of classes; codes from there on are of a class unseen.
    tilt : (p, k) coefficients.
    values : (n,) of the column, ascending.
    starts : (k + 1,) where each cell's values begin.
    """

    trees: tuple[DecisionTreeRegressor, ...]
    shares: tuple[Floats, ...]
    borders: Floats
    before: tuple[Floats, ...]
    classes: int
    tilt: Floats
    values: Floats
    starts: Places

    @classmethod
    def fit(
        cls,
        trees: Sequence[DecisionTreeRegressor],
        features: Floats,
        values: Floats,
        cells: Cells,
        before: Sequence[Cells],
        earlier: Floats,
        place: Places,
        classes: int,
        rng: np.random.Generator,
    ) -> Self:
        """Learn from values (n,) in their ``cells``, earlier columns (n, b) in theirs, and class codes (n,).

        Parameters
        ----------
        trees : grown on features (n, p).
        """
        code = np.searchsorted(cells.fine, values, side="right")
        k = len(cells.fine) + 1
        counts = np.bincount(code, minlength=k)
        shares = tuple(_shares(tree, features, code, k) for tree in trees)
        borders = tuple(each.coarse for each in before)
        seen = np.arange(len(code)) if len(code) <= _ROWS else np.sort(rng.choice(len(code), _ROWS, replace=False))
        tilt = _coefficients(
            _design(borders, classes, earlier[seen], place[seen]),
            code[seen],
            _offset(trees, shares, features[seen]),
            len(borders),
        )
        starts = np.concatenate([[0], np.cumsum(counts)])
        return cls(tuple(trees), shares, cells.fine, borders, classes, tilt, np.sort(values), starts)

    def draw(self, features: Floats, earlier: Floats, place: Places, rng: np.random.Generator) -> Floats:
        """(m,) values of rows with features (m, p), earlier columns (m, b) and class codes (m,)."""
        parts = [
            self._drawn(features[a : a + _BLOCK], earlier[a : a + _BLOCK], place[a : a + _BLOCK], rng)
            for a in range(0, len(features), _BLOCK)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def _drawn(self, features: Floats, earlier: Floats, place: Places, rng: np.random.Generator) -> Floats:
        score = _offset(self.trees, self.shares, features)
        score += _design(self.before, self.classes, earlier, place) @ self.tilt
        chance = np.cumsum(np.exp(score - score.max(axis=1, keepdims=True)), axis=1)
        code = (rng.random(len(score))[:, None] * chance[:, -1:] >= chance[:, :-1]).sum(axis=1)
        first, size = self.starts[code], self.starts[code + 1] - self.starts[code]
        drawn: Floats = self.values[first + (rng.random(len(code)) * size).astype(np.intp)]
        return drawn


def _borders(column: Floats, parts: int) -> Floats:
    least = max(float(LEAST), len(column) / parts)
    while len(found := cell_borders(column, least)) >= _MOST - 1:
        least *= _GROWTH
    return found


def _shares(tree: DecisionTreeRegressor, features: Floats, code: Places, k: int) -> Floats:
    whole = np.bincount(code, minlength=k) / len(code)
    nodes = tree.tree_.node_count
    counts = np.bincount(tree.apply(features) * k + code, minlength=nodes * k).reshape(nodes, k)
    shares: Floats = (counts + _PRIOR * whole) / (counts.sum(axis=1, keepdims=True) + _PRIOR)
    return shares


def _offset(trees: Sequence[DecisionTreeRegressor], shares: Sequence[Floats], features: Floats) -> Floats:
    """(m, k) logarithm of the trees' mean shares."""
    told = sum(share[tree.apply(features)] for tree, share in zip(trees, shares, strict=True))
    offset: Floats = np.log(told / len(trees))
    return offset


def _design(before: Sequence[Floats], classes: int, earlier: Floats, place: Places) -> csr_array:
    """(m, p) indicators of the class and, by class where there are few, of earlier columns' cells; then the columns."""
    own = np.minimum(place, classes)
    within = classes + 1 if classes <= _CLASSES else 1
    codes, first = [own], classes + 1
    for borders, column in zip(before, earlier.T, strict=True):
        code = np.searchsorted(borders, column, side="right")
        codes.append(first + (code * within + own if within > 1 else code))
        first += (len(borders) + 1) * within
    m, columns = earlier.shape
    index = np.column_stack([*codes, np.tile(np.arange(first, first + columns), (m, 1))])
    cells = np.hstack([np.ones((m, len(codes))), earlier])
    each = index.shape[1]
    return csr_array((cells.ravel(), index.ravel(), np.arange(m + 1) * each), shape=(m, first + columns))


def _coefficients(design: csr_array, code: Places, offset: Floats, columns: int) -> Floats:
    """(p, k) coefficients of greatest penalised likelihood of cells (n,); the last ``columns`` are no indicators'."""
    (n, k), p = offset.shape, design.shape[1]
    back = csr_array(design.T)
    seen = np.zeros((n, k))
    seen[np.arange(n), code] = 1.0
    observed = back @ seen

    def loss(flat: Floats) -> tuple[float, Floats]:
        tilt = flat.reshape(p, k)
        score = offset + design @ tilt
        top = score.max(axis=1, keepdims=True)
        odds = np.exp(score - top)
        total = odds.sum(axis=1, keepdims=True)
        value = float((np.log(total) + top).sum() - (observed * tilt).sum()) + _RIDGE / 2.0 * float(flat @ flat)
        slope = back @ (odds / total) - observed + _RIDGE * tilt
        return value / n, slope.ravel() / n

    found = minimize(loss, np.zeros(p * k), jac=True, method="L-BFGS-B", options={"maxiter": _ROUNDS})
    expected = np.outer(back @ np.ones(n), seen.mean(axis=0))
    never = (observed == 0) & (expected >= _EXPECTED)
    never[p - columns :] = False
    tilt: Floats = np.where(never, _NEVER, found.x.reshape(p, k))
    return tilt
