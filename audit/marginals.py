"""How far apart are the distributions of one column in two tables?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.columns import common_codes, levels, numbers
from audit.resampling import Groups
from audit.sides import SIDES, Side
from audit.tables import AuditTables

Floats = NDArray[np.float64]
COMPARISONS: tuple[tuple[Side, Side], ...] = (("train", "released"), ("holdout", "released"), ("train", "holdout"))


def numeric_distances(tables: AuditTables, name: str, groups: Groups) -> tuple[Floats, Floats]:
    """Kolmogorov-Smirnov and Wasserstein-1 distances of a number or time column.

    A missing value counts as one below all others for KS. For Wasserstein, known values are compared with each other,
    in units of train's range, and moving a row between missing and known costs one whole range.

    Returns
    -------
    Two arrays (1 + groups, 3): replicates by ``COMPARISONS``.
    """
    values = {side: numbers(tables.frames[side], name) for side in SIDES}
    codes, points = common_codes(values)
    missing = int(np.isnan(points).sum())
    known = points[: len(points) - missing]
    below, total, absent = {}, {}, {}
    for side in SIDES:
        counts = groups.count_codes(side, codes[side], len(known) + 1)
        below[side] = np.cumsum(counts[:, : len(known)], axis=1)
        total[side] = counts.sum(axis=1)
        absent[side] = counts[:, len(known)] / total[side]
    train = values["train"][~np.isnan(values["train"])]
    unit = float(np.ptp(train)) if len(train) else 0.0
    unit = unit or (float(np.ptp(known)) if len(known) else 0.0) or 1.0
    steps = np.diff(known) / unit
    ks, wasserstein = (np.empty((len(absent["train"]), len(COMPARISONS))) for _ in range(2))
    for replicate in range(len(ks)):  # one after the other: a row of each table fits where it is quick to reach
        reached, parts = {}, {}
        for side in SIDES:
            counts = below[side][replicate]
            reached[side] = absent[side][replicate] + counts / total[side][replicate]
            parts[side] = counts / max(counts[-1], 1.0) if len(known) else counts
        for place, (a, b) in enumerate(COMPARISONS):
            lost = abs(absent[a][replicate] - absent[b][replicate])
            present = 1.0 - max(absent[a][replicate], absent[b][replicate])
            ks[replicate, place] = np.abs(reached[a] - reached[b]).max(initial=lost)
            moved = float(np.abs(parts[a] - parts[b])[:-1] @ steps) if len(known) else 0.0
            wasserstein[replicate, place] = present * moved + lost
    return ks, wasserstein


def total_variation(tables: AuditTables, name: str, groups: Groups) -> Floats:
    """Half the summed difference of level shares of a categorical column, missing being a level: (1 + groups, 3)."""
    column = tables.dictionary.columns[name]
    size = len(column.categories or ()) + 1
    shares = {}
    for side in SIDES:
        counts = groups.count_codes(side, levels(tables.frames[side], name, column), size)
        shares[side] = counts / counts.sum(axis=1, keepdims=True)
    return np.column_stack([0.5 * np.abs(shares[a] - shares[b]).sum(axis=1) for a, b in COMPARISONS])
