"""Are released rows copies of people the synthesizer saw, and of the rarest of them?

Two real people can be equal or nearly so, so every count is held against the same count on holdout people.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from audit.classes import identical_rows
from audit.intervals import Interval, clustered_variance, newcombe, touched_variance, wilson
from audit.neighbours import Rows, within
from audit.outcome import FEWEST, measured, too_few
from audit.sides import Side, Sides
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("exact_copy_excess", "near_copy_excess", "rare_copies")

USUAL = 0.01  # quantile of stranger distances below which a row counts as near
RARE = 0.05  # share of real rows, the most isolated ones, that count as rare
REACH = 0.25  # share of a rare row's distance to its nearest real stranger within which a released row copies it
COARSE = 2  # times RARE: how many rows are looked at closely when not all can be

Floats = NDArray[np.float64]


def copies(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Exact, near and rare copies, each beyond what holdout people get by chance."""
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    return exact_copies(tables), near_copies(tables, rng), rare_copies(tables, rng)


def exact_copies(tables: AuditTables) -> Measurement:
    """Share of released rows equal to a train row in all columns, minus the same for holdout; all rows are looked at.

    A larger train has more chance equals, so it is thinned on paper: for each released row, the hypergeometric
    chance that a holdout-sized draw of train holds an equal row. The difference is then scaled back by the ratio of
    sizes: a row copied from one train row counts fully, whatever the split. The upper end never exceeds the share of
    released rows that do have an equal in train, which is counted, not estimated.
    """
    rows = identical_rows(tables)
    kinds = max(int(part.max()) for part in rows.values()) + 1
    released, n = rows["released"], len(rows["released"])
    size = min(len(rows["train"]), len(rows["holdout"]))
    in_train = _thinned(np.bincount(rows["train"], minlength=kinds)[released], len(rows["train"]), size)
    in_holdout = _thinned(np.bincount(rows["holdout"], minlength=kinds)[released], len(rows["holdout"]), size)
    scale = len(rows["train"]) / size
    counted = float((in_train > 0).mean())
    difference = in_train - in_holdout
    variance = clustered_variance((difference - difference.mean()) / n, released)
    value = min(scale * float(difference.mean()), counted)
    interval = _excess(difference, variance, scale, counted, tables.confidence)
    method = f"all {n} released rows against {len(rows['train'])} train and {len(rows['holdout'])} holdout rows"
    return measured("exact_copy_excess", value, interval, tables.confidence, n, method)


def near_copies(tables: AuditTables, rng: np.random.Generator) -> Measurement:
    """Share of released rows unusually near to their nearest train row, minus the same for holdout.

    Nearness is relative: the distance to the nearest real row, divided by that row's own distance to its nearest real
    stranger, so that a copy of an outlier with a little noise counts and a row in a crowd does not. "Unusual" is
    below the 1 % quantile of what real strangers (train and holdout rows with each other) have; a row that has an
    equal among strangers is nobody's alone, and being equal to it is usual. Train and holdout are cut to equal size;
    the difference is scaled back by what was cut from train.
    """
    sides = tables.sides("paired", rng)
    strangers = np.concatenate([_crowding(sides, "train", "holdout"), _crowding(sides, "holdout", "train")])
    usual = float(np.quantile(strangers, USUAL, method="lower"))
    to_train, to_holdout = (_crowding(sides, "released", side) <= usual for side in ("train", "holdout"))
    n = len(to_train)
    difference = to_train.astype(np.float64) - to_holdout
    touched = [sides.ids(side, sides.nearest("released", side).index) for side in ("train", "holdout")]
    variance = touched_variance([((difference - difference.mean()) / n, touched)], sides.points)
    scale = len(tables.train) / sides.rows("train")
    near = float(to_train.mean())
    counted = near if scale == 1 and n == len(tables.released) else wilson(near, n, tables.confidence)[1]
    value = scale * float(difference.mean())
    interval = _excess(difference, variance, scale, scale * counted, tables.confidence)
    method = (
        f"{n} released rows against {sides.rows('train')} train and as many holdout rows; "
        f"near is the {USUAL:.0%} quantile between real strangers"
    )
    return measured("near_copy_excess", value, interval, tables.confidence, n, method)


def rare_copies(tables: AuditTables, rng: np.random.Generator) -> Measurement:
    """Number of released rows on top of an isolated train person, minus what isolated holdout people get.

    Isolated are the 5 % of real rows farthest from every other real person of both tables; on top means within a
    quarter of that distance. In tables too large for all pairs, the tenth farthest from a random part of their own
    side is looked at closely. The holdout count is scaled to train's number of isolated rows. The interval takes the
    two counts as Poisson (conditional score interval of their ratio): both zero means exactly zero.
    """
    sides = tables.sides("whole", rng)
    real_sides: tuple[Side, Side] = ("train", "holdout")
    spacing = {side: _isolation(sides, side) for side in real_sides}
    every = np.concatenate([distance for _, distance in spacing.values()])
    real = sides.rows("train") + sides.rows("holdout")
    limit = float(np.sort(every)[-max(int(RARE * real), 1)])
    counts, rare = [], []
    for side, (positions, distance) in spacing.items():
        alone = (distance >= limit) & (distance > 0)
        _, released = within(sides.matrix[side][positions[alone]], REACH * distance[alone], sides.matrix["released"])
        counts.append(len(np.unique(released)))
        rare.append(int(alone.sum()))
    ratio = sides.rows("train") / sides.rows("holdout")
    copied, chance = counts[0], counts[1] * ratio
    total = sum(counts)
    low, high = wilson(counts[0] / total, total, tables.confidence) if total else (0.0, 0.0)
    interval = (total * (low - (1 - low) * ratio), total * (high - (1 - high) * ratio)) if total else (0.0, 0.0)
    method = f"{sides.rows('released')} released rows against {rare[0]} isolated train and {rare[1]} holdout rows"
    return measured("rare_copies", copied - chance, interval, tables.confidence, sides.rows("released"), method)


def _thinned(equals: Rows, rows: int, drawn: int) -> Floats:
    """Chance that ``drawn`` of ``rows`` rows, taken at random, hold at least one of each count of ``equals``."""
    left = rows - equals
    possible = left >= drawn
    left = np.where(possible, left, drawn)
    log_none = gammaln(left + 1) - gammaln(left - drawn + 1) - gammaln(rows + 1) + gammaln(rows - drawn + 1)
    result: Floats = np.where(equals == 0, 0.0, np.where(possible, -np.expm1(log_none), 1.0))
    return result


def _excess(difference: Floats, variance: float, scale: float, most: float, confidence: float) -> Interval:
    """Interval of a mean of differences in [-1, 1], from its two directions, cut at what was counted."""
    n = len(difference)
    up, down = float(np.maximum(difference, 0).mean()), float(np.maximum(-difference, 0).mean())
    spread = up * (1 - up) + down * (1 - down)
    effective = max(1.0, min(n, spread / variance)) if variance > 0 and spread > 0 else float(n)
    low, high = newcombe(up, effective, down, effective, confidence)
    return max(scale * low, -1.0), min(scale * high, most, 1.0)


def _crowding(sides: Sides, of: Side, among: Side) -> Floats:
    """Distance to the nearest row of another table over that row's distance to its nearest stranger there."""
    found = sides.nearest(of, among)
    spacing = sides.nearest(among, among, found.index).distance
    shared = spacing == 0
    ratio = found.distance / np.where(shared, 1.0, spacing)
    result: Floats = np.where(shared, np.where(found.distance == 0, 1.0, np.inf), ratio)
    return result


def _isolation(sides: Sides, side: Side) -> tuple[Rows, Floats]:
    """Positions of the most isolated rows of a real table and their distances to the nearest real stranger."""
    other: Side = "holdout" if side == "train" else "train"
    positions = np.arange(sides.rows(side), dtype=np.int64)
    if len(sides.queries[side]) < len(positions):
        rough = sides.rough_spacing(side)
        kept = max(int(COARSE * RARE * len(positions)), 1)
        positions = np.sort(np.argsort(-rough, kind="stable")[:kept]).astype(np.int64)
    own, across = sides.nearest(side, side, positions), sides.nearest(side, other, positions)
    return positions, np.minimum(own.distance, across.distance)
