"""Rows on the scale of noise: numbers in standard deviations, and what rounding and recurring values do to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.columns import Cells, deviation
from audit.neighbours import Rows
from audit.rounding import half_steps

NOISE = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7)  # standard deviations of a column, all alike beforehand
FARTHEST = 1e6  # standard deviations that are told apart
RIDGE = 1e-6  # least variance in any direction

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Points:
    """Rows with ``numbers`` (n, p) in standard deviations from the mean, 0 where not ``known`` (n, p).

    Beside them level ``codes`` (n, c) and of which ``person`` (n,) each is, over all tables.
    """

    numbers: Floats
    known: Flags
    codes: Codes
    person: Codes

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Rows | slice) -> Points:
        return Points(self.numbers[rows], self.known[rows], self.codes[rows], self.person[rows])


@dataclass(frozen=True)
class Scale:
    """What the real rows say of the columns.

    Of the ``kept`` numbers (of d those that are not all one): ``mean`` and ``unit`` (p,), the ``cell`` (p,) of their
    grid in units, the chance ``recurring`` (p,) that two strangers share a value, the ``covariance`` (p, p). The
    ``gappy`` ones of all (d,) have a flag after the categories; ``shares`` (levels,) are those of each.
    """

    kept: Flags
    gappy: Flags
    mean: Floats
    unit: Floats
    cell: Floats
    recurring: Floats
    covariance: Floats
    shares: tuple[Floats, ...]

    @classmethod
    def of(cls, real: Cells, sizes: Sequence[int], whole: Sequence[bool], gappy: Flags) -> Scale:
        """From the rows of real people; (d,) numbers are ``whole`` or not, (c,) level codes lie below ``sizes``."""
        numbers = real.numbers
        spread = np.array([deviation(column[~np.isnan(column)]) for column in numbers.T])
        kept = spread > 0
        unit, half, some = spread[kept], half_steps(numbers, whole)[kept], numbers[:, kept]
        known = ~np.isnan(some)
        mean = np.where(known, some, 0.0).sum(axis=0) / known.sum(axis=0)
        standard = np.where(known, (some - mean) / unit, 0.0)
        met = known.T.astype(np.float64) @ known
        values, vectors = np.linalg.eigh(standard.T @ standard / np.maximum(met, 1.0))
        levels = _with_flags(real, gappy)
        widths = (*sizes, *[2] * int(gappy.sum()))
        counts = [np.bincount(column, minlength=width) for column, width in zip(levels.T, widths, strict=True)]
        recurring = [_recurring(column[~np.isnan(column)], step) for column, step in zip(some.T, 2 * half, strict=True)]
        return cls(
            kept,
            gappy,
            mean,
            unit,
            2 * half / unit,
            np.array(recurring, dtype=np.float64),
            (vectors * np.maximum(values, RIDGE)) @ vectors.T,
            tuple((count.astype(np.float64) + 0.5) / (len(levels) + 1.0) for count in counts),
        )

    def points(self, cells: Cells, person: Codes) -> Points:
        """Rows of any table on this scale; of which ``person`` (n,) each is."""
        some = cells.numbers[:, self.kept]
        known = ~np.isnan(some)
        standard = np.where(known, (some - self.mean) / self.unit, 0.0)
        standard = np.clip(standard, -FARTHEST, FARTHEST)
        return Points(standard, known, _with_flags(cells, self.gappy), person)

    def noised(self, points: Points, rng: np.random.Generator) -> Points:
        """The same rows with noise on the numbers, of any of the sizes for each row, rounded as the columns are."""
        off = rng.choice(NOISE, len(points))[:, None] * rng.standard_normal(points.numbers.shape)
        moved = points.numbers + np.round(off / self.cell) * self.cell
        return Points(np.where(points.known, moved, 0.0), points.known, points.codes, points.person)

    @property
    def rounding(self) -> Floats:
        """Variance (p,) that rounding to the grid adds."""
        variance: Floats = self.cell**2 / 12
        return variance


def _recurring(known: Floats, step: float) -> float:
    """Chance that two of the (n,) known values are in one cell of the grid."""
    _, times = np.unique(np.round(known / step), return_counts=True)
    count = len(known)
    return float((times * (times - 1.0)).sum()) / max(count * (count - 1.0), 1.0)


def _with_flags(cells: Cells, gappy: Flags) -> Codes:
    return np.hstack([cells.codes, np.isnan(cells.numbers[:, gappy]).astype(np.int64)])
