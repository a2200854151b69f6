"""Where do rows lie when numbers keep their straight lines? Columns of the three tables apart by kind, unbent.

The scale of ``audit.encoding`` turns logarithmic far out, which bends a line between two people. Here a number or time
is only divided by its standard deviation over the real people; missing stays NaN. Levels are codes, 0 for missing.
"""

from __future__ import annotations

import numpy as np

from audit.columns import Cells, deviation
from audit.sides import SIDES, Side
from audit.tables import AuditTables


def straighten(tables: AuditTables) -> dict[Side, Cells]:
    """The three tables on one straight scale; a column that is constant among real people keeps its own unit.

    Numbers (n, d) come in standard deviations of the real people, from their median.
    """
    cells = {side: Cells.of(tables.frames[side], tables.dictionary) for side in SIDES}
    straight = {side: np.empty_like(cells[side].numbers) for side in SIDES}
    for place, real in enumerate(Cells.joined([cells["train"], cells["holdout"]]).numbers.T):
        known = real[~np.isnan(real)]
        unit = deviation(known - (known[0] if len(known) else 0.0)) or 1.0
        centre = float(np.median(known)) if len(known) else 0.0
        for side in SIDES:
            straight[side][:, place] = (cells[side].numbers[:, place] - centre) / unit
    return {side: Cells(straight[side], cells[side].codes) for side in SIDES}
