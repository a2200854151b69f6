"""On which grid do the values of a column lie? Whole numbers, tenths, fives, or none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audit.columns import deviation

EXACT = 1e-6  # of a standard deviation, by which a number may be off by computing
SINGLE = 4 * 2.0**-24  # of the largest number, by which single precision may be off
ROUNDED = 0.99  # share of a column's known values that must lie on a grid for the column to do
ON_GRID = 0.01  # of a step, by which a number on the grid may be off it
GAPS = 20  # smallest gaps between values that are tried for the step of a grid

Floats = NDArray[np.float64]


def half_steps(values: Floats, whole: Sequence[bool]) -> Floats:
    """Half the step (d,) of the grid each column's known values lie on, or next to nothing; 1/2 at least if ``whole``.

    The step is the smallest gap between values (n, d) that nearly all of them are multiples of, counted from their
    median.
    """
    result = np.empty(values.shape[1])
    for k, column in enumerate(values.T):
        known = np.sort(column[~np.isnan(column)])
        spread = deviation(known) or 1.0
        off = max(EXACT * spread, SINGLE * float(np.abs(known).max(initial=0.0)))
        least = max(10 * off, 1.0 if whole[k] else 0.0)
        step = 1.0 if whole[k] else 2 * off
        gaps = np.diff(known)
        for gap in np.unique(gaps[gaps > least])[:GAPS]:
            places = (known - known[len(known) // 2]) / gap
            if (np.abs(places - np.round(places)) <= ON_GRID).mean() >= ROUNDED:
                step = float(gap)
                break
        result[k] = 0.5 * step + off
    return result
