"""Can real people be rebuilt by drawing lines through released rows and seeing where the lines meet?

Interpolation publishes points of the lines that join real people. Whoever finds two points of one such line and two of
another that ends in the same person gets that person, to the last digit, where the lines meet.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from audit.gaps import nearest_known
from audit.intervals import difference_of_shares
from audit.measures.copies import REAL
from audit.neighbours import Nearest, Rows, several
from audit.outcome import FEWEST, UNEVEN, measured, too_few, void_all
from audit.plan import Plan
from audit.sides import REFERENCE_ROWS, draw_people
from audit.straight import straighten
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("line_reconstruction",)
# where rounding hides the lines nobody can be rebuilt, which is the answer and not a failure to see
CONTROLS: dict[str, Plan] = {"line_reconstruction": Plan(0.0, NAMES, staked=NAMES, on="pencils", counted=True)}

QUERIES = 1_500  # released rows around which lines are sought
CLOSE = 14  # nearest released rows among which a row's companions are sought
POINTS = 6_000  # meeting points tried, the flattest first
FLAT = 1e-3  # how far four points may be out of one plane, over their longest distance, beside rounding
ROUNDINGS = 3.0  # standard deviations of the rounding of a released row that a flat four may be off
CROSSING = 1e-2  # least squared sine between two lines
NUMBERS = 3  # that four rows must all have, to tell lines apart; and a person, to be met
GAP = 2**0.5  # standard deviations between a known and an unknown number: as far as two people are at random
BLOCK = 250  # released rows around which lines are sought at a time
LEAST = 1e-24  # squared height over distance below which it is rounding
REBUILT = 0.1  # share of a person's distance to the nearest stranger within which a meeting point is that person

Floats = NDArray[np.float64]


def line_reconstruction(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Share of train people on whom two lines through released rows meet, minus the same for holdout people.

    The attacker needs the release alone. Around each released row, every three of its 14 nearest companions that lie in
    one plane with it are taken; in d columns that happens by chance to hardly any four points, and to all that lie on
    two lines with a common end. The three ways to join such four points into two lines give meeting points; those
    inside a line are passed over, because the person is at its end. A person is rebuilt by a point within a tenth of
    the distance to her nearest stranger, in the numbers alone, each in standard deviations.

    Four rows are compared in the numbers that all of them have, three at least, and people are met in these: a number
    missing here and there costs no row and no person. Companions are those near with the same gaps. What a person lacks
    is asked both ways: as a difference, as where gaps are copied with the row, and not at all, as where a release fills
    them. A stranger who lacks it is a stranger. People with fewer than three numbers cannot be met and are not counted;
    the upper end takes them, rows not looked at and fours without three numbers in common for exposed as often as what
    was looked at is at most.

    With at most two numeric columns any four points lie in one plane and nothing can be told: nobody is rebuilt, which
    is measured, not assumed to be safe elsewhere. Coarse rounding hides lines in the same way. Whether lines are there
    at all is asked by ``segment_share``, which is the detector; this is the damage. The people rebuilt are counted, so
    the upper end goes beyond the count only by what was not looked at.

    References
    ----------
    Ganev et al., SMOTE and mirrors: exposing privacy leakage from synthetic minority oversampling, ICLR 2026 (arXiv
    2510.15083), who need three points on a line; two on each of two lines are enough in three columns and more.
    """
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    straight = straighten(tables)
    columns = [j for j in range(straight["train"].numbers.shape[1]) if _varies(straight["released"].numbers[:, j])]
    points = {side: part.numbers[:, columns] for side, part in straight.items()}
    rows = np.flatnonzero((~np.isnan(points["released"])).sum(axis=1) >= NUMBERS)
    count = {side: len(np.unique(tables.people[side])) for side in REAL}
    asked = np.empty(0, dtype=np.int64)
    meeting, comparable = np.empty((0, len(columns))), 0.0
    if len(columns) >= NUMBERS and len(rows) > 4:
        released = points["released"][rows]
        asked = draw_people(np.arange(len(rows), dtype=np.int64), QUERIES, rng)
        placed = _placed(released)
        near = several(placed[asked], placed, min(CLOSE, len(rows) - 1), asked, np.arange(len(rows)))
        meeting, comparable = _meeting_points(released, asked, near, _roundings(released))
    rebuilt, looked_at = {}, {}
    for side in REAL:
        rebuilt[side], looked_at[side] = _rebuilt(meeting, points[side], tables.people[side], rng)
    declared = len(straight["released"].numbers[0]) if len(tables.released) else 0
    if declared >= NUMBERS and not comparable:
        reason = (
            f"no lines could be drawn: {len(columns)} of {declared} numeric columns vary, and {len(rows)} of "
            f"{len(tables.released)} released rows have {NUMBERS} of these"
        )
        return void_all(NAMES, "inconclusive", reason, tables.fewest_people)
    seen = comparable * len(asked) / len(tables.released) if len(asked) else 1.0
    share = {side: len(rebuilt[side]) / looked_at[side] for side in REAL}
    low = difference_of_shares(
        share["train"], looked_at["train"], share["holdout"], looked_at["holdout"], tables.confidence
    )[0]
    high = share["train"]
    if seen < 1 or looked_at["train"] < count["train"]:
        tail = 1 - (1 - tables.confidence) / 2
        expected = float(stats.gamma.ppf(tail, len(rebuilt["train"]) + 1))
        high = min(expected / looked_at["train"] / seen, 1.0)
        if looked_at["train"] == count["train"] <= UNEVEN * looked_at["holdout"]:
            # what holdout people are met by is chance, which rows not looked at have as well (MOVER of two rates); a
            # smaller holdout has nearest strangers further away, and is met by more of it
            fewest = float(stats.gamma.ppf(1 - tail, len(rebuilt["holdout"]))) if len(rebuilt["holdout"]) else 0.0
            above = expected / looked_at["train"] - share["train"]
            below = share["holdout"] - fewest / looked_at["holdout"]
            excess = share["train"] - share["holdout"] + float(np.hypot(above, below))
            high = min(high, share["train"] + max(excess, 0.0) * (1.0 / seen - 1.0))
    method = (
        f"{len(meeting)} meeting points of lines around {len(asked)} released rows in {len(columns)} numeric columns"
        + ("" if len(columns) >= NUMBERS else "; fewer than three, so no lines can be told apart")
    )
    value = share["train"] - share["holdout"]
    return (measured(NAMES[0], value, (low, high), tables.confidence, looked_at["train"], method),)


def _varies(values: Floats) -> bool:
    known = values[~np.isnan(values)]
    return len(known) > 0 and bool((known != known[0]).any())


def _placed(released: Floats) -> Floats:
    """Rows as companions are chosen: a gap is the median of real people, and off those who have that number."""
    gaps = np.isnan(released)
    some = gaps.any(axis=0)
    return np.hstack([np.where(gaps, 0.0, released), GAP * gaps[:, some]])


def _roundings(released: Floats) -> Floats:
    """Variance (d,) by which rounding moves a row in each column: a uniform error of the column's grid."""
    variance = np.zeros(released.shape[1])
    for place, column in enumerate(released.T):
        steps = np.diff(np.unique(column[~np.isnan(column)]))
        step = float(steps.min()) if len(steps) else 0.0
        # a grid is one only where every step is a multiple of the smallest
        if step > 0 and np.allclose(steps / step, np.round(steps / step), atol=1e-3) and step > 1e-9:
            variance[place] = step * step / 12
    return variance


def _meeting_points(released: Floats, asked: Rows, near: Rows, roundings: Floats) -> tuple[Floats, float]:
    """Where pairs of lines through four released rows in one plane meet, outside the four; least by chance first.

    Beside them the share of fours that have three numbers in common. Four points at random are so flat in d columns
    with a chance like the height over the distance to the power d - 2.
    """
    triples = np.array(list(itertools.combinations(range(near.shape[1]), 3)))
    fours, chances, told = [], [], 0
    for start in range(0, len(asked), BLOCK):
        here, close = asked[start : start + BLOCK], near[start : start + BLOCK]
        query, triple, chance, comparable = _flat(released, here, close, triples, roundings)
        fours.append(np.column_stack([here[query], *close[query[:, None], triples[triple]].T]))
        chances.append(chance)
        told += comparable
    order = np.argsort(np.concatenate(chances), kind="stable")[: POINTS // 2]
    kept = np.concatenate(fours)[order]
    found = [_cross(released[kept[:, [0, p, *rest]]]) for p, rest in ((1, (2, 3)), (2, (1, 3)), (3, (1, 2)))]
    return np.concatenate(found)[:POINTS], told / (len(asked) * len(triples))


def _flat(
    released: Floats, asked: Rows, near: Rows, triples: Rows, roundings: Floats
) -> tuple[Rows, Rows, Floats, int]:
    """Which triples of companions lie in one plane with their row, in the numbers that all four have.

    The places of row and triple, the logarithm of the chance of so flat a four, and how many fours could be compared.
    """
    arrows = released[near] - released[asked][:, None, :]
    known = (~np.isnan(arrows)).astype(np.float64)
    arrows = np.where(known > 0, arrows, 0.0)
    shape = (len(asked), near.shape[1], near.shape[1], near.shape[1])
    products = (arrows[:, :, None, :] * arrows[:, None, :, :]).reshape(len(asked), -1, released.shape[1])
    both = (known[:, :, None, :] * known[:, None, :, :]).reshape(products.shape)
    across = known.transpose(0, 2, 1)
    crossed = (products @ across).reshape(shape)  # of the first two, where the third is known
    own = (both @ (arrows * arrows).transpose(0, 2, 1)).reshape(shape)  # of the third, where the first two are known
    common = (both @ across).reshape(shape)
    rounded = (both @ (known * roundings).transpose(0, 2, 1)).reshape(shape)
    i, j, k = triples.T
    a, b, c = own[:, j, k, i], own[:, i, k, j], own[:, i, j, k]
    d, e, f = crossed[:, i, j, k], crossed[:, i, k, j], crossed[:, j, k, i]
    width, rounding = common[:, i, j, k], np.sqrt(rounded[:, i, j, k])
    volume = a * (b * c - f * f) - d * (d * c - e * f) + e * (d * f - b * e)
    areas = np.stack([a * b - d * d, a * c - e * e, b * c - f * f])
    scale = np.maximum.reduce([a, b, c])
    # height of the four over their largest face, squared; four on a line have no plane
    largest = areas.max(axis=0)
    proper = areas.min(axis=0) > CROSSING * np.minimum.reduce([a, b, c]) * scale
    height = np.maximum(volume, 0.0) / np.where(largest > 0, largest, 1.0)
    limit = FLAT * np.sqrt(scale) + ROUNDINGS * rounding
    query, triple = np.nonzero((width >= NUMBERS) & proper & (height <= limit**2))
    relative = height[query, triple] / scale[query, triple]
    chance = np.log(np.maximum(relative, LEAST)) * (width[query, triple] - 2)
    return query, triple, chance, int((width >= NUMBERS).sum())


def _cross(fours: Floats) -> Floats:
    """Meeting points of the lines (0, 1) and (2, 3) of each four (m, 4, d), where they meet outside both pairs.

    What one of the four lacks is unknown of their meeting point.
    """
    lacking = np.asarray(np.isnan(fours).any(axis=1))
    fours = np.where(lacking[:, None], 0.0, fours)
    start, u = fours[:, 0], fours[:, 1] - fours[:, 0]
    other, v = fours[:, 2], fours[:, 3] - fours[:, 2]
    w = other - start
    uu, vv, uv = (np.einsum("md,md->m", *pair) for pair in ((u, u), (v, v), (u, v)))
    uw, vw = np.einsum("md,md->m", u, w), np.einsum("md,md->m", v, w)
    crossing = uu * vv - uv * uv
    clear = crossing > CROSSING * uu * vv
    safe = np.where(clear, crossing, 1.0)
    s, t = (uw * vv - vw * uv) / safe, (uw * uv - vw * uu) / safe
    outside = clear & ((s <= 0) | (s >= 1)) & ((t <= 0) | (t >= 1))
    met = 0.5 * (start + s[:, None] * u + other + t[:, None] * v)
    result: Floats = np.where(lacking, np.nan, met)[outside]
    return result


def _rebuilt(meeting: Floats, real: Floats, people: Rows, rng: np.random.Generator) -> tuple[Rows, int]:
    """Codes of the people of one table who are met, and how many people were looked at."""
    kept = draw_people(people, REFERENCE_ROWS, rng)
    if real.shape[1] >= NUMBERS:
        kept = kept[(~np.isnan(real[kept])).sum(axis=1) >= NUMBERS]
    everybody = max(len(np.unique(people[kept])), 1)
    if not len(meeting) or not len(kept):
        return np.empty(0, dtype=np.int64), everybody
    real, people = real[kept], people[kept]
    # a released row may lack what its people lack, or have it from elsewhere
    looks = [nearest_known(meeting, real, gap=gap) for gap in ((GAP, None) if np.isnan(real).any() else (GAP,))]
    met = [_met(meeting, real, people, found) for found in looks]
    return np.unique(np.concatenate(met)), everybody


def _met(meeting: Floats, real: Floats, people: Rows, found: Nearest) -> Rows:
    """People who are nearest to a meeting point and within a tenth of their distance to the nearest stranger."""
    here = np.flatnonzero(found.index >= 0)
    index = found.index[here]
    asked = np.where(np.isnan(meeting[here]), np.nan, real[index])  # in the numbers that are compared
    room = nearest_known(asked, real, people[index], people, GAP).distance
    close = (found.distance[here] <= REBUILT * room) & (room > 0)
    return people[index[close]]
