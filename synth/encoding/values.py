"""How does a column of numbers become ranks, and how do ranks become numbers again without naming a patient?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from synth.calibration.quantiles import KNOT, Floats, Person, Quantiles, smoothed_quantiles
from synth.holders import holders

_SEEN = 0.95
"""Share of the values that must lie on a grid for the grid to be taken as the column's own."""
_COARSEST, _FINEST = -6, 12


@dataclass(frozen=True)
class ValueCodec:
    """Ranks of a numeric column, and the way back.

    A value shared by ``minimum_people`` or more people is a spike: it keeps its interval of the distribution function
    and comes back exactly. All other values come back from smoothed quantiles between the neighbouring spikes, rounded
    to the column's grid. The least and the greatest value never come back unless they are spikes or declared bounds
    (I-12); a value beyond the outermost spike that fewer than three people hold comes back as that spike. With one
    person per knot none of this holds: every value that comes back is a real one.

    Attributes
    ----------
    quantiles : from probability to value, with a flat piece for every spike.
    spikes : (s, 2) probability intervals of the spikes.
    decimals : decimals the values are rounded to (negative: tens, hundreds); None where the column has no grid.
    extremes : least and greatest value that must not come back, NaN where they may.
    bounds : declared least and greatest possible value.
    """

    quantiles: Quantiles
    spikes: Floats
    decimals: int | None
    extremes: tuple[float, float]
    bounds: tuple[float, float]

    @classmethod
    def fit(
        cls,
        values: Floats,
        *,
        lower: float,
        upper: float,
        decimals: int | None,
        minimum_people: int,
        people: Person | None = None,
        people_per_knot: int = KNOT,
    ) -> Self:
        """Learn the scale of the present values of a column.

        Parameters
        ----------
        values : (n,) finite values, n >= 1.
        lower, upper : declared bounds.
        decimals : declared decimals, or None for those seen.
        people : (n,) person codes; without them every row is another person.
        people_per_knot : people whose values are averaged into one knot; 1 gives the values themselves back, the
            extremes included, and is never a default (I-12).
        """
        order = np.argsort(values, kind="stable")
        ranked = values[order]
        persons = None if people is None else people[order]
        starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        ends = np.append(starts[1:], len(ranked))
        run = np.repeat(np.arange(len(starts)), ends - starts)
        is_spike = holders(run, len(starts), persons) >= minimum_people
        loose = ~is_spike[run]
        grid = _grid(ranked[loose] if loose.any() else ranked, decimals)
        worth = ranked[starts[is_spike]]
        ranges = _widened(
            list(zip(starts[is_spike].tolist(), ends[is_spike].tolist(), strict=True)),
            persons,
            len(ranked),
            people_per_knot,
        )
        intervals = np.array(ranges, dtype=np.float64).reshape(-1, 2) / len(ranked)
        if people_per_knot == 1:
            return cls(_steps(ranked, starts, ends), intervals, None, (np.nan, np.nan), (lower, upper))
        spikes = [(a, float(value), b) for (a, b), value in zip(ranges, worth, strict=True)]
        quantiles = _pieces(ranked, persons, spikes, lower, upper, people_per_knot)
        least = np.nan if is_spike[0] or ranked[0] <= lower else float(ranked[0])
        greatest = np.nan if is_spike[-1] or ranked[-1] >= upper else float(ranked[-1])
        return cls(quantiles, intervals, grid, (least, greatest), (lower, upper))

    def decode(self, probabilities: Floats) -> Floats:
        """Values at probabilities in (0, 1)."""
        values = self.quantiles(probabilities)
        if self.decimals is None:
            return values
        on_spike = interval_at(probabilities, self.spikes) >= 0
        values = np.where(on_spike, values, np.clip(np.round(values, self.decimals), *self.bounds))
        step = 10.0**-self.decimals
        for extreme, inward in zip(self.extremes, (step, -step), strict=True):
            hit = ~on_spike & (values == extreme)
            values[hit] = np.round(extreme + inward, self.decimals)
        return values


def rank_intervals(values: Floats) -> tuple[Floats, Floats]:
    """Interval of the empirical distribution function that each value covers: (n,) lower and upper ends in [0, 1]."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    above = np.cumsum(counts) / len(values)
    below = above - counts / len(values)
    return below[inverse], above[inverse]


def interval_at(probabilities: Floats, intervals: Floats) -> NDArray[np.intp]:
    """Number of the interval (k, 2) each probability lies in, -1 for none; intervals are disjoint and ascending."""
    if not len(intervals):
        return np.full(np.shape(probabilities), -1, dtype=np.intp)
    at = np.searchsorted(intervals[:, 0], probabilities, side="right") - 1
    return np.where((at >= 0) & (probabilities < intervals[np.maximum(at, 0), 1]), at, -1)


def snapped(probabilities: Floats, intervals: Floats) -> Floats:
    """Probabilities with all those inside an interval (k, 2) moved to its middle."""
    at = interval_at(probabilities, intervals)
    return np.where(at >= 0, intervals.mean(axis=1)[at], probabilities) if len(intervals) else probabilities


def _grid(values: Floats, decimals: int | None) -> int | None:
    """Fewest decimals (negative: tens, hundreds) that nearly all values need, at most the declared ones."""
    for places in range(_COARSEST, (_FINEST if decimals is None else decimals) + 1):
        on_grid = np.abs(np.round(values, places) - values) <= 1e-12 * np.maximum(1.0, np.abs(values))
        if on_grid.mean() >= _SEEN:
            return places
    return decimals


def _widened(spikes: list[tuple[int, int]], persons: Person | None, rows: int, knot: int) -> list[tuple[int, int]]:
    """Row ranges of the spikes; the outermost also stand for the rows beyond them if fewer than ``knot`` people do."""

    def few(a: int, b: int) -> bool:
        return (b - a if persons is None else len(np.unique(persons[a:b]))) < knot

    if spikes and few(0, spikes[0][0]):
        spikes = [(0, spikes[0][1]), *spikes[1:]]
    if spikes and few(spikes[-1][1], rows):
        spikes = [*spikes[:-1], (spikes[-1][0], rows)]
    return spikes


def _spread(knot: float, below: float, above: float, at_start: bool, at_end: bool) -> Floats:
    """Values at both ends of and at a single knot: out to the neighbouring spikes, or as far again on an open side."""
    low = max(below, knot - (above - knot) / 2.0) if at_start else below
    high = min(above, knot + (knot - below) / 2.0) if at_end else above
    return np.array([low, knot, high])


def _steps(ranked: Floats, starts: NDArray[np.intp], ends: NDArray[np.intp]) -> Quantiles:
    """The empirical quantile function: a flat piece for every run of equal values, as wide as its share of the rows."""
    return Quantiles(np.column_stack([starts, ends]).ravel() / len(ranked), np.repeat(ranked[starts], 2))


def _pieces(
    ranked: Floats,
    persons: Person | None,
    spikes: list[tuple[int, float, int]],
    lower: float,
    upper: float,
    knot: int,
) -> Quantiles:
    """Flat pieces on the spikes (first row, value, end row), smoothed quantiles in the gaps between them."""
    n = len(ranked)
    ends = [(0, lower), *((b, value) for _, value, b in spikes)]
    begins = [*((a, value) for a, value, _ in spikes), (n, upper)]
    positions: list[Floats] = []
    heights: list[Floats] = []
    for number, ((a, below), (b, above)) in enumerate(zip(ends, begins, strict=True)):
        if number > 0:
            positions.append(np.array([spikes[number - 1][0], a]) / n)
            heights.append(np.full(2, below))
        if a == b:
            continue
        own = None if persons is None else persons[a:b]
        if not spikes or (b - a if own is None else len(np.unique(own))) >= knot:
            part = smoothed_quantiles(ranked[a:b], people=own, knot=knot, lower=below, upper=above)
            positions.append((a + part.positions * (b - a)) / n)
            single = len(part.values) == 3 and spikes
            at_start, at_end = number == 0, number == len(spikes)
            heights.append(_spread(float(part.values[1]), below, above, at_start, at_end) if single else part.values)
        else:
            positions.append(np.array([a, b]) / n)
            heights.append(np.array([below, above]))
    return Quantiles(np.concatenate(positions), np.concatenate(heights))
