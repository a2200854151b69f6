"""Are released rows copies of people the synthesizer saw, and of the rarest of them?

Two real people can be equal or nearly so, so every count is held against the same count on holdout people.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from audit.classes import identical_rows
from audit.coincidence import chance_of_copying
from audit.intervals import (
    Interval,
    clopper_pearson,
    clustered_variance,
    difference_of_counts,
    difference_of_shares,
    touched_variance,
)
from audit.neighbours import Rows, within
from audit.outcome import FEWEST, measured, too_few
from audit.plan import Plan
from audit.sides import Side, Sides
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("exact_copy_excess", "near_copy_excess", "rare_copies")
CONTROLS: dict[str, Plan] = {
    "exact_copy_excess": Plan(0.0, ("exact_copy_excess",), sees=("copies",)),
    "near_copy_excess": Plan(0.0, ("near_copy_excess",), sees=("copies",), queried=True),
    "rare_copies": Plan(0.0, ("rare_copies",), sees=("copies", "outliers"), counted=True),
}

USUAL = (0.0005, 0.01)  # quantile of strangers below which a row counts as near: half a row, within these
RARE = 0.05  # share of real rows, the most isolated ones, that count as rare
REACH = 0.25  # share of a rare row's distance to its nearest real stranger within which a released row copies it
AT_LEAST = 50  # strangers whose crowding is told exactly
COARSE = 2  # times RARE: how many rows are looked at closely when not all can be

REAL: tuple[Side, Side] = ("train", "holdout")

Floats = NDArray[np.float64]


def copies(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Exact, near and rare copies, each beyond what holdout people get by chance."""
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    return exact_copies(tables, rng), near_copies(tables, rng), rare_copies(tables, rng)


def exact_copies(tables: AuditTables, rng: np.random.Generator) -> Measurement:
    """Share of released rows equal to a train row in all columns, minus the same for holdout; all rows are looked at.

    An equal row counts by the chance that it is a copy and no coincidence (``audit.coincidence``): a row that another
    real person has too counts next to nothing, one amid many alike a part, one that nobody else could have fully. So
    what strangers share by chance neither drowns few copies in a large table nor refuses an honest small one.

    A larger train has more chance equals, so it is thinned on paper: for each released row, the hypergeometric
    chance that a holdout-sized draw of train holds an equal row. The difference is then scaled back by the ratio of
    sizes: a row copied from one train row counts fully, whatever the split. The upper end never exceeds what the
    released rows that do have an equal in train add up to.
    """
    rows = identical_rows(tables)
    kinds = max(int(part.max()) for part in rows.values()) + 1
    released, n = rows["released"], len(rows["released"])
    size = min(len(rows["train"]), len(rows["holdout"]))
    weight = chance_of_copying(tables, rng)
    in_train = _thinned(np.bincount(rows["train"], minlength=kinds)[released], len(rows["train"]), size)
    in_holdout = _thinned(np.bincount(rows["holdout"], minlength=kinds)[released], len(rows["holdout"]), size)
    scale = len(rows["train"]) / size
    counted = float((weight * (in_train > 0)).mean())
    difference = weight * (in_train - in_holdout)
    variance = clustered_variance((difference - difference.mean()) / n, released)
    value = min(scale * float(difference.mean()), counted)
    interval = excess_interval(difference, variance, scale, counted, tables.confidence)
    method = f"all {n} released rows against {len(rows['train'])} train and {len(rows['holdout'])} holdout rows"
    return measured("exact_copy_excess", value, interval, tables.confidence, n, method)


def near_copies(tables: AuditTables, rng: np.random.Generator) -> Measurement:
    """Share of released rows nearer to their nearest train row than strangers ever are, minus the same for holdout.

    Nearness is relative: the distance to the nearest real row, over the room one would expect there, the geometric mean
    of that row's own distance to its nearest real stranger and the released row's distance to the nearest row of the
    other real table. So a copy of an outlier with a little noise counts and a row in a crowd does not. "Ever" means
    that among as many real strangers (train and holdout rows with each other) half a row would be so near: with 500
    rows a chance hit is rare enough for five copies to stand out. Where one of the two has an equal, being equal to
    it is nobody's alone.

    Train and holdout are cut to equal size; the difference is scaled back by what was cut from train. The upper end
    never exceeds the share of released rows that do come so near to a row of the whole train: with every released row
    looked at, that is counted.
    """
    sides = tables.sides("paired", rng)
    n = len(sides.queries["released"])
    share = float(np.clip(0.5 / n, *USUAL))
    usual = _usual((_Crowding(sides, "train", "holdout"), _Crowding(sides, "holdout", "train")), share)
    to_train, to_holdout = (_Crowding(sides, "released", side).up_to(usual) <= usual for side in REAL)
    difference = to_train.astype(np.float64) - to_holdout
    touched = [sides.ids(side, sides.nearest("released", side).index) for side in REAL]
    variance = touched_variance([((difference - difference.mean()) / n, touched)], sides.points)
    scale = len(tables.train) / sides.rows("train")
    whole = tables.sides("whole", rng)
    near = to_train if whole is sides else _Crowding(whole, "released", "train").up_to(usual) <= usual
    unseen = len(tables.train) / whole.rows("train")
    counted = float(near.mean())
    if unseen > 1 or len(near) < len(tables.released):
        counted = min(unseen * clopper_pearson(counted, len(near), tables.confidence)[1], 1.0)
    value = min(scale * float(difference.mean()), counted)
    interval = excess_interval(difference, variance, scale, counted, tables.confidence)
    method = (
        f"{n} released rows against {sides.rows('train')} train and as many holdout rows; "
        f"near is the {share:.2%} quantile between real strangers"
    )
    return measured("near_copy_excess", value, interval, tables.confidence, n, method)


def rare_copies(tables: AuditTables, rng: np.random.Generator) -> Measurement:
    """Number of released rows on top of an isolated train person, minus what isolated holdout people get.

    Isolated are the 5 % of real rows farthest from every other real person of both tables; on top means within a
    quarter of that distance. In tables too large for all pairs, the tenth farthest from a random part of their own
    side is looked at closely. The holdout count is scaled to train's number of isolated rows. The interval takes the
    two counts as Poisson (conditional exact interval of their ratio): both zero means exactly zero.
    """
    sides = tables.sides("whole", rng)
    real = sides.rows("train") + sides.rows("holdout")
    spacing, limit = _isolated(sides, max(int(RARE * real), 1))
    counts, rare = [], []
    for side, (positions, distance) in spacing.items():
        alone = (distance >= limit) & (distance > 0)
        _, released = within(sides.matrix[side][positions[alone]], REACH * distance[alone], sides.searched["released"])
        counts.append(len(np.unique(released)))
        rare.append(int(alone.sum()))
    ratio = sides.rows("train") / sides.rows("holdout")
    copied, chance = counts[0], counts[1] * ratio
    interval = difference_of_counts(copied, counts[1], ratio, tables.confidence)
    method = f"{sides.rows('released')} released rows against {rare[0]} isolated train and {rare[1]} holdout rows"
    return measured("rare_copies", copied - chance, interval, tables.confidence, sides.rows("released"), method)


def excess_interval(difference: Floats, variance: float, scale: float, most: float, confidence: float) -> Interval:
    """Interval of ``scale`` times a mean of (n,) differences, each -1, 0 or 1, whose estimator has ``variance``.

    From the shares of the two directions, each with the number of independent rows that gives that variance; cut at
    ``most``, what was counted.
    """
    n = len(difference)
    up, down = float(np.maximum(difference, 0).mean()), float(np.maximum(-difference, 0).mean())
    spread = up * (1 - up) + down * (1 - down)
    effective = max(1.0, min(n, spread / variance)) if variance > 0 and spread > 0 else float(n)
    low, high = difference_of_shares(up, effective, down, effective, confidence)
    return max(scale * low, -1.0), min(scale * high, most, 1.0)


def _thinned(equals: Rows, rows: int, drawn: int) -> Floats:
    """Chance that ``drawn`` of ``rows`` rows, taken at random, hold at least one of each count of ``equals``."""
    left = rows - equals
    possible = left >= drawn
    left = np.where(possible, left, drawn)
    log_none = gammaln(left + 1) - gammaln(left - drawn + 1) - gammaln(rows + 1) + gammaln(rows - drawn + 1)
    result: Floats = np.where(equals == 0, 0.0, np.where(possible, -np.expm1(log_none), 1.0))
    return result


class _Crowding:
    """Distance to the nearest row of a real table over the room one would expect there, of each query.

    That room takes a row's nearest stranger on its own side, which is not needed to know that most queries stand far
    enough off: the nearest among some strangers is never nearer, so with it the figure comes out too small at the most.
    """

    def __init__(self, sides: Sides, of: Side, among: Side) -> None:
        self._sides, self._of, self._among = sides, of, among
        self._other: Side = "holdout" if among == "train" else "train"
        self._found = sides.nearest(of, among)
        every = np.arange(len(self._found.index), dtype=np.int64)
        self.told = np.zeros(len(every), dtype=np.bool_)
        self._least = self._over(every, self._room(every, bound=True))

    def up_to(self, limit: float) -> Floats:
        """The figures (q,): exact wherever they are no larger than ``limit``, elsewhere a bound above it."""
        asked = np.flatnonzero(~self.told & (self._least <= limit))
        if len(asked):
            self._least[asked] = self._over(asked, self._room(asked, bound=False))
            self.told[asked] = True
        return self._least

    def _room(self, asked: Rows, *, bound: bool) -> Floats:
        sides, met = self._sides, self._found.index[asked]
        positions = sides.queries[self._of][asked]
        spacing = (
            sides.spacing_bound(self._among)[met] if bound else sides.nearest(self._among, self._among, met).distance
        )
        if bound and self._of == self._other:
            across = sides.spacing_bound(self._of)[positions]
        else:
            across = sides.nearest(self._of, self._other, positions).distance
        room = np.zeros(len(met))  # none beside an equal row, even where a bound on the other distance is infinite
        return np.sqrt(np.multiply(spacing, across, out=room, where=(spacing > 0) & (across > 0)))

    def _over(self, asked: Rows, room: Floats) -> Floats:
        distance, shared = self._found.distance[asked], room == 0
        result: Floats = np.where(shared, np.where(distance == 0, 1.0, np.inf), distance / np.where(shared, 1.0, room))
        return result


def _usual(strangers: tuple[_Crowding, ...], share: float) -> float:
    """This quantile of all their figures, no more of which are told exactly than it takes."""
    bounds = np.concatenate([part.up_to(-np.inf) for part in strangers])
    enough = min(2 * int(np.ceil(share * len(bounds))) + AT_LEAST, len(bounds)) - 1
    limit = float(np.sort(bounds)[enough])
    some = np.concatenate([part.up_to(limit)[part.told] for part in strangers])
    limit = float(np.sort(some)[int(np.ceil(share * (len(bounds) - 1)))])
    return float(np.quantile(np.concatenate([part.up_to(limit) for part in strangers]), share, method="lower"))


def _isolated(sides: Sides, count: int) -> tuple[dict[Side, tuple[Rows, Floats]], float]:
    """Positions of isolated rows of both real tables and their distances to the nearest real stranger.

    Beside them the distance of the last one of the ``count`` most isolated. Distances below that may be too large, but
    not so large as to reach it: the nearest row of the other table is sought only where that of the own is as far away.
    """
    where: dict[Side, Rows] = {}
    distance: dict[Side, Floats] = {}
    for side in REAL:
        where[side] = np.arange(sides.rows(side), dtype=np.int64)
        if len(sides.queries[side]) < sides.rows(side):
            where[side] = sides.loneliest(side, max(int(COARSE * RARE * sides.rows(side)), 1))
        distance[side] = sides.nearest(side, side, where[side]).distance
    told = {side: np.zeros(len(where[side]), dtype=np.bool_) for side in REAL}
    limit = float(np.sort(np.concatenate(list(distance.values())))[-count])
    while True:
        asked = {side: np.flatnonzero(~told[side] & (distance[side] >= limit)) for side in REAL}
        if not any(len(part) for part in asked.values()):
            return {side: (where[side], distance[side]) for side in REAL}, limit
        for side, other in zip(REAL, reversed(REAL), strict=True):
            across = sides.nearest(side, other, where[side][asked[side]]).distance
            distance[side][asked[side]] = np.minimum(distance[side][asked[side]], across)
            told[side][asked[side]] = True
        # of those told, the last of so many is no farther away than the last of so many of all
        limit = float(np.sort(np.concatenate([distance[side][told[side]] for side in REAL]))[-count])
