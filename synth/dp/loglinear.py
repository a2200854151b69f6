"""Which joint distribution is as even as the noisy tables let it be?

A log-linear model ``p(x) ~ exp(sum of theta_t(x))`` with one ``theta`` for every cell of every measured table: of all
distributions that fit the tables, the one of greatest entropy. It has no limit on how the tables overlap, since it is
held as a population of weighted records instead of cliques of a junction tree: tables move the weights (iterative
proportional fitting with a penalty), records are redrawn by weight when few carry it, and every column is redrawn given
the others (Gibbs), which leaves the model as it is and puts records where there were none. The scheme is that of
sequential Monte Carlo samplers (Del Moral, Doucet and Jasra, J. R. Stat. Soc. B 68, 2006); the fit is penalised maximum
entropy (Dudik, Phillips and Schapire, JMLR 8, 2007). Reads noisy tables only: post-processing.

The penalty says how much of a table's cell is noise. With a count ``m`` expected before the table was seen, noise of
variance ``s^2`` and real departures of variance ``V``, the cell moves to about ``m + V / (V + s^2) (y - m)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
Cell = NDArray[np.intp]

_LONGEST_STEP = 1.0
_LARGEST = 6.0
"""Greatest theta: two tables that contradict each other must not drive each other apart."""


@dataclass
class Factor:
    """One noisy table in the model.

    Attributes
    ----------
    columns : the columns it crosses.
    groups : for each of them, the group of every cell of the column; the table counts groups.
    counts : (cells,) noisy counts of rows; noise : their noise's scale.
    ridge : (cells,) penalty: noise variance over the variance of real departures, times the expected count.
    theta : (cells,) what the model adds for a record in the cell.
    """

    columns: tuple[int, ...]
    groups: tuple[Cell, ...]
    counts: Floats
    ridge: Floats
    noise: float
    theta: Floats = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if not len(self.theta):
            self.theta = np.zeros(len(self.counts))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(int(group.max()) + 1 for group in self.groups)

    def cells(self, codes: Codes) -> Cell:
        """(n,) cell of each record."""
        return cells_of(codes, self.columns, self.groups)


def cells_of(codes: Codes, columns: tuple[int, ...], groups: tuple[Cell, ...]) -> Cell:
    """(n,) cell of each record in the table that crosses groups of columns."""
    place: Cell = groups[0][codes[:, columns[0]]]
    for column, group in zip(columns[1:], groups[1:], strict=True):
        place = place * (int(group.max()) + 1) + group[codes[:, column]]
    return place


class LogLinear:
    """The model, as a population of weighted records.

    Parameters
    ----------
    codes : (n, d) records to begin with, drawn from ``exp(start)``.
    sizes : cells of each column.
    start : per column (size,) log shares: what the model says before any table.
    total : how many rows the noisy counts count.
    """

    def __init__(
        self, codes: Codes, sizes: tuple[int, ...], start: list[Floats], total: float, rng: np.random.Generator
    ) -> None:
        self.codes = np.asfortranarray(codes)
        self.sizes = sizes
        self.start = start
        self.total = total
        self.rng = rng
        self.factors: list[Factor] = []
        self._cells: list[Cell] = []
        self._log_weights = np.zeros(len(codes))

    def copy(self) -> LogLinear:
        """The same model, that can move on without moving this one."""
        other = LogLinear(self.codes.copy(order="F"), self.sizes, self.start, self.total, self.rng)
        for factor in self.factors:
            other.add(replace(factor, theta=factor.theta.copy()))
        other._log_weights = self._log_weights.copy()
        return other

    def add(self, factor: Factor) -> None:
        """One table more."""
        self.factors.append(factor)
        place = factor.cells(self.codes)
        self._cells.append(place)
        self._log_weights += factor.theta[place]

    @property
    def weights(self) -> Floats:
        """(n,) weights of the records, adding up to 1."""
        weights: Floats = np.exp(self._log_weights - self._log_weights.max())
        weights /= float(weights.sum())
        return weights

    def expected(self, columns: tuple[int, ...], groups: tuple[Cell, ...]) -> Floats:
        """(cells,) counts the model expects in a table."""
        cells = int(np.prod([int(group.max()) + 1 for group in groups]))
        place = cells_of(self.codes, columns, groups)
        return np.bincount(place, self.total * self.weights, minlength=cells).astype(np.float64)

    def fit(self, rounds: int, *, step: float = 0.5) -> None:
        """Move to the tables: ``rounds`` times a weighting, a redraw, and a Gibbs sweep.

        One weighting for each sweep: more would chase records that the next sweep moves on.
        """
        for _ in range(rounds):
            self.weigh(step)
            self.redraw()
            self.sweep()

    def weigh(self, step: float) -> None:
        """One Newton step on every table in turn."""
        least_seen = self.total / len(self.codes)
        for factor, place in zip(self.factors, self._cells, strict=True):
            weights = np.exp(self._log_weights - self._log_weights.max())
            expected = np.bincount(place, weights, minlength=len(factor.counts))
            expected *= self.total / weights.sum()
            move = (factor.counts - expected - factor.ridge * factor.theta) / (expected + factor.ridge + least_seen)
            move = step * np.clip(move, -_LONGEST_STEP, _LONGEST_STEP)
            move = np.clip(factor.theta + move, -_LARGEST, _LARGEST) - factor.theta
            factor.theta += move
            self._log_weights += move[place]

    def redraw(self) -> None:
        """Records by weight, with the least variance: a record of expected copies c stays floor(c) or ceil(c) times."""
        count = len(self.codes)
        ladder = np.cumsum(self.weights) * count
        chosen = np.searchsorted(ladder, np.arange(count) + self.rng.random(), side="right")
        self._settle(self.codes[np.minimum(chosen, count - 1)])

    def sweep(self, columns: tuple[int, ...] | None = None) -> None:
        """Redraw every column given the others, in random order."""
        codes = self.codes
        order = self.rng.permutation(len(self.sizes)) if columns is None else np.array(columns)
        for column in order:
            codes[:, column] = self._redrawn(int(column), codes)
        self._settle(codes)

    def _settle(self, codes: Codes) -> None:
        self.codes = np.asfortranarray(codes)
        self._cells = [factor.cells(codes) for factor in self.factors]
        self._log_weights = np.zeros(len(codes))

    def _redrawn(self, column: int, codes: Codes) -> Codes:
        """(n,) cells of one column, drawn given all other columns."""
        size = self.sizes[column]
        alone = self.start[column].astype(np.float32).copy()
        beside: dict[tuple[int, ...], NDArray[np.float32]] = {}
        for factor in self.factors:
            if column not in factor.columns:
                continue
            at = factor.columns.index(column)
            theta = factor.theta.reshape(factor.shape).astype(np.float32)
            theta = np.moveaxis(np.take(theta, factor.groups[at], axis=at), at, 0)
            others = tuple(c for c in factor.columns if c != column)
            if not others:
                alone += theta
                continue
            for axis, other in enumerate(others):
                theta = np.take(theta, factor.groups[factor.columns.index(other)], axis=axis + 1)
            theta = theta.reshape(size, -1)
            beside[others] = beside[others] + theta if others in beside else theta
        # cells along the first axis: every step is then a pass over long vectors
        scores = np.repeat(alone[:, None], len(codes), axis=1)
        for others, theta in beside.items():
            row = codes[:, others[0]].astype(np.intp)
            for other in others[1:]:
                row = row * self.sizes[other] + codes[:, other]
            scores += np.take(theta, row, axis=1)
        scores -= scores.max(axis=0)
        np.exp(scores, out=scores)
        for cell in range(1, size):
            scores[cell] += scores[cell - 1]
        ticket = self.rng.random(len(codes), dtype=np.float32) * scores[-1]
        drawn = np.zeros(len(codes), dtype=np.int32)
        for cell in range(size - 1):
            drawn += scores[cell] <= ticket
        return drawn
