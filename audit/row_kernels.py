"""How likely is a row by what the rows of other people are like? A kernel around each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from audit.columns import Cells, deviation
from audit.pair_search import Codes, Floats

SMOOTHING = (0.1, 0.2, 0.3, 0.4, 0.6)  # lambdas tried
WIDTHS = (0.05, 0.1, 0.2, 0.4)  # of the kernel on numbers, in standard deviations
CHOOSING = 100  # rows that choose lambda and width, at most
_CELLS = 1 << 16  # asked rows by rows, worked out at a time


@dataclass(frozen=True)
class Kernels:
    """A density around each of (n,) rows, whose person ``owner`` (n,) names.

    Categories: Aitchison and Aitken, Biometrika 63 (1976). Numbers: normal, with a spike on the value itself where
    values recur.
    """

    columns: tuple[_Column, ...]
    owner: Codes
    smoothing: float = 0.3
    width: float = 0.25

    @classmethod
    def chosen(cls, rows: Cells, owner: Codes, half: Floats, rng: np.random.Generator) -> Kernels:
        """Smoothing, then width, under which rows are likeliest by the other people's; ``half`` (d,) steps of grids."""
        some = rng.permutation(len(owner))[:CHOOSING]
        levels = (_Column.of(column, 0.5, levels=True) for column in rows.codes.T.astype(np.float64))
        numbers = (_Column.of(*each, levels=False) for each in zip(rows.numbers.T, half.tolist(), strict=True))
        asked, who, kernels = rows.take(some), owner[some], cls((*levels, *numbers), owner)

        def likeliest(tried: list[Kernels]) -> Kernels:
            return max(tried, key=lambda each: float(each.log_chance(asked, who).sum()))

        kernels = likeliest([replace(kernels, smoothing=smoothing, width=0.25) for smoothing in SMOOTHING])
        return likeliest([replace(kernels, width=width) for width in WIDTHS])

    def log_chance(self, asked: Cells, owner: Codes) -> Floats:
        """Log chance (q,) of each row around other people's; ``owner`` (q,) says whose it is."""
        cells = [*asked.codes.T.astype(np.float64), *asked.numbers.T]
        result = np.empty(len(owner))
        for part in _parts(len(owner), max(_CELLS // len(self.owner), 1)):
            others = owner[part, None] != self.owner
            mine, own = np.nonzero(~others)
            count = len(self.owner) - np.bincount(mine, minlength=len(others))
            log = np.where(others, 0.0, -np.inf)
            for column, x in zip(self.columns, cells, strict=True):
                kernel = column.kernel(x[part], self.width)
                times = np.tile(column.times, (len(kernel), 1))
                np.subtract.at(times, (mine, column.place[own]), 1)
                # nothing is quite impossible: each column is mixed with what it has anywhere
                anywhere = ((kernel * times).sum(axis=1) + 0.5 * self.smoothing / len(self.owner)) / (count + 1.0)
                smoothed = np.log((1 - self.smoothing) * kernel + self.smoothing * anywhere[:, None])
                log += smoothed.take(column.place, axis=1)
            result[part] = logsumexp(log, axis=1) - np.log(np.maximum(count, 1))
        return result


@dataclass(frozen=True)
class _Column:
    """Distinct ``values`` (u,) of (n,) rows, a missing one last, how often each is there, and where each row has its.

    ``spike`` is how much of a kernel sits on the value itself: all of it for levels.
    """

    values: Floats
    times: NDArray[np.int64]
    place: Codes
    half: float
    unit: float = 1.0
    spike: float = 1.0

    @classmethod
    def of(cls, column: Floats, half: float, *, levels: bool) -> _Column:
        values, place, times = np.unique(column, return_inverse=True, return_counts=True)
        known = column[~np.isnan(column)]
        if levels:
            return cls(values, times, place, half)
        if not len(known):
            return cls(values, times, place, half, spike=0.0)
        _, steps = np.unique(np.round(known / (2 * half)), return_counts=True)
        spike = float(((steps / len(known)) ** 2).sum())
        return cls(values, times, place, half, deviation(known) or 1.0, spike)

    def kernel(self, x: Floats, width: float) -> Floats:
        """The chance (q, u) of each number ``x`` (q,) around each value; missing goes with missing."""
        gap = np.abs(x[:, None] - self.values)
        spread = width * self.unit
        with np.errstate(invalid="ignore"):
            bell = np.exp(-0.5 * (gap / spread) ** 2) * min(2 * self.half / (spread * np.sqrt(2 * np.pi)), 1.0)
            kernel = self.spike * (gap <= self.half) + (1 - self.spike) * bell
        missing = np.isnan(x)[:, None], np.isnan(self.values)[None, :]
        return np.where(missing[0] | missing[1], (missing[0] & missing[1]).astype(np.float64), kernel)


def _parts(rows: int, most: int) -> Iterator[slice]:
    return (slice(start, start + most) for start in range(0, rows, most))
