"""What does each column look like among patients alike in the columns before it?

Columns are drawn one after the other, each from the leaf of a regression tree on the columns already drawn and the
class: sequential CART synthesis, Reiter, Using CART to generate partially synthetic public use microdata, J. Official
Statistics 21 (2005); Nowok, Raab, Dibben, synthpop, J. Stat. Software 74 (2016). What no Gaussian can follow, such as
levels that exclude each other, zeros, interactions, is followed here.

Guarded, all of it ours: leaves of at least 25 rows, more in a large table; weak branches are cut; splits look at
the whole distribution of a column and not only at its mean, and at levels in the order of what they say of it; a
continuous column, or one of many levels, is first regressed linearly, so that trees need not spell out straight lines
in steps; in a large table a line over all leaves says what large leaves leave unsaid (``leaves.py``), and for a column
of levels or spikes a logit over all columns before it (``logit.py``); a drawn value moves by about five ranks among the
real ones; and every column has five trees, each grown on other rows, of which every row drawn takes one, or their mean:
it tells less of single patients than one tree does, and errs less (Breiman, Bagging predictors, Machine Learning 24,
1996).

Plain: as in synthpop, leaves of 5 whose values come out as they are. It copies people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeRegressor

from synth.components.features import LEVELS, Kinds, Levels, class_features, features_of, levels_of, waves_of
from synth.components.leaves import Leaves
from synth.components.logit import Cells, Logit
from synth.components.moments import Floats, class_moments
from synth.components.perclass import Codes, Form, checked, members_of

LEAF = 25
"""Rows a drawn value may come from, at least, in the guarded form, before a line picks among them; often more."""
_LARGE = 1_000
"""Rows from which leaves grow, and people from whom a line or logit says the rest: of fewer it tells too much."""
_GROWTH = 0.8
"""Power of the number of rows with which leaves grow from there: 275 of 20,000 rows."""
GROVE = 5
"""Trees of every column in the guarded form."""
_GROWN = 0.63
"""Share of the rows that each of them is grown on: as many different ones as a bootstrap sample has."""
_PLAIN_LEAF = 5
STRUCTURE = 10_000
"""Rows that trees are grown on, a random sample of a larger table; leaves are then filled with all rows."""
_FEATURES = 16
"""Earlier columns a tree may use: those most correlated with the column, in value or in absolute value."""
_PRUNING = 1.0
"""A branch stays if each of its leaves saves this many times the column's variance over the number of rows."""
_RANKS = 5.0
_RIDGE = 1.0
_TIED = 10
"""A value held by more rows than this is a level or a spike, and comes out as it is."""
_EVEN = 0.2
"""A column of more than ``LEVELS`` values, none held by a larger share of rows, counts as a number, tied or not."""


class ConditionalTrees:
    """Sequential trees over all classes; ``form`` as above, of so many people (one a row if not said).

    Guarded, a table of fewer than 50 rows is drawn from its moments.
    """

    name: ClassVar[str] = "trees"
    memorises: ClassVar[bool] = True
    keeps_ties: ClassVar[bool] = True

    def __init__(self, *, form: Form = "guarded", people: int | None = None) -> None:
        self.form = form
        self.people = people

    def fit(self, scores: Floats, classes: Codes, rng: np.random.Generator) -> Self:
        """Learn from (n, d) scores and (n,) class codes.

        Raises
        ------
        SynthesisError
            No rows, shapes that do not belong together, or a score that is not finite.
        """
        scores, classes = checked(scores, classes)
        guarded = self.form == "guarded"
        members = members_of(classes)
        self._codes = np.array(list(members))
        self._whole, self._moments = class_moments(scores, members)
        self._columns: list[_Column] = []
        n, d = scores.shape
        if guarded and n < 2 * LEAF:
            return self
        seen = np.arange(n) if n <= STRUCTURE else np.sort(rng.choice(n, STRUCTURE, replace=False))
        related = _related(scores[seen])
        share, trees = (min(_GROWN, STRUCTURE / n), GROVE) if guarded else (1.0, 1)
        lined = guarded and (n if self.people is None else self.people) > _LARGE
        place = np.searchsorted(self._codes, classes)
        order = _most_related_next(related) if guarded else list(range(d))
        kinds: dict[int, Kinds] = {}
        cells: dict[int, Cells] = {}
        for position, column in enumerate(order):
            before = np.array(order[:position], dtype=np.intp)
            if len(before) > _FEATURES:
                before = before[np.argsort(-related[column, before], kind="stable")[:_FEATURES]]
            fields = (_some(n, share, rng) for _ in range(trees))
            told = [kinds[j] for j in before if guarded]
            if lined:
                cells[column] = Cells.of(scores[:, column], n / (self.people or n))
            shown = [cells[j] for j in (*before, column)] if lined else []
            self._columns.append(
                _learned(column, before, told, shown, scores, place, len(self._codes), fields, rng, guarded=guarded)
            )
            kinds[column] = Kinds.of(scores[:, column])
        return self

    def sample(self, classes: Codes, rng: np.random.Generator) -> Floats:
        """(m, d) new rows, row i of class ``classes[i]``."""
        out = np.zeros((len(classes), len(self._whole.mean)))
        if not self._columns:
            for code, rows in members_of(classes).items():
                out[rows] = self._moments.get(code, self._whole).draw(len(rows), rng)
            return out
        place = np.searchsorted(self._codes, classes)
        place[~np.isin(classes, self._codes)] = len(self._codes)
        for column in self._columns:
            out[:, column.number] = column.draw(out, place, rng)
        return out


@dataclass(frozen=True)
class _Column:
    """How one column is drawn: features, the trees on them, and how values (or residuals) of their leaves are moved."""

    number: int
    before: NDArray[np.intp]
    of_class: Floats
    of_level: tuple[Levels, ...]
    line: Floats | None
    drawn_from: tuple[Leaves, ...] | Logit
    tied: Floats
    loose: Floats

    def draw(self, rows: Floats, place: NDArray[np.intp], rng: np.random.Generator) -> Floats:
        """(m,) cells of rows (m, d) whose earlier columns stand."""
        earlier = rows[:, self.before]
        features = features_of(self.of_class, self.of_level, place, earlier)
        if isinstance(self.drawn_from, Logit):
            drawn = self.drawn_from.draw(features, earlier, place, rng)
        else:
            drawn = _one_of(self.drawn_from, features, rng)
        if len(self.loose) > 1:
            moving = ~np.isin(drawn, self.tied)
            drawn[moving] = _moved(drawn[moving], self.loose, rng)
        return drawn if self.line is None else drawn + features[:, : len(self.line)] @ self.line


def _one_of(grove: tuple[Leaves, ...], features: Floats, rng: np.random.Generator) -> Floats:
    """(m,) values, each out of its leaf of one of the trees."""
    drawn = np.empty(len(features))
    taken = rng.integers(len(grove), size=len(features))
    for number, leaves in enumerate(grove):
        own = np.flatnonzero(taken == number)
        if len(own):
            drawn[own] = leaves.draw(features[own], rng)
    return drawn


def _learned(
    column: int,
    before: NDArray[np.intp],
    told: Iterable[Kinds],
    shown: Sequence[Cells],
    scores: Floats,
    place: NDArray[np.intp],
    classes: int,
    fields: Iterable[NDArray[np.intp]],
    rng: np.random.Generator,
    *,
    guarded: bool,
) -> _Column:
    """A column, with a tree grown on the rows of each field.

    ``told`` are the kinds of the columns before, if shown; ``shown`` the cells of these and of the column, if there are
    people enough for a line or a logit.
    """
    values = scores[:, column]
    waves = waves_of(values)
    of_class = class_features(waves, place, classes)
    of_level = levels_of(told, waves)
    features = features_of(of_class, of_level, place, scores[:, before])
    kinds, counts = np.unique(values, return_counts=True)
    tied = kinds[counts > _TIED]
    line = None
    spread = counts[counts > _TIED].sum() < len(values) / 2
    many = len(kinds) > LEVELS and counts.max() <= _EVEN * len(values)
    if guarded and len(before) and (spread or many):
        line, values = _line(features[:, : of_class.shape[1] + len(before)], values)
        tied = np.empty(0)
    goal = values[:, None]
    if guarded:
        goal = waves if line is None else waves_of(values / max(float(values.std()), 1e-9))
    trees = [_grown(features, goal, field, rng, guarded=guarded) for field in fields]
    drawn_from: tuple[Leaves, ...] | Logit
    if shown and len(before) and line is None:
        *earlier, own = shown
        drawn_from = Logit.fit(trees, features, values, own, earlier, scores[:, before], place, classes, rng)
    else:
        lined = STRUCTURE if shown else 0
        drawn_from = tuple(Leaves.filled(tree, features, values, rng, lined=lined) for tree in trees)
    loose = np.sort(values[~np.isin(values, tied)]) if guarded else np.empty(0)
    return _Column(column, before, of_class, of_level, line, drawn_from, tied, loose)


def _grown(
    features: Floats, goal: Floats, field: NDArray[np.intp], rng: np.random.Generator, *, guarded: bool
) -> DecisionTreeRegressor:
    """A tree grown on the rows of the field."""
    return DecisionTreeRegressor(
        min_samples_leaf=_least(len(goal), len(field)) if guarded else _PLAIN_LEAF,
        ccp_alpha=_PRUNING * float(goal[field].var(axis=0).mean()) / len(field) if guarded else 0.0,
        random_state=int(rng.integers(2**31)),
    ).fit(features[field], goal[field])


def _least(rows: int, grown: int) -> int:
    """Rows in a leaf, of those a tree is grown on: in proportion to those in a leaf of all rows, and 25 at least."""
    return max(LEAF, round(LEAF * float((rows / _LARGE) ** _GROWTH) * grown / rows))


def _some(rows: int, share: float, rng: np.random.Generator) -> NDArray[np.intp]:
    """Row numbers of a random share of the rows, in order."""
    if share >= 1.0:
        return np.arange(rows)
    return np.sort(rng.choice(rows, max(1, round(share * rows)), replace=False))


def _related(scores: Floats) -> Floats:
    """(d, d) largest absolute correlation between two columns or their absolute values; 0 on the diagonal."""
    d = scores.shape[1]
    both = np.hstack([scores, np.abs(scores)])
    both -= both.mean(axis=0)
    length = np.sqrt((both**2).sum(axis=0))
    both /= np.where(length > 1e-9, length, np.inf)
    product = np.abs(both.T @ both).reshape(2, d, 2, d).max(axis=(0, 2))
    np.fill_diagonal(product, 0.0)
    related: Floats = product
    return related


def _most_related_next(related: Floats) -> list[int]:
    """Columns from the one most related to all others, each followed by the one most related to any before it."""
    order = [int(related.sum(axis=0).argmax())]
    strongest = related[order[0]].copy()
    strongest[order] = -1.0
    while len(order) < len(related):
        order.append(int(strongest.argmax()))
        strongest = np.maximum(strongest, related[order[-1]])
        strongest[order] = -1.0
    return order


def _line(features: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Ridge coefficients, and residuals widened by what fitting took from them."""
    n, p = features.shape
    slope: Floats = np.linalg.solve(features.T @ features + _RIDGE * np.eye(p), features.T @ values).astype(np.float64)
    residuals: Floats = (values - features @ slope) * np.sqrt(n / max(n - p, n / 2))
    return slope, residuals


def _moved(drawn: Floats, ranked: Floats, rng: np.random.Generator) -> Floats:
    """Values moved by about five ranks (fewer in short columns) among ``ranked``, turned back at the ends."""
    last = len(ranked) - 1
    steps = rng.normal(0.0, min(_RANKS, len(ranked) / 50), len(drawn))
    at = np.abs(np.searchsorted(ranked, drawn) + steps)
    at = np.clip(np.where(at > last, 2 * last - at, at), 0.0, last)
    return np.interp(at, np.arange(len(ranked)), ranked)
