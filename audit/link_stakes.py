"""Whom does a leak join the two halves of, for somebody who knows which released row is whose? See ``audit.stakes``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.columns import Cells
from audit.encoding import Encoder
from audit.measures.copies import REAL
from audit.plan import Stake
from audit.sides import Side
from audit.tables import AuditTables

SPLITS = 32  # random halves of the columns counted: as many as the measure draws of a table of this size
TOLD = 0.8  # part of it that the measure says, at the least: its strangers are joined by any row, and not by their own
SAME = 1e-9  # squared distance, over the largest, that rounding cannot tell from none

Floats = NDArray[np.float64]


def linked(tables: AuditTables, rng: np.random.Generator) -> Stake:
    """``linkability``: share of train people whose own row is nearest to both halves of them, beyond that of holdout.

    A person's own row is the released one nearest in all columns together. Where others are as near to a half, it is
    drawn among them. The columns fall in halves at random; the excess is over one minus the holdout share.
    """
    names = tables.dictionary.released
    if len(names) < 2:
        return Stake(0.0)
    cells = Cells.of(tables.released, tables.dictionary)
    whole = np.column_stack([np.nan_to_num(cells.numbers, nan=np.inf), cells.codes])
    distinct = np.sort(np.unique(whole, axis=0, return_index=True)[1])
    encoder = Encoder.fit(tables.dictionary, (tables.train, tables.holdout), (tables.released,))
    parts = dict(zip(names, encoder.parts, strict=True))
    released = {name: part(tables.released.iloc[distinct]) for name, part in parts.items()}
    real = {side: {name: part(tables.frames[side]) for name, part in parts.items()} for side in REAL}
    excess = []
    for _ in range(SPLITS if len(names) > 2 else 1):
        order = rng.permutation(len(names))
        halves = [[names[place] for place in part] for part in np.array_split(order, 2)]
        joined: dict[Side, float] = {}
        for side in REAL:
            away = [_squared(real[side], released, half) for half in halves]
            own = (away[0] + away[1]).argmin(axis=1)
            joined[side] = float((_drawn(away[0], own) * _drawn(away[1], own)).mean())
        excess.append((joined["train"] - joined["holdout"]) / max(1.0 - joined["holdout"], SAME))
    spread = float(np.std(excess, ddof=1)) * (2 / len(excess)) ** 0.5 if len(excess) > 1 else 0.0
    return Stake(float(np.mean(excess)), spread, part=TOLD)


def _squared(real: dict[str, Floats], released: dict[str, Floats], names: list[str]) -> Floats:
    a, b = np.hstack([real[name] for name in names]), np.hstack([released[name] for name in names])
    lengths = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)
    squared = lengths - 2 * (a @ b.T)
    result: Floats = np.where(squared <= SAME * lengths.max(initial=1.0), 0.0, squared)
    return result


def _drawn(squared: Floats, own: NDArray[np.int64]) -> Floats:
    """Chance (q,) that the row ``own`` is drawn among those nearest to each."""
    best = squared.min(axis=1)
    tied = squared <= (best + SAME * squared.max(initial=1.0))[:, None]
    result: Floats = tied[np.arange(len(own)), own] / tied.sum(axis=1)
    return result
