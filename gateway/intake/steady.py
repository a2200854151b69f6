"""Which columns hold one and the same cell in all rows of a patient?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gateway.intake.guess import RARE
from gateway.intake.raw import Cells

_STEADY = 0.99
_BY_CHANCE = 0.9


def steady(columns: Mapping[str, Cells], people: NDArray[np.int64], rng: np.random.Generator) -> tuple[str, ...]:
    """Columns that do not change within at least 99 of 100 patients with several rows.

    Told only where it says something: with the rows dealt to patients at random one in ten of them would see it change,
    so a column that hardly varies is none. Missing is a value, and spellings are compared as they stand. Nothing is
    told of fewer than 11 patients with several rows, nor how many they are: beside the count of all patients that would
    tell how few have one row.

    Parameters
    ----------
    people : (rows,) code of the patient each row belongs to.
    """
    order = np.argsort(people, kind="stable")
    owners = people[order]
    starts = np.flatnonzero(np.concatenate([[True], owners[1:] != owners[:-1]]))
    several = np.diff(np.append(starts, len(order))) > 1
    if several.sum() < RARE:
        return ()

    def alike(codes: NDArray[np.int32]) -> float:
        same = np.minimum.reduceat(codes, starts) == np.maximum.reduceat(codes, starts)
        return float(same[several].mean())

    dealt = rng.permutation(len(order))
    return tuple(
        name
        for name, cells in columns.items()
        if alike(cells.codes[order]) >= _STEADY and alike(cells.codes[dealt]) <= _BY_CHANCE
    )
