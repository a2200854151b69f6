"""Whom do copies with noise give away, to somebody who knows what was copied? See ``audit.stakes``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.classes import identical_rows
from audit.columns import categorical_columns, deviation, levels, numbers, numeric_columns
from audit.measures.copies import REAL
from audit.plan import Stake
from audit.sides import Side
from audit.tables import AuditTables
from audit.traced import of_rows

APART = 1.0  # standard deviations off in some number, by which somebody with the same categories is somebody else
TOLD = 0.12  # part of those with nobody beside them whom noise explains better than people's likeness, at the least


def near(tables: AuditTables, _: np.random.Generator) -> dict[str, Stake]:
    """``one_parent_excess`` of train, copied row by row with noise; ``traced_to_one`` is a number of them.

    Share of rows that equal no real row, and with which nobody but the copied person agrees in all categories and
    within a standard deviation in all numbers, gaps being alike. Beyond doubt is more than alone: a number is asked of
    rows that nobody else agrees with in all columns but one.
    """
    rows = identical_rows(tables)
    different = ~np.isin(rows["released"], np.concatenate([rows[side] for side in REAL]))
    alone = {spared: np.ones(len(different), dtype=np.bool_) for spared in (0, 1)}
    for side in REAL:
        apart = _apart(tables, side)
        if side == "train":  # nobody is beside oneself
            own = tables.people["train"][: len(apart), None] == tables.people["train"]
            apart[own] = np.iinfo(apart.dtype).max
        for spared in alone:
            alone[spared] &= (apart > spared).all(axis=1)
    share, beyond = (float((different & alone[spared]).mean()) for spared in (0, 1))
    return {"one_parent_excess": Stake(share, part=TOLD), "traced_to_one": of_rows(beyond, len(different))}


def _apart(tables: AuditTables, side: Side) -> NDArray[np.int16]:
    """In how many columns each row of a real table (n, m) is not about where the released row is."""
    released, real = tables.released, tables.frames[side]
    result = np.zeros((len(released), len(real)), dtype=np.int16)
    for name in categorical_columns(tables.dictionary):
        column = tables.dictionary.columns[name]
        result += levels(released, name, column)[:, None] != levels(real, name, column)
    for name in numeric_columns(tables.dictionary):
        value, held = numbers(released, name)[:, None], numbers(real, name)
        reach = APART * deviation(np.concatenate([part[~np.isnan(part)] for part in _real(tables, name)]))
        result += ~((np.abs(value - held) <= reach) | (np.isnan(value) & np.isnan(held)))
    return result


def _real(tables: AuditTables, name: str) -> list[NDArray[np.float64]]:
    return [numbers(tables.frames[side], name) for side in REAL]
