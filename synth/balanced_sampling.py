"""Which of too many rows, taken together, have the tables that are wanted?

Rows taken by chance have tables that are wrong by chance. Here rows are exchanged for others of their group while that
brings the tables of those taken nearer to the wanted ones: balanced sampling (Deville and Tille, Efficient balanced
sampling, Biometrika 91, 2004) by the exchanges of combinatorial optimisation (Voas and Williamson, An evaluation of the
combinatorial optimisation approach to the creation of synthetic microdata, International Journal of Population
Geography 6, 2000), many at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synth.calibration.quantiles import Floats

LEAST_ROUNDS, MOST_ROUNDS = 60, 200
_LOOKED_AT = 5_000_000_000
"""Rows times tables looked at in all rounds together, above the least rounds."""
_CONSIDERED = 0.5
_FIRST_SHARE, _MOST, _GROWTH = 0.2, 0.5, 1.3

Groups = NDArray[np.int64]
Places = NDArray[np.int32]


def balanced(
    taken: NDArray[np.bool_], groups: Groups, places: Sequence[Places], wanted: Floats, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """(m,) rows taken: as many of every group as before, with counts nearer to the wanted ones.

    The sum over cells of the squared difference of counts, over the root of the wanted count, falls in every round; a
    round looks at every other row, by chance.

    Parameters
    ----------
    taken : (m,) rows that are taken to begin with.
    groups : (m,) codes.
    places : for each table the (m,) number of the cell each row falls into, all below c.
    wanted : (c,) counts.
    """
    taken = taken.copy()
    if not places:
        return taken
    weight = 1.0 / np.sqrt(wanted + 1.0)
    alone = _summed(places, weight)
    excess = _counts(places, np.flatnonzero(taken), len(wanted)) - wanted
    loss, share = float(excess**2 @ weight), _FIRST_SHARE
    rounds = int(np.clip(_LOOKED_AT // (len(taken) * len(places)), LEAST_ROUNDS, MOST_ROUNDS))
    for _ in range(rounds):
        pull = 2.0 * _summed(places, excess * weight)
        change = np.where(taken, alone - pull, alone + pull)
        considered = rng.random(len(taken)) < _CONSIDERED
        out, into = _paired(change, groups, taken & considered, ~taken & considered)
        gain = change[out] + change[into]
        order = np.argsort(gain, kind="stable")[: int(np.sum(gain < 0))]
        while len(order):
            some = order[: max(1, int(share * len(order)))]
            trial = excess + _counts(places, into[some], len(wanted)) - _counts(places, out[some], len(wanted))
            found = float(trial**2 @ weight)
            if found < loss or len(some) == 1:
                break
            share /= 2.0
        if not len(order) or found >= loss:
            break
        taken[out[some]], taken[into[some]] = False, True
        excess, loss, share = trial, found, min(share * _GROWTH, _MOST)
    return taken


def counted(places: Sequence[Places], size: int, weights: Floats | None = None) -> Floats:
    """(size,) rows, or the sum of their weights (m,), in each cell."""
    result = np.zeros(size)
    for place in places:
        result += np.bincount(place, weights=weights, minlength=size)
    return result


def _summed(places: Sequence[Places], of_cell: Floats) -> Floats:
    """(m,) sum over the cells that each row falls into."""
    values = of_cell.astype(np.float32)
    result = np.zeros(len(places[0]))
    for place in places:
        result += values[place]
    return result


def _counts(places: Sequence[Places], rows: NDArray[np.intp], size: int) -> Floats:
    return counted([place[rows] for place in places], size)


def _paired(
    change: Floats, groups: Groups, out: NDArray[np.bool_], into: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows to leave out and rows of the same group to take in their place, the best of each with the best."""
    found = []
    for side in (out, into):
        rows = np.flatnonzero(side)
        rows = rows[np.lexsort((change[rows], groups[rows]))]
        group = groups[rows]
        starts = np.searchsorted(group, group)
        found.append((rows, group * (len(groups) + 1) + np.arange(len(rows)) - starts))
    (leaving, of_leaving), (coming, of_coming) = found
    _, first, second = np.intersect1d(of_leaving, of_coming, assume_unique=True, return_indices=True)
    return leaving[first], coming[second]
