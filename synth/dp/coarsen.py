"""How many cells of a column can noisy tables tell apart?

From one noisy one-way table over fine public cells come three things, all of them post-processing: the shares of the
fine cells with the noise taken out, a grouping of fine cells into coarse ones that joint tables can afford, and
groupings of the coarse ones that get by with fewer still. Ordered columns merge neighbours; other columns merge what is
rare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Cell = NDArray[np.intp]

ALONE = 0.75
"""A cell with this share of a group's mass is a group of its own: a spike at zero, a usual number of hours."""


@dataclass(frozen=True)
class Coarse:
    """The coarse cells of one column.

    Attributes
    ----------
    groups : (fine cells,) coarse cell of every fine one.
    inside : (fine cells,) share of a fine cell in its coarse cell.
    shares : (coarse cells,) share of all rows.
    """

    groups: Cell
    inside: Floats
    shares: Floats

    @property
    def size(self) -> int:
        return len(self.shares)


def coarse_cells(counts: Floats, sigma: float, cells: int, least: float, *, ordered: bool, nullable: bool) -> Coarse:
    """At most about ``cells`` coarse cells out of one noisy one-way table.

    Parameters
    ----------
    counts : (fine cells,) noisy counts with noise of scale ``sigma``; the last one is missing if ``nullable``.
    least : rows below which a coarse cell is not worth its noise; rarer levels of an unordered column share a cell.
    """
    fine = denoised(counts, sigma, ordered=ordered, nullable=nullable)
    total = fine.sum()
    values = len(fine) - int(nullable)
    if ordered:
        groups = merged_neighbours(fine[:values], max(total / cells, least))
    else:
        groups = merged_rare(fine[:values], max(least, np.sort(fine[:values])[::-1][min(cells, values) - 1]))
    if nullable:
        groups = np.append(groups, groups.max() + 1)
    shares = np.bincount(groups, fine)
    even = 1.0 / np.bincount(groups)
    inside = np.where(shares[groups] > 0, fine / np.maximum(shares[groups], 1e-300), even[groups])
    return Coarse(groups, inside, shares / total)


def coarser(shares: Floats, cells: int, *, ordered: bool, nullable: bool) -> Cell:
    """(coarse cells,) group of every coarse cell, about ``cells`` groups."""
    values = len(shares) - int(nullable)
    if values <= cells:
        return np.arange(len(shares))
    if ordered:
        groups = merged_neighbours(shares[:values], 1.0 / cells)
    else:
        groups = merged_rare(shares[:values], np.sort(shares[:values])[::-1][cells - 2])
    return np.append(groups, groups.max() + 1) if nullable else groups


def denoised(counts: Floats, sigma: float, *, ordered: bool, nullable: bool) -> Floats:
    """(cells,) counts of 0 or more that add up to the noisy total; neighbours of an ordered column are levelled."""
    values = len(counts) - int(nullable)
    smooth = counts.astype(np.float64).copy()
    if ordered:
        smooth[:values] = _levelled(smooth[:values], sigma)
    return on_simplex(smooth, max(float(counts.sum()), 1.0))


def on_simplex(counts: Floats, total: float) -> Floats:
    """The nearest counts of no less than 0 that add up to ``total`` (Euclidean projection)."""
    falling = np.sort(counts)[::-1]
    excess = (np.cumsum(falling) - total) / np.arange(1, len(counts) + 1)
    last = int(np.flatnonzero(falling - excess > 0)[-1])
    positive: Floats = np.maximum(counts - excess[last], 0.0)
    return positive


def merged_neighbours(mass: Floats, wanted: float) -> Cell:
    """(cells,) group of every cell: neighbours together until they have ``wanted`` mass, heavy cells alone."""
    groups = np.zeros(len(mass), dtype=np.intp)
    group, start = -1, 0
    heavy = mass >= ALONE * wanted
    while start < len(mass):
        group += 1
        if heavy[start]:
            groups[start] = group
            start += 1
            continue
        end = start
        while end < len(mass) and not heavy[end]:
            end += 1
        run = mass[start:end]
        parts = max(1, round(float(run.sum()) / wanted))
        middles = np.cumsum(run) - run / 2
        share = np.floor(middles / max(float(run.sum()), 1e-300) * parts).astype(np.intp)
        share = np.unique(np.clip(share, 0, parts - 1), return_inverse=True)[1]
        groups[start:end] = group + share
        group += int(share.max())
        start = end
    return groups


def merged_rare(mass: Floats, least: float) -> Cell:
    """(cells,) group of every cell: those below ``least`` share the last group."""
    kept = mass >= least
    if kept.sum() >= len(mass) - 1:
        return np.arange(len(mass))
    return np.where(kept, np.cumsum(kept) - 1, int(kept.sum()))


def _levelled(counts: Floats, sigma: float) -> Floats:
    """Noisy counts as a step function: the least sum of squares plus a price per step, found exactly.

    The price is what a step in pure noise would gain (Yao, Stat. Probab. Lett. 6, 1988; the recursion is Jackson et
    al., An algorithm for optimal partitioning, IEEE Signal Process. Lett. 12, 2005).
    """
    size = len(counts)
    price = 2.0 * sigma**2 * np.log(max(size, 2))
    total, square = np.append(0.0, np.cumsum(counts)), np.append(0.0, np.cumsum(counts**2))
    best, origin = np.zeros(size + 1), np.zeros(size + 1, dtype=np.intp)
    for end in range(1, size + 1):
        starts = np.arange(end)
        spread = square[end] - square[:end] - (total[end] - total[:end]) ** 2 / (end - starts)
        cost = best[:end] + spread + price
        origin[end] = int(np.argmin(cost))
        best[end] = cost[origin[end]]
    level, end = np.empty(size), size
    while end:
        start = int(origin[end])
        level[start:end] = (total[end] - total[start]) / (end - start)
        end = start
    return level
