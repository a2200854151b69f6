"""Where do rows lie when numbers keep their straight lines? Columns of the three tables apart by kind, unbent.

The scale of ``audit.encoding`` turns logarithmic far out, which bends a line between two people. Here a number or time
is only divided by its standard deviation over the real people; missing stays NaN. Levels are codes, 0 for missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.columns import categorical_columns, deviation, levels, numbers, numeric_columns
from audit.neighbours import Rows
from audit.sides import SIDES, Side
from audit.tables import AuditTables

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Straight:
    """Rows of one table: ``numbers`` (n, d) in standard deviations of the real people, ``codes`` (n, c) of levels."""

    numbers: Floats
    codes: NDArray[np.int64]

    def take(self, rows: Rows) -> Straight:
        """The rows at these positions."""
        return Straight(self.numbers[rows], self.codes[rows])


def straighten(tables: AuditTables) -> dict[Side, Straight]:
    """The three tables on one straight scale; a column that is constant among real people keeps its own unit."""
    columns: dict[Side, list[Floats]] = {side: [] for side in SIDES}
    for name in numeric_columns(tables.dictionary):
        values = {side: numbers(tables.frames[side], name) for side in SIDES}
        real = np.concatenate([values["train"], values["holdout"]])
        known = real[~np.isnan(real)]
        unit = deviation(known - (known[0] if len(known) else 0.0)) or 1.0
        centre = float(np.median(known)) if len(known) else 0.0
        for side in SIDES:
            columns[side].append((values[side] - centre) / unit)
    result: dict[Side, Straight] = {}
    for side, frame in tables.frames.items():
        codes = [
            levels(frame, name, tables.dictionary.columns[name]) for name in categorical_columns(tables.dictionary)
        ]
        empty = len(frame), 0
        result[side] = Straight(
            np.column_stack(columns[side]) if columns[side] else np.empty(empty),
            np.column_stack(codes) if codes else np.empty(empty, dtype=np.int64),
        )
    return result
