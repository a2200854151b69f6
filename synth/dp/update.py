"""Which of many drawn records stand best, together, for the tables?

Rows drawn at random from a model differ from it by chance, and that chance is as large as the one by which two samples
of people differ. A gradual update takes it out: starting from a random part of the pool, records that stand in cells
with too many are exchanged for records of the pool that stand in cells with too few, fewer at every turn. Where there
are many tables, each turn looks at some. Unlike the gradual update of Zhang et al. (PrivSyn, USENIX Security 2021),
which rewrites cells of records, whole records are exchanged, so that what the tables do not show stays as the model has
it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synth.dp.coarsen import Floats
from synth.dp.loglinear import Cell

_TURNS = 40
_FIRST = 0.05
_SLOWER = 0.9
_TABLES = 100


def exchanged(
    places: Sequence[Cell], targets: Sequence[Floats], rows: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """(rows,) places in the pool of the records that stay.

    Parameters
    ----------
    places : for every table the cell of each of the pool's records.
    targets : for every table the share of each cell.
    """
    size = len(places[0])
    order = rng.permutation(size)
    inside = np.zeros(size, dtype=np.bool_)
    inside[order[:rows]] = True
    for turn in range(_TURNS):
        excess = np.zeros(size)
        for table in rng.permutation(len(places))[:_TABLES]:
            place, target = places[table], targets[table]
            gap = np.bincount(place[inside], minlength=len(target)) - rows * target
            # a cell's gap counts in units of what chance makes of it
            excess += (gap / (rows * target + 1.0))[place]
        stay, come = np.flatnonzero(inside), np.flatnonzero(~inside)
        moved = min(max(1, int(_FIRST * rows * _SLOWER**turn)), len(stay), len(come))
        if not moved:
            break
        leave = stay[np.argpartition(-excess[stay], moved - 1)[:moved]]
        enter = come[np.argpartition(excess[come], moved - 1)[:moved]]
        leave, enter = leave[np.argsort(-excess[leave])], enter[np.argsort(excess[enter])]
        gains = excess[leave] > excess[enter]
        inside[leave[gains]] = False
        inside[enter[gains]] = True
    return np.flatnonzero(inside)
