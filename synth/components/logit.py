"""Which of its cells does a column's value fall into, given leaves and all that stands before it at once?

Trees that protect have large leaves, and many splits go to a few strong columns: weak ties between levels are left
unsaid, and levels come together that nobody has together. A baseline-category logit (Agresti, Categorical Data
Analysis, 2013, chapter 8) over the cells of all earlier columns says them, and the trees' leaves are its offset, so it
adds only what they leave unsaid. Its likelihood equations are that expected tables of two columns are the observed
ones, but for the penalty, a normal prior of the coefficients. Coefficients belong to cells of many rows; no leaf and no
row has one. Two cells that few people have together, though chance would bring them together in many, do not come
together: so levels that exclude each other stay apart, and whether nobody or somebody has both is not told. Trees below
a logit and their bagged shares as its offset are ours.
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
"""People in a cell, at least, if all have as many rows."""
FEW = 11
"""People who must have two cells both, if all have as many rows, or they do not come together."""
_FINE, _COARSE = 400, 100
"""Parts of the table that a cell of the column itself, and of an earlier column, holds at least."""
_MOST = 48
"""Cells of a column, fewer than."""
_GROWTH = 1.5
_RIDGE = 5.0
"""Precision of the coefficients' prior, in rows."""
_PRIOR = 5.0
"""Rows of the whole table that are added to every leaf."""
_EXPECTED = 2.0
"""Times as many as those chance would have of two cells, for few having both to mean that none can."""
_NEVER = -30.0
_CLASSES = 3
"""Classes, at most, within which earlier columns have coefficients of their own."""
_ROWS = 30_000
_BLOCK = 50_000
_ROUNDS = 60


@dataclass(frozen=True)
class Cells:
    """A column cut at ascending borders (b,), twice: ``fine`` to be drawn, ``coarse`` to be drawn from.

    ``rows_each`` : rows of a person, on average.
    """

    fine: Floats
    coarse: Floats
    rows_each: float

    @classmethod
    def of(cls, column: Floats, rows_each: float = 1.0) -> Self:
        """Cut a column (n,), n >= 1, of people with so many rows each."""
        fine, coarse = (_borders(column, LEAST * rows_each, parts) for parts in (_FINE, _COARSE))
        return cls(fine, coarse, rows_each)


@dataclass(frozen=True)
class Nodes:
    """A tree, and what its leaves hold of a column cut into k cells.

    Attributes
    ----------
    shares : (t, k) share of every cell in every node, none of them 0.
    values : (n,) values of all rows, by node and cell.
    starts : (t k + 1,) where the values of each node and cell begin.
    """

    tree: DecisionTreeRegressor
    shares: Floats
    values: Floats
    starts: Places

    @classmethod
    def of(cls, tree: DecisionTreeRegressor, features: Floats, values: Floats, code: Places, k: int) -> Self:
        """Of a tree grown on features, the leaves of rows (n, p) with values (n,) in cells (n,)."""
        whole = np.bincount(code, minlength=k) / len(code)
        nodes = tree.tree_.node_count
        key = tree.apply(features) * k + code
        counts = np.bincount(key, minlength=nodes * k)
        held = counts.reshape(nodes, k)
        shares = (held + _PRIOR * whole) / (held.sum(axis=1, keepdims=True) + _PRIOR)
        return cls(tree, shares, values[np.argsort(key, kind="stable")], np.concatenate([[0], np.cumsum(counts)]))

    def within(self, features: Floats, code: Places, chance: Floats) -> Floats:
        """(m,) a value of the same cell out of each row's leaf, NaN where there is none; chances (m,) in [0, 1)."""
        key = self.tree.apply(features) * self.shares.shape[1] + code
        first, size = self.starts[key], self.starts[key + 1] - self.starts[key]
        drawn: Floats = self.values[np.minimum(first + (chance * size).astype(np.intp), len(self.values) - 1)]
        return np.where(size > 0, drawn, np.nan)


@dataclass(frozen=True)
class Logit:
    """Chances of the cells of a column, and the values in each.

    A value comes out of the row's leaf of one of the trees, if that holds any of the cell.

    Attributes
    ----------
    nodes : one for each tree.
    borders : (k - 1,) of the column's cells.
    before : borders of the columns that stand before it.
    classes : number of classes; codes from there on are of a class unseen.
    tilt : (p, k) coefficients.
    values : (n,) of the column, ascending.
    starts : (k + 1,) where each cell's values begin.
    """

    nodes: tuple[Nodes, ...]
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
        nodes = tuple(Nodes.of(tree, features, values, code, k) for tree in trees)
        borders = tuple(each.coarse for each in before)
        never = _never(borders, classes, earlier, place, code, k, FEW * cells.rows_each)
        seen = np.arange(len(code)) if len(code) <= _ROWS else np.sort(rng.choice(len(code), _ROWS, replace=False))
        design = _design(borders, classes, earlier[seen], place[seen])
        barred = np.where(never, _NEVER, 0.0)
        tilt = _coefficients(design, code[seen], _offset(nodes, features[seen]) + design @ barred)
        starts = np.concatenate([[0], np.cumsum(np.bincount(code, minlength=k))])
        return cls(nodes, cells.fine, borders, classes, tilt + barred, np.sort(values), starts)

    def draw(self, features: Floats, earlier: Floats, place: Places, rng: np.random.Generator) -> Floats:
        """(m,) values of rows with features (m, p), earlier columns (m, b) and class codes (m,)."""
        parts = [
            self._drawn(features[a : a + _BLOCK], earlier[a : a + _BLOCK], place[a : a + _BLOCK], rng)
            for a in range(0, len(features), _BLOCK)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def _drawn(self, features: Floats, earlier: Floats, place: Places, rng: np.random.Generator) -> Floats:
        score = _offset(self.nodes, features)
        score += _design(self.before, self.classes, earlier, place) @ self.tilt
        chance = np.cumsum(np.exp(score - score.max(axis=1, keepdims=True)), axis=1)
        code = (rng.random(len(score))[:, None] * chance[:, -1:] >= chance[:, :-1]).sum(axis=1)
        first, size = self.starts[code], self.starts[code + 1] - self.starts[code]
        among = rng.random(len(code))
        drawn: Floats = self.values[first + (among * size).astype(np.intp)]
        taken = rng.integers(len(self.nodes), size=len(code))
        for number, nodes in enumerate(self.nodes):
            own = np.flatnonzero(taken == number)
            if len(own):
                told = nodes.within(features[own], code[own], among[own])
                drawn[own] = np.where(np.isnan(told), drawn[own], told)
        return drawn


def _borders(column: Floats, least: float, parts: int) -> Floats:
    least = max(least, len(column) / parts)
    while len(found := cell_borders(column, least)) >= _MOST - 1:
        least *= _GROWTH
    return found


def _offset(nodes: Sequence[Nodes], features: Floats) -> Floats:
    """(m, k) logarithm of the trees' mean shares."""
    told = sum(each.shares[each.tree.apply(features)] for each in nodes)
    offset: Floats = np.log(told / len(nodes))
    return offset


def _never(
    before: Sequence[Floats], classes: int, earlier: Floats, place: Places, code: Places, k: int, few: float
) -> NDArray[np.bool_]:
    """(p, k) cells of the design, whatever the class, that do not come together with cells (n,) of the column."""
    share = np.bincount(code, minlength=k) / len(code)
    within = _within(classes)

    def apart(cells: Places, count: int) -> NDArray[np.bool_]:
        together = np.bincount(cells * k + code, minlength=count * k).reshape(count, k)
        expected = together.sum(axis=1, keepdims=True) * share
        barred: NDArray[np.bool_] = (together < few) & (expected >= _EXPECTED * few)
        return barred

    found = [apart(np.minimum(place, classes), classes + 1)]
    for borders, column in zip(before, earlier.T, strict=True):
        cells = np.searchsorted(borders, column, side="right")
        found.append(np.repeat(apart(cells, len(borders) + 1), within, axis=0))
    found.append(np.zeros((len(before), k), dtype=np.bool_))
    return np.vstack(found)


def _within(classes: int) -> int:
    """Coefficients of an earlier column's cell: one for each class and for a class unseen, or one."""
    return classes + 1 if classes <= _CLASSES else 1


def _design(before: Sequence[Floats], classes: int, earlier: Floats, place: Places) -> csr_array:
    """(m, p) indicators of the class and, by class where there are few, of earlier columns' cells; then the columns."""
    own = np.minimum(place, classes)
    within = _within(classes)
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


def _coefficients(design: csr_array, code: Places, offset: Floats) -> Floats:
    """(p, k) coefficients of greatest penalised likelihood of the cells (n,)."""
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
    tilt: Floats = found.x.reshape(p, k)
    return tilt
