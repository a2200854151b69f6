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
    """``one_parent_excess`` of train, copied row by row with noise, and ``traced_to_one``, of which it is a number.

    Share of rows that equal no real row, and with which nobody but the copied person agrees in all categories and
    within a standard deviation in all numbers, gaps being alike.
    """
    rows = identical_rows(tables)
    different = ~np.isin(rows["released"], np.concatenate([rows[side] for side in REAL]))
    alone = np.ones(len(different), dtype=np.bool_)
    for side in REAL:
        beside = _beside(tables, side)
        if side == "train":
            beside &= tables.people["train"][: len(beside), None] != tables.people["train"]
        alone &= ~beside.any(axis=1)
    share = float((different & alone).mean())
    return {"one_parent_excess": Stake(share, part=TOLD), "traced_to_one": of_rows(share, len(different))}


def _beside(tables: AuditTables, side: Side) -> NDArray[np.bool_]:
    """Which rows of a real table (n, m) are about where each released row is."""
    released, real = tables.released, tables.frames[side]
    result = np.ones((len(released), len(real)), dtype=np.bool_)
    for name in categorical_columns(tables.dictionary):
        column = tables.dictionary.columns[name]
        result &= levels(released, name, column)[:, None] == levels(real, name, column)
    for name in numeric_columns(tables.dictionary):
        value, held = numbers(released, name)[:, None], numbers(real, name)
        reach = APART * deviation(np.concatenate([part[~np.isnan(part)] for part in _real(tables, name)]))
        result &= (np.abs(value - held) <= reach) | (np.isnan(value) & np.isnan(held))
    return result


def _real(tables: AuditTables, name: str) -> list[NDArray[np.float64]]:
    return [numbers(tables.frames[side], name) for side in REAL]
