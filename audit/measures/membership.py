"""Can an attacker tell from the release who was in train?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from audit.auc import auc
from audit.intervals import Interval, share_interval, touched_variance
from audit.intruders import REAL, Round, attacks
from audit.neighbours import Rows, nearest
from audit.outcome import FEWEST, measured, too_few, void_all
from audit.plan import Plan
from audit.sides import Side, Sides
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("membership_auc", "membership_tpr", "membership_outlier_auc")
CONTROLS: dict[str, Plan] = {
    "membership_auc": Plan(0.5, ("membership_auc",), sees=("copies", "lines", "overfit"), queried=True),
    "membership_tpr": Plan(0.01, ("membership_tpr",), sees=("copies",), queried=True),
    "membership_outlier_auc": Plan(0.5, ("membership_outlier_auc",), sees=("copies", "outliers"), queried=True),
}

FALSE_ALARMS = 0.01  # share of people outside train whom the attacker may accuse
ENOUGH = 100  # holdout people of whom that share is one
OUTLIERS = 0.05  # share of people, the most isolated ones, who count as outliers
FEWEST_OUTLIERS = 20
MOST_OUTLIERS = 0.2  # share of a small table beyond which they are not outliers any more

Floats = NDArray[np.float64]
Mask = Mapping[Side, NDArray[np.bool_]]


def membership(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Three figures, each that of the strongest of the six attacks of ``audit.intruders``.

    - ``membership_auc``: area under the ROC curve, 0.5 without leak. An attack that is right less often than chance is
      turned round (rows kept at a distance from train betray it as well), so the value is 0.5 or more.
    - ``membership_tpr``: share of train people accused when at most 1 % of the people outside train are; 0.01 without
      leak. A person with several rows is accused by the most suspicious of them. Wants a holdout of 100 people.
    - ``membership_outlier_auc``: the area among the most isolated 5 % of the people of both tables, about twenty of
      each at least. Wants 100 people in each, so that twenty of them can be called outliers.

    Intervals: DeLong's variance, with placements that share a person, attacked or nearest for reference, taken as
    dependent, and Student's t for the people of the smaller side, as that variance is an estimate; for the rate at 1 %,
    see ``rate_at``. Each attack gets its share of the error (Bonferroni), so that the largest lower and the largest
    upper end bound the strongest attack.

    References
    ----------
    Carlini, Chien, Nasr, Song, Terzis, Tramer, Membership inference attacks from first principles, IEEE S&P 2022 (why
    the rate at few false alarms). Meeus, Guepin, Cretu, de Montjoye, Achilles' heels, ESORICS 2023 (why outliers).
    """
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    sides = tables.sides("whole", rng)
    scored = attacks(sides, rng)
    confidence = 1 - (1 - tables.confidence) / len(scored)
    everyone = {side: np.ones(len(sides.queries[side]), dtype=np.bool_) for side in REAL}
    found = [_area(NAMES[0], scored, everyone, sides, tables.confidence, confidence)]
    people = {side: len(np.unique(sides.people[side][sides.queries[side]])) for side in REAL}
    if people["holdout"] < ENOUGH:
        found += too_few(NAMES[1:2], people["holdout"], ENOUGH)
    else:
        found.append(_rate(scored, sides, tables.confidence, confidence, rng))
    if MOST_OUTLIERS * min(people.values()) < FEWEST_OUTLIERS:
        found += too_few(NAMES[2:], min(people.values()), round(FEWEST_OUTLIERS / MOST_OUTLIERS))
        return tuple(found)
    lonely = _outliers(sides)
    fewest = min(int(part.sum()) for part in lonely.values())
    if fewest < FEWEST_OUTLIERS // 2:
        reason = (
            f"of the {sum(int(part.sum()) for part in lonely.values())} most isolated people one table holds {fewest}, "
            f"and {FEWEST_OUTLIERS // 2} would do: train and holdout are not of one kind; draw the holdout at random"
        )
        found += void_all(NAMES[2:], "inconclusive", reason, fewest)
    else:
        found.append(_area(NAMES[2], scored, lonely, sides, tables.confidence, confidence))
    return tuple(found)


@dataclass(frozen=True)
class _Bound:
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class _Attack:
    """An area with the variance of its estimate, of how many rows it is at best, and the people of the smaller side."""

    value: float
    variance: float
    rows: int
    people: int

    def turned(self, confidence: float) -> _Bound:
        """Value and interval of the better of the attack and its opposite."""
        low, high = share_interval(self.value, self.variance, self.rows, confidence, clusters=self.people)
        return _Bound(max(self.value, 1 - self.value), max(low, 1 - high), max(high, 1 - low))


def _area(
    name: str, scored: Mapping[str, Sequence[Round]], mask: Mask, sides: Sides, reported: float, each: float
) -> Measurement:
    bounds = {attack: _averaged(rounds, mask, sides).turned(each) for attack, rounds in scored.items()}
    counts = int(mask["train"].sum()), int(mask["holdout"].sum())
    return _strongest(name, bounds, reported, counts, "rows; DeLong, Bonferroni")


def _strongest(
    name: str, bounds: Mapping[str, _Bound], confidence: float, counts: tuple[int, int], rest: str
) -> Measurement:
    best = max(bounds, key=lambda attack: bounds[attack].value)
    interval = max(bound.low for bound in bounds.values()), max(bound.high for bound in bounds.values())
    method = f"strongest of {len(bounds)} attacks ({best}) on {counts[0]} train and {counts[1]} holdout {rest}"
    return measured(name, bounds[best].value, interval, confidence, sum(counts), method)


def _averaged(rounds: Sequence[Round], mask: Mask, sides: Sides) -> _Attack:
    """Mean of the areas; placements that share a person, attacked or nearest for reference, are dependent."""
    parts: list[tuple[Floats, tuple[Rows, ...]]] = []
    values: list[float] = []
    for attack in rounds:
        chosen = mask["train"], mask["holdout"][attack.asked]
        if not chosen[0].any() or not chosen[1].any():
            continue
        result = auc(attack.train[chosen[0]], attack.holdout[chosen[1]])
        values.append(result.value)
        for influence, ids, kept in zip(result.influence, attack.touched, chosen, strict=True):
            parts.append((influence, tuple(part[kept] for part in ids)))
    variance = touched_variance([(influence / len(values), ids) for influence, ids in parts], sides.points)
    rows = [int(mask[side].sum()) for side in REAL]
    people = min(len(np.unique(sides.ids(side, sides.queries[side][mask[side]]))) for side in REAL)
    return _Attack(float(np.mean(values)), variance, sum(rows) if variance > 0 else min(rows), people)


def _outliers(sides: Sides) -> Mask:
    """One query of each of the most isolated people, by the distance of a row to any other person's query.

    They are the most isolated of both tables together. The most isolated of each would differ in how isolated they are
    by the chance of the draw, and with it in their scores: by more than the variance of the area allows for. Who ties
    with the last of them is one of them.
    """
    rows = {side: sides.matrix[side][sides.queries[side]] for side in REAL}
    people = {side: sides.people[side][sides.queries[side]] for side in REAL}
    across = {"train": nearest(rows["train"], rows["holdout"]), "holdout": nearest(rows["holdout"], rows["train"])}
    alone: dict[Side, Floats] = {}
    farthest: dict[Side, Floats] = {}
    who: dict[Side, Rows] = {}
    for side in REAL:
        within = nearest(rows[side], rows[side], people[side], people[side])
        alone[side] = np.minimum(within.distance, across[side].distance)
        who[side] = np.unique(people[side], return_inverse=True)[1].astype(np.int64)
        farthest[side] = _worst(alone[side], who[side])
    pooled = np.concatenate([farthest[side] for side in REAL])
    share = max(OUTLIERS, FEWEST_OUTLIERS / min(len(part) for part in farthest.values()))
    limit = np.sort(pooled)[-round(share * len(pooled))]
    return {side: (farthest[side][who[side]] >= limit) & (alone[side] == farthest[side][who[side]]) for side in REAL}


def _rate(
    scored: Mapping[str, Sequence[Round]], sides: Sides, reported: float, each: float, rng: np.random.Generator
) -> Measurement:
    person = {
        side: np.unique(sides.people[side][sides.queries[side]], return_inverse=True)[1].astype(np.int64)
        for side in REAL
    }
    half = (rng.permutation(int(person["train"].max()) + 1) % 2)[person["train"]]
    bounds: dict[str, _Bound] = {}
    for attack, rounds in scored.items():
        # a train person is attacked in one round only, as a holdout person is
        members = rounds[0].train if len(rounds) == 1 else np.where(half == 0, rounds[0].train, rounds[1].train)
        control = np.empty(len(person["holdout"]))
        for part in rounds:
            control[part.asked] = part.holdout
        suspicion = [_worst(part, person[side]) for side, part in zip(REAL, (members, control), strict=True)]
        bounds[attack] = _Bound(*rate_at(suspicion[0], suspicion[1], each))
    counts = int(person["train"].max()) + 1, int(person["holdout"].max()) + 1
    return _strongest(NAMES[1], bounds, reported, counts, "people; order statistics and Clopper-Pearson, Bonferroni")


def _worst(scores: Floats, person: Rows) -> Floats:
    worst = np.full(int(person.max()) + 1, -np.inf)
    np.maximum.at(worst, person, scores)
    return worst


def rate_at(members: Floats, control: Floats, confidence: float) -> tuple[float, float, float]:
    """True positive rate where 1 % of (n,) control people are accused, and its interval, for (m,) members.

    The threshold is estimated, so its true false alarm rate is not 1 %: with k of n control scores above it, it is
    Beta(k + 1, n - k). The upper end is that of the members above the threshold whose false alarm rate is surely 1 % or
    more. Of those who tie with it so large a part counts as of the control, as if by lot: nobody can tell them apart by
    this score (Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 27, 2006). The lower end is that
    of a threshold with k alarms, times 1 % over the most its rate can be where that is more (the attacker accuses by
    lot). Half of the error goes to the threshold and half to the share (Clopper and Pearson, Biometrika 26, 1934).
    """
    n, tail = len(control), (1 - confidence) / 4
    ranked = -np.sort(-control)
    allowed = int(FALSE_ALARMS * n)
    value = float((members > ranked[allowed]).mean())
    alarms = np.arange(n)
    surely = np.asarray(stats.beta.ppf(tail, alarms + 1, n - alarms) >= FALSE_ALARMS)
    high = 1.0
    if surely.any():
        alarm = int(surely.argmax())
        tie = ranked[alarm]
        drawn = (alarm + 1 - (control > tie).sum()) / (control == tie).sum()
        high = _exact_share(float((members > tie).sum() + drawn * (members == tie).sum()), len(members), tail)[1]
    low = 0.0
    # the threshold may be chosen beforehand only: none of the control, or as many as are allowed
    for k, part in ((0, tail / 2), (allowed, tail / 2)):
        most = float(stats.beta.ppf(1 - part, k + 1, n - k))
        share = _exact_share(int((members > ranked[k]).sum()), len(members), part)[0]
        low = max(low, share * min(1.0, FALSE_ALARMS / most))
    return value, min(low, value), max(high, value)


def _exact_share(count: float, n: int, tail: float) -> Interval:
    low = float(stats.beta.ppf(tail, count, n - count + 1)) if count else 0.0
    high = float(stats.beta.ppf(1 - tail, count + 1, n - count)) if count < n else 1.0
    return low, high
