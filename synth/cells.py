"""Where is a column cut, so that every cell holds enough rows?"""

from __future__ import annotations

import numpy as np

from synth.calibration.quantiles import Floats


def cell_borders(column: Floats, least: float) -> Floats:
    """(b,) ascending borders of (n,) numbers, n >= 1, equal values together; a border belongs to the cell above it.

    A value that ``least`` rows have opens and closes a cell. What lies between two such is cut into as many parts,
    about equal, as hold ``least`` rows; if it is less, it goes with the value below, or above where there is none. So
    every cell holds ``least`` rows (its whole part), or all.
    """
    least = max(int(least), 1)
    values, counts = np.unique(column, return_counts=True)
    common = counts >= least
    runs = np.flatnonzero(np.diff(np.concatenate([[True], common, [True]]).astype(np.int8)))
    starts = set(np.flatnonzero(common).tolist())
    for first, last in runs.reshape(-1, 2).tolist():
        left = int(counts[first:last].sum())
        if left < least and first == 0:
            starts.discard(last)
        place = first
        while left >= least:
            starts.add(place)
            parts = left // least
            filled = np.cumsum(counts[place:last])
            step = int(np.searchsorted(filled, left / parts - 1e-6)) + 1
            left -= int(filled[step - 1])
            place += step
    found: Floats = values[np.array(sorted(starts - {0}), dtype=np.intp)]
    return found
